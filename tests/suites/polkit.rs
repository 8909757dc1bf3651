//! Who may manage where the distribution's polkit decides: what its rules grant, and nothing more.

use std::{fs, path::Path, process::Stdio, thread, time::Duration};

use harness::{
    ALICE, BOB, BusKind, Login, MODULE, NOBODY, Token, World,
    otpd::{document, enrol, items, otpctl_with},
    pam::code,
    polkit::{ACTIONS, POLICY},
    process::{Output, Process, SOON, command, run},
    settings::sources,
};
use serde_json::Value;

use crate::{
    manager::{METHODS, call},
    self_service::alice,
};

/// Every action, without `org.pamotp.otpd1.`, and the methods that it opens to those who are not
/// the owner.
const OPENS: [(&str, &[&str]); 5] = [
    ("read", &["ListTokens", "ListUsers", "Audit", "Status", "ListClients"]),
    (
        "manage",
        &[
            "Enrol",
            "Confirm",
            "Share",
            "Revoke",
            "Enable",
            "Disable",
            "Resync",
            "IssueRecoveryCodes",
            "Unlock",
            "Reset",
            "SetContact",
            "SetAdministrator",
            "AddClient",
            "SetClient",
            "RemoveClient",
        ],
    ),
    ("issue", &["IssueCode", "ListCodes", "RevokeCode"]),
    ("configure", &["ListProviders", "TestProvider", "Reload"]),
    ("enrol-own", &[]),
];

/// Lets users enrol their own TOTP tokens.
const OWN_TOTP: &str =
    "[[policy]]\nname = \"own tokens\"\nmatch = { service = [\"otpctl\"] }\nenrol = [\"totp\"]\n";

const CONFIRM: &str = "an administrator must confirm";
const NO: &str = "polkit says no";
const SILENT: &str = "polkit does not answer";
const FAILED: &str = "polkit gave no answer; see the log of otpd";

/// A rule that answers for an action and a user.
fn rule(answer: &str, action: &str, user: &str) -> String {
    format!(
        "polkit.addRule(function(action, subject) {{
            if (action.id == 'org.pamotp.otpd1.{action}' && subject.user == '{user}') {answer};
        }});\n"
    )
}

fn yes(action: &str, user: &str) -> String {
    rule("return polkit.Result.YES", action, user)
}

/// The action that a method on the tokens of others needs.
fn action_of(method: &str) -> &'static str {
    let found = OPENS.iter().find(|(_, methods)| methods.contains(&method));
    found.unwrap_or_else(|| panic!("{method} is in no row of OPENS")).0
}

/// What otpd says to a caller whom it denies.
fn denial(why: &str, action: &str) -> String {
    format!(
        "Call failed: not allowed: {why} (polkit action org.pamotp.otpd1.{action}; root needs none)\n"
    )
}

fn assert_denied(done: &Output, why: &str, action: &str) {
    assert_eq!((done.code(), done.stderr.as_str()), (1, denial(why, action).as_str()), "{done:?}");
}

/// Calls a method of [`METHODS`] on bob's token.
fn on_bob(uid: u32, method: &str, arguments: &[&str], token: &Token) -> Output {
    let arguments: Vec<_> =
        arguments.iter().map(|text| if *text == "ID" { token.id.as_str() } else { text }).collect();
    call(uid, method, &arguments)
}

/// All that the store has of bob.
fn bobs() -> [Value; 2] {
    [document(&["user", "show", "bob"]), document(&["token", "list", "bob"])]
}

/// No rule, or none that says yes to this caller: denied, and why.
#[test]
fn without_a_yes_nobody_manages_anything() {
    World::run(|world| {
        let _otpd = world.otpd("");
        let token = enrol("bob", &["--method", "hotp"]);
        let before = bobs();
        let every = |answer: &str| -> String {
            OPENS.iter().map(|(action, _)| rule(answer, action, "alice")).collect()
        };
        for (rules, why) in [
            (String::new(), CONFIRM),
            (OPENS.iter().map(|(action, _)| yes(action, "bob")).collect(), CONFIRM),
            (every("return polkit.Result.AUTH_ADMIN"), CONFIRM),
            (every("return polkit.Result.NO"), NO),
            (every("throw 'a mistake in the rule'"), NO),
        ] {
            let _polkit = world.polkit(&rules);
            for (method, arguments) in METHODS {
                let done = on_bob(ALICE, method, arguments, &token);
                assert_denied(&done, why, action_of(method));
            }
            assert_eq!(bobs(), before, "after {rules}");
        }
    });
}

