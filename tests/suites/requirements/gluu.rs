//! Enrolment at the first login, through real programs.

use std::{thread::sleep, time::Duration};

use harness::{
    Login, MODULE, Screen, Token, World,
    otpd::{document, enrol, otpctl_with},
    pam::code,
    process::until,
    screen::scan,
};

use crate::enrolment::{
    POLICY, PROMPT, TITLE, admitted, app, first_login, give_password, key, records, refused,
    tokens, with_sshd,
};

/// The password first: who does not know it sees neither the code nor a prompt for one.
#[test]
fn g01_the_second_step_comes_after_the_right_password_only() {
    with_sshd(POLICY, |_, sshd| {
        let wrong = Screen::open(&sshd.at_terminal("alice"));
        wrong.await_prompt("Password: ");
        refused(&wrong, "wrong");
        assert!(!wrong.text().contains(TITLE), "{}", wrong.text());
        assert!(records("alice").is_empty());
        first_login(sshd);
    });
}

#[test]
fn g03_who_has_a_key_is_asked_for_its_code_and_shown_no_other() {
    with_sshd(POLICY, |_, sshd| {
        let token = enrol("alice", &["--method", "totp"]);
        let usual = |reply: &str| {
            let screen = Screen::open(&sshd.at_terminal("alice"));
            give_password(&screen);
            let text = screen.await_prompt("Verification code: ");
            assert!(!text.contains(TITLE), "{text}");
            screen.type_line(reply);
            screen
        };
        for word in ["hotp", "qr", "text", "invert"] {
            let screen = usual(word);
            let text = screen.await_text("Permission denied");
            assert!(!text.contains("Key: ") && !text.contains(TITLE), "{word}: {text}");
        }
        otpctl_with(&["user", "unlock", "alice"], b"").ok();
        usual(&token.code()).await_text("admitted as alice");
        otpctl_with(&["token", "disable", &token.id, "--reason", "lost"], b"").ok();
        usual("").await_text("Permission denied");
    });
}

/// A code that oathtool computes from the key that is written on the screen.
#[test]
fn g04_g22_x05_the_key_in_text_and_its_first_code_enrol_and_log_in() {
    with_sshd(POLICY, |_, sshd| {
        let (screen, text) = first_login(sshd);
        let token = app(&text);
        assert!(tokens("alice").is_empty(), "nothing is stored before the code");
        let used = token.code();
        admitted(&screen, &used);
        assert_eq!(tokens("alice"), ["totp"]);
        assert_eq!(records("alice"), ["enrol ok", "login ok"]);
        let again = Screen::open(&sshd.at_terminal("alice"));
        give_password(&again);
        again.await_prompt("Verification code: ");
        refused(&again, &used);
    });
}

/// A code that oathtool computes from what zbarimg reads in a photograph of the terminal; the URI
/// has the issuer with its space as %20, and caption and page stand beside the code.
#[test]
fn g04_g07_g09_g11_a_photograph_of_the_terminal_enrols_and_logs_in() {
    let settings = "[enrolment]\nissuer = \"Gluu Inc\"\nlabel = \"Gluu Inc login\"\n\
        registration_uri = \"https://id.example.com/otp\"\n";
    with_sshd(&format!("{settings}{POLICY}"), |_, sshd| {
        let (screen, text) = first_login(sshd);
        for shown in [TITLE, "Gluu Inc login", "https://id.example.com/otp"] {
            assert!(text.contains(shown), "{shown}: {text}");
        }
        let uri = scan(&screen.photograph(false)).expect("a scanner reads it");
        let token = Token::of_uri(&uri);
        assert_eq!(token.secret, key(&text));
        assert!(uri.starts_with("otpauth://totp/Gluu%20Inc:alice?secret="), "{uri}");
        assert!(uri.contains("&issuer=Gluu%20Inc"), "{uri}");
        admitted(&screen, &token.code());
        assert_eq!(tokens("alice"), ["totp"]);
    });
}

