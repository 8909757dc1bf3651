//! A secret that is shown to one session, once.

use otp_core::contact::Channel;
use otp_ipc::{AuditRecord, ContactOptions, ShareDocument, ShareOptions, TokenDocument};

use super::*;
use crate::engine::Deadlines;

const TTL_MS: u64 = 300_000;

fn session(uid: u32, number: u32) -> Caller {
    Caller { uid, connection: Connection::Bus(format!(":1.{number}")) }
}

fn text(bytes: Option<&Vec<u8>>) -> String {
    String::from_utf8(bytes.unwrap().clone()).unwrap()
}

/// The app that has scanned it.
fn scanned(document: &ShareDocument) -> App {
    let uri = Zeroizing::new(document.content.clone().unwrap());
    app((document.token.clone(), uri))
}

type Shared = Result<(&'static str, ShareDocument), Error>;

impl World {
    /// Makes a token that waits to be shared.
    async fn offer(&self, name: &str, method: &str) -> String {
        let method = Some(method.to_owned());
        let options = EnrolOptions { method, share: Some(true), ..EnrolOptions::default() };
        let made = self.engine.enrol(&root(), Authority::Administrator, name, options).await;
        let (id, uri) = made.unwrap();
        assert!(uri.is_empty(), "nobody is told");
        id
    }

    async fn share(&self, caller: &Caller, name: &str, options: ShareOptions) -> Shared {
        self.engine.share(caller, Authority::Administrator, name, None, options).await
    }

    async fn show(&self, number: u32) -> Shared {
        self.share(&session(0, number), "alice", ShareOptions::default()).await
    }

    async fn go_on(&self, number: u32) -> Shared {
        let options = ShareOptions { result: Some(true), ..ShareOptions::default() };
        self.share(&session(0, number), "alice", options).await
    }

    async fn confirm(&self, app: &App) -> Result<(), Error> {
        let code = Zeroizing::new(app.code(self.now_step()));
        self.engine.confirm(&root(), "alice", &app.id, code).await
    }

    async fn token(&self) -> TokenDocument {
        let (mut tokens, _) = self.engine.tokens(TokenFilter::default()).await.unwrap();
        assert_eq!(tokens.len(), 1);
        tokens.remove(0)
    }

    async fn share_records(&self) -> Vec<AuditRecord> {
        let records = self.engine.audit(AuditFilter::default()).await.unwrap();
        records.into_iter().filter(|record| record.event == "share").collect()
    }
}

fn refusal(shared: Shared) -> Error {
    shared.map(|(transition, _)| transition).unwrap_err()
}

#[tokio::test]
async fn n10_all_outputs_are_there_while_it_is_shown() {
    let world = World::new("[enrolment]\nissuer = \"Example Inc\"");
    let id = world.offer("alice", "totp").await;
    let token = world.token().await;
    assert_eq!((token.state.as_str(), token.share.as_deref()), ("pending", Some("created")));
    assert_eq!(token.share_until, Some(START_MS + 7 * 86_400_000));
    let (transition, shown) = world.show(1).await.unwrap();
    assert_eq!(transition, "default");
    assert_eq!((shown.token.as_str(), shown.user.as_str()), (id.as_str(), "alice"));
    let secret = text(shown.secret.as_ref());
    assert_eq!(
        text(shown.content.as_ref()),
        format!(
            "otpauth://totp/Example%20Inc:alice?secret={secret}&issuer=Example%20Inc\
             &algorithm=SHA1&digits=6&period=30"
        )
    );
    assert_eq!(secret.len(), 32);
    assert_eq!(shown.kind.as_deref(), Some("totp"));
    assert_eq!(shown.algorithm.as_deref(), Some("SHA1"));
    assert_eq!((shown.digits, shown.period, shown.counter), (Some(6), Some(30), None));
    assert_eq!(shown.account.as_deref(), Some("alice"));
    assert_eq!(shown.issuer.as_deref(), Some("Example Inc"));
    assert_eq!(shown.until, Some(START_MS + 300_000));
    assert!(!format!("{shown:?}").contains(&secret));
    let token = world.token().await;
    assert_eq!(token.share.as_deref(), Some("showing"));
    assert_eq!(token.share_until, shown.until);

    world.offer("bob", "hotp").await;
    let bob = world.share(&session(0, 1), "bob", ShareOptions::default()).await.unwrap().1;
    assert_eq!((bob.kind.as_deref(), bob.period, bob.counter), (Some("hotp"), None, Some(0)));
    assert!(text(bob.content.as_ref()).ends_with("&digits=6&counter=0"));
}

#[tokio::test]
async fn n05_n14_the_second_session_gets_nothing_and_the_first_once_more() {
    let world = World::new("");
    world.offer("alice", "totp").await;
    let first = world.show(1).await.unwrap().1;
    for _ in 0..2 {
        let Error::AlreadyShared(why) = refusal(world.show(2).await) else { panic!() };
        assert!(why.contains("not possible to share it again"), "{why}");
    }
    let again = world.show(1).await.unwrap().1;
    assert_eq!((&again.content, again.until), (&first.content, first.until));
    world.confirm(&scanned(&first)).await.unwrap();
    for number in [1, 2] {
        assert!(matches!(refusal(world.show(number).await), Error::AlreadyShared(_)));
    }
    assert_eq!(world.token().await.share.as_deref(), Some("shared"));
    let results: Vec<_> = world.share_records().await.into_iter().map(|r| r.result).collect();
    assert_eq!(results, ["shown", "denied", "denied", "shown", "denied", "denied"]);
}

#[tokio::test]
async fn n14_the_key_of_nobody_who_confirmed_it_is_destroyed_by_itself() {
    let world = World::new("");
    world.offer("alice", "totp").await;
    let mut deadlines = Deadlines::default();
    assert_eq!(world.engine.end_shares(&mut deadlines).await, Ok(None));
    let old = scanned(&world.show(1).await.unwrap().1);
    assert_eq!(world.engine.end_shares(&mut deadlines).await, Ok(Some(TTL_MS)));
    world.clock.advance(TTL_MS - 1);
    assert_eq!(world.engine.end_shares(&mut deadlines).await, Ok(Some(1)));
    assert_eq!(world.token().await.share.as_deref(), Some("showing"));
    world.clock.advance(1);
    assert!(matches!(world.confirm(&old).await, Err(Error::WrongState(_))));
    assert!(matches!(refusal(world.go_on(1).await), Error::WrongState(_)));
    assert_eq!(world.engine.end_shares(&mut deadlines).await, Ok(None));
    assert_eq!(world.token().await.share.as_deref(), Some("created"));
    assert!(matches!(world.confirm(&old).await, Err(Error::WrongState(_))), "nobody has it");
    let new = scanned(&world.show(2).await.unwrap().1);
    assert_ne!(new.secret.expose(), old.secret.expose());
    assert_eq!(world.confirm(&old).await, Err(Error::Rejected));
    world.confirm(&new).await.unwrap();
    let records = world.share_records().await;
    let expired = records.iter().find(|record| record.result == "expired").unwrap();
    assert_eq!((expired.user.as_str(), expired.caller), ("alice", None));
}

/// What nobody has tended, because the daemon was not there, is found by the next request.
#[tokio::test]
async fn n14_after_a_restart_nobody_else_gets_the_key() {
    let world = World::new("");
    world.offer("alice", "totp").await;
    let old = scanned(&world.show(1).await.unwrap().1);
    let world = world.restarted();
    for number in [1, 2] {
        let refused = refusal(world.show(number).await);
        assert!(matches!(refused, Error::AlreadyShared(_)), "a name of another run of the bus");
    }
    assert!(matches!(refusal(world.go_on(1).await), Error::WrongState(_)));
    world.clock.advance(TTL_MS);
    let new = scanned(&world.show(2).await.unwrap().1);
    assert_ne!(new.secret.expose(), old.secret.expose());
    let results: Vec<_> = world.share_records().await.into_iter().map(|r| r.result).collect();
    assert_eq!(results, ["shown", "denied", "denied", "denied", "expired", "shown"]);
}

/// The person who scanned it has time while the daemon is away, too.
#[tokio::test]
async fn a_restart_takes_nothing_from_whoever_has_scanned_it() {
    let world = World::new("");
    world.offer("alice", "totp").await;
    let app = scanned(&world.show(1).await.unwrap().1);
    let world = world.restarted();
    let mut deadlines = Deadlines::default();
    world.clock.advance(1000);
    assert_eq!(world.engine.end_shares(&mut deadlines).await, Ok(Some(TTL_MS - 1000)));
    world.confirm(&app).await.unwrap();
    assert_eq!(world.engine.end_shares(&mut deadlines).await, Ok(None));
}

#[tokio::test]
async fn a_bus_that_is_started_anew_has_no_names_of_the_old_one() {
    let world = World::new("");
    world.offer("alice", "totp").await;
    world.show(1).await.unwrap();
    world.engine.leave_bus();
    assert!(matches!(refusal(world.show(1).await), Error::AlreadyShared(_)));
}

#[tokio::test]
async fn a_clock_that_is_set_back_again_and_again_gives_no_more_time() {
    let world = World::new("");
    world.offer("alice", "totp").await;
    world.show(1).await.unwrap();
    let mut deadlines = Deadlines::default();
    for _ in 0..3 {
        let left = world.engine.end_shares(&mut deadlines).await.unwrap();
        assert!(left.is_some_and(|left| left <= TTL_MS));
        world.clock.advance(100_000);
        world.clock.set(START_MS);
    }
    assert_eq!(world.engine.end_shares(&mut deadlines).await, Ok(None));
    assert_eq!(world.token().await.share.as_deref(), Some("created"));
    world.show(1).await.unwrap();
    world.clock.set(START_MS - 3_600_000);
    assert_eq!(world.engine.end_shares(&mut deadlines).await, Ok(None));
    assert_eq!(world.token().await.share.as_deref(), Some("created"));
}

#[tokio::test]
async fn n09_continue_clears_all_and_is_ok() {
    let world = World::new("");
    world.offer("alice", "totp").await;
    assert!(matches!(refusal(world.go_on(1).await), Error::WrongState(_)), "nothing is shown");
    let app = scanned(&world.show(1).await.unwrap().1);
    assert!(matches!(refusal(world.go_on(2).await), Error::WrongState(_)), "not to this one");
    let (transition, cleared) = world.go_on(1).await.unwrap();
    assert_eq!(transition, "ok");
    assert_eq!((&cleared.content, &cleared.secret, &cleared.kind), (&None, &None, &None));
    assert_eq!((&cleared.algorithm, cleared.digits, cleared.period), (&None, None, None));
    assert_eq!((cleared.counter, &cleared.account, &cleared.issuer), (None, &None, &None));
    assert_eq!(world.token().await.state, "pending");
    world.confirm(&app).await.unwrap();
    assert_eq!(world.token().await.state, "active");
}

#[tokio::test]
async fn x05_with_ack_continue_is_the_confirmation() {
    let world = World::new("[sharing]\nconfirm = \"ack\"");
    world.offer("alice", "totp").await;
    let shown = world.show(1).await.unwrap().1;
    assert_eq!(shown.confirm, "ack");
    let code = scanned(&shown).code(world.now_step());
    assert!(!world.granted("alice", &code).await, "N12: showing alone logs nobody in");
    assert_eq!(world.go_on(1).await.unwrap().0, "ok");
    let token = world.token().await;
    assert_eq!((token.state.as_str(), token.share.as_deref()), ("active", Some("shared")));
    assert!(world.granted("alice", &code).await);
    assert!(matches!(refusal(world.go_on(1).await), Error::WrongState(_)));
    assert!(matches!(refusal(world.show(1).await), Error::AlreadyShared(_)));
}

#[tokio::test]
async fn n12_what_is_only_shown_satisfies_and_requires_no_login() {
    let rollout = "[[policy]]\nname = \"rollout\"\nunenrolled = \"ignore\"";
    let world = World::new(rollout);
    world.offer("alice", "totp").await;
    world.show(1).await.unwrap();
    let context = Context { nullok: Some(true), ..sshd() };
    let (_, step) = world.engine.begin(&root(), "alice", context).await.unwrap();
    assert_eq!(step.kind(), Some(StepKind::NotRequired));
}

#[tokio::test]
async fn n02_the_tenant_is_the_issuer_or_one_of_the_configured_names() {
    let named = |client: Option<&str>| ShareOptions {
        client: client.map(str::to_owned),
        ..ShareOptions::default()
    };
    let tenants = "[sharing]\ntenants = [\"example\", \"100\"]";
    let single = "[enrolment]\nissuer = \"Example Inc\"";
    for (configuration, client, known) in [
        ("", None, true),
        ("", Some("host"), true),
        ("", Some("other"), false),
        (single, Some("Example Inc"), true),
        (single, Some("host"), false),
        (tenants, Some("example"), true),
        (tenants, Some("100"), true),
        (tenants, Some("host"), false),
        (tenants, Some(""), false),
        (tenants, Some("Example"), false),
        (tenants, None, false),
    ] {
        let world = World::new(configuration);
        world.offer("alice", "totp").await;
        let shared = world.share(&session(0, 1), "alice", named(client)).await;
        if known {
            assert_eq!(shared.unwrap().0, "default");
        } else {
            assert!(matches!(refusal(shared), Error::UnknownTenant(_)), "{client:?}");
            assert_eq!(world.token().await.share.as_deref(), Some("created"));
            let records = world.share_records().await;
            assert!(records[0].detail.as_ref().unwrap().starts_with("clientNotFound: "));
        }
    }
}

#[tokio::test]
async fn n03_without_a_credential_there_is_nothing_to_share() {
    let world = World::new("");
    assert!(matches!(refusal(world.show(1).await), Error::NoCredential(_)), "no account");
    world.active("bob", "totp").await;
    let bob = world.share(&session(0, 1), "bob", ShareOptions::default()).await;
    assert!(matches!(refusal(bob), Error::AlreadyShared(_)), "N5: told at enrolment");
    let id = world.offer("alice", "totp").await;
    let engine = &world.engine;
    // N4: a token of alice's is none of bob's.
    let caller = session(0, 1);
    let others =
        engine.share(&caller, Authority::Administrator, "bob", Some(&id), ShareOptions::default());
    let absent = engine.share_nothing(&caller, &id);
    assert_eq!(refusal(others.await), absent.await);
    world.clock.advance(7 * 86_400_000);
    assert!(matches!(refusal(world.show(1).await), Error::NoCredential(_)), "the offer is over");
}

#[tokio::test]
async fn n14_n15_to_share_again_takes_an_administrator_and_another_key() {
    let again = |later: Option<bool>| ShareOptions {
        reshare: Some(true),
        later,
        ..ShareOptions::default()
    };
    let world = World::new("");
    world.offer("alice", "totp").await;
    let old = scanned(&world.show(1).await.unwrap().1);
    world.confirm(&old).await.unwrap();
    world.clock.advance(STEP_MS);
    let alice = session(ALICE, 2);
    let mine = world.engine.share(
        &alice,
        Authority::Owner,
        "alice",
        None,
        ShareOptions { proof: Some(old.code(world.now_step())), ..again(None) },
    );
    assert!(matches!(refusal(mine.await), Error::AccessDenied(_)));
    let (transition, shown) = world.share(&session(0, 3), "alice", again(None)).await.unwrap();
    assert_eq!(transition, "default");
    let new = scanned(&shown);
    assert_eq!(new.id, old.id);
    assert_ne!(new.secret.expose(), old.secret.expose());
    world.clock.advance(STEP_MS);
    assert!(!world.granted("alice", &old.code(world.now_step())).await, "the old one is dead");
    world.confirm(&new).await.unwrap();
    let (transition, waits) =
        world.share(&session(0, 3), "alice", again(Some(true))).await.unwrap();
    assert_eq!((transition, &waits.content), ("ok", &None));
    assert_eq!(world.token().await.share.as_deref(), Some("created"));

    let world = World::new("[sharing]\nreshare = false");
    world.offer("alice", "totp").await;
    world.show(1).await.unwrap();
    let forbidden = world.share(&session(0, 1), "alice", again(None)).await;
    assert!(matches!(refusal(forbidden), Error::Forbidden(_)));
    let later = ShareOptions { later: Some(true), ..ShareOptions::default() };
    let alone = world.share(&session(0, 1), "alice", later).await;
    assert!(matches!(refusal(alone), Error::InvalidArgument(_)));
}

#[tokio::test]
async fn n15_the_account_is_called_by_its_name_or_its_address() {
    let world = World::new("[sharing]\naccount = \"email\"");
    world.offer("alice", "totp").await;
    assert!(matches!(refusal(world.show(1).await), Error::WrongState(_)), "no address");
    assert_eq!(
        world.token().await.share.as_deref(),
        Some("showing").filter(|_| false).or(Some("created"))
    );
    let mail = ContactOptions { mail: Some("alice@example.com".into()), ..Default::default() };
    world.engine.set_contact(&root(), "alice", mail).await.unwrap();
    let shown = world.show(1).await.unwrap().1;
    assert_eq!(shown.account.as_deref(), Some("alice@example.com"));
    assert!(text(shown.content.as_ref()).contains(":alice%40example.com?"));
}

#[tokio::test]
async fn n15_a_credential_counts_its_codes_and_knows_its_last_one() {
    let world = World::new("");
    let app = world.enrol("alice", EnrolOptions::default()).await;
    assert_eq!((world.token().await.accepted, world.token().await.last_used), (Some(0), None));
    world.confirm(&app).await.unwrap();
    for count in 2..5 {
        world.clock.advance(STEP_MS);
        let code = app.code(world.now_step());
        assert!(world.granted("alice", &code).await);
        assert!(!world.granted("alice", &code).await, "a replay does not count");
        let token = world.token().await;
        assert_eq!((token.accepted, token.last_used), (Some(count), Some(world.engine.now_ms())));
    }
}

/// Whoever has a credential proves it; a policy may keep users from it altogether.
#[tokio::test]
async fn owners_share_their_own_with_proof_and_where_no_policy_denies_it() {
    let world = World::new("");
    let first = world.active("alice", "hotp").await;
    let id = world.offer("alice", "totp").await;
    let mine = async |authority, proof| {
        let options = ShareOptions { proof, ..ShareOptions::default() };
        world.engine.share(&session(ALICE, 1), authority, "alice", Some(&id), options).await
    };
    assert_eq!(refusal(mine(Authority::Owner, None).await), Error::ProofRequired);
    let guessed = mine(Authority::Owner, Some(wrong(&first.code(0)))).await;
    assert_eq!(refusal(guessed), Error::Rejected);
    let (transition, _) = mine(Authority::Owner, Some(first.code(0))).await.unwrap();
    assert_eq!(transition, "default");
    let denied = "[[policy]]\nname = \"no\"\nmatch = { service = [\"otpctl\"] }\nfactor = \"deny\"";
    let world = World::new(denied);
    world.offer("alice", "totp").await;
    let options = ShareOptions::default();
    let engine = &world.engine;
    let alice = session(ALICE, 1);
    let forbidden = engine.share(&alice, Authority::FirstTime, "alice", None, options);
    assert!(matches!(refusal(forbidden.await), Error::Forbidden(_)));
    assert_eq!(world.token().await.share.as_deref(), Some("created"));
    world.show(1).await.unwrap();
}

/// The owner was authorised as one who has a credential, which is gone when the call is decided.
#[tokio::test]
async fn an_owner_without_a_credential_needs_polkit() {
    let world = World::new("");
    world.offer("alice", "totp").await;
    let options = ShareOptions::default();
    let alice = session(ALICE, 1);
    let raced = world.engine.share(&alice, Authority::Owner, "alice", None, options);
    assert!(matches!(refusal(raced.await), Error::AccessDenied(_)));
}

#[tokio::test]
async fn what_waits_to_be_shared_outlives_the_confirmation_of_another_token() {
    let world = World::new("");
    world.offer("alice", "totp").await;
    let other = world.enrol("alice", EnrolOptions::default()).await;
    world.confirm(&other).await.unwrap();
    let (tokens, _) = world.engine.tokens(TokenFilter::default()).await.unwrap();
    let shares: Vec<_> = tokens.iter().map(|token| token.share.as_deref()).collect();
    assert_eq!(shares, [Some("created"), None]);
    // What was shown goes: whoever saw it could confirm it later without that proof.
    world.show(1).await.unwrap();
    world.clock.advance(1000);
    world.active("alice", "hotp").await;
    let (tokens, _) = world.engine.tokens(TokenFilter::default()).await.unwrap();
    assert!(tokens.iter().all(|token| token.share.is_none()));
}

#[tokio::test]
async fn what_is_delivered_or_active_at_once_is_not_shared() {
    let world = World::new("");
    let both = EnrolOptions { share: Some(true), active: Some(true), ..EnrolOptions::default() };
    let made = world.engine.enrol(&root(), Authority::Administrator, "alice", both).await;
    assert!(matches!(made, Err(Error::InvalidArgument(_))));
    let mobile = ContactOptions { mobile: Some("+491701234581".into()), ..Default::default() };
    world.engine.set_contact(&root(), "alice", mobile).await.unwrap();
    let sms = EnrolOptions {
        method: Some(Channel::Sms.name().to_owned()),
        share: Some(true),
        ..EnrolOptions::default()
    };
    let made = world.engine.enrol(&root(), Authority::Administrator, "alice", sms).await;
    assert!(matches!(made, Err(Error::WrongState(_))), "{made:?}");
}

/// One event for each transition, with its name and without a secret.
#[tokio::test]
async fn n13_each_transition_is_recorded_once() {
    let world = World::new("");
    world.offer("alice", "totp").await;
    let shown = world.show(1).await.unwrap().1;
    let secret = text(shown.secret.as_ref());
    world.go_on(1).await.unwrap();
    refusal(world.show(2).await);
    refusal(world.share(&session(0, 1), "bob", ShareOptions::default()).await);
    let client = ShareOptions { client: Some("x".into()), ..ShareOptions::default() };
    refusal(world.share(&session(0, 1), "alice", client).await);
    refusal(world.go_on(3).await);
    let records = world.share_records().await;
    let told: Vec<_> = records
        .iter()
        .map(|record| {
            let detail = record.detail.as_deref().unwrap();
            let name = detail.split([':', ',']).next().unwrap();
            (record.result.as_str(), name, record.user.as_str(), record.caller)
        })
        .collect();
    let expected = [
        ("shown", "default", "alice", Some(0)),
        ("ok", "ok", "alice", Some(0)),
        ("denied", "secretAlreadyShared", "alice", Some(0)),
        ("denied", "noCredential", "bob", Some(0)),
        ("denied", "clientNotFound", "alice", Some(0)),
        ("denied", "failed", "alice", Some(0)),
    ];
    assert_eq!(told, expected);
    assert!(records.iter().all(|record| !format!("{record:?}").contains(&secret)));
}

/// Sessions that ask at the same moment: one of them is shown it.
#[tokio::test]
async fn n14_of_many_at_once_one_gets_it() {
    let world = World::new("");
    world.offer("alice", "totp").await;
    let all = (1..9).map(|number| world.show(number));
    let outcomes = futures_util::future::join_all(all).await;
    let winners = outcomes.iter().filter(|shared| shared.is_ok()).count();
    assert_eq!(winners, 1);
    for lost in outcomes.into_iter().filter(Result::is_err) {
        assert!(matches!(refusal(lost), Error::AlreadyShared(_)));
    }
}

#[tokio::test]
async fn a_key_that_is_replaced_does_not_make_its_user_one_who_never_enrolled() {
    for (unenrolled, more) in [("ignore", ""), ("enrol", "enrol = [\"totp\"]\n")] {
        let policy = format!("[[policy]]\nname = \"p\"\nunenrolled = \"{unenrolled}\"\n{more}");
        let world = World::new(&policy);
        let app = world.active("alice", "totp").await;
        assert!(world.granted("alice", &app.code(world.now_step())).await);
        let options = ShareOptions { reshare: Some(true), later: Some(true), ..Default::default() };
        let admin = Authority::Administrator;
        world.engine.share(&root(), admin, "alice", Some(&app.id), options).await.unwrap();
        let context = Context { nullok: Some(true), ..sshd() };
        let (session, step) = world.engine.begin(&root(), "alice", context).await.unwrap();
        assert_eq!(step.kind(), Some(StepKind::Prompt), "{unenrolled}");
        let word = Zeroizing::new(b"totp".to_vec());
        let step = world.engine.respond(&root(), &session, word).await.unwrap();
        assert_eq!(step, Step::bare(StepKind::Denied), "{unenrolled}");
        // Who has it shared to them goes on as before.
        let document = world.share(&user(ALICE), "alice", ShareOptions::default()).await.unwrap().1;
        world.confirm(&scanned(&document)).await.unwrap();
    }
}
