//! Codes that administrators issue: who may, what they open, and what is left of them.

use otp_core::contact::Channel as Medium;
use otp_ipc::{AuditRecord, CodeDocument, CodeFilter, IssueOptions};

use super::{
    delivery::{MOBILE, Office},
    *,
};

const ON: &str = "[issued]\nenabled = true\n";

impl World {
    pub(super) async fn issue(&self, name: &str, options: IssueOptions) -> (String, Vec<u8>) {
        let issued = self.engine.issue_code(&root(), Authority::Administrator, name, options).await;
        let issued = issued.unwrap();
        (issued.id, issued.code.to_vec())
    }

    /// A login in which an issued code stands for the password.
    pub(super) async fn in_place(
        &self,
        name: &str,
        code: &[u8],
        context: Context,
    ) -> Result<Option<StepKind>, Error> {
        let context = Context { mode: Some("issued".into()), ..context };
        let (session, step) = self.engine.begin(&root(), name, context).await?;
        assert_eq!(step, Step::prompt("One-time code (Enter for the password): ", false, None));
        let code = Zeroizing::new(code.to_vec());
        Ok(self.engine.respond(&root(), &session, code).await?.kind())
    }

    async fn opens(&self, name: &str, code: &[u8]) -> bool {
        let kind = self.in_place(name, code, remote()).await.unwrap().unwrap();
        assert!(matches!(kind, StepKind::Granted | StepKind::Denied), "{kind:?}");
        kind == StepKind::Granted
    }

    async fn codes(&self) -> Vec<CodeDocument> {
        let filter = CodeFilter::default();
        self.engine.codes(&root(), Authority::Administrator, filter).await.unwrap().0
    }

    pub(super) async fn audit(&self, event: &str) -> Vec<AuditRecord> {
        let records = self.engine.audit(AuditFilter::default()).await.unwrap();
        records.into_iter().filter(|record| record.event == event).collect()
    }
}

pub(super) fn remote() -> Context {
    let connection = Some("192.168.3.118 50000 192.168.3.1 22".to_owned());
    Context { rhost: Some("192.168.3.118".into()), ssh_connection: connection, ..sshd() }
}

#[tokio::test]
async fn t01_what_is_switched_off_neither_issues_nor_lets_in() {
    let world = World::new("");
    let options = IssueOptions::default();
    let refused =
        world.engine.issue_code(&root(), Authority::Administrator, "alice", options).await;
    assert!(matches!(refused.map(drop), Err(Error::SwitchedOff(_))));
    let login = world.in_place("alice", b"77244244", remote()).await;
    assert!(matches!(login, Err(Error::SwitchedOff(_))), "{login:?}");
    assert!(world.codes().await.is_empty());
    let denied = world.audit("login").await;
    assert_eq!(denied[0].result, "denied");
    assert_eq!(denied[0].detail.as_deref(), Some("issued codes are switched off"));
    assert_eq!(world.audit("issue").await[0].result, "denied");
    // A code that was issued before opens nothing either, not even as the second factor.
    let world = World::new(ON);
    let (_, code) = world.issue("bob", IssueOptions::default()).await;
    write_configuration(&world.folder.path().join("otpd.toml"), "");
    world.engine.reload().unwrap();
    assert!(!world.granted("bob", &code).await);
}

#[tokio::test]
async fn t02_a_code_alone_opens_the_account_that_it_was_issued_to() {
    let world = World::new(ON);
    let (id, code) = world.issue("bob", IssueOptions::default()).await;
    assert_eq!(code.len(), 8);
    assert!(!world.opens("alice", &code).await);
    assert!(!world.opens("nobody", &code).await);
    assert!(!world.opens("../x", &code).await);
    assert!(world.opens("bob", &code).await);
    let granted = world.audit("login").await.pop().unwrap();
    assert_eq!((granted.result.as_str(), granted.method.as_deref()), ("ok", Some("issued")));
    assert!(granted.detail.unwrap().contains(&id));
    // A token's code does not, and neither does a recovery code.
    let app = world.active("alice", "totp").await;
    assert!(!world.opens("alice", &app.code(world.now_step())).await);
    assert!(world.granted("alice", &app.code(world.now_step())).await);
}

