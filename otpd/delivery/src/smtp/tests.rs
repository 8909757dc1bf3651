mod server;

use std::io;

use mail_parser::MessageParser;
use otp_core::contact::PhoneNumber;

use super::*;
use crate::{PhoneFormat, Receipt};
use server::{Certificates, Script, Server};

const HELLO: [&str; 2] = ["250-mail.example greets", "250 AUTH PLAIN LOGIN"];

fn message(to: Recipient) -> Message {
    Message {
        text: Hidden::from("482913 is your code\n.\n.."),
        subject: Hidden::from("Your login"),
        validity_ms: 600_000,
        ..Message::example(to)
    }
}

fn alice() -> Message {
    message(Recipient::Mailbox(MailAddress::parse("alice@example.com").unwrap()))
}

fn phone() -> Message {
    message(Recipient::Phone(PhoneNumber::parse("+491701234581", None).unwrap()))
}

fn plain(port: u16) -> Settings {
    let hello = "login.example.com".to_owned();
    let settings = Settings::new("127.0.0.1".to_owned(), "otp@example.com".to_owned(), hello);
    Settings { port: Some(port), tls: Tls::None, ..settings }
}

/// STARTTLS with the server's root.
fn secured(server: &Server) -> Settings {
    let ca = Some(server.certificates.ca());
    Settings { server: "localhost".to_owned(), tls: Tls::StartTls, ca, ..plain(server.port) }
}

fn with_login(settings: Settings) -> Settings {
    let (user, password) = (Some("otp".to_owned()), Some(Hidden::from("pass word")));
    Settings { user, password, ..settings }
}

/// Sends within 10 s, and no text holds what it must not.
async fn send(settings: Settings, message: &Message) -> Answer {
    let smtp = Smtp::new(settings).unwrap();
    let answer = tokio::time::timeout(Duration::from_secs(10), smtp.send(message)).await.unwrap();
    let shown = format!("{answer:?}");
    for hidden in ["482913", "pass word", "cGFzcyB3b3Jk", "AG90cABwYXNzIHdvcmQ", "alice@"] {
        assert!(!shown.contains(hidden), "{shown}");
    }
    answer
}

#[tokio::test]
async fn an_email_arrives_whole() {
    let script = Script::default().answer("the end", "250 2.0.0 Ok: queued as 4F2B1C0");
    let server = Server::start(script).await;
    let receipt = send(plain(server.port), &alice()).await.unwrap();
    let reply = "250 2.0.0 Ok: queued as 4F2B1C0".to_owned();
    assert_eq!(receipt, Receipt { id: Some("4F2B1C0".to_owned()), reply });
    let heard = server.heard().await;
    let commands = ["EHLO login.example.com", "MAIL FROM:<otp@example.com>"];
    assert_eq!(heard.commands[..2], commands);
    assert_eq!(heard.commands[2..], ["RCPT TO:<alice@example.com>", "DATA", "QUIT"]);
    let mail = MessageParser::default().parse(heard.mail.as_bytes()).unwrap();
    assert_eq!(mail.body_text(0).unwrap().trim_end(), "482913 is your code\r\n.\r\n..");
    let envelope_from = MailAddress::parse("bounces@example.com").ok();
    let server = Server::start(Script::default()).await;
    send(Settings { envelope_from, ..plain(server.port) }, &alice()).await.unwrap();
    assert_eq!(server.heard().await.commands[1], "MAIL FROM:<bounces@example.com>");
}

#[tokio::test]
async fn under_starttls_and_implicit_tls_the_login_comes_after_tls() {
    for (tls, mechanism, hello, login) in [
        (Tls::StartTls, Mechanism::Any, HELLO, &["AUTH PLAIN AG90cABwYXNzIHdvcmQ="][..]),
        (Tls::Implicit, Mechanism::Plain, HELLO, &["AUTH PLAIN AG90cABwYXNzIHdvcmQ="]),
        (Tls::Implicit, Mechanism::Login, HELLO, &["AUTH LOGIN", "b3Rw", "cGFzcyB3b3Jk"]),
        (
            Tls::StartTls,
            Mechanism::Any,
            ["250-mail.example", "250 auth=login cram-md5"],
            &["AUTH LOGIN", "b3Rw", "cGFzcyB3b3Jk"],
        ),
    ] {
        let script = Script::default().tls(tls).secured_hello(&hello);
        let server = Server::start(script).await;
        let settings = Settings { tls, mechanism, ..with_login(secured(&server)) };
        send(settings, &alice()).await.unwrap();
        let heard = server.heard().await;
        let before: &[&str] = match tls {
            Tls::StartTls => &["EHLO login.example.com", "STARTTLS"],
            _ => &[],
        };
        assert_eq!(heard.in_clear, before);
        assert_eq!(heard.commands[0], "EHLO login.example.com");
        assert_eq!(heard.commands[1..=login.len()], *login);
        assert!(heard.mail.contains("482913"));
    }
}

