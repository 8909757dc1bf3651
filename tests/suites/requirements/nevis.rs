//! Nevis IdmShareOTPState: a credential's secret is shared once.

use std::{collections::BTreeSet, fs, process::Command};

use harness::{
    ALICE, Login, MODULE, World,
    otpd::{audit, document, enrol, otpctl, otpctl_with},
    pam::code,
    process::{Output, command, run},
    terminal::sit,
};
use serde_json::Value;

use crate::{
    manager::call,
    self_service::alice,
    sharing::{confirm, offer, records, scanned, share, shown, with_offer},
};

const FILE: &str = "/run/e2e/shown";
const ALICES: &str = "/home/alice/shown";

/// The document of an error that otpctl tells.
fn error(done: &Output) -> Value {
    serde_json::from_str(&done.stderr).unwrap_or_else(|error| panic!("{error}: {done:?}"))
}

/// otpctl of alice, who asks for a token.
fn alice_shares(target: &str, input: &str) -> Output {
    let line = ["--json", "token", "share", target, "--output", ALICES];
    run(&mut alice(&line), input.as_bytes())
}

#[test]
fn n01_which_credential_is_to_be_said() {
    with_offer("", |_, _, _| {
        assert_eq!(otpctl_with(&["token", "share"], b"").code(), 2);
        let done = call(0, "Share", &["sa{sv}", "", "0"]);
        assert_ne!(done.code(), 0, "{done:?}");
        let done = share("carol", FILE, &[]);
        assert_eq!((done.code(), &error(&done)["error"]), (7, &"UnknownUser".into()));
        assert_eq!(error(&done)["lasterror"], 99, "N8: any other failure");
    });
}

#[test]
fn n02_a_tenant_that_is_not_there_is_error_1() {
    with_offer("[sharing]\ntenants = [\"example\", \"100\"]\n", |_, _, id| {
        for client in [&[][..], &["--client", "other"], &["--client", "host"]] {
            let done = share(id, FILE, client);
            assert_eq!((done.code(), &error(&done)["error"]), (7, &"UnknownClient".into()));
            assert_eq!(error(&done)["lasterror"], 1);
            assert!(!fs::exists(FILE).unwrap());
        }
        share(id, FILE, &["--client", "100"]).ok();
        assert_eq!(shown(FILE)["user"], "alice");
    });
}

#[test]
fn n03_n05_no_credential_and_one_that_was_shared_are_error_11() {
    with_offer("", |_, _, id| {
        let done = share("bob", FILE, &[]);
        assert_eq!((done.code(), &error(&done)["error"]), (5, &"NoCredential".into()));
        assert_eq!(error(&done)["lasterror"], 11);
        share(id, FILE, &[]).ok();
        let secret = shown(FILE)["oath_secret"].as_str().unwrap().to_owned();
        for target in [id, "alice"] {
            let done = share(target, FILE, &[]);
            assert_eq!((done.code(), &error(&done)["error"]), (6, &"AlreadyShared".into()));
            assert_eq!(error(&done)["lasterror"], 11);
            let info = error(&done)["lasterrorinfo"].as_str().unwrap().to_owned();
            assert!(info.contains("not possible to share it again"), "{info}");
            assert!(!format!("{done:?}").contains("oath_") && !done.stderr.contains(&secret));
            assert!(!fs::exists(FILE).unwrap());
        }
    });
}

