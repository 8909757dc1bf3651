//! Stacks in which users move from another module.

use super::*;

const IGNORE: &str = "[[policy]]\nname = \"p\"\nfactor = \"require\"\nunenrolled = \"ignore\"\n";
const DENY: &str = "[[policy]]\nname = \"p\"\nfactor = \"require\"\nunenrolled = \"deny\"\n";
const SKIP: &str =
    "[[policy]]\nname = \"office\"\nfactor = \"skip\"\nmatch = { source = [\"10.0.0.0/8\"] }\n";

/// Stacks at which users move, below a line for the password.
const MOVES: [[&str; 2]; 4] = [
    [
        "[success=1 ignore=ignore default=die] pam_otp.so nullok",
        "required pam_google_authenticator.so",
    ],
    [
        "[success=1 ignore=ignore default=die] pam_otp.so nullok",
        "required pam_oath.so usersfile=/etc/users.oath",
    ],
    [
        "[success=1 ignore=ignore default=die] pam_google_authenticator.so nullok",
        "required pam_otp.so",
    ],
    [
        "[success=1 user_unknown=ignore default=die] pam_oath.so usersfile=/etc/users.oath",
        "required pam_otp.so",
    ],
];

/// What is found at sudo, below Debian's lines for the password.
fn found(lines: &[&str], configuration: &str) -> Vec<String> {
    let lines: String = lines.iter().map(|line| format!("auth {line}\n")).collect();
    let (_root, machine) = machine(&format!("== etc/pam.d/sudo\n@include common-auth\n{lines}"));
    told(&look(&machine, configuration, &[]))
}

#[test]
fn a_move_is_named_and_nothing_else_is_found() {
    for (lines, configuration, at) in
        [(MOVES[0], IGNORE, 3), (MOVES[1], IGNORE, 3), (MOVES[2], DENY, 2), (MOVES[3], DENY, 2)]
    {
        let expected = [format!("hint pam-beside /etc/pam.d/sudo:{at}")];
        assert_eq!(found(&lines, configuration), expected, "{lines:?}");
    }
}

/// The lines of a move with one part replaced.
#[test]
fn every_slip_in_a_move_is_found() {
    const GUESS_2: &str = "bypass pam-second-guess /etc/pam.d/sudo:2";
    const NOWHERE_2: &str = "bypass pam-enrolled-nowhere /etc/pam.d/sudo:2";
    const NOWHERE_3: &str = "bypass pam-enrolled-nowhere /etc/pam.d/sudo:3";
    const TWICE_2: &str = "warning pam-asked-twice /etc/pam.d/sudo:2";
    const REFUSES_2: &str = "lockout pam-other-refuses /etc/pam.d/sudo:2";
    const REFUSES_3: &str = "lockout pam-other-refuses /etc/pam.d/sudo:3";
    const NO_CODE_3: &str = "bypass pam-error-is-success /etc/pam.d/sudo:3";
    const NULLOK_2: &str = "warning pam-nullok /etc/pam.d/sudo:2";
    const NULLOK_3: &str = "warning pam-nullok /etc/pam.d/sudo:3";
    const MOVE_2: &str = "hint pam-beside /etc/pam.d/sudo:2";
    const ALL_3: &str = "warning pam-beside /etc/pam.d/sudo:3";
    for (lines, (from, to), configuration, expected) in [
        (MOVES[0], ("authenticator.so", "authenticator.so nullok"), IGNORE, &[NOWHERE_3][..]),
        (MOVES[1], ("usersfile", "alwaysok usersfile"), IGNORE, &[NOWHERE_3]),
        (MOVES[1], ("required", "[success=ok user_unknown=ignore]"), IGNORE, &[NOWHERE_3]),
        (MOVES[2], ("pam_otp.so", "pam_otp.so nullok"), IGNORE, &[NOWHERE_2]),
        (MOVES[3], ("pam_otp.so", "pam_otp.so nullok"), IGNORE, &[NOWHERE_2]),
        (MOVES[0], ("default=die", "default=ignore"), IGNORE, &[GUESS_2]),
        (MOVES[1], ("default=die", "authinfo_unavail=ignore default=die"), IGNORE, &[GUESS_2]),
        (
            MOVES[0],
            ("[success=1 ignore=ignore default=die]", "optional"),
            IGNORE,
            &[GUESS_2, REFUSES_3],
        ),
        (MOVES[1], ("[success=1 ignore=ignore default=die]", "sufficient"), IGNORE, &[GUESS_2]),
        (MOVES[0], ("[success=1 ignore=ignore default=die]", "required"), IGNORE, &[REFUSES_3]),
        (
            MOVES[0],
            ("[success=1 ignore=ignore default=die]", "requisite"),
            DENY,
            &[REFUSES_3, NULLOK_2],
        ),
        (MOVES[2], ("[success=1 ignore=ignore default=die]", "sufficient"), DENY, &[GUESS_2]),
        (MOVES[2], ("[success=1 ignore=ignore default=die]", "required"), DENY, &[TWICE_2]),
        (MOVES[2], (" nullok", ""), DENY, &[REFUSES_2]),
        (MOVES[3], ("user_unknown=ignore ", ""), DENY, &[REFUSES_2]),
        (MOVES[3], ("default=die", "default=ignore"), DENY, &[GUESS_2]),
        (MOVES[0], (" nullok", ""), DENY, &[ALL_3]),
        (MOVES[0], (" nullok", ""), IGNORE, &[ALL_3, NULLOK_2]),
        (MOVES[0], ("x", "x"), DENY, &[ALL_3, NULLOK_2]),
        (MOVES[2], ("x", "x"), IGNORE, &[MOVE_2, NULLOK_3]),
        (MOVES[2], ("required", "optional"), DENY, &[NO_CODE_3, MOVE_2]),
        (MOVES[0], ("required", "optional"), IGNORE, &[NOWHERE_3]),
        (MOVES[1], ("required", "optional"), IGNORE, &[NOWHERE_3]),
        (
            MOVES[1],
            ("required", "[auth_err=ignore user_unknown=die default=ok]"),
            IGNORE,
            &[NOWHERE_3],
        ),
        (MOVES[0], ("x", "x"), &*format!("{SKIP}{IGNORE}"), &[ALL_3]),
    ] {
        let lines = lines.map(|line| line.replacen(from, to, 1));
        let lines = lines.each_ref().map(String::as_str);
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        let mut found = found(&lines, configuration);
        found.sort_unstable();
        assert_eq!(found, expected, "{lines:#?} {configuration}");
    }
}

