//! Use cases on a real store, with a clock and a directory of the test's own.

mod contact;

use std::{path::Path, sync::Arc};

use otp_core::{base32, contact::Contacts, hotp, secret::Secret, token::Algorithm, uri};
use otp_ipc::{AuditFilter, ChangeOptions, Context, EnrolOptions, Step, StepKind, TokenFilter};
use tempfile::TempDir;
use zeroize::Zeroizing;

use super::{Authority, Caller, Connection, Engine, Error, Facts, Ports};
use crate::{
    clock::ManualClock,
    config::Config,
    directory::{Directory, DirectoryError, Entry},
    keys::Keyring,
    store::{
        Pending,
        sqlite::{Options, SqliteStore, init},
    },
};

const START_MS: i64 = 1_800_000_000_000;
const STEP_MS: u64 = 30_000;
const ALICE: u32 = 1000;

mod clients;
mod combined;
mod delivery;
mod issued;
mod methods;
mod moved;
mod offer;
mod person;
mod policies;
mod prompts;
mod share;
mod undelivered;

/// A directory of three users.
struct Three;

impl Directory for Three {
    fn by_name<'a>(&'a self, name: &'a str) -> Pending<'a, Result<Option<Entry>, DirectoryError>> {
        // As a directory that ignores case: it finds the account, under the account's own name.
        let own = name.to_lowercase();
        let uid = match own.as_str() {
            "root" => Some(0),
            "alice" => Some(ALICE),
            "bob" => Some(1001),
            _ => None,
        };
        Box::pin(async move {
            Ok(uid.map(|uid| Entry { name: own, uid, contacts: Contacts::default() }))
        })
    }

    /// alice is one of the staff; whoever is called broken is in a part that does not answer.
    fn groups<'a>(
        &'a self,
        name: &'a str,
    ) -> Pending<'a, Result<Option<Vec<String>>, DirectoryError>> {
        Box::pin(async move {
            match name.to_lowercase().as_str() {
                "alice" => Ok(Some(vec!["alice".to_owned(), "staff".to_owned()])),
                "bob" | "root" => Ok(Some(Vec::new())),
                "broken" => Err(DirectoryError("no route to host".to_owned())),
                "silent" => std::future::pending().await,
                _ => Ok(None),
            }
        })
    }
}

/// An engine on a store in a folder of its own.
struct World {
    engine: Arc<Engine>,
    clock: Arc<ManualClock>,
    folder: TempDir,
}

/// A token as its owner's app has it.
struct App {
    id: String,
    secret: Secret,
}

impl App {
    fn code(&self, moving: u64) -> Vec<u8> {
        hotp::value(&self.secret, Algorithm::Sha1, moving, 6).expose().to_vec()
    }
}

fn root() -> Caller {
    Caller { uid: 0, connection: Connection::Direct(1) }
}

fn user(uid: u32) -> Caller {
    Caller { uid, connection: Connection::Bus(format!(":1.{uid}")) }
}

fn sshd() -> Context {
    Context { service: Some("sshd".into()), ..Context::default() }
}

impl World {
    fn new(configuration: &str) -> Self {
        Self::knowing(configuration, Arc::new(Three))
    }

