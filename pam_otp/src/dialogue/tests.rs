use std::{cell::RefCell, collections::VecDeque, ffi::CStr, rc::Rc, time::Duration};

use proptest::prelude::*;

use super::*;

type Transcript = Rc<RefCell<Vec<String>>>;

/// A host and its person: replies from a list, every call that has an effect written down.
struct Person {
    user: Option<Vec<u8>>,
    user_at_end: Option<Vec<u8>>,
    authtok: Option<Vec<u8>>,
    takes_authtok: bool,
    /// Variables of the PAM environment.
    locale: Vec<(&'static str, String)>,
    replies: VecDeque<Option<Vec<u8>>>,
    transcript: Transcript,
}

impl Host for Person {
    fn user(&mut self) -> Option<Vec<u8>> {
        self.user.clone()
    }

    fn item(&self, item: Item) -> Option<Vec<u8>> {
        match item {
            Item::User => self.user_at_end.clone(),
            Item::Service => Some(b"sshd".to_vec()),
            Item::Rhost => Some(b"host\xff.example".to_vec()),
            Item::Ruser => None,
            Item::Tty => Some("ü".repeat(300).into_bytes()),
        }
    }

    fn authtok(&self) -> Option<Secret> {
        self.authtok.clone().map(Secret::new)
    }

    fn set_authtok(&mut self, password: &[u8]) -> bool {
        self.transcript.borrow_mut().push(format!("authtok {}", password.escape_ascii()));
        self.authtok = Some(password.to_vec());
        self.takes_authtok
    }

    fn env(&mut self, name: &CStr) -> Option<Vec<u8>> {
        match name.to_bytes() {
            b"SSH_CONNECTION" => Some(b"192.0.2.1 50000 192.0.2.2 22".to_vec()),
            b"SSH_AUTH_INFO_0" => Some(b"publickey ssh-ed25519 AAAA\npassword\n".to_vec()),
            other => {
                let mut set = self.locale.iter().filter(|(name, _)| name.as_bytes() == other);
                set.next().map(|(_, value)| value.as_bytes().to_vec())
            }
        }
    }

    fn prompt(&mut self, text: &str, echo: bool) -> Option<Secret> {
        let style = if echo { "on" } else { "off" };
        self.transcript.borrow_mut().push(format!("prompt {style} {text}"));
        self.replies.pop_front().unwrap().map(Secret::new)
    }

    fn notice(&mut self, text: &str) {
        self.transcript.borrow_mut().push(format!("notice {text}"));
    }

    fn log(&self, priority: Priority, message: &str) {
        let start = message.split([':', ' ']).take(4).collect::<Vec<_>>().join(" ");
        self.transcript.borrow_mut().push(format!("log {priority:?} {start}"));
    }

