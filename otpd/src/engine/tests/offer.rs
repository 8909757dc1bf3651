//! Enrolment with an app at the login.

use super::{
    delivery::{GENERIC, MAIL, MOBILE, Office},
    *,
};

const POLICY: &str = "[[policy]]\nname = \"first login\"\nunenrolled = \"enrol\"\n\
    enrol = [\"totp\", \"hotp\"]\n";
const PROMPT: &str = "First code (or: hotp, text, invert): ";

/// A login at its prompt.
struct Login {
    caller: Caller,
    session: String,
    step: Step,
}

impl Login {
    fn notice(&self) -> &str {
        assert_eq!(self.step.kind(), Some(StepKind::NoticeThenPrompt), "{:?}", self.step);
        self.step.notice().unwrap()
    }

    fn key(&self) -> String {
        key_of(self.notice())
    }

    fn app(&self) -> App {
        app_of(self.notice())
    }
}

/// The key that is on the screen.
fn key_of(notice: &str) -> String {
    notice
        .lines()
        .filter_map(|line| {
            let end = line.trim_matches(['█', '▀', '▄', ' ']);
            let end = end.strip_prefix("Key: ").unwrap_or(end);
            end.split(' ')
                .all(|group| (1..=4).contains(&group.len()) && is_base32(group))
                .then_some(end)
        })
        .collect::<String>()
        .replace(' ', "")
}

/// An app that has taken it.
pub(super) fn app_of(notice: &str) -> App {
    let secret = Secret::new(base32::decode(&key_of(notice)).unwrap()).unwrap();
    App { id: String::new(), secret }
}

fn is_base32(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_uppercase() || (b'2'..=b'7').contains(&byte))
}

impl World {
    async fn first_with(&self, user: &str, connection: u64, context: Context) -> Login {
        let caller = Caller { uid: 0, connection: Connection::Direct(connection) };
        let (session, step) = self.engine.begin(&caller, user, context).await.unwrap();
        Login { caller, session, step }
    }

    async fn first(&self, user: &str) -> Login {
        self.first_with(user, 1, sshd()).await
    }

    async fn reply(&self, login: &Login, reply: &[u8]) -> Step {
        let reply = Zeroizing::new(reply.to_vec());
        self.engine.respond(&login.caller, &login.session, reply).await.unwrap()
    }

    /// The login after a word.
    async fn after(&self, login: &Login, word: &str) -> Login {
        let step = self.reply(login, word.as_bytes()).await;
        Login { caller: login.caller.clone(), session: login.session.clone(), step }
    }

    async fn admits(&self, login: &Login, code: &[u8]) -> bool {
        match self.reply(login, code).await.kind() {
            Some(StepKind::Granted) => true,
            Some(StepKind::Denied) => false,
            other => panic!("{other:?}"),
        }
    }

    async fn methods(&self, user: &str) -> Vec<String> {
        let filter = TokenFilter { user: Some(user.into()), ..TokenFilter::default() };
        let (tokens, _) = self.engine.tokens(filter).await.unwrap();
        tokens.into_iter().map(|token| format!("{} {}", token.method, token.state)).collect()
    }

    /// Events, results and details of the records, oldest first.
    async fn records(&self) -> Vec<(String, String, String)> {
        let records = self.engine.audit(AuditFilter::default()).await.unwrap();
        records.into_iter().map(|r| (r.event, r.result, r.detail.unwrap_or_default())).collect()
    }

    /// Whether the store knows nothing of the user.
    async fn is_nobody(&self, user: &str) -> bool {
        let known = |work: &mut crate::store::Work<'_>| work.account.is_none();
        self.engine.transact(user, known).await.unwrap()
    }
}

