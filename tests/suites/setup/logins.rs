//! Real logins after a setup, and after it is gone.

use std::{fs, thread, time::Duration};

use harness::{
    Login, PASSWORD, Token, World,
    otpd::{enrol, otpctl, otpctl_with},
    pam,
    process::{command, command_as, until},
    settings::sources,
    sshd::{Methods, Sshd},
    terminal::{seat, sit},
};

use super::{assert_as, files, machine, pending, set_up, setup};

/// sshd takes its settings again a moment after it was told.
fn settles(sshd: &Sshd, replies: impl Fn() -> Vec<String>, admitted: bool) {
    until("sshd has read its settings again", || {
        thread::sleep(Duration::from_millis(100));
        let replies = replies();
        let replies: Vec<_> = replies.iter().map(String::as_str).collect();
        sshd.login("alice", &replies).admitted == admitted
    });
}

fn through_sshd(world: &World, token: &Token, first: &str, methods: Methods) {
    let sshd = world.sshd_of_the_machine(methods);
    let before = files();
    let arguments = ["sshd", "--first", first];
    let replies: Vec<_> = if first == "key" { vec![] } else { vec![PASSWORD] };
    let code = token.code();
    let tried = [&replies[..], &[&code]].concat();
    let done = setup(&[&arguments[..], &["--user", "alice", "--yes"]].concat(), &tried);
    assert_eq!(done.code(), 0, "{done:?}");
    assert!(done.stdout.lines().all(|line| line.chars().count() <= 80), "{}", done.stdout);
    assert!(done.stdout.contains("    otpctl setup --keep\n"), "{done:?}");
    let with =
        |code: &str| [&replies[..], &[code]].concat().iter().map(|r| (*r).to_owned()).collect();
    settles(&sshd, || with(&token.code()), true);
    let wrong = token.wrong();
    assert!(!sshd.login("alice", &[&replies[..], &[&wrong]].concat()).admitted);
    assert!(!sshd.login("alice", &replies).admitted, "without a code");
    assert!(!sshd.login("alice", &["wrong", &token.code()]).admitted, "a wrong password or code");
    setup(&["--keep"], &[]).ok();
    assert!(!pending());
    let again = setup(&[&arguments[..], &["--user", "alice", "--yes"]].concat(), &[]);
    assert_eq!(again.code(), 0, "{again:?}");
    assert!(again.stdout.ends_with("There is nothing to change.\n"), "{again:?}");
    let shown = setup(&[], &[]).ok();
    assert!(shown.contains("kept") && shown.contains("/etc/pam.d/sshd"), "{shown}");
    setup(&["--remove", "sshd"], &[]).ok();
    assert_as(&before, "removed");
}

#[test]
fn ssh_asks_for_password_and_code_until_it_is_removed() {
    machine(|world, token, _| through_sshd(world, token, "password", Methods::Keyboard));
}

#[test]
fn ssh_asks_for_key_and_code_until_it_is_removed() {
    machine(|world, token, _| through_sshd(world, token, "key", Methods::KeyThenKeyboard));
}

#[test]
fn undone_ssh_is_as_it_was() {
    machine(|world, token, _| {
        let sshd = world.sshd_of_the_machine(Methods::Password);
        let before = files();
        settles(&sshd, || vec![PASSWORD.to_owned()], true);
        set_up(&["sshd"], token);
        settles(&sshd, || vec![PASSWORD.to_owned()], false);
        setup(&["--undo"], &[]).ok();
        assert_as(&before, "undone");
        settles(&sshd, || vec![PASSWORD.to_owned()], true);
        let nothing = setup(&["--undo"], &[]);
        assert_eq!((nothing.code(), nothing.stdout.as_str()), (0, "Nothing is pending.\n"));
    });
}

#[test]
fn sudo_and_su_ask_for_the_code() {
    machine(|_, token, _| {
        let before = files();
        for service in ["sudo", "su"] {
            set_up(&[service], token);
            setup(&["--keep"], &[]).ok();
        }
        let sudo = command_as("alice", &["sudo", "id", "-un"]);
        let done = sit(&sudo, &[("alice: ", PASSWORD), ("code: ", &token.code())]);
        assert_eq!(done.code, 0, "{done:?}");
        let done = sit(&sudo, &[("alice: ", PASSWORD), ("code: ", &token.wrong())]);
        assert_ne!(done.code, 0, "{done:?}");
        let login = command_as("alice", &["sudo", "-i", "id", "-un"]);
        let done = sit(&login, &[("alice: ", PASSWORD), ("code: ", &token.code())]);
        assert!(done.code == 0 && done.transcript.contains("code: "), "sudo -i: {done:?}");
        let su = command_as("65534", &["su", "alice", "-c", "id -un"]);
        let done = sit(&su, &[("Password: ", PASSWORD), ("code: ", &token.code())]);
        assert_eq!(done.code, 0, "{done:?}");
        // Root who runs su is asked nothing, before and after.
        let done = sit(command("su").args(["alice", "-c", "id -un"]), &[]);
        assert_eq!(done.code, 0, "{done:?}");
        setup(&["--remove"], &[]).ok();
        assert_as(&before, "removed");
    });
}

