//! The prompt at which a code is asked for that was sent.

use std::thread::sleep;

use harness::{
    Counterpart, Host, Login, MODULE, World,
    counterparts::{gateway::Gateway, smtp::Tls},
    golden::golden,
    otpd::{document, enrol, items, otpctl_with},
    pam::code,
    sshd::Methods,
};

use super::{
    ADDRESS, DIGITS, MASKED_ADDRESS, MASKED_NUMBER, NUMBER, PASSWORD_THEN_CODE, RESEND, enrolling,
    log_in, none_of, reach, resending, ssh, tokens,
};

/// alice, whose token of type sms was made at an earlier login.
fn with_sms(configuration: &str, test: impl FnOnce(&World, &Gateway, &mut Host) + Send) {
    World::run(|world| {
        let gateway = world.gateway();
        let _otpd = world.otpd(&(gateway.provider("main") + configuration));
        world.stack("login", &[&format!("required {MODULE}")]);
        reach("alice", &[&format!("mobile={NUMBER}")]);
        test(world, &gateway, &mut world.host());
    });
}

fn alice() -> Login {
    Login::new("login", "alice")
}

/// The code is compared with three answers; no message follows within the time for it.
#[test]
fn a_code_has_three_tries() {
    let lenient = "[lockout]\nafter = 10\n".to_owned() + &enrolling(&["sms"]);
    with_sms(&lenient, |_, gateway, host| {
        let code_of = |n| gateway.await_message(n).code(DIGITS);
        for n in 1..=3 {
            let wrong = log_in(host, alice(), |_| none_of(&[&code_of(1)]));
            assert_eq!(wrong.code(), code::AUTH_ERR, "try {n}");
        }
        let fourth = log_in(host, alice(), |_| code_of(1));
        assert_eq!(fourth.code(), code::AUTH_ERR, "the right code at the fourth try");
        assert!(fourth.transcript.contains(&format!("Code sent to {MASKED_NUMBER}")));
        gateway.stays_at(1);
    });
}

/// Wrong codes lock as they do elsewhere; a locked user is sent nothing and sees no difference.
#[test]
fn wrong_codes_lock() {
    let strict = "[lockout]\nafter = 2\n".to_owned() + &resending("10s", &["sms"]);
    with_sms(&strict, |_, gateway, host| {
        let code_of = |n| gateway.await_message(n).code(DIGITS);
        let mut seen = Vec::new();
        for _ in 0..2 {
            seen.push(log_in(host, alice(), |_| none_of(&[&code_of(1)])));
        }
        let sent = gateway.messages().len();
        seen.push(log_in(host, alice(), |_| code_of(1)));
        sleep(RESEND);
        seen.push(log_in(host, alice(), |_| code_of(1)));
        for outcome in &seen {
            assert_eq!(outcome.code(), code::AUTH_ERR);
            assert_eq!(outcome.transcript, seen[0].transcript);
        }
        gateway.stays_at(sent);
        otpctl_with(&["user", "unlock", "alice"], b"").ok();
        let next = log_in(host, alice(), |_| code_of(sent + 1));
        assert_eq!(next.code(), code::SUCCESS);
    });
}

/// `resend` and Enter prompt again; nothing is sent before it is time.
#[test]
fn words_prompt_again() {
    with_sms(&enrolling(&["sms"]), |_, gateway, host| {
        let mut words = ["resend", "", "RESEND", " sms "].iter();
        let done = log_in(host, alice(), |_| match words.next() {
            Some(word) => (*word).to_owned(),
            None => gateway.await_message(1).code(DIGITS),
        });
        assert_eq!(done.code(), code::SUCCESS, "{}", done.transcript);
        assert_eq!(done.prompts, 5, "{}", done.transcript);
        gateway.stays_at(1);
    });
}