/// Behind sshd's key there is no password, and the last line says yes.
#[test]
fn a_move_behind_the_key() {
    const GLOBAL: &str = "usepam yes\npubkeyauthentication yes\nkbdinteractiveauthentication yes\n\
        passwordauthentication no\npermitrootlogin no\n";
    const KEY: &str = "publickey,keyboard-interactive";
    const OPEN: &str = "keyboard-interactive";
    for (lines, configuration, settings, expected) in [
        (MOVES[0], IGNORE, KEY, &["hint pam-beside /etc/pam.d/sshd:2"][..]),
        (MOVES[2], DENY, KEY, &["hint pam-beside /etc/pam.d/sshd:1"]),
        (
            MOVES[1],
            IGNORE,
            OPEN,
            &[
                "bypass sshd-key-first",
                "warning pam-code-alone /etc/pam.d/sshd:1",
                "hint pam-beside /etc/pam.d/sshd:2",
            ],
        ),
    ] {
        let [first, second] = lines;
        let settings = format!("{GLOBAL}authenticationmethods {settings}\n");
        let stack = format!("auth {first}\nauth {second}\nauth required pam_permit.so\n");
        let (_root, machine) = machine(&format!("== etc/pam.d/sshd\n{stack}"));
        assert_eq!(told(&look(&machine, configuration, &[&settings])), expected, "{stack}");
    }
}

/// The old line is taken out and nothing else.
#[test]
fn half_an_end_of_a_move() {
    let lines = [MOVES[0][0]];
    assert_eq!(found(&lines, IGNORE), ["lockout pam-no-way-in /etc/pam.d/sudo:2"]);
    assert_eq!(found(&["required pam_otp.so"], DENY), [""; 0]);
}

/// Which modules ask is told of each service for itself.
#[test]
fn services_that_only_the_other_module_asks() {
    const ALONE: &str = "@include common-auth\nauth required pam_google_authenticator.so\n";
    let (_root, some) = machine(&format!(
        "== etc/pam.d/sshd\n@include common-auth\nauth required pam_otp.so\n\
         == etc/pam.d/sudo\n{ALONE}== etc/pam.d/polkit-1\n{ALONE}"
    ));
    assert_eq!(told(&look(&some, "", &[])), [""; 0]);
    let [first, second] = MOVES[2];
    let (_root, moving) = machine(&format!(
        "== etc/pam.d/sshd\n@include common-auth\nauth required pam_otp.so\n\
         == etc/pam.d/sudo\n@include common-auth\nauth {first}\nauth {second}\n"
    ));
    let stacks = Stacks::read(&moving, &everything(&moving));
    assert_eq!((stacks.with_code(), stacks.with_no_other()), (vec!["sshd", "sudo"], vec!["sshd"]));
    let above = "== etc/pam.d/sudo\nauth sufficient pam_oath.so usersfile=/x\n\
        @include common-auth\nauth required pam_otp.so\n";
    let (_root, above) = machine(above);
    assert_eq!(
        told(&look(&above, "", &[])),
        ["bypass pam-code-alone /etc/pam.d/sudo:1", "bypass pam-second-guess /etc/pam.d/sudo:1"]
    );
}