    /// With directories of its own.
    fn knowing(configuration: &str, directory: Arc<dyn Directory>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("state")).unwrap();
        init(&at("state/otpd.db"), &at("kek"), None, START_MS).unwrap();
        write_configuration(&at("otpd.toml"), configuration);
        Self::open(folder, Arc::new(ManualClock::at(START_MS)), directory)
    }

    /// The daemon after its end and another start.
    fn restarted(self) -> Self {
        let Self { engine, clock, folder } = self;
        drop(engine);
        Self::open(folder, clock, Arc::new(Three))
    }

    fn open(folder: TempDir, clock: Arc<ManualClock>, directory: Arc<dyn Directory>) -> Self {
        let at = |name: &str| folder.path().join(name);
        let owner = nix::unistd::geteuid().as_raw();
        let ring = Keyring::load(None, &at("kek"), owner).unwrap();
        let options = Options { owner, audit_rows: 1000 };
        let store = SqliteStore::open(&at("state/otpd.db"), &ring, options).unwrap();
        let ports = Ports {
            recovery_key: store.recovery_key(),
            store: Arc::new(store),
            directory,
            clock: Arc::<ManualClock>::clone(&clock),
            dispatcher: Arc::default(),
        };
        let loaded = Config::load(&at("otpd.toml"), None).unwrap();
        let facts = Facts { host: "host".into(), ..Facts::default() };
        let engine = Arc::new(Engine::new(ports, loaded, at("otpd.toml"), facts));
        Self { engine, clock, folder }
    }

    async fn enrol(&self, name: &str, options: EnrolOptions) -> App {
        let enrolled = self.engine.enrol(&root(), Authority::Administrator, name, options).await;
        app(enrolled.unwrap())
    }

    async fn active(&self, name: &str, method: &str) -> App {
        let method = Some(method.to_owned());
        self.enrol(name, EnrolOptions { method, active: Some(true), ..Default::default() }).await
    }

    async fn login(&self, name: &str, code: &[u8]) -> Result<Step, Error> {
        let (session, step) = self.engine.begin(&root(), name, sshd()).await?;
        if step.kind() != Some(StepKind::Prompt) {
            return Ok(step);
        }
        self.engine.respond(&root(), &session, Zeroizing::new(code.to_vec())).await
    }

    async fn granted(&self, name: &str, code: &[u8]) -> bool {
        let step = self.login(name, code).await.unwrap();
        assert!([Some(StepKind::Granted), Some(StepKind::Denied)].contains(&step.kind()));
        if step.kind() == Some(StepKind::Denied) {
            assert_eq!(step, Step::bare(StepKind::Denied));
        }
        step.kind() == Some(StepKind::Granted)
    }

    async fn results(&self) -> Vec<String> {
        let records = self.engine.audit(AuditFilter::default()).await.unwrap();
        records.into_iter().filter(|r| r.event == "login").map(|r| r.result).collect()
    }

    fn now_step(&self) -> u64 {
        u64::try_from(self.engine.now_ms()).unwrap() / STEP_MS
    }
}

fn app((id, uri_bytes): (String, Zeroizing<Vec<u8>>)) -> App {
    let parsed = uri::parse(std::str::from_utf8(&uri_bytes).unwrap()).unwrap();
    let encoded = base32::encode(parsed.secret.expose());
    App { id, secret: Secret::new(base32::decode(&encoded).unwrap()).unwrap() }
}

fn write_configuration(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
}

fn wrong(code: &[u8]) -> Vec<u8> {
    code.iter().map(|digit| b'0' + (digit - b'0' + 1) % 10).collect()
}

#[tokio::test]
async fn each_outcome_has_one_record_and_one_answer() {
    let world = World::new("");
    let app = world.active("alice", "totp").await;
    let code = app.code(world.now_step());
    assert!(!world.granted("nobody", &code).await);
    assert!(!world.granted("bob", &code).await);
    assert!(!world.granted("../x", &code).await);
    assert!(!world.granted("alice", b"").await);
    assert!(!world.granted("alice", b"1234567").await);
    assert!(!world.granted("alice", &wrong(&code)).await);
    assert!(world.granted("alice", &code).await);
    assert!(!world.granted("alice", &code).await);
    let expected =
        ["unenrolled", "unenrolled", "denied", "malformed", "malformed", "wrong", "ok", "replay"];
    assert_eq!(world.results().await, expected);
}

#[tokio::test]
async fn a_lock_is_not_told_and_uses_no_code() {
    let world = World::new("[lockout]\nafter = 2\nfirst = \"60s\"");
    let app = world.active("alice", "hotp").await;
    for _ in 0..2 {
        assert!(!world.granted("alice", &wrong(&app.code(0))).await);
    }
    assert!(!world.granted("alice", &app.code(0)).await);
    world.clock.advance(60_001);
    assert!(world.granted("alice", &app.code(0)).await);
    assert_eq!(world.results().await, ["wrong", "wrong", "locked", "ok"]);
}

