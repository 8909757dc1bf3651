//! Which policy a login falls under, as the engine finds out about it.

use otp_ipc::{ExplainDocument, ExplainQuery};

use super::*;

fn from(service: &str, address: Option<&str>) -> Context {
    Context {
        service: Some(service.into()),
        rhost: address.map(str::to_owned),
        ssh_connection: address.map(|address| format!("{address} 50000 192.0.2.1 22")),
        ..Context::default()
    }
}

async fn begun(world: &World, name: &str, context: Context) -> Option<StepKind> {
    world.engine.begin(&root(), name, context).await.unwrap().1.kind()
}

/// The last record's result and detail.
async fn recorded(world: &World) -> (String, String) {
    let last = world.engine.audit(AuditFilter::default()).await.unwrap().pop().unwrap();
    (last.result, last.detail.unwrap_or_default())
}

async fn explained(world: &World, name: &str, query: ExplainQuery) -> ExplainDocument {
    world.engine.explain(name, query).await.unwrap()
}

const STAFF: &str =
    "[[policy]]\nname = \"staff\"\nmatch = { group = [\"staff\"] }\nfactor = \"skip\"";

#[tokio::test]
async fn l06_a_group_decides() {
    let world = World::new(STAFF);
    assert_eq!(begun(&world, "alice", sshd()).await, Some(StepKind::NotRequired));
    assert_eq!(recorded(&world).await, ("skipped".into(), "policy \"staff\"".into()));
    assert_eq!(begun(&world, "bob", sshd()).await, Some(StepKind::Prompt));
    assert_eq!(begun(&world, "nobody", sshd()).await, Some(StepKind::Prompt));
    assert_eq!(begun(&world, "../x", sshd()).await, Some(StepKind::Prompt));
    // Another spelling of alice is in alice's groups, and nothing is waived for it.
    assert_eq!(begun(&world, "ALICE", sshd()).await, Some(StepKind::Prompt));
    assert!(world.engine.problems().is_empty());
}

/// The groups cannot be looked up: a code is required, the record says so, and so does the status.
#[tokio::test]
async fn l06_groups_that_cannot_be_looked_up_require_the_code_and_are_told() {
    for (name, why) in [
        ("broken", "the user database does not answer: no route to host"),
        ("silent", "the user database is silent for 5 s"),
    ] {
        let world = World::new(STAFF);
        let (session, step) = world.engine.begin(&root(), name, sshd()).await.unwrap();
        assert_eq!(step, Step::prompt("Verification code: ", false, None), "as for everybody");
        let reply = Zeroizing::new(b"123456".to_vec());
        let step = world.engine.respond(&root(), &session, reply).await.unwrap();
        assert_eq!(step, Step::bare(StepKind::Denied));
        let detail = "policy \"staff\": groups cannot be looked up, so a code is required";
        assert_eq!(recorded(&world).await, ("unenrolled".into(), detail.into()));
        assert_eq!(world.engine.problems(), [format!("groups: {why}")]);
        assert_eq!(begun(&world, "alice", sshd()).await, Some(StepKind::NotRequired));
        assert!(world.engine.problems().is_empty(), "it answers again");
    }
}

/// Nobody asks the directory where no rule that may decide depends on groups.
#[tokio::test]
async fn groups_are_looked_up_only_where_they_matter() {
    let world = World::new(&format!(
        "[[policy]]\nname = \"ssh\"\nmatch = {{ service = [\"sshd\"] }}\nfactor = \"skip\"\n{STAFF}"
    ));
    let soon =
        tokio::time::timeout(std::time::Duration::from_secs(2), begun(&world, "silent", sshd()));
    assert_eq!(soon.await, Ok(Some(StepKind::NotRequired)));
    assert_eq!(begun(&world, "broken", from("su", None)).await, Some(StepKind::Prompt));
}

