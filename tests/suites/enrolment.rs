//! Enrolment with an app at the login, as people see it at a terminal of 80 columns and 24 rows.

use harness::{
    Login, MODULE, Otpd, PASSWORD, Screen, Token, World,
    otpd::{audit, document, enrol, items, otpctl_with},
    pam::code,
    process::{command, command_as, until},
    screen::scan,
    sshd::{Methods, Sshd},
};

/// Users without a token get one of an app at their first login.
pub(crate) const POLICY: &str = "[[policy]]\nname = \"first login\"\n\
    match = { service = [\"sshd\", \"su\", \"login\"] }\nunenrolled = \"enrol\"\nenrol = [\"totp\"]\n";
/// Nobody gets to the module without the right password.
pub(crate) const STACK: [&str; 2] =
    ["requisite pam_unix.so nodelay", "required /run/e2e/bin/pam_otp.so"];
/// Below the QR code.
pub(crate) const PROMPT: &str = "First code (or: text, invert): ";
pub(crate) const TITLE: &str = "Scan this with an authenticator app:";
const REFUSED: &str = "Permission denied";

/// A machine with sshd, and its daemon.
pub(crate) fn with_sshd(configuration: &str, test: impl FnOnce(&World, &Sshd) + Send) {
    World::run(|world| {
        let _otpd: Otpd = world.otpd(configuration);
        world.stack("sshd", &STACK);
        test(world, &world.sshd(Methods::Keyboard));
    });
}

/// alice at a terminal, her password given, the key before her.
pub(crate) fn first_login(sshd: &Sshd) -> (Screen, String) {
    let screen = Screen::open(&sshd.at_terminal("alice"));
    give_password(&screen);
    let text = screen.await_prompt(PROMPT);
    (screen, text)
}

pub(crate) fn give_password(screen: &Screen) {
    screen.await_prompt("Password: ");
    screen.type_line(PASSWORD);
}

pub(crate) fn admitted(screen: &Screen, code: &str) {
    screen.type_line(code);
    screen.await_text("admitted as alice");
}

pub(crate) fn refused(screen: &Screen, code: &str) {
    screen.type_line(code);
    screen.await_text(REFUSED);
}

/// The key that can be read on the screen.
pub(crate) fn key(screen: &str) -> String {
    let group = |group: &str| {
        (1..=4).contains(&group.len())
            && group.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
    };
    let (_, rest) = screen.split_once("Key: ").unwrap_or_else(|| panic!("no key:\n{screen}"));
    let lines = rest.lines().map(|line| line.trim_matches(['█', '▀', '▄', ' ']));
    lines.take_while(|line| line.split(' ').all(group)).collect::<String>().replace(' ', "")
}

pub(crate) fn app(screen: &str) -> Token {
    Token::of_key("totp", &key(screen))
}

/// The methods of a user's tokens.
pub(crate) fn tokens(user: &str) -> Vec<String> {
    let method = |token: &serde_json::Value| token["method"].as_str().unwrap().to_owned();
    items(&["token", "list", user]).iter().map(method).collect()
}

/// Event and result of a user's records, oldest first.
pub(crate) fn records(user: &str) -> Vec<String> {
    let told = |record: &serde_json::Value| {
        format!("{} {}", record["event"].as_str().unwrap(), record["result"].as_str().unwrap())
    };
    audit(user).iter().map(told).collect()
}

#[test]
fn the_stack_has_the_module_under_test() {
    assert!(STACK[1].ends_with(MODULE));
}

/// Everything is on the screen at once: the first line, the whole code, the key and the prompt. A
/// scanner reads it, and the URI that it reads is the key that is written beside it.
fn all_is_there(screen: &Screen, user: &str) -> Token {
    let text = screen.text();
    let lines: Vec<_> = text.trim_end().lines().collect();
    assert!(lines.len() <= 24 && text.contains(TITLE), "{text}");
    assert_eq!(lines.last().unwrap().trim_end(), PROMPT.trim_end());
    let uri = scan(&screen.photograph(false)).expect("the QR code can be read");
    let token = Token::of_uri(&uri);
    assert_eq!(token.secret, key(&text));
    assert!(uri.contains(user), "{uri}");
    token
}

/// su asks on its own terminal, line by line.
#[test]
fn su_shows_it_whole_at_80_by_24() {
    World::run(|world| {
        let _otpd = world.otpd(POLICY);
        world.stack("su", &STACK);
        let su = command_as("65534", &["su", "alice", "-c", "echo admitted as $(id -un)"]);
        let screen = Screen::open(&su);
        give_password(&screen);
        screen.await_prompt(PROMPT);
        admitted(&screen, &all_is_there(&screen, "alice").code());
        assert_eq!(tokens("alice"), ["totp"]);
    });
}

