//! The register of clients, and clients that need not repeat the code.

use otp_ipc::{ClientDocument, ClientFilter, ClientOptions, IssueOptions};

use super::{issued::remote, *};

const ADDRESS: &str = "192.168.3.118";
const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIAK46h049LXws5PFeiJ6NXHstpcI/2UYfXGQ3tt6ICEH";
const PRINT: &str = "SHA256:8CUNSmOSkpl5EmG7Fy3xHppBa0fnrb/jsZ1rEGt04vQ";
const OTHER_KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIAK46h049LXws5PFeiJ6NXHstpcI/2UYfXGQ3tt6ICEI";

fn named(description: &str, identity: Option<&str>) -> ClientOptions {
    ClientOptions {
        description: Some(description.into()),
        identity: identity.map(Into::into),
        ..ClientOptions::default()
    }
}

fn enabling(text: &str) -> ClientOptions {
    ClientOptions { enabling: Some(text.into()), ..ClientOptions::default() }
}

impl World {
    async fn register(&self, name: &str, options: ClientOptions) -> Result<String, Error> {
        self.engine.add_client(&root(), name, options).await
    }

    async fn clients(&self, filter: ClientFilter) -> Vec<ClientDocument> {
        self.engine.clients(Authority::Administrator, filter).await.unwrap().0
    }

    async fn all_clients(&self) -> Vec<ClientDocument> {
        let filter = ClientFilter { show_identities: Some(true), ..ClientFilter::default() };
        self.clients(filter).await
    }

    /// How a login ends that is answered with `code` where it is asked.
    async fn from(&self, context: Context, code: &[u8]) -> Option<StepKind> {
        let (session, step) = self.engine.begin(&root(), "alice", context).await.unwrap();
        if step.kind() != Some(StepKind::Prompt) {
            return step.kind();
        }
        let code = Zeroizing::new(code.to_vec());
        self.engine.respond(&root(), &session, code).await.unwrap().kind()
    }

    async fn details(&self) -> Vec<String> {
        let records = self.audit("login").await;
        records.into_iter().map(|record| record.detail.unwrap_or_default()).collect()
    }

    /// Asked for a code, or granted at once.
    async fn asked(&self, context: Context) -> bool {
        let (session, step) = self.engine.begin(&root(), "alice", context).await.unwrap();
        if step.kind() == Some(StepKind::Granted) {
            assert_eq!((session.as_str(), &step), ("", &Step::bare(StepKind::Granted)));
            return false;
        }
        self.engine.cancel(&root(), &session).unwrap();
        true
    }
}

fn by_key(key: &str, address: &str) -> Context {
    let connection = format!("{address} 50000 192.168.3.1 22");
    let (rhost, ssh_key) = (Some(address.to_owned()), Some(key.to_owned()));
    Context { ssh_key, rhost, ssh_connection: Some(connection), ..sshd() }
}

#[tokio::test]
async fn t10_where_it_is_enforced_only_registered_and_enabled_clients_log_in() {
    let world = World::new("[clients]\nenforce = [\"sshd\"]");
    let app = world.active("alice", "hotp").await;
    assert_eq!(world.from(remote(), &app.code(0)).await, Some(StepKind::Denied));
    let id = world.register("alice", named("tablet", Some(ADDRESS))).await.unwrap();
    assert_eq!(world.from(remote(), &app.code(0)).await, Some(StepKind::Granted));
    world.engine.set_client(&root(), &id, enabling("disabled")).await.unwrap();
    assert_eq!(world.from(remote(), &app.code(1)).await, Some(StepKind::Denied));
    world.engine.set_client(&root(), &id, enabling("always")).await.unwrap();
    assert_eq!(world.from(by_key(KEY, ADDRESS), &app.code(1)).await, Some(StepKind::Denied));
    assert_eq!(world.from(remote(), &app.code(1)).await, Some(StepKind::Granted));
    // Elsewhere anybody may.
    let sudo = Context { service: Some("sudo".into()), ..remote() };
    world.engine.remove_client(&root(), Authority::Administrator, &id).await.unwrap();
    assert_eq!(world.from(sudo, &app.code(2)).await, Some(StepKind::Granted));
    assert_eq!(world.from(remote(), &app.code(3)).await, Some(StepKind::Denied));
    let details = world.details().await;
    assert_eq!(details[0], format!("client unknown: {ADDRESS}"));
    assert_eq!(details[2], format!("client disabled: {ADDRESS}"));
    assert_eq!(details[3], format!("client unknown: {PRINT}"));
    let records = world.audit("login").await;
    assert!(records.iter().all(|record| ["ok", "denied"].contains(&record.result.as_str())));
    // Nothing was charged for it.
    let filter = otp_ipc::UserFilter { user: Some("alice".into()), ..Default::default() };
    assert_eq!(world.engine.users(filter).await.unwrap().0[0].failures, 0);
}