    fn fail_delay(&mut self, _: Duration) {}
}

fn issued() -> Options {
    Options { mode: Some("issued".into()), ..Options::default() }
}

#[test]
fn t18_a_person_without_an_issued_code_goes_on_with_the_password() {
    let question = || Ok(Step::prompt("One-time code: ", false, None));
    let ask = "prompt off One-time code: ";
    let not_required = || Ok(Step::bare(StepKind::NotRequired));
    let own_text = Options { prompt: Some("OTP: ".into()), ..issued() };
    check(vec![
        (
            "a code",
            issued(),
            None,
            vec![question(), granted()],
            &[Some(b"77244244")],
            Outcome::Granted,
            &[BEGIN, ask, "respond s1 77244244"],
        ),
        (
            "a wrong one",
            issued(),
            None,
            vec![question(), denied()],
            &[Some(b"12345678")],
            Outcome::Denied,
            &[BEGIN, ask, "respond s1 12345678"],
        ),
        (
            "nothing at all",
            issued(),
            None,
            vec![question(), not_required()],
            &[Some(b"")],
            Outcome::NotRequired,
            &[BEGIN, ask, "respond s1 "],
        ),
        (
            "an own text",
            own_text,
            None,
            vec![question(), not_required()],
            &[Some(b"")],
            Outcome::NotRequired,
            &[BEGIN, "prompt off OTP: ", "respond s1 "],
        ),
        (
            "switched off",
            issued(),
            None,
            vec![Err("switched off".into())],
            &[],
            Outcome::Unavailable("switched off".into()),
            &[BEGIN],
        ),
    ]);
}

#[test]
fn a_remembered_client_is_granted_without_a_question() {
    check(vec![
        ("remembered", options(), None, vec![granted()], &[], Outcome::Granted, &[BEGIN]),
        (
            "with a password from before",
            Options { first_pass: FirstPass::Try, ..options() },
            Some(b"secret"),
            vec![granted()],
            &[],
            Outcome::Granted,
            &[BEGIN],
        ),
    ]);
}

#[test]
fn t22_a_step_of_another_release_is_never_success() {
    for kind in [0, 6, 7, u32::MAX] {
        let step = Ok(wire_step(kind, "", &[]));
        let (outcome, _, _) = login(&issued(), vec![step], &[], |_| ());
        let Outcome::Unavailable(why) = outcome else { panic!("{kind}: {outcome:?}") };
        assert!(why.contains("install both from one release"), "{why}");
    }
}

#[test]
fn the_key_is_the_one_that_sshd_has_accepted() {
    let longest = "A".repeat(limits::SSH_KEY);
    let line = |key: &str| format!("publickey ssh-rsa {key}\n");
    for (info, expected) in [
        ("publickey ssh-ed25519 AAAAC3+/=\npassword\n".to_owned(), Some("AAAAC3+/=")),
        ("password\npublickey ssh-ed25519 AAAA\npublickey ssh-rsa BBBB\n".into(), Some("AAAA")),
        ("publickey ssh-ed25519 AAAA comment\n".into(), Some("AAAA")),
        (line(&longest), Some(longest.as_str())),
        (line(&format!("{longest}A")), None),
        ("password\n".into(), None),
        ("publickey\n".into(), None),
        ("publickey ssh-ed25519\n".into(), None),
        ("publickey ssh-ed25519 \n".into(), None),
        ("publickey ssh-ed25519 AA\x01A\n".into(), None),
        ("hostbased ssh-ed25519 AAAA host\n".into(), None),
        (String::new(), None),
    ] {
        assert_eq!(accepted_key(info.as_bytes()).as_deref(), expected, "{info}");
    }
}

/// A daemon that answers from a list.
struct Script {
    answers: VecDeque<Result<Step, String>>,
    begun: usize,
    contexts: Vec<Context>,
    transcript: Transcript,
}

impl Daemon for Script {
    fn begin(&mut self, user: &str, context: &Context) -> Result<(String, Step), String> {
        self.begun += 1;
        self.contexts.push(context.clone());
        self.transcript.borrow_mut().push(format!("begin {user}"));
        Ok((format!("s{}", self.begun), self.answers.pop_front().unwrap()?))
    }

    fn respond(&mut self, session: &str, reply: &[u8]) -> Result<Step, String> {
        let line = format!("respond {session} {}", reply.escape_ascii());
        self.transcript.borrow_mut().push(line);
        self.answers.pop_front().unwrap()
    }
}

fn login(
    options: &Options,
    answers: Vec<Result<Step, String>>,
    replies: &[Option<&[u8]>],
    change: impl FnOnce(&mut Person),
) -> (Outcome, Vec<String>, Vec<Context>) {
    let transcript = Transcript::default();
    let mut host = Person {
        user: Some(b"alice".to_vec()),
        user_at_end: Some(b"alice".to_vec()),
        authtok: None,
        takes_authtok: true,
        locale: Vec::new(),
        replies: replies.iter().map(|reply| reply.map(<[u8]>::to_vec)).collect(),
        transcript: transcript.clone(),
    };
    change(&mut host);
    let mut daemon = Script {
        answers: answers.into(),
        begun: 0,
        contexts: Vec::new(),
        transcript: transcript.clone(),
    };
    let outcome = drive(&mut host, &mut daemon, options);
    assert!(host.replies.is_empty(), "not asked for: {:?}", host.replies);
    assert!(daemon.answers.is_empty(), "not used: {:?}", daemon.answers);
    (outcome, transcript.take(), daemon.contexts)
}

fn options() -> Options {
    Options::default()
}

fn prompt() -> Result<Step, String> {
    Ok(Step::prompt("Verification code: ", false, None))
}

fn split() -> Result<Step, String> {
    Ok(Step::prompt("Verification code: ", false, Some(6)))
}

fn granted() -> Result<Step, String> {
    Ok(Step::bare(StepKind::Granted))
}

fn denied() -> Result<Step, String> {
    Ok(Step::bare(StepKind::Denied))
}

/// A step as another release of otpd may send it, by way of the wire.
fn wire_step(kind: u32, text: &str, details: &[(&str, zbus::Variant<'static>)]) -> Step {
    let details: std::collections::BTreeMap<_, _> = details.iter().map(|(k, v)| (*k, v)).collect();
    let message = zbus::Message::signal("/", "a.b", "C").build(&(kind, text, details)).unwrap();
    message.body().deserialize().unwrap()
}

type Case<'a> = (
    &'a str,
    Options,
    Option<&'a [u8]>,
    Vec<Result<Step, String>>,
    &'a [Option<&'a [u8]>],
    Outcome,
    &'a [&'a str],
);

