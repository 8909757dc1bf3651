use jiff::tz::TimeZone;
use otp_core::{
    account::Account,
    code::Reply,
    consume::{Rules, Scope, consume},
    enrolment::NewToken,
    hotp,
    import::{Imported, admit},
    issued::Terms,
    throttle::Lockout,
    token::State,
    window::Windows,
};
use proptest::prelude::*;

use super::*;

/// 2026-11-22T04:33:14Z: step 59844053.
const NOW: i64 = 1_795_321_594_000;
const STEP: u64 = 59_844_053;
/// The key of RFC 4226's examples.
const KEY: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

fn circumstances() -> Circumstances {
    Circumstances { now_ms: NOW, zone: TimeZone::UTC, key: None }
}

fn file(lines: &[&str]) -> Vec<u8> {
    lines.iter().fold(format!("{KEY}\n"), |text, line| text + line + "\n").into_bytes()
}

fn row(lines: &[&str]) -> Row {
    row_of(&file(lines))
}

fn row_of(bytes: &[u8]) -> Row {
    let mut contents = read(bytes, &circumstances()).unwrap();
    assert!(contents.rejects.is_empty());
    contents.rows.remove(0)
}

fn refusal(bytes: &[u8]) -> (usize, String) {
    let reject = read(bytes, &circumstances()).unwrap_err();
    (reject.line, reject.reason)
}

fn codes(row: &Row) -> Vec<&str> {
    row.recovery.iter().map(|code| std::str::from_utf8(code.expose()).unwrap()).collect()
}

const TOTP: &str = "\" TOTP_AUTH";

#[test]
fn a_file_as_the_module_writes_it() {
    let row = row(&[
        TOTP,
        "\" DISALLOW_REUSE 59844057",
        "\" WINDOW_SIZE 3",
        "\" TIME_SKEW 4",
        "\" RATE_LIMIT 3 30 1795321594",
        "\" LAST0 192.0.2.7 1795321594",
        "12345678",
    ]);
    assert_eq!(row.factor, Factor::Totp { t0_ms: 0, period_ms: 30_000 });
    assert_eq!((row.algorithm, row.digits, row.line), (Algorithm::Sha1, 6, 1));
    assert_eq!(row.secret.expose(), b"12345678901234567890");
    assert_eq!(row.offset_ms, 120_000);
    assert_eq!(row.next, 59_844_059, "the login that taught the skew may be in no list");
    assert_eq!(row.pace, Some((3, 30_000)));
    assert_eq!(codes(&row), ["12345678"]);
    assert_eq!(row.warnings.len(), 2, "{:?}", row.warnings);
}

#[test]
fn the_key_is_read_as_the_module_reads_it() {
    for (line, key) in [
        ("GEZDGNBVGY3TQOJQ", "1234567890"),
        ("gezdgnbvgy3tqojq", "1234567890"),
        ("GEZD GNBV\tGY3T-QOJQ\r", "1234567890"),
        ("GEZDGNBVGY3TQ0JQ", "1234567890"),
        ("GEZDGNBVGY3TQOJQGA", "12345678900"),
        ("GEZDGNBVGY3TQOJQGB", "12345678900"),
        ("GEZDGNBVGY3TQOJQG", "1234567890"),
        ("GEZDGNBVGY3TQOJQGA======", "12345678900"),
    ] {
        let row = row_of(format!("{line}\n{TOTP}\n").as_bytes());
        assert_eq!(row.secret.expose(), key.as_bytes(), "{line}");
        let padded = row.warnings.iter().any(|warning| warning.contains('='));
        assert_eq!(padded, line.contains('='), "{line}: {:?}", row.warnings);
        assert!(row.warnings.iter().any(|warning| warning.contains("fewer than the 128")));
    }
    let mistyped = base32(b"018OLB").unwrap().0;
    assert_eq!(mistyped, base32(b"OLBOLB").unwrap().0, "0, 1 and 8 are what they look like");
    for line in ["GEZDGNBVGY3TQOJ9", "GEZDGNBV!", "GEZ=DGNBVGY3TQOJQ", "\u{e9}", "\" TOTP_AUTH"] {
        let (number, reason) = refusal(format!("{line}\n{TOTP}\n").as_bytes());
        assert_eq!((number, reason.as_str()), (1, "the first line is no key in base32"), "{line}");
    }
    for (line, why) in [
        ("", "the key has 0 bits"),
        ("GE", "the key has 8 bits"),
        ("GEZDGNBVGY3TQOI", "the key has 72 bits"),
        ("AAAAAAAAAAAAAAAA", "all zeros"),
        (&"GEZDGNBV".repeat(26), "the key has 130 bytes"),
    ] {
        let (number, reason) = refusal(format!("{line}\n{TOTP}\n").as_bytes());
        assert!(number == 1 && reason.contains(why), "{line}: {reason}");
    }
}