#[tokio::test]
async fn g04_the_first_right_code_stores_the_token_and_logs_in() {
    let world = World::new(POLICY);
    let login = world.first("alice").await;
    assert_eq!(login.step.text(), PROMPT);
    assert!(world.is_nobody("alice").await, "nothing is stored before the code");
    let code = login.app().code(world.now_step());
    assert!(world.admits(&login, &code).await);
    assert_eq!(world.methods("alice").await, ["totp active"]);
    let records = world.records().await;
    let how = "at the login, by policy \"first login\"";
    assert_eq!(records[0], ("enrol".into(), "ok".into(), how.into()));
    assert_eq!((&*records[1].0, &*records[1].1), ("login", "ok"));
    assert!(!world.granted("alice", &code).await, "it is spent");
    world.clock.advance(STEP_MS);
    assert!(world.granted("alice", &login.app().code(world.now_step())).await);
}

#[tokio::test]
async fn g04_a_wrong_code_stores_nothing_and_the_next_login_shows_another_key() {
    let world = World::new(POLICY);
    let mut keys = std::collections::BTreeSet::new();
    for _ in 0..10 {
        let login = world.first("alice").await;
        assert!(keys.insert(login.key()), "a key is shown once");
        let code = login.app().code(world.now_step());
        assert!(!world.admits(&login, &wrong(&code)).await);
        assert!(world.is_nobody("alice").await);
        let again = Zeroizing::new(code);
        let over = world.engine.respond(&login.caller, &login.session, again).await;
        assert_eq!(over, Err(Error::UnknownSession));
    }
    let records = world.records().await;
    assert!(records.iter().all(|r| (&*r.0, &*r.1) == ("enrol", "wrong")), "{records:?}");
    let login = world.first("alice").await;
    assert!(world.admits(&login, &login.app().code(world.now_step())).await, "nobody is locked");
}

#[tokio::test]
async fn g02_both_kinds_enrol() {
    for (method, moving) in [("totp", START_MS as u64 / STEP_MS), ("hotp", 0)] {
        let world = World::new(&POLICY.replace("\"totp\", \"hotp\"", &format!("\"{method}\"")));
        let login = world.first("alice").await;
        assert_eq!(login.step.text(), "First code (or: text, invert): ");
        assert_eq!(login.notice().contains("Type: counter (HOTP)"), method == "hotp");
        assert!(world.admits(&login, &login.app().code(moving)).await, "{method}");
        assert_eq!(world.methods("alice").await, [format!("{method} active")]);
    }
}

#[tokio::test]
async fn g21_the_watermark_goes_past_the_first_counter() {
    let world = World::new(&POLICY.replace("\"totp\", ", ""));
    let login = world.first("alice").await;
    let app = login.app();
    assert!(world.admits(&login, &app.code(3)).await, "within the window");
    for (counter, admitted) in [(2, false), (3, false), (4, true), (4, false)] {
        assert_eq!(world.granted("alice", &app.code(counter)).await, admitted, "{counter}");
    }
}

#[tokio::test]
async fn g13_the_first_method_of_the_policy_is_the_default_and_another_can_be_chosen() {
    let world = World::new(POLICY);
    let login = world.first("alice").await;
    let other = world.after(&login, "HOTP").await;
    assert_eq!(other.step.text(), "First code (or: totp, text, invert): ");
    assert_ne!(other.key(), login.key());
    assert!(world.admits(&other, &other.app().code(0)).await);
    assert_eq!(world.methods("alice").await, ["hotp active"]);
}

#[tokio::test]
async fn g05_enter_alone_shows_it_again_and_no_end_of_it() {
    let world = World::new(POLICY);
    let login = world.first("alice").await;
    for _ in 0..12 {
        let again = world.after(&login, "").await;
        assert_eq!(again.step, login.step);
    }
    assert_eq!(world.reply(&login, b"").await, Step::bare(StepKind::Denied));
    assert!(world.is_nobody("alice").await);
}

fn speaking(language: &str) -> Context {
    Context { language: Some(language.into()), ..sshd() }
}

/// The text beside the QR code, line by line.
fn beside(notice: &str) -> Vec<&str> {
    let lines = notice.lines().skip(1).filter(|line| line.chars().count() > 43);
    lines.map(|line| line.trim_matches(['█', '▀', '▄', ' '])).collect()
}