/// Every door there is on a Debian machine: a plain line, and one login through it.
#[test]
fn login_and_services_of_ones_own_ask_for_the_code() {
    machine(|_, token, _| {
        let before = files();
        fs::write("/etc/pam.d/backup", "@include common-auth\n@include common-account\n").unwrap();
        for service in ["login", "backup"] {
            let done = set_up(&[service], token);
            assert!(done.stdout.contains("+auth    required    pam_otp.so"), "{done:?}");
            setup(&["--remove", service], &[]).ok();
        }
        fs::remove_file("/etc/pam.d/backup").unwrap();
        assert_as(&before, "removed");
    });
}

/// Fedora's and RHEL's shared lines do not end a stack at a wrong password, or end it at a right one.
#[test]
fn other_distributions_lines_are_copied_so_that_a_wrong_password_ends_the_login() {
    machine(|world, token, _| {
        let folder = sources().join("otpctl/tests/pam/el10-sssd");
        for name in ["system-auth", "password-auth", "postlogin"] {
            let text = fs::read_to_string(folder.join(name)).unwrap();
            let text = text.replace("pam_sss.so forward_pass", "pam_deny.so");
            fs::write(format!("/etc/pam.d/{name}"), text).unwrap();
        }
        let before = files();
        for (service, file) in [("el-ssh", "sshd"), ("el-sudo", "sudo"), ("el-login", "login")] {
            let auth = fs::read_to_string(folder.join(file)).unwrap();
            let auth = auth.lines().filter(|line| line.starts_with("auth"));
            let text: String = auth.map(|line| format!("{line}\n")).collect();
            let text = text + "account required pam_permit.so\n";
            fs::write(format!("/etc/pam.d/{service}"), text).unwrap();
            let done = set_up(&[service], token);
            assert!(done.stdout.contains("a wrong\n  password ends the login"), "{done:?}");
            let mut host = world.host();
            let code = token.code();
            let login = |code: &str| [PASSWORD.as_bytes().to_vec(), code.as_bytes().to_vec()];
            let mut enter = |replies: &[Vec<u8>]| {
                let replies: Vec<_> = replies.iter().map(Vec::as_slice).collect();
                host.login(Login::new(service, "alice"), &replies)
            };
            let right = enter(&login(&code));
            assert_eq!(right.code(), pam::code::SUCCESS, "{service}: {right:?}");
            assert_ne!(enter(&login(&code)).code(), pam::code::SUCCESS, "{service}: used code");
            let wrong = enter(&[b"wrong".to_vec(), token.code().into_bytes()]);
            assert_eq!(wrong.code(), pam::code::AUTH_ERR, "{service}: {wrong:?}");
            assert_eq!(wrong.transcript, "hidden: \"Password: \"\n", "{service}");
            setup(&["--undo"], &[]).ok();
            fs::remove_file(format!("/etc/pam.d/{service}")).unwrap();
        }
        assert_as(&before, "undone");
    });
}

/// Root who logs in by ssh with a key cannot any more, and must say that this is known.
#[test]
fn root_is_told_when_its_own_ssh_login_ends() {
    machine(|world, _, _| {
        let _sshd = world.sshd_of_the_machine(Methods::Keyboard);
        let ends = "root's own ssh login ends with this";
        let shown = setup(&["sshd", "--dry-run"], &[]).ok();
        assert!(shown.contains(ends), "{shown}");
        let ask = otpctl(&["setup", "sshd", "--no-try"]);
        let done = sit(&ask, &[("root will not get in by ssh any more. Go on? [y/N] ", "n")]);
        assert_eq!(done.code, 1, "{done:?}");
        assert!(!pending());
        let config = "/etc/ssh/sshd_config";
        let text = fs::read_to_string(config).unwrap();
        for permitted in ["yes", "no"] {
            fs::write(config, format!("PermitRootLogin {permitted}\n{text}")).unwrap();
            let shown = setup(&["sshd", "--dry-run"], &[]).ok();
            assert!(!shown.contains(ends), "{permitted}: {shown}");
        }
    });
}

#[test]
fn at_a_terminal_setup_asks_first() {
    machine(|_, token, _| {
        let before = files();
        let ask = otpctl(&["setup", "sudo", "--user", "alice"]);
        let done = sit(&ask, &[("[y/N] ", "n")]);
        assert_eq!(done.code, 1, "{done:?}");
        assert!(done.transcript.contains("nothing was changed"), "{done:?}");
        assert_as(&before, "not agreed");
        let done =
            sit(&ask, &[("[y/N] ", "y"), ("Password: ", PASSWORD), ("code: ", &token.code())]);
        assert_eq!(done.code, 0, "{done:?}");
        assert!(pending());
        let unasked = otpctl_with(&["setup", "su", "--user", "alice"], b"");
        assert_eq!(unasked.code(), 1, "one is pending: {unasked:?}");
        setup(&["--undo"], &[]).ok();
        let unasked = otpctl_with(&["setup", "su", "--user", "alice"], b"");
        assert_eq!(unasked.code(), 2, "{unasked:?}");
        assert_as(&before, "nobody was asked");
    });
}