#[tokio::test]
async fn t03_who_is_marked_issues_codes_and_not_to_everybody() {
    let world = World::new(ON);
    let issue = async |uid, name: &str| {
        let options = IssueOptions::default();
        let issued = world.engine.issue_code(&user(uid), Authority::Issuer, name, options).await;
        issued.map(drop)
    };
    assert!(!world.engine.may_issue(ALICE).await.unwrap());
    world.engine.set_administrator(&root(), "alice", true).await.unwrap();
    assert!(world.engine.may_issue(ALICE).await.unwrap());
    assert!(!world.engine.may_issue(1001).await.unwrap());
    issue(ALICE, "bob").await.unwrap();
    for (name, why) in [("root", "only root"), ("alice", "to themselves")] {
        let refused = issue(ALICE, name).await;
        assert!(matches!(&refused, Err(Error::AccessDenied(text)) if text.contains(why)));
    }
    world.engine.set_administrator(&root(), "bob", true).await.unwrap();
    assert!(matches!(issue(ALICE, "bob").await, Err(Error::AccessDenied(_))));
    // polkit's administrators issue to those as well, but not to root.
    let options = IssueOptions::default;
    let admin = Authority::Administrator;
    world.engine.issue_code(&user(ALICE), admin, "bob", options()).await.unwrap();
    let to_root = world.engine.issue_code(&user(ALICE), admin, "root", options()).await;
    assert!(matches!(to_root.map(drop), Err(Error::AccessDenied(_))));
    world.engine.set_administrator(&root(), "alice", false).await.unwrap();
    assert!(!world.engine.may_issue(ALICE).await.unwrap());
    let results: Vec<_> = world.audit("issue").await.into_iter().map(|r| r.result).collect();
    assert_eq!(results, ["ok", "denied", "denied", "denied", "ok", "denied"]);
    let nobody = world.engine.set_administrator(&root(), "nobody", true).await;
    assert_eq!(nobody, Err(Error::UnknownUser("nobody".into())));
    // Nothing is stored for whom nothing was issued to.
    assert!(world.codes().await.iter().all(|code| code.user == "bob"));
}

#[tokio::test]
async fn t03_a_refused_caller_is_in_the_record() {
    let world = World::new(ON);
    world.engine.refuse_issuing(&user(1001), "issue", "alice", "not allowed").await;
    let refused = world.audit("issue").await.remove(0);
    assert_eq!((refused.result.as_str(), refused.caller), ("denied", Some(1001)));
    assert_eq!(refused.user, "alice");
    assert!(world.codes().await.is_empty());
}

#[tokio::test]
async fn t05_a_code_is_good_for_two_hours() {
    for (after_ms, good) in [(7_199_000, true), (7_199_999, true), (7_200_000, false)] {
        let world = World::new(ON);
        let (_, code) = world.issue("bob", IssueOptions::default()).await;
        world.clock.advance(after_ms);
        assert_eq!(world.opens("bob", &code).await, good, "{after_ms}");
        let result = world.results().await.pop().unwrap();
        assert_eq!(result, if good { "ok" } else { "expired" });
    }
}