fn check(table: Vec<Case<'_>>) {
    for (name, options, authtok, answers, replies, outcome, golden) in table {
        let (got, transcript, _) = login(&options, answers, replies, |host| {
            host.authtok = authtok.map(<[u8]>::to_vec);
        });
        assert_eq!(got, outcome, "{name}");
        assert_eq!(transcript, golden, "{name}");
    }
}

const BEGIN: &str = "begin alice";
const ASK: &str = "prompt off Verification code: ";
const ASK_BOTH: &str = "prompt off Password & verification code: ";

#[test]
fn one_prompt() {
    let unavailable = || Outcome::Unavailable("the socket: gone".into());
    let error = || Err("the socket: gone".to_owned());
    check(vec![
        (
            "right",
            options(),
            None,
            vec![prompt(), granted()],
            &[Some(b"123456")],
            Outcome::Granted,
            &[BEGIN, ASK, "respond s1 123456"],
        ),
        (
            "wrong",
            options(),
            None,
            vec![prompt(), denied()],
            &[Some(b"000000")],
            Outcome::Denied,
            &[BEGIN, ASK, "respond s1 000000"],
        ),
        (
            "two prompts",
            options(),
            None,
            vec![prompt(), prompt(), granted()],
            &[Some(b"123456"), Some(b"234567")],
            Outcome::Granted,
            &[BEGIN, ASK, "respond s1 123456", ASK, "respond s1 234567"],
        ),
        (
            "empty, NUL-free bytes of any kind are for the daemon to judge",
            options(),
            None,
            vec![prompt(), prompt(), denied()],
            &[Some(b""), Some(b"\xff\xfe")],
            Outcome::Denied,
            &[BEGIN, ASK, "respond s1 ", ASK, "respond s1 \\xff\\xfe"],
        ),
        ("denied at once", options(), None, vec![denied()], &[], Outcome::Denied, &[BEGIN]),
        (
            "skipped",
            options(),
            None,
            vec![Ok(Step::bare(StepKind::NotRequired))],
            &[],
            Outcome::NotRequired,
            &[BEGIN],
        ),
        ("no daemon", options(), None, vec![error()], &[], unavailable(), &[BEGIN]),
        (
            "the daemon goes away",
            options(),
            None,
            vec![prompt(), error()],
            &[Some(b"123456")],
            unavailable(),
            &[BEGIN, ASK, "respond s1 123456"],
        ),
        (
            "no reply",
            options(),
            None,
            vec![prompt()],
            &[None],
            Outcome::Conversation,
            &[BEGIN, ASK],
        ),
        (
            "the filler of sshd",
            options(),
            None,
            vec![prompt()],
            &[Some(b"\x08\n\r\x7fINCORRECT")],
            Outcome::Denied,
            &[BEGIN, ASK, "log Notice sshd has put a"],
        ),
        (
            "the password once more",
            options(),
            Some(b"secret"),
            vec![prompt()],
            &[Some(b"secret")],
            Outcome::Denied,
            &[BEGIN, ASK, "log Notice the reply is the"],
        ),
        (
            "the longest reply",
            options(),
            None,
            vec![prompt(), denied()],
            &[Some(&[b'1'; 512])],
            Outcome::Denied,
            &[BEGIN, ASK, &format!("respond s1 {}", "1".repeat(512))],
        ),
        (
            "longer than that",
            options(),
            None,
            vec![prompt()],
            &[Some(&[b'1'; 513])],
            Outcome::Denied,
            &[BEGIN, ASK, "log Notice the reply is longer"],
        ),
    ]);
}

