//! `otpctl login-test`

use std::path::Path;

use nix::unistd::getuid;
use otp_ipc::{AuditFilter, AuditRecord, ExplainQuery};
use serde::Serialize;

use crate::bus::Session;
use crate::cli::LoginTest;
use crate::failure::{Exit, Failure};
use crate::login::{self, Login, Outcome, Said, is_sshd};
use crate::method::meant;
use crate::render::{AuditDocument, Output, printable};

/// Where libpam looks for the file of a service, in this order.
pub(crate) const FOLDERS: [&str; 2] = ["/etc/pam.d", "/usr/lib/pam.d"];

/// What is printed with `--json`.
#[derive(Serialize)]
struct Document<'a> {
    service: &'a str,
    user: &'a str,
    result: &'static str,
    authenticate: String,
    account: Option<String>,
    said: &'a [Said],
    /// The policy that decided, and otpd's records of this login; told to root.
    policy: Option<&'a str>,
    records: Vec<AuditDocument<'a>>,
}

pub(crate) async fn run(args: &LoginTest, bus: Option<&str>, out: &Output) -> Result<(), Failure> {
    look_for(&args.service, out)?;
    if !getuid().is_root() {
        let service = &args.service;
        out.notice(&format!(
            "You are not root. Real logins at {service} run as root and reach otpd"
        ))?;
        out.notice("over another lane; this shows what a program of your own would see.")?;
    }
    let login = Login {
        service: &args.service,
        user: &args.user,
        source: args.source,
        tty: args.tty.as_deref(),
    };
    let witness = Witness::call(&login, bus, out).await;
    let outcome = login::try_login(&login, &mut |said| show(said, out))?;
    let seen = match &witness {
        Some(witness) => witness.tell(&login).await,
        None => Seen::default(),
    };
    report(&login, &outcome, &seen, out)?;
    match outcome.verdict().exit() {
        None => Ok(()),
        Some(exit) => Err(refusal(&login, &outcome, exit)),
    }
}

/// Shows a prompt or a notice as it comes, unless there will be a document.
pub(crate) fn show(said: &Said, out: &Output) -> Result<(), Failure> {
    if out.json { Ok(()) } else { out.print(&said.shown()) }
}

fn refusal(login: &Login<'_>, outcome: &Outcome, exit: Exit) -> Failure {
    let (service, user) = (login.service, printable(login.user));
    match exit {
        Exit::Denied => Failure::new(exit, "Refused", format!("{service} refuses {user}")),
        Exit::Unavailable => {
            let message = format!(
                "{service} refuses {user}: otpd, or another source of the stack, does not answer; \
                 see `otpctl status`"
            );
            Failure::new(exit, "Unavailable", message)
        }
        _ => {
            let answer = outcome.account.unwrap_or(outcome.authenticate);
            Failure::failed(format!("{service}, {user}: {}", answer.words()))
        }
    }
}

/// A name that has no file and is nearly another's is a typing error; any other runs the stack
/// `other`, as a login there would.
fn look_for(service: &str, out: &Output) -> Result<(), Failure> {
    if FOLDERS.iter().any(|folder| Path::new(folder).join(service).exists()) {
        return Ok(());
    }
    let known: Vec<_> = FOLDERS.iter().flat_map(|folder| names(Path::new(folder))).collect();
    let near = meant(service, known.iter().map(String::as_str));
    if near != "." {
        let message = format!("{service}: no such file in /etc/pam.d{near}");
        return Err(Failure::usage(format!("{message} For a service without a file say `other`")));
    }
    out.notice(&format!(
        "{service} has no file in /etc/pam.d: libpam takes /etc/pam.d/other for it."
    ))
}

/// The services that have a file in a folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// The result, in words or as a document.
fn report(login: &Login<'_>, outcome: &Outcome, seen: &Seen, out: &Output) -> Result<(), Failure> {
    let document = Document {
        service: login.service,
        user: login.user,
        result: outcome.verdict().name(),
        authenticate: outcome.authenticate.name(),
        account: outcome.account.map(login::Answer::name),
        said: &outcome.said,
        policy: seen.policy.as_deref(),
        records: seen.records.iter().map(AuditDocument::from).collect(),
    };
    out.show(&document, || summary(login, outcome, seen, out))
}

