//! The private namespaces of a test: its file systems, its accounts and its network.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown, symlink},
    path::Path,
    process::Command,
};

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
    unistd::geteuid,
};

use crate::{
    polkit::{ACTIONS, POLICY},
    process::{command, run},
    settings,
};

/// A user with a password, a home and nothing else.
pub const ALICE: u32 = 61_000;
/// Another one.
pub const BOB: u32 = 61_001;
/// The user that nobody trusts.
pub const NOBODY: u32 = 65_534;
/// The password of every test user.
pub const PASSWORD: &str = "correct horse";
/// [`PASSWORD`] as crypt(5) has it.
const CRYPT: &str = "$6$e2esalt$.TfKtQFyph8QlK3f2cAc0DEbcmiduJuC/lUFVR61BPVgO1cADH0ocCkGZnsmoJg73Mr0bvGpJPIarzd4phZrp.";
/// Where the files under test are on the private machine.
pub const PROGRAMS: &str = "/run/e2e/bin";
/// The module under test.
pub const MODULE: &str = "/run/e2e/bin/pam_otp.so";
/// The module built with the feature `test-panic`.
pub const PANIC_MODULE: &str = "/run/e2e/bin/pam_otp_panic.so";

/// The account of the daemon.
const OTPD: u32 = 61_999;
/// How many users `crowd` names.
const CROWD: usize = 420;

/// The n-th of many users who exist besides alice and bob.
pub fn crowd(n: usize) -> String {
    assert!(n < CROWD, "the crowd has {CROWD} users");
    format!("user{n:03}")
}

/// Moves the calling thread into a machine of its own.
pub(crate) fn enter() {
    assert!(
        geteuid().is_root(),
        "cannot run here: the tests mount and change users; run them as root"
    );
    settings::test();
    if let Err(error) = unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET) {
        panic!(
            "cannot run here: private mounts and a private network are not allowed ({error}); the container needs CAP_SYS_ADMIN"
        );
    }
    run(command("ip").args(["link", "set", "lo", "up"]), b"").ok();
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .expect("make mounts private");
    mount(Some("tmpfs"), "/run", Some("tmpfs"), MsFlags::empty(), Some("mode=755"))
        .expect("mount /run");
    for folder in ["e2e", "e2e/bin", "dbus", "sshd", "lock", "otpd", "sudo"] {
        fs::create_dir(Path::new("/run").join(folder)).unwrap();
    }
    private("/dev", devices);
    private("/etc", |etc| copy("/etc", etc));
    private("/home", |_| ());
    // The bus starts nothing on demand, so polkit is absent until a test starts it.
    if Path::new("/usr/share/dbus-1/system-services").exists() {
        private("/usr/share/dbus-1/system-services", |_| ());
    }
    private("/var/lib", |lib| {
        fs::create_dir_all(lib.join("sudo/lectured")).unwrap();
        fs::create_dir(lib.join("otpd")).unwrap();
    });
    accounts();
    programs();
}

/// Puts a folder of the private /run in place of `path`, after `fill` has filled it.
fn private(path: &str, fill: impl FnOnce(&Path)) {
    let folder = Path::new("/run/e2e").join(path.trim_start_matches('/').replace('/', "-"));
    fs::create_dir(&folder).unwrap();
    fill(&folder);
    bind(&folder, Path::new(path));
}

fn bind(from: &Path, to: &Path) {
    let none = None::<&str>;
    mount(Some(from), to, none, MsFlags::MS_BIND | MsFlags::MS_REC, none)
        .unwrap_or_else(|error| panic!("bind {} on {}: {error}", from.display(), to.display()));
}

fn copy(from: &str, to: &Path) {
    let done =
        Command::new("cp").arg("-a").arg(format!("{from}/.")).arg(to).status().expect("run cp");
    assert!(done.success(), "cp -a {from} failed");
}

/// Puts the module under test among the machine's own.
pub(crate) fn install_module() {
    let folders = fs::read_dir("/usr/lib").unwrap().flatten();
    let mut modules = folders.map(|folder| folder.path().join("security"));
    let modules = modules.find(|folder| folder.join("pam_unix.so").exists());
    let modules = modules.expect("libpam's modules below /usr/lib");
    private(modules.to_str().unwrap(), |copied| {
        copy(modules.to_str().unwrap(), copied);
        fs::copy(MODULE, copied.join("pam_otp.so")).unwrap();
    });
}

