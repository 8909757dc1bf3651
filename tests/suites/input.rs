//! Whatever is typed, and whoever is named: a clean denial, at once, that touches nobody else.

use std::time::Duration;

use harness::{
    Login, MODULE, Outcome, Token, World,
    otpd::{audit, document, enrol, items},
    pam::code,
    protocol::Answer,
};

/// Machine time for a denial.
const BOUND: Duration = Duration::from_millis(50);
/// A busy machine may need another try for that.
const TRIES: usize = 5;

/// Runs the login until it was quick enough; the outcome is the same each time.
fn promptly(what: &str, mut login: impl FnMut() -> Outcome) -> Outcome {
    let mut slow = Vec::new();
    for _ in 0..TRIES {
        let outcome = login();
        if outcome.machine() < BOUND {
            return outcome;
        }
        slow.push(outcome.machine());
    }
    panic!("{what}: never within {BOUND:?}: {slow:?}");
}

/// A machine with alice and bob, who have a token each; nothing but the module in the stack.
fn with_two(test: impl FnOnce(&World, &Token) + Send) {
    World::run_alone(|world| {
        let _otpd = world.otpd("[lockout]\nafter = 100\ndisable_after = 1000\n");
        world.stack("login", &[&format!("required {MODULE}")]);
        let token = enrol("alice", &["--method", "hotp"]);
        enrol("bob", &["--method", "hotp"]);
        test(world, &token);
        assert_eq!(document(&["user", "show", "bob"])["failures"], 0, "bob was charged");
        assert_eq!(items(&["user", "list"]).len(), 2, "a user was made");
        let guessed = audit("bob");
        assert!(guessed.iter().all(|record| record["event"] != "login"), "{guessed:?}");
    });
}

#[test]
fn what_is_typed_badly_is_denied() {
    let wide: String = "１２３４５６".into();
    let arabic = "٠١٢٣٤٥".to_owned();
    let replies: Vec<(&str, Vec<u8>)> = vec![
        ("empty", b"".to_vec()),
        ("blank", b"      ".to_vec()),
        ("1 MiB of digits", vec![b'1'; 1 << 20]),
        ("1 MiB of anything", vec![0xff; 1 << 20]),
        ("513 bytes", vec![b'7'; 513]),
        ("NUL first", b"\0".to_vec()),
        ("NUL inside", b"123\x00456".to_vec()),
        ("invalid UTF-8", b"\xff\xfe\x80\xc3".to_vec()),
        ("cut UTF-8", b"12345\xe2\x82".to_vec()),
        ("full-width digits", wide.into_bytes()),
        ("Arabic digits", arabic.into_bytes()),
        ("plus", b"+123456".to_vec()),
        ("minus", b"-123456".to_vec()),
        ("hexadecimal", b"0x1e240".to_vec()),
        ("exponent", b"1e5".to_vec()),
        ("decimal point", b"123.456".to_vec()),
        ("a newline inside", b"123\n456".to_vec()),
        ("format directives", b"%s%n%s%n".to_vec()),
        ("escape sequences", b"\x1b[2J\x1b]0;x\x07".to_vec()),
        ("a word", b"correct horse battery staple".to_vec()),
        ("five digits", b"12345".to_vec()),
        ("nine digits", b"123456789".to_vec()),
    ];
    with_two(|world, _| {
        let mut host = world.host();
        for (what, reply) in &replies {
            let outcome = promptly(what, || host.login(Login::new("login", "alice"), &[reply]));
            assert_eq!(
                (outcome.code(), outcome.prompts),
                (code::AUTH_ERR, 1),
                "{what}: {}",
                outcome.transcript
            );
        }
        assert_eq!(host.end(), (0, String::new()));
        // Malformed input says nothing about the token, so it costs nothing.
        assert_eq!(document(&["user", "show", "alice"])["failures"], 0);
    });
}

#[test]
fn the_right_digits_in_the_wrong_length_are_denied() {
    with_two(|world, token| {
        let mut host = world.host();
        let code = token.at(0);
        for reply in
            [format!("{code}7"), format!("7{code}"), code[..5].to_owned(), format!("{code}{code}")]
        {
            let outcome =
                promptly(&reply, || host.login(Login::new("login", "alice"), &[reply.as_bytes()]));
            assert_eq!(outcome.code(), code::AUTH_ERR, "{reply}");
        }
        assert_eq!(
            host.login(Login::new("login", "alice"), &[code.as_bytes()]).code(),
            code::SUCCESS
        );
    });
}

#[test]
fn spaces_and_dashes_are_what_people_type() {
    with_two(|world, token| {
        let mut host = world.host();
        for style in ["AAA BBB", "AAA-BBB", " AAABBB", "AAABBB ", "\tAAABBB", "AAABBB\r"] {
            let code = token.code();
            let reply = style.replace("AAA", &code[..3]).replace("BBB", &code[3..]);
            let outcome = host.login(Login::new("login", "alice"), &[reply.as_bytes()]);
            assert_eq!(outcome.code(), code::SUCCESS, "{style:?}");
        }
    });
}

