//! Stacks that let in, or keep out.

use super::*;

/// A trap: what is found, on which machine, and the line that repairs it.
struct Trap {
    told: &'static [&'static str],
    files: &'static str,
    /// Replaced by this, nothing but hints is found.
    repair: (&'static str, &'static str),
    configuration: &'static str,
}

const fn trap(
    told: &'static [&'static str],
    files: &'static str,
    repair: (&'static str, &'static str),
) -> Trap {
    Trap { told, files, repair, configuration: "" }
}

const SKIP: &str = "[[policy]]\nname = \"p\"\nfactor = \"skip\"\nmatch = { user = [\"a\"] }\n";
const IGNORE: &str = "[[policy]]\nname = \"p\"\nfactor = \"require\"\nunenrolled = \"ignore\"\n";
const ENROL: &str = "[[policy]]\nname = \"p\"\nunenrolled = \"enrol\"\nenrol = [\"totp\"]\n\
    match = { service = [\"sudo\"] }\n\
    [[method]]\nname = \"totp\"\ntype = \"totp\"\nenabled = true\n";
const SMS: &str = "[provider.sms]\nmain = {}\n[[method]]\nname = \"off\"\ntype = \"totp\"\nenabled = false\n\
    [[method]]\nname = \"totp\"\ntype = \"totp\"\nenabled = true\n";
const ISSUED: &str = "[issued]\nenabled = true\n";