/// While a person thinks, others go on; what they have done meanwhile counts.
#[test]
fn a_question_holds_nobody_up() {
    machine(|_, token, _| {
        let ask = otpctl(&["setup", "sudo", "--user", "alice"]);
        let mut waiting = seat(&ask);
        waiting.expect("[y/N] ");
        set_up(&["su"], token);
        let done = waiting.finish(&[("", "y")]);
        assert_eq!(done.code, 1, "{done:?}");
        assert!(done.transcript.contains("su is pending"), "{done:?}");
        setup(&["--undo"], &[]).ok();
        let before = fs::read_to_string("/etc/pam.d/sudo").unwrap();
        let mut waiting = seat(&ask);
        waiting.expect("[y/N] ");
        fs::write("/etc/pam.d/sudo", format!("{before}# edited\n")).unwrap();
        let done = waiting.finish(&[("", "y")]);
        assert_eq!(done.code, 1, "{done:?}");
        assert!(done.transcript.contains("changed by somebody else just now"), "{done:?}");
        assert!(!pending());
    });
}

/// With `all`, pam-auth-update works on a copy, and its own files are put back as well.
#[test]
fn every_service_asks_through_the_shared_stack() {
    let kept = ["/var/lib/pam", "/var/lib/dpkg/info/libpam-runtime.templates"];
    if !kept.iter().all(|path| fs::exists(path).unwrap()) {
        eprintln!("cannot run here: no pam-auth-update");
        return;
    }
    let templates = fs::read(kept[1]).unwrap();
    let saved: Vec<_> = fs::read_dir(kept[0])
        .unwrap()
        .flatten()
        .map(|entry| (entry.path(), fs::read(entry.path()).unwrap()))
        .collect();
    machine(|world, token, _| {
        fs::create_dir_all("/var/lib/dpkg/info").unwrap();
        fs::write(kept[1], &templates).unwrap();
        fs::create_dir_all(kept[0]).unwrap();
        for (path, content) in &saved {
            fs::write(path, content).unwrap();
        }
        let profile = "Name: One-time codes\nDefault: no\nPriority: 0\nAuth-Type: Additional\n\
                       Auth:\n\trequired\tpam_otp.so\n";
        world.pam_profile("otp", profile);
        let sshd = world.sshd_of_the_machine(Methods::Keyboard);
        let before = files();
        let debconf = fs::read("/var/cache/debconf/config.dat").ok();
        set_up(&["all", "--nullok"], token);
        let common = fs::read_to_string("/etc/pam.d/common-auth").unwrap();
        assert!(common.contains("pam_otp.so nullok"), "{common}");
        settles(&sshd, || vec![PASSWORD.to_owned(), token.code()], true);
        assert!(!sshd.login("alice", &[PASSWORD, &token.wrong()]).admitted);
        let sudo = setup(&["sudo", "--dry-run"], &[]);
        assert!(sudo.stderr.contains("all --nullok is pending"), "{sudo:?}");
        setup(&["--keep"], &[]).ok();
        let sudo = setup(&["sudo", "--dry-run"], &[]).ok();
        assert!(sudo.contains("sudo asks for a code already: /etc/pam.d/sudo:"), "{sudo}");
        let sshd_alone = setup(&["--remove", "sshd"], &[]);
        assert_eq!(sshd_alone.code(), 1, "all needs what sshd is told: {sshd_alone:?}");
        assert!(fs::exists("/etc/ssh/sshd_config.d/00-otpd.conf").unwrap());
        setup(&["--remove", "all"], &[]).ok();
        assert_as(&before, "removed");
        for (path, content) in &saved {
            assert_eq!(&fs::read(path).unwrap(), content, "{}", path.display());
        }
        assert_eq!(fs::read("/var/cache/debconf/config.dat").ok(), debconf);
        set_up(&["all"], token);
        let common = fs::read_to_string("/etc/pam.d/common-auth").unwrap();
        fs::write("/etc/pam.d/common-auth", format!("{common}# edited\n")).unwrap();
        let done = setup(&["--undo"], &[]).ok();
        assert!(done.contains("taken out by pam-auth-update"), "{done}");
        let common = fs::read_to_string("/etc/pam.d/common-auth").unwrap();
        assert!(!common.contains("pam_otp.so"), "{common}");
        assert!(!fs::exists("/etc/ssh/sshd_config.d/00-otpd.conf").unwrap());
        set_up(&["sudo"], token);
        setup(&["--keep"], &[]).ok();
        let twice = setup(&["all", "--yes", "--no-try"], &[]);
        assert!(twice.stderr.contains("would ask twice"), "{twice:?}");
        let _ = enrol("bob", &[]);
    });
}