#[tokio::test]
async fn l06_a_source_decides_and_an_unknown_one_waives_nothing() {
    let world = World::new(
        "[[policy]]\nname = \"banned\"\nmatch = { source = [\"192.0.2.66\"] }\nfactor = \"deny\"\n\
         [[policy]]\nname = \"office\"\nmatch = { source = [\"10.0.0.0/8\", \"2001:db8::/32\", \"local\"] }\nfactor = \"skip\"",
    );
    let alice = world.active("alice", "totp").await;
    for (address, kind) in [
        (Some("10.1.2.3"), StepKind::NotRequired),
        (Some("::ffff:10.1.2.3"), StepKind::NotRequired),
        (Some("2001:db8::7"), StepKind::NotRequired),
        (None, StepKind::NotRequired),
        (Some("192.0.2.7"), StepKind::Prompt),
        (Some("UNKNOWN"), StepKind::Prompt),
    ] {
        assert_eq!(begun(&world, "alice", from("sshd", address)).await, Some(kind), "{address:?}");
    }
    let code = alice.code(world.now_step());
    // Whoever is banned is, and so is whoever may be: not even the right code helps.
    let named = Context { rhost: Some("host.example".into()), ..from("sshd", None) };
    for (context, why) in [
        (from("sshd", Some("192.0.2.66")), ""),
        (named, ": whether it matches is unknown, and it is the stricter one"),
    ] {
        let (session, _) = world.engine.begin(&root(), "alice", context).await.unwrap();
        let reply = Zeroizing::new(code.clone());
        let step = world.engine.respond(&root(), &session, reply).await.unwrap();
        assert_eq!(step, Step::bare(StepKind::Denied));
        assert_eq!(recorded(&world).await, ("denied".into(), format!("policy \"banned\"{why}")));
    }
}

/// 1 800 000 000 is Friday, 15 January 2027, 08:00 UTC.
#[tokio::test]
async fn l06_the_time_decides_and_a_prompt_keeps_the_time_at_which_it_began() {
    let world = World::new(
        "[[policy]]\nname = \"night\"\nmatch = { time = \"18:00-08:00\" }\nfactor = \"deny\"\n\
         [[policy]]\nname = \"day\"\nmatch = { time = \"Mon..Fri 08:00-18:00\" }",
    );
    let alice = world.active("alice", "hotp").await;
    assert!(world.granted("alice", &alice.code(0)).await, "08:00");
    world.clock.advance(10 * 3_600_000 - 1_000);
    let (session, _) = world.engine.begin(&root(), "alice", sshd()).await.unwrap();
    world.clock.advance(2_000);
    let reply = Zeroizing::new(alice.code(1));
    let step = world.engine.respond(&root(), &session, reply).await.unwrap();
    assert_eq!(step.kind(), Some(StepKind::Granted), "the prompt came at 17:59:59");
    assert!(!world.granted("alice", &alice.code(2)).await, "18:00:01");
    assert_eq!(recorded(&world).await, ("denied".into(), "policy \"night\"".into()));
}

/// The rules change while somebody is at the prompt: what was found out still holds, and what was
/// not asked for counts as unknown.
#[tokio::test]
async fn a_reload_between_prompt_and_answer_is_safe() {
    let world = World::new("");
    let alice = world.active("alice", "hotp").await;
    let answer = async |session: &str, code: Vec<u8>| {
        world.engine.respond(&root(), session, Zeroizing::new(code)).await.unwrap().kind()
    };
    let reload = |text: &str| {
        write_configuration(&world.folder.path().join("otpd.toml"), text);
        world.engine.reload().unwrap();
    };
    let (session, _) = world.engine.begin(&root(), "alice", sshd()).await.unwrap();
    reload(STAFF);
    assert_eq!(answer(&session, wrong(&alice.code(0))).await, Some(StepKind::Denied));
    let (session, _) = world.engine.begin(&root(), "bob", sshd()).await.unwrap();
    reload(&STAFF.replace("skip", "deny"));
    assert_eq!(answer(&session, alice.code(0)).await, Some(StepKind::Denied));
    let (session, _) = world.engine.begin(&root(), "alice", sshd()).await.unwrap();
    reload("");
    // It was begun under a policy that denies.
    assert_eq!(answer(&session, alice.code(0)).await, Some(StepKind::Denied));
    assert!(world.granted("alice", &alice.code(0)).await);
}

#[tokio::test]
async fn x03_a_group_lets_users_enrol_themselves() {
    let world = World::new(
        "[[policy]]\nname = \"own\"\nmatch = { service = [\"otpctl\"], group = [\"staff\"], source = [\"local\"] }\nenrol = [\"totp\"]",
    );
    let enrol = async |uid, name| {
        let authority = Authority::FirstTime;
        world.engine.enrol(&user(uid), authority, name, EnrolOptions::default()).await
    };
    enrol(ALICE, "alice").await.unwrap();
    assert!(matches!(enrol(1001, "bob").await, Err(Error::Forbidden(_))));
}