const TRAPS: &[Trap] = &[
    trap(
        &["bypass pam-error-is-success /etc/pam.d/sudo:2"],
        "== etc/pam.d/sudo\n@include common-auth\nauth optional pam_otp.so\n",
        ("optional", "required"),
    ),
    trap(
        &["bypass pam-error-is-success /etc/pam.d/sudo:2"],
        "== etc/pam.d/sudo\n@include common-auth\nauth sufficient pam_otp.so\n",
        ("sufficient", "requisite"),
    ),
    trap(
        &["bypass pam-error-is-success /etc/pam.d/sudo:2"],
        "== etc/pam.d/sudo\n@include common-auth\nauth [default=ignore] pam_otp.so\n",
        ("[default=ignore]", "required"),
    ),
    trap(
        &["bypass pam-error-is-success /etc/pam.d/sudo:2"],
        "== etc/pam.d/sudo\n@include common-auth\nauth [success=ok authinfo_unavail=ignore default=bad] pam_otp.so\n",
        ("authinfo_unavail=ignore", "ignore=ignore"),
    ),
    trap(
        &["bypass pam-error-is-success /etc/pam.d/sudo:2"],
        "== etc/pam.d/sudo\n@include common-auth\nauth [success=ok module_unknown=ignore default=die] pam_otp.so\n",
        ("module_unknown=ignore ", ""),
    ),
    trap(
        &["bypass pam-error-is-success /etc/pam.d/sudo:2"],
        "== etc/pam.d/sudo\nauth requisite pam_unix.so\nauth [success=1 default=reset] pam_otp.so\nauth required pam_unix.so\nauth required pam_permit.so\n",
        ("[success=1 default=reset]", "required"),
    ),
    trap(
        &["bypass pam-never-asked /etc/pam.d/sudo:1", "bypass pam-code-alone /etc/pam.d/sudo:2"],
        "== etc/pam.d/sudo\nauth sufficient pam_unix.so\nauth required pam_otp.so\n",
        ("sufficient", "requisite"),
    ),
    trap(
        &["bypass pam-never-asked /etc/pam.d/system-auth:1"],
        "== etc/debian_version\n== etc/pam.d/sudo\nauth include system-auth\nauth required pam_otp.so\n\
         == etc/pam.d/system-auth\nauth sufficient pam_unix.so\nauth required pam_deny.so\n",
        ("include", "substack"),
    ),
    trap(
        &["bypass pam-never-asked /etc/pam.d/sudo:1"],
        "== etc/pam.d/sudo\nauth sufficient pam_fprintd.so\n@include common-auth\nauth required pam_otp.so\n",
        ("sufficient", "required"),
    ),
    trap(
        &[
            "bypass pam-code-alone /etc/pam.d/sudo:1",
            "bypass pam-error-is-success /etc/pam.d/sudo:1",
        ],
        "== etc/pam.d/sudo\nauth sufficient pam_otp.so\n@include common-auth\n",
        ("sufficient", "required"),
    ),
    trap(
        &["bypass pam-code-alone /etc/pam.d/sudo:2"],
        "== etc/pam.d/sudo\nauth optional pam_unix.so\nauth required pam_otp.so\n",
        ("optional", "required"),
    ),
    trap(
        &["warning pam-code-alone /etc/pam.d/sudo:1"],
        "== etc/pam.d/sudo\nauth required pam_otp.so\n",
        ("auth", "@include common-auth\nauth"),
    ),
    trap(
        &["lockout pam-no-way-in /etc/pam.d/sudo:2", "warning pam-broken-line /etc/pam.d/sudo:2"],
        "== etc/pam.d/sudo\n@include common-auth\nauth requried pam_otp.so\n",
        ("requried", "required"),
    ),
    trap(
        &["lockout pam-no-way-in /etc/pam.d/common-auth:3"],
        "== etc/pam.d/sudo\n@include common-auth\nauth required pam_otp.so\n\
         == etc/pam.d/common-auth\nauth [success=1 default=ignore] pam_sss.so\nauth requisite pam_deny.so\nauth requisite pam_deny.so\n",
        (
            "auth requisite pam_deny.so\nauth requisite pam_deny.so\n",
            "auth requisite pam_deny.so\n",
        ),
    ),
    trap(
        &["lockout pam-refused /etc/pam.d/sudo:1"],
        "== etc/pam.d/sudo\n@include common-aut\nauth required pam_otp.so\n",
        ("common-aut\n", "common-auth\n"),
    ),
    trap(
        &["warning pam-differs /etc/pam.d/sudo:2"],
        "== etc/pam.d/sudo\n@include common-auth\nauth required pam_otp.so \\\n\n",
        (" \\\n\n", "\n"),
    ),
    trap(
        &["warning pam-quiet /etc/pam.d/sudo:2"],
        "== etc/pam.d/sudo\n@include common-auth\n-auth required pam_otp.so\n",
        ("\n-auth", "\nauth"),
    ),
    trap(
        &["lockout pam-kind /etc/pam.d/sudo:2", "warning pam-kind /etc/pam.d/sudo:3"],
        "== etc/pam.d/sudo\n@include common-auth\naccount required pam_otp.so\nsession optional pam_otp.so\n",
        ("account required pam_otp.so\nsession optional", "auth required"),
    ),
    trap(
        &["lockout pam-option /etc/pam.d/sudo:2"],
        "== etc/pam.d/sudo\n@include common-auth\nauth required pam_otp.so nulok\n",
        ("nulok", "debug"),
    ),
    trap(
        &["lockout pam-module-missing /etc/pam.d/sudo:2"],
        "== etc/pam.d/sudo\n@include common-auth\nauth required /opt/pam_otp.so\n",
        ("/opt/", ""),
    ),
    trap(
        &["warning pam-asked-twice /etc/pam.d/sudo:2"],
        "== etc/pam.d/common-auth\nauth requisite pam_unix.so\nauth required pam_otp.so\n\
         == etc/pam.d/sudo\n@include common-auth\nauth required pam_otp.so\n",
        ("auth requisite pam_unix.so\nauth required pam_otp.so", "auth requisite pam_unix.so"),
    ),
    trap(
        &["lockout pam-no-password /etc/pam.d/sudo:1"],
        "== etc/pam.d/sudo\nauth requisite pam_otp.so use_first_pass\nauth required pam_unix.so use_first_pass\n",
        ("pam_otp.so use_first_pass", "pam_otp.so forward_pass"),
    ),
    trap(
        &["lockout pam-no-way-in /etc/pam.d/common-auth:2"],
        "== etc/pam.d/sudo\n@include common-auth\nauth required pam_otp.so use_first_pass\n",
        (" use_first_pass", ""),
    ),
    trap(
        &[
            "bypass pam-error-is-success /etc/pam.d/sudo:2",
            "lockout pam-no-way-in /etc/pam.d/sudo:1",
        ],
        "== etc/pam.d/sudo\nauth requisite pam_unix.so\nauth sufficient pam_otp.so use_first_pass\n",
        ("sufficient pam_otp.so use_first_pass", "required pam_otp.so"),
    ),
    trap(
        &["bypass pam-no-proof /etc/pam.d/sudo:1"],
        "== etc/pam.d/sudo\nauth sufficient pam_localuser.so\n@include common-auth\nauth required pam_otp.so\n",
        ("sufficient", "required"),
    ),
    trap(
        &["bypass pam-no-proof /etc/pam.d/su:1"],
        "== etc/pam.d/su\nauth sufficient pam_wheel.so trust deny group=x\n@include common-auth\nauth required pam_otp.so\n",
        ("trust deny", "trust"),
    ),
    trap(
        &["bypass pam-no-proof /etc/pam.d/sudo:1"],
        "== etc/pam.d/sudo\nauth sufficient pam_succeed_if.so user notingroup nopasswdlogin\n@include common-auth\nauth required pam_otp.so\n",
        ("notingroup", "ingroup"),
    ),
    trap(
        &["bypass pam-no-proof /etc/pam.d/sudo:1"],
        "== etc/pam.d/sudo\nauth sufficient pam_exec.so /bin/x\n@include common-auth\nauth required pam_otp.so\n",
        ("pam_exec.so /bin/x", "pam_exec.so expose_authtok /bin/x"),
    ),
    trap(
        &["bypass pam-no-proof /etc/pam.d/su:2", "bypass pam-no-proof /etc/pam.d/su:3"],
        "== etc/pam.d/su\nauth sufficient pam_rootok.so\nauth sufficient pam_usertype.so isregular\n\
         auth [success=done default=ignore] pam_shells.so\n@include common-auth\nauth required pam_otp.so\n",
        (
            "auth sufficient pam_usertype.so isregular\nauth [success=done default=ignore] pam_shells.so\n",
            "auth sufficient pam_wheel.so trust use_uid\n",
        ),
    ),
    trap(
        &["bypass pam-no-proof /etc/pam.d/sudo:1"],
        "== etc/pam.d/sudo\nauth [success=done default=ignore] pam_succeed_if.so uid >= 1000\n\
         @include common-auth\nauth required pam_otp.so\n",
        ("[success=done default=ignore]", "requisite"),
    ),
    Trap {
        told: &["warning pam-issued /etc/pam.d/sudo:1"],
        files: "== etc/pam.d/sudo\nauth required pam_otp.so mode=issued\n@include common-auth\n",
        repair: ("required", "sufficient"),
        configuration: ISSUED,
    },
    Trap {
        told: &["warning pam-issued /etc/pam.d/sudo:2"],
        files: "== etc/pam.d/sudo\n@include common-auth\nauth sufficient pam_otp.so mode=issued\n",
        repair: (
            "@include common-auth\nauth sufficient pam_otp.so mode=issued",
            "auth sufficient pam_otp.so mode=issued\n@include common-auth",
        ),
        configuration: ISSUED,
    },
    Trap {
        told: &["bypass pam-issued-alone /etc/pam.d/sudo:1"],
        files: "== etc/pam.d/sudo\nauth required pam_otp.so mode=issued\nauth required pam_permit.so\n",
        repair: (
            "required pam_otp.so mode=issued\nauth required pam_permit.so",
            "sufficient pam_otp.so mode=issued\n@include common-auth",
        ),
        configuration: ISSUED,
    },
    trap(
        &["warning pam-issued /etc/pam.d/sudo:1"],
        "== etc/pam.d/sudo\nauth sufficient pam_otp.so mode=issued\n@include common-auth\n",
        ("auth sufficient pam_otp.so mode=issued\n", ""),
    ),
    trap(
        &["warning pam-nullok /etc/pam.d/sudo:2"],
        "== etc/pam.d/sudo\n@include common-auth\nauth required pam_otp.so nullok\n",
        (" nullok", ""),
    ),
    Trap {
        told: &["warning pam-nullok /etc/pam.d/sudo:2"],
        files: "== etc/pam.d/sudo\n@include common-auth\nauth required pam_otp.so\n",
        repair: ("pam_otp.so", "pam_otp.so nullok"),
        configuration: IGNORE,
    },
    Trap {
        told: &["lockout pam-method /etc/pam.d/sudo:2"],
        files: "== etc/pam.d/sudo\n@include common-auth\nauth requisite pam_otp.so method=off\n",
        repair: ("method=off", "method=totp"),
        configuration: SMS,
    },
    Trap {
        told: &["lockout pam-method /etc/pam.d/sudo:2"],
        files: "== etc/pam.d/sudo\n@include common-auth\nauth requisite pam_otp.so method=x\n",
        repair: ("method=x", "method=recovery"),
        configuration: SMS,
    },
    Trap {
        told: &["bypass pam-enrol-stranger /etc/pam.d/sudo:2"],
        files: "== etc/pam.d/sudo\nauth required pam_unix.so\nauth required pam_otp.so\n",
        repair: ("required pam_unix.so", "requisite pam_unix.so"),
        configuration: ENROL,
    },
    Trap {
        told: &["bypass pam-enrol-stranger /etc/pam.d/sudo:2"],
        files: "== etc/pam.d/password-auth\nauth sufficient pam_unix.so\nauth required pam_deny.so\n\
                == etc/pam.d/sudo\nauth substack password-auth\nauth required pam_otp.so\n",
        repair: ("auth substack password-auth", "auth requisite pam_unix.so"),
        configuration: ENROL,
    },
    Trap {
        told: &["warning pam-sent-to-stranger /etc/pam.d/sudo:2"],
        files: "== etc/pam.d/sudo\nauth required pam_unix.so\nauth required pam_otp.so\n",
        repair: ("required pam_unix.so", "requisite pam_unix.so"),
        configuration: SMS,
    },
    Trap {
        told: &[
            "bypass pam-nothing-asked /etc/pam.d/sudo:1",
            "warning pam-code-alone /etc/pam.d/sudo:1",
        ],
        files: "== etc/pam.d/sudo\nauth required pam_otp.so\nauth required pam_permit.so\n",
        repair: ("auth required pam_otp.so", "@include common-auth\nauth required pam_otp.so"),
        configuration: SKIP,
    },
    Trap {
        told: &[
            "lockout pam-let-off-refused /etc/pam.d/sudo:1",
            "warning pam-code-alone /etc/pam.d/sudo:1",
        ],
        files: "== etc/pam.d/sudo\nauth required pam_otp.so\n",
        repair: ("auth required", "@include common-auth\nauth required"),
        configuration: SKIP,
    },
    trap(
        &["lockout pam-socket /etc/pam.d/sudo:2"],
        "== etc/pam.d/sudo\n@include common-auth\nauth required pam_otp.so socket=/run/x\n",
        (" socket=/run/x", ""),
    ),
    trap(
        &["bypass pam-sibling /etc/pam.d/sudo-i"],
        "== etc/pam.d/sudo\n@include common-auth\nauth required pam_otp.so\n== etc/pam.d/sudo-i\n@include common-auth\n",
        ("sudo-i\n@include common-auth\n", "sudo-i\nauth include sudo\n"),
    ),
];