#[tokio::test]
async fn an_access_token_may_come_from_a_program() {
    let hello = ["250-mail.example", "250 AUTH PLAIN XOAUTH2"];
    let proof = "AUTH XOAUTH2 dXNlcj1vdHABYXV0aD1CZWFyZXIgdG9rLTEBAQ==";
    let program = |line: &str| ["/bin/sh", "-c", line].map(str::to_owned).to_vec();
    let token = Settings {
        user: Some("otp".to_owned()),
        mechanism: Mechanism::XOAuth2,
        token_program: program("echo tok-1"),
        ..plain(0)
    };
    let server = Server::start(Script::default().secured_hello(&hello)).await;
    let here = |server: &Server| Settings { ..secured(server) };
    let with = |base: Settings, line: &str| Settings {
        user: token.user.clone(),
        mechanism: Mechanism::XOAuth2,
        token_program: program(line),
        ..base
    };
    send(with(here(&server), "echo tok-1"), &alice()).await.unwrap();
    assert_eq!(server.heard().await.commands[1], proof);
    let script =
        Script::default().secured_hello(&hello).answer("AUTH", "334 eyJzdGF0dXMiOiI0MDAifQ==");
    let server = Server::start(script.answer("", "535 5.7.8 tok-1 is no good")).await;
    let refused = send(with(here(&server), "echo tok-1"), &alice()).await.unwrap_err();
    let text = refused.to_string();
    assert!(text.contains("AUTH: 535 5.7.8 … is no good"), "{text}");
    for (line, reason) in
        [("exit 3", "exit status: 3"), ("echo two words", "access token"), ("true", "access token")]
    {
        let server = Server::start(Script::default()).await;
        let failure = send(with(here(&server), line), &alice()).await.unwrap_err();
        assert!(
            matches!(&failure, Failure::Unavailable(text) if text.contains(reason)),
            "{failure}"
        );
        assert!(server.untouched().await, "nobody is connected to without a token");
    }
}

#[tokio::test]
async fn without_tls_or_a_login_nothing_is_sent() {
    let strip = Script::default().hello(&["250-mail.example", "250 AUTH PLAIN"]);
    let refuse = Script::default().answer("STARTTLS", "454 not now");
    let inject = Script::default().answer("STARTTLS", "220 go\r\n250 AUTH PLAIN");
    let none = Script::default().secured_hello(&["250 mail.example"]);
    let other = Script::default().secured_hello(&["250-mail.example", "250 AUTH CRAM-MD5"]);
    let denied = Script::default().answer("AUTH", "535 5.7.8 no: AG90cABwYXNzIHdvcmQ= pass word");
    for (script, reason) in [
        (strip, "STARTTLS: it does not offer it"),
        (refuse, "STARTTLS: 454 not now"),
        (inject, "more than one answer before TLS"),
        (none, "offers no AUTH"),
        (other, "offers no AUTH"),
        (denied, "AUTH: 535 5.7.8 no: … …"),
    ] {
        let server = Server::start(script).await;
        let failure = send(with_login(secured(&server)), &alice()).await.unwrap_err();
        assert!(
            matches!(&failure, Failure::Unavailable(text) if text.contains(reason)),
            "{failure}"
        );
        let heard = server.heard().await;
        let told = |word: &str| heard.commands.iter().any(|line| line.starts_with(word));
        assert!(!told("MAIL") && heard.mail.is_empty());
        assert!(heard.in_clear.iter().all(|line| !line.starts_with("AUTH")));
    }
}

#[tokio::test]
async fn a_certificate_that_will_not_do_ends_it() {
    let other = Certificates::good();
    for tls in [Tls::StartTls, Tls::Implicit] {
        for (certificates, ca, reason) in [
            (Certificates::for_name("other.example", 2100), None, "not valid for name"),
            (Certificates::for_name("localhost", 2021), None, "expired"),
            (Certificates::good(), Some(other.ca()), "invalid peer certificate"),
        ] {
            let script = Script::default().tls(tls).secured_hello(&HELLO);
            let server = Server::with(script, certificates).await;
            let settings = with_login(secured(&server));
            let ca = ca.or(settings.ca.clone());
            let failure = send(Settings { tls, ca, ..settings }, &alice()).await.unwrap_err();
            let text = failure.to_string();
            assert!(matches!(failure, Failure::Unavailable(_)) && text.contains(reason), "{text}");
            assert!(server.heard().await.commands.is_empty());
        }
    }
}

