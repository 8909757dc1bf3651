use std::fs;

use super::*;
use crate::{
    Hidden,
    stand_in::{self, is_root},
};

/// A stand-in for gnokii: a script of root's that answers `--version` and then does `sending`.
fn stand_in(version: &str, sending: &str) -> (tempfile::TempDir, Settings) {
    let folder = stand_in::folder();
    let script = format!(
        "#!/bin/sh\nif [ \"$1\" = --version ]; then\necho x >> versions\n{version}\nexit 0\nfi\n{sending}\n"
    );
    let path = stand_in::script(folder.path(), "gnokii", &script, 0o755);
    let state = folder.path().to_owned();
    let settings = Settings { path, ..Settings::new("/etc/otpd/gnokiirc".into(), state) };
    (folder, settings)
}

const GOOD: &str = "echo 'GNOKII Version 0.6.31' >&2";

fn message() -> Message {
    Message { text: Hidden::from("Prüf 482913 €"), ..Message::example(Recipient::phone()) }
}

#[test]
fn what_would_cut_the_text_gives_way() {
    let text = within_the_plane("🔑 482913 für Prüf €\u{10000}");
    assert_eq!(text.as_str(), "? 482913 für Prüf €?");
}

#[tokio::test]
async fn the_text_goes_to_standard_input_and_the_number_into_the_arguments() {
    if !is_root() {
        return;
    }
    let (folder, settings) = stand_in(GOOD, "cat > text; echo \"$@\" > called; env > variables");
    let smsc = PhoneNumber::parse("+491710760000", None).ok();
    let gnokii = Gnokii::new(Settings { smsc, ..settings }).unwrap();
    for _ in 0..2 {
        assert_eq!(gnokii.send(&message()).await.unwrap().id, None);
    }
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(read("text"), "Prüf 482913 €");
    assert_eq!(
        read("called"),
        "--config /etc/otpd/gnokiirc --sendsms +491701234581 --smsc +491710760000\n"
    );
    let environment = read("variables");
    assert!(environment.contains("LC_ALL=C.UTF-8\n"), "{environment}");
    assert!(environment.contains(&format!("HOME={}\n", folder.path().display())), "{environment}");
    assert_eq!(read("versions"), "x\n", "the release is asked for once");
    assert_eq!(gnokii.width(), 1);
}

#[tokio::test]
async fn every_failure_is_explained() {
    if !is_root() {
        return;
    }
    for (version, sending, explanation) in [
        (GOOD, "exit 28", "PIN"),
        (GOOD, "exit 8", "CMS error"),
        (GOOD, "exit 255", "dialout"),
        (GOOD, "echo 'no 482913 to +491701234581' >&2; exit 3", "no … to …"),
        ("echo GNOKII Version 0.6.28 >&2", "exit 0", "install 0.6.29"),
        ("echo GNOKII Version 0.6.28, >&2", "exit 0", "install 0.6.29"),
        ("echo hello", "exit 0", "tells no release: hello"),
    ] {
        let (_folder, settings) = stand_in(version, sending);
        let answer = Gnokii::new(settings).unwrap().send(&message()).await;
        let Err(Failure::Unavailable(text)) = answer else { panic!("{answer:?}") };
        assert!(text.contains(explanation) && !text.contains("482913"), "{text}");
    }
}

#[tokio::test]
async fn a_silent_modem_is_given_up() {
    if !is_root() {
        return;
    }
    let (_folder, settings) = stand_in(GOOD, "exec sleep 1000");
    let timeout = Duration::from_secs(1);
    let gnokii = Gnokii::new(Settings { timeout, ..settings }).unwrap();
    let answer = gnokii.send(&message()).await;
    assert!(
        matches!(&answer, Err(Failure::Unknown(text)) if text.contains("killed")),
        "{answer:?}"
    );
}

#[test]
fn settings_are_checked() {
    if !is_root() {
        return;
    }
    let (_folder, good) = stand_in(GOOD, "");
    for (settings, named) in [
        (Settings { path: "/nonexistent".into(), ..good.clone() }, "/nonexistent"),
        (Settings { config: "gnokiirc".into(), ..good.clone() }, "config"),
        (Settings { state: "state".into(), ..good.clone() }, "state"),
        (Settings { timeout: Duration::ZERO, ..good.clone() }, "timeout"),
        (Settings { timeout: Duration::from_secs(61), ..good.clone() }, "timeout"),
    ] {
        assert!(Gnokii::new(settings).err().unwrap().contains(named));
    }
    assert!(Gnokii::new(good).is_ok());
}
