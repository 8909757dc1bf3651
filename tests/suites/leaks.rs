//! Secrets and codes are where they belong and nowhere else.

use std::{fs, thread, time::Duration};

use harness::{
    BusKind, Counterpart, Login, MODULE, PASSWORD, World,
    counterparts::{
        gateway::Behaviour,
        smtp::{SECRET, Tls},
    },
    otpd::{Start, enrol, items, otpctl_with},
    pam::code,
    process::{status, until},
    sshd::Methods,
};

use crate::delivery::{ADDRESS, DIGITS, NUMBER, dead, enrolling, none_of, reach, ssh};

/// Everything that the machine's processes show of themselves: arguments and environment.
fn shown() -> String {
    let here = fs::read_link("/proc/thread-self/ns/mnt").unwrap();
    let mut text = String::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        if fs::read_link(entry.path().join("ns/mnt")).is_ok_and(|namespace| namespace == here) {
            for file in ["cmdline", "environ"] {
                text += &String::from_utf8_lossy(
                    &fs::read(entry.path().join(file)).unwrap_or_default(),
                );
            }
        }
    }
    text
}

#[test]
fn no_secret_and_no_code_is_logged_or_shown() {
    World::run(|world| {
        world.bus(BusKind::Broker);
        let _otpd = world.otpd("");
        world
            .stack("sshd", &["requisite pam_unix.so nodelay", &format!("required {MODULE} debug")]);
        world.stack("bus", &[&format!("required {MODULE} debug bus=system")]);
        let token = enrol("alice", &["--method", "hotp"]);
        let recovery = otpctl_with(
            &["--json", "recovery", "new", "alice", "--yes", "--output", "/run/e2e/recovery"],
            b"",
        );
        recovery.ok();
        let words = fs::read_to_string("/run/e2e/recovery").unwrap();
        let sshd = world.sshd(Methods::Keyboard);
        let (used, wrong) = (token.code(), token.wrong());
        let mut host = world.host();
        let seen = thread::scope(|scope| {
            let login = scope.spawn(|| sshd.login("alice", &[PASSWORD, &used]));
            let mut seen = shown();
            while !login.is_finished() {
                seen += &shown();
                thread::sleep(Duration::from_millis(2));
            }
            assert!(login.join().unwrap().admitted);
            seen
        });
        assert_eq!(
            host.login(Login::new("bus", "alice"), &[wrong.as_bytes()]).code(),
            code::AUTH_ERR
        );
        let over_bus = token.code();
        assert_eq!(
            host.login(Login::new("bus", "alice"), &[over_bus.as_bytes()]).code(),
            code::SUCCESS
        );
        let logged = world.log().records().join("\n");
        assert!(logged.contains("alice"), "nothing of the logins was logged");
        let audited = items(&["audit"]).iter().map(ToString::to_string).collect::<String>();
        let codes = words
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
            .filter(|word| word.len() == 19);
        let secrets: Vec<_> = [&token.secret, &used, &wrong, &over_bus]
            .into_iter()
            .map(String::as_str)
            .chain(codes)
            .collect();
        assert!(secrets.len() > 10, "no recovery codes in {words}");
        for secret in secrets.iter().chain([&PASSWORD]) {
            for (place, text) in [
                ("the log", &logged),
                ("arguments and environments", &seen),
                ("the audit record", &audited),
            ] {
                assert!(!text.contains(secret), "{secret} is in {place}");
            }
        }
    });
}

/// The store's files hold no secret in clear.
#[test]
fn the_store_holds_no_secret_in_clear() {
    World::run(|world| {
        let mut otpd = world.otpd("");
        let tokens: Vec<_> = (0..5).map(|_| enrol("alice", &["--method", "hotp"])).collect();
        otpd.stop();
        let mut files = Vec::new();
        for entry in fs::read_dir("/var/lib/otpd").unwrap().flatten() {
            files.extend(fs::read(entry.path()).unwrap());
        }
        assert!(files.windows(5).any(|bytes| bytes == b"alice"), "the store is elsewhere");
        for token in &tokens {
            let raw = base32(&token.secret);
            assert!(!files.windows(raw.len()).any(|bytes| bytes == raw), "a raw secret");
            assert!(
                !files.windows(token.secret.len()).any(|bytes| bytes == token.secret.as_bytes()),
                "a base32 secret"
            );
        }
    });
}

