//! What a login is, from the password to the code that arrived, by every kind of provider.

use harness::{
    Counterpart, PASSWORD, World,
    counterparts::smtp::{Smtp, Tls},
    golden::golden,
    otpd::document,
    sshd::Methods,
};

use super::{
    ADDRESS, DIGITS, NUMBER, PASSWORD_THEN_CODE, enrolling, events, none_of, reach, ssh, tokens,
};

/// alice has a password and a number or an address, and nothing else: her first login sends a code
/// and makes a token; what is wrong is refused, and every code is good once.
fn accepted(world: &World, method: &str, counterpart: &dyn Counterpart) {
    let _otpd = world.otpd(&(counterpart.provider("main") + &enrolling(&[method])));
    world.stack("sshd", &PASSWORD_THEN_CODE);
    let (contact, to) = match method {
        "sms" => (format!("mobile={NUMBER}"), NUMBER),
        _ => (format!("mail={ADDRESS}"), ADDRESS),
    };
    reach("alice", &[&contact]);
    let sshd = world.sshd(Methods::Keyboard);
    let code_of = |n: usize| counterpart.await_message(n).code(DIGITS);

    let unknown = sshd.login("carol", &["wrong"]);
    let refused = sshd.login("alice", &["wrong"]);
    assert!(!refused.admitted);
    assert_eq!(refused.transcript, unknown.transcript);
    assert!(tokens("alice").is_empty() && counterpart.messages().is_empty());

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
    counterpart.stays_at(2);
    assert_eq!(tokens("alice"), [method]);
    assert_eq!(document(&["user", "show", "alice"])["failures"], 0);
    let events = events("alice");
    for event in [("enrol", "ok"), ("challenge", "ok"), ("send", "ok"), ("login", "ok")] {
        assert!(
            events.iter().any(|(e, r)| (e.as_str(), r.as_str()) == event),
            "{event:?}: {events:?}"
        );
    }
    let logged = world.log().records().join("\n");
    for secret in [&code_of(1), &code_of(2), &PASSWORD.to_owned()] {
        assert!(!logged.contains(secret), "{secret} is in the log");
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
        harness::process::until("the modem forgets the messages", || modem.deleted() == 2);
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