/// Alice asks for a token of bob's: the answer is that for one that is not there, word for word.
#[test]
fn n04_what_belongs_to_another_is_answered_as_absent() {
    World::run(|world| {
        let _otpd = world.otpd("");
        let others = [offer("bob", "hotp"), enrol("bob", &["--method", "hotp"]).id];
        let absent = "0123456789abcdef0123456789abcdef";
        let told = |target: &str| {
            let done = alice_shares(target, "");
            let stderr = done.stderr.replace(target, "ID");
            (done.code(), stderr)
        };
        let expected = told(absent);
        assert_eq!(expected.0, 5);
        for id in &others {
            assert_eq!(told(id), expected);
            let done = call(ALICE, "Share", &["sa{sv}", id, "1", "result", "b", "true"]);
            let none = call(ALICE, "Share", &["sa{sv}", absent, "1", "result", "b", "true"]);
            assert_eq!((done.code(), done.stderr), (none.code(), none.stderr));
        }
        let errors: Value = serde_json::from_str(&expected.1).unwrap();
        assert_eq!((&errors["error"], &errors["lasterror"]), (&"NoCredential".into(), &11.into()));
        assert_eq!(document(&["token", "show", &others[0]])["share"], "created");
    });
}

#[test]
fn n06_with_data_the_transition_is_the_default_one() {
    with_offer("[sharing.on]\nshowGui = [\"/bin/true\"]\n", |_, _, id| {
        let done = call(0, "Share", &["sa{sv}", id, "0"]).ok();
        assert!(done.starts_with("sa{sv} \"default\" "), "{done}");
        // A connection of its own, which is gone.
        assert_eq!(share(id, FILE, &[]).code(), 6);
    });
}

#[test]
fn n07_n08_n09_continue_is_ok_and_clears_everything() {
    with_offer("[sharing]\nconfirm = \"ack\"\n", |_, _, id| {
        let early = call(0, "Share", &["sa{sv}", id, "1", "result", "b", "true"]);
        assert_ne!(early.code(), 0, "nothing is shown to this session: {early:?}");
        let line = ["--json", "token", "share", id, "--output", FILE];
        let done = otpctl_with(&line, b"\n").ok();
        assert!(!done.contains("oath_") && !done.contains("otpauth"), "{done}");
        let document: Value = serde_json::from_str(&done).unwrap();
        assert_eq!((&document["state"], &document["share"]), (&"active".into(), &"shared".into()));
        let told: Vec<_> = records("alice").into_iter().map(|(_, transition)| transition).collect();
        assert_eq!(told, ["failed", "default", "ok"]);
        drop(shown(FILE));
    });
}

/// All ten, and the picture is the URI as a scanner reads it.
#[test]
fn n10_n11_all_ten_outputs_are_there_and_can_be_scanned() {
    let configuration = "[enrolment]\nissuer = \"Example & Söhne\"\n";
    World::run(|world| {
        let _otpd = world.otpd(configuration);
        for (method, moving) in [("totp", "period=30"), ("hotp", "counter=0")] {
            let id = offer("alice", method);
            share(&id, FILE, &[]).ok();
            let document = shown(FILE);
            let names: BTreeSet<_> = document.as_object().unwrap().keys().cloned().collect();
            for name in [
                "qrcode",
                "qrcodeContent",
                "type",
                "algorithm",
                "digits",
                "period",
                "counter",
                "account",
                "issuer",
                "secret",
            ] {
                assert!(names.contains(&format!("oath_{name}")), "{name}: {names:?}");
            }
            let text = |name: &str| document[name].as_str().unwrap().to_owned();
            let uri = text("oath_qrcodeContent");
            let expected = format!(
                "otpauth://{method}/Example%20%26%20S%C3%B6hne:alice?secret={}\
                 &issuer=Example%20%26%20S%C3%B6hne&algorithm=SHA1&digits=6&{moving}",
                text("oath_secret")
            );
            assert_eq!(uri, expected);
            let picture = run(command("base64").arg("-d"), text("oath_qrcode").as_bytes());
            assert_eq!(picture.code(), 0);
            fs::write("/run/e2e/code.b64", text("oath_qrcode")).unwrap();
            let decode = "base64 -d /run/e2e/code.b64 >/run/e2e/code.png";
            run(command("sh").args(["-c", decode]), b"").ok();
            let mut zbarimg = command("zbarimg");
            zbarimg.args(["--raw", "--quiet", "-Sdisable", "-Sqrcode.enable", "/run/e2e/code.png"]);
            assert_eq!(run(&mut zbarimg, b"").ok().trim_end(), uri);
            otpctl_with(&["token", "remove", &id, "--yes"], b"").ok();
        }
    });
}

