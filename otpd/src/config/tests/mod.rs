//! What the files may say: every key with its default, bounds and refusals, and every other fault.

mod delivery;
mod directories;
mod faults;
mod files;
mod gluu;
mod imported;
mod issued;
mod keys;
mod manual;
mod methods;
mod policies;
mod prompts;
mod providers;
mod recipes;
mod secrets;
mod sharing;
mod words;

use std::{fmt::Debug, os::unix::fs::PermissionsExt, path::PathBuf};

use super::*;

/// A folder with an `otpd.toml` and drop-ins.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(main: &str) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write("otpd.toml", main.as_bytes());
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        // As a file with a secret in it has to be.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        path
    }

    /// Loads it; messages have `DIR` for the folder's path. Credentials are in its folder
    /// `credentials`, if that is there.
    fn load(&self) -> Result<Loaded, String> {
        let short = |text: String| text.replace(self.0.path().to_str().unwrap(), "DIR");
        let credentials = Some(self.path("credentials")).filter(|folder| folder.is_dir());
        let loaded = Config::load(&self.path("otpd.toml"), credentials.as_deref())
            .map_err(|error| short(error.to_string()))?;
        let warnings = loaded.warnings.into_iter().map(short).collect();
        Ok(Loaded { warnings, ..loaded })
    }
}

fn load(text: &str) -> Result<Config, String> {
    Folder::new(text).load().map(|loaded| loaded.config)
}

#[track_caller]
fn refused(text: &str) -> String {
    match load(text) {
        Ok(_) => panic!("accepted: {text}"),
        Err(message) => message,
    }
}

fn default() -> Config {
    load("").unwrap()
}

/// One key: what it is by default, what it takes and what it refuses.
struct Key {
    /// What stands before the key.
    before: &'static str,
    /// The dotted name in messages; its last part is the key.
    name: &'static str,
    read: fn(&Config) -> String,
    default: &'static str,
    /// Values with what they are read as: least and most first.
    takes: &'static [(&'static str, &'static str)],
    /// Below, above and of other types.
    refuses: &'static [&'static str],
    /// The end of the message.
    allowed: &'static str,
}

fn show(value: impl Debug) -> String {
    format!("{value:?}")
}

fn new_method(config: &Config) -> &Method {
    config.method("m").unwrap_or_else(|| config.method("totp").unwrap())
}

const METHOD: &str = "[[method]]\nname = \"m\"";
const HOTP: &str = "[[method]]\nname = \"m\"\ntype = \"hotp\"";
const POLICY: &str = "[[policy]]\nname = \"p\"";
const MATCH: &str = "[[policy]]\nname = \"p\"\n[policy.match]";
const NAME: &str = "a login name of 1 to 256 bytes without '/', ':', control characters, '-' in front and white space at its ends";
const UNIT: &str = "a whole number with its unit ms, s, m, h or d";

fn check(key: &Key) {
    check_beside(key, &default());
}

/// The same for a key whose default shows where `before` stands alone.
fn check_below(key: &Key) {
    check_beside(key, &load(key.before).unwrap_or_else(|error| panic!("{error}")));
}

fn check_beside(key: &Key, without: &Config) {
    let short = key.name.rsplit('.').next().unwrap();
    assert_eq!((key.read)(without), key.default, "default of {}", key.name);
    for (value, expected) in key.takes {
        let text = format!("{}\n{short} = {value}", key.before);
        let config = load(&text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((key.read)(&config), *expected, "{text}");
    }
    for value in key.refuses {
        let text = format!("{}\n{short} = {value}", key.before);
        let (line, column) = (text.lines().count(), short.len() + 4);
        let ranged = key.allowed.contains(" to ") && !key.allowed.contains("bytes");
        let nought = ranged && matches!(*value, "0" | "\"0s\"" | "\"0\"" | "\"0ms\"" | "0x0");
        let zero = if nought { " (0 never means unlimited)" } else { "" };
        let allowed = key.allowed.replace("UNIT", UNIT).replace("NAME", NAME);
        let expected = format!(
            "DIR/otpd.toml:{line}:{column}: {} = {value}: allowed are {allowed}{zero}",
            key.name
        );
        assert_eq!(refused(&text), expected);
    }
}
