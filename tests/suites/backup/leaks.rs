//! Nothing of a secret is in a file, whatever is done, at any moment.

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use harness::{
    otpd::otpctl_with,
    process::{command, run},
};

use super::*;

/// Where files may be that otpd's programs write.
const PLACES: [&str; 5] = ["/var/lib", "/etc/otpd", "/tmp", "/var/tmp", "/run/e2e/out"];

/// What must be nowhere, each in the forms that it could have.
struct Secrets(Vec<(String, Vec<u8>)>);

impl Secrets {
    fn of(people: &People, key: &str) -> Self {
        let mut secrets = Vec::new();
        for (name, base32) in [("app", &people.app.secret), ("counter", &people.counter.secret)] {
            let decode = format!(
                "import base64; s = '{base32}'; print(base64.b32decode(s + '=' * (-len(s) % 8)).hex())"
            );
            let hex = run(command("python3").args(["-c", &decode]), b"").ok();
            secrets.extend(forms(name, hex.trim()));
            secrets.push((format!("{name} in base32"), base32.clone().into_bytes()));
        }
        secrets.extend(forms("key", key.trim()));
        for code in &people.recovery {
            secrets.push(("recovery".into(), code.clone().into_bytes()));
            secrets.push(("recovery".into(), code.replace('-', "").into_bytes()));
        }
        Self(secrets)
    }

    /// Every file in the places, but those of the key itself.
    fn are_nowhere(&self, when: &str) -> usize {
        PLACES.iter().map(|place| self.below(Path::new(place), when)).sum()
    }

    fn below(&self, folder: &Path, when: &str) -> usize {
        let mut seen = 0;
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() && !path.is_symlink() {
                seen += self.below(&path, when);
                continue;
            }
            // Gone already, or a key's own place.
            let Ok(bytes) = fs::read(&path) else { continue };
            if path.to_string_lossy().starts_with(KEY) {
                continue;
            }
            seen += 1;
            for (name, secret) in &self.0 {
                let found = bytes.windows(secret.len()).any(|window| window == secret);
                assert!(!found, "{when}: the {name} is in {}", path.display());
            }
        }
        seen
    }
}

/// Raw, and in hexadecimal digits of both cases.
fn forms(name: &str, hex: &str) -> Vec<(String, Vec<u8>)> {
    let raw = (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap());
    vec![
        (format!("{name}, raw"), raw.collect()),
        (format!("{name} in digits"), hex.to_lowercase().into_bytes()),
        (format!("{name} in digits"), hex.to_uppercase().into_bytes()),
    ]
}

#[test]
fn no_secret_is_in_a_file_during_or_after() {
    hospital(|_, otpd, people| {
        fs::create_dir("/run/e2e/out").unwrap();
        for place in ["/tmp", "/var/tmp"] {
            tmpfs(place, "size=64m");
        }
        let secrets = Secrets::of(people, &fs::read_to_string(KEY).unwrap());
        let (open, closed) = ("/run/e2e/out/open.age", "/run/e2e/out/closed.age");
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let watch = scope.spawn(|| {
                let mut seen = 0;
                while !done.load(Ordering::SeqCst) {
                    seen += secrets.are_nowhere("meanwhile");
                }
                seen
            });
            let end = Done(&done);
            backup(open, &["--with-key"]).ok();
            otpctl_with(&["backup", closed, "--passphrase-file", PASSPHRASE], b"").ok();
            otpd.stop();
            restore(open, &[]).ok();
            otpctl_with(&["restore", closed, "--yes", "--passphrase-file", PASSPHRASE], b"").ok();
            otpctl_with(&["key", "rotate", "--yes"], b"").ok();
            restore(open, &[]).ok();
            drop(end);
            assert!(watch.join().unwrap() > 10);
        });
        assert!(names().contains(&format!("{STORE}.replaced")));
        secrets.are_nowhere("after");
        otpd.restart();
        secrets.are_nowhere("with a daemon");
        // The search finds what is there.
        fs::write("/run/e2e/out/found", &people.app.secret).unwrap();
        assert!(std::panic::catch_unwind(|| secrets.are_nowhere("found")).is_err());
    });
}

/// Ends the watch, even by a failure.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
