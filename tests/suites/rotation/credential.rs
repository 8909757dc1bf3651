//! The key is a credential of the machine.

use std::{
    fs,
    path::{Path, PathBuf},
};

use harness::{
    Login, MODULE, World,
    otpd::{enrol, give_to_daemon, otpctl_with},
    pam::code,
    process::{command, run},
};
use nix::mount::{MsFlags, mount, umount};

use super::{KEY, NEW, keys, rotate};

const STORE_OF_CREDENTIALS: &str = "/etc/credstore.encrypted";
const PLACE: &str = "/etc/credstore.encrypted/otpd.kek";

/// A folder on a disk: what systemd-creds seals with must not lie on a file system in memory.
struct Disk(PathBuf);

impl Disk {
    /// One of its own for each test.
    fn new(test: &str) -> Self {
        let name = format!("credentials-{}-{test}", std::process::id());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::create_dir_all("/var/lib/systemd").unwrap();
        bind(folder.to_str().unwrap(), "/var/lib/systemd");
        Self(folder)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn bind(from: &str, to: &str) {
    mount(Some(from), to, None::<&str>, MsFlags::MS_BIND, None::<&str>).unwrap();
}

fn creds(arguments: &[&str]) -> String {
    let mut creds = command("systemd-creds");
    run(creds.arg(arguments[0]).arg("--name=otpd.kek").args(&arguments[1..]), b"").ok()
}

fn opened(place: &str) -> String {
    creds(&["decrypt", place, "-"])
}

#[test]
fn the_credential_is_replaced_and_the_one_of_before_kept() {
    World::run(|world| {
        let _disk = Disk::new("replaced");
        let mut otpd = world.otpd("");
        world.stack("login", &[&format!("required {MODULE}")]);
        let token = enrol("alice", &["--method", "hotp"]);
        let login = |code: &str| {
            world.host().login(Login::new("login", "alice"), &[code.as_bytes()]).code()
        };
        otpd.stop();
        let first = fs::read_to_string(KEY).unwrap();
        fs::create_dir(STORE_OF_CREDENTIALS).unwrap();
        creds(&["encrypt", KEY, PLACE]);
        fs::remove_file(KEY).unwrap();

        let done = rotate();
        assert_eq!(done["key"], PLACE);
        assert_eq!(done["kept"], "/etc/credstore.encrypted/otpd.kek.1");
        assert_eq!((&done["users"], &done["resumed"]), (&1.into(), &false.into()));
        assert!(keys().is_empty(), "{:?}", keys());
        let second = opened(PLACE);
        assert_ne!(second, first);
        assert_eq!(opened("/etc/credstore.encrypted/otpd.kek.1"), first);

        // The disk is full, or read-only: the daemon goes on with the file of the new key.
        bind(STORE_OF_CREDENTIALS, STORE_OF_CREDENTIALS);
        let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
        mount(None::<&str>, STORE_OF_CREDENTIALS, None::<&str>, flags, None::<&str>).unwrap();
        let failed = otpctl_with(&["key", "rotate", "--yes"], b"");
        assert_eq!(failed.code(), 1, "{failed:?}");
        let way = "the store has the new key, and otpd takes it from /etc/otpd/kek.new";
        assert!(failed.stderr.contains(way), "{failed:?}");
        assert_eq!(opened(PLACE), second);
        otpd.restart();
        assert_eq!(login(&token.code()), code::SUCCESS);
        otpd.stop();
        umount(STORE_OF_CREDENTIALS).unwrap();
        let done = rotate();
        assert_eq!((&done["users"], &done["resumed"]), (&().into(), &true.into()), "{done}");
        assert_eq!(done["key_version"], 3);
        assert_eq!(opened("/etc/credstore.encrypted/otpd.kek.2"), second);
        assert!(keys().is_empty(), "{:?}", keys());

        // Killed before the new key's file is gone.
        let third = opened(PLACE);
        fs::write(NEW, &third).unwrap();
        give_to_daemon(NEW, 0o400);
        let done = rotate();
        assert_eq!((&done["key_version"], &done["resumed"]), (&3.into(), &true.into()), "{done}");
        assert!(keys().is_empty() && opened(PLACE) == third, "{:?}", keys());
        let names = fs::read_dir(STORE_OF_CREDENTIALS).unwrap().count();
        assert_eq!(names, 3, "a temporary file is left");

        fs::write(KEY, third).unwrap();
        give_to_daemon(KEY, 0o400);
        otpd.restart();
        assert_eq!(login(&token.code()), code::SUCCESS);
    });
}

#[test]
fn a_credential_that_does_not_open_or_lies_elsewhere_stops_it() {
    World::run(|world| {
        let _disk = Disk::new("refused");
        world.otpd("").stop();
        let refused = |why: &str| {
            let done = otpctl_with(&["key", "rotate", "--yes"], b"");
            assert_eq!(done.code(), 1, "{done:?}");
            assert!(done.stderr.contains(why), "{done:?}");
            assert_eq!(keys(), ["kek"]);
        };
        fs::create_dir(STORE_OF_CREDENTIALS).unwrap();
        fs::write(PLACE, "no credential").unwrap();
        refused("systemd-creds decrypt --name=otpd.kek /etc/credstore.encrypted/otpd.kek -");
        fs::remove_file(PLACE).unwrap();
        fs::create_dir_all("/run/credentials/otpd.service").unwrap();
        fs::write("/run/credentials/otpd.service/otpd.kek", "elsewhere").unwrap();
        refused("only /etc/credstore.encrypted/otpd.kek can be replaced");
    });
}