/// Of a code that is delivered, the number it goes to and the providers' passwords: nothing is
/// logged, shown or recorded, and no code and no text is in clear in the store.
#[test]
fn no_delivered_code_is_logged_shown_or_kept() {
    const PROVIDER: &str = "gateway-Secret-79";
    const QUERY: &str = "query-Secret-80";
    World::run(|world| {
        world.bus(BusKind::Broker);
        let (gateway, server) = (world.gateway(), world.smtp(Tls::Start));
        let sms = gateway.provider("main")
            + &format!(
                "user = \"otp\"\npassword = \"{PROVIDER}\"\nparameters = {{ key = \"{QUERY}\" }}\n"
            );
        let spare = dead("dead") + &format!("parameters = {{ key = \"{QUERY}\" }}\n");
        let order = "[[method]]\nname = \"sms\"\nproviders = [\"dead\", \"main\"]\n";
        let policy = enrolling(&["sms", "email"]);
        let mut otpd = world.otpd(&(sms + &spare + &server.provider("main") + order + &policy));
        world
            .stack("sshd", &["requisite pam_unix.so nodelay", &format!("required {MODULE} debug")]);
        reach("alice", &[&format!("mobile={NUMBER}")]);
        reach("bob", &[&format!("mail={ADDRESS}")]);
        let sshd = world.sshd(Methods::Keyboard);
        let mut seen = String::new();
        thread::scope(|scope| {
            let logins = scope.spawn(|| {
                ssh(&sshd, "alice", |_| gateway.await_message(1).code(DIGITS)).admitted
                    && ssh(&sshd, "bob", |_| server.await_message(1).code(DIGITS)).admitted
            });
            while !logins.is_finished() {
                seen += &shown();
                thread::sleep(Duration::from_millis(2));
            }
            assert!(logins.join().unwrap());
        });
        gateway.behave(Behaviour::Echo);
        let open = ssh(&sshd, "alice", |_| none_of(&[&gateway.await_message(2).code(DIGITS)]));
        assert!(!open.admitted);
        until("the gateway's refusal is recorded", || {
            items(&["audit"]).iter().any(|record| record.to_string().contains("refused"))
        });
        let logged = world.log().records().join("\n");
        let told = items(&["audit"]).iter().map(ToString::to_string).collect::<String>()
            + &otpctl_with(&["status"], b"").ok()
            + &otpctl_with(&["config", "show"], b"").ok();
        otpd.kill();
        let mut kept = Vec::new();
        for entry in fs::read_dir("/var/lib/otpd").unwrap().flatten() {
            kept.extend(fs::read(entry.path()).unwrap());
        }
        let kept = String::from_utf8_lossy(&kept);
        let codes: Vec<_> = gateway.messages().into_iter().chain(server.messages()).collect();
        assert_eq!(codes.len(), 3);
        let codes: Vec<_> = codes.iter().map(|message| message.code(DIGITS)).collect();
        let secrets = codes.iter().map(String::as_str).chain([PASSWORD, PROVIDER, QUERY, SECRET]);
        let numbers = [NUMBER, NUMBER.trim_start_matches('+')];
        for secret in secrets.clone().chain(numbers) {
            for (place, text) in [
                ("the log", &logged),
                ("arguments and environments", &seen),
                ("what the administrator is shown", &told),
            ] {
                assert!(!text.contains(secret), "{secret} is in {place}");
            }
        }
        for secret in secrets {
            assert!(!kept.contains(secret), "{secret} is in the store");
        }
    });
}

fn base32(text: &str) -> Vec<u8> {
    let (mut bits, mut value, mut bytes) = (0, 0_u32, Vec::new());
    for letter in text.bytes() {
        let digit = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".iter().position(|b| *b == letter).unwrap();
        (bits, value) = (bits + 5, (value << 5 | digit as u32) & 0xfff);
        if bits >= 8 {
            bits -= 8;
            bytes.push((value >> bits) as u8);
        }
    }
    bytes
}

/// The daemon runs as its own user, leaves no core and cannot be traced by others.
#[test]
fn the_daemon_keeps_to_itself() {
    for start in [Start::Itself, Start::Activated] {
        World::run(|world| {
            let otpd = world.otpd_as("", start);
            let status = status(otpd.pid());
            assert_eq!(status["Uid"], "61999\t61999\t61999\t61999", "{start:?}");
            assert_eq!(status["Gid"], "61999\t61999\t61999\t61999", "{start:?}");
            assert!(
                ["", "61999"].contains(&status["Groups"].as_str()),
                "{start:?}: {}",
                status["Groups"]
            );
            assert_eq!(status["CapEff"], "0000000000000000", "{start:?}");
            assert_eq!(status["CapPrm"], "0000000000000000", "{start:?}");
            let limits = fs::read_to_string(format!("/proc/{}/limits", otpd.pid())).unwrap();
            let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
            assert_eq!(core.split_whitespace().nth(4), Some("0"), "{start:?}: {core}");
            let owner = std::os::unix::fs::MetadataExt::uid(
                &fs::metadata(format!("/proc/{}/mem", otpd.pid())).unwrap(),
            );
            assert_eq!(owner, 0, "{start:?}: the daemon's memory is open to its own user");
            let modes =
                ["/var/lib/otpd/otpd.db", "/etc/otpd/kek", "/var/lib/otpd", "/run/otpd/login.sock"]
                    .map(|path| {
                        std::os::unix::fs::MetadataExt::mode(&fs::metadata(path).unwrap()) & 0o777
                    });
            assert_eq!(modes.map(|mode| mode & 0o077), [0; 4], "{start:?}: {modes:?}");
        });
    }
}