#[tokio::test]
async fn a_key_is_shown_in_the_language_of_the_session() {
    let method = "[[method]]\nname = \"totp\"\nalgorithm = \"sha256\"\ndigits = 8\n\
        time_step = \"60s\"\n";
    let page = "[enrolment]\nregistration_uri = \"https://id.example.com/otp\"\n";
    let world = World::new(&format!("{method}{page}{POLICY}"));
    let login = world.first_with("alice", 1, speaking("de_DE.UTF-8")).await;
    assert_eq!(login.step.text(), "Ersten Code eingeben (oder: hotp, text, invert): ");
    assert!(login.notice().starts_with("Mit einer Authenticator-App scannen:\n"));
    let mut lines = beside(login.notice());
    let keys = lines.iter().position(|line| line.starts_with("Schlüssel: ")).unwrap();
    lines.drain(keys..keys + 2);
    assert_eq!(
        lines.join("\n"),
        "Oder diesen Schlüssel eingeben:\n\
         Algorithmus: SHA256\n\
         Stellen: 8\n\
         Intervall: 60 Sekunden\n\
         Dann hier innerhalb von 5 Minuten\n\
         den ersten Code der App eingeben.\n\
         Enter zeigt dies erneut an; „text“\n\
         lässt den QR-Code weg, „invert“\n\
         passt zu hellen Terminals.\n\
         Oder registrieren unter\n\
         https://id.example.com/otp"
    );
    let text = world.after(&login, "text").await;
    assert_eq!(text.step.text(), "Ersten Code eingeben (oder: hotp, qr): ");
    let (first, rest) = text.notice().split_once('\n').unwrap();
    assert_eq!(first, "In eine Authenticator-App eingeben:");
    assert!(rest.starts_with("Schlüssel: "), "{rest}");
    assert!(rest.contains("Enter zeigt dies erneut an, „qr“ einen QR-Code."), "{rest}");
    let other = world.after(&text, "hotp").await;
    assert!(other.notice().contains("Typ: Zähler (HOTP)"), "{}", other.notice());
    assert_eq!(other.step.text(), "Ersten Code eingeben (oder: totp, text, invert): ");

    let services = World::new(&format!("[prompt.sshd]\nlanguage = \"fr\"\n{POLICY}"));
    let login = services.first("alice").await;
    let prompt = "Saisissez le premier code (ou\u{a0}: hotp, text, invert)\u{a0}: ";
    assert_eq!(login.step.text(), prompt);
}

#[tokio::test]
async fn a_terminal_of_ascii_is_shown_the_key_in_text() {
    let world = World::new(&format!("[enrolment]\nat_login = \"60s\"\n{POLICY}"));
    let login = world.first_with("alice", 1, speaking("de_DE.ISO-8859-1")).await;
    assert_eq!(login.step.text(), "Ersten Code eingeben (oder: hotp, qr): ");
    assert!(login.notice().is_ascii(), "{}", login.notice());
    assert!(login.notice().contains("\nSchluessel: "), "{}", login.notice());
    for word in ["", "hotp"] {
        let again = world.after(&login, word).await;
        assert!(again.notice().is_ascii(), "{word}: {}", again.notice());
    }
    world.clock.advance(60_000);
    assert!(world.after(&login, "").await.notice().is_ascii(), "another key");
    let picture = world.after(&login, "qr").await;
    assert!(picture.notice().contains('█'), "for the asking");
}

#[tokio::test]
async fn words_change_how_the_key_is_shown_and_not_the_key() {
    let world = World::new(POLICY);
    let login = world.first("alice").await;
    let text = world.after(&login, "text").await;
    assert!(text.notice().is_ascii(), "{}", text.notice());
    assert_eq!(text.step.text(), "First code (or: hotp, qr): ");
    let picture = world.after(&login, "QR").await;
    assert_eq!(picture.notice(), login.notice());
    let light = world.after(&login, "invert").await;
    assert_ne!(light.notice(), login.notice());
    assert!([&text, &picture, &light].iter().all(|shown| shown.key() == login.key()));
    assert_eq!(world.after(&login, "").await.notice(), light.notice());
    assert_eq!(world.after(&login, "Totp").await.key(), login.key(), "what is shown already");
    assert!(world.admits(&login, &login.app().code(world.now_step())).await);
}

