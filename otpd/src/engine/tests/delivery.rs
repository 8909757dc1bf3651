//! Codes that are delivered, through a channel of the test's own.

use std::sync::{Mutex, atomic::AtomicBool, atomic::Ordering};

use otp_core::{
    contact::{Channel as Medium, Contacts, MailAddress, PhoneNumber},
    enrolment::{self, NewToken},
    token::Factor,
};
use otp_delivery::{Answer, Channel, Failure, Message, ProviderId, Receipt};

use super::*;

/// A provider that keeps what it is given, or is down.
#[derive(Default)]
pub(super) struct Post {
    pub(super) taken: Mutex<Vec<Message>>,
    pub(super) down: AtomicBool,
}

impl Channel for Post {
    fn send<'a>(&'a self, message: &'a Message) -> Pending<'a, Answer> {
        let down = self.down.load(Ordering::SeqCst);
        if !down {
            self.taken.lock().unwrap().push(message.clone());
        }
        let gone = Failure::Unavailable("the line is cut".into());
        Box::pin(async move { if down { Err(gone) } else { Ok(Receipt::default()) } })
    }
}

/// What a login was asked.
pub(super) struct Asked {
    pub(super) session: String,
    pub(super) text: String,
    pub(super) split: Option<u32>,
}

pub(super) struct Office {
    pub(super) world: World,
    pub(super) sms: Arc<Post>,
    pub(super) email: Arc<Post>,
}

pub(super) const POLICY: &str = "[[policy]]\nname = \"by sms\"\nunenrolled = \"enrol\"\n\
    enrol = [\"sms\", \"email\"]\nconcatenate = true\n";

impl Office {
    pub(super) async fn new(policy: &str) -> Self {
        let office = Self::quiet(policy);
        office.open().await;
        office
    }

    /// Nothing is sent yet.
    pub(super) fn quiet(policy: &str) -> Self {
        let world = World::new(&format!("{PROVIDERS}{policy}"));
        Self { world, sms: Arc::default(), email: Arc::default() }
    }

    /// Puts the channels in and carries messages, as the daemon does when it starts.
    pub(super) async fn open(&self) {
        let id = |medium| ProviderId { medium, name: "main".into() };
        let dispatcher = &self.world.engine.dispatcher;
        dispatcher.insert(id(Medium::Sms), Arc::<Post>::clone(&self.sms));
        dispatcher.insert(id(Medium::Email), Arc::<Post>::clone(&self.email));
        self.world.engine.post_messages_left().await;
        tokio::spawn(Arc::clone(&self.world.engine).carry_messages());
    }

