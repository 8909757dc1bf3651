//! `otpctl setup` on the distribution's own files, with the real libpam, sshd, sudo and su.

mod broken;
mod edited;
mod gone;
mod logins;

use std::{collections::BTreeMap, fs, os::unix::fs::MetadataExt, path::Path};

use harness::{
    Otpd, PASSWORD, Token, World,
    otpd::{enrol, otpctl_with},
    process::Output,
};

/// Mode, owner, group and content of a file.
type Looks = (u32, u32, u32, Vec<u8>);

/// All files that setup may change.
fn files() -> BTreeMap<String, Looks> {
    let mut found = BTreeMap::new();
    for folder in ["/etc/pam.d", "/etc/ssh", "/etc/ssh/sshd_config.d"] {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let (path, meta) = (entry.path(), entry.metadata().unwrap());
            if meta.is_file() {
                let looks = (meta.mode(), meta.uid(), meta.gid(), fs::read(&path).unwrap());
                found.insert(path.to_str().unwrap().to_owned(), looks);
            }
        }
    }
    found
}

/// Asserts that everything is as it was; says which file is not.
fn assert_as(before: &BTreeMap<String, Looks>, what: &str) {
    let now = files();
    for (path, looks) in before {
        let text = |looks: Option<&Looks>| {
            looks.map(|l| (l.0, l.1, l.2, String::from_utf8_lossy(&l.3).into_owned()))
        };
        assert_eq!(text(now.get(path)), text(Some(looks)), "{what}: {path}");
    }
    let new: Vec<_> = now.keys().filter(|path| !before.contains_key(*path)).collect();
    assert!(new.is_empty(), "{what}: left over: {new:?}");
}

/// Whether a setup waits.
fn pending() -> bool {
    Path::new("/var/lib/otpctl/pending").exists()
}

/// `otpctl setup …`, with lines on its standard input.
fn setup(arguments: &[&str], lines: &[&str]) -> Output {
    let input: String = lines.iter().map(|line| format!("{line}\n")).collect();
    otpctl_with(&[&["setup"], arguments].concat(), input.as_bytes())
}

/// A machine with otpd, the module in its place, and alice's token.
fn machine(test: impl FnOnce(&World, &Token, &mut Otpd) + Send) {
    World::run(|world| {
        world.install_module();
        let mut otpd = world.otpd("");
        let token = enrol("alice", &["--method", "hotp"]);
        test(world, &token, &mut otpd);
    });
}

/// Sets a service up, with alice's login as the trial.
fn set_up(arguments: &[&str], token: &Token) -> Output {
    let done =
        setup(&[arguments, &["--user", "alice", "--yes"]].concat(), &[PASSWORD, &token.code()]);
    assert_eq!(done.code(), 0, "{done:?}");
    assert!(pending(), "{done:?}");
    done
}
