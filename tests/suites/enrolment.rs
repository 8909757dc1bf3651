//! Enrolment with an app at the login, as people see it at a terminal of 80 columns and 24 rows.

use harness::{PASSWORD, Screen, Token, World, screen::scan, sshd::Methods};

pub(crate) const POLICY: &str = "[[policy]]\nname = \"first login\"\n\
    match = { service = [\"sshd\", \"su\", \"login\"] }\nunenrolled = \"enrol\"\nenrol = [\"totp\"]\n";
pub(crate) const STACK: [&str; 2] =
    ["requisite pam_unix.so nodelay", "required /run/e2e/bin/pam_otp.so"];
pub(crate) const PROMPT: &str = "First code (or: text, invert): ";

/// The key that can be read on the screen.
pub(crate) fn key(screen: &str) -> String {
    let (_, rest) = screen.split_once("Key: ").expect("a key");
    let mut lines = rest.lines();
    let first = lines.next().unwrap();
    let more = lines.map(|line| line.trim_matches(['█', '▀', '▄', ' ']));
    let group = |group: &str| {
        group.len() == 4 && group.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
    };
    let more = more.take_while(|line| line.split(' ').all(group));
    std::iter::once(first).chain(more).collect::<String>().replace(' ', "")
}

#[test]
fn prototype() {
    World::run(|world| {
        let _otpd = world.otpd(&format!("[enrolment]\nissuer = \"Gluu Inc\"\n{POLICY}"));
        world.stack("sshd", &STACK);
        let sshd = world.sshd(Methods::Keyboard);
        let screen = Screen::open(&sshd.at_terminal("alice"));
        screen.await_prompt("Password: ");
        screen.type_line(PASSWORD);
        let text = screen.await_prompt(PROMPT);
        println!("{text}");
        let picture = screen.photograph(false);
        std::fs::copy(&picture, "/work/trees/enrolment/target/shot.png").unwrap();
        let uri = scan(&picture);
        println!("{uri:?} {}", key(&text));
        screen.type_line(&Token::of_uri(&uri.unwrap()).code());
        println!("{}", screen.await_text("admitted as alice"));
    });
}