#[tokio::test]
async fn an_administrator_unlocks_and_resets() {
    let world = World::new("[lockout]\nafter = 1");
    let app = world.active("alice", "hotp").await;
    assert!(!world.granted("alice", &wrong(&app.code(0))).await);
    assert!(!world.granted("alice", &app.code(0)).await);
    world.engine.unlock(&root(), "alice").await.unwrap();
    assert!(world.granted("alice", &app.code(0)).await);
    world.engine.reset(&root(), "alice").await.unwrap();
    assert!(!world.granted("alice", &app.code(1)).await);
    let unknown = world.engine.unlock(&root(), "alice").await;
    assert_eq!(unknown, Err(Error::UnknownUser("alice".into())));
}

#[tokio::test]
async fn an_expired_token_is_no_way_round_the_policy() {
    let policy = "[[policy]]\nname = \"rollout\"\nunenrolled = \"ignore\"";
    let world = World::new(policy);
    let options = EnrolOptions {
        active: Some(true),
        expires: Some(START_MS + 1000),
        ..EnrolOptions::default()
    };
    let app = world.enrol("alice", options).await;
    world.clock.advance(1000);
    let context = Context { nullok: Some(true), ..sshd() };
    let (session, step) = world.engine.begin(&root(), "alice", context).await.unwrap();
    assert_eq!(step.kind(), Some(StepKind::Prompt));
    let code = Zeroizing::new(app.code(world.now_step()));
    let step = world.engine.respond(&root(), &session, code).await.unwrap();
    assert_eq!(step.kind(), Some(StepKind::Denied));
    assert_eq!(world.results().await, ["expired"]);
}

#[tokio::test]
async fn not_required_takes_the_policy_and_the_stack() {
    let world = World::new(
        "[[policy]]\nname = \"cron\"\nmatch = { service = [\"cron\"] }\nfactor = \"skip\"\n\
         [[policy]]\nname = \"rollout\"\nmatch = { service = [\"sshd\"] }\nunenrolled = \"ignore\"",
    );
    let begin = async |service: &str, nullok| {
        let context =
            Context { service: Some(service.into()), nullok: Some(nullok), ..Context::default() };
        world.engine.begin(&root(), "bob", context).await.unwrap().1.kind()
    };
    assert_eq!(begin("cron", false).await, Some(StepKind::NotRequired));
    assert_eq!(begin("sshd", true).await, Some(StepKind::NotRequired));
    assert_eq!(begin("sshd", false).await, Some(StepKind::Prompt));
    assert_eq!(begin("sudo", true).await, Some(StepKind::Prompt));
}

#[tokio::test]
async fn a_session_belongs_to_its_connection_and_ends_with_it() {
    let world = World::new("[limits]\nprompt_lifetime = \"1m\"");
    let app = world.active("alice", "hotp").await;
    let code = || Zeroizing::new(app.code(0));
    let other = Caller { uid: 0, connection: Connection::Direct(2) };
    let (session, _) = world.engine.begin(&root(), "alice", sshd()).await.unwrap();
    let stolen = world.engine.respond(&other, &session, code()).await;
    assert_eq!(stolen, Err(Error::UnknownSession));
    world.clock.advance(60_000);
    let late = world.engine.respond(&root(), &session, code()).await;
    assert_eq!(late, Err(Error::UnknownSession));
    let (session, _) = world.engine.begin(&root(), "alice", sshd()).await.unwrap();
    world.engine.leave(&root().connection);
    let gone = world.engine.respond(&root(), &session, code()).await;
    assert_eq!(gone, Err(Error::UnknownSession));
    let (session, _) = world.engine.begin(&other, "alice", sshd()).await.unwrap();
    let answered = world.engine.respond(&other, &session, code()).await.unwrap();
    assert_eq!(answered.kind(), Some(StepKind::Granted));
    assert_eq!(world.engine.waiting(), 0);
}

