//! Messages that fail, come late or may have come, and logins that change while one is under way.

use std::sync::Mutex;

use otp_core::contact::Channel as Medium;
use otp_delivery::{Answer, Channel, Failure, Message, ProviderId, Receipt};
use tokio::sync::Semaphore;

use super::{
    delivery::{GENERIC, MAIL, MOBILE, Office, POLICY, SENT},
    *,
};

/// A provider that answers as it is told, once it is let go; the last answer stays.
struct Gateway {
    failures: Mutex<Vec<Failure>>,
    gate: Semaphore,
    asked: Mutex<usize>,
}

impl Gateway {
    fn new(failure: Failure, free: usize) -> Arc<Self> {
        let failures = Mutex::new(vec![failure]);
        Arc::new(Self { failures, gate: Semaphore::new(free), asked: Mutex::default() })
    }
}

impl Channel for Gateway {
    fn send<'a>(&'a self, _: &'a Message) -> Pending<'a, Answer> {
        *self.asked.lock().unwrap() += 1;
        Box::pin(async move {
            self.gate.acquire().await.unwrap().forget();
            match self.failures.lock().unwrap().first() {
                Some(failure) => Err(failure.clone()),
                None => Ok(Receipt::default()),
            }
        })
    }
}

impl Office {
    fn put(&self, name: &str, gateway: &Arc<Gateway>) {
        let id = ProviderId { medium: Medium::Sms, name: name.into() };
        self.world.engine.dispatcher.insert(id, Arc::<Gateway>::clone(gateway));
    }

    /// Waits until the outcome of so many messages is in the store.
    async fn settled(&self, count: usize) {
        self.records("send", count).await;
    }
}

fn down() -> Failure {
    Failure::Unavailable("502 Bad Gateway".into())
}

const BOTH: &str = "[provider.sms.backup]\ntype = \"exec\"\npath = \"/bin/true\"\n\
    [[method]]\nname = \"sms\"\nproviders = [\"main\", \"backup\"]\n";

#[tokio::test]
async fn a_code_that_is_asked_for_before_the_others_are_read_goes_out_once() {
    let office = Office::quiet(POLICY);
    office.contact("alice", MOBILE, None).await;
    office.begin("alice").await;
    office.open().await;
    office.settled(1).await;
    // Read again from the disk it would only be found were it not settled.
    assert!(office.world.engine.store.queued().await.unwrap().is_empty());
}

#[tokio::test]
async fn what_may_have_been_sent_stays_good_whatever_the_next_provider_says() {
    let office = Office::new(&format!("{BOTH}{POLICY}")).await;
    office.put("main", &Gateway::new(Failure::Unknown("no answer".into()), 99));
    office.put("backup", &Gateway::new(down(), 99));
    office.contact("alice", MOBILE, None).await;
    office.begin("alice").await;
    office.settled(1).await;
    assert_eq!(office.tokens("alice").await, ["sms"]);
}

#[tokio::test]
async fn failures_count_against_the_budget() {
    for failure in [down(), Failure::Refused("no such number".into())] {
        let office = Office::new(POLICY).await;
        let gateway = Gateway::new(failure, 999);
        office.put("main", &gateway);
        office.contact("alice", MOBILE, None).await;
        for sent in 1..=10 {
            let asked = office.begin("alice").await;
            assert_eq!(asked.text, SENT);
            office.settled(sent).await;
        }
        let spent = "No further code is sent to +49*****81 for now: ";
        for _ in 0..10 {
            assert_eq!(office.begin("alice").await.text, spent);
        }
        assert_eq!(*gateway.asked.lock().unwrap(), 10);
    }
}

