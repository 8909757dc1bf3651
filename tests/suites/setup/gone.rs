//! The day on which the module goes: nobody is locked out, and nobody is let in.

use std::fs;

use harness::{Login, MODULE, PASSWORD, pam::code};

use super::{machine, pending, set_up, setup};

/// Lines that administrators write, each of which would fail or open its service without the module.
#[test]
fn no_line_is_left_and_every_stack_asks_for_the_password() {
    machine(|world, token, _| {
        set_up(&["sudo"], token);
        setup(&["--keep"], &[]).ok();
        set_up(&["login"], token);
        let account = "account required pam_permit.so\n";
        let stacks = [
            ("below", "@include common-auth\nauth required pam_otp.so\n".to_owned()),
            ("alone", "#@include common-auth\nauth required pam_otp.so\n".to_owned()),
            ("permit", "auth required pam_otp.so\nauth required pam_permit.so\n".to_owned()),
            ("path", format!("auth requisite pam_unix.so\nauth [default=die] {MODULE} nullok\n")),
            (
                "field",
                "auth [success=2 default=ignore] pam_unix.so nodelay\n\
                 auth requisite pam_otp.so use_first_pass\n\
                 auth [success=done default=die] pam_unix.so use_first_pass\n\
                 auth requisite pam_otp.so mode=challenge\nauth required pam_permit.so\n"
                    .to_owned(),
            ),
        ];
        for (name, text) in &stacks {
            fs::write(format!("/etc/pam.d/{name}"), format!("{text}{account}")).unwrap();
        }
        let done = setup(&["--remove", "--every-line"], &[]);
        assert_eq!(done.code(), 0, "{done:?}");
        assert!(!pending());
        for entry in fs::read_dir("/etc/pam.d").unwrap().flatten() {
            let text = fs::read_to_string(entry.path()).unwrap();
            let active = |line: &str| line.split('#').next().unwrap().contains("pam_otp.so");
            assert!(!text.lines().any(active), "{:?}: {text}", entry.path());
        }
        let mut host = world.host();
        let others = ["sudo", "login"];
        for service in stacks.iter().map(|(name, _)| *name).chain(others) {
            let right = host.login(Login::new(service, "alice"), &[PASSWORD.as_bytes()]);
            assert_eq!(right.code(), code::SUCCESS, "{service} locks out: {right:?}");
            assert!(right.transcript.contains("Password: "), "{service}: {right:?}");
            let wrong = host.login(Login::new(service, "alice"), &[b"wrong"]);
            assert_ne!(wrong.code(), code::SUCCESS, "{service} is open: {wrong:?}");
        }
        let again = setup(&["--remove", "--every-line"], &[]).ok();
        assert_eq!(again, "Nothing names pam_otp.so.\n");
    });
}