#[test]
fn every_trap_is_found_and_its_repair_is_well() {
    for trap in TRAPS {
        let (_root, broken) = machine(trap.files);
        let found = told(&look(&broken, trap.configuration, &[]));
        let mut expected = trap.told.to_vec();
        expected.sort_unstable();
        assert_eq!(found, expected, "{}\n{}", trap.files, trap.configuration);
        let (from, to) = trap.repair;
        assert!(trap.files.contains(from), "{from}: {}", trap.files);
        let (_root, repaired) = machine(&trap.files.replace(from, to));
        let mut found = told(&look(&repaired, trap.configuration, &[]));
        found.retain(|line| !line.starts_with("hint"));
        assert_eq!(found, [""; 0], "repaired {}", trap.files.replace(from, to));
    }
}

#[test]
fn hints_are_told_once() {
    let services = "== etc/pam.d/sshd\n@include common-auth\nauth required pam_otp.so\n\
        == etc/pam.d/login\n@include common-auth\n== etc/pam.d/polkit-1\n@include common-auth\n\
        == etc/pam.d/cron\n@include common-auth\n== etc/pam.d/chfn\n@include common-auth\n";
    let (_root, some) = machine(services);
    let subjects = look(&some, "", &[]);
    assert_eq!(told(&subjects), ["hint pam-without-code"]);
    assert_eq!(subjects[0].findings[0].found, "login and polkit-1");
    let all = "== etc/pam.d/common-auth\nauth requisite pam_unix.so\nauth required pam_otp.so\n\
        == etc/pam.d/login\n@include common-auth\n";
    let (_root, closed) = machine(all);
    assert_eq!(told(&look(&closed, "", &[])), ["hint pam-no-way-back /etc/pam.d/common-auth:2"]);
    let exempt = "== etc/pam.d/sudo\n@include common-auth\n\
        auth [success=1 default=ignore] pam_succeed_if.so user ingroup x\nauth required pam_otp.so\n";
    let (_root, exempt) = machine(exempt);
    assert_eq!(told(&look(&exempt, "", &[])), ["hint pam-exempt /etc/pam.d/sudo:2"]);
    let trusted = "== etc/pam.d/su\nauth sufficient pam_rootok.so\n\
        auth sufficient pam_wheel.so trust use_uid\n@include common-auth\n\
        auth [success=1 default=ignore] pam_access.so accessfile=/x\nauth required pam_otp.so\n\
        == etc/pam.d/lightdm\nauth sufficient pam_succeed_if.so user ingroup nopasswdlogin\n\
        @include common-auth\nauth required pam_otp.so\n";
    let (_root, trusted) = machine(trusted);
    assert_eq!(
        told(&look(&trusted, "", &[])),
        [
            "hint pam-exempt /etc/pam.d/lightdm:1",
            "hint pam-exempt /etc/pam.d/su:2",
            "hint pam-exempt /etc/pam.d/su:4",
            "hint pam-no-way-back /etc/pam.d/lightdm:3",
        ]
    );
}

