//! Who may manage: root everything, others nothing that polkit does not allow, and here is no polkit.

use harness::{
    ALICE, BusKind, NOBODY, World,
    otpd::{document, enrol, otpctl, otpctl_with},
    process::{Output, command, run},
};

/// Every method with arguments of its signature.
pub(crate) const METHODS: [(&str, &[&str]); 26] = [
    ("Enrol", &["sa{sv}", "bob", "0"]),
    ("Confirm", &["say", "ID", "6", "49", "50", "51", "52", "53", "54"]),
    ("Share", &["sa{sv}", "bob", "0"]),
    ("Revoke", &["sa{sv}", "ID", "0"]),
    ("Disable", &["sa{sv}", "ID", "0"]),
    ("Enable", &["sa{sv}", "ID", "0"]),
    ("Resync", &["sayay", "ID", "1", "49", "1", "50"]),
    ("IssueRecoveryCodes", &["sa{sv}", "bob", "0"]),
    ("Unlock", &["s", "bob"]),
    ("Reset", &["s", "bob"]),
    ("ListTokens", &["a{sv}", "0"]),
    ("ListUsers", &["a{sv}", "0"]),
    ("Audit", &["a{sv}", "0"]),
    ("Status", &[]),
    ("SetContact", &["sa{sv}", "bob", "1", "mobile", "s", "+491701234581"]),
    ("SetAdministrator", &["sb", "bob", "false"]),
    ("IssueCode", &["sa{sv}", "bob", "0"]),
    ("ListCodes", &["a{sv}", "0"]),
    ("RevokeCode", &["s", "ID"]),
    ("AddClient", &["sa{sv}", "bob", "1", "description", "s", "tablet"]),
    ("SetClient", &["sa{sv}", "ID", "0"]),
    ("RemoveClient", &["s", "ID"]),
    ("ListClients", &["a{sv}", "0"]),
    ("ListProviders", &[]),
    ("TestProvider", &["ss", "sms.none", "+491701234581"]),
    ("Reload", &[]),
];

/// Calls a method of Manager as somebody whom nobody can ask anything.
pub(crate) fn call(uid: u32, method: &str, arguments: &[&str]) -> Output {
    let mut setpriv = command("setpriv");
    setpriv.args([&format!("--reuid={uid}"), &format!("--regid={uid}"), "--clear-groups"]);
    setpriv.args([
        "busctl",
        "--system",
        "--allow-interactive-authorization=no",
        "call",
        "org.pamotp.Otpd1",
        "/org/pamotp/Otpd1",
        "org.pamotp.Otpd1.Manager",
        method,
    ]);
    setpriv.args(arguments);
    run(&mut setpriv, b"")
}

fn denied(kind: BusKind) {
    World::run(|world| {
        world.bus(kind);
        let _otpd = world.otpd("");
        let token = enrol("bob", &["--method", "hotp"]);
        let before = document(&["user", "show", "bob"]);
        for uid in [ALICE, NOBODY] {
            for (method, arguments) in METHODS {
                let arguments: Vec<_> = arguments
                    .iter()
                    .map(|a| if *a == "ID" { token.id.as_str() } else { a })
                    .collect();
                let done = call(uid, method, &arguments);
                assert_ne!(done.code(), 0, "{uid} may {method}: {}", done.stdout);
                let why = done.stderr.to_lowercase();
                let denied = ["access denied", "accessdenied", "not allowed", "is for root"]
                    .iter()
                    .any(|words| why.contains(words));
                assert!(denied, "{uid} {method}: {why}");
            }
        }
        assert_eq!(document(&["user", "show", "bob"]), before);
    });
}

#[test]
fn a_user_manages_nothing_of_others_on_dbus_daemon() {
    denied(BusKind::Daemon);
}

#[test]
fn a_user_manages_nothing_of_others_on_dbus_broker() {
    denied(BusKind::Broker);
}

/// otpctl tells the same with its exit code.
#[test]
fn otpctl_ends_with_3_where_it_is_denied() {
    World::run(|world| {
        let _otpd = world.otpd("");
        enrol("bob", &["--method", "hotp"]);
        for arguments in [
            &["token", "list", "bob"][..],
            &["user", "unlock", "bob"],
            &["user", "reset", "bob", "--yes"],
            &["config", "reload"],
            &["audit"],
        ] {
            let mut setpriv = command("setpriv");
            setpriv
                .args(["--reuid=alice", "--regid=alice", "--clear-groups"])
                .arg(otpctl(&[]).get_program())
                .args(arguments);
            let done = run(&mut setpriv, b"");
            assert_eq!(done.code(), 3, "{arguments:?}: {done:?}");
        }
    });
}

