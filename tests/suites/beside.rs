//! pam_otp beside Debian's pam_google_authenticator and pam_oath, while users move from one to the
//! other.

use std::fs;

use harness::{
    Login, MODULE, Otpd, PASSWORD, Token, World,
    authenticators::Other,
    crowd,
    otpd::{enrol, otpctl_with},
    pam::{Host, Outcome, code},
    protocol::Answer,
    sshd::Methods,
};
use pam_stack::{Case, Code, Judged, Kind, Machine, Stack};
use serde_json::Value;

/// Whom pam_otp does not know it leaves to the other module.
const IGNORE: &str = "[lockout]\nafter = 50\n[[policy]]\nname = \"until all have moved\"\n\
    match = { service = [\"move\", \"sshd\", \"sudo\"] }\nfactor = \"require\"\nunenrolled = \"ignore\"\n";
const DENY: &str = "[lockout]\nafter = 50\n";
/// Debian's common-auth.
const COMMON: [&str; 3] = [
    "[success=1 default=ignore] pam_unix.so nodelay",
    "requisite pam_deny.so",
    "required pam_permit.so",
];

/// Which module comes first.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Order {
    /// pam_otp asks whom otpd knows, and the other one the rest.
    OtpdFirst,
    /// The other one asks whom it knows, and pam_otp the rest.
    OtherFirst,
}

/// The two lines of a move, as pam_otp(8) has them.
fn lines(other: Other, order: Order) -> [String; 2] {
    let known = match other {
        _ if order == Order::OtpdFirst => {
            return [
                format!("[success=1 ignore=ignore default=die] {MODULE} nullok timeout=2"),
                format!("required {}", other.module()),
            ];
        }
        Other::GoogleAuthenticator => {
            format!("[success=1 ignore=ignore default=die] {} nullok", other.module())
        }
        Other::Oath => format!("[success=1 user_unknown=ignore default=die] {}", other.module()),
    };
    [known, format!("required {MODULE} timeout=2")]
}

fn stack(world: &World, service: &str, lines: &[String]) {
    let lines = COMMON.into_iter().chain(lines.iter().map(String::as_str));
    world.stack(service, &lines.collect::<Vec<_>>());
}

/// Known to otpd alone, to the other module alone, to both by one key, and to none.
const HERE: usize = 0;
const THERE: usize = 1;
const BOTH: usize = 2;
const NOWHERE: usize = 3;

/// A machine on which users move: four kinds of them, by which module knows them.
struct Move {
    other: Other,
    otpd: Otpd,
    host: Host,
    tokens: [Option<Token>; 4],
}

