use super::*;

/// A machine with these files.
fn machine(files: &[(&str, &str)]) -> (tempfile::TempDir, Machine) {
    let root = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let machine = Machine::at(root.path());
    (root, machine)
}

/// `file:line level text`, or why the line fails.
fn shown(lines: &[Line]) -> Vec<String> {
    let file = |place: &Place| {
        format!("{}:{}", place.file.file_name().unwrap().to_string_lossy(), place.line)
    };
    let what = |line: &Line| match &line.entry {
        Entry::Module { path, arguments } => {
            [std::slice::from_ref(path), arguments].concat().join("|")
        }
        Entry::Substack(name) => format!("substack {name}"),
        Entry::Broken(why) => format!("broken: {why}"),
    };
    lines
        .iter()
        .map(|line| format!("{} {} {}", file(&line.place), line.level, what(line)))
        .collect()
}

const DEBIAN: (&str, &str) = ("etc/debian_version", "13\n");

#[test]
fn includes_are_followed_and_each_line_keeps_its_place() {
    let (_root, machine) = machine(&[
        DEBIAN,
        (
            "etc/pam.d/sshd",
            "# c\n@include common-auth\nAUTH required pam_otp.so [prompt=Your code: ]\n\
                            account required pam_nologin.so\n-auth optional pam_x.so\n",
        ),
        (
            "etc/pam.d/common-auth",
            "auth [success=1 default=ignore] pam_unix.so \\\n  nullok\n\
                                   auth requisite pam_deny.so # no\naccount required pam_unix.so\n",
        ),
        ("etc/pam.d/other", "auth required pam_deny.so\nsession required pam_deny.so\n"),
    ]);
    let sshd = machine.service("SSHD");
    let auth = sshd.lines(Kind::Auth);
    assert_eq!(
        shown(&auth),
        [
            "common-auth:1 0 pam_unix.so|nullok",
            "common-auth:3 0 pam_deny.so",
            "sshd:3 0 pam_otp.so|prompt=Your code: ",
            "sshd:5 0 pam_x.so",
        ]
    );
    assert_eq!(auth[0].via, [Place { file: "/etc/pam.d/sshd".into(), line: 2 }]);
    assert!(auth[3].quiet && !auth[2].quiet && auth[2].via.is_empty());
    assert_eq!(
        shown(&sshd.lines(Kind::Account)),
        ["common-auth:4 0 pam_unix.so", "sshd:4 0 pam_nologin.so"]
    );
    assert_eq!(shown(&sshd.lines(Kind::Session)), ["other:2 0 pam_deny.so"]);
    assert!(sshd.falls_back(Kind::Session) && !sshd.falls_back(Kind::Auth));
    assert_eq!((sshd.refused, sshd.file), (None, Some("/etc/pam.d/sshd".into())));
    assert_eq!(shown(&machine.service("absent").lines(Kind::Auth)), ["other:1 0 pam_deny.so"]);
    assert_eq!(machine.services(), ["other", "sshd"]);
}

#[test]
fn substacks_are_marked_and_one_level_deeper() {
    let (_root, machine) = machine(&[
        (
            "etc/pam.d/sshd",
            "auth substack password-auth\nauth include postlogin\nauth required pam_otp.so\n",
        ),
        (
            "etc/pam.d/password-auth",
            "auth sufficient pam_unix.so\nauth substack inner\naccount required pam_unix.so\n",
        ),
        ("usr/lib/pam.d/inner", "auth required pam_deny.so\n"),
        ("etc/pam.d/postlogin", "session optional pam_umask.so\n"),
    ]);
    assert_eq!(
        shown(&machine.service("sshd").lines(Kind::Auth)),
        [
            "sshd:1 0 substack password-auth",
            "password-auth:1 1 pam_unix.so",
            "password-auth:2 1 substack inner",
            "inner:1 2 pam_deny.so",
            "sshd:3 0 pam_otp.so",
        ]
    );
}

#[test]
fn what_cannot_be_read_fails_as_in_libpam() {
    let lines = |files: &[(&str, &str)]| {
        let (_root, machine) = machine(files);
        let service = machine.service("s");
        (shown(&service.lines(Kind::Auth)), service.refused.map(|problem| problem.why))
    };
    let one = |debian: bool, text: &str| {
        let files = [("etc/pam.d/s", text), if debian { DEBIAN } else { ("x", "") }];
        lines(&files)
    };
    let line = |why: &str| (vec![format!("s:1 0 broken: {why}")], None);
    for (text, why) in [
        ("atuh required pam_permit.so\n", "`atuh` is no kind of line"),
        ("auth\n", "the control is missing"),
        ("auth required\n", "the module is missing"),
        ("auth include absent\n", "absent: there is no such file"),
        ("auth include\n", "no file is named"),
        ("auth include s\n", "s: files include each other 16 times"),
        ("@include absent\n", "`@include` is no kind of line"),
    ] {
        let (found, refused) = one(false, text);
        let last = found.last().unwrap().split_once("broken: ").map(|(_, why)| why.to_owned());
        assert_eq!((last.as_deref(), refused), (Some(why), None), "{text}");
    }
    let refused = |why: &str| (vec![], Some(why.to_owned()));
    assert_eq!(one(true, "@include absent\n"), refused("absent: there is no such file"));
    assert_eq!(one(false, "auth \\\n"), refused("the file ends in a line that goes on"));
    assert_eq!(lines(&[("etc/pam.d/x", "")]), refused("neither s nor other has a file"));
    assert_eq!(lines(&[]), refused("there is neither /etc/pam.d nor /etc/pam.conf"));
    // Debian's libpam looks for what is included in /etc/pam.d only.
    let vendor =
        [("etc/pam.d/s", "auth include v\n"), ("usr/lib/pam.d/v", "auth required pam_permit.so\n")];
    assert_eq!(lines(&vendor).0, ["v:1 0 pam_permit.so"]);
    assert_eq!(lines(&[vendor[0], vendor[1], DEBIAN]), line("v: there is no such file"));
}

#[test]
fn one_file_for_all_services_names_them() {
    let (_root, machine) = machine(&[(
        "etc/pam.conf",
        "login auth required pam_unix.so\nOTHER auth required pam_deny.so\nsshd auth required pam_x.so\n",
    )]);
    let auth = |name| shown(&machine.service(name).lines(Kind::Auth));
    assert_eq!(auth("login"), ["pam.conf:1 0 pam_unix.so"]);
    assert_eq!(auth("su"), ["pam.conf:2 0 pam_deny.so"]);
}

#[test]
fn links_and_modules_are_found_inside_the_root() {
    let (root, machine) = machine(&[
        ("etc/authselect/system-auth", "auth required pam_unix.so\n"),
        ("etc/pam.d/s", "auth include system-auth\n"),
        ("usr/lib/x86_64-linux-gnu/security/pam_unix.so", ""),
        ("usr/lib64/security/pam_otp.so", ""),
    ]);
    std::os::unix::fs::symlink(
        "/etc/authselect/system-auth",
        root.path().join("etc/pam.d/system-auth"),
    )
    .unwrap();
    assert_eq!(shown(&machine.service("s").lines(Kind::Auth)), ["system-auth:1 0 pam_unix.so"]);
    for (module, there) in [
        ("pam_unix.so", true),
        ("pam_otp.so", true),
        ("pam_absent.so", false),
        ("/usr/lib64/security/pam_otp.so", true),
        ("/usr/lib64/security/$ISA/pam_otp.so", true),
        ("/usr/lib64/security/pam_unix.so", false),
    ] {
        assert_eq!(machine.module(module).is_some(), there, "{module}");
    }
}
