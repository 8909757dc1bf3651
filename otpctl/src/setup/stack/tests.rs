use super::*;

/// Files as distributions ship them.
const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pam");

/// A machine with the files of a distribution, and some more.
fn machine(distribution: &str, more: &[(&str, &str)]) -> (tempfile::TempDir, Machine) {
    let root = tempfile::tempdir().unwrap();
    let pam_d = root.path().join("etc/pam.d");
    std::fs::create_dir_all(&pam_d).unwrap();
    for entry in std::fs::read_dir(Path::new(FILES).join(distribution)).unwrap().flatten() {
        std::fs::copy(entry.path(), pam_d.join(entry.file_name())).unwrap();
    }
    for (name, text) in more {
        std::fs::write(pam_d.join(name), text).unwrap();
    }
    if distribution.starts_with("debian") {
        std::fs::write(root.path().join("etc/debian_version"), "").unwrap();
    }
    let machine = Machine::at(root.path());
    (root, machine)
}

/// The first candidate that is as it should be: whether lines are copied, and its text, or why the last is not.
fn edited(
    machine: &Machine,
    service: &str,
    with: First,
    nullok: bool,
) -> Result<(bool, String), String> {
    let stack = auth(machine, service).unwrap();
    let first = first_line(&stack).ok_or("no first line")?;
    let path = machine.path(Path::new("/etc/pam.d").join(service));
    let text = std::fs::read_to_string(&path).unwrap();
    let mut why = String::new();
    for Candidate { text: candidate, copied } in candidates(&text, &first, with, nullok) {
        std::fs::write(&path, &candidate).unwrap();
        match fault(&auth(machine, service).unwrap(), with) {
            None => {
                assert_eq!(marks::restored(&candidate).trim_end(), text.trim_end(), "{candidate}");
                return Ok((copied, candidate));
            }
            Some(fault) => why = fault,
        }
    }
    Err(why)
}

/// What a diff would show: the lines that are new, and before them the last one that stays.
fn added(text: &str) -> Vec<&str> {
    let ours = |line: &str| line.contains("# otpctl setup");
    let first = text.lines().position(ours).unwrap();
    let last = text.lines().filter(|line| ours(line)).count();
    text.lines().skip(first - 1).take(last + 1).collect()
}

#[test]
fn debian_takes_one_line_below_the_shared_ones() {
    for distribution in ["debian12", "debian13"] {
        for service in ["sshd", "sudo", "su", "login"] {
            for (nullok, option) in [(false, ""), (true, " nullok")] {
                let (_root, machine) = machine(distribution, &[]);
                let (copied, text) = edited(&machine, service, First::Password, nullok).unwrap();
                let line = format!("auth    required    pam_otp.so{option}  # otpctl setup");
                assert_eq!(
                    (copied, added(&text)),
                    (false, vec!["@include common-auth", &line]),
                    "{service}"
                );
            }
        }
        let (_root, machine) = machine(distribution, &[]);
        let text = std::fs::read(machine.path(Path::new("/etc/pam.d/sshd"))).unwrap();
        for (nullok, option) in [(false, ""), (true, " nullok")] {
            std::fs::write(machine.path(Path::new("/etc/pam.d/sshd")), &text).unwrap();
            let (_, text) = edited(&machine, "sshd", First::Key, nullok).unwrap();
            let line = format!("auth    required    pam_otp.so{option}  # otpctl setup");
            assert_eq!(
                added(&text)[1..],
                [
                    "# otpctl setup: @include common-auth",
                    &line,
                    "auth    required    pam_permit.so  # otpctl setup",
                ]
            );
        }
    }
}

