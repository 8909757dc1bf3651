//! What directories say of whoever logs in, and what a login makes of it.

use std::{collections::BTreeSet, sync::Mutex};

use super::*;
use crate::directory::{Listed, Standing, Told, Wanted, composite};

/// The three users, and what other directories tell of them.
#[derive(Default)]
struct Others {
    told: Mutex<Option<Told>>,
    asked: Mutex<Vec<(String, Wanted)>>,
}

impl Others {
    fn tell(&self, told: Option<Told>) {
        *self.told.lock().unwrap() = told;
    }

    fn asked(&self) -> Vec<(String, Wanted)> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

impl Directory for Others {
    fn by_name<'a>(&'a self, name: &'a str) -> Pending<'a, Result<Option<Entry>, DirectoryError>> {
        Three.by_name(name)
    }

    fn groups<'a>(
        &'a self,
        name: &'a str,
    ) -> Pending<'a, Result<Option<Vec<String>>, DirectoryError>> {
        Three.groups(name)
    }

    fn told<'a>(
        &'a self,
        name: &'a str,
        wanted: &'a Wanted,
    ) -> Pending<'a, Result<Told, DirectoryError>> {
        self.asked.lock().unwrap().push((name.to_owned(), wanted.clone()));
        let told = self.told.lock().unwrap().clone();
        Box::pin(async { told.ok_or_else(|| DirectoryError("directory corp: down".to_owned())) })
    }

    fn list(&self) -> Vec<Listed> {
        let down = self.told.lock().unwrap().is_none();
        let failure = down.then(|| ("down".to_owned(), START_MS));
        vec![Listed { name: "corp".to_owned(), kind: "ldap", failure }]
    }

    fn configure(&self, settings: &composite::Settings) -> Result<(), String> {
        match settings.all.len() {
            3 => Err("one too many".to_owned()),
            _ => Ok(()),
        }
    }
}

fn world(configuration: &str) -> (World, Arc<Others>) {
    let others = Arc::<Others>::default();
    others.tell(Some(Told::default()));
    let directory: Arc<dyn Directory> = Arc::<Others>::clone(&others);
    (World::knowing(configuration, directory), others)
}

fn refused(standing: Standing) -> Option<Told> {
    Some(Told { refused: Some(("corp".to_owned(), standing)), ..Told::default() })
}

fn members(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(ToString::to_string).collect()
}

async fn details(world: &World) -> Vec<Option<String>> {
    let records = world.engine.audit(AuditFilter::default()).await.unwrap();
    records.into_iter().filter(|r| r.event == "login").map(|r| r.detail).collect()
}

const CORP: &str = "[directory.corp]\ntype = \"sssd\"\n[directory.hr]\ntype = \"sssd\"\n";

#[tokio::test]
async fn an_account_that_may_not_be_used_is_let_in_by_nothing_and_asked_as_everybody_is() {
    let (world, others) = world("");
    let app = world.active("alice", "hotp").await;
    for (counter, standing) in (0..).zip([Standing::Disabled, Standing::Expired]) {
        others.tell(refused(standing));
        let (_, prompt) = world.engine.begin(&root(), "alice", sshd()).await.unwrap();
        let (_, unknown) = world.engine.begin(&root(), "nobody", sshd()).await.unwrap();
        assert_eq!(prompt, unknown);
        assert!(!world.granted("alice", &app.code(counter)).await);
        let expected = format!("the account is {} in directory corp", standing.name());
        assert_eq!(details(&world).await.pop(), Some(Some(expected)));
        others.tell(Some(Told::default()));
        assert!(world.granted("alice", &app.code(counter)).await, "its code was not used up");
    }
}

#[tokio::test]
async fn a_stack_that_lets_the_unenrolled_pass_does_not_let_a_disabled_account_pass() {
    let (world, others) = world("[[policy]]\nname = \"p\"\nunenrolled = \"ignore\"\n");
    let nullok = || Context { nullok: Some(true), ..sshd() };
    let begun = world.engine.begin(&root(), "alice", nullok()).await.unwrap().1;
    assert_eq!(begun.kind(), Some(StepKind::NotRequired));
    others.tell(refused(Standing::Disabled));
    let begun = world.engine.begin(&root(), "alice", nullok()).await.unwrap().1;
    assert_eq!(begun.kind(), Some(StepKind::Prompt));
    others.tell(None);
    let failed = world.engine.begin(&root(), "alice", nullok()).await.unwrap_err();
    assert_eq!(failed, Error::Unavailable("the user database does not answer".to_owned()));
}

#[tokio::test]
async fn an_outage_is_told_to_the_administrator_and_lets_nobody_in() {
    let (world, others) = world("");
    let app = world.active("alice", "totp").await;
    others.tell(None);
    for user in ["alice", "nobody"] {
        let failed = world.login(user, &app.code(world.now_step())).await.unwrap_err();
        assert_eq!(failed.to_string(), "the user database does not answer");
    }
    assert_eq!(world.engine.problems(), ["directory corp: down"]);
    others.tell(Some(Told::default()));
    assert!(world.granted("alice", &app.code(world.now_step())).await);
    assert_eq!(world.engine.problems(), Vec::<String>::new());
}