#[tokio::test]
async fn everybody_but_root_and_trusted_callers_logs_in_as_themselves() {
    let world = World::new("[bus]\ntrusted_callers = [\"bob\"]");
    let begin = async |uid, name| world.engine.begin(&user(uid), name, sshd()).await.map(drop);
    assert!(begin(ALICE, "alice").await.is_ok());
    assert!(matches!(begin(ALICE, "bob").await, Err(Error::AccessDenied(_))));
    assert!(matches!(begin(ALICE, "nobody").await, Err(Error::AccessDenied(_))));
    assert!(matches!(begin(ALICE, "").await, Err(Error::AccessDenied(_))));
    assert!(begin(1001, "alice").await.is_ok());
}

#[tokio::test]
async fn a_pending_token_is_none_and_its_first_code_is_spent() {
    let world = World::new("");
    let app = world.enrol("alice", EnrolOptions::default()).await;
    let other = world.enrol("alice", EnrolOptions::default()).await;
    let now = world.now_step();
    assert!(!world.granted("alice", &app.code(now)).await);
    let confirm = async |id: &str, code| {
        world.engine.confirm(&root(), "alice", id, Zeroizing::new(code)).await
    };
    assert_eq!(confirm(&app.id, wrong(&app.code(now))).await, Err(Error::Rejected));
    confirm(&app.id, app.code(now)).await.unwrap();
    assert!(!world.granted("alice", &app.code(now)).await);
    world.clock.advance(STEP_MS);
    assert!(world.granted("alice", &app.code(now + 1)).await);
    assert_eq!(confirm(&other.id, other.code(now + 1)).await, Err(Error::UnknownToken));
}

#[tokio::test]
async fn the_time_to_confirm_ends() {
    let world = World::new("[enrolment]\npending = \"5m\"");
    let app = world.enrol("alice", EnrolOptions::default()).await;
    world.clock.advance(300_000);
    let code = Zeroizing::new(app.code(world.now_step()));
    let late = world.engine.confirm(&root(), "alice", &app.id, code).await;
    assert!(matches!(late, Err(Error::WrongState(_))), "{late:?}");
}

const SELF_SERVICE: &str =
    "[[policy]]\nname = \"own\"\nmatch = { service = [\"otpctl\"] }\nenrol = [\"hotp\"]";

#[tokio::test]
async fn users_enrol_themselves_only_where_a_policy_lets_them() {
    let enrol = async |world: &World, method: &str, active| {
        let options =
            EnrolOptions { method: Some(method.into()), active, ..EnrolOptions::default() };
        world.engine.enrol(&user(ALICE), Authority::FirstTime, "alice", options).await.map(drop)
    };
    let world = World::new("");
    assert!(matches!(enrol(&world, "hotp", None).await, Err(Error::Forbidden(_))));
    let world = World::new(SELF_SERVICE);
    assert!(matches!(enrol(&world, "totp", None).await, Err(Error::Forbidden(_))));
    assert!(matches!(enrol(&world, "hotp", Some(true)).await, Err(Error::AccessDenied(_))));
    enrol(&world, "hotp", None).await.unwrap();
}

#[tokio::test]
async fn who_has_a_credential_proves_it_before_changing_one() {
    let world = World::new(SELF_SERVICE);
    let app = world.active("alice", "hotp").await;
    let enrol = async |proof: Option<Vec<u8>>| {
        let options =
            EnrolOptions { method: Some("hotp".into()), proof, ..EnrolOptions::default() };
        world.engine.enrol(&user(ALICE), Authority::Owner, "alice", options).await.map(drop)
    };
    assert_eq!(enrol(None).await, Err(Error::ProofRequired));
    assert_eq!(enrol(Some(wrong(&app.code(0)))).await, Err(Error::Rejected));
    enrol(Some(app.code(0))).await.unwrap();
    assert_eq!(enrol(Some(app.code(0))).await, Err(Error::Rejected), "a proof is spent");
    assert!(!world.granted("alice", &app.code(0)).await, "at logins too");

    let owner = |proof: Vec<u8>| ChangeOptions { proof: Some(proof), ..Default::default() };
    let (caller, id) = (user(ALICE), app.id.as_str());
    let codes = world
        .engine
        .issue_recovery_codes(&caller, Authority::Owner, "alice", owner(app.code(1)))
        .await
        .unwrap();
    assert_eq!(codes.len(), 10);
    let disable =
        world.engine.disable(&caller, Authority::Owner, "alice", id, owner(app.code(2))).await;
    assert!(matches!(disable, Err(Error::WrongState(_))), "the last token stays: {disable:?}");
    let recovery = codes.first().unwrap();
    assert!(world.granted("alice", recovery).await);
    assert!(!world.granted("alice", recovery).await, "a recovery code works once");
}