#[tokio::test]
async fn t11_identities_are_masked_unless_an_administrator_asks() {
    let world = World::new("");
    world.register("alice", named("Android", Some("DA3F-77"))).await.unwrap();
    world.register("alice", named("EnvisionClient", None)).await.unwrap();
    world.engine.set_administrator(&root(), "alice", true).await.unwrap();
    let masked = world.clients(ClientFilter::default()).await;
    let identities: Vec<_> = masked.iter().map(|client| client.identity.as_str()).collect();
    assert_eq!(identities, ["************************************", ""]);
    assert_eq!(masked[0].identity.len(), 36);
    assert!(masked[0].administrator && masked[0].enabled);
    assert_eq!(world.all_clients().await[0].identity, "DA3F-77");
    let filter = ClientFilter { show_identities: Some(true), ..ClientFilter::default() };
    let owner = world.engine.clients(Authority::Owner, filter).await;
    assert!(matches!(owner, Err(Error::AccessDenied(_))));
    // Nobody finds out an identity that is masked by searching for it.
    let search = |show: Option<bool>| ClientFilter {
        search: Some("DA3F".into()),
        show_identities: show,
        ..ClientFilter::default()
    };
    assert_eq!(world.clients(search(None)).await.len(), 0);
    assert_eq!(world.clients(search(Some(true))).await.len(), 1);
}

#[tokio::test]
async fn t12_the_client_after_the_last_is_refused_and_nothing_stored() {
    let world = World::new("[clients]\nmost = 3");
    for (name, identity) in [("alice", "a"), ("alice", "b"), ("bob", "c")] {
        world.register(name, named("", Some(identity))).await.unwrap();
    }
    for name in ["alice", "root"] {
        let refused = world.register(name, named("", Some("d"))).await;
        assert!(matches!(refused, Err(Error::LimitReached(_))), "{refused:?}");
    }
    let status = world.engine.status().await.unwrap();
    assert_eq!((status.clients, status.clients_most, status.users), (3, 3, 2));
    let id = world.all_clients().await[0].id.clone();
    world.engine.remove_client(&root(), Authority::Administrator, &id).await.unwrap();
    world.register("root", named("", Some("d"))).await.unwrap();
    assert_eq!(World::new("").engine.status().await.unwrap().clients_most, 999);
}

#[tokio::test]
async fn t12_the_thousandth_client_is_one_too_many() {
    let world = World::new("");
    let fill = |work: &mut crate::store::Work<'_>| {
        let account = work.account.get_or_insert_with(Default::default);
        account.clients = (0..999)
            .map(|number| otp_core::client::Client {
                id: format!("{number:032x}"),
                description: String::new(),
                identity: None,
                enabling: otp_core::client::Enabling::Always,
                push: false,
                created_ms: START_MS,
                last_ms: None,
                last_source: None,
                remembered: None,
            })
            .collect();
    };
    world.engine.transact("alice", fill).await.unwrap();
    let refused = world.register("bob", named("one more", None)).await;
    assert!(matches!(refused, Err(Error::LimitReached(_))), "{refused:?}");
    let status = world.engine.status().await.unwrap();
    assert_eq!((status.clients, status.users), (999, 1));
}