#[tokio::test]
async fn the_configuration_says_how_it_is_shown() {
    let light = World::new(&format!("[enrolment]\nqr = \"light\"\n{POLICY}"));
    let shown = light.first("alice").await;
    assert!(shown.notice().lines().nth(1).unwrap().starts_with("    "), "light is not drawn");
    let none = World::new(&format!("[enrolment]\nqr = \"none\"\n{POLICY}"));
    let shown = none.first("alice").await;
    assert!(shown.notice().is_ascii());
    assert_eq!(shown.step.text(), "First code (or: hotp, qr): ");
    let long = World::new(&format!("[[method]]\nname = \"totp\"\nkey_size = 99\n{POLICY}"));
    let shown = long.first("alice").await;
    assert!(shown.notice().is_ascii(), "a QR code of this key does not fit");
    assert_eq!(shown.step.text(), "First code (or: hotp): ");
    assert!(long.admits(&shown, &shown.app().code(long.now_step())).await);
}

#[tokio::test]
async fn g16_a_key_expires_and_enter_shows_another() {
    let world = World::new(&format!("[enrolment]\nat_login = \"60s\"\n{POLICY}"));
    let login = world.first("alice").await;
    assert!(login.notice().contains("a minute"), "{}", login.notice());
    world.clock.advance(59_999);
    assert_eq!(world.after(&login, "").await.key(), login.key());
    world.clock.advance(1);
    let next = world.after(&login, "").await;
    assert_ne!(next.key(), login.key());
    assert!(world.admits(&next, &next.app().code(world.now_step())).await);

    let login = world.first("bob").await;
    world.clock.advance(60_000);
    assert!(!world.admits(&login, &login.app().code(world.now_step())).await);
    assert!(world.is_nobody("bob").await);
    let last = world.records().await.pop().unwrap();
    assert_eq!((&*last.0, &*last.1), ("enrol", "expired"));
}

#[tokio::test]
async fn g17_a_key_is_good_in_its_own_session_only() {
    let world = World::new(POLICY);
    let (one, other) = (world.first("alice").await, world.first_with("alice", 2, sshd()).await);
    assert_ne!(one.key(), other.key());
    let code = one.app().code(world.now_step());
    assert!(!world.admits(&other, &code).await, "in another session");
    let stolen = Zeroizing::new(code.clone());
    let stolen = world.engine.respond(&other.caller, &one.session, stolen).await;
    assert_eq!(stolen, Err(Error::UnknownSession), "on another connection");
    world.engine.leave(&one.caller.connection);
    let gone = world.engine.respond(&one.caller, &one.session, Zeroizing::new(code)).await;
    assert_eq!(gone, Err(Error::UnknownSession), "after its end");
    assert!(world.is_nobody("alice").await);
}

#[tokio::test]
async fn of_two_sessions_the_first_right_code_wins() {
    let world = World::new(POLICY);
    let (one, other) = (world.first("alice").await, world.first_with("alice", 2, sshd()).await);
    let now = world.now_step();
    let race = [
        world.admits(&one, &one.app().code(now)).await,
        world.admits(&other, &other.app().code(now)).await,
    ];
    assert_eq!(race, [true, false]);
    assert_eq!(world.methods("alice").await, ["totp active"]);
    let (event, result, detail) = world.records().await.pop().unwrap();
    assert_eq!((&*event, &*result), ("enrol", "denied"));
    assert!(detail.contains("enrolled otherwise"), "{detail}");
}

