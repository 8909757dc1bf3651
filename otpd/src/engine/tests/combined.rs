//! Policies, methods and enrolment at the login, with users who are in the directories of a
//! configuration. The accounts are those that every system has.

use otp_ipc::ExplainQuery;

use super::{
    delivery::{GENERIC, PROVIDERS},
    offer::app_of,
    *,
};
use crate::directory::composite::Directories;

/// A world whose directories are those of its configuration, and a folder for their files, called
/// DIR in the configuration.
struct Site {
    world: World,
    files: TempDir,
}

impl Site {
    fn new(configuration: &str, users: &str) -> Self {
        let files = tempfile::tempdir().unwrap();
        write_configuration(&files.path().join("users"), users);
        let configuration = configuration.replace("DIR", files.path().to_str().unwrap());
        let read = files.path().join("otpd.toml");
        write_configuration(&read, &configuration);
        let settings = Config::load(&read, None).unwrap().config.directories;
        let clock = Arc::new(ManualClock::at(START_MS));
        let directories = Directories::new(&settings, clock).unwrap();
        Self { world: World::knowing(&configuration, Arc::new(directories)), files }
    }

    fn write(&self, users: &str) {
        write_configuration(&self.files.path().join("users"), users);
    }

    async fn begin(&self, user: &str) -> (String, Step) {
        self.world.engine.begin(&root(), user, sshd()).await.unwrap()
    }

    async fn reply(&self, session: &str, reply: &[u8]) -> Step {
        let reply = Zeroizing::new(reply.to_vec());
        self.world.engine.respond(&root(), session, reply).await.unwrap()
    }

    async fn last_detail(&self) -> String {
        let last = self.world.engine.audit(AuditFilter::default()).await.unwrap().pop().unwrap();
        last.detail.unwrap_or_default()
    }
}

const FILE: &str = "[directory.corp]\ntype = \"file\"\npath = \"DIR/users\"\n";
const STAFF: &str = "[[policy]]\nname = \"staff\"\nmatch = { group = [\"staff\"] }\n\
    factor = \"skip\"\n";
const ENROL: &str = "[[policy]]\nname = \"first login\"\nunenrolled = \"enrol\"\n";

fn prompt() -> Step {
    Step::prompt(GENERIC, false, None)
}

#[tokio::test]
async fn l06_groups_of_a_file_decide_and_are_explained() {
    let site = Site::new(&format!("{FILE}{STAFF}"), "daemon:::staff,x:\nbin:::x:\n");
    assert_eq!(site.begin("daemon").await.1, Step::bare(StepKind::NotRequired));
    assert_eq!(site.begin("bin").await.1, prompt());
    let explain = async |user: &str| {
        let query = ExplainQuery { service: Some("sshd".into()), ..ExplainQuery::default() };
        let found = site.world.engine.explain(user, query).await.unwrap();
        let groups = found.groups.map(|groups| groups.join(" "));
        assert_eq!(found.directory.is_some(), groups.is_none(), "{user}");
        assert_eq!(found.refused, None, "{user}");
        (found.policy, found.cause, found.outcome, groups)
    };
    let told = |policy: &str, cause: &str, outcome: &str, groups: Option<&str>| {
        (policy.into(), cause.into(), outcome.into(), groups.map(str::to_owned))
    };
    assert_eq!(explain("daemon").await, told("staff", "matches", "skip", Some("daemon staff x")));
    assert_eq!(explain("bin").await, told("built-in", "matches", "deny", Some("bin x")));
    site.write("broken\n");
    assert_eq!(explain("daemon").await, told("staff", "groups", "deny", None));
    let failed = site.world.engine.begin(&root(), "daemon", sshd()).await;
    assert!(matches!(failed, Err(Error::Unavailable(_))), "the file tells who is disabled, too");
    site.write("daemon::::\n");
    assert_eq!(site.begin("daemon").await.1, prompt(), "no longer one of them");
}

/// Of a server that does not answer only the groups are needed: the login goes on, with a code.
#[tokio::test]
async fn l06_a_server_that_is_down_leaves_the_groups_unknown_and_requires_a_code() {
    let site = Site::new(
        &format!(
            "[directory.corp]\ntype = \"ldap\"\nurl = \"ldap://127.0.0.1:1\"\ntls = \"none\"\n\
             base = \"dc=example\"\ngroups = \"memberOf\"\n{STAFF}"
        ),
        "",
    );
    let app = site.world.active("daemon", "hotp").await;
    let (session, step) = site.begin("daemon").await;
    assert_eq!(step, prompt());
    assert_eq!(site.reply(&session, &app.code(0)).await, Step::bare(StepKind::Granted));
    let detail = "policy \"staff\": groups cannot be looked up, so a code is required";
    assert_eq!(site.last_detail().await, detail);
    assert!(site.world.engine.problems().iter().any(|problem| problem.starts_with("groups: ")));
}

