//! Settings of sshd that let in, or keep out.

use super::*;

const WELL: &str = "usepam yes\npubkeyauthentication yes\npasswordauthentication no\n\
    kbdinteractiveauthentication yes\ngssapiauthentication no\nhostbasedauthentication no\n\
    permitrootlogin no\nlogingracetime 120\nauthenticationmethods keyboard-interactive\n\
    permitemptypasswords no\n";
const PASSWORD: &str = "== etc/pam.d/sshd\n@include common-auth\nauth required pam_otp.so\n";
const KEY: &str = "== etc/pam.d/sshd\nauth required pam_otp.so\n";

/// The files, the configuration, what is set otherwise, and what is found.
type Trap =
    (&'static str, &'static str, &'static [(&'static str, &'static str)], &'static [&'static str]);

/// What is found where the settings are well but for `changed`, each with the line that sets it.
fn found(files: &str, configuration: &str, changed: &[(&str, &str)]) -> Vec<String> {
    let lines = changed.iter().map(|(name, value)| format!("{name} {value}\n"));
    let written: String = lines.clone().collect();
    let (_root, machine) = machine(&format!("{files}== etc/ssh/sshd_config\n{written}"));
    let kept = WELL
        .lines()
        .filter(|line| !changed.iter().any(|(name, _)| line.starts_with(&format!("{name} "))));
    let settings: String = kept.map(|line| format!("{line}\n")).chain(lines).collect();
    told(&look(&machine, configuration, &[&settings]))
}

#[test]
fn every_trap_of_sshd_is_found() {
    const ENROLS: &str = "[[policy]]\nname = \"p\"\nunenrolled = \"enrol\"\nenrol = [\"totp\"]\n\
        [[method]]\nname = \"totp\"\ntype = \"totp\"\nenabled = true\n";
    let table: &[Trap] = &[
        (PASSWORD, "", &[], &[]),
        (PASSWORD, "", &[("usepam", "no")], &["bypass sshd-pam /etc/ssh/sshd_config:1"]),
        (
            PASSWORD,
            "",
            &[("authenticationmethods", "any")],
            &["bypass sshd-without-code /etc/ssh/sshd_config:1"],
        ),
        (PASSWORD, "", &[("authenticationmethods", "any"), ("pubkeyauthentication", "no")], &[]),
        (
            PASSWORD,
            "",
            &[
                (
                    "authenticationmethods",
                    "publickey,keyboard-interactive:pam publickey,hostbased hostbased",
                ),
                ("hostbasedauthentication", "yes"),
            ],
            &["bypass sshd-without-code /etc/ssh/sshd_config:1"],
        ),
        (
            PASSWORD,
            "",
            &[("authenticationmethods", "publickey,keyboard-interactive keyboard-interactive:pam")],
            &[],
        ),
        (
            PASSWORD,
            "",
            &[
                ("kbdinteractiveauthentication", "no"),
                ("authenticationmethods", "password"),
                ("passwordauthentication", "yes"),
            ],
            &["lockout sshd-no-prompt /etc/ssh/sshd_config:1"],
        ),
        (
            PASSWORD,
            "",
            &[("passwordauthentication", "yes"), ("authenticationmethods", "password")],
            &["lockout sshd-no-prompt /etc/ssh/sshd_config:2"],
        ),
        (
            PASSWORD,
            "",
            &[
                ("passwordauthentication", "yes"),
                ("authenticationmethods", "password keyboard-interactive"),
            ],
            &["warning sshd-password /etc/ssh/sshd_config:1"],
        ),
        (
            "== etc/pam.d/sshd\nauth requisite pam_otp.so forward_pass\nauth required pam_unix.so use_first_pass\n",
            "",
            &[("passwordauthentication", "yes"), ("authenticationmethods", "password")],
            &[],
        ),
        (
            PASSWORD,
            "",
            &[("permitemptypasswords", "yes")],
            &["warning sshd-empty-password /etc/ssh/sshd_config:1"],
        ),
        (
            PASSWORD,
            "",
            &[("permitrootlogin", "without-password")],
            &["hint sshd-root /etc/ssh/sshd_config:1"],
        ),
        (PASSWORD, ENROLS, &[], &["warning sshd-grace /etc/ssh/sshd_config"]),
        (PASSWORD, ENROLS, &[("logingracetime", "300")], &[]),
        (PASSWORD, ENROLS, &[("logingracetime", "0")], &[]),
        (
            PASSWORD,
            "[provider.sms]\n",
            &[("logingracetime", "30")],
            &["warning sshd-grace /etc/ssh/sshd_config:1"],
        ),
        (KEY, "", &[("authenticationmethods", "publickey,keyboard-interactive")], &[]),
        (
            KEY,
            ENROLS,
            &[
                ("authenticationmethods", "publickey,keyboard-interactive"),
                ("logingracetime", "600"),
            ],
            &[],
        ),
        (
            KEY,
            "",
            &[("authenticationmethods", "publickey,keyboard-interactive keyboard-interactive")],
            &[
                "bypass sshd-key-first /etc/ssh/sshd_config:1",
                "warning pam-code-alone /etc/pam.d/sshd:1",
            ],
        ),
        ("== etc/pam.d/sshd\n@include common-auth\n", "", &[("usepam", "no")], &[]),
    ];
    for (files, configuration, changed, expected) in table {
        let found = found(files, configuration, changed);
        assert_eq!(found, *expected, "{files}{configuration}{changed:?}");
    }
}

#[test]
fn a_block_and_another_service_are_looked_at() {
    let written = "PermitRootLogin no\nMatch User bob\n  AuthenticationMethods publickey\n";
    let files = format!("{PASSWORD}== etc/ssh/sshd_config\n{written}");
    let (_root, machine) = machine(&files);
    let bob = WELL
        .replace("authenticationmethods keyboard-interactive", "authenticationmethods publickey");
    let subjects = look(&machine, "", &[WELL, &bob]);
    assert_eq!(told(&subjects), ["bypass sshd-without-code /etc/ssh/sshd_config:3"]);
    assert_eq!(subjects[1].title, "sshd's settings and its Match block");
    let renamed = WELL.replace("usepam yes", "usepam no") + "pamservicename otherd\n";
    assert_eq!(told(&look(&machine, "", &[&renamed])), [""; 0]);
}

#[test]
fn what_sshd_refuses_and_what_is_stale_is_told() {
    let (_root, machine) = machine(PASSWORD);
    let stacks = Stacks::read(&machine, &machine.services());
    let mut sshd = Sshd::of(vec![Settings::parse(WELL, None)], Files::default());
    sshd.stale = true;
    let subject = sshd.check(|service| stacks.asking(service), None);
    assert_eq!(told(&[subject]), ["hint sshd-reload"]);
    sshd.refused = Some("line 3: Bad configuration option: Usepa".into());
    sshd.settings.clear();
    let subject = sshd.check(|service| stacks.asking(service), None);
    assert_eq!(told(&[subject]), ["lockout sshd-config"]);
}

#[test]
fn what_sshd_does_not_tell_is_not_guessed() {
    let (_root, machine) = machine(KEY);
    assert_eq!(told(&look(&machine, "", &[])), [""; 0]);
}

#[test]
fn a_block_that_cannot_be_tried_is_told_where_it_says_who_gets_in() {
    for (lines, expected) in [
        (
            "  AuthenticationMethods publickey\n",
            &["warning sshd-untried /etc/ssh/sshd_config:2"][..],
        ),
        ("  X11Forwarding no\n  UsePAM no\n", &["warning sshd-untried /etc/ssh/sshd_config:3"]),
        ("  X11Forwarding no\n", &[]),
    ] {
        let text = format!("{PASSWORD}== etc/ssh/sshd_config\nMatch Exec /bin/x\n{lines}");
        let (_root, machine) = machine(&text);
        let stacks = Stacks::read(&machine, &machine.services());
        let files = Files::read(&machine);
        let mut sshd = Sshd::of(vec![Settings::parse(WELL, None)], files.clone());
        sshd.untried.extend(sshd::untried(&files, 0, "exec is not tried"));
        assert_eq!(
            told(&[sshd.check(|service| stacks.asking(service), None)]),
            expected,
            "{lines}"
        );
        let subject = sshd.check(|_| None, None);
        assert_eq!(told(&[subject]), [""; 0], "a stack without a code");
    }
}

#[test]
fn whose_own_group_it_is_belongs_to_it() {
    let passwd = "root:x:0:0:root:/root:/bin/sh\nbad\nal:x:7:8::/:/bin/sh\nbob:x:1000:7::/:/bin/sh\n\
        eve:x:1001:7::/:/bin/sh\n";
    assert_eq!(sshd::first_of(passwd, 7).as_deref(), Some("bob"));
    assert_eq!(sshd::first_of(passwd, 1000), None);
}

#[test]
fn options_of_the_running_sshd_win() {
    let (_root, machine) = machine(&format!("{PASSWORD}== etc/ssh/sshd_config\nUsePAM yes\n"));
    let stacks = Stacks::read(&machine, &machine.services());
    let settings = Settings::parse(&WELL.replace("usepam yes", "usepam no"), None);
    let mut sshd = Sshd::of(vec![settings], Files::read(&machine));
    let options = vec!["UsePAM=no".to_owned()];
    let daemon = Daemon { pid: Some(7), options, ..Daemon::default() };
    sshd.untried.push(daemon.untried("no"));
    sshd.daemons[0].0 = daemon;
    let subject = sshd.check(|service| stacks.asking(service), None);
    assert_eq!(subject.findings[0].found, "-o UsePAM=no (of the running sshd, pid 7)");
    assert_eq!(subject.findings[1].found, "sshd with pid 7: -o UsePAM=no");
    assert_eq!(told(&[subject]), ["bypass sshd-pam", "warning sshd-options"]);
}