#[tokio::test]
async fn t07_a_code_can_be_read_while_it_is_good_by_those_who_may() {
    let world = World::new(ON);
    let (id, code) = world.issue("bob", IssueOptions::default()).await;
    let seen = async |caller: &Caller, authority| {
        let filter = CodeFilter { id: Some(id.clone()), ..CodeFilter::default() };
        world.engine.codes(caller, authority, filter).await.unwrap().0.remove(0)
    };
    let admin = Authority::Administrator;
    assert_eq!(seen(&root(), admin).await.code.as_ref(), Some(&code));
    assert_eq!(seen(&user(ALICE), admin).await.code.as_ref(), Some(&code));
    // Who may only issue reads what they have issued themselves.
    assert_eq!(seen(&user(ALICE), Authority::Issuer).await.code, None);
    world.clock.advance(12_000);
    let listed = seen(&root(), admin).await;
    assert_eq!((listed.left_ms, listed.state.as_str()), (7_188_000, "open"));
    assert!(world.opens("bob", &code).await);
    let used = seen(&root(), admin).await;
    assert_eq!((used.code, used.state.as_str(), used.left_ms), (None, "used", 0));
    // Nothing is left of it at its end, without anybody logging in.
    let (_, _) = world.issue("alice", IssueOptions::default()).await;
    world.clock.advance(7_200_000);
    world.engine.wipe_codes().await;
    let kept = world.engine.store.codes(crate::store::CodeQuery {
        kept_beyond_ms: Some(i64::MAX),
        limit: 9,
        ..Default::default()
    });
    assert_eq!(kept.await.unwrap().1, 0);
    assert_eq!(world.codes().await[0].state, "expired");
    // What root was issued is read by root alone.
    let (root_id, _) = world.issue("root", IssueOptions::default()).await;
    let filter = CodeFilter { id: Some(root_id), ..CodeFilter::default() };
    let (mut codes, _) = world.engine.codes(&user(ALICE), admin, filter).await.unwrap();
    assert_eq!(codes.remove(0).code, None);
}

#[tokio::test]
async fn t07_with_reveal_once_nobody_reads_a_code_again() {
    let world = World::new("[issued]\nenabled = true\nreveal = \"once\"");
    let (_, code) = world.issue("bob", IssueOptions::default()).await;
    assert_eq!(world.codes().await[0].code, None);
    assert!(world.opens("bob", &code).await);
}

#[tokio::test]
async fn t09_a_code_is_sent_on_request_and_told_nobody_else() {
    let office = Office::new(ON).await;
    let send = IssueOptions { send: Some("sms".into()), ..IssueOptions::default() };
    let issue = async |name: &str| {
        let admin = Authority::Administrator;
        office.world.engine.issue_code(&root(), admin, name, send.clone()).await
    };
    assert!(matches!(issue("bob").await.map(drop), Err(Error::NoCredential(_))));
    assert!(office.world.codes().await.is_empty());
    office.contact("bob", MOBILE, None).await;
    let issued = issue("bob").await.unwrap();
    assert!(issued.code.is_empty());
    office.records("send", 1).await;
    let code = {
        let taken = office.sms.taken.lock().unwrap();
        assert_eq!(taken.len(), 1);
        assert_eq!(taken[0].to.medium(), Medium::Sms);
        taken[0].code.expose().as_bytes().to_vec()
    };
    assert!(office.world.opens("bob", &code).await);
    // The budget counts.
    for _ in 1..10 {
        issue("bob").await.unwrap();
    }
    assert!(matches!(issue("bob").await.map(drop), Err(Error::Busy(_))));
    let other = IssueOptions { send: Some("pigeon".into()), ..IssueOptions::default() };
    let admin = Authority::Administrator;
    let wrong = office.world.engine.issue_code(&root(), admin, "bob", other).await;
    assert!(matches!(wrong.map(drop), Err(Error::InvalidArgument(_))));
}

#[tokio::test]
async fn t18_nothing_at_all_goes_on_to_the_next_module_and_only_there() {
    let world = World::new(ON);
    let app = world.active("alice", "totp").await;
    for name in ["alice", "bob", "nobody", "../x"] {
        let kind = world.in_place(name, b"", remote()).await.unwrap();
        assert_eq!(kind, Some(StepKind::NotRequired), "{name}");
    }
    for other in [&b" "[..], b"\n", b"resend", b"totp", b"wrong", b"1"] {
        let kind = world.in_place("alice", other, remote()).await.unwrap();
        assert_eq!(kind, Some(StepKind::Denied), "{other:?}");
    }
    // Not where a code is the second factor.
    assert!(!world.granted("alice", b"").await);
    assert!(world.granted("alice", &app.code(world.now_step())).await);
    let world = World::new(&format!("{ON}[[policy]]\nname = \"no\"\nfactor = \"deny\""));
    let kind = world.in_place("alice", b"", remote()).await.unwrap();
    assert_eq!(kind, Some(StepKind::Denied));
}