fn summary(login: &Login<'_>, outcome: &Outcome, seen: &Seen, out: &Output) -> String {
    let line =
        |what, answer: login::Answer| format!("{what:13} {} ({})", answer.words(), answer.name());
    let mut lines = vec![line("authenticate:", outcome.authenticate)];
    lines.extend(outcome.account.map(|answer| line("account:", answer)));
    lines.extend(seen.lines());
    if !outcome.asked() {
        lines.push("note: nothing was asked".to_owned());
    } else if outcome.authenticate.verdict() == login::Verdict::Accepted {
        lines.push("note: a code that was typed is used up; the login needs the next one".into());
    }
    if login.source.is_none() && is_sshd(login.service) {
        lines.push("note: without --source, policies see a login from this machine".into());
    }
    if out.quiet() {
        lines.retain(|line| !line.starts_with("note: "));
    }
    lines.join("\n")
}

/// otpd's audit record, from before the login on.
struct Witness {
    session: Session,
    last: i64,
}

/// What otpd recorded of a login.
#[derive(Default)]
struct Seen {
    policy: Option<String>,
    records: Vec<AuditRecord>,
}

impl Witness {
    /// `None` where the caller is not root, or the daemon cannot be asked: the login is tried all
    /// the same.
    async fn call(login: &Login<'_>, bus: Option<&str>, out: &Output) -> Option<Self> {
        if !getuid().is_root() {
            return None;
        }
        let session = Session::open(bus, out.clone()).await.ok()?;
        let newest =
            AuditFilter { user: Some(login.user.into()), limit: Some(1), ..Default::default() };
        let records = session.manager.audit(&newest).await.ok()?;
        Some(Self { session, last: records.last().map_or(0, |record| record.id) })
    }

    async fn tell(&self, login: &Login<'_>) -> Seen {
        let since = AuditFilter {
            user: Some(login.user.into()),
            after: Some(self.last),
            ..Default::default()
        };
        let records = self.session.manager.audit(&since).await.unwrap_or_default();
        let of_this = |record: &AuditRecord| record.service.as_deref() == Some(login.service);
        let records: Vec<_> = records.into_iter().filter(of_this).collect();
        let query = ExplainQuery {
            service: Some(login.service.into()),
            source: login.source.map(|source| source.to_string()),
            tty: records.first().and_then(|record| record.tty.clone()),
            ..Default::default()
        };
        let explained = if records.is_empty() {
            None
        } else {
            self.session.manager.explain(login.user, &query).await.ok()
        };
        Seen { policy: explained.map(|explained| explained.policy), records }
    }
}

impl Seen {
    fn lines(&self) -> Vec<String> {
        let policy = self.policy.as_ref().map(|name| format!("policy \"{}\"", printable(name)));
        self.records
            .iter()
            .map(|record| {
                let detail = record.detail.as_deref().map(printable);
                let behind: Vec<_> = policy.clone().into_iter().chain(detail).collect();
                let result = words(&record.event, &record.result);
                format!("otpd:         {result} ({})", behind.join("; "))
            })
            .collect()
    }
}

/// What a record says, in words.
fn words(event: &str, result: &str) -> String {
    match (event, result) {
        ("login", "ok") => "right code, used up",
        ("login", "wrong") => "wrong code",
        ("login", "replay") => "this code has been used already",
        ("login", "elsewhere") => "a code that was meant for another service",
        ("login", "locked") => "the user is locked: `otpctl user unlock`",
        ("login", "limited") => "too many tries at once",
        ("login", "malformed") => "not a code",
        ("login", "expired") => "the code or the token is out of date",
        ("login", "disabled") => "the token or the user is disabled",
        ("login", "unenrolled") => "no token: `otpctl token add`",
        ("login", "skipped") => "no code needed",
        ("login", "denied") => "the policy denies it",
        ("login", "unavailable") => "otpd could not decide: see its log",
        _ => return printable(&format!("{event}: {result}")),
    }
    .to_owned()
}
