//! Where codes go, tokens of delivered codes, and the providers.

use std::sync::Mutex;

use otp_core::{
    code::Digits,
    contact::{Channel as Medium, PhoneNumber},
    out_of_band::{self, Terms},
};
use otp_delivery::{Answer, Channel, Failure, Message, Pending as Sending, ProviderId, Receipt};
use otp_ipc::{AuditRecord, ContactOptions, UserDocument, UserFilter};

use super::*;

const NUMBER: &str = "+491701234581";
const ADDRESS: &str = "alice@example.com";

fn contact(mobile: &str, mail: &str) -> ContactOptions {
    // "-" leaves it as it is.
    let wish = |text: &str| (text != "-").then(|| text.to_owned());
    ContactOptions { mobile: wish(mobile), mail: wish(mail), country: None, uid: None }
}

impl World {
    async fn contact(&self, mobile: &str, mail: &str) -> Result<(), Error> {
        self.engine.set_contact(&root(), "alice", contact(mobile, mail)).await
    }

    async fn shown(&self, name: &str) -> UserDocument {
        let filter = UserFilter { user: Some(name.into()), ..UserFilter::default() };
        self.engine.users(filter).await.unwrap().0.remove(0)
    }

    async fn recorded(&self, event: &str) -> Vec<AuditRecord> {
        let records = self.engine.audit(AuditFilter::default()).await.unwrap();
        records.into_iter().filter(|record| record.event == event).collect()
    }

    async fn add(&self, authority: Authority, method: &str) -> Result<String, Error> {
        let options = EnrolOptions { method: Some(method.into()), ..EnrolOptions::default() };
        let (id, uri) = self.engine.enrol(&user(ALICE), authority, "alice", options).await?;
        assert!(uri.is_empty(), "there is no secret to tell");
        Ok(id)
    }

    /// Tokens that a challenge is open for.
    async fn challenged(&self) -> Vec<String> {
        let list = |work: &mut crate::store::Work<'_>| {
            let account = work.account.as_ref().unwrap();
            account.challenges.iter().map(|challenge| challenge.token.clone()).collect()
        };
        self.engine.transact("alice", list).await.unwrap()
    }

    fn provider(&self, name: &str, answer: Answer) -> Arc<Recorder> {
        let recorder = Arc::new(Recorder { answer, sent: Mutex::default() });
        let id = ProviderId { medium: Medium::Sms, name: name.into() };
        self.engine.dispatcher.insert(id, Arc::<Recorder>::clone(&recorder));
        recorder
    }
}

/// A provider that answers always the same and keeps what it is given.
struct Recorder {
    answer: Answer,
    sent: Mutex<Vec<Message>>,
}

impl Channel for Recorder {
    fn send<'a>(&'a self, message: &'a Message) -> Sending<'a, Answer> {
        self.sent.lock().unwrap().push(message.clone());
        Box::pin(async { self.answer.clone() })
    }
}

#[tokio::test]
async fn a_contact_is_kept_shown_masked_and_removed() {
    let world = World::new("");
    world.contact("+49 170 1234581", "-").await.unwrap();
    let shown = world.shown("alice").await;
    assert_eq!((shown.mobile.as_deref(), shown.mail), (Some("+49*****81"), None));
    assert_eq!((shown.uid, shown.tokens), (Some(ALICE), 0));
    assert!(!world.engine.enrolled("alice").await.unwrap(), "an account without a token");
    world.contact("-", ADDRESS).await.unwrap();
    let shown = world.shown("alice").await;
    assert_eq!(shown.mobile.as_deref(), Some("+49*****81"));
    assert_eq!(shown.mail.as_deref(), Some("a*****@example.com"));
    let (listed, _) = world.engine.users(UserFilter::default()).await.unwrap();
    assert_eq!((&listed[0].mobile, &listed[0].mail), (&None, &None), "only one by one");
    world.contact("", "-").await.unwrap();
    let shown = world.shown("alice").await;
    assert_eq!((shown.mobile, shown.mail.as_deref()), (None, Some("a*****@example.com")));
    let records = world.recorded("contact").await;
    let details: Vec<_> = records.iter().map(|record| record.detail.as_deref().unwrap()).collect();
    assert_eq!(details, ["mobile +49*****81", "mail a*****@example.com", "mobile removed"]);
    assert!(records.iter().all(|record| record.user == "alice" && record.result == "ok"));
}