#[test]
fn what_the_module_does_not_read_is_refused() {
    let long = |length: usize| {
        let mut bytes = file(&[TOTP, "\" WINDOW_SIZE 3"]);
        bytes.resize(length, b'\n');
        bytes
    };
    assert!(read(&long(65_536), &circumstances()).is_ok());
    for (bytes, why) in [
        (long(65_537), "1 to 65536 bytes"),
        (Vec::new(), "1 to 65536 bytes"),
        ([file(&[TOTP]), vec![0]].concat(), "NUL"),
        (file(&[]), "neither TOTP_AUTH nor HOTP_COUNTER"),
        (file(&["\" HOTP_COUNTER 0"]), "neither"),
        (file(&["\" HOTP_COUNTER -1"]), "neither"),
        (file(&["\" HOTP_COUNTER many"]), "neither"),
        (file(&["\" HOTP_COUNTERS 5"]), "neither"),
        (file(&["TOTP_AUTH"]), "neither"),
    ] {
        let (line, reason) = refusal(&bytes);
        assert!(line == 0 && reason.contains(why), "{reason}");
    }
}

#[test]
fn a_counter_comes_before_time() {
    for (lines, next) in [
        (&["\" HOTP_COUNTER 1"][..], 1),
        (&["\" HOTP_COUNTER 12", TOTP], 12),
        (&["\" HOTP_COUNTER\t12"], 12),
        (&["\" HOTP_COUNTER  12 and more"], 12),
        (&["\" HOTP_COUNTER 7", "\" HOTP_COUNTER 9"], 7),
        (&["12345678", "junk", "\" HOTP_COUNTER 7"], 7),
        (&["\" HOTP_COUNTER 7", "\" STEP_SIZE 99", "\" DISALLOW_REUSE x"], 7),
        (&["\" HOTP_COUNTER 99999999999999999999"], i64::MAX.unsigned_abs()),
    ] {
        let row = row(lines);
        assert_eq!((row.factor, row.next, row.offset_ms), (Factor::Hotp, next, 0), "{lines:?}");
    }
    for lines in [
        &["\" HOTP_COUNTER 0", TOTP][..],
        &["\" HOTP_COUNTER none", TOTP],
        &["\" HOTP_COUNTER 0", TOTP, "\" HOTP_COUNTER 5"],
        &["anything \" TOTP_AUTH"],
        &["\" TOTP_AUTHENTICATION"],
    ] {
        assert!(matches!(row(lines).factor, Factor::Totp { .. }), "{lines:?}");
    }
}

#[test]
fn no_step_that_may_have_been_used_is_next() {
    for (lines, next) in [
        // Nothing is known.
        (&[TOTP][..], STEP + 1),
        // Nothing was used.
        (&[TOTP, "\" DISALLOW_REUSE"], 0),
        (&[TOTP, "\" DISALLOW_REUSE "], 0),
        (&[TOTP, "\" DISALLOW_REUSE 59844053"], STEP + 1),
        (&[TOTP, "\" DISALLOW_REUSE 59844050"], STEP - 2),
        (&[TOTP, "\" DISALLOW_REUSE 59844052 59844054  59844053 "], STEP + 2),
        (&[TOTP, "\" DISALLOW_REUSE 59844050", "\" DISALLOW_REUSE 59844053"], STEP - 2),
        (&[TOTP, "\" STEP_SIZE 60"], STEP / 2 + 1),
        (&[TOTP, "\" STEP_SIZE 60", "\" STEP_SIZE 30"], STEP / 2 + 1),
        (&[TOTP, "\" TIME_SKEW 4"], STEP + 6),
        (&[TOTP, "\" TIME_SKEW -4"], STEP - 2),
        (&[TOTP, "\" TIME_SKEW -4", "\" DISALLOW_REUSE 59844053"], STEP + 1),
        (&[TOTP, "\" RESETTING_TIME_SKEW 59844053+200"], STEP + 1),
    ] {
        assert_eq!(row(lines).next, next, "{lines:?}");
    }
    for (skew, steps) in [("4", 4), ("-7", -7), ("+3 x", 3), ("x", 0), ("", 0), ("0", 0)] {
        let row = row(&[TOTP, &format!("\" TIME_SKEW {skew}")]);
        assert_eq!(row.offset_ms, steps * 30_000, "{skew}");
    }
    let row = row(&[TOTP, "\" STEP_SIZE 60", "\" TIME_SKEW 2"]);
    assert_eq!(row.factor, Factor::Totp { t0_ms: 0, period_ms: 60_000 });
    assert_eq!(row.offset_ms, 120_000);
}