#[tokio::test]
async fn a_policy_that_asks_nothing_holds_without_any_directory() {
    for factor in ["skip", "deny"] {
        let policy = format!("[[policy]]\nname = \"p\"\nfactor = \"{factor}\"\n");
        let (world, others) = world(&policy);
        others.tell(None);
        world.engine.begin(&root(), "alice", sshd()).await.unwrap();
        assert_eq!(others.asked(), []);
    }
}

#[tokio::test]
async fn nobody_is_asked_who_cannot_change_the_login() {
    let (world, others) = world(&format!(
        "{CORP}[[method]]\nname = \"hotp\"\ndirectories = [\"corp\", \"hr\"]\n[[method]]\nname = \"both\"\ndirectories = [\"local\", \"hr\"]\n"
    ));
    let ask = async |method: Option<&str>| {
        let context = Context { method: method.map(str::to_owned), ..sshd() };
        world.engine.begin(&root(), "alice", context).await.unwrap();
        let mut asked = others.asked();
        let (user, wanted) = asked.pop().unwrap();
        assert!(asked.is_empty() && user == "alice" && wanted.contacts.is_empty() && wanted.state);
        wanted.members
    };
    assert_eq!(ask(None).await, members(&["corp", "hr"]));
    assert_eq!(ask(Some("hotp")).await, members(&["corp", "hr"]));
    assert_eq!(ask(Some("totp")).await, members(&[]), "everybody may use it");
    assert_eq!(ask(Some("both")).await, members(&[]), "everybody may use it");
}

#[tokio::test]
async fn u02_a_method_is_for_the_users_of_the_directories_that_it_is_linked_to() {
    let (world, others) =
        world(&format!("{CORP}[[method]]\nname = \"hotp\"\ndirectories = [\"corp\"]\n"));
    let known = || Some(Told { members: members(&["corp"]), ..Told::default() });
    let options = || EnrolOptions { method: Some("hotp".into()), ..EnrolOptions::default() };
    let admin = Authority::Administrator;
    let none = world.engine.enrol(&root(), admin, "alice", options()).await.unwrap_err();
    assert_eq!(
        none,
        Error::Forbidden("method \"hotp\" is for users of corp, where alice is not known".into())
    );
    others.tell(None);
    let down = world.engine.enrol(&root(), admin, "alice", options()).await.unwrap_err();
    assert!(matches!(down, Error::Unavailable(_)));

    others.tell(known());
    let app = world.active("alice", "hotp").await;
    assert!(world.granted("alice", &app.code(0)).await);
    others.tell(Some(Told::default()));
    assert!(!world.granted("alice", &app.code(1)).await);
    let detail = "method hotp does not count: its directories do not know the user";
    assert_eq!(details(&world).await.pop(), Some(Some(detail.to_owned())));
    // What was known at the prompt counts until the answer.
    others.tell(known());
    let (session, _) = world.engine.begin(&root(), "alice", sshd()).await.unwrap();
    others.tell(Some(Told::default()));
    let code = Zeroizing::new(app.code(1));
    let step = world.engine.respond(&root(), &session, code).await.unwrap();
    assert_eq!(step.kind(), Some(StepKind::Granted));
}

#[tokio::test]
async fn a_reload_that_the_directories_refuse_changes_nothing() {
    let (world, _) = world("");
    let path = world.folder.path().join("otpd.toml");
    write_configuration(&path, "[directory.corp]\ntype = \"sssd\"\n");
    world.engine.reload().unwrap();
    let before = world.engine.config().config.clone();
    write_configuration(&path, CORP);
    let error = world.engine.reload().unwrap_err();
    assert_eq!(error, Error::InvalidConfiguration("one too many".to_owned()));
    assert_eq!(world.engine.config().config, before);
}

#[tokio::test]
async fn an_unknown_directory_is_named_with_those_that_there_are() {
    let (world, _) = world("");
    let error = world.engine.test_directory("corp", "").await.unwrap_err();
    assert!(error.to_string().starts_with("there is no directory of this name"), "{error}");
    let error = world.engine.test_directory("corp", "a/b").await.unwrap_err();
    assert!(error.to_string().starts_with("user: "), "{error}");
}

#[tokio::test]
async fn an_issued_code_opens_no_disabled_account_where_the_policy_asks_for_nothing_more() {
    let (world, others) =
        world("[issued]\nenabled = true\n[[policy]]\nname = \"p\"\nfactor = \"skip\"\n");
    let options = otp_ipc::IssueOptions { uses: Some(2), ..Default::default() };
    let (_, code) = world.issue("alice", options).await;
    others.tell(refused(Standing::Disabled));
    let kind = world.in_place("alice", &code, sshd()).await.unwrap();
    assert_eq!(kind, Some(StepKind::Denied));
    others.tell(Some(Told::default()));
    let kind = world.in_place("alice", &code, sshd()).await.unwrap();
    assert_eq!(kind, Some(StepKind::Granted));
    // What is let through without a code does not depend on the directory.
    others.tell(None);
    let (_, step) = world.engine.begin(&root(), "alice", sshd()).await.unwrap();
    assert_eq!(step.kind(), Some(StepKind::NotRequired));
}