#[test]
fn root_may_do_everything() {
    World::run(|world| {
        let _otpd = world.otpd("");
        let token = enrol("bob", &["--method", "hotp"]);
        for (method, arguments) in METHODS {
            // A code that is wrong is refused as a code, not as a caller.
            if matches!(method, "Confirm" | "Resync") {
                continue;
            }
            let id = if method == "Revoke" {
                enrol("bob", &["--method", "hotp"]).id
            } else {
                token.id.clone()
            };
            let arguments: Vec<_> =
                arguments.iter().map(|a| if *a == "ID" { id.as_str() } else { a }).collect();
            match (method, call(0, method, &arguments)) {
                // Enabling what is enabled, or a token that Reset removed, is refused for that reason.
                (_, done) if done.code() == 0 => (),
                (method, done) => assert!(
                    !done.stderr.to_lowercase().contains("denied"),
                    "{method}: {}",
                    done.stderr
                ),
            }
        }
    });
}

#[test]
fn the_daemons_name_and_object_are_guarded() {
    World::run(|world| {
        let _otpd = world.otpd("");
        let own = |uid: u32| {
            let mut setpriv = command("setpriv");
            setpriv.args([
                &format!("--reuid={uid}"),
                &format!("--regid={uid}"),
                "--clear-groups",
                "busctl",
                "--system",
                "call",
            ]);
            setpriv.args([
                "org.freedesktop.DBus",
                "/org/freedesktop/DBus",
                "org.freedesktop.DBus",
                "RequestName",
                "su",
                "org.pamotp.Otpd1",
                "4",
            ]);
            run(&mut setpriv, b"")
        };
        for uid in [ALICE, 0] {
            assert_ne!(own(uid).code(), 0, "uid {uid} may own the daemon's name");
        }
        let properties = run(
            command("busctl").args([
                "--system",
                "get-property",
                "org.pamotp.Otpd1",
                "/org/pamotp/Otpd1",
                "org.pamotp.Otpd1.Manager",
                "InterfaceVersion",
                "Health",
            ]),
            b"",
        )
        .ok();
        assert_eq!(properties, "u 3\ns \"ok\"\n");
    });
}

/// Hostile arguments over the bus: an error each, and the daemon is there afterwards.
#[test]
fn hostile_arguments_are_errors() {
    World::run(|world| {
        let _otpd = world.otpd("");
        let long = "x".repeat(100_000);
        for (method, arguments) in [
            ("Enrol", &["sa{sv}", &long, "0"][..]),
            ("Enrol", &["sa{sv}", "../../x", "0"]),
            ("Enrol", &["sa{sv}", "alice", "1", "frobnicate", "s", "x"]),
            ("Enrol", &["sa{sv}", "alice", "1", "label", "s", &long]),
            ("Enrol", &["sa{sv}", "alice", "1", "method", "u", "5"]),
            ("Enrol", &["sa{sv}", "nobody-of-that-name", "0"]),
            ("Revoke", &["sa{sv}", "../../etc/passwd", "0"]),
            ("Share", &["sa{sv}", "", "0"]),
            ("Share", &["sa{sv}", "../../etc/passwd", "0"]),
            ("Share", &["sa{sv}", &long, "0"]),
            ("Share", &["sa{sv}", "alice", "1", "client", "s", &long]),
            ("Share", &["sa{sv}", "alice", "1", "result", "s", "true"]),
            ("Unlock", &["s", ""]),
            ("ListUsers", &["a{sv}", "1", "limit", "i", "-1"]),
            ("ListUsers", &["a{sv}", "1", "search", "s", &long]),
            ("Frobnicate", &[]),
        ] {
            let done = call(0, method, arguments);
            assert_ne!(done.code(), 0, "{method} {:.60}: {}", arguments.join(" "), done.stdout);
        }
        otpctl_with(&["status"], b"").ok();
        assert_eq!(document(&["user", "list"])["total"], 0);
    });
}