#[tokio::test]
async fn every_no_is_sorted() {
    for (step, answer, refused, text) in [
        ("greeting", "554 go away", false, "greeting: 554 go away"),
        ("greeting", "421 busy", false, "greeting: 421 busy"),
        ("EHLO", "502 what", false, "EHLO: 502 what"),
        ("MAIL", "451 4.3.0 later", false, "MAIL: 451 4.3.0 later"),
        ("MAIL", "550 5.1.0 bad sender", false, "MAIL: 550"),
        ("RCPT", "450 4.2.1 greylisted", false, "RCPT: 450"),
        ("RCPT", "550 5.1.1 <alice@example.com> unknown", true, "RCPT: 550 5.1.1 <…> unknown"),
        ("RCPT", "550-no such\r\n550 user", true, "RCPT: 550 no such user"),
        ("RCPT", "554 5.7.1 relaying denied", false, "RCPT: 554"),
        ("DATA", "554 no", false, "DATA: 554 no"),
        ("DATA", "250 what", false, "DATA: 250 what"),
        ("the end", "552 5.3.4 too big", false, "the e-mail: 552"),
        ("the end", "451 4.7.1 about 482913", false, "the e-mail: 451 4.7.1 about …"),
        ("RCPT", "HTTP/1.1 400 Bad Request", false, "does not speak SMTP"),
        ("MAIL", "250-   \r\n550 no", false, "two codes"),
    ] {
        let server = Server::start(Script::default().answer(step, answer)).await;
        let failure = send(plain(server.port), &alice()).await.unwrap_err();
        let told = failure.to_string();
        let (is_refused, is_unknown) =
            (matches!(failure, Failure::Refused(_)), matches!(failure, Failure::Unknown(_)));
        assert!(is_refused == refused && !is_unknown && told.contains(text), "{step}: {told}");
    }
    for answer in ["250 what", "251 forwarded"] {
        let server = Server::start(Script::default().answer("RCPT", answer)).await;
        send(plain(server.port), &alice()).await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_does_not_go_on_is_given_up() {
    let short = |settings| Settings { timeout: Duration::from_secs(1), ..settings };
    let mut tries = tokio::task::JoinSet::new();
    for (step, unknown) in
        [("greeting", false), ("EHLO", false), ("MAIL", false), ("RCPT", false), ("the end", true)]
    {
        for answer in [server::HANG, server::CLOSE, server::TRICKLE, server::FLOOD] {
            tries.spawn(async move {
                let server = Server::start(Script::default().answer(step, answer)).await;
                let failure = send(short(plain(server.port)), &alice()).await.unwrap_err();
                let is_unknown = matches!(failure, Failure::Unknown(_));
                assert!(is_unknown == unknown, "{step} {answer}: {failure}");
                assert!(!matches!(failure, Failure::Refused(_)));
            });
        }
    }
    assert_eq!(tries.join_all().await.len(), 20);
    let server = Server::start(Script::default().answer("STARTTLS", "220 go").silent_tls()).await;
    let failure = send(short(secured(&server)), &alice()).await.unwrap_err();
    assert!(failure.to_string().contains("STARTTLS: no answer within 1 s"), "{failure}");
    let server = Server::start(Script::default().answer("QUIT", server::HANG)).await;
    send(plain(server.port), &alice()).await.unwrap();
    let closed = plain(1);
    let failure = send(closed, &alice()).await.unwrap_err();
    let refused = io::Error::from_raw_os_error(rustix::io::Errno::CONNREFUSED.raw_os_error());
    assert!(failure.to_string().contains(&refused.to_string()), "{failure}");
}

#[tokio::test]
async fn a_gateway_gets_the_number_where_the_templates_put_it() {
    let server = Server::start(Script::default()).await;
    let gateway = GatewaySettings {
        subject: "{phone}: {otp}\r\nBcc: eve@example.com".into(),
        body: "{text} ({otp} for {phone})".into(),
        number: PhoneFormat::Digits,
        ..GatewaySettings::new(plain(server.port), "{phone}@sms.example".to_owned())
    };
    Gateway::new(gateway).unwrap().send(&phone()).await.unwrap();
    let heard = server.heard().await;
    assert_eq!(heard.commands[2], "RCPT TO:<491701234581@sms.example>");
    let mail = MessageParser::default().parse(heard.mail.as_bytes()).unwrap();
    assert_eq!(mail.subject(), Some("491701234581: 482913  Bcc: eve@example.com"));
    assert!(mail.bcc().is_none());
    let text = mail.body_text(0).unwrap();
    assert_eq!(text.trim_end(), "482913 is your code\r\n.\r\n.. (482913 for 491701234581)");
    let server = Server::start(Script::default()).await;
    let simple = GatewaySettings::new(plain(server.port), "sms@gate.example".to_owned());
    Gateway::new(simple).unwrap().send(&phone()).await.unwrap();
    let heard = server.heard().await;
    let mail = MessageParser::default().parse(heard.mail.as_bytes()).unwrap();
    assert_eq!(mail.subject(), Some("[otpd]"));
    assert_eq!(mail.body_text(0).unwrap().trim_end(), "482913 is your code\r\n.\r\n..");
    assert_eq!(heard.commands[2], "RCPT TO:<sms@gate.example>");
}

/// Some gateways want the account's password in the e-mail.
#[tokio::test]
async fn what_a_gateway_repeats_of_its_templates_is_scrubbed() {
    for (told, failed) in [
        ("550 5.7.1 no: user:acme;hunter2, s3cret or word phrase for +491701234581", true),
        ("250 2.0.0 Ok: user:acme;hunter2, s3cret or word phrase for +491701234581", false),
    ] {
        let script = Script::default().answer("the end", told);
        let server = Server::start(script).await;
        let gateway = GatewaySettings {
            subject: "key=s3cret".into(),
            body: "user:acme\npassword: \"hunter2\"\nword phrase\nto:{phone}\ntext:{text}".into(),
            ..GatewaySettings::new(plain(server.port), "sms@gate.example".to_owned())
        };
        assert!(!format!("{gateway:?}").contains("hunter2"));
        let answer = Gateway::new(gateway).unwrap().send(&phone()).await;
        assert_eq!(answer.is_err(), failed);
        let text = format!("{answer:?}");
        assert!(text.contains(": …;…, … or … for …"), "{text}");
        assert!(!["hunter2", "acme"].iter().any(|secret| text.contains(secret)), "{text}");
    }
}

#[test]
fn a_gateways_address_is_one_plain_address() {
    let gateway = |to: &str| GatewaySettings::new(plain(25), to.to_owned());
    for to in ["{phone}", "{phone}@", "a b@c", "{phone}@x, b@c", "<{phone}@x>", "{otp}@x", ""] {
        assert!(Gateway::new(gateway(to)).err().unwrap().contains("to"), "{to}");
    }
    let good = gateway("{phone}@sms.example");
    for (settings, named) in [
        (GatewaySettings { subject: "a{secret}".into(), ..good.clone() }, "subject"),
        (GatewaySettings { body: "a{secret}".into(), ..good.clone() }, "body"),
        (GatewaySettings { body: "{phone} secret".into(), ..good.clone() }, "no code is sent"),
    ] {
        let wrong = Gateway::new(settings).err().unwrap();
        assert!(wrong.contains(named) && !wrong.contains("secret"), "{wrong}");
    }
    let subject = "{otp}".into();
    assert!(Gateway::new(GatewaySettings { subject, body: "".into(), ..good }).is_ok());
}

#[test]
fn settings_are_checked() {
    let good = Settings { tls: Tls::StartTls, ..with_login(plain(25)) };
    // Where the system has no root certificates, there is nobody to trust by default.
    let own = Certificates::good();
    let good = Settings { ca: Some(own.ca()), ..good };
    let secret = |text: &str| Some(Hidden::from(text));
    let program = vec!["/bin/true".to_owned()];
    for (settings, named) in [
        (Settings { tls: Tls::None, ca: None, ..good.clone() }, "without TLS"),
        (Settings { tls: Tls::None, ..with_login(plain(25)) }, "without TLS"),
        (Settings { tls: Tls::None, ca: good.ca.clone(), ..plain(25) }, "ca"),
        (Settings { ca: Some("/nonexistent".into()), ..good.clone() }, "/nonexistent"),
        (Settings { server: "a b".to_owned(), ..good.clone() }, "server"),
        (Settings { server: "a@b".to_owned(), ..good.clone() }, "server"),
        (Settings { server: String::new(), ..good.clone() }, "server"),
        (Settings { user: None, ..good.clone() }, "need a user"),
        (Settings { password: None, ..good.clone() }, "needs a password"),
        (Settings { password: secret(""), ..good.clone() }, "password"),
        (Settings { password: secret("a\0b"), ..good.clone() }, "password"),
        (Settings { token_program: program.clone(), ..good.clone() }, "only one"),
        (Settings { token_program: program, password: None, ..good.clone() }, "xoauth2"),
        (Settings { mechanism: Mechanism::XOAuth2, ..good.clone() }, "access token"),
        (Settings { from: "x".to_owned(), ..good.clone() }, "from"),
        (Settings { hello: "x y".to_owned(), ..good.clone() }, "hello"),
        (Settings { timeout: Duration::from_secs(10), ..good.clone() }, "timeout"),
        (Settings { timeout: Duration::ZERO, ..good.clone() }, "timeout"),
    ] {
        let wrong = Smtp::new(settings).err().unwrap();
        assert!(wrong.contains(named) && !wrong.contains("pass word"), "{named}: {wrong}");
    }
    for server in ["127.0.0.1", "::1", "mail.example.com"] {
        assert!(Smtp::new(Settings { server: server.to_owned(), ..good.clone() }).is_ok());
    }
}