#[tokio::test]
async fn an_explanation_names_the_rule_and_why_none_before_it_decides() {
    let world = World::new(
        "[[policy]]\nname = \"root\"\nmatch = { user = [\"root\"], terminal = [\"tty*\"] }\nfactor = \"skip\"\n\
         [[policy]]\nname = \"staff\"\nmatch = { group = [\"staff\"], source = [\"10.0.0.0/8\"], time = \"Sat\" }\nunenrolled = \"ignore\"\n\
         [[policy]]\nname = \"office\"\nmatch = { source = [\"10.0.0.0/8\"] }\nfactor = \"skip\"\n\
         [[policy]]\nname = \"ssh\"\nmatch = { service = [\"sshd\"], client = [\"unknown\"] }\nmethods = [\"totp\"]\nremember = \"8h\"",
    );
    let ask = |source: &str| ExplainQuery {
        service: Some("sshd".into()),
        source: Some(source.into()),
        tty: Some("ssh".into()),
        ..ExplainQuery::default()
    };
    let found = explained(&world, "alice", ask("203.0.113.7")).await;
    let passed: Vec<_> = found
        .passed
        .iter()
        .map(|one| {
            let (policy, key, wanted) = (&one.policy, &one.key, one.wanted.join(" "));
            format!("{policy}: {key} {wanted}: {} {}", one.found, one.certain)
        })
        .collect();
    assert_eq!(
        passed,
        [
            "root: user root: alice true",
            "root: terminal tty*: ssh true",
            "staff: source 10.0.0.0/8: 203.0.113.7 true",
            "staff: time Sat: Fri 08:00 true",
            "office: source 10.0.0.0/8: 203.0.113.7 true",
        ]
    );
    assert_eq!(
        (found.policy.as_str(), found.built_in, found.cause.as_str()),
        ("ssh", false, "matches")
    );
    assert_eq!((found.account.as_deref(), found.enrolled), (Some("alice"), Some(false)));
    assert_eq!((found.outcome.as_str(), found.remember_ms), ("deny", Some(28_800_000)));
    assert_eq!(found.groups, Some(vec!["alice".to_owned(), "staff".to_owned()]));
    assert_eq!(
        (found.methods, found.local_time.as_deref()),
        (vec!["totp".to_owned()], Some("Fri 08:00"))
    );

    world.active("alice", "totp").await;
    assert_eq!(explained(&world, "alice", ask("203.0.113.7")).await.outcome, "code");
    let office = explained(&world, "alice", ask("10.0.0.1")).await;
    assert_eq!((office.policy.as_str(), office.outcome.as_str()), ("office", "skip"));
    let saturday = ExplainQuery { time: Some(START_MS + 86_400_000), ..ask("10.0.0.1") };
    let saturday_alice = explained(&world, "alice", saturday.clone()).await;
    assert_eq!(
        (saturday_alice.policy.as_str(), saturday_alice.outcome.as_str()),
        ("staff", "code")
    );
    // A name that is nowhere, one that is spelt otherwise, and one whose groups are unknown.
    let unknown = explained(&world, "nobody", ask("10.0.0.1")).await;
    assert_eq!((unknown.account, unknown.directory), (None, None));
    assert_eq!(unknown.outcome, "skip");
    let alias = explained(&world, "Alice", ask("10.0.0.1")).await;
    assert_eq!((alias.account.as_deref(), alias.outcome.as_str()), (Some("alice"), "deny"));
    let broken = explained(&world, "broken", saturday).await;
    assert_eq!((broken.groups, broken.cause.as_str()), (None, "groups"));
    assert_eq!((broken.policy.as_str(), broken.outcome.as_str()), ("staff", "deny"));
    // A host name may be anywhere.
    let named = explained(&world, "alice", ask("host.example")).await;
    assert_eq!((named.policy.as_str(), named.source.as_str()), ("ssh", "unknown"));
    assert!(named.passed.iter().any(|one| one.policy == "office" && !one.certain));
    // Nothing said: at the console, now.
    let console = explained(&world, "root", ExplainQuery::default()).await;
    assert_eq!((console.policy.as_str(), console.built_in), ("built-in", true));
    assert_eq!((console.source.as_str(), console.time), ("local", START_MS));
    let nobody = world.engine.explain("../x", ExplainQuery::default()).await;
    assert!(matches!(nobody, Err(Error::InvalidArgument(_))));
}

/// What is explained is what happens, for every way in which it can end.
#[tokio::test]
async fn an_explanation_agrees_with_the_login() {
    for (keys, name, expected, kind) in [
        ("factor = \"skip\"", "alice", "skip", StepKind::NotRequired),
        ("factor = \"skip\"", "nobody", "skip", StepKind::NotRequired),
        ("factor = \"deny\"", "alice", "deny", StepKind::Prompt),
        ("", "alice", "code", StepKind::Prompt),
        ("", "bob", "deny", StepKind::Prompt),
        ("unenrolled = \"ignore\"", "alice", "code", StepKind::Prompt),
        ("unenrolled = \"ignore\"", "bob", "ignore", StepKind::NotRequired),
    ] {
        let world = World::new(&format!("[[policy]]\nname = \"p\"\n{keys}"));
        world.active("alice", "totp").await;
        let told = explained(&world, name, ExplainQuery::default()).await;
        assert_eq!(told.outcome, expected, "{keys} {name}");
        let context = Context { nullok: Some(true), ..Context::default() };
        assert_eq!(begun(&world, name, context).await, Some(kind), "{keys} {name}");
    }
}