#[tokio::test]
async fn what_is_no_contact_is_refused_with_what_is_allowed() {
    let world = World::new("[budget]\ncountries = [\"+49\", \"+4366\"]");
    let mut national = contact("0170 1234581", "-");
    national.country = Some("49".into());
    world.engine.set_contact(&root(), "alice", national).await.unwrap();
    let before = world.shown("alice").await;
    for (mobile, mail, told) in [
        ("+49170CALLME", "-", "7 to 15 digits"),
        ("+49170", "-", "7 to 15 digits"),
        ("+49170123458112345", "-", "7 to 15 digits"),
        ("0170 1234581", "-", "the country code"),
        ("+12025550143", "-", "allowed are numbers that begin with +49, +4366"),
        ("+4367012345", "-", "allowed are numbers that begin with +49, +4366"),
        ("-", "alice", "local@domain"),
        ("-", "a@example.com\r\nBcc: eve@example.com", "local@domain"),
        (NUMBER, "alice", "local@domain"),
        ("-", "-", "give mobile or mail"),
    ] {
        match world.contact(mobile, mail).await {
            Err(Error::InvalidArgument(why)) => {
                assert!(why.contains(told), "{mobile} {mail}: {why}");
                assert!(!why.contains("5550143") && !why.contains("eve"), "{why}");
            }
            other => panic!("{mobile} {mail}: {other:?}"),
        }
    }
    for country in ["+49", "0", "4949", "", "4a"] {
        let mut wrong = contact("0170 1234581", "-");
        wrong.country = Some(country.into());
        let refused = world.engine.set_contact(&root(), "alice", wrong).await;
        assert!(matches!(refused, Err(Error::InvalidArgument(_))), "{country}: {refused:?}");
    }
    assert_eq!(world.shown("alice").await, before);
    for (name, refused) in [
        ("nobody", Error::UnknownUser("nobody".into())),
        ("Alice", Error::InvalidArgument("user: the account is called alice".into())),
    ] {
        let set = world.engine.set_contact(&root(), name, contact(NUMBER, "-")).await;
        assert_eq!(set, Err(refused), "{name}");
    }
}

#[tokio::test]
async fn codes_on_their_way_to_what_is_replaced_are_good_no_longer() {
    let world = World::new("");
    world.contact(NUMBER, ADDRESS).await.unwrap();
    let sms = world.add(Authority::Administrator, "sms").await.unwrap();
    let email = world.add(Authority::Administrator, "email").await.unwrap();
    let (ids, now_ms) = ([sms.clone(), email.clone()], world.engine.now_ms());
    let challenge = move |work: &mut crate::store::Work<'_>| {
        let account = work.account.as_mut().unwrap();
        let terms = Terms { validity_ms: 300_000, tries: 3, resend_ms: 30_000 };
        for id in &ids {
            let code = Digits::random(&[7; 16], 6);
            out_of_band::challenge(account, id, "sshd", &code, terms, now_ms).unwrap();
        }
    };
    world.engine.transact("alice", challenge).await.unwrap();
    world.contact(NUMBER, ADDRESS).await.unwrap();
    assert_eq!(world.challenged().await, [sms, email.clone()], "the same as before");
    world.contact("+491701234582", ADDRESS).await.unwrap();
    assert_eq!(world.challenged().await, [email]);
    world.contact("-", "").await.unwrap();
    assert_eq!(world.challenged().await, [""; 0]);
}