#[test]
fn a_file_with_which_the_module_lets_nobody_in_is_refused() {
    for (option, line) in [
        ("STEP_SIZE 0", 3),
        ("STEP_SIZE 61", 3),
        ("STEP_SIZE x", 3),
        ("STEP_SIZE", 3),
        ("STEP_SIZE 30s", 3),
        ("WINDOW_SIZE 0", 3),
        ("WINDOW_SIZE 101", 3),
        ("WINDOW_SIZE -1", 3),
        ("WINDOW_SIZE", 3),
        ("DISALLOW_REUSE x", 3),
        ("DISALLOW_REUSE 1,2", 3),
        ("DISALLOW_REUSE 59844053x", 3),
        ("DISALLOW_REUSE -1", 3),
        ("DISALLOW_REUSE 59844154", 3),
        ("RATE_LIMIT", 3),
        ("RATE_LIMIT 3", 3),
        ("RATE_LIMIT 3,30", 3),
        ("RATE_LIMIT 0 30", 3),
        ("RATE_LIMIT 101 30", 3),
        ("RATE_LIMIT 3 0", 3),
        ("RATE_LIMIT 3 3601", 3),
        ("RATE_LIMIT 3 30 ", 3),
        ("RATE_LIMIT 3 30 x", 3),
        ("RATE_LIMIT 3 30x", 3),
    ] {
        let (number, reason) = refusal(&file(&[TOTP, &format!("\" {option}")]));
        let name = option.split(' ').next().unwrap();
        assert!(number == line && reason.starts_with(name), "{option}: {number}: {reason}");
    }
    for option in [
        "STEP_SIZE 1",
        "STEP_SIZE 60 x",
        "WINDOW_SIZE 100",
        "DISALLOW_REUSE 59844153",
        "RATE_LIMIT 1 1",
        "RATE_LIMIT 100 3600",
        "RATE_LIMIT 3\t30 1 2 3",
    ] {
        row(&[TOTP, &format!("\" {option}")]);
    }
    assert_eq!(row(&[TOTP]).pace, None);
}

#[test]
fn scratch_codes_end_where_the_module_stops_to_read_them() {
    for (lines, left, remark) in [
        (&[TOTP, "12345678", "87654321"][..], &["12345678", "87654321"][..], None),
        (&["12345678", TOTP, "87654321"], &["12345678", "87654321"], None),
        (&[TOTP, "", "12345678\r", "\r", " +87654321"], &["12345678", "87654321"], None),
        (
            &[TOTP, "12345678", "junk", "87654321"],
            &["12345678"],
            Some("line 4 is no scratch code; 1 "),
        ),
        (&[TOTP, "01234567", "87654321"], &[], Some("line 3 is no scratch code; 1 ")),
        (&[TOTP, "1234567"], &[], Some("line 3 is no scratch code; 0 ")),
        (&[TOTP, "123456789"], &[], Some("line 3")),
        (&[TOTP, "12345678 "], &[], Some("line 3")),
        (&[TOTP, "12345678 x"], &[], Some("line 3")),
        (&[TOTP, "-12345678"], &[], Some("line 3")),
        (&[TOTP, "012345678"], &["12345678"], None),
        (
            &[TOTP, "12345678", "junk", "more", "87654321", "\" STEP_SIZE 60"],
            &["12345678"],
            Some("line 4"),
        ),
    ] {
        let row = row(lines);
        assert_eq!(codes(&row), left, "{lines:?}");
        let found = row.warnings.iter().find(|warning| warning.starts_with("line "));
        match remark {
            Some(remark) => assert!(found.unwrap().starts_with(remark), "{lines:?}: {found:?}"),
            None => assert_eq!(found, None, "{lines:?}"),
        }
    }
    let step = row(&[TOTP, "junk", "\" STEP_SIZE 60"]).factor;
    assert_eq!(step, Factor::Totp { t0_ms: 0, period_ms: 60_000 }, "options go on after it");
}

#[test]
fn what_is_not_carried_over_is_said_without_a_secret() {
    let row = row(&[TOTP, "\" WINDOW_SIZE 17", "\" SECRETWORD 1", "\"MORE", "\" LAST3 h 1"]);
    let said = row.warnings.join("\n");
    for part in ["WINDOW_SIZE 17", "LAST0 to LAST9", "line 4 is no option"] {
        assert!(said.contains(part), "{said}");
    }
    assert!(!said.contains("SECRETWORD") && !said.contains(KEY), "{said}");
    assert!(!format!("{row:?}").contains(KEY));
}