#[tokio::test]
async fn t13_the_last_client_is_known_whether_it_was_let_in_or_not() {
    let world = World::new("[clients]\nenforce = true");
    let last = async || {
        let status = world.engine.status().await.unwrap();
        (status.last_client, status.last_client_source)
    };
    assert_eq!(last().await, (None, None));
    let told = |identity: &str, source: &str| (Some(identity.into()), Some(source.into()));
    for (context, expected) in [
        (remote(), told(ADDRESS, ADDRESS)),
        (by_key(KEY, "2001:db8::1"), told(PRINT, "2001:db8::1")),
        (Context { tty: Some("/dev/tty1".into()), ..sshd() }, told("tty1", "local")),
        (sshd(), (None, Some("local".into()))),
    ] {
        assert_eq!(world.from(context, b"123456").await, Some(StepKind::Denied));
        assert_eq!(last().await, expected);
    }
    // What others than root and trusted callers say of themselves is not noted.
    world.engine.begin(&user(ALICE), "alice", remote()).await.unwrap();
    assert_eq!(last().await, (None, Some("local".into())));
}

#[tokio::test]
async fn t14_an_empty_or_a_second_id_is_refused() {
    let world = World::new("");
    world.register("alice", named("a", Some("x"))).await.unwrap();
    let twice = world.register("alice", named("b", Some("x"))).await;
    assert!(matches!(twice, Err(Error::WrongState(_))));
    let empty = world.register("alice", named("b", Some(""))).await;
    assert!(matches!(empty, Err(Error::InvalidArgument(_))));
    let empty = world.register("bob", named("b", Some(" "))).await;
    assert!(matches!(empty, Err(Error::InvalidArgument(_))));
    // Nothing is left of what was refused, not even an account.
    assert_eq!(world.all_clients().await.len(), 1);
    assert_eq!(world.engine.status().await.unwrap().users, 1);
    let other = world.register("alice", named("b", Some("y"))).await.unwrap();
    let same = ClientOptions { identity: Some("x".into()), ..ClientOptions::default() };
    assert!(world.engine.set_client(&root(), &other, same).await.is_err());
    let now = world.all_clients().await;
    assert_eq!((now[1].identity.as_str(), now[1].description.as_str()), ("y", "b"));
    let nobody = world.register("nobody", named("", None)).await;
    assert_eq!(nobody, Err(Error::UnknownUser("nobody".into())));
}

#[tokio::test]
async fn t16_enabling_and_push_are_kept_as_they_were_set() {
    let world = World::new("");
    let id = world.register("alice", named("Android", None)).await.unwrap();
    for (text, enabled) in
        [("disabled", Some(false)), ("always", Some(true)), ("Mon..Fri 08:00-18:00", None)]
    {
        let options = ClientOptions { push: Some(text == "always"), ..enabling(text) };
        world.engine.set_client(&root(), &id, options).await.unwrap();
        let now = world.all_clients().await.remove(0);
        assert_eq!((now.enabling.as_str(), now.push), (text, text == "always"));
        assert!(enabled.is_none_or(|enabled| now.enabled == enabled), "{text}");
        assert_eq!(now.description, "Android");
    }
    let refused = world.engine.set_client(&root(), &id, enabling("sometimes")).await;
    assert!(matches!(refused, Err(Error::InvalidArgument(_))));
    let unknown = world.engine.set_client(&root(), "x", enabling("always")).await;
    assert_eq!(unknown, Err(Error::UnknownClient));
}