#[tokio::test]
async fn a_token_of_before_cannot_be_confirmed_after_the_enrolment_at_the_login() {
    let office = Office::new(&POLICY.replace("\"email\"]", "\"email\", \"totp\"]")).await;
    office.contact("alice", MOBILE, None).await;
    let engine = &office.world.engine;
    let options = EnrolOptions::default();
    let pending = engine.enrol(&user(ALICE), Authority::FirstTime, "alice", options).await.unwrap();
    let app = app(pending);
    let asked = office.begin("alice").await;
    let code = office.codes(&office.sms, 1).await.remove(0);
    assert!(office.granted(&asked, &code).await);
    let code = Zeroizing::new(app.code(office.world.now_step()));
    let confirmed = engine.confirm(&user(ALICE), "alice", &app.id, code).await;
    assert_eq!(confirmed, Err(Error::UnknownToken));
}

#[tokio::test]
async fn the_other_way_of_the_policy_is_open_until_one_is_answered() {
    let office = Office::new(POLICY).await;
    office.contact("alice", MOBILE, MAIL).await;
    let asked = office.begin("alice").await;
    let mailed = "Code sent to a*****@example.com (or: resend, sms): ";
    assert_eq!(office.text_after(&asked, "EMAIL").await, mailed);
    let code = office.codes(&office.email, 1).await.remove(0);
    assert!(office.granted(&asked, &code).await);
    assert_eq!(office.tokens("alice").await, ["sms", "email"]);

    let office = Office::new(POLICY).await;
    office.contact("alice", MOBILE, MAIL).await;
    let asked = office.begin("alice").await;
    let code = office.codes(&office.sms, 1).await.remove(0);
    assert!(office.granted(&asked, &code).await);
    let asked = office.begin("alice").await;
    assert_eq!(asked.text, SENT);
    assert_eq!(office.say(&asked, "email").await, Step::bare(StepKind::Denied));
}

#[tokio::test]
async fn a_method_is_chosen_whatever_the_case_of_its_name() {
    let post = "[[method]]\nname = \"Post\"\ntype = \"email\"\ndirectories = [\"local\"]\n";
    let office = Office::new(&format!("{post}{POLICY}")).await;
    office.contact("alice", MOBILE, MAIL).await;
    office.world.active("alice", "totp").await;
    office.own("alice", Medium::Email).await;
    let rename = |work: &mut crate::store::Work<'_>| {
        work.account.as_mut().unwrap().tokens[1].method = "Post".into();
    };
    office.world.engine.transact("alice", rename).await.unwrap();
    for word in ["Post", "post", "POST"] {
        let asked = office.begin("alice").await;
        let sent = "Code sent to a*****@example.com (or: resend, totp): ";
        assert_eq!(office.text_after(&asked, word).await, sent);
    }
}

#[tokio::test]
async fn a_token_that_was_disabled_meanwhile_stays_so() {
    let office = Office::new(POLICY).await;
    let gateway = Gateway::new(down(), 0);
    office.put("main", &gateway);
    office.contact("alice", MOBILE, MAIL).await;
    office.begin("alice").await;
    let filter = TokenFilter { user: Some("alice".into()), ..TokenFilter::default() };
    let engine = &office.world.engine;
    let id = engine.tokens(filter).await.unwrap().0.remove(0).id;
    let (admin, options) = (Authority::Administrator, ChangeOptions::default());
    engine.disable(&root(), admin, "alice", &id, options).await.unwrap();
    gateway.gate.add_permits(1);
    office.settled(1).await;
    assert_eq!(office.tokens("alice").await, ["sms"]);
    assert_eq!(office.begin("alice").await.text, GENERIC);
}

#[tokio::test]
async fn two_messages_that_fail_leave_no_token() {
    let office = Office::new(POLICY).await;
    let gateway = Gateway::new(down(), 0);
    office.put("main", &gateway);
    office.contact("alice", MOBILE, None).await;
    let asked = office.begin("alice").await;
    office.world.clock.advance(30_000);
    office.text_after(&asked, "resend").await;
    gateway.gate.add_permits(2);
    office.settled(2).await;
    assert!(office.tokens("alice").await.is_empty());
}

