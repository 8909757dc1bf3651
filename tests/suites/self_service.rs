//! Users and their own tokens: what a policy lets them, and never without proof of what they have.

use std::process::Command;

use harness::{
    ALICE, Counterpart, Login, MODULE, Token, World,
    otpd::{enrol, otpctl, otpctl_with},
    pam::code,
    process::{Output, command, run},
    terminal::sit,
};

/// An otpctl command of alice.
pub(crate) fn alice(arguments: &[&str]) -> Command {
    let mut setpriv = command("setpriv");
    setpriv.args([&format!("--reuid={ALICE}"), &format!("--regid={ALICE}"), "--clear-groups"]);
    setpriv.arg(otpctl(&[]).get_program()).args(arguments).env("HOME", "/home/alice");
    setpriv
}

/// otpctl, run by alice.
fn as_alice(arguments: &[&str], input: &str) -> Output {
    run(&mut alice(arguments), input.as_bytes())
}

const SELF_SERVICE: &str = "[[policy]]\nname = \"own tokens\"\nmatch = { service = [\"otpctl\"] }\nenrol = [\"totp\", \"hotp\"]\n";

/// The first token needs polkit's word that alice is alice; without polkit there is none.
#[test]
fn the_first_token_needs_polkit() {
    World::run(|world| {
        let _otpd = world.otpd(SELF_SERVICE);
        let done = as_alice(
            &["--json", "token", "add", "alice", "--method", "hotp", "--output", "/home/alice/t"],
            "",
        );
        assert_ne!(done.code(), 0, "{done:?}");
        assert!(harness::otpd::items(&["token", "list"]).is_empty());
    });
}

/// Without a policy for it users enrol nothing, whatever they prove.
#[test]
fn without_a_policy_there_is_no_self_service() {
    World::run(|world| {
        let _otpd = world.otpd("");
        let token = enrol("alice", &["--method", "hotp"]);
        let add =
            ["--json", "token", "add", "alice", "--method", "hotp", "--output", "/home/alice/t"];
        let done = as_alice(&add, &format!("{}\n", token.code()));
        assert_eq!(done.code(), 3, "{done:?}");
        assert_eq!(harness::otpd::items(&["token", "list", "alice"]).len(), 1);
    });
}

/// Who has a credential must prove it before adding, removing or changing one.
#[test]
fn a_hijacked_session_cannot_change_tokens() {
    World::run(|world| {
        let _otpd = world.otpd(SELF_SERVICE);
        world.stack("login", &[&format!("required {MODULE}")]);
        let token = enrol("alice", &["--method", "hotp", "--label", "phone"]);
        enrol("alice", &["--method", "hotp", "--label", "key"]);
        for (arguments, input) in [
            (&["token", "remove", &token.id, "--yes"][..], String::new()),
            (&["token", "remove", &token.id, "--yes"], format!("{}\n", token.wrong())),
            (&["token", "disable", &token.id], String::new()),
            (&["recovery", "new", "alice", "--yes", "--output", "/home/alice/r"], String::new()),
        ] {
            let done = as_alice(arguments, &input);
            assert_eq!(done.code(), 3, "{arguments:?}: {done:?}");
        }
        assert_eq!(harness::otpd::items(&["token", "list", "alice"])[0]["state"], "active");
        let mut host = world.host();
        let spent = token.code();
        assert_eq!(
            host.login(Login::new("login", "alice"), &[spent.as_bytes()]).code(),
            code::SUCCESS
        );
        let replayed = as_alice(&["token", "disable", &token.id], &format!("{spent}\n"));
        assert_eq!(replayed.code(), 3, "a code of a login is no proof: {replayed:?}");
        let proof = token.code();
        as_alice(&["token", "disable", &token.id], &format!("{proof}\n")).ok();
        assert_eq!(harness::otpd::items(&["token", "list", "alice"])[0]["state"], "disabled");
        harness::otpd::otpctl_with(&["token", "enable", &token.id], b"").ok();
        assert_eq!(
            host.login(Login::new("login", "alice"), &[proof.as_bytes()]).code(),
            code::AUTH_ERR,
            "a proof is used up"
        );
    });
}

/// Who has no device of their own is sent the code that proves it, and to that change only.
#[test]
fn whose_codes_are_sent_is_sent_one_for_the_proof() {
    World::run(|world| {
        let gateway = world.gateway();
        let _otpd = world.otpd(&(gateway.provider("main") + SELF_SERVICE));
        otpctl_with(&["user", "set", "alice", "mobile=+491701234581"], b"").ok();
        otpctl_with(&["token", "add", "alice", "--method", "sms"], b"").ok();
        let new = ["recovery", "new", "alice", "--yes", "--output", "/home/alice/codes"];
        let sent = "Code sent to +49*****81 (or: resend): ";
        let refused = sit(&alice(&new), &[(sent, "resend"), (sent, "000000")]);
        assert_eq!(refused.code, 3, "{}", refused.transcript);
        let code = gateway.await_message(1).code(6);
        let done = sit(&alice(&new), &[(sent, &code)]);
        assert_eq!(done.code, 0, "{}", done.transcript);
        gateway.stays_at(1);
    });
}

/// Own tokens can be seen, those of others cannot.
#[test]
fn users_see_their_own_tokens() {
    World::run(|world| {
        let _otpd = world.otpd(SELF_SERVICE);
        let own: Token = enrol("alice", &["--method", "hotp"]);
        enrol("bob", &["--method", "hotp"]);
        let listed = as_alice(&["--json", "token", "list", "alice"], "").ok();
        assert!(listed.contains(&own.id) && !listed.contains(&own.secret), "{listed}");
        assert_eq!(as_alice(&["token", "list", "bob"], "").code(), 3);
        assert_eq!(as_alice(&["token", "list"], "").code(), 3);
    });
}