#[tokio::test]
async fn t17_a_client_that_is_removed_takes_its_code_along() {
    let world = World::new("[issued]\nenabled = true");
    let id = world.register("alice", named("Android", None)).await.unwrap();
    let (_, code) =
        world.issue("alice", IssueOptions { client: Some(id.clone()), ..Default::default() }).await;
    world.engine.remove_client(&root(), Authority::Administrator, &id).await.unwrap();
    let kind = world.in_place("alice", &code, remote()).await.unwrap();
    assert_eq!(kind, Some(StepKind::Denied));
    let again = world.engine.remove_client(&root(), Authority::Administrator, &id).await;
    assert_eq!(again, Err(Error::UnknownClient));
}

#[tokio::test]
async fn t19_the_code_of_a_client_binds_it_to_where_it_was_given() {
    let world = World::new("[issued]\nenabled = true\n[clients]\nenforce = true");
    let app = world.active("alice", "hotp").await;
    let id = world.register("alice", named("Android", None)).await.unwrap();
    let (_, of_nobody) = world.issue("alice", IssueOptions::default()).await;
    let options = IssueOptions { client: Some(id.clone()), ..IssueOptions::default() };
    let (_, code) = world.issue("alice", options).await;
    // From a client that is not registered only the code is good that registers one.
    let give = async |code: &[u8]| world.in_place("alice", code, remote()).await.unwrap();
    assert_eq!(give(&of_nobody).await, Some(StepKind::Denied));
    assert_eq!(world.from(remote(), &app.code(0)).await, Some(StepKind::Denied));
    assert_eq!(give(&code).await, Some(StepKind::Granted));
    let bound = world.all_clients().await.remove(0);
    assert_eq!((bound.id, bound.identity.as_str()), (id, ADDRESS));
    assert_eq!(bound.last, Some(START_MS));
    assert_eq!(bound.last_source.as_deref(), Some(ADDRESS));
    assert_eq!(world.from(remote(), &app.code(0)).await, Some(StepKind::Granted));
    // As a second factor as well, for another device.
    let id = world.register("alice", named("Windows_10_(10.0)", None)).await.unwrap();
    let options = IssueOptions { client: Some(id.clone()), ..IssueOptions::default() };
    let (_, code) = world.issue("alice", options).await;
    assert_eq!(world.from(by_key(KEY, ADDRESS), &code).await, Some(StepKind::Granted));
    assert_eq!(world.all_clients().await[1].identity, PRINT);
    // On the word of those only who are believed.
    let id = world.register("alice", named("phone", None)).await.unwrap();
    let options = IssueOptions { client: Some(id), ..IssueOptions::default() };
    let (_, code) = world.issue("alice", options).await;
    let context = Context { mode: Some("issued".into()), ..by_key(OTHER_KEY, "192.0.2.1") };
    let (session, _) = world.engine.begin(&user(ALICE), "alice", context).await.unwrap();
    let step = world.engine.respond(&user(ALICE), &session, Zeroizing::new(code)).await.unwrap();
    assert_eq!(step.kind(), Some(StepKind::Granted));
    assert_eq!(world.all_clients().await[2].identity, "");
}

const REMEMBER: &str = "[[policy]]\nname = \"office\"\nmatch = { service = [\"sshd\", \"su\"] }\n\
    remember = \"8h\"\n[[policy]]\nname = \"all\"\nremember = \"8h\"\n";

