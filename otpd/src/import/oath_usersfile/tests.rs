use std::collections::HashSet;

use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;

/// 2026-11-22T04:19:34Z, and its step.
const NOW: i64 = 1_795_321_174_000;
const STEP: u64 = 59_844_039;
const KEY: &str = "3132333435363738393031323334353637383930";

fn read_at(text: &str, now_ms: i64, zone: &TimeZone) -> Contents {
    let circumstances = Circumstances { now_ms, zone: zone.clone(), key: None };
    read(text.as_bytes(), &circumstances).unwrap()
}

fn contents(text: &str) -> Contents {
    read_at(text, NOW, &TimeZone::UTC)
}

fn row(line: &str) -> Row {
    let mut contents = contents(line);
    assert!(contents.rejects.is_empty(), "{line}: {:?}", contents.rejects);
    contents.rows.remove(0)
}

fn reason(line: &str) -> String {
    let mut contents = contents(line);
    assert!(contents.rows.is_empty(), "{line}");
    let reject = contents.rejects.remove(0);
    assert!(!reject.reason.contains(KEY) && !reject.reason.contains("4711"), "{}", reject.reason);
    reject.reason
}

fn code(place: u64, digits: u8) -> String {
    let secret = Secret::new(Zeroizing::new(b"12345678901234567890".to_vec())).unwrap();
    let code = hotp::value(&secret, Algorithm::Sha1, place, digits);
    String::from_utf8(code.expose().to_vec()).unwrap()
}

#[test]
fn the_types_are_those_of_pam_oath() {
    let totp = |seconds: u64| Factor::Totp { t0_ms: 0, period_ms: seconds * 1000 };
    for (kind, factor, digits) in [
        ("HOTP", Factor::Hotp, 6),
        ("HOTP/E", Factor::Hotp, 6),
        ("HOTP/E/6", Factor::Hotp, 6),
        ("HOTP/E/7", Factor::Hotp, 7),
        ("HOTP/E/8", Factor::Hotp, 8),
        ("HOTP/T30", totp(30), 6),
        ("HOTP/T30/7", totp(30), 7),
        ("HOTP/T60/8", totp(60), 8),
    ] {
        let row = row(&format!("{kind}\tjas\t-\t{KEY}\n"));
        assert_eq!((row.factor, row.digits), (factor, digits), "{kind}");
        assert_eq!((row.user.as_deref(), row.label.as_deref()), (Some("jas"), Some("oath-1")));
        assert_eq!((row.line, row.offset_ms), (1, 0));
    }
    for kind in [
        "TOTP",
        "hotp",
        "HOTP/6",
        "HOTP/E/5",
        "HOTP/E/9",
        "HOTP/E/06",
        "HOTP/T45",
        "HOTP/T",
        "HOTP/T30/",
        "HOTP/T30/6/SHA256",
        "HOTP/SHA256",
        "MOTP",
        "HOTP/",
        ";HOTP",
        "3132333435",
    ] {
        let reason = reason(&format!("{kind} jas - {KEY}"));
        assert!(reason.starts_with("this is no token"), "{kind}: {reason}");
        assert!(!reason.contains(kind) || kind == "HOTP/" || kind == "HOTP/T", "{kind}: {reason}");
    }
}

#[test]
fn a_line_that_cannot_be_read_is_rejected_with_its_reason() {
    for (line, why) in [
        ("HOTP", "no user"),
        ("HOTP jas", "no key"),
        ("HOTP jas -", "no key"),
        (&format!("HOTP jas 4711 {KEY}"), "is a PIN"),
        (&format!("HOTP jas -- {KEY}"), "is a PIN"),
        ("HOTP jas - 31323", "odd number"),
        ("HOTP jas - 3132333435363738393g", "not hexadecimal"),
        ("HOTP/T30/8 eve + 00", "all zeros"),
        ("HOTP jas - 313233343536373839", "72 bits"),
        (&format!("HOTP jas - {}", "31".repeat(33)), "more than 32 bytes"),
        (&format!("HOTP jas - {KEY} x"), "field 5, is no number"),
        (&format!("HOTP jas - {KEY} -"), "field 5, is no number"),
        (&format!("HOTP jas - {KEY} 9 520489 2026-11-22"), "field 7, is not like"),
        (&format!("HOTP jas - {KEY} 9 520489 2026-02-30T04:19:34L"), "field 7, is not like"),
        (&format!("HOTP jas - {KEY} 18446744073709551614"), "beyond any"),
        (&format!("HOTP jas - {KEY} -2"), "beyond any"),
        (&format!("HOTP/T30 jas - {KEY} 0 123456 2026-11-22T05:19:34L"), "--tz"),
    ] {
        let reason = reason(line);
        assert!(reason.contains(why), "{line}: {reason}");
    }
    let invalid = [b"HOTP \xff - ".as_slice(), KEY.as_bytes()].concat();
    let zone = TimeZone::UTC;
    let circumstances = Circumstances { now_ms: NOW, zone, key: None };
    assert!(read(&invalid, &circumstances).unwrap().rejects[0].reason.contains("UTF-8"));
    let refused = read(b"HOTP jas - 00\n\0", &circumstances).unwrap_err();
    assert!(refused.line == 0 && refused.reason.contains("NUL"), "{refused}");
}