/// sudo wants no notices (PAM_SILENT), so nobody enrols there.
#[test]
fn sudo_shows_no_key() {
    World::run(|world| {
        let _otpd = world.otpd(&POLICY.replace("\"su\"", "\"sudo\""));
        world.stack("sudo", &STACK);
        let screen = Screen::open(&command_as("alice", &["sudo", "id"]));
        screen.await_prompt("password for alice: ");
        screen.type_line(PASSWORD);
        let text = screen.await_prompt("Verification code: ");
        assert!(!text.contains(TITLE), "{text}");
    });
}

/// The console's own login.
#[test]
fn login_shows_it_whole_at_80_by_24() {
    World::run(|world| {
        let _otpd = world.otpd(POLICY);
        world.stack("login", &STACK);
        let screen = Screen::open(command("/bin/login").arg("alice"));
        give_password(&screen);
        screen.await_prompt(PROMPT);
        screen.type_line(&all_is_there(&screen, "alice").code());
        until("the token is stored", || tokens("alice") == ["totp"]);
        screen.await_text("$");
        admitted(&screen, "echo admitted as $(id -un)");
    });
}

/// The largest code that fits: a long key, with one light module around.
#[test]
fn the_largest_code_can_be_read() {
    let method = "[[method]]\nname = \"totp\"\nkey_size = 64\n";
    with_sshd(&format!("[enrolment]\nissuer = \"Acme\"\n{method}{POLICY}"), |_, sshd| {
        let (screen, text) = first_login(sshd);
        let uri = scan(&screen.photograph(false)).expect("it can be read");
        assert_eq!(Token::of_uri(&uri).secret, key(&text));
    });
}

/// A key that is too long for a QR code in 24 rows, and a machine that wants none.
#[test]
fn without_a_qr_code_the_key_is_enough() {
    for (change, prompt) in [
        ("[[method]]\nname = \"totp\"\nkey_size = 99\n", "First code: "),
        ("[enrolment]\nqr = \"none\"\n", "First code (or: qr): "),
    ] {
        with_sshd(&format!("{change}{POLICY}"), |_, sshd| {
            let screen = Screen::open(&sshd.at_terminal("alice"));
            give_password(&screen);
            let text = screen.await_prompt(prompt);
            assert!(!text.contains('█') && text.contains("Give this key to"), "{text}");
            admitted(&screen, &app(&text).code());
        });
    }
}

/// In another language everything is on the screen as well, and a scanner reads it.
#[test]
fn n12_the_key_is_shown_in_german() {
    with_sshd(&format!("[prompt.sshd]\nlanguage = \"de\"\n{POLICY}"), |_, sshd| {
        let screen = Screen::open(&sshd.at_terminal("alice"));
        give_password(&screen);
        let prompt = "Ersten Code eingeben (oder: text, invert): ";
        let text = screen.await_prompt(prompt);
        assert!(text.contains("Mit einer Authenticator-App scannen:"), "{text}");
        let told = text.lines().filter_map(|line| line.split_once("Schlüssel: "));
        let told: Vec<_> = told.map(|(_, begin)| begin.replace(' ', "")).collect();
        let token = Token::of_uri(&scan(&screen.photograph(false)).expect("it can be read"));
        assert!(told.len() == 1 && token.secret.starts_with(&told[0]), "{text}");
        admitted(&screen, &token.code());
    });
}

/// ssh writes what is no ASCII as `\342\226\210` where its own locale is C: the word "text" helps.
#[test]
fn a_client_that_writes_no_blocks_asks_for_text() {
    with_sshd(POLICY, |_, sshd| {
        let mut client = sshd.at_terminal("alice");
        let screen = Screen::open(client.env("LC_ALL", "C"));
        give_password(&screen);
        let text = screen.await_prompt(PROMPT);
        assert!(text.contains("\\342\\226\\210") && !text.contains('█'), "{text}");
        screen.type_line("text");
        let text = screen.await_text("Give this key to");
        screen.await_prompt("First code (or: qr): ");
        admitted(&screen, &app(&text).code());
    });
}

/// A light terminal shows what is drawn for a dark one inside out, which not every scanner reads.
#[test]
fn a_light_terminal_gets_it_inverted() {
    with_sshd(&format!("[enrolment]\nqr = \"none\"\n{POLICY}"), |_, sshd| {
        let screen = Screen::open(&sshd.at_terminal("alice"));
        give_password(&screen);
        let key = key(&screen.await_prompt("First code (or: qr): "));
        screen.type_line("qr");
        screen.await_prompt(PROMPT);
        screen.type_line("invert");
        until("dark is drawn", || !screen.text().contains(&"█".repeat(40)));
        screen.await_prompt(PROMPT);
        let token = Token::of_uri(&scan(&screen.photograph(true)).expect("it can be read"));
        assert_eq!(token.secret, key);
        admitted(&screen, &token.code());
    });
}