    pub(super) async fn contact(&self, user: &str, mobile: Option<&str>, mail: Option<&str>) {
        let mobile = mobile.map(|number| PhoneNumber::parse(number, None).unwrap());
        let mail = mail.map(|address| MailAddress::parse(address).unwrap());
        let set = move |work: &mut crate::store::Work<'_>| {
            let account = work.account.get_or_insert_with(Default::default);
            account.contacts = Contacts { mobile, mail };
        };
        self.world.engine.transact(user, set).await.unwrap();
    }

    /// Gives the user a token whose codes are delivered.
    pub(super) async fn own(&self, user: &str, medium: Medium) {
        let add = move |work: &mut crate::store::Work<'_>| {
            let account = work.account.as_mut().unwrap();
            let key = Zeroizing::new(medium.name().repeat(8).into_bytes());
            let new = NewToken {
                id: crate::engine::random_id().unwrap(),
                label: String::new(),
                method: medium.name().to_owned(),
                factor: Factor::OutOfBand(medium),
                algorithm: Algorithm::Sha256,
                digits: 6,
                secret: Secret::new(key).unwrap(),
                pending_until_ms: None,
                share: false,
                expires_ms: None,
            };
            enrolment::begin(account, new, START_MS).unwrap();
        };
        self.world.engine.transact(user, add).await.unwrap();
    }

    pub(super) async fn begin_with(&self, user: &str, context: Context) -> Asked {
        let (session, step) = self.world.engine.begin(&root(), user, context).await.unwrap();
        assert_eq!(step.kind(), Some(StepKind::Prompt));
        Asked { session, text: step.text().to_owned(), split: step.split() }
    }

    pub(super) async fn begin(&self, user: &str) -> Asked {
        self.begin_with(user, sshd()).await
    }

    pub(super) async fn say(&self, asked: &Asked, word: &str) -> Step {
        let reply = Zeroizing::new(word.as_bytes().to_vec());
        self.world.engine.respond(&root(), &asked.session, reply).await.unwrap()
    }

    /// The text of the prompt that follows a word.
    pub(super) async fn text_after(&self, asked: &Asked, word: &str) -> String {
        let step = self.say(asked, word).await;
        assert_eq!(step.kind(), Some(StepKind::Prompt), "{word}");
        step.text().to_owned()
    }

    pub(super) async fn granted(&self, asked: &Asked, code: &str) -> bool {
        self.say(asked, code).await.kind() == Some(StepKind::Granted)
    }

    /// The codes that have arrived, once there are so many.
    pub(super) async fn codes(&self, post: &Post, count: usize) -> Vec<String> {
        for _ in 0..2000 {
            let taken: Vec<_> = post.taken.lock().unwrap().clone();
            if taken.len() >= count {
                assert_eq!(taken.len(), count);
                return taken.iter().map(|message| message.code.expose().to_owned()).collect();
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        panic!("no {count} messages");
    }

    /// Results of the records of one kind, once there are so many.
    pub(super) async fn records(&self, event: &str, count: usize) -> Vec<(String, String)> {
        for _ in 0..2000 {
            let all = self.world.engine.audit(AuditFilter::default()).await.unwrap();
            let of = all.into_iter().filter(|record| record.event == event);
            let of: Vec<_> =
                of.map(|record| (record.result, record.detail.unwrap_or_default())).collect();
            if of.len() >= count {
                return of;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        panic!("no {count} records of {event}");
    }

    pub(super) async fn tokens(&self, user: &str) -> Vec<String> {
        let filter = TokenFilter { user: Some(user.into()), ..TokenFilter::default() };
        let (tokens, _) = self.world.engine.tokens(filter).await.unwrap();
        tokens.into_iter().map(|token| token.kind).collect()
    }
}

/// Two providers, in whose places the tests' own are put.
pub(super) const PROVIDERS: &str = "[provider.sms.main]\ntype = \"exec\"\npath = \"/bin/true\"\n\
    [provider.email.main]\ntype = \"exec\"\npath = \"/bin/true\"\n";
pub(super) const MOBILE: Option<&str> = Some("+491701234581");
pub(super) const MAIL: Option<&str> = Some("alice@example.com");
pub(super) const SENT: &str = "Code sent to +49*****81 (or: resend): ";
pub(super) const GENERIC: &str = "Verification code: ";

#[tokio::test]
async fn the_first_login_enrols_and_its_code_logs_in_once() {
    let office = Office::new(POLICY).await;
    office.contact("alice", MOBILE, MAIL).await;
    let first = office.begin("alice").await;
    assert_eq!(first.text, "Code sent to +49*****81 (or: resend, email): ");
    assert_eq!(office.tokens("alice").await, ["sms"]);
    let [code] = &office.codes(&office.sms, 1).await[..] else { panic!() };
    assert!(office.granted(&first, code).await);
    let second = office.begin("alice").await;
    assert_eq!(second.text, SENT, "after a success the next login is sent its own at once");
    assert!(!office.granted(&second, code).await);
    let codes = office.codes(&office.sms, 2).await;
    let third = office.begin("alice").await;
    assert!(office.granted(&third, &codes[1]).await);
    assert_eq!(office.records("enrol", 1).await[0].0, "ok");
    let sent = office.records("send", 2).await;
    assert_eq!(sent[0], ("ok".into(), "to +49*****81: taken by sms.main".into()));
    assert_eq!(office.world.results().await, ["ok", "wrong", "ok"]);
}

#[tokio::test]
async fn what_is_sent_says_what_for() {
    let office = Office::new(POLICY).await;
    office.contact("alice", None, MAIL).await;
    let from = |source: &str| Context { rhost: Some(source.into()), ..sshd() };
    let asked = office.begin_with("alice", from("192.0.2.7\r\nBcc: eve@example.com")).await;
    assert_eq!(asked.text, "Code sent to a*****@example.com (or: resend): ");
    let code = office.codes(&office.email, 1).await.remove(0);
    let message = office.email.taken.lock().unwrap()[0].clone();
    assert_eq!(message.subject.expose(), "Your code for host");
    let text = message.text.expose();
    assert!(text.starts_with(&format!("{code} is your code for sshd on host.\n")), "{text}");
    assert!(text.contains("from 192.0.2.7") && !text.contains('\r'), "{text}");
    assert_eq!(message.until_ms, START_MS + 600_000);
}

#[tokio::test]
async fn nobody_is_enrolled_who_cannot_be_reached() {
    let office = Office::new(POLICY).await;
    for user in ["alice", "nobody", "ALICE", "../x"] {
        let asked = office.begin(user).await;
        assert_eq!(asked.text, GENERIC, "{user}");
        assert!(!office.granted(&asked, "123456").await);
        assert!(office.tokens(user).await.is_empty());
    }
    office.contact("ALICE", MOBILE, None).await;
    assert_eq!(office.begin("ALICE").await.text, GENERIC, "another spelling of alice");
    assert!(office.tokens("ALICE").await.is_empty());
    let refused = office.records("enrol", 1).await;
    assert_eq!(refused[0].0, "denied");
    assert!(refused[0].1.contains("otpctl user set"), "{refused:?}");
    let barred = Office::new(&format!("{POLICY}[budget]\ncountries = [\"+1\"]")).await;
    barred.contact("alice", MOBILE, None).await;
    assert_eq!(barred.begin("alice").await.text, GENERIC);
    assert_eq!(barred.records("challenge", 0).await, []);
}

#[tokio::test]
async fn one_prompt_or_five_hundred_are_one_message() {
    let office = Arc::new(Office::new(POLICY).await);
    office.contact("alice", MOBILE, None).await;
    let prompts = (0..500).map(|_| {
        let office = Arc::clone(&office);
        tokio::spawn(async move { office.begin("alice").await.text })
    });
    for prompt in prompts.collect::<Vec<_>>() {
        assert_eq!(prompt.await.unwrap(), SENT);
    }
    assert_eq!(office.records("challenge", 1).await.len(), 1);
    assert_eq!(office.codes(&office.sms, 1).await.len(), 1);
}

#[tokio::test]
async fn another_code_is_sent_after_a_while_and_the_first_one_stays_good() {
    let office = Office::new(POLICY).await;
    office.contact("alice", MOBILE, None).await;
    let asked = office.begin("alice").await;
    assert_eq!(office.text_after(&asked, "resend").await, SENT);
    office.codes(&office.sms, 1).await;
    office.world.clock.advance(30_000);
    assert_eq!(office.text_after(&asked, " RESEND\r\n").await, SENT);
    let codes = office.codes(&office.sms, 2).await;
    assert!(office.granted(&asked, &codes[0]).await);
    let again = office.begin("alice").await;
    assert!(!office.granted(&again, &codes[1]).await, "a success voids all");
}

#[tokio::test]
async fn a_code_expires_and_its_fourth_try_is_refused() {
    let office = Office::new(POLICY).await;
    office.contact("alice", MOBILE, None).await;
    let asked = office.begin("alice").await;
    let code = office.codes(&office.sms, 1).await.remove(0);
    office.world.clock.set(START_MS + 300_000);
    assert!(!office.granted(&asked, &code).await);
    office.begin("alice").await;
    let code = office.codes(&office.sms, 2).await.remove(1);
    let bad = String::from_utf8(wrong(code.as_bytes())).unwrap();
    for _ in 0..3 {
        assert!(!office.granted(&office.begin("alice").await, &bad).await);
    }
    assert!(!office.granted(&office.begin("alice").await, &code).await);
    assert_eq!(office.records("challenge", 2).await.len(), 2);
}

#[tokio::test]
async fn who_has_an_app_is_sent_a_code_when_they_ask_for_it() {
    let office = Office::new(POLICY).await;
    let app = office.world.active("alice", "totp").await;
    office.contact("alice", MOBILE, MAIL).await;
    for medium in [Medium::Sms, Medium::Email] {
        office.own("alice", medium).await;
    }
    let asked = office.begin("alice").await;
    assert_eq!(asked.text, GENERIC);
    let sent = office.text_after(&asked, "sms").await;
    assert_eq!(sent, "Code sent to +49*****81 (or: resend, totp, email): ");
    let mailed = office.text_after(&asked, "Email").await;
    assert_eq!(mailed, "Code sent to a*****@example.com (or: resend, totp, sms): ");
    assert_eq!(office.text_after(&asked, "totp").await, GENERIC);
    let code = app.code(office.world.now_step());
    assert!(office.granted(&asked, std::str::from_utf8(&code).unwrap()).await);

    let other = office.begin("alice").await;
    for unknown in ["hotp", "recovery", "voice", "resend", ""] {
        let asked = office.begin("alice").await;
        assert_eq!(office.say(&asked, unknown).await, Step::bare(StepKind::Denied), "{unknown}");
    }
    let engine = &office.world.engine;
    let selected = engine.select(&root(), &other.session, "sms").await.unwrap();
    assert_eq!(selected.text(), "Code sent to +49*****81 (or: resend, totp, email): ");
    assert_eq!(engine.resend(&root(), &other.session).await.unwrap().text(), selected.text());
    assert!(engine.select(&root(), &other.session, "voice").await.is_err());
    assert!(engine.select(&user(ALICE), &other.session, "sms").await.is_err());
}

#[tokio::test]
async fn words_come_to_an_end() {
    let office = Office::new(POLICY).await;
    office.contact("alice", MOBILE, None).await;
    let asked = office.begin("alice").await;
    for _ in 0..12 {
        assert_eq!(office.text_after(&asked, "").await, SENT);
    }
    assert_eq!(office.say(&asked, "").await, Step::bare(StepKind::Denied));
}

#[tokio::test]
async fn a_message_that_cannot_be_sent_is_told_and_leaves_nothing() {
    let office = Office::new(POLICY).await;
    office.contact("alice", MOBILE, MAIL).await;
    office.sms.down.store(true, Ordering::SeqCst);
    let asked = office.begin("alice").await;
    assert_eq!(asked.text, "Code sent to +49*****81 (or: resend, email): ");
    let failed = office.records("send", 1).await;
    assert_eq!(failed[0].0, "unavailable");
    assert!(failed[0].1.contains("sms.main: not sent: the line is cut"), "{failed:?}");
    let told = office.text_after(&asked, "").await;
    assert_eq!(told, "No code could be sent to +49*****81 (or: resend, email): ");
    assert!(office.tokens("alice").await.is_empty(), "the token was made for this message");
    assert!(office.world.engine.problems()[0].starts_with("delivery by sms: sms.main: not sent"));
    // The provider rests now, so the next login goes the other way.
    let other = office.begin("alice").await;
    assert_eq!(other.text, "Code sent to a*****@example.com (or: resend, sms): ");
    let code = office.codes(&office.email, 1).await.remove(0);
    assert!(office.granted(&other, &code).await);
    assert_eq!(office.tokens("alice").await, ["email"]);
    office.records("send", 2).await;
    assert_eq!(office.world.engine.problems().len(), 1, "e-mail says nothing about SMS");
}

#[tokio::test]
async fn budgets_hold_across_users_and_restarts() {
    let office = Office::new(&format!(
        "{POLICY}[budget]\nper_user = 2\nper_recipient = 3\nresend = \"10s\""
    ))
    .await;
    office.contact("alice", MOBILE, None).await;
    office.contact("bob", MOBILE, None).await;
    for _ in 0..2 {
        assert_eq!(office.begin("alice").await.text, SENT);
        office.world.clock.advance(10_000);
    }
    let spent = "No further code is sent to +49*****81 for now: ";
    let asked = office.begin("alice").await;
    assert_eq!(asked.text, spent);
    let codes = office.codes(&office.sms, 2).await;
    assert!(office.granted(&asked, &codes[1]).await, "what was sent stays good");
    assert_eq!(office.begin("bob").await.text, SENT);
    office.world.clock.advance(10_000);
    assert_eq!(office.begin("bob").await.text, spent, "three messages to one number");
    office.world.engine.reset(&root(), "alice").await.unwrap();
    office.contact("alice", MOBILE, None).await;
    assert_eq!(office.begin("alice").await.text, spent, "a reset refills nothing");
    office.world.clock.advance(3_600_000);
    assert_eq!(office.begin("alice").await.text, SENT);
}

#[tokio::test]
async fn a_locked_user_is_sent_nothing_and_told_nothing() {
    let office = Office::new(&format!("{POLICY}[lockout]\nafter = 1")).await;
    office.contact("alice", MOBILE, None).await;
    let asked = office.begin("alice").await;
    let code = office.codes(&office.sms, 1).await.remove(0);
    let bad = String::from_utf8(wrong(code.as_bytes())).unwrap();
    assert!(!office.granted(&asked, &bad).await);
    office.world.clock.advance(40_000);
    let asked = office.begin("alice").await;
    assert_eq!(asked.text, SENT);
    assert_eq!(office.text_after(&asked, "resend").await, SENT);
    assert!(!office.granted(&asked, &code).await);
    assert_eq!(office.records("challenge", 1).await.len(), 1);
}

#[tokio::test]
async fn a_program_with_one_field_gets_its_code_for_the_second_try() {
    let office = Office::new(POLICY).await;
    office.contact("alice", MOBILE, None).await;
    let field = || Context { concatenated: Some(true), ..sshd() };
    let asked = office.begin_with("alice", field()).await;
    assert_eq!((asked.text.as_str(), asked.split), (GENERIC, Some(6)));
    assert!(office.tokens("alice").await.is_empty(), "the password was not checked yet");
    let later = Context { mode: Some("challenge".into()), ..sshd() };
    let (session, step) = office.world.engine.begin(&root(), "alice", later.clone()).await.unwrap();
    assert_eq!(session, "");
    let told = "Code sent to +49*****81: log in again with the password and the code in one field.";
    assert_eq!(step.text(), told);
    let code = office.codes(&office.sms, 1).await.remove(0);
    let asked = office.begin_with("alice", field()).await;
    assert!(office.granted(&asked, &code).await);
    let (_, step) = office.world.engine.begin(&root(), "nobody", later).await.unwrap();
    assert_eq!(
        step.text(),
        "A code is needed: log in again with the password and the code in one field."
    );
}

#[tokio::test]
async fn what_was_queued_is_sent_after_a_restart_while_it_is_worth_something() {
    let quiet = Office::quiet(POLICY);
    quiet.contact("alice", MOBILE, None).await;
    quiet.contact("bob", Some("+491701234582"), None).await;
    quiet.begin("bob").await;
    quiet.world.clock.advance(300_000);
    quiet.begin("alice").await;
    let world = quiet.world.restarted();
    let office = Office { world, sms: Arc::default(), email: Arc::default() };
    office.open().await;
    let code = office.codes(&office.sms, 1).await.remove(0);
    let sent = office.records("send", 2).await;
    let late = |(result, detail): &(String, String)| {
        result == "unavailable" && detail.contains("+49*****82")
    };
    assert!(sent.iter().any(late), "{sent:?}");
    assert!(office.granted(&office.begin("alice").await, &code).await);
}