#[test]
fn what_is_shown() {
    let shown = |options, step| {
        let reply: &[u8] = b"secret123456";
        let (_, transcript, _) = login(&options, vec![Ok(step), denied()], &[Some(reply)], |_| {});
        let effects = ["begin", "respond", "authtok"];
        transcript.into_iter().filter(|l| !effects.iter().any(|e| l.starts_with(e))).collect()
    };
    let table: Vec<(Options, Step, Vec<&str>)> = vec![
        (options(), Step::prompt("Code: ", true, None), vec!["prompt on Code: "]),
        (
            Options { echo: true, ..options() },
            Step::prompt("Code: ", false, None),
            vec!["prompt on Code: "],
        ),
        (
            Options { prompt: Some("Your\tcode: ".into()), ..options() },
            Step::prompt("Code: ", false, None),
            vec!["prompt off Yourcode: "],
        ),
        (
            options(),
            Step::prompt("\u{1b}[2JRoot\r\npassword:\u{202e} ", false, None),
            vec!["prompt off [2JRootpassword: "],
        ),
        (
            options(),
            wire_step(5, "First code: ", &[("notice", "Scan\u{7}".into())]),
            vec!["prompt off Scan\nFirst code: "],
        ),
        (
            options(),
            Step::notice_then_prompt("One\n\n█▀▄ two\u{1b}[2J\r\n three", "Code: ", false),
            vec!["prompt off One\n\n█▀▄ two[2J\n three\nCode: "],
        ),
        (
            Options { no_warn: true, ..options() },
            wire_step(5, "First code: ", &[("notice", "Scan".into())]),
            vec!["prompt off First code: "],
        ),
        (
            options(),
            wire_step(1, "Code: ", &[("echo", 1_u32.into()), ("split", "6".into())]),
            vec!["prompt off Code: "],
        ),
        (
            Options { debug: true, ..options() },
            Step::prompt("Code: ", false, None),
            vec!["log Debug step Some(Prompt)", "prompt off Code: ", "log Debug step Some(Denied)"],
        ),
        // A field with a password in it is never shown, and only it has the other text.
        (
            Options { echo: true, forward_pass: true, ..options() },
            Step::prompt("Code: ", true, Some(6)),
            vec!["prompt off Password & verification code: "],
        ),
        (options(), Step::prompt("Code: ", false, Some(6)), vec!["prompt off Code: "]),
    ];
    for (options, step, lines) in table {
        let transcript: Vec<String> = shown(options, step);
        assert_eq!(transcript, lines);
    }
    let long = shown(options(), Step::prompt(&"ü".repeat(1000), false, None));
    assert_eq!(long, vec![format!("prompt off {}", "ü".repeat(255))]);
}

#[test]
fn use_first_pass() {
    let used = || Options { first_pass: FirstPass::Use, ..options() };
    check(vec![
        (
            "right",
            used(),
            Some(b"secret123456"),
            vec![split(), granted()],
            &[],
            Outcome::Granted,
            &[BEGIN, "authtok secret", "respond s1 123456"],
        ),
        (
            "wrong; the next module sees the password all the same",
            used(),
            Some(b"secret123456"),
            vec![split(), denied()],
            &[],
            Outcome::Denied,
            &[BEGIN, "authtok secret", "respond s1 123456"],
        ),
        (
            "the code alone",
            used(),
            Some(b"123456"),
            vec![split(), granted()],
            &[],
            Outcome::Granted,
            &[BEGIN, "authtok ", "respond s1 123456"],
        ),
        ("no field", used(), None, vec![split()], &[], Outcome::Denied, &[BEGIN]),
        ("no code in it", used(), Some(b"secret"), vec![split()], &[], Outcome::Denied, &[BEGIN]),
        ("too short", used(), Some(b"12345"), vec![split()], &[], Outcome::Denied, &[BEGIN]),
        ("too long", used(), Some(&[b'1'; 513]), vec![split()], &[], Outcome::Denied, &[BEGIN]),
        (
            "the policy forbids",
            used(),
            Some(b"secret123456"),
            vec![prompt()],
            &[],
            Outcome::Denied,
            &[BEGIN, "log Error the policy does not"],
        ),
        (
            "a second prompt does not get the end of the password",
            used(),
            Some(b"99999999123456"),
            vec![split(), split()],
            &[],
            Outcome::Denied,
            &[BEGIN, "authtok 99999999", "respond s1 123456"],
        ),
        (
            "forward_pass does not make it ask",
            Options { forward_pass: true, ..used() },
            Some(b"secret123456"),
            vec![split(), granted()],
            &[],
            Outcome::Granted,
            &[BEGIN, "authtok secret", "respond s1 123456"],
        ),
    ]);
}