#[tokio::test]
async fn a_disabled_token_comes_back_by_itself_or_by_an_administrator() {
    let world = World::new("");
    let app = world.active("alice", "hotp").await;
    let disable = async |until| {
        let options =
            ChangeOptions { until, reason: Some("lost".into()), ..ChangeOptions::default() };
        let admin = Authority::Administrator;
        world.engine.disable(&root(), admin, "alice", &app.id, options).await
    };
    disable(Some(START_MS + 1000)).await.unwrap();
    assert!(!world.granted("alice", &app.code(0)).await);
    world.clock.advance(1000);
    assert!(world.granted("alice", &app.code(0)).await);
    disable(None).await.unwrap();
    let (tokens, _) = world.engine.tokens(TokenFilter::default()).await.unwrap();
    let token = tokens.first().unwrap();
    assert_eq!((token.state.as_str(), token.reason.as_deref()), ("disabled", Some("lost")));
    world.engine.enable(&root(), "alice", &app.id).await.unwrap();
    assert!(world.granted("alice", &app.code(1)).await);
    assert!(matches!(disable(Some(START_MS)).await, Err(Error::InvalidArgument(_))));
}

#[tokio::test]
async fn two_consecutive_codes_find_a_counter_again() {
    let world = World::new("");
    let app = world.active("alice", "hotp").await;
    assert!(!world.granted("alice", &app.code(60)).await);
    let resync = async |first: u64, second: u64| {
        let codes = [first, second].map(|n| Zeroizing::new(app.code(n)));
        world.engine.resync(&root(), "alice", &app.id, codes).await
    };
    assert_eq!(resync(60, 62).await, Err(Error::Rejected));
    resync(60, 61).await.unwrap();
    assert!(!world.granted("alice", &app.code(61)).await);
    assert!(world.granted("alice", &app.code(62)).await);
}

#[tokio::test]
async fn a_method_that_login_or_policy_does_not_offer_is_not_accepted() {
    let world = World::new("[[policy]]\nname = \"only\"\nmethods = [\"totp\"]");
    let (hotp, totp) = (world.active("alice", "hotp").await, world.active("alice", "totp").await);
    assert!(!world.granted("alice", &hotp.code(0)).await);
    assert!(world.granted("alice", &totp.code(world.now_step())).await);
}

#[tokio::test]
async fn a_bad_configuration_leaves_the_last_good_one() {
    let world = World::new("[lockout]\nafter = 7");
    let file = world.folder.path().join("otpd.toml");
    write_configuration(&file, "[lockout]\nafter = 0");
    let error = world.engine.reload().unwrap_err();
    assert!(error.to_string().contains("otpd.toml:2"), "{error}");
    assert_eq!(world.engine.config().config.lockout.after, 7);
    assert_eq!(world.engine.health(), "degraded");
    write_configuration(&file, "[lockout]\nafter = 8");
    world.engine.reload().unwrap();
    assert_eq!((world.engine.config().config.lockout.after, world.engine.health()), (8, "ok"));
}

#[tokio::test]
async fn the_prompt_splits_password_and_code_only_where_the_policy_says_so() {
    let world = World::new(
        "[[policy]]\nname = \"one field\"\nmatch = { service = [\"sshd\"] }\nconcatenate = true",
    );
    world.active("alice", "totp").await;
    let split = async |service: &str, concatenated, name: &str| {
        let context = Context {
            service: Some(service.into()),
            concatenated: Some(concatenated),
            ..Context::default()
        };
        world.engine.begin(&root(), name, context).await.unwrap().1.split()
    };
    assert_eq!(split("sshd", true, "alice").await, Some(6));
    assert_eq!(split("sshd", true, "nobody").await, Some(6));
    assert_eq!(split("sshd", false, "alice").await, None);
    assert_eq!(split("sudo", true, "alice").await, None);
}

