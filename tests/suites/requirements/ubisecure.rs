//! Ubisecure's TOTP methods: made, linked, changed and used as its administrators know it.

use std::{
    fs,
    os::unix::fs::{MetadataExt, symlink},
    path::Path,
};

use harness::{
    ALICE, Host, Login, MODULE, NOBODY, World,
    otpd::{audit, document, enrol, items, otpctl_with},
    pam::code,
    process::{Output, command, run},
};
use serde_json::{Value, json};

use crate::manager::call;

const ACME: &str = "acme.totp.1";
const DROP_IN: &str = "/etc/otpd/otpd.d/method-acme.totp.1.toml";

fn method(arguments: &[&str]) -> Output {
    otpctl_with(&[&["method"], arguments].concat(), b"")
}

/// The seven parameters, as Ubisecure writes them.
fn configuration(name: &str) -> Vec<String> {
    let shown = document(&["method", "show", name]);
    serde_json::from_value(shown["configuration"].clone()).unwrap()
}

/// A running daemon, and logins of a user with a code.
fn with_login(
    configuration: &str,
    test: impl FnOnce(&World, &mut dyn FnMut(&str, &str) -> i32) + Send,
) {
    World::run(|world| {
        let _otpd = world.otpd(configuration);
        world.stack("login", &[&format!("required {MODULE}")]);
        let mut host: Host = world.host();
        test(world, &mut |user, code| {
            host.login(Login::new("login", user), &[code.as_bytes()]).code()
        });
    });
}

/// `PUT …/method/NAME` makes it or changes it; what it does not say is as by default.
#[test]
fn u03_set_makes_or_changes_and_what_is_omitted_is_by_default() {
    World::run(|world| {
        let _otpd = world.otpd("");
        let made = method(&["set", ACME]).ok();
        assert!(made.contains(&format!("{ACME} is made: {DROP_IN}")), "{made}");
        assert!(made.contains("one guess in 500000 is right"), "{made}");
        assert!(made.contains("otpd has read its configuration again"), "{made}");
        let defaults = [
            "totpWindowBefore 1",
            "totpWindowAfter 0",
            "totpDigits 6",
            "totpAlgorithm HmacSHA1",
            "totpT0 0",
            "totpTimeStep 30000",
            "totpKeySize 20",
        ];
        assert_eq!(configuration(ACME), defaults);
        let wanted = [
            "totpWindowBefore 9",
            "totpWindowAfter 2",
            "totpDigits 8",
            "totpAlgorithm HmacSHA512",
            "totpT0 1000",
            "totpTimeStep 60500",
            "totpKeySize 99",
        ];
        let wire = wanted.map(|parameter| format!("configuration={parameter}"));
        let mut set = vec!["set", ACME, "title=Acme Authenticator"];
        set.extend(wire.iter().map(String::as_str));
        method(&set).ok();
        assert_eq!(configuration(ACME), wanted);
        let shown = document(&["method", "show", ACME]);
        assert_eq!(shown["title"], "Acme Authenticator");
        method(&["set", ACME, "totpDigits=7"]).ok();
        let mut now = defaults;
        now[2] = "totpDigits 7";
        assert_eq!(configuration(ACME), now, "nothing is kept");
        method(&["set", ACME]).ok();
        assert_eq!(configuration(ACME), defaults);
        let again = method(&["set", ACME]).ok();
        assert!(again.contains("nothing was changed"), "{again}");
        let modes = fs::metadata(DROP_IN).unwrap();
        assert_eq!((modes.uid(), modes.mode() & 0o777), (0, 0o644), "otpd reads it");
    });
}