/// Password and code in one field, at the services that a policy names and at no other.
#[tokio::test]
async fn x06_one_field_is_a_matter_of_the_service_and_the_group() {
    let world = World::new(
        "[[policy]]\nname = \"one field\"\nmatch = { service = [\"vsftpd\"], group = [\"staff\"] }\nconcatenate = true",
    );
    world.active("alice", "totp").await;
    let split = async |service: &str, name: &str| {
        let context = Context { concatenated: Some(true), ..from(service, None) };
        let (_, step) = world.engine.begin(&root(), name, context).await.unwrap();
        step.split()
    };
    assert_eq!(split("vsftpd", "alice").await, Some(6));
    assert_eq!(split("sshd", "alice").await, None);
    assert_eq!(split("vsftpd", "bob").await, None);
    // What the field is does not change while the groups are unknown: a code comes in it.
    assert_eq!(split("vsftpd", "broken").await, Some(6));
}

#[tokio::test]
async fn the_policies_are_listed_in_order() {
    let world = World::new(STAFF);
    let listed = world.engine.policies();
    let [staff, last] = listed.as_slice() else { panic!("{listed:?}") };
    assert_eq!((staff.name.as_str(), staff.factor.as_str()), ("staff", "skip"));
    assert_eq!((staff.group.as_slice(), staff.built_in), (&["staff".to_owned()][..], false));
    assert_eq!(
        (last.name.as_str(), last.factor.as_str(), last.built_in),
        ("built-in", "require", true)
    );
}

/// A change counts when it has come to rest; a bad one is noticed once and changes nothing.
#[tokio::test]
async fn g14_changed_files_are_noticed_once_and_a_bad_one_leaves_the_last_good_one() {
    let world = World::new(STAFF);
    let write = |text: &str| write_configuration(&world.folder.path().join("otpd.toml"), text);
    let looks = |times: usize| -> usize {
        let look = || {
            let changed = world.engine.configuration_changed();
            if changed {
                let _ = world.engine.reload();
            }
            changed
        };
        (0..times).filter(|_| look()).count()
    };
    assert_eq!(looks(3), 0);
    write("[[policy]]\nname = \"x\"\nfactor = \"maybe\"");
    assert_eq!(looks(5), 1, "a bad one is read once");
    assert_eq!(begun(&world, "alice", sshd()).await, Some(StepKind::NotRequired));
    assert!(world.engine.problems()[0].contains("factor"), "{:?}", world.engine.problems());
    write("");
    assert_eq!(looks(1), 0, "it may still be written");
    assert_eq!(looks(4), 1);
    assert_eq!(begun(&world, "alice", sshd()).await, Some(StepKind::Prompt));
    assert!(world.engine.problems().is_empty());
    // What was read for another reason is not read again.
    write(STAFF);
    world.engine.reload().unwrap();
    assert_eq!(looks(5), 0);
}

/// What the register says of the client is part of the answer, where it is enforced.
#[tokio::test]
async fn a_client_that_is_not_let_in_is_explained() {
    let query = |service: &str, client: Option<&str>| ExplainQuery {
        service: Some(service.into()),
        client: client.map(Into::into),
        ..ExplainQuery::default()
    };
    let world = World::new("[clients]\nenforce = [\"sshd\"]");
    world.active("alice", "totp").await;
    let options =
        otp_ipc::ClientOptions { identity: Some("192.0.2.7".into()), ..Default::default() };
    world.engine.add_client(&root(), "alice", options).await.unwrap();
    for (service, client, outcome, refused) in [
        ("sshd", Some("192.0.2.7"), "code", None),
        ("sshd", Some("192.0.2.8"), "deny", Some("client unknown: 192.0.2.8")),
        ("sshd", None, "deny", Some("client unknown: none")),
        ("sudo", None, "code", None),
    ] {
        let found = explained(&world, "alice", query(service, client)).await;
        let told = (found.outcome.as_str(), found.refused.as_deref());
        assert_eq!(told, (outcome, refused), "{service} {client:?}");
    }
}
