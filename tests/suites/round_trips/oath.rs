//! A users file that Debian's pam_oath has used.

use std::fs;

use harness::{
    Host, Token, World,
    authenticators::{USERS_OATH, hex},
    crowd,
    otpd::otpctl_with,
    process::{command, run},
};
use serde_json::Value;

use super::{Trip, counts, import, present};

/// The key of the n-th token.
fn token(n: usize, digits: u32) -> Token {
    let key =
        run(command("base32").args(["-w", "0"]), format!("key of token {n:03} ....").as_bytes())
            .ok();
    let mut token = Token::of_key("hotp", key.trim_end_matches('='));
    token.digits = digits;
    token
}

/// A type as the file has it, its digits, the seconds of a step (0: a counter), and a window.
const TYPES: [(&str, u32, u64); 10] = [
    ("HOTP", 6, 0),
    ("HOTP/E", 6, 0),
    ("HOTP/E/6", 6, 0),
    ("HOTP/E/7", 7, 0),
    ("HOTP/E/8", 8, 0),
    ("HOTP/T30", 6, 30),
    ("HOTP/T30/6", 6, 30),
    ("HOTP/T30/8", 8, 30),
    ("HOTP/T60", 6, 60),
    ("HOTP/T60/7", 7, 60),
];

/// The first place of the codes of each type that is used: its counter, or the step before the
/// present.
fn firsts() -> [u64; TYPES.len()] {
    let now = present() * 30;
    TYPES.map(|(_, _, period)| now.checked_div(period).map_or(3, |step| step - 1))
}

/// Lines that pam_oath passes over.
const JUNK: [&str; 5] = [
    "# HOTP alice - 3132333435363738393031323334353637383930",
    "HOTP",
    "HOTP/E/9 alice - 3132333435363738393031323334353637383930",
    "TOTP alice - 3132333435363738393031323334353637383930",
    "/T30 \u{1b}[2J - 31",
];

/// A file of all types, with junk above and between, some of it of the same users: what is used is
/// written to the right line, and junk is nobody's token.
fn users_oath() -> (String, Vec<(String, Token)>) {
    let (mut text, mut tokens) = (String::new(), Vec::new());
    for (n, (kind, digits, period)) in TYPES.into_iter().enumerate() {
        let (user, token) = (crowd(n), token(n, digits));
        let counter = if period == 0 { " 3" } else { "" };
        text += &format!("{}\n\n", JUNK[n % JUNK.len()].replace("alice", &user));
        text += &format!("{kind}\t{user} - \t {}{counter}\n", hex(&token));
        tokens.push((user, token));
    }
    (text, tokens)
}

fn write(text: &str) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(USERS_OATH, text).unwrap();
    fs::set_permissions(USERS_OATH, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Each token used twice by pam_oath, in a zone far from UTC: what is next is good here, and what was
/// used is not.
#[test]
fn what_was_used_there_is_refused_here() {
    const ZONE: &str = "Asia/Kolkata";
    World::run(|world| {
        let mut trip = Trip::new(world);
        let (text, tokens) = users_oath();
        write(&text);
        let mut there = world.host_as(0, &[("TZ", ZONE)]);
        let firsts = firsts();
        for ((user, token), first) in tokens.iter().zip(firsts) {
            for code in token.codes(first, 2) {
                assert!(admits(&mut there, user, &code), "{user}: {code}");
            }
        }
        let used = fs::read_to_string(USERS_OATH).unwrap();
        // Comments are none.
        let rejected = TYPES.len() - TYPES.len() / JUNK.len();
        let arguments = ["--json", "import", USERS_OATH, "--tz", ZONE];
        let done = otpctl_with(&arguments, b"");
        let report: Value = serde_json::from_str(&done.stdout).unwrap();
        assert_eq!((done.code(), &report["rejected"]), (1, &rejected.into()), "{report}");
        let done = otpctl_with(&[&arguments[..], &["--accepted"]].concat(), b"");
        let report: Value = serde_json::from_str(&done.stdout).unwrap();
        assert_eq!(report["added"], TYPES.len(), "{report}");
        for (((user, token), first), (kind, ..)) in tokens.iter().zip(firsts).zip(TYPES) {
            for code in token.codes(first, 2) {
                trip.refused(user, &code, &format!("{kind}: a code that was used there"));
            }
            trip.good_once(user, &token.at(first + 2), &format!("{kind}: the next code"));
        }
        assert_eq!(fs::read_to_string(USERS_OATH).unwrap(), used);
        trip.leaves_no_trace(world, tokens.iter().map(|(_, token)| token));
    });
}

/// Several tokens of one user, of which some were used; and one that was never used.
#[test]
fn several_tokens_of_one_user_are_told_apart() {
    World::run(|world| {
        let mut trip = Trip::new(world);
        let tokens: Vec<_> = (0..3).map(|n| token(n, 6)).collect();
        let lines = tokens.iter().map(|token| format!("HOTP/E alice - {}\n", hex(token)));
        write(&lines.collect::<String>());
        trip.used("oath", "alice", &tokens[1].at(0));
        trip.used("oath", "alice", &tokens[1].at(2));
        trip.used("oath", "alice", &tokens[2].at(0));
        assert_eq!(counts(&import(&[USERS_OATH])), (3, 0, 0));
        for (token, used) in [(1, 0), (1, 1), (1, 2), (2, 0)] {
            trip.refused("alice", &tokens[token].at(used), "a code that was used there");
        }
        for (token, next) in [(0, 0), (1, 3), (2, 1)] {
            trip.good_once("alice", &tokens[token].at(next), "the next code");
        }
        assert_eq!(counts(&import(&[USERS_OATH])), (0, 3, 0));
    });
}

fn admits(host: &mut Host, user: &str, code: &str) -> bool {
    let login = harness::Login::new("oath", user);
    host.login(login, &[code.as_bytes()]).code() == harness::pam::code::SUCCESS
}
