//! Files that somebody has edited between a setup and its end.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt, symlink},
};

use harness::sshd::Methods;

use super::{files, machine, set_up, setup};

const DROP_IN: &str = "/etc/ssh/sshd_config.d/00-otpd.conf";

fn append(path: &str, line: &str) {
    let text = fs::read_to_string(path).unwrap();
    fs::write(path, format!("{text}{line}")).unwrap();
}

#[test]
fn only_our_lines_leave_a_file_that_was_edited() {
    machine(|world, token, _| {
        let _sshd = world.sshd_of_the_machine(Methods::Keyboard);
        for (arguments, end) in
            [(["sshd", "--first", "password"], "--undo"), (["sshd", "--first", "key"], "--remove")]
        {
            let mut expected = files();
            if arguments[2] == "key" {
                setup(&[&arguments[..], &["--no-try", "--yes"]].concat(), &[]).ok();
                setup(&["--keep"], &[]).ok();
            } else {
                set_up(&arguments, token);
            }
            append("/etc/pam.d/sshd", "session optional pam_lastlog.so\n");
            append(DROP_IN, "MaxAuthTries 3\n");
            let done = setup(&[end], &[]);
            assert_eq!(done.code(), 0, "{done:?}");
            for path in ["/etc/pam.d/sshd", DROP_IN] {
                let note = format!("note: {path}: was edited since;");
                assert!(done.stdout.contains(&note), "{done:?}");
            }
            let sshd = expected.get_mut("/etc/pam.d/sshd").unwrap();
            sshd.3.extend(b"session optional pam_lastlog.so\n");
            let now = files();
            assert_eq!(now["/etc/pam.d/sshd"], expected["/etc/pam.d/sshd"]);
            assert_eq!(now[DROP_IN].3, b"MaxAuthTries 3\n");
            fs::remove_file(DROP_IN).unwrap();
        }
    });
}

/// What is not there any more is not kept; what asks for a code all the same is.
#[test]
fn what_somebody_has_taken_out_is_not_kept() {
    machine(|world, token, _| {
        let _sshd = world.sshd_of_the_machine(Methods::Keyboard);
        let refused = |path: &str, why: &str| {
            let done = setup(&["--keep"], &[]);
            assert_eq!(done.code(), 1, "{done:?}");
            assert!(done.stderr.contains(path) && done.stderr.contains(why), "{done:?}");
            assert!(super::pending());
        };
        for first in ["password", "key"] {
            let before = files();
            setup(&["sshd", "--first", first, "--no-try", "--yes"], &[]).ok();
            let (stack, drop_in) =
                (fs::read("/etc/pam.d/sshd").unwrap(), fs::read(DROP_IN).unwrap());
            fs::write("/etc/pam.d/sshd", &before["/etc/pam.d/sshd"].3).unwrap();
            refused("/etc/pam.d/sshd", "--undo");
            fs::write("/etc/pam.d/sshd", &stack).unwrap();
            fs::write(DROP_IN, "PasswordAuthentication no\n").unwrap();
            refused(DROP_IN, "--undo");
            fs::write(DROP_IN, &drop_in).unwrap();
            append("/etc/pam.d/sshd", "session optional pam_lastlog.so\n");
            setup(&["--keep"], &[]).ok();
            setup(&["--remove"], &[]).ok();
            fs::write("/etc/pam.d/sshd", &before["/etc/pam.d/sshd"].3).unwrap();
        }
        set_up(&["sudo"], token);
        fs::remove_file("/etc/pam.d/sudo").unwrap();
        refused("/etc/pam.d/sudo", "it is gone");
    });
}

/// Also what no record tells of is found by its marks.
#[test]
fn marked_lines_are_found_without_a_record() {
    machine(|world, token, _| {
        let _sshd = world.sshd_of_the_machine(Methods::Keyboard);
        let before = files();
        set_up(&["su"], token);
        setup(&["--keep"], &[]).ok();
        fs::remove_dir_all("/var/lib/otpctl").unwrap();
        let done = setup(&["--remove", "su"], &[]).ok();
        assert_eq!(done, "Removed: su.\n");
        setup(&["sshd", "--first", "key", "--no-try", "--yes"], &[]).ok();
        fs::remove_dir_all("/var/lib/otpctl").unwrap();
        setup(&["--remove", "sshd"], &[]).ok();
        super::assert_as(&before, "by its marks");
        let none = setup(&["--remove", "su"], &[]);
        assert_eq!(none.code(), 1, "{none:?}");
        assert_eq!(setup(&["--remove"], &[]).ok(), "Nothing is set up.\n");
    });
}

#[test]
fn owner_mode_attributes_and_links_stay() {
    machine(|_, token, _| {
        fs::rename("/etc/pam.d/sudo", "/etc/pam.d/sudo-real").unwrap();
        symlink("sudo-real", "/etc/pam.d/sudo").unwrap();
        fs::set_permissions("/etc/pam.d/sudo-real", Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::chown("/etc/pam.d/sudo-real", Some(0), Some(42)).unwrap();
        let before = files();
        set_up(&["sudo"], token);
        let during = &files()["/etc/pam.d/sudo-real"];
        assert_eq!((during.0 & 0o7777, during.2), (0o640, 42));
        assert!(fs::symlink_metadata("/etc/pam.d/sudo").unwrap().is_symlink());
        setup(&["--undo"], &[]).ok();
        super::assert_as(&before, "behind a link");
        fs::write("/etc/elsewhere", fs::read("/etc/pam.d/su").unwrap()).unwrap();
        fs::remove_file("/etc/pam.d/su").unwrap();
        symlink("/etc/elsewhere", "/etc/pam.d/su").unwrap();
        let done = setup(&["su", "--no-try", "--yes"], &[]);
        assert!(done.stderr.contains("is a link to /etc/elsewhere"), "{done:?}");
    });
}