/// Several methods side by side, with names, titles, a type and a status.
#[test]
fn u01_methods_stand_side_by_side() {
    with_login("", |_, login| {
        for name in [ACME, "acme.totp.2"] {
            method(&["set", name, &format!("title=Acme {name}")]).ok();
            method(&["link", name, "local"]).ok();
        }
        let methods = items(&["method", "list"]);
        let of = |name: &str| methods.iter().find(|method| method["name"] == name).unwrap();
        assert_eq!((&of(ACME)["type"], &of(ACME)["enabled"]), (&json!("totp"), &json!(true)));
        assert_eq!(of("acme.totp.2")["title"], "Acme acme.totp.2");
        assert_eq!(of("totp")["guess_one_in"], 500_000);
        let (one, two) =
            (enrol("alice", &["--method", ACME]), enrol("bob", &["--method", "acme.totp.2"]));
        let disabled = method(&["disable", ACME]).ok();
        assert!(disabled.contains("Codes of 1 token are accepted no longer"), "{disabled}");
        assert_eq!(login("alice", &one.code()), code::AUTH_ERR, "a disabled method");
        assert_eq!(login("bob", &two.code()), code::SUCCESS, "the other one");
        method(&["set", ACME, "totpWindowBefore=1"]).ok();
        assert_eq!(
            document(&["method", "show", ACME])["enabled"],
            false,
            "a change enables nothing"
        );
        method(&["set", ACME, "status=enabled"]).ok();
        assert_eq!(login("alice", &one.code()), code::SUCCESS);
    });
}

/// The link is a call of its own; twice is as good as once, and without it nobody uses the method.
#[test]
fn u02_a_method_is_linked_in_a_second_step_that_can_be_repeated() {
    with_login("", |_, login| {
        method(&["set", ACME]).ok();
        let add = ["token", "add", "alice", "--method", ACME, "--no-confirm", "--output", "/run/x"];
        let refused = otpctl_with(&add, b"");
        assert_eq!(refused.code(), 3, "{refused:?}");
        assert!(refused.stderr.contains("linked to no directory"), "{}", refused.stderr);
        method(&["link", ACME, "local"]).ok();
        let token = enrol("alice", &["--method", ACME]);
        let before = fs::metadata(DROP_IN).unwrap();
        let again = method(&["link", ACME, "local"]).ok();
        assert!(again.contains("is linked to local already; nothing was changed"), "{again}");
        let after = fs::metadata(DROP_IN).unwrap();
        assert_eq!((before.ino(), before.mtime()), (after.ino(), after.mtime()));
        method(&["set", ACME, "totpWindowBefore=2"]).ok();
        let linked = document(&["method", "show", ACME])["directories"].clone();
        assert_eq!(linked, json!(["local"]), "a change of the method leaves its links");
        let unlinked = method(&["unlink", ACME, "local"]).ok();
        assert!(unlinked.contains("Codes of 1 token are accepted no longer"), "{unlinked}");
        assert_eq!(login("alice", &token.code()), code::AUTH_ERR, "unlinked");
        assert_eq!(method(&["unlink", ACME, "local"]).code(), 0, "twice as well");
        method(&["link", ACME, "local"]).ok();
        assert_eq!(login("alice", &token.code()), code::SUCCESS);
        let typo = method(&["link", ACME, "lcoal"]);
        assert_eq!(typo.code(), 1, "{typo:?}");
        assert!(typo.stderr.contains("\"local\"; nothing was changed"), "{}", typo.stderr);
        let typo = method(&["link", "acme.totp.l", "local"]);
        assert_eq!(typo.code(), 2, "{typo:?}");
        assert!(typo.stderr.contains("did you mean acme.totp.1?"), "{}", typo.stderr);
    });
}

/// Keys are as long as the method says.
#[test]
fn u10_new_keys_have_the_size_of_their_method() {
    World::run(|world| {
        let _otpd = world.otpd("");
        for size in [10_usize, 20, 99] {
            method(&["set", "acme", &format!("totpKeySize={size}")]).ok();
            method(&["link", "acme", "local"]).ok();
            let token = enrol("alice", &["--method", "acme", "--label", &size.to_string()]);
            let digits = token.secret.trim_end_matches('=').len();
            assert_eq!(digits, (size * 8).div_ceil(5), "{size} bytes in base32");
        }
    });
}