#[test]
fn try_first_pass() {
    let tried = || Options { first_pass: FirstPass::Try, ..options() };
    let both = || Options { forward_pass: true, ..tried() };
    check(vec![
        (
            "right",
            tried(),
            Some(b"secret123456"),
            vec![split(), granted()],
            &[],
            Outcome::Granted,
            &[BEGIN, "respond s1 123456", "authtok secret"],
        ),
        (
            "wrong: asked for the code, the password stays whole",
            tried(),
            Some(b"secret123456"),
            vec![split(), denied(), split(), granted()],
            &[Some(b"654321")],
            Outcome::Granted,
            &[BEGIN, "respond s1 123456", BEGIN, ASK, "respond s2 654321"],
        ),
        (
            "wrong twice",
            tried(),
            Some(b"secret123456"),
            vec![split(), denied(), split(), denied()],
            &[Some(b"654321")],
            Outcome::Denied,
            &[BEGIN, "respond s1 123456", BEGIN, ASK, "respond s2 654321"],
        ),
        (
            "no code in it",
            tried(),
            Some(b"secret"),
            vec![split(), granted()],
            &[Some(b"123456")],
            Outcome::Granted,
            &[BEGIN, ASK, "respond s1 123456"],
        ),
        (
            "no field",
            tried(),
            None,
            vec![split(), granted()],
            &[Some(b"123456")],
            Outcome::Granted,
            &[BEGIN, ASK, "respond s1 123456"],
        ),
        (
            "a program that answers everything with the password",
            tried(),
            Some(b"secret123456"),
            vec![split(), denied(), split()],
            &[Some(b"secret123456")],
            Outcome::Denied,
            &[BEGIN, "respond s1 123456", BEGIN, ASK, "log Notice the reply is the"],
        ),
        (
            "the policy forbids",
            tried(),
            Some(b"secret123456"),
            vec![prompt(), granted()],
            &[Some(b"123456")],
            Outcome::Granted,
            &[BEGIN, "log Error the policy does not", ASK, "respond s1 123456"],
        ),
        (
            "with forward_pass, asked for both",
            both(),
            Some(b"secret"),
            vec![split(), granted()],
            &[Some(b"other123456")],
            Outcome::Granted,
            &[BEGIN, ASK_BOTH, "authtok other", "respond s1 123456"],
        ),
        (
            "with forward_pass, wrong and asked for both",
            both(),
            Some(b"secret000000"),
            vec![split(), denied(), split(), granted()],
            &[Some(b"other123456")],
            Outcome::Granted,
            &[BEGIN, "respond s1 000000", BEGIN, ASK_BOTH, "authtok other", "respond s2 123456"],
        ),
    ]);
}