/// There a wrong password does not end the stack, and with `include` a right one does.
#[test]
fn where_the_shared_lines_do_not_end_it_they_are_copied() {
    for service in ["sshd", "sudo", "su", "login"] {
        let (_root, machine) = machine("el9-local", &[]);
        let (copied, text) = edited(&machine, service, First::Password, false).unwrap();
        let shared = added(&text)[1];
        assert!(shared.starts_with("# otpctl setup: auth") && copied, "{text}");
        assert_eq!(
            added(&text)[2..],
            [
                "auth    required    pam_env.so  # otpctl setup",
                "auth    required    pam_faildelay.so delay=2000000  # otpctl setup",
                "auth    [success=1 new_authtok_reqd=1 default=ignore]    pam_unix.so nullok  # otpctl setup",
                "auth    requisite    pam_deny.so  # otpctl setup",
                "auth    required    pam_otp.so  # otpctl setup",
                "auth    required    pam_permit.so  # otpctl setup",
            ],
            "{service}"
        );
    }
    for service in ["sshd", "sudo", "su", "login"] {
        let (_root, machine) = machine("el10-sssd", &[]);
        let (copied, text) = edited(&machine, service, First::Password, false).unwrap();
        let added = added(&text);
        assert!(copied);
        assert!(
            added.iter().any(|line| line
                .contains("[success=4 new_authtok_reqd=4 default=ignore]    pam_unix.so")),
            "{text}"
        );
        assert!(
            added
                .iter()
                .any(|line| line
                    .contains("[success=2 new_authtok_reqd=2 default=ignore]    pam_sss.so")),
            "{text}"
        );
        assert!(
            added
                .iter()
                .any(|line| line
                    .contains("[default=1 ignore=ignore success=ok]    pam_localuser.so")),
            "{text}"
        );
    }
    let (_root, machine) = machine("el9-local", &[]);
    let (copied, text) = edited(&machine, "sshd", First::Key, false).unwrap();
    assert!(!copied);
    assert_eq!(
        added(&text)[2..],
        [
            "auth    required    pam_otp.so  # otpctl setup",
            "auth    required    pam_permit.so  # otpctl setup",
        ]
    );
}

/// A right password says nothing itself; who is let off needs a line that does.
const GOES_ON: &str = "auth [success=1 default=ignore] pam_unix.so\nauth requisite pam_deny.so\n";

/// Stacks of administrators: what is done, or why nothing is.
#[test]
fn a_stack_that_would_open_or_lock_is_refused() {
    for (text, found) in [
        ("auth requisite pam_unix.so\n", Ok(false)),
        ("auth requisite pam_unix.so", Ok(false)),
        ("auth requisite \\\n pam_unix.so\nauth optional pam_group.so\n", Ok(false)),
        ("auth required pam_unix.so\n", Err("asked after a wrong password")),
        ("auth sufficient pam_unix.so\nauth required pam_deny.so\n", Err("without a code")),
        ("auth sufficient pam_u2f.so\nauth requisite pam_unix.so\n", Err("without a code")),
        ("auth requisite pam_unix.so\nauth required pam_deny.so\n", Err("nobody could log in")),
        ("auth [success=1 default=die] pam_unix.so\nauth required pam_deny.so\n", Err("")),
        ("auth sufficient pam_rootok.so\nauth requisite pam_unix.so\n", Ok(false)),
        ("auth required pam_permit.so\n", Err("no first line")),
        ("@include y\nauth required pam_google_authenticator.so\n", Err("MOVING FROM ANOTHER")),
        (
            "@include y\nauth required pam_oath.so usersfile=/x\n",
            Err("pam_oath asks for a code as well"),
        ),
        (
            "auth sufficient pam_oath.so usersfile=/x\n@include y\n",
            Err("pam_oath asks for a code as well"),
        ),
        ("@include y\n", Ok(false)),
    ] {
        let (_root, machine) = machine("debian12", &[("x", text), ("y", GOES_ON)]);
        match (edited(&machine, "x", First::Password, false), found) {
            (Ok((copied, _)), Ok(expected)) => assert_eq!(copied, expected, "{text}"),
            (Err(why), Err(expected)) => assert!(why.contains(expected), "{text}: {why}"),
            (edited, _) => panic!("{text}: {edited:?}"),
        }
    }
}