#[tokio::test]
async fn a_token_of_delivered_codes_is_an_administrators_to_make() {
    let world = World::new("[[policy]]\nname = \"own\"\nenrol = [\"totp\", \"sms\"]");
    for (method, todo) in [("sms", "mobile=…"), ("email", "mail=…")] {
        match world.add(Authority::Administrator, method).await {
            Err(Error::NoCredential(why)) => assert!(why.contains(todo), "{why}"),
            other => panic!("{method}: {other:?}"),
        }
    }
    world.contact(NUMBER, ADDRESS).await.unwrap();
    for authority in [Authority::Owner, Authority::FirstTime] {
        let refused = world.add(authority, "sms").await;
        assert!(matches!(refused, Err(Error::Forbidden(_))), "{authority:?}: {refused:?}");
    }
    for method in ["sms", "email"] {
        let id = world.add(Authority::Administrator, method).await.unwrap();
        let filter = TokenFilter { id: Some(id), ..TokenFilter::default() };
        let token = world.engine.tokens(filter).await.unwrap().0.remove(0);
        assert_eq!((token.kind.as_str(), token.state.as_str()), (method, "active"));
        assert_eq!(token.period_ms, None);
        let again = world.add(Authority::Administrator, method).await;
        assert!(matches!(again, Err(Error::WrongState(_))), "{again:?}");
    }
    assert!(world.engine.enrolled("alice").await.unwrap());
}

#[test]
fn what_an_administrator_has_set_comes_before_what_a_directory_knows() {
    let number = |text| Some(PhoneNumber::parse(text, None).unwrap());
    let known = Contacts { mobile: number(NUMBER), mail: None };
    let none = Contacts::default();
    let set = Contacts { mobile: number("+4915112345"), mail: None };
    for (set, known, mobile) in [
        (&none, &known, &known.mobile),
        (&set, &known, &set.mobile),
        (&set, &none, &set.mobile),
        (&none, &none, &None),
    ] {
        assert_eq!(&super::super::contact::in_force(set, known).mobile, mobile);
    }
}

#[tokio::test]
async fn a_provider_is_tried_and_the_try_recorded_without_its_code() {
    let world = World::new("[budget]\ncountries = [\"+49\"]");
    let receipt = Receipt { id: Some("7".into()), reply: "ID: 7".into() };
    let good = world.provider("good", Ok(receipt));
    let bad = world.provider("bad", Err(Failure::Unavailable("status 500".into())));
    let report = world.engine.test_provider(&root(), "sms.good", NUMBER).await.unwrap();
    assert_eq!((report.sent, report.reply.as_str()), (true, "ID: 7"));
    assert_eq!((report.to.as_str(), report.id.as_deref()), ("+49*****81", Some("7")));
    let report = world.engine.test_provider(&root(), "sms.bad", NUMBER).await.unwrap();
    assert_eq!((report.sent, report.reply.as_str()), (false, "not sent: status 500"));
    let sent: Vec<_> = [good, bad].iter().map(|p| p.sent.lock().unwrap().remove(0)).collect();
    assert_ne!(sent[0].code, sent[1].code, "a code for each");
    let records = world.recorded("test").await;
    let shown: Vec<_> =
        records.iter().map(|r| (r.result.as_str(), r.detail.as_deref().unwrap())).collect();
    assert_eq!(
        shown,
        [
            ("ok", "sms.good to +49*****81: ID: 7"),
            ("unavailable", "sms.bad to +49*****81: not sent: status 500"),
        ]
    );
    for message in &sent {
        let code = message.code.expose();
        assert!(message.text.expose().contains(code) && message.text.expose().contains("test"));
        let told = format!("{records:?}");
        assert!(!told.contains(code) && !told.contains("1701234581"), "{told}");
    }
    let providers = world.engine.providers();
    let states: Vec<_> =
        providers.iter().map(|p| (p.id.as_str(), p.state.as_str(), p.order)).collect();
    assert_eq!(states, [("sms.bad", "resting", None), ("sms.good", "ready", None)]);
    assert!(providers[0].resting_until > Some(START_MS));
    assert_eq!(providers[0].last_failure.as_deref(), Some("status 500"));
    for (provider, to, told) in [
        ("sms.nobody", NUMBER, "configured: sms.bad, sms.good"),
        ("good", NUMBER, "configured: sms.bad, sms.good"),
        ("sms.good", "+12025550143", "begin with +49"),
        ("sms.good", ADDRESS, "7 to 15 digits"),
    ] {
        match world.engine.test_provider(&root(), provider, to).await {
            Err(Error::InvalidArgument(why)) => assert!(why.contains(told), "{why}"),
            other => panic!("{provider} {to}: {other:?}"),
        }
    }
    assert_eq!(world.recorded("test").await.len(), 2);
}