#[tokio::test]
async fn t20_a_code_opens_once_and_a_new_one_ends_it() {
    let world = World::new(ON);
    let (_, code) = world.issue("bob", IssueOptions::default()).await;
    assert!(world.opens("bob", &code).await);
    assert!(!world.opens("bob", &code).await);
    let (_, first) = world.issue("bob", IssueOptions::default()).await;
    let (_, second) = world.issue("bob", IssueOptions::default()).await;
    assert!(!world.opens("bob", &first).await);
    assert!(world.opens("bob", &second).await);
    assert_eq!(world.results().await, ["ok", "replay", "wrong", "ok"]);
    // At the same moment as well.
    let (_, code) = world.issue("bob", IssueOptions::default()).await;
    let tries = (0..64).map(|_| world.opens("bob", &code));
    let granted = futures_util::future::join_all(tries).await;
    assert_eq!(granted.into_iter().filter(|granted| *granted).count(), 1);
}

#[tokio::test]
async fn t21_local_is_without_a_remote_side() {
    let by_rhost = Context { rhost: Some("host.example".into()), ..sshd() };
    for (scope, at_home, by_ssh, by_name) in
        [("local", true, false, false), ("remote", false, true, true), ("both", true, true, true)]
    {
        let contexts = [(sshd(), at_home), (remote(), by_ssh), (by_rhost.clone(), by_name)];
        for (context, good) in contexts {
            let world = World::new(ON);
            let scope = Some(scope.to_owned());
            let (_, code) = world.issue("bob", IssueOptions { scope, ..Default::default() }).await;
            let kind = world.in_place("bob", &code, context.clone()).await.unwrap();
            assert_eq!(kind == Some(StepKind::Granted), good, "{context:?}");
            let result = world.results().await.pop().unwrap();
            assert_eq!(result, if good { "ok" } else { "elsewhere" });
        }
    }
}

#[tokio::test]
async fn t23_each_reason_is_in_the_record_and_the_person_sees_one_answer() {
    let world = World::new(&format!("{ON}guesses_per_hour = 10\n[lockout]\nafter = 2"));
    let (_, code) = world.issue("bob", IssueOptions::default()).await;
    assert!(!world.opens("bob", &wrong(&code)).await);
    assert!(!world.opens("bob", &wrong(&code)).await);
    assert!(!world.opens("bob", &code).await);
    assert_eq!(world.results().await, ["wrong", "wrong", "locked"]);
    // Over all users: each of ten wrong codes counts, whoever it was for.
    for _ in 0..4 {
        for name in ["alice", "root"] {
            let (_, code) = world.issue(name, IssueOptions::default()).await;
            assert!(!world.opens(name, &wrong(&code)).await);
            world.engine.unlock(&root(), name).await.unwrap();
        }
    }
    let (_, code) = world.issue("alice", IssueOptions::default()).await;
    assert!(!world.opens("alice", &code).await);
    assert_eq!(world.results().await.pop().as_deref(), Some("limited"));
    let limited = world.audit("login").await.pop().unwrap();
    assert!(limited.detail.unwrap().contains("guesses_per_hour = 10"));
    world.clock.advance(3_600_000);
    assert!(world.opens("alice", &code).await);
    // Codes of tokens are not counted, nor guesses where nobody was issued anything.
    for _ in 0..20 {
        assert!(!world.opens("nobody", b"12345678").await);
    }
}

#[tokio::test]
async fn an_issued_code_is_a_second_factor_as_the_policy_says() {
    let methods = |list: &str| {
        format!("{ON}[[policy]]\nname = \"p\"\nmatch = {{ service = [\"sshd\"] }}\n{list}")
    };
    for (policy, good) in [
        (methods(""), true),
        (methods("methods = [\"totp\", \"issued\"]"), true),
        (methods("methods = [\"issued\"]"), true),
        (methods("methods = [\"totp\", \"recovery\"]"), false),
        (methods("factor = \"deny\""), false),
    ] {
        let world = World::new(&policy);
        // Whether enrolled or not.
        let _app = world.active("alice", "totp").await;
        for name in ["alice", "bob"] {
            let (_, code) = world.issue(name, IssueOptions::default()).await;
            assert_eq!(world.opens(name, &code).await, good, "{policy} {name}");
            let (_, code) = world.issue(name, IssueOptions::default()).await;
            assert_eq!(world.granted(name, &code).await, good, "{policy} {name}");
        }
        let enrolled = world.engine.enrolled("bob").await.unwrap();
        assert!(!enrolled, "a code that was issued enrols nobody");
    }
}