#[test]
fn a_counter_is_past_the_last_code() {
    for (state, next, warned) in [
        ("", 0, false),
        ("5", 5, false),
        ("+5", 5, false),
        ("9 520489 2026-11-22T04:19:34L", 10, false),
        ("9 -", 9, false),
        ("9 - -", 9, false),
        ("8 520489", 10, true),
        ("9 000000 2026-11-22T04:19:34L", 10, true),
        ("9 abc", 10, true),
        ("9 520489 2026-11-22T04:19:34L more fields", 10, false),
    ] {
        let row = row(&format!("HOTP root + {KEY} {state}"));
        assert_eq!((row.next, !row.warnings.is_empty()), (next, warned), "{state}: {row:?}");
    }
    let eight = row(&format!("HOTP/E/8 root - {KEY} 3 {}", code(3, 8)));
    assert_eq!((eight.next, eight.warnings.len()), (4, 0));
}

#[test]
fn the_step_is_past_that_of_the_last_code() {
    let time = "2026-11-22T04:19:34L";
    for (state, next, warned) in [
        (String::new(), STEP + 1, false),
        ("19".to_owned(), STEP + 1, false),
        (format!("0 {} {time}", code(STEP, 6)), STEP + 1, false),
        (format!("0 {} {time}", code(STEP - 1, 6)), STEP, false),
        (format!("18446744073709551614 {} {time}", code(STEP - 5, 6)), STEP - 4, false),
        (format!("-2 {} {time}", code(STEP + 5, 6)), STEP + 6, false),
        (format!("19 {} {time}", code(STEP - 60, 6)), STEP - 59, false),
        (format!("0 {} 2026-11-22T04:09:34L", code(STEP - 20, 6)), STEP - 19, false),
        (format!("0 {} 2026-11-22T04:19:34L", code(STEP - 500, 6)), STEP + 6, true),
        (format!("0 {} 2026-11-21T04:19:34L", code(STEP, 6)), STEP + 1, true),
        (format!("0 garbage {time}"), STEP + 6, true),
        (format!("0 {}", code(STEP - 3, 6)), STEP + 1, false),
        (format!("0 {}", code(STEP + 3, 6)), STEP + 4, false),
    ] {
        let row = row(&format!("HOTP/T30 root - {KEY} {state}"));
        assert_eq!((row.next, !row.warnings.is_empty()), (next, warned), "{state}");
    }
}

#[test]
fn times_are_the_zones() {
    let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
    let line = |code: &str, time: &str| format!("HOTP/T30 a - {KEY} 0 {code} {time}");
    let read = |code: u64, time: &str, now: &str| {
        let now: Timestamp = now.parse().unwrap();
        let text = line(&self::code(code, 6), time);
        let mut contents = read_at(&text, now.as_millisecond(), &berlin);
        (contents.rejects.len(), contents.rows.pop().map(|row| (row.next, row.warnings.len())))
    };
    let step = |time: &str| {
        let time: Timestamp = time.parse().unwrap();
        u64::try_from(time.as_second()).unwrap() / 30
    };
    let (used, now) = (step("2026-11-22T04:19:34Z"), "2026-11-22T06:00:00Z");
    assert_eq!(read(used, "2026-11-22T05:19:34L", now), (0, Some((used + 1, 0))));
    let (_, wrong) = read(used, "2026-11-22T04:19:34L", now);
    assert_eq!(wrong, Some((step(now) + 1, 1)), "another zone's");
    // The hour that comes twice: both times it is found.
    for used in ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"] {
        let found = read(step(used), "2026-10-25T02:30:00L", "2026-10-25T09:00:00Z");
        assert_eq!(found, (0, Some((step(used) + 1, 0))), "{used}");
    }
    assert_eq!(read(1, "2026-11-22T05:19:34L", "2026-11-22T04:00:00Z"), (1, None), "ahead");
}