/// When it is time another code is sent. The first one, whose message may be late, stays good; a
/// login that succeeds ends both.
#[test]
fn another_code_is_sent_on_demand() {
    with_sms(&resending("10s", &["sms"]), |_, gateway, host| {
        for second in [true, false] {
            let first = gateway.messages().len() + 1;
            let code_of = |n| gateway.await_message(n).code(DIGITS);
            let mut prompts = 0;
            let granted = log_in(host, alice(), |_| {
                prompts += 1;
                if prompts == 1 {
                    code_of(first);
                    sleep(RESEND);
                    return "resend".to_owned();
                }
                code_of(first + 1);
                code_of(if second { first + 1 } else { first })
            });
            assert_eq!(granted.code(), code::SUCCESS, "second {second}: {}", granted.transcript);
            gateway.stays_at(first + 1);
            for used in [code_of(first), code_of(first + 1)] {
                let again = log_in(host, alice(), |_| used.clone());
                assert_eq!(again.code(), code::AUTH_ERR, "a code of a login that has succeeded");
            }
            sleep(RESEND);
        }
    });
}

/// sshd, sudo and others may run the stack twice for one login: that is one message and one code.
#[test]
fn a_login_that_runs_twice_is_sent_one_code() {
    with_sms(&enrolling(&["sms"]), |world, gateway, host| {
        let left = log_in(host, alice(), |_| String::from_utf8(vec![b'0'; 300]).unwrap());
        assert_eq!(left.code(), code::AUTH_ERR, "nothing that could be a code");
        let mut waiting = world.host();
        waiting.wait_at_prompt(alice());
        let granted = log_in(host, alice(), |_| gateway.await_message(1).code(DIGITS));
        assert_eq!(granted.code(), code::SUCCESS);
        gateway.stays_at(1);
        let used = gateway.await_message(1).code(DIGITS);
        assert_eq!(waiting.answer(used.as_bytes()).code(), code::AUTH_ERR, "twice");
    });
}

/// A code is good at the service that it was sent for.
#[test]
fn a_code_is_good_where_it_was_asked_for() {
    with_sms(&enrolling(&["sms"]), |world, gateway, host| {
        world.stack("field", &[&format!("required {MODULE}")]);
        let mut other = world.host();
        other.wait_at_prompt(alice());
        let first = gateway.await_message(1).code(DIGITS);
        let elsewhere = log_in(host, Login::new("field", "alice"), |_| first.clone());
        assert_eq!(elsewhere.code(), code::AUTH_ERR);
        assert_eq!(other.answer(first.as_bytes()).code(), code::SUCCESS);
    });
}

/// Who has an app is asked for its code, and sent one only when they say so.
#[test]
fn an_app_comes_first_and_a_word_changes_that() {
    World::run(|world| {
        let (gateway, server) = (world.gateway(), world.smtp(Tls::Plain));
        let providers = gateway.provider("main") + &server.provider("main");
        let _otpd = world.otpd(&(providers + &enrolling(&["sms", "email"])));
        world.stack("sshd", &PASSWORD_THEN_CODE);
        reach("alice", &[&format!("mobile={NUMBER}"), &format!("mail={ADDRESS}")]);
        let app = enrol("alice", &["--method", "hotp"]);
        for method in ["sms", "email"] {
            otpctl_with(&["token", "add", "alice", "--method", method, "--no-confirm"], b"").ok();
        }
        let sshd = world.sshd(Methods::Keyboard);
        let plain = ssh(&sshd, "alice", |_| app.code());
        assert!(plain.admitted, "{}", plain.transcript);
        assert!(gateway.messages().is_empty() && server.messages().is_empty());

        let mut words = ["sms", "email", "hotp", "email"].iter();
        let around = ssh(&sshd, "alice", |_| match words.next() {
            Some(word) => (*word).to_owned(),
            None => server.await_message(1).code(DIGITS),
        });
        assert!(around.admitted, "{}", around.transcript);
        golden("sshd-words-admitted", &around.transcript);
        gateway.stays_at(1);
        server.stays_at(1);
        let mixed = ssh(&sshd, "alice", |prompt| match prompt {
            "Verification code: " => "sms".to_owned(),
            _ => app.code(),
        });
        assert!(mixed.admitted, "the app's code at the prompt of another: {}", mixed.transcript);
    });
}

