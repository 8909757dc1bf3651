use mail_parser::{Address, HeaderValue, MessageParser, MimeHeaders};

use super::*;
use crate::{Hidden, Recipient};

const MADE: i64 = 1_760_000_000_000;

fn message(subject: &str, text: &str) -> Message {
    Message {
        text: Hidden::from(text),
        subject: Hidden::from(subject),
        until_ms: MADE + 600_000,
        validity_ms: 600_000,
        ..Message::example(Recipient::Mailbox(alice()))
    }
}

fn alice() -> MailAddress {
    MailAddress::parse("alice@example.com").unwrap()
}

fn write(from: &str, subject: &str, text: &str) -> Zeroizing<Vec<u8>> {
    let sender = Sender::new(from, None, "login.example.com").unwrap();
    sender.write(&alice(), (subject, text), &message(subject, text)).unwrap()
}

/// The names of the headers in the order in which they stand, as any reader splits them.
fn names(mail: &[u8]) -> Vec<String> {
    let text = std::str::from_utf8(mail).unwrap();
    let (head, _) = text.split_once("\r\n\r\n").unwrap();
    let starts = head.split("\r\n").filter(|line| !line.starts_with([' ', '\t']));
    starts.map(|line| line.split_once(':').unwrap().0.to_owned()).collect()
}

#[test]
fn an_email_has_what_a_mail_system_wants() {
    let mail = write("Login codes <otp@example.com>", "Your code", "482913 is your code\n.\nÄ");
    let read = MessageParser::default().parse(mail.as_slice()).unwrap();
    let headers = [
        "Date",
        "From",
        "To",
        "Subject",
        "Message-ID",
        "Auto-Submitted",
        "MIME-Version",
        "Content-Type",
        "Content-Transfer-Encoding",
    ];
    let mut found = names(&mail);
    let mut wanted = headers.map(str::to_owned);
    found.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(found, wanted);
    let from = read.from().and_then(Address::first).unwrap();
    assert_eq!((from.name(), from.address()), (Some("Login codes"), Some("otp@example.com")));
    let to = read.to().and_then(Address::first).unwrap();
    assert_eq!((to.name(), to.address()), (None, Some("alice@example.com")));
    assert_eq!(read.subject(), Some("Your code"));
    assert_eq!(read.date().unwrap().to_timestamp() * 1000, MADE);
    assert_eq!(read.message_id(), Some("0123456789abcdef0123456789abcdef@login.example.com"));
    let automatic = read.header("Auto-Submitted").and_then(HeaderValue::as_text);
    assert_eq!(automatic, Some("auto-generated"));
    let kind = read.content_type().unwrap();
    assert_eq!((kind.ctype(), kind.subtype()), ("text", Some("plain")));
    assert_eq!(kind.attribute("charset").map(str::to_lowercase).as_deref(), Some("utf-8"));
    let text = read.body_text(0).unwrap().replace("\r\n", "\n");
    assert_eq!(text.trim_end(), "482913 is your code\n.\nÄ");
}

#[test]
fn whatever_the_subject_holds_there_is_one_set_of_headers() {
    let long = "x".repeat(5000);
    let wide = "Ä€😀".repeat(300);
    for (subject, read) in [
        ("", ""),
        ("Your code", "Your code"),
        ("a\r\nBcc: eve@example.com", "a  Bcc: eve@example.com"),
        ("a\rBcc: eve@example.com", "a Bcc: eve@example.com"),
        ("a\nBcc: eve@example.com", "a Bcc: eve@example.com"),
        ("a\r\n\r\nbody", "a    body"),
        ("a\u{85}\u{2028}b\0c\u{7f}", "a \u{2028}b c"),
        ("=?utf-8?B?UmU=?=", "=?utf-8?B?UmU=?="),
        ("=?utf-8?Q?=0D=0ABcc:_eve@example.com?=", "=?utf-8?Q?=0D=0ABcc:_eve@example.com?="),
        ("\"quoted\" & 'single' {brace} <a@b>", "\"quoted\" & 'single' {brace} <a@b>"),
        ("Prüfung 482913 €", "Prüfung 482913 €"),
        (&long, &long[..200]),
        (&wide, &wide.chars().take(200).collect::<String>()),
    ] {
        let mail = write("otp@example.com", subject, "text");
        assert_eq!(names(&mail), names(&write("otp@example.com", "plain", "text")), "{subject:?}");
        let parsed = MessageParser::default().parse(mail.as_slice()).unwrap();
        assert_eq!(parsed.subject().unwrap_or_default().trim_end(), read, "{subject:?}");
        assert!(parsed.bcc().is_none());
        assert_eq!(parsed.body_text(0).unwrap().trim_end(), "text");
    }
}

#[test]
fn whatever_the_text_holds_the_lines_are_short_and_ascii() {
    let long = "482913 ".repeat(1000);
    for text in [
        "482913",
        "",
        "a\r\nb\rc\nd",
        ".\r\n.\r\nQUIT\r\n",
        "From alice\n\nFrom eve",
        "Prüf 482913 €\n=?utf-8?B?UmU=?=",
        "код 482913 для входа",
        "a\0b\u{1}c\u{7f}",
        &long,
    ] {
        let mail = write("otp@example.com", "subject", text);
        let mail = std::str::from_utf8(&mail).unwrap();
        assert!(mail.is_ascii() && mail.ends_with("\r\n") && !mail.contains('\0'), "{text:?}");
        assert!(mail.replace("\r\n", "").chars().all(|c| !matches!(c, '\r' | '\n')), "{text:?}");
        assert!(mail.split("\r\n").all(|line| line.len() <= 78), "{text:?}");
        let parsed = MessageParser::default().parse(mail.as_bytes()).unwrap();
        let lines = |text: &str| {
            let lines = text.replace("\r\n", "\n").replace('\r', "\n");
            lines.replace(['\0', '\u{1}', '\u{7f}'], " ")
        };
        let read = lines(&parsed.body_text(0).unwrap_or_default());
        assert_eq!(read.trim_end(), lines(text).trim_end(), "{text:?}");
    }
}

#[test]
fn a_sender_is_one_plain_address() {
    for (from, envelope) in [
        ("otp@example.com", "otp@example.com"),
        ("Login <otp@example.com>", "otp@example.com"),
        ("\"Login, codes\" <otp@example.com>", "otp@example.com"),
        ("Zugänge <otp@example.com>", "otp@example.com"),
    ] {
        let sender = Sender::new(from, None, "localhost").unwrap();
        assert_eq!(sender.envelope().as_str(), envelope);
        let mail = write(from, "subject", "text");
        let read = MessageParser::default().parse(mail.as_slice()).unwrap();
        let name = from.rsplit_once(" <").map(|(name, _)| name.trim_matches('"'));
        assert_eq!(read.from().and_then(Address::first).unwrap().name(), name);
    }
    for from in [
        "",
        "otp",
        "otp@",
        "a@example.com, b@example.com",
        "Login <otp@example.com>\r\nBcc: eve@example.com",
        "Log\rin <otp@example.com>",
        "\"a b\"@example.com",
        "otp@exämple.com",
        "-f@example.com",
    ] {
        assert!(Sender::new(from, None, "localhost").unwrap_err().contains("from"), "{from:?}");
    }
    for host in ["", "a b", "a\r\nb", "a@b", "[127.0.0.1]", "-a"] {
        let wrong = Sender::new("otp@example.com", None, host).unwrap_err();
        assert!(wrong.contains("hello"), "{host:?}");
    }
}