/// What a QR code cannot say is not enrolled with one; what apps may ignore is warned of.
#[test]
fn u11_what_apps_cannot_follow_is_refused_or_warned_of() {
    World::run(|world| {
        let _otpd = world.otpd("");
        for (parameter, warned, refused) in [
            ("totpT0=1000", "QR code", true),
            ("totpTimeStep=30500", "QR code", true),
            ("totpDigits=4", "some apps ignore", false),
            ("totpDigits=5", "some apps ignore", false),
            ("totpDigits=7", "some apps ignore", false),
            ("totpAlgorithm=HmacSHA256", "some apps ignore", false),
            ("totpTimeStep=60000", "some apps ignore", false),
            ("totpKeySize=15", "128 bits", false),
            ("totpWindowBefore=3", "narrow the windows", false),
            ("totpDigits=8", "", false),
        ] {
            let set = method(&["set", "acme", parameter]).ok();
            method(&["link", "acme", "local"]).ok();
            let warnings: Vec<_> = set.lines().filter(|line| line.contains("warning")).collect();
            let told = warnings.iter().any(|line| line.contains(warned));
            assert_eq!(told, !warned.is_empty(), "{parameter}: {set}");
            let output = format!("/run/e2e/{parameter}");
            let add = ["token", "add", "bob", "--method", "acme", "--label", parameter];
            let added = otpctl_with(&[&add[..], &["--output", &output]].concat(), b"");
            assert_eq!(added.code(), if refused { 2 } else { 0 }, "{parameter}: {added:?}");
        }
    });
}

/// Who has enrolled is not broken by a change of the method; its windows count at once.
#[test]
fn u12_a_change_of_the_method_leaves_its_tokens_working() {
    with_login("", |_, login| {
        method(&["set", ACME]).ok();
        method(&["link", ACME, "local"]).ok();
        let (old, older) = (enrol("alice", &["--method", ACME]), enrol("bob", &["--method", ACME]));
        method(&["set", ACME, "totpDigits=8", "totpAlgorithm=HmacSHA512", "totpTimeStep=60000"])
            .ok();
        assert_eq!(login("alice", &old.code()), code::SUCCESS, "as it was enrolled");
        let listed = items(&["token", "list", "alice"]);
        assert_eq!((&listed[0]["digits"], &listed[0]["algorithm"]), (&json!(6), &json!("sha1")));
        let new = enrol("alice", &["--method", ACME, "--label", "new"]);
        assert_eq!((new.digits, new.uri.contains("SHA512")), (8, true));
        let gone = method(&["remove", ACME]);
        assert_eq!(gone.code(), 2, "nobody can be asked: {gone:?}");
        assert!(gone.stderr.contains("of 3 tokens") && gone.stderr.contains("--yes"), "{gone:?}");
        let gone = method(&["remove", ACME, "--yes"]).ok();
        assert!(gone.contains("Codes of 3 tokens are accepted no longer"), "{gone}");
        assert!(!Path::new(DROP_IN).exists());
        assert_eq!(login("bob", &older.code()), code::AUTH_ERR, "the method is gone");
        method(&["set", ACME, "totpDigits=8"]).ok();
        method(&["link", ACME, "local"]).ok();
        assert_eq!(login("bob", &older.code()), code::SUCCESS, "and back");
    });
}

/// A name that is given to somebody else does not bring the tokens along.
#[test]
fn u13_tokens_belong_to_a_name_and_its_user_id() {
    with_login("", |_, login| {
        let token = enrol("alice", &["--method", "hotp"]);
        assert_eq!(login("alice", &token.code()), code::SUCCESS);
        let passwd = fs::read_to_string("/etc/passwd").unwrap();
        let line = format!("alice:x:{ALICE}:");
        fs::write("/etc/passwd", passwd.replace(&line, "alice:x:63000:")).unwrap();
        assert_eq!(login("alice", &token.at(1)), code::AUTH_ERR, "somebody else's alice");
        let record = audit("alice").pop().unwrap();
        let told = record["detail"].as_str().unwrap();
        assert!(told.contains("63000") && told.contains("otpctl user reset alice"), "{told}");
        let add = ["token", "add", "alice", "--no-confirm", "--output", "/run/e2e/x"];
        let refused = otpctl_with(&add, b"");
        assert_eq!(refused.code(), 1, "{refused:?}");
        assert!(refused.stderr.contains("otpctl user reset alice"), "{}", refused.stderr);
        fs::write("/etc/passwd", &passwd).unwrap();
        assert_eq!(login("alice", &token.at(1)), code::SUCCESS, "the person who enrolled it");
        fs::write("/etc/passwd", passwd.replace(&line, "alice:x:63000:")).unwrap();
        otpctl_with(&["user", "set", "alice", "uid=63000"], b"").ok();
        assert_eq!(login("alice", &token.at(2)), code::SUCCESS, "an administrator knows better");
        fs::write("/etc/passwd", &passwd).unwrap();
        assert_eq!(login("alice", &token.at(3)), code::AUTH_ERR);
        otpctl_with(&["user", "reset", "alice", "--yes"], b"").ok();
        let new = enrol("alice", &["--method", "hotp"]);
        assert_eq!(login("alice", &new.code()), code::SUCCESS);
    });
}