#[tokio::test]
async fn a_remembered_client_skips_the_code_from_its_key_and_address() {
    let world = World::new(REMEMBER);
    let app = world.active("alice", "hotp").await;
    let own = || by_key(KEY, ADDRESS);
    assert!(world.asked(own()).await);
    assert_eq!(world.from(own(), &app.code(0)).await, Some(StepKind::Granted));
    assert!(!world.asked(own()).await);
    for other in [
        by_key(OTHER_KEY, ADDRESS),
        by_key(KEY, "192.168.3.119"),
        remote(),
        Context { service: Some("su".into()), ..own() },
        Context { mode: Some("challenge".into()), ..own() },
        Context { concatenated: Some(true), ..own() },
    ] {
        let (_, step) = world.engine.begin(&root(), "alice", other.clone()).await.unwrap();
        assert_eq!(step.kind(), Some(StepKind::Prompt), "{other:?}");
    }
    // Another user, and another caller than root.
    let (_, step) = world.engine.begin(&root(), "bob", own()).await.unwrap();
    assert_eq!(step.kind(), Some(StepKind::Prompt));
    let (_, step) = world.engine.begin(&user(ALICE), "alice", own()).await.unwrap();
    assert_eq!(step.kind(), Some(StepKind::Prompt));
    let skipped = world.audit("login").await.pop().unwrap();
    assert_eq!((skipped.result.as_str(), skipped.method.as_deref()), ("ok", Some("remembered")));
    let listed = world.all_clients().await.remove(0);
    assert_eq!(listed.identity, PRINT);
    assert_eq!(listed.service.as_deref(), Some("sshd"));
    assert_eq!(listed.until, Some(START_MS + 8 * 3_600_000));
    assert!(skipped.detail.unwrap().contains(&listed.id));
    world.clock.advance(8 * 3_600_000 - 1);
    assert!(!world.asked(own()).await);
    world.clock.advance(1);
    assert!(world.asked(own()).await);
}

#[tokio::test]
async fn nobody_is_remembered_by_a_terminal_at_sudo_or_on_another_s_word() {
    let world = World::new(REMEMBER);
    let app = world.active("alice", "hotp").await;
    let terminal = || Context { tty: Some("tty1".into()), ..sshd() };
    let sudo = || Context { service: Some("sudo".into()), ..remote() };
    assert_eq!(world.from(terminal(), &app.code(0)).await, Some(StepKind::Granted));
    assert_eq!(world.from(sudo(), &app.code(1)).await, Some(StepKind::Granted));
    let (session, _) = world.engine.begin(&user(ALICE), "alice", remote()).await.unwrap();
    let code = Zeroizing::new(app.code(2));
    let step = world.engine.respond(&user(ALICE), &session, code).await.unwrap();
    assert_eq!(step.kind(), Some(StepKind::Granted));
    assert_eq!(world.all_clients().await, []);
    for context in [terminal(), sudo(), remote()] {
        assert!(world.asked(context).await);
    }
    // Off unless a policy says so; sudo where the policy names it.
    let off = World::new("");
    let app = off.active("alice", "hotp").await;
    assert_eq!(off.from(remote(), &app.code(0)).await, Some(StepKind::Granted));
    assert_eq!(off.all_clients().await, []);
    let named = World::new(&REMEMBER.replace("\"su\"", "\"sudo\""));
    let app = named.active("alice", "hotp").await;
    assert_eq!(named.from(sudo(), &app.code(0)).await, Some(StepKind::Granted));
    assert!(!named.asked(sudo()).await);
}

