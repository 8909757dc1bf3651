use otp_core::contact::{MailAddress, PhoneNumber};

use super::*;
use crate::{Failure, Hidden, Receipt};

fn message(to: Recipient) -> Message {
    Message { text: Hidden::from("Code €: 482913"), ..Message::example(to) }
}

fn phone() -> Recipient {
    Recipient::Phone(PhoneNumber::parse("+491701234581", None).unwrap())
}

/// The shell as the program, a line as its fixed argument.
fn exec(line: &str) -> Exec {
    let arguments = vec!["-c".to_owned(), line.to_owned(), "name".to_owned()];
    Exec::new(Settings { arguments, ..Settings::new("/bin/sh".into()) }).unwrap()
}

#[tokio::test]
async fn the_recipient_is_the_last_argument_and_the_text_is_on_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("got");
    let line =
        format!("echo \"$@\" > {0}; cat >> {0}; cat /proc/$$/environ >> {0}", file.display());
    let address = MailAddress::parse("alice@example.com").unwrap();
    for (to, number, called) in [
        (phone(), PhoneFormat::E164, "+491701234581"),
        (phone(), PhoneFormat::Digits, "491701234581"),
        (Recipient::Mailbox(address), PhoneFormat::E164, "alice@example.com"),
    ] {
        let program = Exec(Settings { number, ..exec(&line).0 });
        program.send(&message(to)).await.unwrap();
        let got = std::fs::read_to_string(&file).unwrap();
        assert_eq!(got, format!("{called}\nCode €: 482913"), "with nothing in the environment");
    }
}

#[tokio::test]
async fn the_status_decides() {
    let id =
        |id: &str, reply: &str| Ok(Receipt { id: Some(id.to_owned()), reply: reply.to_owned() });
    let unavailable = |text: &str| Err(Failure::Unavailable(text.to_owned()));
    let refused = |text: &str| Err(Failure::Refused(text.to_owned()));
    let long = "x".repeat(128);
    for (line, expected) in [
        ("echo id-7; echo more", id("id-7", "id-7 more")),
        ("true", Ok(Receipt::default())),
        ("cat; echo; echo $1", id("…", "… …")),
        ("printf '%0200d' 0 | tr 0 x", id(&long, &"x".repeat(200))),
        (
            "echo busy >&2; exit 75",
            unavailable("/bin/sh ended with 75 (a temporary failure): busy"),
        ),
        ("exit 65", refused("/bin/sh ended with 65 (wrong data)")),
        ("exit 67", refused("/bin/sh ended with 67 (unknown recipient)")),
        ("exit 68", refused("/bin/sh ended with 68 (unknown host)")),
        ("exit 1", unavailable("/bin/sh ended with 1 (failed)")),
        ("cat >&2; exit 78", unavailable("/bin/sh ended with 78 (wrong configuration): …")),
        ("echo $1 482913; exit 9", unavailable("/bin/sh ended with 9 (failed): … …")),
    ] {
        assert_eq!(exec(line).send(&message(phone())).await, expected, "{line}");
    }
    let killed = exec("kill -KILL $$").send(&message(phone())).await;
    assert!(matches!(killed, Err(Failure::Unknown(_))), "{killed:?}");
}

#[tokio::test]
async fn a_program_that_does_not_end_is_killed() {
    let program = Exec(Settings { timeout: Duration::from_secs(1), ..exec("sleep 1000 & wait").0 });
    let answer = program.send(&message(phone())).await;
    assert!(
        matches!(&answer, Err(Failure::Unknown(text)) if text.contains("killed")),
        "{answer:?}"
    );
}

#[test]
fn settings_are_checked() {
    let good = Settings::new("/bin/sh".into());
    for (settings, named) in [
        (Settings { path: "sh".into(), ..good.clone() }, "sh"),
        (Settings { arguments: vec!["a\0b".to_owned()], ..good.clone() }, "arguments"),
        (Settings { timeout: Duration::from_millis(999), ..good.clone() }, "timeout"),
    ] {
        assert!(Exec::new(settings).err().unwrap().contains(named));
    }
    assert!(Exec::new(good).is_ok());
}