impl Move {
    fn new(world: &World, other: Other, configuration: &str) -> Self {
        let otpd = world.otpd(configuration);
        let [here, both] = [HERE, BOTH].map(|user| enrol(&crowd(user), &["--method", "hotp"]));
        let there = Token::of_key("hotp", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        world.stack("otpd-alone", &[&format!("required {MODULE}")]);
        world.stack("other-alone", &[&format!("required {}", other.module())]);
        other.put(&crowd(THERE), &there, 1);
        other.put(&crowd(BOTH), &both, 1);
        let tokens = [Some(here), Some(there), Some(both), None];
        Self { other, otpd, host: world.host(), tokens }
    }

    /// A code, and the other module is made to expect it: `right`, `wrong`, `used here` or `used
    /// there`.
    fn code(&mut self, user: usize, which: &str) -> String {
        let Some(token) = &self.tokens[user] else { return "123456".to_owned() };
        // The first counter that pam_google_authenticator knows.
        token.skip_to(token.spent().max(1));
        if user != HERE {
            self.other.put(&crowd(user), token, token.spent());
        }
        if which == "wrong" {
            return token.wrong();
        }
        let code = token.code();
        let alone = match which {
            "used here" => "otpd-alone",
            "used there" => "other-alone",
            _ => return code,
        };
        let used = self.host.login(Login::new(alone, &crowd(user)), &[code.as_bytes()]);
        assert_eq!(used.code(), code::SUCCESS, "{user} {which}: {used:?}");
        code
    }

    /// A login that gives the password and then a code, whoever asks; and who has asked: the
    /// password (P), pam_otp (H) or the other module (T).
    fn login(&mut self, user: usize, here: &str, there: &str) -> (Outcome, String) {
        let (other, mut asked) = (self.other, String::new());
        let outcome = self.host.converse(Login::new("move", &crowd(user)), |messages| {
            let mut answer = |(style, text): &(i32, Vec<u8>)| {
                let text = String::from_utf8_lossy(text);
                let (who, reply) = match () {
                    () if *style > 2 => return None,
                    () if text.contains("assword: ") => ('P', PASSWORD),
                    () if other.asks(&text) => ('T', there),
                    () => ('H', here),
                };
                asked.push(who);
                Some(reply.as_bytes().to_vec())
            };
            Answer::Replies(messages.iter().map(&mut answer).collect())
        });
        (outcome, asked)
    }

    fn with(&mut self, user: usize, which: &str) -> (Outcome, String) {
        let code = self.code(user, which);
        self.login(user, &code, &code)
    }
}

/// Who gets in with which code, and who has asked.
type Row = (usize, &'static str, bool, &'static str);

/// What a move does while otpd runs. A module has not seen what was used at the other one: that
/// code is good once more for users whom both know, at the module that asks them.
fn rows(other: Other, order: Order) -> Vec<Row> {
    // Whom pam_oath does not know it does not ask.
    let (asker, nowhere) = match (order, other) {
        (Order::OtherFirst, _) => ("PT", "PH"),
        (Order::OtpdFirst, Other::Oath) => ("PH", "P"),
        (Order::OtpdFirst, Other::GoogleAuthenticator) => ("PH", "PT"),
    };
    vec![
        (HERE, "right", true, "PH"),
        (HERE, "wrong", false, "PH"),
        (HERE, "used here", false, "PH"),
        (THERE, "right", true, "PT"),
        (THERE, "wrong", false, "PT"),
        (THERE, "used there", false, "PT"),
        (NOWHERE, "wrong", false, nowhere),
        (BOTH, "right", true, asker),
        (BOTH, "wrong", false, asker),
        (BOTH, "used here", order == Order::OtherFirst, asker),
        (BOTH, "used there", order == Order::OtpdFirst, asker),
    ]
}

/// Runs a test for both modules and orders.
fn every_move(test: impl Fn(&World, Other, Order, &mut Move) + Sync) {
    for other in Other::ALL {
        for order in [Order::OtpdFirst, Order::OtherFirst] {
            World::run(|world| {
                let configuration = if order == Order::OtpdFirst { IGNORE } else { DENY };
                let mut moving = Move::new(world, other, configuration);
                stack(world, "move", &lines(other, order));
                test(world, other, order, &mut moving);
            });
        }
    }
}

/// One code, typed at whatever prompt there is, in every situation.
#[test]
fn each_user_is_asked_by_one_module() {
    every_move(|_, other, order, moving| {
        for (user, which, admitted, expected) in rows(other, order) {
            let (outcome, asked) = moving.with(user, which);
            let what = format!("{other:?} {order:?} {user} {which}: {outcome:?}");
            assert_eq!(outcome.code() == code::SUCCESS, admitted, "{what}");
            assert_eq!(asked, expected, "{what}");
        }
    });
}

/// Whom otpd may know is refused and never asked by the other module, be the code right or used.
#[test]
fn nobody_falls_through_while_otpd_is_down() {
    every_move(|_, other, order, moving| {
        let expected = match order {
            Order::OtpdFirst => [(HERE, "P"), (THERE, "P"), (BOTH, "P"), (NOWHERE, "P")],
            Order::OtherFirst => [(HERE, "P"), (THERE, "PT"), (BOTH, "PT"), (NOWHERE, "P")],
        };
        let used = moving.code(BOTH, "used here");
        moving.otpd.freeze();
        let (outcome, asked) = moving.login(BOTH, &used, &used);
        let frozen = (outcome.code(), asked.as_str());
        match order {
            Order::OtpdFirst => assert_eq!(frozen, (code::AUTHINFO_UNAVAIL, "P"), "{other:?}"),
            Order::OtherFirst => assert_eq!(frozen, (code::SUCCESS, "PT"), "{other:?}"),
        }
        moving.otpd.kill();
        for (user, expected) in expected {
            let (outcome, asked) = moving.with(user, "right");
            let what = format!("{other:?} {order:?} {user}: {outcome:?}");
            assert_eq!(asked, expected, "{what}");
            let code = if expected == "P" { code::AUTHINFO_UNAVAIL } else { code::SUCCESS };
            assert_eq!(outcome.code(), code, "{what}");
        }
    });
}

/// What otpctl thinks of two modules is what they do, in good stacks and in bad ones.
#[test]
fn otpctl_knows_what_two_modules_make_of_a_login() {
    for other in Other::ALL {
        World::run(|world| {
            let mut moving = Move::new(world, other, IGNORE);
            let [first, then] = lines(other, Order::OtpdFirst);
            let [known, last] = lines(other, Order::OtherFirst);
            let lax = format!("{then} nullok");
            let sufficient = first.replace("[success=1 ignore=ignore default=die]", "sufficient");
            let required = first.replace("[success=1 ignore=ignore default=die]", "required");
            let (_, module) = known.split_once("] ").unwrap();
            let before = format!("sufficient {module}");
            let nullok = format!("{last} nullok");
            let mut stacks = vec![
                [&first, &then],
                [&known, &last],
                [&known, &nullok],
                [&sufficient, &then],
                [&required, &then],
                [&before, &last],
                [&before, &nullok],
            ];
            if other == Other::GoogleAuthenticator {
                stacks.extend([[&first, &lax], [&required, &lax]]);
            }
            let (mut admitted, mut tried) = (0, 0);
            for lines in stacks {
                stack(world, "move", &lines.map(Clone::clone));
                let read = Machine::at("/").service("move").lines(Kind::Auth);
                let nullok =
                    read.iter().any(|line| line.module() == "pam_otp" && line.has("nullok"));
                let stack = Stack { lines: read };
                for (user, here, there) in [
                    (BOTH, true, true),
                    (BOTH, true, false),
                    (BOTH, false, true),
                    (BOTH, false, false),
                    (HERE, true, false),
                    (HERE, false, false),
                    (THERE, false, true),
                    (THERE, false, false),
                    (NOWHERE, false, false),
                ] {
                    let judged = stack.judge(&case(user, here, there, nullok)) != Judged::No;
                    let typed = |moving: &mut Move, right| match right {
                        true => moving.code(user, "right"),
                        false => moving.code(user, "wrong"),
                    };
                    let here = typed(&mut moving, here);
                    let there = typed(&mut moving, there);
                    let (outcome, asked) = moving.login(user, &here, &there);
                    let what = format!("{lines:#?} {user} asked {asked}: {outcome:?}");
                    assert_eq!(outcome.code() == code::SUCCESS, judged, "{what}");
                    admitted += usize::from(judged);
                    tried += 1;
                }
            }
            assert!(admitted > 20 && tried - admitted > 20, "{admitted} of {tried} admitted");
        });
    }
}

/// The login as otpctl thinks it through.
fn case(user: usize, here: bool, there: bool, nullok: bool) -> Case {
    let second = match user {
        HERE | BOTH if here => Code::SUCCESS,
        THERE | NOWHERE if nullok => Code::IGNORE,
        _ => Code::AUTH_ERR,
    };
    let other = match user {
        THERE | BOTH if there => pam_stack::Other::Right,
        THERE | BOTH => pam_stack::Other::Wrong,
        _ => pam_stack::Other::Absent,
    };
    Case::RIGHT.second(second).other(other)
}

/// A move at sshd: below the password, and behind the key.
#[test]
fn a_move_at_sshd() {
    every_move(|world, other, order, moving| {
        stack(world, "sshd", &lines(other, order));
        let sshd = world.sshd(Methods::Keyboard);
        for (user, which, admitted, expected) in rows(other, order) {
            let code = moving.code(user, which);
            let mut asked = String::new();
            let session = sshd.converse(&crowd(user), |prompt| {
                let (who, reply) = match () {
                    () if prompt.contains("assword: ") => ('P', PASSWORD),
                    () if other.asks(prompt) => ('T', code.as_str()),
                    () => ('H', code.as_str()),
                };
                asked.push(who);
                reply.to_owned()
            });
            let what = format!("{other:?} {order:?} {user} {which}: {session:?}");
            assert_eq!((session.admitted, asked.as_str()), (admitted, expected), "{what}");
        }
        // The key is asked for by sshd; the last line says yes for whom pam_otp lets in.
        drop(sshd);
        let [first, then] = lines(other, order);
        world.stack("sshd", &[&first, &then, "required pam_permit.so"]);
        let sshd = world.sshd(Methods::KeyThenKeyboard);
        let both = |row: &Row| row.0 == BOTH || row.0 == NOWHERE;
        for (user, which, admitted, _) in rows(other, order).into_iter().filter(both) {
            let code = moving.code(user, which);
            let session = sshd.login(&crowd(user), &[&code]);
            let what = format!("{other:?} {order:?} {user} {which} by key: {session:?}");
            assert_eq!(session.admitted, admitted, "{what}");
        }
    });
}

/// What doctor finds in the stack of sudo, but for what it finds elsewhere.
fn found() -> Vec<String> {
    let done = otpctl_with(&["--json", "doctor", "sudo"], b"");
    let document: Value = serde_json::from_str(&done.stdout).unwrap();
    let items = document["items"].as_array().unwrap().iter();
    let ours = items.filter(|item| item["file"] == "/etc/pam.d/sudo");
    ours.map(|item| {
        format!("{} {}", item["severity"].as_str().unwrap(), item["check"].as_str().unwrap())
    })
    .collect()
}

#[test]
fn doctor_names_a_move_and_setup_leaves_it_to_people() {
    every_move(|world, other, order, _| {
        world.install_module();
        let [first, then] = lines(other, order);
        stack(world, "sudo", &[first.clone(), then.clone()]);
        assert_eq!(found(), ["hint pam-beside"], "{other:?} {order:?}");
        stack(
            world,
            "sudo",
            &[first.clone().replace("default=die", "default=ignore"), then.clone()],
        );
        assert_eq!(found(), ["bypass pam-second-guess"], "{other:?} {order:?}");
        if (other, order) == (Other::GoogleAuthenticator, Order::OtpdFirst) {
            stack(world, "sudo", &[first, format!("{then} nullok")]);
            assert_eq!(found(), ["bypass pam-enrolled-nowhere"]);
        }
        world.stack("sudo", &["requisite pam_unix.so", &format!("required {}", other.module())]);
        let before = fs::read("/etc/pam.d/sudo").unwrap();
        let done = otpctl_with(&["setup", "sudo", "--user", &crowd(BOTH), "--yes"], b"");
        assert_eq!(done.code(), 1, "{done:?}");
        assert!(done.stderr.contains("MOVING FROM ANOTHER MODULE"), "{done:?}");
        assert_eq!(fs::read("/etc/pam.d/sudo").unwrap(), before);
    });
}
