//! Programs with a single field: the password alone is refused and sends a code, and password and
//! code together let in.

use harness::{
    Counterpart, Host, Login, PASSWORD, World, counterparts::gateway::Gateway, golden::golden,
    otpd::enrol, pam::code, protocol::Call, settings::sources, sshd::Methods,
};

use super::{DIGITS, MASKED_NUMBER, NUMBER, enrolling, log_in, none_of, reach, tokens};

/// The field is asked for once, by pam_unix. Where it is the password: a code is sent, and that is
/// the end, unless no code is needed. Else it has to end in a code, and what precedes that is the
/// password.
const ONE_FIELD: [&str; 5] = [
    "[success=2 default=ignore] pam_unix.so nodelay",
    "requisite /run/e2e/bin/pam_otp.so use_first_pass",
    "[success=done default=die] pam_unix.so use_first_pass",
    "requisite /run/e2e/bin/pam_otp.so mode=challenge",
    "required pam_permit.so",
];

fn with_field(test: impl FnOnce(&World, &Gateway, &mut Host) + Send) {
    World::run(|world| {
        let gateway = world.gateway();
        let _otpd = world.otpd(&(gateway.provider("main") + &enrolling(&["sms"])));
        for service in ["field", "sshd"] {
            world.stack(service, &ONE_FIELD);
        }
        reach("alice", &[&format!("mobile={NUMBER}")]);
        test(world, &gateway, &mut world.host());
    });
}

/// alice types this into the field.
fn field(host: &mut Host, text: &str) -> (i32, String) {
    let outcome = log_in(host, Login::new("field", "alice"), |_| text.to_owned());
    assert_eq!(outcome.prompts, 1, "{}", outcome.transcript);
    (outcome.code(), outcome.transcript)
}

#[test]
fn the_password_alone_sends_a_code_and_both_together_let_in() {
    with_field(|_, gateway, host| {
        let (refused, said) = field(host, PASSWORD);
        assert_eq!(refused, code::AUTH_ERR);
        assert!(said.contains(&format!("Code sent to {MASKED_NUMBER}")), "{said}");
        golden("field-sent", &said);
        assert_eq!(tokens("alice"), ["sms"]);
        let right = gateway.await_message(1).code(DIGITS);
        let (granted, said) = field(host, &format!("{PASSWORD}{right}"));
        assert_eq!(granted, code::SUCCESS, "{said}");
        golden("field-admitted", &said);
        let (again, _) = field(host, &format!("{PASSWORD}{right}"));
        assert_eq!(again, code::AUTH_ERR, "a used code");
        gateway.stays_at(1);
    });
}

/// Whatever the field has but the password: nothing is made, nothing is sent, nothing is said.
#[test]
fn without_the_password_nothing_happens() {
    with_field(|_, gateway, host| {
        let mut said = Vec::new();
        for wrong in [
            "",
            "wrong",
            "wrong123456",
            "123456",
            &format!("{PASSWORD}12345"),
            &format!("{PASSWORD} "),
        ] {
            let (refused, text) = field(host, wrong);
            assert_ne!(refused, code::SUCCESS, "{wrong:?}");
            said.push(text);
        }
        said.dedup();
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(tokens("alice").is_empty());
        gateway.stays_at(0);
    });
}

/// With a code on its way, a wrong password and a wrong code are the same refusal; the right two
/// still let in.
#[test]
fn wrong_passwords_and_wrong_codes_look_alike() {
    with_field(|_, gateway, host| {
        field(host, PASSWORD);
        let right = gateway.await_message(1).code(DIGITS);
        let other = none_of(&[&right]);
        let wrong_code = field(host, &format!("{PASSWORD}{other}"));
        let wrong_password = field(host, &format!("wrong{other}"));
        assert_eq!(wrong_code, wrong_password);
        assert_eq!(field(host, &format!("{PASSWORD}{right}")).0, code::SUCCESS);
        gateway.stays_at(1);
    });
}

/// A policy that asks nothing of bob's logins: the password alone, and nothing is sent.
#[test]
fn who_needs_no_code_is_asked_for_the_password() {
    World::run(|world| {
        let gateway = world.gateway();
        let skip = "[[policy]]\nname = \"bob\"\nmatch = { user = [\"bob\"] }\nfactor = \"skip\"\n";
        let _otpd = world.otpd(&(gateway.provider("main") + skip + &enrolling(&["sms"])));
        for service in ["field", "sshd"] {
            world.stack(service, &ONE_FIELD);
        }
        reach("bob", &[&format!("mobile={NUMBER}")]);
        let bob = || Login::new("field", "bob");
        let mut host = world.host();
        for wrong in ["wrong", "", &format!("{PASSWORD}123456")] {
            let refused = log_in(&mut host, bob(), |_| wrong.to_owned());
            assert_ne!(refused.code(), code::SUCCESS, "{wrong:?}");
        }
        let mut login = bob();
        login.0.calls = vec![Call::Authenticate, Call::Setcred];
        let right = log_in(&mut host, login, |_| PASSWORD.to_owned());
        assert_eq!(right.ended.codes, [code::SUCCESS, code::SUCCESS], "{}", right.transcript);
        assert!(world.sshd(Methods::Keyboard).login("bob", &[PASSWORD]).admitted);
        gateway.stays_at(0);
    });
}

/// What is tested is what is documented.
#[test]
fn the_stack_is_the_documented_one() {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let stack = ONE_FIELD.map(|line| format!("auth {}", words(&line.replace("/run/e2e/bin/", ""))));
    for document in ["README.md", "packaging/man/pam_otp.8"] {
        let text = std::fs::read_to_string(sources().join(document)).unwrap();
        let lines: Vec<_> = text.lines().map(words).collect();
        assert!(lines.windows(stack.len()).any(|lines| lines == stack), "{document}: {stack:?}");
    }
}

/// Password and the code of an app.
#[test]
fn an_app_needs_no_message() {
    with_field(|_, gateway, host| {
        let app = enrol("alice", &["--method", "hotp"]);
        assert_eq!(field(host, PASSWORD).0, code::AUTH_ERR);
        assert_eq!(field(host, &format!("{PASSWORD}{}", app.wrong())).0, code::AUTH_ERR);
        assert_eq!(field(host, &format!("{PASSWORD}{}", app.code())).0, code::SUCCESS);
        gateway.stays_at(0);
    });
}

/// sshd's method `password` is such a program.
#[test]
fn sshd_with_a_single_field() {
    with_field(|world, gateway, _| {
        let sshd = world.sshd(Methods::Password);
        let wrong = sshd.login("alice", &["wrong"]);
        assert!(!wrong.admitted && gateway.messages().is_empty());
        let first = sshd.login("alice", &[PASSWORD]);
        assert!(!first.admitted);
        let right = gateway.await_message(1).code(DIGITS);
        let second = sshd.login("alice", &[&format!("{PASSWORD}{right}")]);
        assert!(second.admitted, "{}", second.transcript);
        golden("sshd-field-admitted", &second.transcript);
    });
}

/// At sshd's keyboard-interactive the person sees where the code went.
#[test]
fn sshd_shows_where_the_code_went() {
    with_field(|world, gateway, _| {
        let sshd = world.sshd(Methods::Keyboard);
        let first = sshd.login("alice", &[PASSWORD]);
        assert!(!first.admitted);
        golden("sshd-field-sent", &first.transcript);
        let right = gateway.await_message(1).code(DIGITS);
        let second = sshd.login("alice", &[&format!("{PASSWORD}{right}")]);
        assert!(second.admitted, "{}", second.transcript);
    });
}