#[tokio::test]
async fn g03_it_is_shown_to_nobody_else() {
    let world = World::new(POLICY);
    let usual = |login: &Login| {
        assert_eq!(login.step, Step::prompt(GENERIC, false, None));
    };
    usual(&world.first("nobody").await);
    usual(&world.first("ALICE").await);
    usual(&world.first("../x").await);
    usual(&world.first_with("bob", 1, Context { silent: Some(true), ..sshd() }).await);
    let field = Context { concatenated: Some(true), ..sshd() };
    usual(&world.first_with("bob", 1, field).await);
    let delivered = Context { method: Some("sms".into()), ..sshd() };
    usual(&world.first_with("bob", 1, delivered).await);
    let later = Context { mode: Some("challenge".into()), ..sshd() };
    assert_eq!(world.first_with("bob", 1, later).await.step.kind(), Some(StepKind::Prompt));
    let app = world.active("alice", "totp").await;
    let enrolled = world.first("alice").await;
    usual(&enrolled);
    assert!(!world.admits(&enrolled, b"hotp").await, "nor for the asking");
    let (admin, options) = (Authority::Administrator, ChangeOptions::default());
    world.engine.disable(&root(), admin, "alice", &app.id, options).await.unwrap();
    usual(&world.first("alice").await);
    let silent = world.first_with("bob", 1, Context { silent: Some(true), ..sshd() }).await;
    assert!(!world.admits(&silent, b"totp").await, "where notices are not shown");
}

/// A program of the user's begins their logins on the bus: whoever has got hold of a session would
/// enrol by it, without the password that polkit asks for.
#[tokio::test]
async fn a_key_is_shown_to_logins_of_root_only() {
    let world = World::new(&format!("[bus]\ntrusted_callers = [\"bob\"]\n{POLICY}"));
    for caller in [user(ALICE), user(1001)] {
        let (session, step) = world.engine.begin(&caller, "alice", sshd()).await.unwrap();
        assert_eq!(step, Step::prompt(GENERIC, false, None));
        let word = Zeroizing::new(b"totp".to_vec());
        let step = world.engine.respond(&caller, &session, word).await.unwrap();
        assert_eq!(step, Step::bare(StepKind::Denied));
    }
    assert!(world.is_nobody("alice").await);
}

#[tokio::test]
async fn x04_a_key_is_repeated_in_its_session_until_its_code_and_never_after() {
    let world = World::new(POLICY);
    let (one, other) = (world.first("alice").await, world.first_with("alice", 2, sshd()).await);
    assert_eq!(world.after(&one, "").await.key(), one.key());
    assert_ne!(other.key(), one.key(), "another session has another one");
    assert!(world.admits(&one, &one.app().code(world.now_step())).await);
    assert!(!world.admits(&other, b"").await, "the user is enrolled");
    assert_eq!(world.first("alice").await.step, Step::prompt(GENERIC, false, None));
}

#[tokio::test]
async fn other_policies_show_nothing() {
    for change in [
        "factor = \"deny\"",
        "methods = [\"sms\", \"recovery\"]",
        "match = { service = [\"login\"] }",
        "match = { user = [\"bob\"] }",
    ] {
        let world = World::new(&format!("{POLICY}{change}\n"));
        let login = world.first("alice").await;
        assert_eq!(login.step, Step::prompt(GENERIC, false, None), "{change}");
        assert!(!world.admits(&login, b"totp").await, "{change}");
    }
}

#[tokio::test]
async fn g18_after_a_reset_the_next_login_enrols() {
    let world = World::new(POLICY);
    let login = world.first("alice").await;
    let old = login.app();
    assert!(world.admits(&login, &old.code(world.now_step())).await);
    let begun = world.first("alice").await;
    world.engine.reset(&root(), "alice").await.unwrap();
    world.clock.advance(STEP_MS);
    assert!(!world.admits(&begun, &old.code(world.now_step())).await, "the old app");
    let login = world.first("alice").await;
    let code = old.code(world.now_step());
    assert!(!world.admits(&login, &code).await, "the old app");
    let login = world.first("alice").await;
    assert!(world.admits(&login, &login.app().code(world.now_step())).await);
    assert_eq!(world.methods("alice").await, ["totp active"]);
    let events: Vec<_> = world.records().await.into_iter().map(|record| record.0).collect();
    assert!(events.contains(&"reset".to_owned()), "{events:?}");
}