/// No answer is not a wrong answer.
#[test]
fn a_conversation_that_fails_is_no_denial() {
    const PAM_CONV_AGAIN: i32 = 30;
    with_two(|world, _| {
        let mut host = world.host();
        let null = host.converse(Login::new("login", "alice"), |_| Answer::Replies(vec![None]));
        assert_eq!((null.code(), null.prompts), (code::CONV_ERR, 1));
        for error in [code::CONV_ERR, code::ABORT, PAM_CONV_AGAIN] {
            let failed = host.converse(Login::new("login", "alice"), |_| Answer::Error(error));
            assert_eq!(failed.code(), code::CONV_ERR, "conversation error {error}");
        }
        let mut mute = Login::new("login", "alice");
        mute.0.mute = true;
        let missing = host.login(mute, &[]);
        assert_ne!(missing.code(), code::SUCCESS);
        assert_eq!(document(&["user", "show", "alice"])["failures"], 0);
    });
}

#[test]
fn whoever_is_named_badly_is_denied_like_everyone() {
    let long = "a".repeat(256);
    let longer = "a".repeat(4096);
    let users: [(&str, &[u8]); 16] = [
        ("blank", b" "),
        ("blanks", b"    "),
        ("unknown", b"carol"),
        ("a space behind", b"alice "),
        ("a space before", b" alice"),
        ("another case", b"Alice"),
        ("256 characters", long.as_bytes()),
        ("4,096 characters", longer.as_bytes()),
        ("a path", b"../x"),
        ("a path to a user", b"../alice"),
        ("a slash", b"alice/"),
        ("a newline", b"alice\nbob"),
        ("an escape", b"alice\x1b[2J"),
        ("a number", b"61000"),
        ("a dash", b"-alice"),
        ("invalid UTF-8", b"al\xffice"),
    ];
    with_two(|world, token| {
        let mut host = world.host();
        let known = host.login(Login::new("login", "alice"), &[token.wrong().as_bytes()]);
        assert_eq!((known.code(), known.prompts), (code::AUTH_ERR, 1));
        let code = token.at(0);
        for (what, user) in users {
            let outcome =
                promptly(what, || host.login(Login::bytes("login", user), &[code.as_bytes()]));
            assert_eq!(outcome.code(), code::AUTH_ERR, "{what}: {}", outcome.transcript);
            assert_eq!(outcome.transcript, known.transcript, "{what}");
        }
        assert_eq!(host.end(), (0, String::new()));
        for record in world.log().records() {
            let bad =
                record.chars().find(|c| c.is_control() && *c != '\n' && *c != '\0' && *c != '\t');
            assert_eq!(bad, None, "a raw control character in the log: {record:?}");
            assert!(!record.contains("\nbob"), "a name broke a line: {record:?}");
        }
    });
}

/// An empty name, and none: the stack asks for one.
#[test]
fn nobody_in_particular_is_denied() {
    with_two(|world, token| {
        let mut host = world.host();
        let empty = host.login(Login::new("login", ""), &[token.at(0).as_bytes(), b"", b""]);
        assert_ne!(empty.code(), code::SUCCESS, "{}", empty.transcript);
        let mut nobody = Login::new("login", "");
        nobody.0.user = None;
        let asked = host.login(nobody, &[b"alice", token.at(0).as_bytes()]);
        assert_eq!((asked.code(), asked.prompts), (code::SUCCESS, 2), "{}", asked.transcript);
    });
}

/// Items that an attacker chooses: kept out of the log's lines, and of no weight.
#[test]
fn hostile_items_change_nothing() {
    with_two(|world, token| {
        let hostile = "x\nAccepted code for root\x1b[2J\u{202e}".to_owned();
        let mut login = Login::new("login", "alice");
        login.0.rhost = Some(hostile.clone());
        login.0.ruser = Some(hostile.repeat(100));
        login.0.tty = Some(hostile.clone());
        login.0.env = vec![
            format!("SSH_CONNECTION={hostile}"),
            format!("SSH_AUTH_INFO_0={}", hostile.repeat(200)),
        ];
        let mut host = world.host();
        assert_eq!(host.login(login.clone(), &[token.wrong().as_bytes()]).code(), code::AUTH_ERR);
        assert_eq!(host.login(login, &[token.code().as_bytes()]).code(), code::SUCCESS);
        for record in world.log().records() {
            assert!(
                !record.contains("\nAccepted")
                    && !record.contains('\x1b')
                    && !record.contains('\u{202e}'),
                "{record:?}"
            );
        }
    });
}
