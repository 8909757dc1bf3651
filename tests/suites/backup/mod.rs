//! Backups, and what is restored from them.

mod broken;
mod leaks;
mod machines;
mod refused;
mod story;

use std::{fs, path::PathBuf};

use harness::{
    Login, MODULE, Token, World,
    otpd::{Otpd, enrol, give_to_daemon, otpctl_with},
    pam::{Host, code},
    process::{Output, command, run},
};
use nix::mount::{MsFlags, mount};

/// The store.
pub const STORE: &str = "/var/lib/otpd/otpd.db";
/// Its key.
pub const KEY: &str = "/etc/otpd/kek";
/// Where backups go.
pub const FILE: &str = "/run/e2e/backup.age";
/// A passphrase, in a file.
pub const PASSPHRASE: &str = "/run/e2e/passphrase";
/// A secret key of age's, and its public one.
pub const IDENTITY: &str = "/run/e2e/identity";
pub const RECIPIENT: &str = "/run/e2e/recipient";

/// Who is enrolled: alice with an app, bob with a counter.
pub struct People {
    /// alice's.
    pub app: Token,
    /// bob's.
    pub counter: Token,
    /// alice's recovery codes.
    pub recovery: Vec<String>,
}

/// Runs a test on a machine with an otpd, a login and people.
pub fn hospital(test: impl FnOnce(&World, &mut Otpd, &People) + Send) {
    World::run(|world| {
        let mut otpd =
            world.otpd("[issued]\nenabled = true\n[lockout]\nafter = 100\ndisable_after = 1000\n");
        world.stack("login", &[&format!("required {MODULE}")]);
        fs::write(PASSPHRASE, "four words are enough\nnot this line\n").unwrap();
        run(command("age-keygen").args(["-o", IDENTITY]), b"").ok();
        let public = run(command("age-keygen").args(["-y", IDENTITY]), b"").ok();
        fs::write(RECIPIENT, format!("# ours\n{public}")).unwrap();
        let people = People {
            app: enrol("alice", &[]),
            counter: enrol("bob", &["--method", "hotp"]),
            recovery: recovery("alice"),
        };
        test(world, &mut otpd, &people);
    });
}

/// New recovery codes.
pub fn recovery(user: &str) -> Vec<String> {
    let file = format!("/run/e2e/recovery-{user}");
    let _ = fs::remove_file(&file);
    let new = ["--json", "recovery", "new", user, "--yes", "--output", &file];
    otpctl_with(&new, b"").ok();
    let document: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    serde_json::from_value(document["codes"].clone()).unwrap()
}

/// Logs in with one reply for each prompt.
pub fn login(host: &mut Host, user: &str, replies: &[&str]) -> bool {
    let replies: Vec<_> = replies.iter().map(|reply| reply.as_bytes()).collect();
    match host.login(Login::new("login", user), &replies).code() {
        code::SUCCESS => true,
        code::AUTH_ERR => false,
        other => panic!("{user}: PAM code {other}"),
    }
}

/// Backs up to the recipient.
pub fn backup(file: &str, more: &[&str]) -> Output {
    let _ = fs::remove_file(file);
    otpctl_with(&[&["backup", file, "--recipients-file", RECIPIENT], more].concat(), b"")
}

/// Restores with the identity.
pub fn restore(file: &str, more: &[&str]) -> Output {
    otpctl_with(&[&["restore", file, "--identity", IDENTITY, "--yes"], more].concat(), b"")
}

/// The names in the store's folder, and those of keys.
pub fn names() -> Vec<String> {
    let mut names = Vec::new();
    for folder in ["/var/lib/otpd", "/etc/otpd"] {
        names.extend(fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()));
    }
    let mut names: Vec<_> = names.iter().map(|path| path.display().to_string()).collect();
    names.sort();
    names
}

/// The store's folder, to be put back.
pub fn saved_store() -> Vec<(PathBuf, Vec<u8>)> {
    let files = fs::read_dir("/var/lib/otpd").unwrap().flatten();
    files.map(|entry| (entry.path(), fs::read(entry.path()).unwrap())).collect()
}

/// Puts it back, and nothing else.
pub fn put_back(files: &[(PathBuf, Vec<u8>)]) {
    for entry in fs::read_dir("/var/lib/otpd").unwrap().flatten() {
        fs::remove_file(entry.path()).unwrap();
    }
    for (path, bytes) in files {
        fs::write(path, bytes).unwrap();
        give_to_daemon(path.to_str().unwrap(), 0o600);
    }
}

/// Mounts an empty file system.
pub fn tmpfs(place: &str, options: &str) {
    mount(Some("tmpfs"), place, Some("tmpfs"), MsFlags::empty(), Some(options)).unwrap();
}