#[test]
fn forward_pass() {
    let forwarded = || Options { forward_pass: true, ..options() };
    check(vec![
        (
            "right",
            forwarded(),
            None,
            vec![split(), granted()],
            &[Some(b"secret123456")],
            Outcome::Granted,
            &[BEGIN, ASK_BOTH, "authtok secret", "respond s1 123456"],
        ),
        (
            "wrong; the next module sees the password all the same",
            forwarded(),
            None,
            vec![split(), denied()],
            &[Some(b"secret123456")],
            Outcome::Denied,
            &[BEGIN, ASK_BOTH, "authtok secret", "respond s1 123456"],
        ),
        (
            "a password without a code is not sent",
            forwarded(),
            None,
            vec![split()],
            &[Some(b"correct horse")],
            Outcome::Denied,
            &[BEGIN, ASK_BOTH],
        ),
        (
            "nor is its end where that is other than ASCII digits",
            forwarded(),
            None,
            vec![split()],
            &[Some("secret１２３４５６".as_bytes())],
            Outcome::Denied,
            &[BEGIN, ASK_BOTH],
        ),
        (
            "the filler of sshd",
            forwarded(),
            None,
            vec![split()],
            &[Some(b"\x08\n\r\x7fINC")],
            Outcome::Denied,
            &[BEGIN, ASK_BOTH, "log Notice sshd has put a"],
        ),
        (
            "a further prompt is for a code",
            forwarded(),
            None,
            vec![split(), split(), granted()],
            &[Some(b"secret123456"), Some(b"234567")],
            Outcome::Granted,
            &[BEGIN, ASK_BOTH, "authtok secret", "respond s1 123456", ASK, "respond s1 234567"],
        ),
        (
            "the field equals PAM_AUTHTOK because both were typed before",
            forwarded(),
            Some(b"secret123456"),
            vec![split(), granted()],
            &[Some(b"secret123456")],
            Outcome::Granted,
            &[BEGIN, ASK_BOTH, "authtok secret", "respond s1 123456"],
        ),
        (
            "the policy forbids",
            forwarded(),
            None,
            vec![prompt(), granted()],
            &[Some(b"123456")],
            Outcome::Granted,
            &[BEGIN, "log Error the policy does not", ASK, "respond s1 123456"],
        ),
        (
            "an odd split is none",
            forwarded(),
            None,
            vec![Ok(Step::prompt("Verification code: ", false, Some(0))), granted()],
            &[Some(b"123456")],
            Outcome::Granted,
            &[BEGIN, "log Error the policy does not", ASK, "respond s1 123456"],
        ),
    ]);
}

#[test]
fn without_the_options_split_is_nothing() {
    check(vec![(
        "plain",
        options(),
        None,
        vec![split(), granted()],
        &[Some(b"secret123456")],
        Outcome::Granted,
        &[BEGIN, ASK, "respond s1 secret123456"],
    )]);
}

#[test]
fn a_password_that_libpam_refuses_ends_the_login() {
    let options = Options { forward_pass: true, ..options() };
    let (outcome, _, _) =
        login(&options, vec![split()], &[Some(b"secret123456")], |h| h.takes_authtok = false);
    assert!(matches!(outcome, Outcome::Unavailable(_)), "{outcome:?}");
}

#[test]
fn the_user_must_stay_the_same() {
    for at_end in [None, Some(b"root".to_vec()), Some(b"alice ".to_vec())] {
        for last in [granted(), Ok(Step::bare(StepKind::NotRequired)), denied()] {
            let (outcome, transcript, _) =
                login(&options(), vec![prompt(), last], &[Some(b"123456")], |host| {
                    host.user_at_end = at_end.clone();
                });
            assert_eq!(outcome, Outcome::Denied);
            assert_eq!(transcript.last().unwrap(), "log Error PAM_USER was changed during");
        }
    }
}

#[test]
fn no_user_is_a_failed_conversation() {
    let (outcome, transcript, _) = login(&options(), vec![], &[], |host| host.user = None);
    assert_eq!((outcome, transcript), (Outcome::Conversation, vec![]));
}

#[test]
fn a_name_that_cannot_be_sent_is_prompted_for_and_denied() {
    let long = "a".repeat(257);
    let table: Vec<(&[u8], String)> = vec![
        (b"bob\xff", "\\bob\\xff".into()),
        (b"\xff", "\\\\xff".into()),
        (long.as_bytes(), format!("\\{}", "a".repeat(255))),
        (&[0xff; 4096], format!("\\{}", "\\xff".repeat(64)).chars().take(256).collect()),
    ];
    for (user, sent) in table {
        for last in [granted(), Ok(Step::bare(StepKind::NotRequired)), denied()] {
            let (outcome, transcript, _) =
                login(&options(), vec![prompt(), last], &[Some(b"123456")], |host| {
                    host.user = Some(user.to_vec());
                    host.user_at_end = Some(user.to_vec());
                });
            assert_eq!(outcome, Outcome::Denied);
            assert_eq!(transcript, [&format!("begin {sent}"), ASK, "respond s1 123456"]);
            assert!(sent.len() <= limits::USER_NAME && sent.contains('\\'));
        }
    }
}

#[test]
fn other_names_are_sent_as_they_are() {
    let long = "a".repeat(256);
    for name in ["", " ", "../x", "a\nb", "DOMAIN\\bob", "grüße", long.as_str()] {
        let (outcome, transcript, _) = login(&options(), vec![granted()], &[], |host| {
            host.user = Some(name.into());
            host.user_at_end = Some(name.into());
        });
        assert_eq!((outcome, transcript), (Outcome::Granted, vec![format!("begin {name}")]));
    }
}