#[tokio::test]
async fn the_policy_of_the_answer_counts() {
    let world = World::new(POLICY);
    let login = world.first("alice").await;
    write_configuration(&world.folder.path().join("otpd.toml"), "");
    world.engine.reload().unwrap();
    assert!(!world.admits(&login, &login.app().code(world.now_step())).await);
    assert!(world.is_nobody("alice").await);
    assert_eq!(world.records().await.pop().unwrap().1, "denied");
}

#[tokio::test]
async fn a_locked_user_stays_locked() {
    let world = World::new(&format!("[lockout]\nafter = 1\n{POLICY}"));
    let app = world.active("alice", "hotp").await;
    assert!(!world.granted("alice", &wrong(&app.code(0))).await);
    let (admin, options) = (Authority::Administrator, ChangeOptions::default());
    world.engine.revoke(&root(), admin, "alice", &app.id, options).await.unwrap();
    let login = world.first("alice").await;
    assert!(!world.admits(&login, &login.app().code(world.now_step())).await);
    assert_eq!(world.records().await.pop().unwrap().1, "locked");
    world.clock.advance(60_001);
    let login = world.first("alice").await;
    assert!(world.admits(&login, &login.app().code(world.now_step())).await);
}

#[tokio::test]
async fn g20_the_record_tells_why_and_the_prompt_does_not() {
    let world = World::new(POLICY);
    let mut said = Vec::new();
    for reply in [&b"12345"[..], b"hello", b"1234567"] {
        let login = world.first("alice").await;
        said.push(world.reply(&login, reply).await);
    }
    let login = world.first("alice").await;
    said.push(world.reply(&login, &wrong(&login.app().code(world.now_step()))).await);
    world.active("alice", "totp").await;
    said.push(world.reply(&world.first("alice").await, b"").await);
    said.push(world.reply(&world.first("nobody").await, b"123456").await);
    assert!(said.iter().all(|step| *step == Step::bare(StepKind::Denied)), "{said:?}");
    let results: Vec<_> = world.records().await.into_iter().map(|r| (r.0, r.1)).collect();
    let results: Vec<_> = results.iter().map(|(e, r)| (e.as_str(), r.as_str())).collect();
    let malformed = ("enrol", "malformed");
    let expected = [
        malformed,
        malformed,
        malformed,
        ("enrol", "wrong"),
        ("enrol", "ok"),
        ("login", "malformed"),
        ("login", "unenrolled"),
    ];
    assert_eq!(results, expected);
}

#[tokio::test]
async fn codes_that_are_sent_and_apps_stand_side_by_side() {
    let all = |order: &str| {
        format!("[[policy]]\nname = \"p\"\nunenrolled = \"enrol\"\nenrol = [{order}]\n")
    };
    let office = Office::new(&all("\"totp\", \"sms\", \"email\"")).await;
    office.contact("alice", MOBILE, None).await;
    let login = office.world.first("alice").await;
    assert_eq!(login.step.text(), "First code (or: sms, text, invert): ", "no address");
    let sent = office.world.after(&login, "sms").await;
    assert_eq!(sent.step.text(), "Code sent to +49*****81 (or: resend, totp): ");
    let code = login.app().code(office.world.now_step());
    let back = office.world.after(&login, "totp").await;
    assert_ne!(back.key(), login.key());
    assert!(!office.world.admits(&back, &code).await, "the key of before is gone");
    let again = office.world.first("alice").await;
    assert_eq!(again.step.text(), sent.step.text(), "the message is under way");
    let app = office.world.after(&again, "totp").await;
    assert!(office.world.admits(&app, &app.app().code(office.world.now_step())).await);
    assert_eq!(office.tokens("alice").await, ["totp"], "what nobody has answered goes");

    let office = Office::new(&all("\"email\", \"totp\", \"sms\"")).await;
    office.contact("alice", MOBILE, None).await;
    let login = office.world.first("alice").await;
    assert_eq!(login.step.text(), "First code (or: sms, text, invert): ", "the first that is open");
    office.contact("bob", MOBILE, MAIL).await;
    let sent = office.world.first("bob").await;
    assert_eq!(sent.step.text(), "Code sent to a*****@example.com (or: resend, sms, totp): ");
    let code = office.codes(&office.email, 1).await.remove(0);
    let shown = office.world.after(&sent, "totp").await;
    assert_eq!(shown.step.text(), "First code (or: email, sms, text, invert): ");
    assert!(!office.world.admits(&shown, code.as_bytes()).await, "it is the app's turn");
}