#[tokio::test]
async fn nothing_is_sent_before_the_password_where_the_field_is_not_allowed() {
    let office = Office::new(&POLICY.replace("concatenate = true", "")).await;
    office.contact("alice", MOBILE, None).await;
    let field = Context { concatenated: Some(true), ..sshd() };
    let asked = office.begin_with("alice", field).await;
    assert_eq!(asked.text, GENERIC);
    assert_eq!(office.say(&asked, "sms").await, Step::bare(StepKind::Denied));
    assert!(office.tokens("alice").await.is_empty());
}

#[tokio::test]
async fn a_lock_does_not_show_where_the_budget_is_spent() {
    let limits = "[lockout]\nafter = 1\n[budget]\nper_user = 1\nresend = \"10s\"";
    let office = Office::new(&format!("{POLICY}{limits}")).await;
    office.contact("alice", MOBILE, None).await;
    office.begin("alice").await;
    let code = office.codes(&office.sms, 1).await.remove(0);
    office.world.clock.advance(10_000);
    let before = office.begin("alice").await;
    let bad = String::from_utf8(wrong(code.as_bytes())).unwrap();
    assert!(!office.granted(&before, &bad).await);
    assert_eq!(office.begin("alice").await.text, before.text);
}

#[tokio::test]
async fn a_login_that_finds_no_room_is_sent_nothing() {
    let office = Office::new(&format!("{POLICY}[limits]\nsessions = 2\n")).await;
    office.contact("alice", MOBILE, None).await;
    for _ in 0..2 {
        office.begin("bob").await;
    }
    let full = office.world.engine.begin(&root(), "alice", sshd()).await;
    assert!(matches!(full, Err(Error::Busy(_))), "{full:?}");
    assert!(office.tokens("alice").await.is_empty());
}

#[tokio::test]
async fn what_an_earlier_run_may_have_sent_is_not_taken_back() {
    let office = Office::new(POLICY).await;
    office.contact("alice", MOBILE, None).await;
    office.put("main", &Gateway::new(down(), 0));
    office.begin("alice").await;
    let Office { world: World { engine, clock, folder }, .. } = office;
    // Killed while the gateway has the message: nothing of it is tidied up.
    std::mem::forget(engine);
    let world = World::open(folder, clock, Arc::new(Three));
    let office = Office { world, sms: Arc::default(), email: Arc::default() };
    office.sms.down.store(true, std::sync::atomic::Ordering::SeqCst);
    office.open().await;
    office.settled(1).await;
    assert_eq!(office.tokens("alice").await, ["sms"]);
}

#[tokio::test]
async fn a_number_that_is_refused_is_no_problem_of_the_daemon() {
    let office = Office::new(POLICY).await;
    office.put("main", &Gateway::new(Failure::Refused("no such number".into()), 9));
    office.contact("alice", MOBILE, None).await;
    office.begin("alice").await;
    office.settled(1).await;
    assert_eq!(office.world.engine.problems(), Vec::<String>::new());
    assert!(office.tokens("alice").await.is_empty());
}

#[tokio::test]
async fn a_connection_that_left_while_its_login_began_keeps_no_session() {
    let office = Office::new(POLICY).await;
    office.contact("alice", MOBILE, None).await;
    let engine = Arc::clone(&office.world.engine);
    let begun = tokio::spawn(async move { engine.begin(&root(), "alice", sshd()).await });
    tokio::task::yield_now().await;
    office.world.engine.leave(&root().connection);
    begun.await.unwrap().unwrap();
    assert_eq!(office.world.engine.waiting(), 0);
}

#[tokio::test]
async fn the_one_field_is_split_by_what_is_accepted_there() {
    let office = Office::new(&format!("[[method]]\nname = \"totp\"\ndigits = 8\n{POLICY}")).await;
    let field = || Context { concatenated: Some(true), ..sshd() };
    assert_eq!(office.begin_with("alice", field()).await.split, Some(6), "as the policy enrols");
    office.world.active("alice", "totp").await;
    office.contact("alice", MOBILE, None).await;
    office.own("alice", Medium::Sms).await;
    assert_eq!(office.begin_with("alice", field()).await.split, Some(8));
    let only = Context { method: Some("sms".into()), ..field() };
    assert_eq!(office.begin_with("alice", only).await.split, Some(6));
}