/// Users need not be in a file: whatever the name service knows is managed alike.
#[test]
fn u14_users_of_any_source_of_the_name_service_have_tokens() {
    with_login("", |_, login| {
        fs::create_dir("/etc/userdb").unwrap();
        let user = json!({ "userName": "dora", "uid": 64_123, "gid": 64_123,
            "homeDirectory": "/nonexistent", "shell": "/bin/sh", "disposition": "regular" });
        fs::write("/etc/userdb/dora.user", user.to_string()).unwrap();
        symlink("dora.user", "/etc/userdb/64123.user").unwrap();
        let switch = fs::read_to_string("/etc/nsswitch.conf").unwrap();
        fs::write("/etc/nsswitch.conf", switch.replace("passwd: files", "passwd: files systemd"))
            .unwrap();
        let known = run(command("getent").args(["passwd", "dora"]), b"");
        assert_eq!(known.code(), 0, "cannot run here: the name service has no module systemd");
        assert!(!fs::read_to_string("/etc/passwd").unwrap().contains("dora"));
        let token = enrol("dora", &["--method", "hotp"]);
        assert_eq!(login("dora", &token.code()), code::SUCCESS);
        let shown = document(&["user", "show", "dora"]);
        assert_eq!((&shown["uid"], &shown["tokens"]), (&json!(64_123), &json!(1)));
        let filter = ["1", "user", "s", "dora"];
        let listed = call(0, "ListTokens", &[&["a{sv}"], &filter[..]].concat()).ok();
        assert!(listed.contains(&token.id), "over D-Bus as well: {listed}");
        assert_eq!(call(0, "Revoke", &["sa{sv}", &token.id, "0"]).code(), 0);
        assert_eq!(login("dora", &token.code()), code::AUTH_ERR);
    });
}

/// What is done for each user: generate, show once, disable, enable, remove.
#[test]
fn u16_tokens_are_made_shown_once_disabled_enabled_and_removed_for_each_user() {
    with_login("", |_, login| {
        method(&["set", ACME]).ok();
        method(&["link", ACME, "local"]).ok();
        assert!(items(&["token", "list", "alice"]).is_empty(), "no method comes by itself");
        let token = enrol("alice", &["--method", ACME]);
        let shown = document(&["token", "show", &token.id]).to_string();
        assert!(!shown.contains(&token.secret), "shown once, at the enrolment");
        otpctl_with(&["token", "disable", &token.id], b"").ok();
        assert_eq!(login("alice", &token.code()), code::AUTH_ERR);
        otpctl_with(&["token", "enable", &token.id], b"").ok();
        assert_eq!(login("alice", &token.code()), code::SUCCESS);
        otpctl_with(&["token", "remove", &token.id, "--yes"], b"").ok();
        assert!(items(&["token", "list", "alice", "--method", ACME]).is_empty());
    });
}

