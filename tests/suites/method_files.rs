//! How `otpctl method` changes root's files: in their place, as a whole, one at a time.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink},
};

use harness::{
    World,
    otpd::{CONFIGURATION, document, otpctl, otpctl_with, program},
    process::{Output, command, command_as, run},
};

fn method(arguments: &[&str]) -> Output {
    otpctl_with(&[&["method"], arguments].concat(), b"")
}

const COMMENTED: &str = "# ours\n[lockout]\nafter = 7 # seven\n\n# the app\n[[method]]\n\
    name = \"acme\" # its name\ndigits = 8 # long\nwindow_before = 2\ndirectories = [\"local\"]\n\n\
    [[policy]]\nname = \"all\" # of them\nmethods = [\"acme\", \"recovery\"]\n";

/// A method that stands in a file of root's is changed there, and what else is there stays.
#[test]
fn a_method_is_changed_where_it_stands() {
    World::run(|world| {
        let _otpd = world.otpd(COMMENTED);
        let before = fs::metadata(CONFIGURATION).unwrap();
        method(&["set", "acme", "digits=6"]).ok();
        let expected =
            COMMENTED.replace("digits = 8", "digits = 6").replace("window_before = 2\n", "");
        assert_eq!(fs::read_to_string(CONFIGURATION).unwrap(), expected);
        let after = fs::metadata(CONFIGURATION).unwrap();
        let whose = |file: &fs::Metadata| (file.uid(), file.gid(), file.mode());
        assert_eq!(whose(&before), whose(&after), "owner, group and mode");
        assert!(fs::read_dir("/etc/otpd/otpd.d").is_err(), "no file besides");
        let needed = method(&["remove", "acme", "--yes"]);
        assert_eq!(needed.code(), 1, "a policy names it: {needed:?}");
        assert!(needed.stderr.contains("/etc/otpd/otpd.toml:7:12: policy.methods"), "{needed:?}");
        assert_eq!(fs::read_to_string(CONFIGURATION).unwrap(), expected, "nothing was changed");
        method(&["disable", "totp"]).ok();
        assert_eq!(document(&["method", "show", "totp"])["enabled"], false, "a built-in one");
        method(&["remove", "totp"]).ok();
        assert_eq!(document(&["method", "show", "totp"])["enabled"], true, "as it is built in");
    });
}

/// Whatever is in the way: the file is named, it is as it was, and nothing is left beside it.
#[test]
fn a_change_that_cannot_be_made_changes_nothing() {
    World::run(|world| {
        let mut otpd = world.otpd(COMMENTED);
        let unchanged = |what: &str, code: i32, told: &str| {
            let done = method(&["set", "acme", "digits=7"]);
            assert_eq!(done.code(), code, "{what}: {done:?}");
            assert!(done.stderr.contains(told), "{what}: {}", done.stderr);
            assert!(done.stderr.contains("/etc/otpd"), "{what}: {}", done.stderr);
            assert_eq!(fs::read_to_string(CONFIGURATION).unwrap(), COMMENTED, "{what}");
            let names = fs::read_dir("/etc/otpd").unwrap().map(|entry| entry.unwrap().file_name());
            let left: Vec<_> = names.filter(|name| name.as_encoded_bytes()[0] == b'.').collect();
            assert!(left.is_empty(), "{what}: {left:?}");
        };
        let mut alice = command_as("alice", &[&program("otpctl"), "method", "set", "acme"]);
        let denied = run(&mut alice, b"");
        assert_ne!(denied.code(), 0, "{denied:?}");
        assert!(denied.stderr.contains("/etc/otpd/otpd.toml"), "{}", denied.stderr);

        run(command("mount").args(["--bind", "/etc/otpd", "/etc/otpd"]), b"").ok();
        let remount = |how: &str| {
            run(command("mount").args(["-o", how, "/etc/otpd"]), b"").ok();
        };
        remount("remount,bind,ro");
        unchanged("read-only", 1, "Read-only file system");
        remount("remount,bind,rw");
        uncover();

        fs::rename(CONFIGURATION, "/etc/otpd/real").unwrap();
        symlink("real", CONFIGURATION).unwrap();
        unchanged("a link", 1, "symbolic link to real");
        fs::rename("/etc/otpd/real", CONFIGURATION).unwrap();

        full_disk(&unchanged);

        fs::write("/etc/otpd/otpd.d/z.toml", "[lockuot]\n").unwrap();
        unchanged("wrong already", 1, "/etc/otpd/otpd.d/z.toml:1:2: lockuot is not a known key");
        fs::remove_file("/etc/otpd/otpd.d/z.toml").unwrap();
        otpd.stop();
        let alone = method(&["set", "acme", "digits=7"]).ok();
        assert!(alone.contains("it counts from its next start"), "{alone}");
        otpd.restart();
        let quiet = method(&["set", "acme", "--no-reload"]).ok();
        assert!(quiet.contains("otpctl config reload"), "{quiet}");
    });
}

/// Takes away what covers /etc/otpd, also while otpd has a file of it open to read it.
fn uncover() {
    run(command("umount").args(["--lazy", "/etc/otpd"]), b"").ok();
}

/// A folder with no room left, in place of /etc/otpd.
fn full_disk(unchanged: &dyn Fn(&str, i32, &str)) {
    let owner = fs::metadata(CONFIGURATION).unwrap();
    let small = ["-t", "tmpfs", "-o", "size=64k,mode=755", "tmpfs", "/etc/otpd"];
    run(command("mount").args(small), b"").ok();
    fs::create_dir("/etc/otpd/otpd.d").unwrap();
    fs::write(CONFIGURATION, COMMENTED).unwrap();
    chown(CONFIGURATION, Some(0), Some(owner.gid())).unwrap();
    fs::set_permissions(CONFIGURATION, fs::Permissions::from_mode(0o640)).unwrap();
    let filler = fs::File::create("/etc/otpd/filler").unwrap();
    let mut filler = std::io::BufWriter::with_capacity(1, filler);
    while std::io::Write::write(&mut filler, &[0; 4096]).is_ok() {}
    unchanged("a full disk", 1, "No space left on device");
    drop(filler);
    uncover();
    fs::create_dir_all("/etc/otpd/otpd.d").unwrap();
}

/// Two administrators at once: both changes are there.
#[test]
fn two_changes_at_once_do_not_lose_one_another() {
    World::run(|world| {
        let _otpd = world.otpd(COMMENTED);
        let second = COMMENTED.replace("\"acme\" # its name", "\"other\"");
        let second =
            &second[second.find("[[method]]").unwrap()..second.find("[[policy]]").unwrap()];
        fs::write(CONFIGURATION, format!("{COMMENTED}{second}")).unwrap();
        for round in 0..5 {
            let digits = format!("digits={}", 4 + round);
            let start = |name: &str| {
                otpctl(&["method", "set", name, &digits, "--no-reload", "-q"]).spawn().unwrap()
            };
            let mut both = [start("acme"), start("other")];
            assert!(both.iter_mut().all(|one| one.wait().unwrap().success()));
            for name in ["acme", "other"] {
                assert_eq!(document(&["method", "show", name])["digits"], 4 + round, "{name}");
            }
        }
    });
}
