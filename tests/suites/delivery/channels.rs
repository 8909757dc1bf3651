//! What a login is, from the password to the code that arrived, by every kind of provider.

use std::thread::sleep;

use harness::{
    Counterpart, Login, PASSWORD, World,
    counterparts::smtp::{Smtp, Tls},
    golden::golden,
    otpd::document,
    pam::code,
    settings::rounds,
    sshd::Methods,
};

use super::{
    ADDRESS, DIGITS, EXPIRY, NUMBER, PASSWORD_THEN_CODE, RESEND, dead, events, log_in, none_of,
    reach, resending, ssh, tokens,
};

/// alice has a password and a number or an address, and nothing else: her first login sends a code,
/// over the second provider because the first is down, and makes a token; what is wrong is refused,
/// and every code is good once.
fn accepted(world: &World, method: &str, counterpart: &dyn Counterpart) {
    let providers = down(method) + &counterpart.provider("main");
    let order = format!(
        "[[method]]\nname = {method:?}\nproviders = [\"down\", \"main\"]\nvalidity = \"1m\"\n[lockout]\nafter = 20\n"
    );
    let _otpd = world.otpd(&(providers + &order + &resending("10s", &[method])));
    world.stack("sshd", &PASSWORD_THEN_CODE);
    let to = if method == "sms" { NUMBER } else { ADDRESS };
    reach("alice", &[&if method == "sms" { format!("mobile={to}") } else { format!("mail={to}") }]);
    let sshd = world.sshd(Methods::Keyboard);
    let sent = || counterpart.messages().len();
    let code_of = |n: usize| counterpart.await_message(n).code(DIGITS);

    let unknown = sshd.login("carol", &["wrong"]);
    let refused = sshd.login("alice", &["wrong"]);
    assert!(!refused.admitted);
    assert_eq!(refused.transcript, unknown.transcript);
    assert!(tokens("alice").is_empty() && sent() == 0);

    let first = ssh(&sshd, "alice", |_| code_of(1));
    assert!(first.admitted, "{}", first.transcript);
    golden(&format!("sshd-{method}-admitted"), &first.transcript);
    assert_eq!(tokens("alice"), [method]);
    let message = counterpart.await_message(1);
    assert_eq!(message.to.trim_start_matches('+'), to.trim_start_matches('+'));
    assert!(message.text.contains("sshd"), "{message:?}");

    let wrong = ssh(&sshd, "alice", |_| none_of(&[&code_of(1), &code_of(2)]));
    assert!(!wrong.admitted, "a wrong code");
    golden(&format!("sshd-{method}-refused"), &wrong.transcript);
    let used = ssh(&sshd, "alice", |_| code_of(1));
    assert!(!used.admitted, "a used code");
    assert_eq!(used.transcript, wrong.transcript);
    let second = ssh(&sshd, "alice", |_| code_of(2));
    assert!(second.admitted, "{}", second.transcript);
    assert_eq!(document(&["user", "show", "alice"])["failures"], 0);

    let (mut host, tried) = (world.host(), sent() + 1);
    let mut at_pam = |answer: &dyn Fn() -> String| {
        let outcome = log_in(&mut host, Login::new("sshd", "alice"), |prompt| match prompt {
            "Password: " => PASSWORD.to_owned(),
            _ => answer(),
        });
        outcome.code() == code::SUCCESS
    };
    for n in 1..=3 {
        assert!(!at_pam(&|| none_of(&[&code_of(tried)])), "try {n}");
    }
    assert!(!at_pam(&|| code_of(tried)), "the fourth try");
    let mut before = None;
    let resent = ssh(&sshd, "alice", |_| match before {
        Some(before) => code_of(before + 1),
        None => {
            before = Some(sent());
            sleep(RESEND);
            "resend".to_owned()
        }
    });
    assert!(resent.admitted, "{}", resent.transcript);
    if rounds(0, 1) > 0 {
        let over = sent() + 1;
        assert!(!at_pam(&|| none_of(&[&code_of(over)])));
        sleep(EXPIRY);
        assert!(!at_pam(&|| code_of(over)), "a code that is over");
        assert!(at_pam(&|| code_of(over + 1)), "the next one");
    }

    assert_eq!(tokens("alice"), [method]);
    let events = events("alice");
    for event in [("enrol", "ok"), ("challenge", "ok"), ("send", "ok"), ("login", "ok")] {
        let found = events.iter().any(|(e, r)| (e.as_str(), r.as_str()) == event);
        assert!(found, "{event:?}: {events:?}");
    }
    let logged = world.log().records().join("\n");
    let codes = counterpart.messages().into_iter().map(|message| message.code(DIGITS));
    for secret in codes.chain([PASSWORD.to_owned()]) {
        assert!(!logged.contains(&secret), "{secret} is in the log");
    }
}

/// A provider that nobody is behind.
fn down(method: &str) -> String {
    match method {
        "sms" => dead("down"),
        _ => "[provider.email.down]\ntype = \"smtp\"\nserver = \"127.0.0.1\"\nport = 9\ntls = \"none\"\nfrom = \"otp@example.com\"\n".to_owned(),
    }
}

#[test]
fn sms_by_http() {
    World::run(|world| accepted(world, "sms", &world.gateway()));
}

#[test]
fn sms_by_smpp() {
    World::run(|world| accepted(world, "sms", &world.smsc()));
}

#[test]
fn sms_by_gnokii() {
    World::run(|world| accepted(world, "sms", &world.gnokii()));
}

#[test]
fn sms_by_modemmanager() {
    World::run(|world| {
        let modem = world.modem();
        accepted(world, "sms", &modem);
        harness::process::until("the modem forgets the messages", || {
            modem.deleted() == modem.messages().len()
        });
    });
}

/// A mail server behind which is a gateway: the number is in the subject.
struct MailGateway(Smtp);

impl Counterpart for MailGateway {
    fn provider(&self, name: &str) -> String {
        self.0.sms_provider(name)
    }

    fn messages(&self) -> Vec<harness::Received> {
        let mut messages = self.0.messages();
        for message in &mut messages {
            assert_eq!(message.to, "gateway@example.net");
            message.to = message.subject.clone();
        }
        messages
    }
}

#[test]
fn sms_by_smtp() {
    World::run(|world| accepted(world, "sms", &MailGateway(world.smtp(Tls::Start))));
}

#[test]
fn email_by_smtp_with_starttls() {
    World::run(|world| {
        let server = world.smtp(Tls::Start);
        accepted(world, "email", &server);
        assert!(server.mails().iter().all(|mail| mail.encrypted));
    });
}

#[test]
fn email_by_smtp_over_tls() {
    World::run(|world| {
        let server = world.smtp(Tls::Implicit);
        accepted(world, "email", &server);
        assert!(server.mails().iter().all(|mail| mail.encrypted));
    });
}

#[test]
fn email_by_smtp_in_clear_where_that_is_asked_for() {
    World::run(|world| accepted(world, "email", &world.smtp(Tls::Plain)));
}

#[test]
fn email_by_sendmail() {
    World::run(|world| accepted(world, "email", &world.sendmail()));
}