#[test]
fn nine_fields_are_those_of_mod_authn_otp() {
    let last = code(20, 6);
    let text = format!(
        "# users\nHOTP barney - {KEY} 21 0 {last} 2026-06-12T17:52:32L 192.168.1.1\n\
         HOTP/T45/5 joe + {KEY} -2\nHOTP/T wilma - {KEY}\nHOTP betty - {KEY} 7\n\
         MOTP fred - {KEY}\nHOTP/E/9 dino - {KEY}\nHOTP pin 1234 {KEY} 1\n"
    );
    let contents = contents(&text);
    let rows: Vec<_> = contents
        .rows
        .iter()
        .map(|row| (row.user.as_deref().unwrap(), row.factor, row.digits, row.next, row.offset_ms))
        .collect();
    let totp = |seconds: u64| Factor::Totp { t0_ms: 0, period_ms: seconds * 1000 };
    let forty_five = u64::try_from(NOW).unwrap() / 45_000;
    assert_eq!(
        rows,
        [
            ("barney", Factor::Hotp, 6, 21, 0),
            ("joe", totp(45), 5, forty_five - 1, -90_000),
            ("wilma", totp(30), 6, STEP + 1, 0),
            ("betty", Factor::Hotp, 6, 7, 0),
        ]
    );
    let rejects: Vec<_> = contents.rejects.iter().map(ToString::to_string).collect();
    assert_eq!(rejects.len(), 3);
    assert!(rejects[0].starts_with("line 6: Mobile-OTP"), "{rejects:?}");
    assert!(rejects[1].starts_with("line 7: this is no token"), "{rejects:?}");
    assert!(rejects[2].starts_with("line 8: field 3 is a PIN"), "{rejects:?}");

    // The clock of the device is ahead by as many steps as field 5 says.
    let used = code(STEP + 3, 6);
    let joe = row(&format!("HOTP/T30 joe - {KEY} 3 0 {used} 2026-11-22T04:19:34L 10.1.1.1"));
    assert_eq!((joe.next, joe.offset_ms, joe.warnings.len()), (STEP + 4, 90_000, 0));
    // The same line without an address is one of nine fields as well; with seven it is not.
    let joe = row(&format!("HOTP joe - {KEY} 3 0 {} 2026-11-22T04:19:34L", code(2, 6)));
    assert_eq!((joe.next, joe.warnings.len()), (3, 0));
    let joe = row(&format!("HOTP joe - {KEY} 2 {} 2026-11-22T04:19:34L", code(2, 6)));
    assert_eq!((joe.next, joe.warnings.len()), (3, 0));
    let old = row(&format!("HOTP/T30 joe - {KEY} 0 0 {} 2026-11-22T04:19:34Z -", code(STEP, 6)));
    assert_eq!(old.next, STEP + 1);
}

/// Where the last code belongs to two steps near its time, the later one counts.
#[test]
fn of_two_steps_with_the_last_code_the_later_one_counts() {
    let twice = (STEP - 20_000..STEP - 20)
        .flat_map(|first| (1..5).map(move |apart| (first, first + apart)))
        .find(|(first, second)| code(*first, 4) == code(*second, 4));
    let (first, second) = twice.unwrap();
    let (used, mut time) = (code(first, 4), String::new());
    for step in [first, second] {
        let at = Timestamp::from_second(30 * i64::try_from(step).unwrap()).unwrap();
        time = at.strftime("%Y-%m-%dT%H:%M:%SL").to_string();
        let row = row(&format!("HOTP/T30/4 a - {KEY} 0 0 {used} {time} -"));
        assert_eq!(row.next, second + 1);
    }
    // A line of pam_oath is one in a file of the other kind as well.
    let text = format!(
        "HOTP/T30/4 a - {KEY} 0 0 {used} {time} -\nHOTP b - {KEY} 9 520489 2026-11-22T04:19:34L\n"
    );
    let contents = contents(&text);
    assert_eq!((contents.rows[1].next, contents.rows[1].warnings.len()), (10, 0));
}