/// A yes to one action opens its methods to that user; no other method, and to nobody else.
#[test]
fn a_yes_opens_the_methods_of_its_action_and_no_others() {
    for (granted, opened) in OPENS {
        World::run(|world| {
            let _otpd = world.otpd("");
            let _polkit = world.polkit(&yes(granted, "alice"));
            let token = enrol("bob", &["--method", "hotp"]);
            let before = bobs();
            for (method, arguments) in METHODS {
                let other = on_bob(NOBODY, method, arguments, &token);
                assert_denied(&other, CONFIRM, action_of(method));
                let opens = opened.contains(&method);
                // The methods that follow need the token.
                let spare =
                    (opens && method == "Revoke").then(|| enrol("bob", &["--method", "hotp"]));
                let done = on_bob(ALICE, method, arguments, spare.as_ref().unwrap_or(&token));
                match method {
                    _ if !opens => assert_denied(&done, CONFIRM, action_of(method)),
                    // The token is active and was told at its enrolment, the codes are wrong, issued
                    // codes are off, and there are no provider, no code and no client of that id:
                    // refused for that, not as a caller.
                    "Confirm" | "Share" | "Resync" | "TestProvider" | "IssueCode"
                    | "RevokeCode" | "SetClient" | "RemoveClient" => {
                        assert!(
                            !done.stderr.contains("not allowed"),
                            "{granted} {method}: {done:?}"
                        );
                    }
                    _ => assert_eq!(done.code(), 0, "{granted} {method}: {done:?}"),
                }
            }
            match granted {
                "manage" => assert!(items(&["token", "list", "bob"]).is_empty(), "Reset by alice"),
                _ => assert_eq!(bobs(), before, "{granted}"),
            }
        });
    }
}

/// otpctl, which lets polkit ask a person, ends with 3 where there is none to ask.
#[test]
fn otpctl_ends_with_3_until_polkit_says_yes() {
    World::run(|world| {
        let _otpd = world.otpd("");
        enrol("bob", &["--method", "hotp"]);
        let rows: [(&[&str], &str); 5] = [
            (&["token", "list", "bob"], "read"),
            (&["audit"], "read"),
            (&["config", "reload"], "configure"),
            (&["user", "unlock", "bob"], "manage"),
            (&["user", "reset", "bob", "--yes"], "manage"),
        ];
        let before = bobs();
        let without = world.polkit("");
        for (arguments, _) in rows {
            let done = run(&mut alice(arguments), b"");
            assert_eq!(done.code(), 3, "{arguments:?}: {done:?}");
            assert!(done.stderr.contains(CONFIRM), "{arguments:?}: {done:?}");
        }
        assert_eq!(bobs(), before);
        drop(without);
        for (arguments, action) in rows {
            let _polkit = world.polkit(&yes(action, "alice"));
            run(&mut alice(arguments), b"").ok();
        }
        assert!(items(&["token", "list", "bob"]).is_empty());
    });
}

/// `enrol-own` is the first token of the one who asks, of a method that the policy offers.
#[test]
fn enrol_own_is_ones_own_first_token() {
    World::run(|world| {
        let mut otpd = world.otpd("");
        let _polkit = world.polkit(&yes("enrol-own", "alice"));
        let enrols = |uid: u32, user: &str| call(uid, "Enrol", &["sa{sv}", user, "0"]);
        let unoffered = enrols(ALICE, "alice");
        assert!(unoffered.stderr.contains("does not let users enrol"), "{unoffered:?}");
        otpd.stop();
        drop(otpd);
        let _otpd = world.otpd(OWN_TOTP);
        for (uid, user, action) in
            [(ALICE, "bob", "manage"), (BOB, "bob", "enrol-own"), (BOB, "alice", "manage")]
        {
            assert_denied(&enrols(uid, user), CONFIRM, action);
        }
        for (arguments, why) in [
            (["method", "s", "hotp"], "does not let users enrol"),
            (["active", "b", "true"], "only an administrator"),
        ] {
            let done = call(ALICE, "Enrol", &[&["sa{sv}", "alice", "1"], &arguments[..]].concat());
            assert!(done.code() != 0 && done.stderr.contains(why), "{done:?}");
        }
        assert!(items(&["token", "list"]).is_empty());

        let add = ["--json", "token", "add", "alice", "--method", "totp", "--output"];
        run(&mut alice(&[&add[..], &["/home/alice/first"]].concat()), b"").ok();
        let text = fs::read_to_string("/home/alice/first").unwrap();
        let token: Token = serde_json::from_str(&text).unwrap();
        assert_eq!(items(&["token", "list"])[0]["state"], "pending");
        run(&mut alice(&["token", "confirm", &token.id]), token.code().as_bytes()).ok();
        let listed = items(&["token", "list"]);
        assert_eq!((listed.len(), &listed[0]["user"]), (1, &Value::from("alice")));
        assert_eq!(listed[0]["state"], "active");

        let second = run(&mut alice(&[&add[..], &["/home/alice/second"]].concat()), b"");
        assert_eq!(second.code(), 3, "a second token needs the first: {second:?}");
        assert_eq!(items(&["token", "list"]), listed);
    });
}

/// How a polkitd that says nothing goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Answers,
    Dies,
}

