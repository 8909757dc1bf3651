//! `token add --share` and `token share`: shown once, to a terminal or a private file.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::fake::{CODE, Machine, NEW, SECRET, uri};
use crate::qr::scanned;
use crate::terminal::Terminal;
use crate::{files, otpctl};

/// A machine with a token of alice's that waits to be shared.
fn offered() -> Machine {
    let machine = Machine::start();
    let done = otpctl(&machine, "--json token add alice --share", "");
    let document = done.document();
    assert_eq!((&document["state"], &document["share"]), (&json!("pending"), &json!("created")));
    assert!(document["share_until"].is_string());
    assert!(!done.out.contains(SECRET) && document.get("uri").is_none());
    machine
}

fn state(machine: &Machine) -> (String, Option<String>) {
    let state = machine.state.lock().unwrap();
    let token = state.tokens.iter().find(|token| token.id == NEW).unwrap();
    (token.state.clone(), token.share.clone())
}

#[test]
fn a_token_for_sharing_is_made_and_nothing_is_shown() {
    let machine = Machine::start();
    let done = otpctl(&machine, "token add alice --share", "");
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(done.out.contains("waits to be shared: `otpctl token share 01234567`"), "{}", done.out);
    let shown = otpctl(&machine, "token show 012345", "").out;
    assert!(shown.contains("Sharing:       created\n"), "{shown}");
    let list = otpctl(&machine, "token list", "").out;
    assert!(list.contains("\tpending, created\t"), "{list}");
    for with in ["--qr q.png", "--output f", "--no-confirm"] {
        let done = otpctl(&machine, &format!("token add alice --share {with}"), "");
        assert_eq!(done.code, 2, "{with}: {}", done.err);
    }
    assert_eq!(files(&machine), [""; 0]);
}

#[test]
fn n12_the_person_scans_continues_and_types_the_first_code() {
    for target in ["alice", "012345", NEW] {
        let machine = offered();
        let mut terminal = Terminal::run(&machine, &format!("token share {target}"), &[]);
        terminal.expect("Scan this QR code with your mobile device!\r\n");
        terminal.expect("Use FreeOTP or an other HOTP/TOTP App to scan the QR code.\r\n");
        terminal.expect("Continue: ");
        assert_eq!(state(&machine), ("pending".into(), Some("showing".into())));
        terminal.press(b"\n");
        terminal.expect("First code from the app: ");
        terminal.press(b"000000\n");
        terminal.expect("First code from the app: ");
        terminal.press(CODE);
        terminal.press(b"\n");
        let (code, screen) = terminal.end();
        assert_eq!(code, 0, "{screen}");
        assert!(screen.contains("Key: GEZD GNBV GY3T QOJQ"), "{screen}");
        assert!(screen.contains("The token 01234567 of alice (totp) is active."), "{screen}");
        assert!(!screen.contains("287082"), "{screen}");
        assert_eq!(state(&machine), ("active".into(), Some("shared".into())));
    }
}

/// The code may be typed at once; and where that confirms it, Enter is enough.
#[test]
fn n12_the_code_is_continue_as_well_and_with_ack_continue_is_all() {
    let machine = offered();
    let mut terminal = Terminal::run(&machine, "token share alice", &[]);
    terminal.expect("Continue: ");
    terminal.press(CODE);
    terminal.press(b"\n");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    assert!(!screen.contains("First code"), "{screen}");
    assert_eq!(state(&machine).0, "active");

    let machine = offered();
    machine.state.lock().unwrap().acknowledged = true;
    let mut terminal = Terminal::run(&machine, "token share alice", &[]);
    terminal.expect("Continue: ");
    terminal.press(b"\n");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("is active.") && !screen.contains("First code"), "{screen}");
    assert_eq!(state(&machine).0, "active");
}

#[test]
fn who_does_not_continue_is_told_what_becomes_of_it() {
    for keys in [&b"\x03"[..], b"\x04"] {
        let machine = offered();
        let mut terminal = Terminal::run(&machine, "token share alice", &[]);
        terminal.expect("Continue: ");
        terminal.press(keys);
        let (code, screen) = terminal.end();
        assert_eq!(code, 1, "{screen}");
        assert!(screen.contains("the key is destroyed unless"), "{screen}");
        assert!(screen.contains("otpctl token confirm 01234567"), "{screen}");
        assert_eq!(state(&machine).0, "pending");
    }
}