#[test]
fn comments_and_junk_leave_every_other_line_as_it_is() {
    let good = |user: &str, moving: u64| {
        format!("HOTP\t{user}\t-\t{KEY}\t{moving}\t{}\t2026-11-22T04:19:34L\r\n", code(moving, 6))
    };
    let text = format!(
        "\n  # comment\n#HOTP alice - {KEY} 900 123456\n{}junk\nHOTP/T30 broken\n\
         \tHOTP carol - zz 4\n{}\r\n{}HOTP alice + {KEY} 3",
        good("alice", 3),
        good("bob", 50),
        good("alice", 7),
    );
    let contents = contents(&text);
    let rows: Vec<_> = contents
        .rows
        .iter()
        .map(|row| (row.line, row.user.clone().unwrap(), row.label.clone().unwrap(), row.next))
        .collect();
    let row = |line, user: &str, label: &str, next| (line, user.to_owned(), label.to_owned(), next);
    assert_eq!(
        rows,
        [
            row(4, "alice", "oath-1", 4),
            row(8, "bob", "oath-1", 51),
            row(10, "alice", "oath-2", 8),
            row(11, "alice", "oath-3", 3),
        ]
    );
    let rejects: Vec<_> =
        contents.rejects.iter().map(|reject| (reject.line, reject.user.as_deref())).collect();
    assert_eq!(rejects, [(5, None), (6, Some("broken")), (7, Some("carol"))]);
}

#[test]
fn it_is_recognised_by_the_type_of_a_token() {
    for (text, known) in [
        ("HOTP root - 00", true),
        ("# a\n\nHOTP/T30/6\troot", true),
        ("junk\nHOTP/E a", true),
        ("", false),
        ("# HOTP root - 00", false),
        ("HOTPX root", false),
        ("otpauth://hotp/x", false),
        ("serial,HOTP", false),
    ] {
        assert_eq!(recognised(text.as_bytes()), known, "{text}");
    }
}

/// Words of which lines are made that are almost right.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("HOTP".to_owned()),
        Just("HOTP/T30".to_owned()),
        Just("HOTP/E/8".to_owned()),
        Just("#".to_owned()),
        Just("-".to_owned()),
        Just("+".to_owned()),
        Just("alice".to_owned()),
        Just(KEY.to_owned()),
        Just("2026-11-22T04:19:34L".to_owned()),
        Just("18446744073709551614".to_owned()),
        "[0-9]{1,9}",
        "\\PC{0,5}",
    ]
}

proptest! {
    #[test]
    fn no_input_breaks_it(bytes in proptest::collection::vec(any::<u8>(), 0..200), now_ms: i64) {
        let circumstances = Circumstances { now_ms, zone: TimeZone::UTC, key: None };
        let _ = (recognised(&bytes), read(&bytes, &circumstances).is_ok());
    }

    /// A line is taken, rejected or a comment; and what is beside it makes no difference to it.
    #[test]
    fn every_line_stands_for_itself(
        lines in proptest::collection::vec(
            proptest::collection::vec(word(), 0..9).prop_map(|words| words.join(" ")), 0..12),
    ) {
        let text = lines.join("\n");
        let all = contents(&text);
        let taken: HashSet<_> = all.rows.iter().map(|row| row.line).collect();
        let rejected: HashSet<_> = all.rejects.iter().map(|reject| reject.line).collect();
        prop_assert_eq!(taken.len(), all.rows.len());
        prop_assert!(taken.is_disjoint(&rejected));
        let nine = text.lines().any(|line| Line::of(line.as_bytes(), false).is_some_and(|l| l.nine));
        for row in all.rows.iter().filter(|_| !nine) {
            let alone = contents(lines[row.line - 1].split('\n').next().unwrap());
            prop_assert_eq!(alone.rows.len(), 1);
            prop_assert_eq!(alone.rows[0].next, row.next);
            prop_assert_eq!(&alone.rows[0].user, &row.user);
        }
    }

    /// The code that a file says was used last is not one that the token may still give.
    #[test]
    fn the_last_code_stays_used(
        totp: bool, moving in 0..1_000_u64, off in 0..10_u64, digits in 6..=8_u8, ago in 0..200_u64,
    ) {
        let text = if totp {
            let (used, time) = (STEP - ago + off - 5, NOW - 30_000 * ago.cast_signed());
            let time = Timestamp::from_millisecond(time).unwrap().strftime("%Y-%m-%dT%H:%M:%SL");
            format!("HOTP/T30/{digits} a - {KEY} 0 {} {time}", code(used, digits))
        } else {
            format!("HOTP/E/{digits} a - {KEY} {moving} {}", code(moving + off, digits))
        };
        let used = if totp { STEP - ago + off - 5 } else { moving + off };
        prop_assert!(row(&text).next > used);
    }
}