#[tokio::test]
async fn what_was_remembered_is_forgotten_with_what_it_rested_on() {
    let admin = Authority::Administrator;
    for what in ["revoke", "disable", "reset", "remove", "lock", "deny", "policy", "contact"] {
        let world = World::new(&format!("{REMEMBER}[lockout]\nafter = 1"));
        let app = world.active("alice", "hotp").await;
        let second = world.active("alice", "totp").await;
        assert_eq!(world.from(remote(), &app.code(0)).await, Some(StepKind::Granted));
        assert!(!world.asked(remote()).await);
        let (engine, options) = (&world.engine, ChangeOptions::default());
        let configure = |text: &str| {
            write_configuration(&world.folder.path().join("otpd.toml"), text);
            engine.reload().unwrap();
        };
        match what {
            "revoke" => engine.revoke(&root(), admin, "alice", &second.id, options).await.unwrap(),
            "disable" => engine.disable(&root(), admin, "alice", &app.id, options).await.unwrap(),
            "reset" => engine.reset(&root(), "alice").await.unwrap(),
            "remove" => {
                let id = world.all_clients().await.remove(0).id;
                engine.remove_client(&user(ALICE), Authority::Owner, &id).await.unwrap();
            }
            "lock" => {
                let wrong = wrong(&app.code(5));
                let elsewhere = by_key(KEY, "192.0.2.9");
                assert_eq!(world.from(elsewhere, &wrong).await, Some(StepKind::Denied));
            }
            "deny" => configure("[[policy]]\nname = \"no\"\nfactor = \"deny\"\nremember = \"8h\""),
            "policy" => configure(""),
            _ => {
                let mobile = Some("+491701234581".to_owned());
                let options = otp_ipc::ContactOptions { mobile, ..Default::default() };
                engine.set_contact(&root(), "alice", options).await.unwrap();
            }
        }
        assert!(world.asked(remote()).await, "{what}");
    }
    // Owners do not remove what an administrator has registered.
    let world = World::new("");
    let id = world.register("alice", named("tablet", Some("x"))).await.unwrap();
    let refused = world.engine.remove_client(&user(ALICE), Authority::Owner, &id).await;
    assert!(matches!(refused, Err(Error::AccessDenied(_))));
}

#[tokio::test]
async fn t25_from_the_mark_to_a_client_that_logs_in() {
    let world = World::new("[clients]\nenforce = true");
    world.engine.set_administrator(&root(), "alice", true).await.unwrap();
    let enabled = "[issued]\nenabled = true\n[clients]\nenforce = true";
    write_configuration(&world.folder.path().join("otpd.toml"), enabled);
    world.engine.reload().unwrap();
    let id = world.register("bob", named("Android", None)).await.unwrap();
    let options = IssueOptions { client: Some(id), ..IssueOptions::default() };
    let issued = world.engine.issue_code(&user(ALICE), Authority::Issuer, "bob", options).await;
    let issued = issued.unwrap();
    let kind = world.in_place("bob", &issued.code, remote()).await.unwrap();
    assert_eq!(kind, Some(StepKind::Granted));
    let client = world.all_clients().await.remove(0);
    assert_eq!((client.identity.as_str(), client.description.as_str()), (ADDRESS, "Android"));
    let status = world.engine.status().await.unwrap();
    assert_eq!(status.last_client.as_deref(), Some(ADDRESS));
}

/// As `by_key`, on a line with `method=`.
fn only(method: &str) -> Context {
    Context { method: Some(method.into()), ..by_key(KEY, ADDRESS) }
}

#[tokio::test]
async fn one_method_of_a_login_is_not_remembered_as_the_other_that_the_stack_asks_for() {
    let world = World::new(REMEMBER);
    let (first, second) =
        (world.active("alice", "hotp").await, world.active("alice", "totp").await);
    assert_eq!(world.from(only("hotp"), &first.code(0)).await, Some(StepKind::Granted));
    assert!(world.asked(only("totp")).await, "the next line of the same stack");
    let code = second.code(world.now_step());
    assert_eq!(world.from(by_key(KEY, ADDRESS), &code).await, Some(StepKind::Granted));
    assert!(!world.asked(by_key(KEY, ADDRESS)).await);
    assert!(world.asked(only("totp")).await && world.asked(only("hotp")).await);
}

#[tokio::test]
async fn a_key_that_an_administrator_replaces_leaves_no_client_remembered() {
    let world = World::new(REMEMBER);
    let (app, _other) = (world.active("alice", "hotp").await, world.active("alice", "totp").await);
    assert_eq!(world.from(remote(), &app.code(0)).await, Some(StepKind::Granted));
    assert!(!world.asked(remote()).await);
    let options =
        otp_ipc::ShareOptions { reshare: Some(true), later: Some(true), ..Default::default() };
    let admin = Authority::Administrator;
    world.engine.share(&root(), admin, "alice", Some(&app.id), options).await.unwrap();
    assert!(world.asked(remote()).await);
}

