//! The first login that needs a code makes the token for it, where a policy says so and there is a
//! way to the user; nothing else does.

use harness::{
    Counterpart, Login, MODULE, World,
    counterparts::{gateway::Behaviour, smtp::Tls},
    otpd::{audit, enrol},
    pam::code,
    process::until,
    sshd::Methods,
};

use super::{
    ADDRESS, DIGITS, NUMBER, PASSWORD_THEN_CODE, enrolling, log_in, none_of, reach, ssh, tokens,
};

fn last(user: &str) -> (String, String) {
    let record = audit(user).pop().expect("a record");
    let text = |key: &str| record[key].as_str().unwrap_or_default().to_owned();
    (text("result"), text("detail"))
}

/// Without a number or an address: the usual prompt, the usual answer, and a word to the
/// administrator.
#[test]
fn who_cannot_be_reached_is_refused_as_anybody() {
    World::run(|world| {
        let gateway = world.gateway();
        let _otpd = world.otpd(&(gateway.provider("main") + &enrolling(&["sms"])));
        world.stack("sshd", &PASSWORD_THEN_CODE[1..]);
        let sshd = world.sshd(Methods::Keyboard);
        let (alice, carol) = (sshd.login("alice", &["123456"]), sshd.login("carol", &["123456"]));
        assert!(!alice.admitted);
        assert_eq!(alice.transcript, carol.transcript);
        assert!(tokens("alice").is_empty());
        let told = audit("alice").iter().map(ToString::to_string).collect::<String>();
        assert!(told.contains("user set"), "{told}");
    });
}

/// A token that was made for a message goes with it when nobody takes the message; the next login
/// tries again.
#[test]
fn a_token_goes_with_the_message_that_made_it() {
    World::run(|world| {
        let gateway = world.gateway();
        gateway.behave(Behaviour::Answer(500, "broken".to_owned()));
        let _otpd = world.otpd(&(gateway.provider("main") + &enrolling(&["sms"])));
        world.stack("login", &[&format!("required {MODULE}")]);
        reach("alice", &[&format!("mobile={NUMBER}")]);
        let mut host = world.host();
        let refused = log_in(&mut host, Login::new("login", "alice"), |_| {
            until("the message is given up", || tokens("alice").is_empty());
            "123456".to_owned()
        });
        assert_eq!(refused.code(), code::AUTH_ERR);
        assert!(tokens("alice").is_empty());
        let told = audit("alice").iter().map(ToString::to_string).collect::<String>();
        assert!(told.contains("500"), "what the gateway said: {told}");
        gateway.behave(Behaviour::ok());
        let before = gateway.messages().len();
        let granted = log_in(&mut host, Login::new("login", "alice"), |_| {
            gateway.await_message(before + 1).code(DIGITS)
        });
        assert_eq!(granted.code(), code::SUCCESS, "{}", granted.transcript);
        assert_eq!(tokens("alice"), ["sms"]);
    });
}

/// The token stays when the person errs or leaves: the message was sent.
#[test]
fn a_wrong_first_code_is_like_any_other() {
    World::run(|world| {
        let gateway = world.gateway();
        let _otpd = world.otpd(&(gateway.provider("main") + &enrolling(&["sms"])));
        world.stack("login", &[&format!("required {MODULE}")]);
        reach("alice", &[&format!("mobile={NUMBER}")]);
        let mut host = world.host();
        let code_of = |n| gateway.await_message(n).code(DIGITS);
        let wrong = log_in(&mut host, Login::new("login", "alice"), |_| none_of(&[&code_of(1)]));
        assert_eq!(wrong.code(), code::AUTH_ERR);
        assert_eq!(last("alice").0, "wrong");
        let right = log_in(&mut host, Login::new("login", "alice"), |_| code_of(1));
        assert_eq!(right.code(), code::SUCCESS);
        gateway.stays_at(1);
        assert_eq!(tokens("alice"), ["sms"]);
    });
}

/// Who has a token gets no other one.
#[test]
fn an_app_is_enough() {
    World::run(|world| {
        let gateway = world.gateway();
        let _otpd = world.otpd(&(gateway.provider("main") + &enrolling(&["sms"])));
        world.stack("login", &[&format!("required {MODULE}")]);
        reach("alice", &[&format!("mobile={NUMBER}")]);
        let app = enrol("alice", &["--method", "hotp"]);
        let mut host = world.host();
        let granted = log_in(&mut host, Login::new("login", "alice"), |_| app.code());
        assert_eq!(granted.code(), code::SUCCESS);
        assert_eq!(tokens("alice"), ["hotp"]);
        gateway.stays_at(0);
    });
}

/// The policy is for some services only; elsewhere nothing is made.
#[test]
fn elsewhere_nothing_is_made() {
    World::run(|world| {
        let server = world.smtp(Tls::Plain);
        let _otpd = world.otpd(&(server.provider("main") + &enrolling(&["email"])));
        world.stack("elsewhere", &[&format!("required {MODULE}")]);
        world.stack("sshd", &PASSWORD_THEN_CODE);
        reach("alice", &[&format!("mail={ADDRESS}")]);
        let refused = log_in(&mut world.host(), Login::new("elsewhere", "alice"), |prompt| {
            assert_eq!(prompt, "Verification code: ");
            "123456".to_owned()
        });
        assert_eq!(refused.code(), code::AUTH_ERR);
        assert!(tokens("alice").is_empty());
        server.stays_at(0);
        let sshd = world.sshd(Methods::Keyboard);
        let first = ssh(&sshd, "alice", |_| server.await_message(1).code(DIGITS));
        assert!(first.admitted, "{}", first.transcript);
    });
}
