//! Files that Debian's `google-authenticator` has written and its module has used.

use std::fs;

use harness::{
    World,
    authenticators::{Made, google_authenticator, secret_file},
    crowd,
    otpd::{audit, otpctl_with},
};
use serde_json::Value;

use super::{Trip, counts, import, known_already, present};

/// Options of a file, the first step or counter that is used there, and how far beyond the last one
/// used the next is that is good here.
type Kind = (&'static [&'static str], u64, u64);

/// The files of some users, as a shell would list them.
fn files(made: &[Made]) -> Vec<String> {
    made.iter().map(|made| secret_file(&made.user)).collect()
}

fn import_files(made: &[Made]) -> Value {
    let files = files(made);
    import(&files.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Files of every kind, each used twice and with one scratch code: what is next is good here, and
/// what was used is not, whenever it is imported again.
#[test]
fn what_was_used_there_is_refused_here() {
    World::run(|world| {
        let mut trip = Trip::new(world);
        let now = present();
        let kinds: [Kind; 5] = [
            // The file says which codes were used.
            (&["-t", "-d", "-w", "17", "-u"], now - 1, 1),
            (&["-t", "-d", "-w", "5", "-r", "9", "-R", "30"], now - 1, 1),
            // It does not: the present code may have been.
            (&["-t", "-D", "-w", "17", "-u"], now - 1, 5),
            (&["-c", "-w", "5", "-u"], 1, 1),
            (&["-c", "-W", "-r", "9", "-R", "30"], 1, 1),
        ];
        let mut made = Vec::new();
        for (n, (options, first, _)) in kinds.iter().enumerate() {
            let user = google_authenticator(&crowd(n), options);
            for code in user.token.codes(*first, 2) {
                trip.used("google", &user.user, &code);
            }
            trip.used("google", &user.user, &user.scratch[0]);
            made.push(user);
        }
        let before: Vec<_> = files(&made).iter().map(|file| fs::read(file).unwrap()).collect();
        assert_eq!(counts(&import_files(&made)), (5, 0, 0));
        for (user, (options, first, ahead)) in made.iter().zip(kinds) {
            let what = |code: &str| format!("{code} of {options:?}");
            for code in user.token.codes(first, 2) {
                trip.refused(&user.user, &code, &what("a code that was used there"));
            }
            assert!(!trip.admits("here", &user.user, &user.scratch[0]), "{options:?}");
            trip.good_once(&user.user, &user.token.at(first + 1 + ahead), &what("the next code"));
            trip.good_once(&user.user, &user.scratch[1], &what("a scratch code"));
        }
        // Nothing comes back, and nothing is taken twice.
        known_already(&import_files(&made), 5);
        for (user, (options, first, ahead)) in made.iter().zip(kinds) {
            let code = user.token.at(first + 1 + ahead);
            trip.refused(&user.user, &code, &format!("a code that was used here, {options:?}"));
            assert!(!trip.admits("here", &user.user, &user.scratch[1]), "{options:?}");
        }
        let after: Vec<_> = files(&made).iter().map(|file| fs::read(file).unwrap()).collect();
        assert_eq!(before, after, "an import has changed a file");
        trip.leaves_no_trace(world, made.iter().map(|made| &made.token));
    });
}

/// While both modules know a key, a code is good once at each; another import tells otpd of it.
#[test]
fn what_is_used_there_afterwards_is_known_after_another_import() {
    World::run(|world| {
        let mut trip = Trip::new(world);
        let user = google_authenticator("alice", &["-c", "-w", "9", "-u"]);
        let made = [user];
        assert_eq!(counts(&import_files(&made)), (1, 0, 0));
        let [first, second, third] = [1, 2, 3].map(|counter| made[0].token.at(counter));
        trip.used("google", "alice", &first);
        trip.good_once("alice", &first, "a code that was used there after the import");
        trip.used("google", "alice", &second);
        assert_eq!(counts(&import_files(&made)), (0, 1, 1));
        trip.refused("alice", &second, "a code that was used there before the second import");
        trip.good_once("alice", &third, "the next code");
    });
}

/// A device whose clock is two minutes ahead, as the module has learned.
#[test]
fn a_clock_that_is_ahead_stays_known() {
    const AHEAD: u64 = 4;
    World::run(|world| {
        let mut trip = Trip::new(world);
        let user = google_authenticator("alice", &["-t", "-d", "-w", "3", "-u"]);
        let text = fs::read_to_string(secret_file("alice")).unwrap();
        let (key, rest) = text.split_once('\n').unwrap();
        fs::write(secret_file("alice"), format!("{key}\n\" TIME_SKEW {AHEAD}\n{rest}")).unwrap();
        let shown = present() + AHEAD;
        let made = [user];
        let code = made[0].token.at(shown);
        trip.used("google", "alice", &code);
        assert_eq!(counts(&import_files(&made)), (1, 0, 0));
        trip.refused("alice", &code, "a code that was used there");
        // Without the skew this would be 12 steps ahead, and 9 are looked at.
        trip.good_once("alice", &made[0].token.at(shown + 8), "a later code");
    });
}

/// As many attempts as the file allows, and no more.
#[test]
fn a_limit_of_attempts_is_kept() {
    World::run(|world| {
        let mut trip = Trip::new(world);
        let user = google_authenticator("alice", &["-c", "-w", "5", "-r", "3", "-R", "600"]);
        let (token, scratch) = (user.token.at(1), user.scratch[0].clone());
        let wrong = user.token.wrong();
        assert_eq!(counts(&import_files(&[user])), (1, 0, 0));
        for _ in 0..3 {
            assert!(!trip.admits("here", "alice", &wrong));
        }
        for code in [token, scratch] {
            assert!(!trip.admits("here", "alice", &code), "a fourth attempt in ten minutes");
            assert_eq!(audit("alice").last().unwrap()["result"], "locked");
        }
    });
}

/// Files with which the module lets nobody in are refused, and nothing else is taken then.
#[test]
fn a_file_that_never_worked_is_refused() {
    World::run(|world| {
        let mut trip = Trip::new(world);
        let alice = google_authenticator("alice", &["-c", "-w", "5", "-u"]);
        let bob = google_authenticator("bob", &["-c", "-w", "5", "-u"]);
        let (alices, bobs) = (secret_file("alice"), secret_file("bob"));
        let text = fs::read_to_string(&bobs).unwrap();
        for (what, bad) in [
            ("a window of none", text.replace("WINDOW_SIZE 5", "WINDOW_SIZE 0")),
            ("a limit in words", format!("{text}\" RATE_LIMIT three 30\n")),
            ("a key that is none", text.replacen(char::is_alphabetic, "!", 1)),
            ("neither time nor counter", text.replace("HOTP_COUNTER 1", "HOTP_COUNTER x")),
        ] {
            fs::write(&bobs, &bad).unwrap();
            assert!(!trip.admits("google", "bob", &bob.token.at(1)), "the module takes {what}");
            fs::write(&bobs, &bad).unwrap();
            let done = otpctl_with(&["--json", "import", &alices, &bobs], b"");
            assert_eq!(done.code(), 1, "{what}: {done:?}");
            let report: Value = serde_json::from_str(&done.stdout).unwrap();
            assert_eq!(report["applied"], false, "{what}: {report}");
            assert_eq!(report["rejects"][0]["file"], bobs, "{what}: {report}");
        }
        assert!(!trip.admits("here", "alice", &alice.token.at(1)));
    });
}
