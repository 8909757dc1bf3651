use super::*;
use crate::{Kind, Machine};

/// A stack of these lines; `NAME: LINE` belongs to the file NAME, which the others may include.
fn stack(lines: &[&str]) -> Stack {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("etc/pam.d");
    std::fs::create_dir_all(&folder).unwrap();
    for line in lines {
        let (file, line) = line.split_once(": ").unwrap_or(("s", line));
        let path = folder.join(file);
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        std::fs::write(path, format!("{text}auth {line}\n")).unwrap();
    }
    Stack { lines: Machine::at(root.path()).service("s").lines(Kind::Auth) }
}

const COMMON: [&str; 3] = [
    "[success=1 default=ignore] pam_unix.so nullok",
    "requisite pam_deny.so",
    "required pam_permit.so",
];
const PASSWORD_AUTH: [&str; 8] = [
    "substack p",
    "p: required pam_env.so",
    "p: required pam_faillock.so preauth silent",
    "p: [default=1 ignore=ignore success=ok] pam_usertype.so isregular",
    "p: sufficient pam_unix.so nullok",
    "p: sufficient pam_sss.so forward_pass",
    "p: required pam_faillock.so authfail",
    "p: required pam_deny.so",
];

/// In which cases a login can succeed: always (a capital letter) or for some (a small one).
fn cases(stack: &Stack) -> String {
    [
        ("R", Case::RIGHT),
        ("N", Case::NO_CODE),
        ("C", Case::CODE_ALONE),
        ("O", Case::NOTHING),
        ("L", Case::LET_OFF),
    ]
    .iter()
    .map(|(name, case)| match stack.judge(case) {
        Judged::No => String::new(),
        Judged::Some(..) => name.to_lowercase(),
        Judged::Always(_) => (*name).to_owned(),
    })
    .collect()
}

#[test]
fn what_can_come_of_a_login() {
    let below = |code: &'static str| [&COMMON[..], &[code]].concat();
    let above = |code: &'static str| [&[code], &COMMON[..]].concat();
    let table: Vec<(Vec<&str>, &str)> = vec![
        (below("required pam_otp.so"), "RL"),
        (below("requisite pam_otp.so"), "RL"),
        (below("optional pam_otp.so"), "RNL"),
        (below("sufficient pam_otp.so"), "RNL"),
        (below("[default=ignore] pam_otp.so"), "RNL"),
        (below("[success=ok authinfo_unavail=ignore default=bad] pam_otp.so"), "RN"),
        (below("required pam_otp.so use_first_pass"), "L"),
        (below("required pam_otp.so try_first_pass"), "RL"),
        (above("sufficient pam_otp.so"), "RNCL"),
        (above("sufficient pam_otp.so mode=issued"), "RNL"),
        (vec!["required pam_otp.so"], "RC"),
        (vec!["required pam_otp.so", "required pam_permit.so"], "RCOL"),
        (vec!["required pam_unix.so", "required pam_otp.so"], "RL"),
        (vec!["sufficient pam_unix.so", "required pam_otp.so"], "RNCL"),
        (vec!["required pam_otp.so", "required pam_deny.so"], ""),
        (vec!["requried pam_unix.so", "required pam_otp.so"], ""),
        (vec!["requisite pam_unix.so", "sufficient pam_otp.so use_first_pass"], "NL"),
        ([&PASSWORD_AUTH[..], &["required pam_otp.so"]].concat(), "RL"),
        ([&PASSWORD_AUTH[..], &["optional pam_otp.so"]].concat(), "RNL"),
        (
            [
                &COMMON[..],
                &[
                    "[success=1 default=ignore] pam_succeed_if.so user ingroup x",
                    "required pam_otp.so",
                ],
            ]
            .concat(),
            "RnL",
        ),
        ([&["sufficient pam_rootok.so"], &COMMON[..], &["required pam_otp.so"]].concat(), "RncoL"),
        (
            vec![
                "[success=2 default=ignore] pam_unix.so nodelay",
                "requisite pam_otp.so use_first_pass",
                "[success=done default=die] pam_unix.so use_first_pass",
                "requisite pam_otp.so mode=challenge",
                "required pam_permit.so",
            ],
            "RL",
        ),
    ];
    for (lines, expected) in table {
        let stack = stack(&lines);
        assert_eq!(cases(&stack), expected, "{lines:#?}");
    }
}

/// Who gets in where another module asks as well: a code here or there that is right (R), wrong (W)
/// or asked of somebody whom that module does not know (A).
#[test]
fn what_can_come_of_two_modules() {
    const GA: &str = "pam_google_authenticator.so";
    const OATH: &str = "pam_oath.so usersfile=/etc/users.oath";
    let skips = "[success=1 ignore=ignore default=die]";
    let knows = "[success=1 user_unknown=ignore default=die]";
    let table = [
        (format!("{skips} pam_otp.so"), format!("required {GA}"), "RR RW RA AR"),
        (format!("{skips} pam_otp.so"), format!("required {GA} nullok"), "RR RW RA AR AA"),
        (format!("{skips} pam_otp.so"), format!("required {OATH}"), "RR RW RA AR"),
        (format!("{skips} pam_otp.so"), format!("required {OATH} alwaysok"), "RR RW RA AR AW AA"),
        (format!("{skips} {GA} nullok"), "required pam_otp.so".into(), "RR RA WR AR AA"),
        (format!("{knows} {OATH}"), "required pam_otp.so".into(), "RR RA WR AR AA"),
        ("required pam_otp.so".into(), format!("required {GA}"), "RR AR"),
        ("required pam_otp.so".into(), format!("required {GA} nullok"), "RR RA AR AA"),
        ("sufficient pam_otp.so".into(), format!("required {OATH}"), "RR RW RA WR AR"),
        (format!("sufficient {OATH}"), "required pam_otp.so".into(), "RR RW RA WR AR AW AA"),
    ];
    let other = [(Other::Right, "R"), (Other::Wrong, "W"), (Other::Absent, "A")];
    let second = [(Code::SUCCESS, "R"), (Code::AUTH_ERR, "W"), (Code::IGNORE, "A")];
    for (first, then, expected) in table {
        let stack = stack(&[&COMMON[..], &[&first, &then]].concat());
        let mut passing = Vec::new();
        for (second, here) in second {
            for (other, there) in other {
                let case = Case::RIGHT.second(second).other(other);
                if stack.judge(&case) != Judged::No {
                    passing.push(format!("{here}{there}"));
                }
            }
        }
        assert_eq!(passing.join(" "), expected, "{first} / {then}");
    }
}

#[test]
fn the_way_in_is_told() {
    let stack = stack(&["sufficient pam_unix.so", "required pam_otp.so"]);
    let steps = vec![Step { line: 0, returned: Code::SUCCESS }];
    assert_eq!(stack.judge(&Case::NO_CODE), Judged::Always(Run { steps }));
    let wrong = Case { first: First::Wrong, ..Case::RIGHT };
    assert_eq!(stack.reaches(&wrong, 1).unwrap().returned(0), Some(Code::AUTH_ERR));
    assert_eq!(stack.refuses(), Some(0));
}