#[tokio::test]
async fn a_token_that_was_never_confirmed_goes() {
    let world = World::new(POLICY);
    let pending = world.enrol("alice", EnrolOptions::default()).await;
    let login = world.first("alice").await;
    assert!(!login.key().is_empty(), "a pending token is none");
    assert!(world.admits(&login, &login.app().code(world.now_step())).await);
    assert_eq!(world.methods("alice").await, ["totp active"]);
    let code = Zeroizing::new(pending.code(world.now_step()));
    let confirmed = world.engine.confirm(&root(), "alice", &pending.id, code).await;
    assert_eq!(confirmed, Err(Error::UnknownToken));
}

#[tokio::test]
async fn nothing_that_is_recorded_or_printed_holds_the_key() {
    let world = World::new(POLICY);
    let login = world.first("alice").await;
    let debugged = format!("{:?}", world.engine.sessions());
    assert!(debugged.contains("Offer(totp)"), "{debugged}");
    let secret = format!("{:?}", login.app().secret.expose());
    assert!(!debugged.contains(&login.key()) && !debugged.contains(&secret));
    let code = login.app().code(world.now_step());
    assert!(world.admits(&login, &code).await);
    let records = format!("{:?}", world.engine.audit(AuditFilter::default()).await.unwrap());
    assert!(!records.contains(&login.key()));
    assert!(!records.contains(std::str::from_utf8(&code).unwrap()));
}

#[tokio::test]
async fn whoever_may_choose_is_shown_a_key_at_once_or_for_the_asking() {
    let choice = |order: &str| {
        let policy = "[[policy]]\nname = \"p\"\nunenrolled = \"enrol\"\nchoice = true\n";
        format!("{policy}enrol = [{order}]\n")
    };
    let usual = "Verification code (or: sms, email): ";
    let office = Office::new(&choice("\"totp\", \"sms\"")).await;
    office.contact("alice", MOBILE, None).await;
    let login = office.world.first("alice").await;
    assert_eq!(login.step.text(), "First code (or: sms, text, invert): ");
    assert_eq!(office.world.first("nobody").await.step.text(), usual, "of no use to anybody");

    let named = "Verification code (or: sms, email, totp): ";
    let office = Office::new(&choice("\"sms\", \"totp\"")).await;
    office.contact("alice", MOBILE, None).await;
    let asked = office.world.first("alice").await;
    for user in ["nobody", "bob", "../x"] {
        assert_eq!(office.world.first(user).await.step, asked.step, "{user}");
    }
    assert_eq!(asked.step.text(), named);
    office.codes(&office.sms, 0).await;
    let shown = office.world.after(&asked, "totp").await;
    assert_eq!(shown.step.text(), "First code (or: sms, text, invert): ");
    assert!(office.world.admits(&shown, &shown.app().code(office.world.now_step())).await);
    let enrolled = office.world.first("alice").await;
    assert_eq!(enrolled.step.text(), named);
    assert_eq!(office.world.after(&enrolled, "totp").await.step.text(), named, "no other key");
    office.codes(&office.sms, 0).await;
    let unknown = office.world.first("nobody").await;
    assert_eq!(office.world.after(&unknown, "totp").await.step.text(), named);
}