#[tokio::test]
async fn an_issued_code_proves_no_credential() {
    let world = World::new(ON);
    let _app = world.active("alice", "totp").await;
    let (_, code) = world.issue("alice", IssueOptions::default()).await;
    let options = ChangeOptions { proof: Some(code.clone()), ..ChangeOptions::default() };
    let caller = user(ALICE);
    let change = world.engine.issue_recovery_codes(&caller, Authority::Owner, "alice", options);
    assert_eq!(change.await.map(drop), Err(Error::Rejected));
    assert!(world.opens("alice", &code).await);
}

#[tokio::test]
async fn what_is_out_of_range_issues_nothing() {
    let world = World::new(ON);
    let none = IssueOptions::default;
    for options in [
        IssueOptions { valid_for_ms: Some(59_999), ..none() },
        IssueOptions { valid_for_ms: Some(7 * 86_400_000 + 1), ..none() },
        IssueOptions { uses: Some(0), ..none() },
        IssueOptions { uses: Some(101), ..none() },
        IssueOptions { uses: Some(u32::MAX), ..none() },
        IssueOptions { scope: Some("cloud".into()), ..none() },
        IssueOptions { reason: Some("a\nb".into()), ..none() },
        IssueOptions { service: Some("x".repeat(129)), ..none() },
    ] {
        let admin = Authority::Administrator;
        let refused = world.engine.issue_code(&root(), admin, "bob", options.clone()).await;
        let refused = refused.map(drop);
        assert!(matches!(refused, Err(Error::InvalidArgument(_))), "{options:?}");
    }
    let admin = Authority::Administrator;
    let client = IssueOptions { client: Some("0".repeat(32)), ..none() };
    let refused = world.engine.issue_code(&root(), admin, "bob", client).await.map(drop);
    assert_eq!(refused, Err(Error::UnknownClient));
    let nobody = world.engine.issue_code(&root(), admin, "nobody", none()).await.map(drop);
    assert_eq!(nobody, Err(Error::UnknownUser("nobody".into())));
    assert!(world.codes().await.is_empty());
    assert_eq!(world.engine.status().await.unwrap().users, 0);
}

#[tokio::test]
async fn a_code_that_was_revoked_opens_nothing() {
    let world = World::new(ON);
    let (id, code) = world.issue("bob", IssueOptions::default()).await;
    world.engine.revoke_code(&root(), &id).await.unwrap();
    assert!(!world.opens("bob", &code).await);
    assert_eq!(world.engine.revoke_code(&root(), &id).await, Err(Error::UnknownCode));
    assert_eq!(world.audit("withdraw").await.len(), 1);
}

#[tokio::test]
async fn t03_the_mark_is_not_inherited_with_the_name() {
    let world = World::new(ON);
    world.engine.set_administrator(&root(), "alice", true).await.unwrap();
    assert!(world.engine.may_issue(ALICE).await.unwrap());
    let before =
        |work: &mut crate::store::Work<'_>| work.account.as_mut().unwrap().uid = Some(4242);
    world.engine.transact("alice", before).await.unwrap();
    assert!(!world.engine.may_issue(ALICE).await.unwrap());
    let marked = world.engine.set_administrator(&root(), "alice", true).await;
    assert!(matches!(marked, Err(Error::WrongState(_))), "{marked:?}");
    world.engine.set_administrator(&root(), "alice", false).await.unwrap();
    let (options, admin) = (IssueOptions::default(), Authority::Administrator);
    let issued = world.engine.issue_code(&root(), admin, "alice", options).await.map(drop);
    assert!(matches!(issued, Err(Error::WrongState(_))), "{issued:?}");
}