#[tokio::test]
async fn u13_only_the_user_database_says_whose_a_name_is() {
    let site = Site::new(FILE, "daemon::::\nghost::::\n");
    assert_eq!(site.world.engine.present_uid("daemon").await, Ok(Some(1)));
    assert_eq!(site.world.engine.present_uid("ghost").await, Ok(None), "no account of this system");
    site.write("broken\n");
    assert_eq!(site.world.engine.present_uid("daemon").await, Ok(Some(1)), "nobody else is asked");
}

#[tokio::test]
async fn g03_a_key_is_shown_to_those_whom_a_directory_of_its_method_knows() {
    let linked = "[[method]]\nname = \"totp\"\ndirectories = [\"corp\"]\n";
    let site = Site::new(
        &format!("{FILE}{linked}{ENROL}enrol = [\"totp\"]\n"),
        "daemon::::\nghost::::\nsys::::disabled\n",
    );
    for user in ["bin", "ghost", "nobody-of-that-name", "sys"] {
        let (session, step) = site.begin(user).await;
        assert_eq!(step, prompt(), "{user}");
        assert_eq!(site.reply(&session, b"totp").await, Step::bare(StepKind::Denied), "{user}");
    }
    let (session, step) = site.begin("daemon").await;
    assert_eq!(step.kind(), Some(StepKind::NoticeThenPrompt));
    let app = app_of(step.notice().unwrap());
    let code = app.code(site.world.now_step());
    assert_eq!(site.reply(&session, &code).await, Step::bare(StepKind::Granted));
    assert_eq!(site.last_detail().await, "");
    // Whoever leaves the directory leaves the method.
    site.write("");
    site.world.clock.advance(STEP_MS);
    assert!(!site.world.granted("daemon", &app.code(site.world.now_step())).await);
}

/// What is set for an account that a directory calls disabled would be reached: nothing is sent, no
/// key is shown, and it is asked as somebody who does not exist is, at every turn.
#[tokio::test]
async fn a_disabled_account_is_sent_nothing_shown_nothing_and_told_nothing() {
    for keys in [
        "enrol = [\"totp\", \"sms\"]\n",
        "enrol = [\"sms\", \"totp\"]\n",
        "enrol = [\"sms\", \"totp\"]\nchoice = true\n",
        "enrol = [\"totp\", \"sms\"]\nchoice = true\n",
    ] {
        let site = Site::new(
            &format!("{FILE}{PROVIDERS}{ENROL}{keys}"),
            "daemon:+491701234581:::disabled\nghost:+491701234581:::\n",
        );
        let explained = site.world.engine.explain("daemon", ExplainQuery::default()).await.unwrap();
        let why = "the account is disabled in directory corp";
        assert_eq!((&*explained.outcome, explained.refused.as_deref()), ("deny", Some(why)));
        let mut turns = Vec::new();
        for user in ["daemon", "nobody-of-that-name", "ghost"] {
            let (session, step) = site.begin(user).await;
            let mut said = vec![step];
            for word in ["sms", "totp", "resend", "123456"] {
                said.push(site.reply(&session, word.as_bytes()).await);
                if said.last().unwrap().kind() == Some(StepKind::Denied) {
                    break;
                }
            }
            turns.push(said);
        }
        assert_eq!(turns[0], turns[1], "{keys}");
        assert_eq!(turns[0], turns[2], "{keys}");
        assert!(turns[0].iter().all(|step| step.notice().is_none()), "{keys}");
        let records = site.world.engine.audit(AuditFilter::default()).await.unwrap();
        assert!(records.iter().all(|record| record.event == "login"), "{keys}: {records:?}");
    }
}

/// Which directory knows somebody does not show at the prompt.
#[tokio::test]
async fn what_is_offered_does_not_depend_on_the_directory() {
    let linked = "[[method]]\nname = \"sms\"\ntype = \"sms\"\ndirectories = [\"corp\"]\n";
    let site = Site::new(
        &format!("{FILE}{PROVIDERS}{linked}[[policy]]\nname = \"p\"\nchoice = true\n"),
        "daemon:+491701234581:::\n",
    );
    for user in ["daemon", "bin", "nobody-of-that-name"] {
        let (session, step) = site.begin(user).await;
        assert_eq!(step.text(), "Verification code (or: sms, email): ", "{user}");
        assert_eq!(site.reply(&session, b"sms").await, step, "{user}");
    }
}