#[tokio::test]
async fn the_status_counts_who_is_locked_or_disabled() {
    let world = World::new("[lockout]\nafter = 1\nfirst = \"1m\"\ndisable_after = 2");
    let app = world.active("alice", "hotp").await;
    let locked = async || world.engine.status().await.unwrap().locked;
    assert_eq!(locked().await, 0);
    assert!(!world.granted("alice", &wrong(&app.code(0))).await);
    assert_eq!(locked().await, 1);
    world.clock.advance(60_000);
    assert_eq!(locked().await, 0);
    assert!(!world.granted("alice", &wrong(&app.code(0))).await);
    world.clock.advance(3_600_000);
    assert_eq!(locked().await, 1, "disabled until an administrator unlocks");
}

#[tokio::test]
async fn a_flood_of_refusals_is_recorded_in_sum() {
    let world = World::new("[lockout]\nafter = 100");
    let app = world.active("alice", "hotp").await;
    for _ in 0..15 {
        assert!(!world.granted("alice", &wrong(&app.code(0))).await);
    }
    assert_eq!(world.results().await.len(), 10);
    assert!(world.granted("alice", &app.code(0)).await, "a success is always recorded");
    world.clock.advance(1000);
    assert!(!world.granted("alice", b"").await);
    let records = world.engine.audit(AuditFilter::default()).await.unwrap();
    let detail = records.last().and_then(|record| record.detail.clone());
    assert_eq!(detail.as_deref(), Some("5 refusals before this one are not recorded"));
    assert_eq!(world.results().await.len(), 12);
}

#[tokio::test]
async fn another_spelling_of_a_name_waives_nothing() {
    let world = World::new(
        "[[policy]]\nname = \"alice\"\nmatch = { user = [\"alice\"] }\n\
         [[policy]]\nname = \"rollout\"\nmatch = { service = [\"sshd\"] }\nunenrolled = \"ignore\"\n\
         [[policy]]\nname = \"rest\"\nfactor = \"skip\"",
    );
    world.active("alice", "hotp").await;
    for service in ["sshd", "cron"] {
        let context =
            Context { service: Some(service.into()), nullok: Some(true), ..Context::default() };
        let (session, step) = world.engine.begin(&root(), "ALICE", context.clone()).await.unwrap();
        assert_eq!(step.kind(), Some(StepKind::Prompt), "{service}");
        let code = Zeroizing::new(b"123456".to_vec());
        let step = world.engine.respond(&root(), &session, code).await.unwrap();
        assert_eq!(step.kind(), Some(StepKind::Denied), "{service}");
        let (_, step) = world.engine.begin(&root(), "bob", context).await.unwrap();
        assert_eq!(step.kind(), Some(StepKind::NotRequired), "{service}");
    }
    let enrol = world
        .engine
        .enrol(&root(), Authority::Administrator, "ALICE", EnrolOptions::default())
        .await;
    assert!(matches!(enrol, Err(Error::InvalidArgument(text)) if text.contains("alice")));
    assert_eq!(world.engine.uid_of("ALICE").await, Ok(None));
    let begin = world.engine.begin(&user(ALICE), "ALICE", sshd()).await;
    assert!(matches!(begin, Err(Error::AccessDenied(_))));
}

#[tokio::test]
async fn a_user_cannot_flood_the_record_or_hide_behind_a_flood() {
    let world = World::new("");
    let app = world.active("alice", "hotp").await;
    for _ in 0..50 {
        let (caller, options) = (user(ALICE), ChangeOptions::default());
        let change = world.engine.issue_recovery_codes(&caller, Authority::Owner, "alice", options);
        assert_eq!(change.await.unwrap_err(), Error::ProofRequired);
    }
    let records = async || world.engine.audit(AuditFilter::default()).await.unwrap();
    assert_eq!(records().await.iter().filter(|r| r.event == "recovery").count(), 10);
    assert!(!world.granted("alice", &wrong(&app.code(0))).await);
    assert_eq!(world.results().await, ["wrong"], "logins are counted apart");
}