/// sshd's own answer to every prompt is the password, where it asks for that itself.
#[test]
fn a_program_that_answers_blindly_enrols_nobody() {
    World::run(|world| {
        let _otpd = world.otpd(POLICY);
        world.stack("sshd", &STACK);
        let sshd = world.sshd(Methods::Password);
        let done = sshd.login("alice", &[PASSWORD]);
        assert!(!done.admitted, "{}", done.transcript);
        assert!(!done.transcript.contains("Key: "), "{}", done.transcript);
        assert!(tokens("alice").is_empty());
    });
}

/// `no_warn` keeps the module from showing anything: the usual prompt, the usual refusal.
#[test]
fn where_nothing_is_shown_nobody_enrols() {
    World::run(|world| {
        let _otpd = world.otpd(POLICY);
        world.stack("login", &[&format!("required {MODULE} no_warn")]);
        let outcome = world.host().login(Login::new("login", "alice"), &[b"123456"]);
        assert_eq!(outcome.code(), code::AUTH_ERR);
        assert_eq!(outcome.transcript, "hidden: \"Verification code: \"\n");
        assert_eq!(records("alice"), ["login unenrolled"]);
    });
}

/// Whoever is unknown, and who has a policy of another kind, is asked as ever.
#[test]
fn the_others_see_the_usual_prompt() {
    with_sshd(&POLICY.replace("match = {", "match = { user = [\"alice\"],"), |world, sshd| {
        let usual = |user: &str| {
            let screen = Screen::open(&sshd.at_terminal(user));
            give_password(&screen);
            screen.await_prompt("Verification code: ")
        };
        assert!(!usual("bob").contains(TITLE));
        world.stack("sshd", &STACK[1..]);
        let screen = Screen::open(&sshd.at_terminal("carol"));
        let text = screen.await_prompt("Verification code: ");
        assert!(!text.contains(TITLE), "{text}");
    });
}

/// The connection ends while the key is on the screen: the key is gone with it.
#[test]
fn a_login_that_is_left_leaves_nothing() {
    with_sshd(POLICY, |world, sshd| {
        let (screen, text) = first_login(sshd);
        let old = app(&text);
        assert_eq!(document(&["status"])["sessions"], 1);
        drop(screen);
        until("the login is forgotten", || document(&["status"])["sessions"] == 0);
        assert!(tokens("alice").is_empty() && records("alice").is_empty());
        let (screen, text) = first_login(sshd);
        assert_ne!(key(&text), old.secret);
        refused(&screen, &old.code());
        let told = world.log().records().join("\n");
        assert!(!told.contains(&old.secret) && !told.contains(&key(&text)), "{told}");
    });
}

/// Of two logins at once the first right code counts, and the other is refused.
#[test]
fn two_logins_at_once_make_one_token() {
    with_sshd(POLICY, |_, sshd| {
        let (one, other) = (first_login(sshd), first_login(sshd));
        assert_ne!(key(&one.1), key(&other.1));
        admitted(&other.0, &app(&other.1).code());
        refused(&one.0, &app(&one.1).code());
        assert_eq!(tokens("alice"), ["totp"]);
        assert_eq!(records("alice"), ["enrol ok", "login ok", "enrol denied"]);
    });
}

/// Neither the store nor the log tells the key, before and after.
#[test]
fn the_key_is_on_the_screen_only() {
    with_sshd(POLICY, |world, sshd| {
        let (screen, text) = first_login(sshd);
        let token = app(&text);
        let code = token.code();
        let stored = || {
            let files = std::fs::read_dir("/var/lib/otpd").unwrap();
            files.flat_map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect::<Vec<_>>()
        };
        let holds = |bytes: &[u8], text: &str| {
            bytes.windows(text.len()).any(|window| window == text.as_bytes())
        };
        assert!(!holds(&stored(), "alice"), "the store knows nobody before the code");
        admitted(&screen, &code);
        assert!(holds(&stored(), "alice") && !holds(&stored(), &token.secret));
        let told = world.log().records().join("\n");
        assert!(!told.contains(&token.secret) && !told.contains(&code), "{told}");
        let listed = otpctl_with(&["--json", "audit", "--user", "alice"], b"").ok();
        assert!(!listed.contains(&token.secret) && !listed.contains(&code), "{listed}");
    });
}

/// An administrator enrols her while the key is before her: hers is not taken any more.
#[test]
fn a_token_that_comes_meanwhile_counts() {
    with_sshd(POLICY, |_, sshd| {
        let (screen, text) = first_login(sshd);
        enrol("alice", &["--method", "hotp"]);
        refused(&screen, &app(&text).code());
        assert_eq!(tokens("alice"), ["hotp"]);
    });
}