/// Words are no guesses: nobody is charged for one, known or not, and they have an end.
#[test]
fn words_are_not_charged_and_have_an_end() {
    with_sms(&enrolling(&["sms"]), |_, gateway, host| {
        let endless = log_in(host, alice(), |_| "resend".to_owned());
        assert_ne!(endless.code(), code::SUCCESS);
        assert!(endless.prompts <= 16, "{} prompts", endless.prompts);
        gateway.stays_at(1);
        let unknown = log_in(host, alice(), |_| "voodoo".to_owned());
        assert_eq!(unknown.code(), code::AUTH_ERR);
        assert_eq!(document(&["user", "show", "alice"])["failures"], 0);
    });
}

/// So many messages an hour and no more.
#[test]
fn the_budget_is_kept() {
    World::run(|world| {
        let gateway = world.gateway();
        let policy = enrolling(&["sms"]).replace("[budget]\n", "[budget]\nper_user = 2\n");
        let mut otpd = world.otpd(&(gateway.provider("main") + &policy));
        world.stack("login", &[&format!("required {MODULE}")]);
        reach("alice", &[&format!("mobile={NUMBER}")]);
        let mut host = world.host();
        for n in 1..=2 {
            let granted = log_in(&mut host, alice(), |_| gateway.await_message(n).code(DIGITS));
            assert_eq!(granted.code(), code::SUCCESS);
        }
        otpd.stop();
        otpd.restart();
        let third = log_in(&mut host, alice(), |_| gateway.await_message(2).code(DIGITS));
        assert_eq!(third.code(), code::AUTH_ERR);
        assert!(third.transcript.contains("No further code is sent"), "{}", third.transcript);
        gateway.stays_at(2);
    });
}

/// Where SMS may go is a matter of the configuration; what is no number is refused when it is set.
#[test]
fn numbers_are_checked_when_they_are_set() {
    World::run(|world| {
        let gateway = world.gateway();
        let policy =
            enrolling(&["sms"]).replace("[budget]\n", "[budget]\ncountries = [\"+49\", \"+43\"]\n");
        let _otpd = world.otpd(&(gateway.provider("main") + &policy));
        reach("alice", &[&format!("mobile={NUMBER}")]);
        for refused in [
            "mobile=+15550001111",
            "mobile=+49170CALLME",
            "mobile=+491",
            "mobile=+4917012345678901",
            "mobile=+49170123458\n1",
            "mail=alice",
            "mail=alice@example.com\r\nBcc: eve@example.com",
            "mail=alice@example.com,eve@example.com",
        ] {
            let done = otpctl_with(&["user", "set", "alice", refused], b"");
            assert_ne!(done.code(), 0, "{refused:?}: {done:?}");
        }
        let shown = document(&["user", "show", "alice"]).to_string();
        assert!(!shown.contains(NUMBER) || shown.contains(MASKED_NUMBER), "{shown}");
        assert!(!shown.contains("eve"), "{shown}");
    });
}

/// The way of the policy: an address alone leads to e-mail, the masked one is shown.
#[test]
fn the_first_way_that_leads_to_the_user_is_taken() {
    World::run(|world| {
        let (gateway, server) = (world.gateway(), world.smtp(Tls::Plain));
        let providers = gateway.provider("main") + &server.provider("main");
        let _otpd = world.otpd(&(providers + &enrolling(&["sms", "email"])));
        world.stack("login", &[&format!("required {MODULE}")]);
        reach("alice", &[&format!("mail={ADDRESS}")]);
        let mut host = world.host();
        let outcome = log_in(&mut host, alice(), |_| server.await_message(1).code(DIGITS));
        assert_eq!(outcome.code(), code::SUCCESS);
        assert!(outcome.transcript.contains(MASKED_ADDRESS), "{}", outcome.transcript);
        assert_eq!(tokens("alice"), ["email"]);
        assert!(gateway.messages().is_empty());
        assert_eq!(items(&["token", "list"]).len(), 1);
    });
}