/// Wrong: nothing is stored, the login fails, nobody is locked, and the next one shows another key.
#[test]
fn g04_after_a_wrong_code_the_next_login_shows_another_key() {
    with_sshd(&format!("[lockout]\nafter = 1\n{POLICY}"), |_, sshd| {
        let mut keys = Vec::new();
        for _ in 0..3 {
            let (screen, text) = first_login(sshd);
            keys.push(key(&text));
            refused(&screen, &app(&text).wrong());
            assert!(tokens("alice").is_empty());
            assert_eq!(otpctl_with(&["user", "show", "alice"], b"").code(), 7, "no such account");
        }
        keys.dedup();
        assert_eq!(keys.len(), 3);
        assert_eq!(records("alice"), ["enrol wrong"; 3]);
        let (screen, text) = first_login(sshd);
        admitted(&screen, &app(&text).code());
    });
}

#[test]
fn g05_enter_alone_shows_it_again() {
    with_sshd(POLICY, |_, sshd| {
        let (screen, text) = first_login(sshd);
        let title = "Give this key to";
        screen.type_line("text");
        screen.await_prompt("First code (or: qr): ");
        screen.type_line("");
        until("it is there twice", || screen.text().matches(title).count() == 2);
        let again = screen.await_prompt("First code (or: qr): ");
        assert!(again.matches("Key: ").count() == 2 && key(&again) == key(&text), "{again}");
        admitted(&screen, &app(&text).code());
    });
}

/// A program without a person is refused at once.
#[test]
fn g12_without_a_conversation_there_is_an_error_and_no_hang() {
    World::run(|world| {
        let _otpd = world.otpd(POLICY);
        world.stack("login", &[&format!("required {MODULE}")]);
        let outcome = world.host().login(Login::new("login", "alice"), &[]);
        assert_eq!(outcome.code(), code::CONV_ERR, "{}", outcome.transcript);
        assert!(outcome.machine() < Duration::from_secs(5));
        assert!(outcome.transcript.contains(TITLE), "{}", outcome.transcript);
        assert!(tokens("alice").is_empty());
    });
}

/// The first of the policy's methods is what is asked for; the others are there for the asking.
#[test]
fn g02_g13_the_first_method_is_the_default_and_hotp_is_there_too() {
    with_sshd(&POLICY.replace("[\"totp\"]", "[\"totp\", \"hotp\"]"), |_, sshd| {
        let screen = Screen::open(&sshd.at_terminal("alice"));
        give_password(&screen);
        let prompt = "First code (or: hotp, text, invert): ";
        assert!(!screen.await_prompt(prompt).contains("HOTP"));
        screen.type_line("hotp");
        let text = screen.await_prompt("First code (or: totp, text, invert): ");
        assert!(text.contains("Type: counter (HOTP)"), "{text}");
        admitted(&screen, &Token::of_key("hotp", &key(&text)).code());
        assert_eq!(tokens("alice"), ["hotp"]);
    });
}

/// The key is good for its time, inside of which Enter shows it again; later codes are refused, and
/// Enter shows another key.
#[test]
fn g16_x04_a_key_expires() {
    with_sshd(&format!("[enrolment]\nat_login = \"10s\"\n{POLICY}"), |_, sshd| {
        let ((late, shown), (again, first)) = (first_login(sshd), first_login(sshd));
        assert!(shown.contains("within 10 seconds"), "{shown}");
        sleep(Duration::from_millis(10_100));
        refused(&late, &app(&shown).code());
        assert_eq!(records("alice"), ["enrol expired"]);
        again.type_line("");
        again.await_text(TITLE);
        until("another key", || {
            let text = again.text();
            text.contains("Key: ") && key(&text) != key(&first)
        });
        let text = again.await_prompt(PROMPT);
        admitted(&again, &app(&text).code());
    });
}