#[test]
fn a_code_for_the_next_login_is_told_and_this_one_denied() {
    let for_later = || Options { mode: Some("challenge".into()), ..options() };
    let silent = Options { no_warn: true, ..for_later() };
    let sent = || Ok(Step::prompt("Code sent to +49*****81: log in again.", false, None));
    let skipped = Ok(Step::bare(StepKind::NotRequired));
    let told = "notice Code sent to +49*****81: log in again.";
    check(vec![
        ("told", for_later(), None, vec![sent()], &[], Outcome::Denied, &[BEGIN, told]),
        ("silent", silent, None, vec![sent()], &[], Outcome::Denied, &[BEGIN]),
        ("skipped", for_later(), None, vec![skipped], &[], Outcome::NotRequired, &[BEGIN]),
        ("denied", for_later(), None, vec![denied()], &[], Outcome::Denied, &[BEGIN]),
    ]);
}

#[test]
fn words_are_answered_by_another_prompt() {
    let delivered =
        || Ok(Step::prompt("Code sent to +49*****81 (or: resend, totp): ", false, None));
    let sent = "prompt off Code sent to +49*****81 (or: resend, totp): ";
    check(vec![(
        "resend, then the app",
        options(),
        None,
        vec![delivered(), delivered(), prompt(), granted()],
        &[Some(b"resend"), Some(b"totp"), Some(b"123456")],
        Outcome::Granted,
        &[BEGIN, sent, "respond s1 resend", sent, "respond s1 totp", ASK, "respond s1 123456"],
    )]);
}

#[test]
fn what_the_login_brings_along() {
    let bare = Context {
        service: Some("sshd".into()),
        rhost: Some("host\\xff.example".into()),
        ruser: None,
        tty: Some("ü".repeat(128)),
        ssh_connection: Some("192.0.2.1 50000 192.0.2.2 22".into()),
        ssh_auth_info: Some("publickey,password".into()),
        ssh_key: Some("AAAA".into()),
        ..Context::default()
    };
    let full = Options {
        nullok: true,
        method: Some("sms".into()),
        mode: Some("issued".into()),
        no_warn: true,
        forward_pass: true,
        ..options()
    };
    let table = [
        (options(), bare.clone()),
        (
            full,
            Context {
                method: Some("sms".into()),
                mode: Some("issued".into()),
                nullok: Some(true),
                concatenated: Some(true),
                silent: Some(true),
                ..bare
            },
        ),
    ];
    for (options, context) in table {
        let (_, _, contexts) = login(&options, vec![denied()], &[], |_| {});
        assert_eq!(contexts, [context]);
    }
}

#[test]
fn the_language_is_that_of_the_pam_environment() {
    let long = "x".repeat(300);
    type Row<'a> = (&'a [(&'static str, &'a str)], Option<&'a str>);
    let table: [Row<'_>; 9] = [
        (&[], None),
        (&[("LANG", "de_AT.UTF-8")], Some("de_AT.UTF-8")),
        (&[("LANG", "de"), ("LC_MESSAGES", "fr")], Some("fr")),
        (&[("LANG", "de"), ("LC_MESSAGES", "fr"), ("LC_ALL", "es")], Some("es")),
        (&[("LC_ALL", ""), ("LC_MESSAGES", ""), ("LANG", "de")], Some("de")),
        (&[("LANGUAGE", "fr:de")], Some("fr")),
        (&[("LANGUAGE", "fr:de"), ("LANG", "es")], Some("es")),
        (&[("LANGUAGE", ":de")], None),
        (&[("LANG", &long)], Some(&long[..256])),
    ];
    for (set, language) in table {
        let (_, _, contexts) = login(&options(), vec![denied()], &[], |host| {
            host.locale = set.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        });
        assert_eq!(contexts[0].language.as_deref(), language, "{set:?}");
    }
}

#[test]
fn the_daemon_says_how_to_ask_for_both() {
    let german = || Step::prompt("Code: ", false, Some(6)).with_combined("Passwort & Code: ");
    let both = Options { forward_pass: true, ..options() };
    let own = Options { prompt: Some("Both: ".into()), ..both.clone() };
    let asked = |text: &str| vec![BEGIN.to_owned(), format!("prompt off {text}")];
    for (options, text) in [(both, "Passwort & Code: "), (own, "Both: "), (options(), "Code: ")] {
        let (_, transcript, _) =
            login(&options, vec![Ok(german()), denied()], &[Some(b"x123456")], |_| {});
        assert_eq!(transcript[..2], asked(text));
    }
}