/// Stacks that people have and that are as they should be.
#[test]
fn nothing_is_found_where_all_is_well() {
    const RHEL: &str = "auth required pam_env.so\nauth required pam_faildelay.so delay=2000000\n\
        auth required pam_faillock.so preauth silent\n\
        auth [default=1 ignore=ignore success=ok] pam_usertype.so isregular\n\
        auth [default=1 ignore=ignore success=ok] pam_localuser.so\n\
        auth sufficient pam_unix.so nullok\n\
        auth [default=1 ignore=ignore success=ok] pam_usertype.so isregular\n\
        auth sufficient pam_sss.so forward_pass\nauth required pam_faillock.so authfail\n\
        auth required pam_deny.so\n";
    let rhel = format!(
        "== etc/pam.d/password-auth\n{RHEL}== etc/pam.d/system-auth\n{RHEL}\
         == etc/pam.d/sshd\nauth substack password-auth\nauth required pam_otp.so\nauth include postlogin\n\
         == etc/pam.d/postlogin\nsession optional pam_umask.so silent\n\
         == etc/pam.d/sudo\nauth substack system-auth\nauth required pam_otp.so\n\
         == etc/pam.d/sudo-i\nauth include sudo\n\
         == etc/pam.d/su\nauth sufficient pam_rootok.so\nauth substack system-auth\nauth required pam_otp.so\n\
         auth include postlogin\n== etc/pam.d/su-l\nauth include su\n"
    );
    let one_field = "== etc/pam.d/sudo\nauth [success=2 default=ignore] pam_unix.so nodelay\n\
        auth requisite pam_otp.so use_first_pass\nauth [success=done default=die] pam_unix.so use_first_pass\n\
        auth requisite pam_otp.so mode=challenge\nauth required pam_permit.so\n";
    let debian = "== etc/pam.d/su\nauth sufficient pam_rootok.so\n@include common-auth\nauth required pam_otp.so\n\
        == etc/pam.d/login\nauth optional pam_faildelay.so delay=3000000\nauth requisite pam_nologin.so\n\
        @include common-auth\nauth required pam_otp.so\nauth optional pam_group.so\n\
        == etc/pam.d/gdm-password\n@include common-auth\nauth optional pam_gnome_keyring.so\n";
    let code = "== etc/pam.d/sudo\nauth sufficient pam_otp.so mode=issued\n@include common-auth\nauth required pam_otp.so\n";
    for (files, configuration) in [
        (rhel.as_str(), ""),
        (one_field, SKIP),
        (debian, SKIP),
        (code, ISSUED),
        ("== etc/pam.d/sudo\n@include common-auth\nauth required pam_otp.so nullok\n", IGNORE),
        ("== etc/pam.d/sudo\n@include common-auth\nauth required pam_otp.so\n", ENROL),
    ] {
        let (_root, machine) = machine(files);
        let mut found = told(&look(&machine, configuration, &[]));
        found.retain(|line| !line.starts_with("hint pam-without-code"));
        assert_eq!(found, [""; 0], "{files}");
    }
}