/// Puts a profile among those of pam-auth-update, and keeps debconf's files apart.
pub(crate) fn pam_profile(name: &str, text: &str) {
    for folder in ["/usr/share/pam-configs", "/var/cache/debconf"] {
        private(folder, |copied| copy(folder, copied));
    }
    fs::write(Path::new("/usr/share/pam-configs").join(name), text).unwrap();
}

/// The usual devices, without the machine's /dev/log.
fn devices(dev: &Path) {
    for node in ["null", "zero", "full", "random", "urandom", "tty"] {
        fs::write(dev.join(node), "").unwrap();
        bind(&Path::new("/dev").join(node), &dev.join(node));
    }
    for folder in ["pts", "shm"] {
        fs::create_dir(dev.join(folder)).unwrap();
        bind(&Path::new("/dev").join(folder), &dev.join(folder));
    }
    symlink("pts/ptmx", dev.join("ptmx")).unwrap();
    symlink("/proc/self/fd", dev.join("fd")).unwrap();
    for (n, name) in ["stdin", "stdout", "stderr"].iter().enumerate() {
        symlink(format!("/proc/self/fd/{n}"), dev.join(name)).unwrap();
    }
}

/// Adds the daemon's account and the test users to the private /etc.
fn accounts() {
    let mut users =
        vec![("otpd".to_owned(), OTPD), ("alice".to_owned(), ALICE), ("bob".to_owned(), BOB)];
    users.extend((0..CROWD).map(|n| (crowd(n), 62_000 + n as u32)));
    let others = |file: &str| -> String {
        let text = fs::read_to_string(file).unwrap();
        let known =
            |line: &&str| !users.iter().any(|(name, _)| line.split(':').next() == Some(name));
        text.lines().filter(known).map(|line| format!("{line}\n")).collect()
    };
    let (mut passwd, mut shadow, mut group) =
        (others("/etc/passwd"), others("/etc/shadow"), others("/etc/group"));
    for (name, id) in &users {
        let (home, shell, crypt) = match *id {
            OTPD => ("/nonexistent".to_owned(), "/usr/sbin/nologin", "*"),
            _ => (format!("/home/{name}"), "/bin/sh", CRYPT),
        };
        passwd += &format!("{name}:x:{id}:{id}::{home}:{shell}\n");
        shadow += &format!("{name}:{crypt}:19000:0:99999:7:::\n");
        group += &format!("{name}:x:{id}:\n");
        if [ALICE, BOB].contains(id) {
            fs::create_dir(&home).unwrap();
            chown(&home, Some(*id), Some(*id)).unwrap();
        }
    }
    fs::write("/etc/passwd", passwd).unwrap();
    fs::write("/etc/shadow", shadow).unwrap();
    fs::write("/etc/group", group).unwrap();
    fs::write("/etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files\n")
        .unwrap();
    // sudo complains at the prompt where the machine's own name is not known.
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    fs::write("/etc/hosts", format!("127.0.0.1 localhost {host}")).unwrap();
    fs::create_dir_all("/etc/otpd").unwrap();
    owned("/var/lib/otpd", 0o700);
    fs::write("/etc/sudoers", "Defaults !lecture, timestamp_timeout=0, passwd_tries=1, !mail_no_user\nalice ALL=(ALL:ALL) ALL\n").unwrap();
}

/// Gives a path to the daemon.
pub(crate) fn owned(path: &str, mode: u32) {
    chown(path, Some(OTPD), Some(OTPD)).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Lets root write and the daemon read a file, and nobody else.
pub(crate) fn show_to_daemon(path: &str) {
    chown(path, Some(0), Some(OTPD)).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o640)).unwrap();
}

/// The files under test, readable by every user, and the policies of the bus and of polkit.
fn programs() {
    let host = settings::pam_host();
    let named = ["otpd", "otpctl", "pam_otp.so", "pam_otp_panic.so"]
        .map(|name| (name, settings::under_test(name)));
    for (name, file) in named.iter().chain([&("pam-host", host)]) {
        if file.exists() {
            let place = Path::new(PROGRAMS).join(name);
            fs::write(&place, "").unwrap();
            bind(file, &place);
        }
    }
    let policy = settings::sources().join("packaging/dbus/org.pamotp.Otpd1.conf");
    if policy.exists() {
        fs::create_dir_all("/etc/dbus-1/system.d").unwrap();
        fs::copy(policy, "/etc/dbus-1/system.d/org.pamotp.Otpd1.conf").unwrap();
    }
    if Path::new(ACTIONS).exists() {
        let policy = settings::sources().join(POLICY);
        private(ACTIONS, |folder| {
            fs::copy(&policy, folder.join(policy.file_name().unwrap())).unwrap();
        });
    }
}