fn at_terminal(target: &str) -> Command {
    otpctl(&["token", "share", target])
}

/// At a terminal, in one session: scan, Continue, first code. Showing alone logs nobody in.
#[test]
fn n12_the_dialogue_and_nothing_is_open_before_its_end() {
    World::run(|world| {
        let _otpd = world.otpd("");
        world.stack("login", &[&format!("required {MODULE}")]);
        let id = offer("alice", "hotp");
        let seen = sit(&at_terminal("alice"), &[("Continue: ", ""), ("First code", "\u{3}")]);
        // The terminal closes with its program; what was on it says what was shown.
        for text in [
            "Scan this QR code with your mobile device!\n",
            "Use FreeOTP or an other HOTP/TOTP App to scan the QR code.\n",
            "Key: ",
        ] {
            assert!(seen.transcript.contains(text), "{}", seen.transcript);
        }
        let (_, key) = seen.transcript.split_once("Key: ").unwrap();
        let secret = key.lines().next().unwrap().replace(' ', "");
        let told = serde_json::json!({
            "token": id, "user": "alice", "oath_type": "hotp", "oath_digits": 6,
            "oath_secret": secret, "oath_qrcodeContent": "",
        });
        let token = scanned(&told);
        let mut host = world.host();
        let mut login =
            |code: &str| host.login(Login::new("login", "alice"), &[code.as_bytes()]).code();
        assert_eq!(login(&token.at(0)), code::AUTH_ERR, "shown, not confirmed");
        confirm(&token, &token.at(0)).ok();
        assert_eq!(login(&token.at(1)), code::SUCCESS);
    });
}

#[test]
fn n13_each_transition_is_recorded_and_logged_once_without_the_secret() {
    with_offer("", |world, _, id| {
        share(id, FILE, &[]).ok();
        let token = scanned(&shown(FILE));
        share(id, FILE, &[]);
        share(id, FILE, &["--client", "x"]);
        share("alice", FILE, &["--reshare", "--later"]);
        let expected =
            [("shown", "default"), ("denied", "secretAlreadyShared"), ("denied", "clientNotFound")];
        let mut told = records("alice");
        told.truncate(3);
        assert!(told.iter().map(|(r, t)| (r.as_str(), t.as_str())).eq(expected), "{told:?}");
        for word in ["default", "secretAlreadyShared", "clientNotFound"] {
            world.log().expect(word);
        }
        let logged = world.log().records().join("\n");
        let shares = logged.lines().filter(|line| line.contains("OTP. share"));
        assert!(shares.clone().count() >= 3, "{logged}");
        assert!(!logged.contains(&token.secret) && !logged.contains("otpauth://"));
        assert!(!format!("{:?}", audit("alice")).contains(&token.secret));
    });
}

/// Shared, and shared again with another key: the old one opens nothing.
#[test]
fn n14_n15_to_share_again_is_for_administrators_and_makes_another_key() {
    with_offer("", |world, _, id| {
        world.stack("login", &[&format!("required {MODULE}")]);
        share(id, FILE, &[]).ok();
        let old = scanned(&shown(FILE));
        confirm(&old, &old.at(0)).ok();
        let line = ["--json", "token", "share", id, "--reshare", "--output", ALICES];
        let proof = format!("{}\n", old.at(1));
        let mine = run(&mut alice(&line), proof.as_bytes());
        assert_eq!((mine.code(), &error(&mine)["error"]), (3, &"AccessDenied".into()));
        share(id, FILE, &["--reshare"]).ok();
        let new = scanned(&shown(FILE));
        assert_ne!(new.secret, old.secret);
        let mut host = world.host();
        let mut login =
            |code: &str| host.login(Login::new("login", "alice"), &[code.as_bytes()]).code();
        assert_eq!(login(&old.at(2)), code::AUTH_ERR);
        assert_eq!(confirm(&new, &old.at(2)).code(), 3);
        confirm(&new, &new.at(0)).ok();
        assert_eq!(login(&new.at(1)), code::SUCCESS);
    });
    with_offer("[sharing]\nreshare = false\n", |_, _, id| {
        let done = share(id, FILE, &["--reshare"]);
        assert_eq!((done.code(), &error(&done)["error"]), (3, &"Forbidden".into()));
    });
}