#[test]
fn n10_all_ten_outputs_are_in_the_document_and_the_png_is_the_uri() {
    let machine = offered();
    let done = otpctl(&machine, "--json token share alice --output s.json", "");
    assert_eq!(done.document()["share"], "showing", "without the secret");
    assert!(!done.out.contains(SECRET) && !done.err.contains(SECRET));
    let path = machine.path("s.json");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, 0o600);
    let told: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let names: BTreeSet<_> =
        told.as_object().unwrap().keys().filter(|name| name.starts_with("oath_")).collect();
    let expected = [
        "oath_account",
        "oath_algorithm",
        "oath_counter",
        "oath_digits",
        "oath_issuer",
        "oath_period",
        "oath_qrcode",
        "oath_qrcodeContent",
        "oath_secret",
        "oath_type",
    ];
    assert!(names.into_iter().eq(expected), "{told}");
    assert_eq!((&told["transition"], &told["token"]), (&json!("default"), &json!(NEW)));
    assert_eq!((&told["oath_type"], &told["oath_algorithm"]), (&json!("totp"), &json!("SHA1")));
    assert_eq!((&told["oath_digits"], &told["oath_period"]), (&json!(6), &json!(30)));
    assert_eq!((&told["oath_secret"], &told["oath_counter"]), (&json!(SECRET), &Value::Null));
    assert_eq!(told["oath_qrcodeContent"], uri());
    let picture = BASE64.decode(told["oath_qrcode"].as_str().unwrap().as_bytes()).unwrap();
    std::fs::write(machine.path("q.png"), picture).unwrap();
    assert_eq!(scanned(&machine.path("q.png")), uri());
    let done = otpctl(&machine, "--json token confirm 012345", "287082\n");
    assert_eq!(done.document()["state"], "active");
}

#[test]
fn the_document_goes_to_a_terminal_or_a_new_file_and_nowhere_else() {
    let machine = offered();
    for line in ["token share alice", "--json token share alice"] {
        let done = otpctl(&machine, line, "\n287082\n");
        assert_eq!((done.code, done.out.as_str()), (2, ""), "{line}");
        assert!(done.err.contains("--output FILE"), "{}", done.err);
    }
    std::fs::write(machine.path("there"), "x").unwrap();
    assert_eq!(otpctl(&machine, "token share alice --output there", "").code, 1);
    assert_eq!(state(&machine).1.as_deref(), Some("created"), "nothing was shown to nobody");
    let (code, screen) = Terminal::run(&machine, "--json token share alice", &[]).end();
    assert_eq!(code, 0, "{screen}");
    let document: Value = serde_json::from_str(&screen).unwrap();
    assert_eq!(document["oath_secret"], SECRET);
}

/// Without a person lines of standard input are the answers.
#[test]
fn a_script_continues_with_lines() {
    let machine = offered();
    let done = otpctl(&machine, "token share alice --output s", "\n287082\n");
    assert_eq!(done.code, 0, "{}", done.err);
    assert_eq!(state(&machine).0, "active");
    let machine = offered();
    machine.state.lock().unwrap().acknowledged = true;
    let done = otpctl(&machine, "--json token share alice --output s", "\n");
    assert_eq!(done.document()["state"], "active");
}

#[test]
fn n16_each_transition_has_its_exit_status_and_its_codes() {
    let machine = offered();
    assert_eq!(otpctl(&machine, "--json token share alice --output first", "").code, 0);
    for (line, code, error, last) in [
        ("token share alice --output f", 6, "AlreadyShared", 11),
        ("token share 3f2a91bc --output f", 6, "AlreadyShared", 11),
        ("token share carol --output f", 5, "NoCredential", 11),
        ("token share fedcba9876543210fedcba9876543210 --output f", 5, "NoCredential", 11),
        ("token share alice --client nobody --output f", 7, "UnknownClient", 1),
        ("token share mallory --output f", 3, "AccessDenied", 99),
        ("token share 3f2a91 --output f", 2, "Usage", 99),
        ("token share alice --output first", 1, "Failed", 99),
    ] {
        let done = otpctl(&machine, &format!("--json {line}"), "");
        let document: Value = serde_json::from_str(&done.err).unwrap();
        assert_eq!((done.code, &document["error"]), (code, &json!(error)), "{line}: {document}");
        assert_eq!(document["lasterror"], last, "{line}");
        assert_eq!(document["lasterrorinfo"], document["message"], "{line}");
        let plain = otpctl(&machine, line, "");
        assert_eq!(plain.code, code, "{}", plain.err);
        assert!(plain.err.starts_with("otpctl: "), "{}", plain.err);
    }
    assert_eq!(files(&machine), ["first"], "the files of what failed are gone");
}

#[test]
fn an_administrator_shares_again_or_has_it_wait() {
    let machine = offered();
    let done = otpctl(&machine, "token share 3f2a91bc --reshare --later", "");
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(done.out.contains("waits to be shared, with another key"), "{}", done.out);
    let done = otpctl(&machine, "--json token share 3f2a91bc --reshare --output f", "");
    assert_eq!(done.code, 0, "{}", done.err);
    for line in [
        "token share alice --later",
        "token share alice --reshare --later --output g",
        "token share",
    ] {
        assert_eq!(otpctl(&machine, line, "").code, 2, "{line}");
    }
    let calls = machine.calls();
    let shares: Vec<_> = calls.iter().filter(|call| call.starts_with("Share ")).collect();
    assert!(shares[0].ends_with("reshare=Some(true) later=Some(true) result=None"), "{shares:?}");
    assert!(shares[1].ends_with("reshare=Some(true) later=None result=None"), "{shares:?}");
}