/// The TOTP API, for a user and a method: configure, status, delete; by administrators alone.
#[test]
fn u17_a_users_token_of_a_method_is_configured_told_and_deleted() {
    World::run(|world| {
        let _otpd = world.otpd("");
        let (token, other) =
            (enrol("alice", &["--method", "totp"]), enrol("alice", &["--method", "hotp"]));
        let status = items(&["token", "list", "alice", "--method", "totp"]);
        assert_eq!((status.len(), &status[0]["id"]), (1, &Value::from(token.id.as_str())));
        assert_eq!((&status[0]["state"], &status[0]["method"]), (&json!("active"), &json!("totp")));
        let keys = status[0].as_object().unwrap();
        assert!(!keys.contains_key("secret") && !keys.contains_key("uri"), "{keys:?}");
        let filter = ["a{sv}", "2", "user", "s", "alice", "method", "s", "hotp"];
        let listed = call(0, "ListTokens", &filter).ok();
        assert!(listed.contains(&other.id) && !listed.contains(&token.id), "{listed}");
        for secret in [&token.secret, &other.secret] {
            assert!(!listed.contains(secret.as_str()));
        }
        for (name, arguments) in [
            ("Enrol", &["sa{sv}", "alice", "0"][..]),
            ("ListTokens", &filter),
            ("Revoke", &["sa{sv}", &token.id, "0"]),
        ] {
            let denied = call(NOBODY, name, arguments);
            assert_ne!(denied.code(), 0, "{name} by somebody else");
        }
        otpctl_with(&["token", "remove", &token.id, "--yes"], b"").ok();
        let again = otpctl_with(&["token", "remove", &token.id, "--yes"], b"");
        assert_eq!(again.code(), 5, "{again:?}");
        let again = call(0, "Revoke", &["sa{sv}", &token.id, "0"]);
        assert_ne!(again.code(), 0, "{again:?}");
        assert!(again.stderr.contains("no such token"), "{}", again.stderr);
        assert!(items(&["token", "list", "alice", "--method", "totp"]).is_empty());
    });
}

/// An app is not the only way in: a recovery code, and another method, are.
#[test]
fn u18_who_has_lost_the_app_has_another_way_in() {
    with_login("", |_, login| {
        let lost = enrol("alice", &[]);
        let output = "/run/e2e/recovery";
        otpctl_with(&["--json", "recovery", "new", "alice", "--output", output], b"").ok();
        let told: Value = serde_json::from_str(&fs::read_to_string(output).unwrap()).unwrap();
        let second = enrol("alice", &["--method", "hotp"]);
        otpctl_with(&["token", "disable", &lost.id, "--reason", "lost"], b"").ok();
        assert_eq!(login("alice", &lost.code()), code::AUTH_ERR);
        assert_eq!(login("alice", told["codes"][0].as_str().unwrap()), code::SUCCESS);
        assert_eq!(login("alice", &second.code()), code::SUCCESS);
    });
}

/// Ubisecure's ranges, as they are typed; a refusal names the range and changes nothing.
#[test]
fn x01_ubisecures_keys_have_ubisecures_units_and_ranges() {
    World::run(|world| {
        let _otpd = world.otpd("");
        for (key, least, most) in [
            ("totpWindowBefore", 0, 9),
            ("totpWindowAfter", 0, 9),
            ("totpDigits", 4, 8),
            ("totpKeySize", 10, 99),
            ("totpTimeStep", 1_000, 3_600_000),
        ] {
            for (value, code) in [(least - 1, 2), (least, 0), (most, 0), (most + 1, 2)] {
                let set = method(&["set", "acme", &format!("{key}={value}"), "--no-reload"]);
                assert_eq!(set.code(), code, "{key}={value}: {set:?}");
            }
        }
        for (parameter, told) in [
            ("totpTimeStep=30s", "milliseconds"),
            ("time_step=30", "30s"),
            ("totpT0=99999999999999", "future"),
            ("totpdigits=6", "did you mean totpDigits?"),
        ] {
            let before = fs::read_to_string("/etc/otpd/otpd.d/method-acme.toml").unwrap();
            let set = method(&["set", "acme", parameter]);
            assert_eq!(set.code(), 2, "{parameter}: {set:?}");
            assert!(set.stderr.contains(told), "{parameter}: {}", set.stderr);
            let after = fs::read_to_string("/etc/otpd/otpd.d/method-acme.toml").unwrap();
            assert_eq!(before, after, "{parameter}");
        }
    });
}