/// otpd gives polkit five seconds where nobody can be asked, and up to two minutes where a person
/// may be answering. Meanwhile root works, and people log in.
fn silent(then: Then) {
    World::run(|world| {
        let _otpd = world.otpd("");
        world.stack("login", &[&format!("required {MODULE}")]);
        let polkit = world.polkit(&yes("manage", "alice"));
        let token = enrol("bob", &["--method", "hotp"]);
        call(ALICE, "Unlock", &["s", "bob"]).ok();
        polkit.freeze();
        let mut unlock = alice(&["user", "unlock", "bob"]);
        let mut patient = Process::start(unlock.stdout(Stdio::null()).stderr(Stdio::null()));
        let refused = thread::scope(|scope| {
            let refused = scope.spawn(|| call(ALICE, "Reset", &["s", "bob"]));
            let login = world.host().login(Login::new("login", "bob"), &[token.code().as_bytes()]);
            assert_eq!(login.code(), code::SUCCESS);
            otpctl_with(&["user", "unlock", "bob"], b"").ok();
            enrol("bob", &["--method", "hotp"]);
            refused.join().unwrap()
        });
        assert_denied(&refused, SILENT, "manage");
        assert!(refused.took >= Duration::from_secs(5), "{refused:?}");
        assert!(patient.wait(Duration::ZERO).is_none(), "otpctl waits for a person");
        match then {
            Then::Answers => polkit.thaw(),
            Then::Dies => drop(polkit),
        }
        let status = patient.wait(SOON).expect("otpctl ends when polkit answers or dies");
        assert_eq!(status.code(), Some(if then == Then::Answers { 0 } else { 3 }));
        let left = items(&["token", "list", "bob"]).len();
        assert_eq!(left, 2, "a yes that comes too late resets nobody");
    });
}

#[test]
fn a_polkit_that_says_nothing_is_a_no_and_a_late_yes_counts_for_those_who_wait() {
    silent(Then::Answers);
}

#[test]
fn a_polkit_that_dies_when_asked_is_a_no() {
    silent(Then::Dies);
}

/// Nobody waits for a polkit that is not there, and otpd finds a new one by itself.
fn gone(kind: BusKind) {
    World::run(|world| {
        world.bus(kind);
        let _otpd = world.otpd("");
        enrol("bob", &["--method", "hotp"]);
        let polkit = world.polkit(&yes("manage", "alice"));
        call(ALICE, "Unlock", &["s", "bob"]).ok();
        let before = bobs();
        drop(polkit);
        assert_denied(&call(ALICE, "Reset", &["s", "bob"]), FAILED, "manage");
        world.log().expect("polkit: ");
        let patient = run(&mut alice(&["user", "reset", "bob", "--yes"]), b"");
        assert_eq!(patient.code(), 3, "{patient:?}");
        assert!(patient.stderr.contains(FAILED), "{patient:?}");
        assert_eq!(bobs(), before);
        let _polkit = world.polkit(&yes("manage", "alice"));
        call(ALICE, "Reset", &["s", "bob"]).ok();
        assert!(items(&["token", "list", "bob"]).is_empty());
    });
}

#[test]
fn a_polkit_that_is_gone_is_a_no_at_once_on_dbus_daemon() {
    gone(BusKind::Daemon);
}

#[test]
fn a_polkit_that_is_gone_is_a_no_at_once_on_dbus_broker() {
    gone(BusKind::Broker);
}

/// Where the description of the actions is not installed, rules that say yes count for nothing.
#[test]
fn an_action_that_polkit_does_not_know_is_a_no() {
    World::run(|world| {
        let _otpd = world.otpd("");
        let token = enrol("bob", &["--method", "hotp"]);
        let name = Path::new(POLICY).file_name().unwrap();
        fs::remove_file(Path::new(ACTIONS).join(name)).unwrap();
        let _polkit = world.polkit(&OPENS.map(|(action, _)| yes(action, "alice")).concat());
        for (method, arguments) in METHODS {
            let done = on_bob(ALICE, method, arguments, &token);
            assert_denied(&done, FAILED, action_of(method));
        }
        world.log().expect("polkit: org.freedesktop.PolicyKit1.Error.");
    });
}

/// What polkit asks of those for whom there is no rule: always for a password, never nothing.
#[test]
fn no_action_is_open_by_default() {
    let policy = sources().join(POLICY);
    let select = |xpath: &str| -> Vec<String> {
        let text = run(command("xmllint").args(["--nonet", "--xpath", xpath]).arg(&policy), b"");
        text.ok().lines().map(|line| line.trim().to_owned()).collect()
    };
    assert_eq!(select("count(//action)"), [OPENS.len().to_string()]);
    for (action, _) in OPENS {
        let password: &[&str] = match action {
            "enrol-own" => &["auth_self"],
            _ => &["auth_admin", "auth_admin_keep"],
        };
        for whom in ["allow_any", "allow_inactive", "allow_active"] {
            let asked = select(&format!(
                "string(//action[@id='org.pamotp.otpd1.{action}']/defaults/{whom})"
            ));
            assert!(password.contains(&asked[0].as_str()), "{action}: {whom} is {asked:?}");
        }
    }
}
