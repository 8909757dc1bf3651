//! Tokens that came from other programs, or go to them: what those programs wrote and used, and what
//! they make of what is written here.

mod export;
mod google_authenticator;
mod oath;
mod pskc;

use std::{
    fs,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use harness::{
    Login, MODULE, Otpd, Token, World,
    authenticators::{Other, hex},
    otpd::{audit, otpctl_with},
    pam::{Host, code},
};
use serde_json::Value;

/// A method for apps whose codes are good for minutes, so that the time which a test takes does not
/// matter.
const WIDE: &str = "[lockout]\nafter = 90\n[[method]]\nname = \"totp\"\ntype = \"totp\"\n\
    window_before = 9\nwindow_after = 9\n";

/// The step of 30 seconds that it is.
fn present() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 30
}

/// A machine with otpd and another module, each at a service of its own.
struct Trip {
    otpd: Otpd,
    host: Host,
}

impl Trip {
    fn new(world: &World) -> Self {
        let otpd = world.otpd(WIDE);
        world.stack("here", &[&format!("required {MODULE}")]);
        let google = Other::GoogleAuthenticator.module();
        world.stack("google", &[&format!("required {google}")]);
        world.stack("oath", &["required pam_oath.so usersfile=/etc/users.oath window=8"]);
        Self { otpd, host: world.host() }
    }

    /// Whether a code is good at a service.
    fn admits(&mut self, service: &str, user: &str, code: &str) -> bool {
        self.host.login(Login::new(service, user), &[code.as_bytes()]).code() == code::SUCCESS
    }

    /// The code is good at another module, as it must be.
    fn used(&mut self, service: &str, user: &str, code: &str) {
        assert!(self.admits(service, user, code), "{service}: {user} is not admitted");
    }

    /// The code is refused here, because it was used.
    fn refused(&mut self, user: &str, code: &str, what: &str) {
        assert!(!self.admits("here", user, code), "{user}: {what} is admitted");
        let records = audit(user);
        let result = records.last().unwrap()["result"].as_str().unwrap();
        assert_eq!(result, "replay", "{user}: {what}");
    }

    /// The code is good here, once.
    fn good_once(&mut self, user: &str, code: &str, what: &str) {
        assert!(
            self.admits("here", user, code),
            "{user}: {what} is refused: {:?}",
            audit(user).last()
        );
        assert!(!self.admits("here", user, code), "{user}: {what} is good twice");
    }

    /// No key is in clear where otpd and otpctl keep anything or told anything, right after otpd was
    /// killed and after it has ended well.
    fn leaves_no_trace<'a>(&mut self, world: &World, tokens: impl Iterator<Item = &'a Token>) {
        let keys: Vec<_> = tokens.flat_map(spellings).collect();
        let clear = |what: &str| {
            let logged = world.log().records().join("\n");
            let told = otpctl_with(&["--json", "audit"], b"").stdout;
            let mut places = vec![(PathBuf::from("the log"), logged.into_bytes())];
            assert!(told.contains("import") || what != "running", "{told}");
            places.push((PathBuf::from("the audit trail"), told.into_bytes()));
            for folder in ["/var/lib", "/run/otpd", "/etc/otpd", "/dev/shm"] {
                read_all(Path::new(folder), &mut places);
            }
            let store = places.iter().filter(|(path, _)| path.starts_with("/var/lib/otpd"));
            assert!(store.map(|(_, bytes)| bytes.len()).sum::<usize>() > 10_000, "no store");
            for (path, bytes) in places {
                for key in &keys {
                    let found = bytes.windows(key.len()).any(|part| part == key);
                    assert!(!found, "{what}: a key is in {}", path.display());
                }
            }
        };
        clear("running");
        self.otpd.kill();
        clear("killed");
        self.otpd.restart();
        self.otpd.stop();
        clear("ended");
    }
}

/// A key as bytes, and as people write it.
fn spellings(token: &Token) -> Vec<Vec<u8>> {
    let hex = hex(token);
    let digits = hex.as_bytes().chunks(2);
    let raw = digits.map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap());
    let base32 = token.secret.clone();
    let (small, large) = (hex.to_lowercase(), hex.to_uppercase());
    let texts = [base32.to_lowercase(), base32, small, large].map(String::into_bytes);
    texts.into_iter().chain([raw.collect()]).collect()
}

/// The files below a folder, with what they hold.
fn read_all(folder: &Path, into: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if kind.is_dir() {
            read_all(&path, into);
        } else if kind.is_file() {
            into.push((path.clone(), fs::read(&path).unwrap()));
        }
    }
}

/// What `otpctl import` says that it has done.
fn import(arguments: &[&str]) -> Value {
    let text = otpctl_with(&[&["--json", "import"], arguments].concat(), b"").ok();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// How many tokens were added, known and raised.
fn counts(report: &Value) -> (u64, u64, u64) {
    assert_eq!((&report["rejected"], &report["applied"]), (&0.into(), &true.into()), "{report}");
    let count = |name: &str| report[name].as_u64().unwrap();
    (count("added"), count("known"), count("raised"))
}

/// Nothing is doubled. Of a token of time whose file does not say what was used, more counts as used
/// the later it is read.
fn known_already(report: &Value, tokens: u64) {
    let (added, known, _) = counts(report);
    assert_eq!((added, known), (0, tokens), "{report}");
}
