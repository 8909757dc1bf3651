//! Tokens that go to other programs.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
};

use harness::{
    Token, World,
    authenticators::{Other, USERS_OATH, python},
    otpd::{audit, enrol, otpctl_with},
    process::{command, run},
};

use super::{Trip, present};

/// Prints what pyotp makes of URIs on the standard input: the code of the URI's counter, or of the
/// step that follows the URI.
const PYOTP: &str = r"
import sys, pyotp
for line in sys.stdin:
    uri, step = line.split()
    token = pyotp.parse_uri(uri)
    # Its counter begins at the URI's.
    hotp = isinstance(token, pyotp.HOTP)
    print(token.at(0) if hotp else token.at(int(step) * 30))
";

/// Exports everybody's tokens; the file's text.
fn export(format: &str) -> String {
    let file = format!("/run/e2e/exported-{format}");
    let arguments = ["export", "--all", "--format", format, "--output", &file, "--yes"];
    otpctl_with(&arguments, b"").ok();
    let meta = fs::metadata(&file).unwrap();
    assert_eq!((meta.mode() & 0o7777, meta.uid()), (0o600, 0), "{file}");
    fs::read_to_string(&file).unwrap()
}

/// pam_oath takes the next code of each token, and none that was used here.
#[test]
fn pam_oath_goes_on_where_otpd_was() {
    World::run(|world| {
        let mut trip = Trip::new(world);
        let now = present();
        let counted = enrol("alice", &["--method", "hotp"]);
        let timed = enrol("bob", &["--method", "totp"]);
        for (user, token, places) in
            [("alice", &counted, [0, 1, 3]), ("bob", &timed, [now - 2, now - 1, now])]
        {
            for place in places {
                trip.used("here", user, &token.at(place));
            }
        }
        let text = export("oath");
        fs::write(USERS_OATH, &text).unwrap();
        fs::set_permissions(USERS_OATH, fs::Permissions::from_mode(0o600)).unwrap();
        for (user, token, last) in [("alice", &counted, 3), ("bob", &timed, now)] {
            for place in [last - 2, last - 1, last] {
                assert!(!trip.admits("oath", user, &token.at(place)), "{user}: {place} of {last}");
            }
            trip.used("oath", user, &token.at(last + 1));
            assert!(!trip.admits("oath", user, &token.at(last + 1)), "{user}: twice");
            trip.used("oath", user, &token.at(last + 2));
            let left = audit(user).iter().filter(|record| record["event"] == "export").count();
            assert_eq!(left, 1, "the export of {user}'s key is not recorded");
        }
        // And back, with what was used there.
        let report = super::import(&[USERS_OATH]);
        assert_eq!(super::counts(&report), (0, 2, 2), "{report}");
        trip.refused("alice", &counted.at(5), "a code that was used there");
        trip.refused("bob", &timed.at(now + 2), "a code that was used there");
        trip.good_once("alice", &counted.at(6), "the next code");
        trip.good_once("bob", &timed.at(now + 3), "the next code");
        trip.leaves_no_trace(world, [counted, timed].iter());
    });
}

/// URIs, and QR codes that zbarimg reads: pyotp and pam_google_authenticator make the same codes of
/// them.
#[test]
fn others_make_the_same_codes_of_a_uri() {
    World::run(|world| {
        let mut trip = Trip::new(world);
        let now = present();
        let qr = "/run/e2e/qr.png";
        let timed = enrol("bob", &["--method", "totp", "--qr", qr]);
        let counted = enrol("alice", &["--method", "hotp", "--label", "A phone: 1%"]);
        trip.used("here", "alice", &counted.at(4));
        let text = export("otpauth");
        let uris: Vec<_> = text.lines().collect();
        let mut zbarimg = command("zbarimg");
        zbarimg.args(["--raw", "--quiet", "-Sdisable", "-Sqrcode.enable", qr]);
        let seen = run(&mut zbarimg, b"").ok();
        let [alices, bobs] = uris[..] else { panic!("{text}") };
        assert!(alices.contains("counter=5"), "{alices}");
        let asked = format!("{alices} -\n{bobs} {now}\n{} {now}\n", seen.trim_end());
        let codes = python(PYOTP, &[], asked.as_bytes());
        let codes: Vec<_> = codes.lines().collect();
        assert_eq!(codes, [counted.at(5), timed.at(now), timed.at(now)]);
        Other::GoogleAuthenticator.put("alice", &Token::of_uri(alices), 5);
        trip.used("google", "alice", codes[0]);
        trip.good_once("bob", codes[1], "pyotp's code");
    });
}