#[tokio::test]
async fn t19_the_code_of_a_client_lets_no_other_one_in() {
    let world = World::new("[issued]\nenabled = true\n[clients]\nenforce = true");
    let id = world.register("alice", named("Android", None)).await.unwrap();
    let options = || IssueOptions { client: Some(id.clone()), uses: Some(3), ..Default::default() };
    let (_, code) = world.issue("alice", options()).await;
    let give = async |context| world.in_place("alice", &code, context).await.unwrap();
    assert_eq!(give(sshd()).await, Some(StepKind::Denied), "nothing tells it from others");
    assert_eq!(give(remote()).await, Some(StepKind::Granted));
    assert_eq!(give(by_key(KEY, "192.0.2.9")).await, Some(StepKind::Denied), "bound already");
    assert_eq!(give(remote()).await, Some(StepKind::Granted));
    assert_eq!(world.all_clients().await.len(), 1);
}

#[tokio::test]
async fn t10_a_client_that_is_not_let_in_is_shown_no_key_and_stores_none() {
    let policy = "[[policy]]\nname = \"p\"\nunenrolled = \"enrol\"\nenrol = [\"totp\"]\n";
    let world = World::new(&format!("[clients]\nenforce = true\n{policy}"));
    let (session, step) = world.engine.begin(&root(), "alice", remote()).await.unwrap();
    assert_eq!(step.kind(), Some(StepKind::Prompt));
    let word = Zeroizing::new(b"totp".to_vec());
    let step = world.engine.respond(&root(), &session, word).await.unwrap();
    assert_eq!(step, Step::bare(StepKind::Denied));
    // Nor is one adopted whose client is disabled while its key is on the screen.
    let id = world.register("alice", named("tablet", Some(ADDRESS))).await.unwrap();
    let (session, step) = world.engine.begin(&root(), "alice", remote()).await.unwrap();
    assert_eq!(step.kind(), Some(StepKind::NoticeThenPrompt));
    world.engine.set_client(&root(), &id, enabling("disabled")).await.unwrap();
    let shown = world.engine.sessions().word(&session, &root().connection).unwrap().shown.unwrap();
    let secret = Secret::new(Zeroizing::new(shown.offer.token.secret.expose().to_vec())).unwrap();
    let code = App { id: String::new(), secret }.code(world.now_step());
    let step = world.engine.respond(&root(), &session, Zeroizing::new(code)).await.unwrap();
    assert_eq!(step, Step::bare(StepKind::Denied));
    let filter = TokenFilter { user: Some("alice".into()), ..TokenFilter::default() };
    assert_eq!(world.engine.tokens(filter).await.unwrap().1, 0);
}

#[tokio::test]
async fn the_clients_and_secrets_of_a_name_are_not_inherited_with_it() {
    let world = World::new(
        "[[policy]]\nname = \"p\"\nmatch = { client = [\"known\"] }\nfactor = \"skip\"\n",
    );
    world.register("alice", named("tablet", Some(ADDRESS))).await.unwrap();
    let options = EnrolOptions { share: Some(true), ..EnrolOptions::default() };
    let admin = Authority::Administrator;
    world.engine.enrol(&root(), admin, "alice", options).await.unwrap();
    assert_eq!(world.from(remote(), b"").await, Some(StepKind::NotRequired));
    let before =
        |work: &mut crate::store::Work<'_>| work.account.as_mut().unwrap().uid = Some(4242);
    world.engine.transact("alice", before).await.unwrap();
    assert_eq!(world.from(remote(), b"123456").await, Some(StepKind::Denied));
    let (options, first) = (otp_ipc::ShareOptions::default(), Authority::FirstTime);
    let shown = world.engine.share(&user(ALICE), first, "alice", None, options).await;
    assert!(matches!(shown, Err(Error::WrongState(_))), "{shown:?}");
}