#[test]
fn it_is_recognised_by_its_key_and_its_options() {
    assert!(recognised(&file(&[TOTP])));
    assert!(recognised(&file(&["12345678", "\" HOTP_COUNTER 1"])));
    for other in [
        &b""[..],
        b"GEZDGNBVGY3TQOJQ\n",
        b"\n\" TOTP_AUTH\n",
        b"otpauth://totp/a?secret=GEZDGNBVGY3TQOJQ\n\" TOTP_AUTH",
        b"HOTP/T30 root - 00\n\" x",
        b"{\"a\":\n\" b\"}",
        b"GEZDGNBVGY3TQOJQ\n\" TOTP_AUTH\n\0",
    ] {
        assert!(!recognised(other), "{}", String::from_utf8_lossy(other));
    }
}

/// Whether a login with the code succeeds after the row was admitted.
fn accepted(row: Row, code: &[u8], now_ms: i64) -> bool {
    let mut account = Account::default();
    let token = NewToken {
        id: "0".repeat(32),
        label: String::new(),
        method: "totp".to_owned(),
        factor: row.factor,
        algorithm: row.algorithm,
        digits: row.digits,
        secret: row.secret,
        pending_until_ms: None,
        share: false,
        expires_ms: None,
    };
    let Row { next, offset_ms, .. } = row;
    admit(&mut account, Imported { token, next, offset_ms, state: State::Active }, NOW).unwrap();
    let lockout = Lockout { after: 5, first_ms: 1, longest_ms: 1, disable_after: 100 };
    let rules = Rules {
        lockout: &lockout,
        windows: &|_| Some(Windows { before: 9, after: 9, look_ahead: 50 }),
        recovery_key: &[7; 32],
        recovery: true,
        service: "login",
        issued: Terms::default(),
    };
    consume(Some(&mut account), &Reply::parse(code), Scope::Login, &rules, now_ms).is_ok()
}

fn key_code(place: u64) -> Digits {
    let secret = otp_core::secret::Secret::new(Zeroizing::new(b"12345678901234567890".to_vec()));
    hotp::value(&secret.unwrap(), Algorithm::Sha1, place, 6)
}

proptest! {
    #[test]
    fn no_input_breaks_it(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = (recognised(&bytes), read(&bytes, &circumstances()).is_ok());
    }

    #[test]
    fn no_options_break_it(
        options in proptest::collection::vec(
            ("(TOTP_AUTH|HOTP_COUNTER|STEP_SIZE|TIME_SKEW|DISALLOW_REUSE|RATE_LIMIT)", "[-+0-9 x\t]{0,24}"),
            0..8,
        ),
        now_ms: i64,
    ) {
        let lines: Vec<_> = options.iter().map(|(name, value)| format!("\" {name} {value}")).collect();
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        let circumstances = Circumstances { now_ms, ..circumstances() };
        let _ = read(&file(&lines), &circumstances);
    }

    /// What the module has written down as used is not accepted here.
    #[test]
    fn used_steps_stay_used(
        used in proptest::collection::vec(-20..20_i64, 1..6),
        skew in proptest::option::of(-20..20_i64),
        later in 0..20_u64,
    ) {
        let centre = STEP.saturating_add_signed(skew.unwrap_or(0));
        let used: Vec<_> = used.into_iter().map(|step| centre.saturating_add_signed(step)).collect();
        let list: Vec<_> = used.iter().map(u64::to_string).collect();
        let mut lines = vec![TOTP.to_owned(), format!("\" DISALLOW_REUSE {}", list.join(" "))];
        lines.extend(skew.map(|skew| format!("\" TIME_SKEW {skew}")));
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        let now_ms = NOW + 30_000 * later.cast_signed();
        for step in &used {
            prop_assert!(!accepted(row(&lines), key_code(*step).expose(), now_ms), "{step}");
        }
        let last = used.iter().max().unwrap();
        let next = row(&lines).next;
        prop_assert!(next > *last);
        let at_ms = i64::try_from(next).unwrap() * 30_000 - row(&lines).offset_ms;
        prop_assert!(accepted(row(&lines), key_code(next).expose(), at_ms), "the next one is good");
    }

    #[test]
    fn used_counters_stay_used(next in 1..1_000_u64, back in 1..5_u64) {
        let lines = [format!("\" HOTP_COUNTER {next}")];
        let read = || row(&[lines[0].as_str()]);
        let used = key_code(next.saturating_sub(back));
        let among = (next..next + 51).any(|counter| key_code(counter) == used);
        prop_assert!(among || !accepted(read(), used.expose(), NOW));
        prop_assert!(accepted(read(), key_code(next).expose(), NOW));
    }
}