/// The user fetches what the administrator made: once, and with polkit's word that it is them.
#[test]
fn x09_users_fetch_their_own_and_polkit_opens_it_to_administrators() {
    World::run(|world| {
        let _otpd = world.otpd("");
        let id = offer("alice", "hotp");
        let rule = |action: &str, user: &str| {
            format!(
                "polkit.addRule(function(action, subject) {{ if (action.id == \
                 'org.pamotp.otpd1.{action}' && subject.user == '{user}') \
                 return polkit.Result.YES; }});\n"
            )
        };
        let none = world.polkit("");
        assert_eq!(alice_shares("alice", "").code(), 3, "nobody has said that this is alice");
        drop(none);
        let own = world.polkit(&rule("enrol-own", "alice"));
        alice_shares("alice", "").ok();
        let token = scanned(&shown(ALICES));
        let line = ["token", "confirm", &token.id];
        run(&mut alice(&line), format!("{}\n", token.at(0)).as_bytes()).ok();
        assert_eq!(document(&["token", "show", &id])["share"], "shared");
        // Who has a credential proves it.
        let second = offer("alice", "totp");
        assert_eq!(alice_shares(&second, "").code(), 3);
        assert_eq!(alice_shares(&second, &format!("{}\n", token.wrong())).code(), 3);
        alice_shares(&second, &format!("{}\n", token.at(1))).ok();
        drop(shown(ALICES));
        drop(own);
        let bobs = offer("bob", "hotp");
        assert_eq!(alice_shares("bob", "").code(), 3);
        let both = rule("manage", "alice") + &rule("read", "alice");
        let _both = world.polkit(&both);
        alice_shares(&bobs, "").ok();
        assert_eq!(shown(ALICES)["user"], "bob");
    });
}

/// Anything else is a failure: with an error, its text and a line in the log.
#[test]
fn n08_anything_else_has_failed_and_says_why() {
    with_offer("[sharing]\naccount = \"email\"\n", |world, _, id| {
        let done = share(id, FILE, &[]);
        let told = error(&done);
        assert_eq!((done.code(), &told["lasterror"]), (1, &99.into()), "{told}");
        let info = told["lasterrorinfo"].as_str().unwrap();
        assert!(info.contains("no mail address"), "{info}");
        assert_eq!(records("alice"), [("denied".to_owned(), "failed".to_owned())]);
        world.log().expect("OTP. share: denied for user alice (failed: the user has no mail");
        assert!(!fs::exists(FILE).unwrap());
        // What has failed has shown nothing to nobody.
        otpctl_with(&["user", "set", "alice", "mail=alice@example.com"], b"").ok();
        share(id, FILE, &[]).ok();
        assert_eq!(shown(FILE)["oath_account"], "alice@example.com");
    });
}

/// Gluu's prefix and fields that a log can be searched by; in one log.
#[test]
fn x10_every_line_of_the_log_begins_with_otp() {
    with_offer("", |world, _, id| {
        share(id, FILE, &[]).ok();
        drop(shown(FILE));
        world.log().expect(&format!("event=share result=shown user=alice service=\"\" source=\"\" tty=\"\" method=\"\" token={id}"));
        let records = world.log().records();
        let own: Vec<_> = records.iter().filter(|record| record.contains("otpd[")).collect();
        assert!(own.len() > 3 && own.iter().all(|record| record.contains("]: OTP. ")), "{own:?}");
    });
}