/// What was scanned in one session is worth nothing in another one.
#[test]
fn g17_a_scan_belongs_to_its_session() {
    with_sshd(POLICY, |_, sshd| {
        let (one, other) = (first_login(sshd), first_login(sshd));
        refused(&other.0, &app(&one.1).code());
        admitted(&one.0, &app(&one.1).code());
    });
}

/// A lost phone: the administrator resets, and the next login enrols.
#[test]
fn g18_after_a_reset_the_next_login_enrols() {
    with_sshd(POLICY, |_, sshd| {
        let (screen, text) = first_login(sshd);
        let lost = app(&text);
        admitted(&screen, &lost.code());
        otpctl_with(&["recovery", "new", "alice", "--yes", "--output", "/run/e2e/codes"], b"").ok();
        otpctl_with(&["user", "reset", "alice", "--yes"], b"").ok();
        assert!(tokens("alice").is_empty());
        assert_eq!(records("alice").last().unwrap(), "reset ok");
        let (screen, text) = first_login(sshd);
        assert_ne!(key(&text), lost.secret);
        admitted(&screen, &app(&text).code());
        assert_eq!(document(&["user", "show", "alice"])["recovery"], 0, "the old codes are gone");
    });
}

/// Every line of the log can be found by its "OTP".
#[test]
fn g19_the_log_has_its_mark_and_no_code() {
    with_sshd(POLICY, |world, sshd| {
        let (screen, text) = first_login(sshd);
        let code = app(&text).code();
        admitted(&screen, &code);
        let ours: Vec<_> =
            world.log().records().into_iter().filter(|line| line.contains("otpd[")).collect();
        assert!(ours.iter().any(|line| line.contains("OTP. daemon: ready")), "{ours:?}");
        assert!(ours.iter().any(|line| line.contains("OTP. enrol: ok for user alice")), "{ours:?}");
        assert!(
            ours.iter().all(|line| line.contains("OTP. ") && !line.contains(&code)),
            "{ours:?}"
        );
    });
}

/// Empty, without a key, and wrong: three records, one answer.
#[test]
fn g20_each_refusal_has_its_record() {
    World::run(|world| {
        let _otpd = world.otpd("");
        world.stack("login", &[&format!("required {MODULE}")]);
        let token = enrol("alice", &["--method", "totp"]);
        let mut host = world.host();
        let mut said = Vec::new();
        for (user, reply) in
            [("alice", String::new()), ("alice", token.wrong()), ("bob", "123456".to_owned())]
        {
            let outcome = host.login(Login::new("login", user), &[reply.as_bytes()]);
            said.push((outcome.code(), outcome.transcript));
        }
        said.dedup();
        assert_eq!(said.len(), 1, "{said:?}");
        let login = |user| records(user).into_iter().filter(|r| r.starts_with("login")).collect();
        let (alice, bob): (Vec<_>, Vec<_>) = (login("alice"), login("bob"));
        assert_eq!(alice, ["login malformed", "login wrong"]);
        assert_eq!(bob, ["login unenrolled"]);
    });
}

/// Each of several keys is tried; a counter goes past what matched, and a used step is over.
#[test]
fn g21_several_keys_are_tried_in_turn() {
    World::run(|world| {
        let _otpd = world.otpd("");
        world.stack("login", &[&format!("required {MODULE}")]);
        let card = enrol("alice", &["--method", "hotp", "--label", "card"]);
        let phone = enrol("alice", &["--method", "totp", "--label", "phone"]);
        let mut host = world.host();
        let mut login =
            |code: &str| host.login(Login::new("login", "alice"), &[code.as_bytes()]).code();
        let used = phone.code();
        assert_eq!(login(&used), code::SUCCESS);
        assert_eq!(login(&card.at(4)), code::SUCCESS);
        assert_eq!(login(&used), code::AUTH_ERR, "a used step");
        assert_eq!(login(&card.at(4)), code::AUTH_ERR, "a used counter");
        assert_eq!(login(&card.at(3)), code::AUTH_ERR, "one that was passed over");
        assert_eq!(login(&card.at(5)), code::SUCCESS);
    });
}