#[test]
fn a_daemon_without_end_is_left() {
    let answers = (0..=STEPS).map(|_| prompt()).collect();
    let replies = vec![Some(b"123456".as_slice()); STEPS];
    let (outcome, _, _) = login(&options(), answers, &replies, |_| {});
    assert!(matches!(outcome, Outcome::Unavailable(_)), "{outcome:?}");
}

proptest! {
    /// Whatever kinds of steps come, only a Granted grants and only a NotRequired skips.
    #[test]
    fn only_its_own_kind_is_a_success(
        kinds in proptest::collection::vec(prop_oneof![0u32..8, any::<u32>()], 1..6),
        text in "[^\\x00]*",
        first_pass in prop::sample::select(vec![FirstPass::Ignore, FirstPass::Try, FirstPass::Use]),
        forward_pass: bool,
        authtok in proptest::option::of("[a-z]{0,3}[0-9]{0,8}"),
        with_split in proptest::option::of(0u32..10),
    ) {
        let transcript = Transcript::default();
        let mut host = Person {
            user: Some(b"alice".to_vec()),
            user_at_end: Some(b"alice".to_vec()),
            authtok: authtok.map(String::into_bytes),
            takes_authtok: true,
            locale: Vec::new(),
            replies: vec![Some(b"123456".to_vec()); kinds.len() + 1].into(),
            transcript: transcript.clone(),
        };
        let details: Vec<_> = with_split.iter().map(|n| ("split", (*n).into())).collect();
        let mut answers: VecDeque<_> =
            kinds.iter().map(|kind| Ok(wire_step(*kind, &text, &details))).collect();
        answers.push_back(Err("over".to_owned()));
        answers.push_back(Err("over".to_owned()));
        let given = answers.len();
        let mut daemon = Script { answers, begun: 0, contexts: vec![], transcript };
        let options = Options { first_pass, forward_pass, ..options() };
        let outcome = drive(&mut host, &mut daemon, &options);
        let last = given.checked_sub(daemon.answers.len() + 1).and_then(|i| kinds.get(i));
        prop_assert_eq!(outcome == Outcome::Granted, last == Some(&2));
        prop_assert_eq!(outcome == Outcome::NotRequired, last == Some(&4));
        if last.is_some_and(|kind| !(1..=5).contains(kind)) {
            prop_assert!(matches!(outcome, Outcome::Unavailable(_)));
        }
    }
}

#[test]
fn a_notice_has_64_lines_of_511_bytes_at_most() {
    let notice = format!("{}\n{}", "█".repeat(400), "line\n".repeat(500));
    let step = Step::notice_then_prompt(&notice, "Code: ", false);
    let (_, transcript, _) =
        login(&options(), vec![Ok(step), denied()], &[Some(b"123456")], |_| {});
    let shown = transcript.iter().find_map(|line| line.strip_prefix("prompt off ")).unwrap();
    let lines: Vec<_> = shown.lines().collect();
    assert_eq!(lines.len(), 65);
    assert_eq!(*lines.first().unwrap(), "█".repeat(170));
    assert!(lines.iter().skip(1).take(63).all(|line| *line == "line"));
    assert_eq!(*lines.last().unwrap(), "Code: ");
}

#[test]
fn g05_a_notice_is_shown_at_every_prompt_that_has_one() {
    let step = || Ok(Step::notice_then_prompt("Scan", "First code: ", false));
    let (outcome, transcript, _) =
        login(&options(), vec![step(), step(), granted()], &[Some(b""), Some(b"123456")], |_| {});
    assert_eq!(outcome, Outcome::Granted);
    assert_eq!(
        transcript.iter().filter(|line| *line == "prompt off Scan\nFirst code: ").count(),
        2
    );
}

#[test]
fn g12_no_conversation_is_an_end_and_no_hang() {
    let step = Step::notice_then_prompt("Scan", "First code: ", false);
    let (outcome, ..) = login(&options(), vec![Ok(step)], &[None], |_| {});
    assert_eq!(outcome, Outcome::Conversation);
}