#[tokio::test]
async fn what_was_proven_to_polkit_must_still_be_so() {
    let world = World::new(SELF_SERVICE);
    let enrol = async |authority, proof| {
        let options =
            EnrolOptions { method: Some("hotp".into()), proof, ..EnrolOptions::default() };
        world.engine.enrol(&user(ALICE), authority, "alice", options).await.map(drop)
    };
    let reset_meanwhile = enrol(Authority::Owner, None).await;
    assert!(matches!(reset_meanwhile, Err(Error::AccessDenied(_))), "{reset_meanwhile:?}");
    enrol(Authority::FirstTime, None).await.unwrap();
    let app = world.active("alice", "hotp").await;
    let enrolled_meanwhile = enrol(Authority::FirstTime, None).await;
    assert_eq!(enrolled_meanwhile, Err(Error::ProofRequired));
    enrol(Authority::Owner, Some(app.code(0))).await.unwrap();
}

#[tokio::test]
async fn a_token_that_is_active_at_once_ends_what_was_pending() {
    let world = World::new(SELF_SERVICE);
    let pending = world.enrol("alice", EnrolOptions::default()).await;
    world.active("alice", "totp").await;
    let code = Zeroizing::new(pending.code(world.now_step()));
    let confirm = world.engine.confirm(&user(ALICE), "alice", &pending.id, code).await;
    assert_eq!(confirm, Err(Error::UnknownToken));
}

#[tokio::test]
async fn the_owner_cannot_end_what_an_administrator_disabled() {
    let world = World::new("");
    let (stolen, own) = (world.active("alice", "hotp").await, world.active("alice", "hotp").await);
    let disable = async |authority, until, proof| {
        let options = ChangeOptions { until, proof, ..ChangeOptions::default() };
        world.engine.disable(&user(ALICE), authority, "alice", &stolen.id, options).await
    };
    disable(Authority::Administrator, None, None).await.unwrap();
    let soon = Some(START_MS + 1000);
    let again = disable(Authority::Owner, soon, Some(own.code(0))).await;
    assert!(matches!(again, Err(Error::WrongState(_))), "{again:?}");
    world.clock.advance(2000);
    assert!(!world.granted("alice", &stolen.code(0)).await);
}

#[tokio::test]
async fn a_method_that_no_app_can_follow_makes_no_token() {
    let world =
        World::new("[[method]]\nname = \"odd\"\ntime_step = \"1500ms\"\ndirectories = [\"local\"]");
    let options = EnrolOptions { method: Some("odd".into()), ..EnrolOptions::default() };
    let enrol =
        world.engine.enrol(&root(), Authority::Administrator, "alice", options).await.map(drop);
    assert!(matches!(enrol, Err(Error::InvalidArgument(_))), "{enrol:?}");
    assert_eq!(world.engine.tokens(TokenFilter::default()).await.unwrap().1, 0);
}

#[tokio::test]
async fn a_configuration_that_is_gone_is_no_wish_for_the_defaults() {
    let world = World::new("[lockout]\nafter = 7");
    std::fs::remove_file(world.folder.path().join("otpd.toml")).unwrap();
    assert!(world.engine.reload().is_err());
    assert_eq!(world.engine.config().config.lockout.after, 7);
}

#[tokio::test]
async fn a_trusted_caller_logs_in_more_than_a_user_may() {
    let world = World::new(
        "[bus]\ntrusted_callers = [1001]\n[limits]\nsessions = 100\nsessions_per_user = 2",
    );
    let begin = async |uid, name| world.engine.begin(&user(uid), name, sshd()).await.map(drop);
    for _ in 0..2 {
        begin(ALICE, "alice").await.unwrap();
    }
    assert!(matches!(begin(ALICE, "alice").await, Err(Error::Busy(_))));
    for _ in 0..20 {
        begin(1001, "alice").await.unwrap();
    }
    world.engine.leave_bus();
    assert_eq!(world.engine.waiting(), 0);
}
