use std::fs;

use mail_parser::MessageParser;

use super::*;
use crate::{
    Hidden, Receipt,
    stand_in::{self, is_root},
};

fn message() -> Message {
    Message {
        text: Hidden::from("Code €: 482913\n.\n"),
        subject: Hidden::from("Prüfung\nBcc: eve@example.com"),
        ..Message::example(Recipient::mailbox())
    }
}

/// A stand-in for sendmail: a script of root's.
fn stand_in(script: &str) -> (tempfile::TempDir, Settings) {
    let folder = stand_in::folder();
    let script = format!(
        "#!/bin/sh
cd {}
{script}
",
        folder.path().display()
    );
    let path = stand_in::script(folder.path(), "sendmail", &script, 0o755);
    let settings = Settings::new("Login <otp@example.com>".to_owned(), "login.example".to_owned());
    (folder, Settings { path, ..settings })
}

#[tokio::test]
async fn the_whole_email_is_on_standard_input() {
    if !is_root() {
        return;
    }
    let (folder, settings) = stand_in("cat > mail; echo \"$@\" > called; echo queued");
    let receipt = Sendmail::new(&settings).unwrap().send(&message()).await.unwrap();
    assert_eq!(receipt, Receipt { id: None, reply: "queued".to_owned() });
    let called = fs::read_to_string(folder.path().join("called")).unwrap();
    assert_eq!(called, "-i -f otp@example.com -- alice@example.com\n");
    let mail = fs::read(folder.path().join("mail")).unwrap();
    assert!(!mail.contains(&b'\r'));
    let read = MessageParser::default().parse(mail.as_slice()).unwrap();
    assert_eq!(read.subject(), Some("Prüfung Bcc: eve@example.com"));
    assert_eq!(read.body_text(0).unwrap().trim_end(), "Code €: 482913\n.");
    let envelope_from = MailAddress::parse("bounces@example.com").ok();
    let settings = Settings { envelope_from, ..settings };
    Sendmail::new(&settings).unwrap().send(&message()).await.unwrap();
    let called = fs::read_to_string(folder.path().join("called")).unwrap();
    assert_eq!(called, "-i -f bounces@example.com -- alice@example.com\n");
}

#[tokio::test]
async fn the_status_decides() {
    if !is_root() {
        return;
    }
    for (status, refused) in [(67, true), (68, true), (65, false), (75, false), (1, false)] {
        let (_folder, settings) = stand_in(&format!("cat >&2; exit {status}"));
        let answer = Sendmail::new(&settings).unwrap().send(&message()).await;
        let (text, is_refused) = match answer {
            Err(Failure::Refused(text)) => (text, true),
            Err(Failure::Unavailable(text)) => (text, false),
            other => panic!("{other:?}"),
        };
        assert_eq!(is_refused, refused, "{text}");
        assert!(text.contains(&format!("ended with {status}")), "{text}");
        assert!(!text.contains("482913") && !text.contains("alice@"), "{text}");
    }
}

#[test]
fn settings_are_checked() {
    let good = Settings::new("otp@example.com".to_owned(), "a.example".to_owned());
    let good = Settings { path: "/bin/true".into(), ..good };
    for (settings, named) in [
        (Settings { path: "/nonexistent".into(), ..good.clone() }, "/nonexistent"),
        (Settings { from: "nobody".to_owned(), ..good.clone() }, "from"),
        (Settings { hello: "a b".to_owned(), ..good.clone() }, "hello"),
        (Settings { timeout: Duration::from_secs(61), ..good.clone() }, "timeout"),
    ] {
        assert!(Sendmail::new(&settings).err().unwrap().contains(named));
    }
    assert!(Sendmail::new(&good).is_ok());
}
