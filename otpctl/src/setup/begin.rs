//! `otpctl setup SERVICE`

use std::path::Path;

use jiff::Timestamp;
use nix::unistd::{Group, User, getuid};
use serde::Serialize;
use similar::TextDiff;

use super::authselect::Switch;
use super::file::{self, Change};
use super::plan::{self, ALL, Plan, Request};
use super::ready::{ready, trial_service};
use super::stack::First;
use super::state::{FOLDER, Place, Record, Setup, State};
use super::{alarm, end, sshd};
use crate::caller;
use crate::commands::login_test;
use crate::failure::{Exit, Failure};
use crate::login::{self, Login, Verdict};
use crate::render::{Output, printable};
use crate::tty;

/// What the person wants.
pub(crate) struct Wish {
    pub(crate) service: String,
    pub(crate) first: Option<First>,
    pub(crate) nullok: bool,
    pub(crate) user: Option<String>,
    pub(crate) no_try: bool,
    pub(crate) dry_run: bool,
    pub(crate) yes: bool,
}

/// What is printed with `--json`.
#[derive(Serialize)]
struct Document<'a> {
    service: &'a str,
    changed: bool,
    diff: &'a str,
    notes: &'a [String],
    tried_by: Option<&'a str>,
    undo_at: Option<String>,
}

/// Makes the changes and leaves them pending.
pub(crate) async fn begin(wish: &Wish, bus: Option<&str>, out: &Output) -> Result<(), Failure> {
    need_root()?;
    let state = State::open(Path::new(FOLDER))?;
    refuse_pending(&state)?;
    let user = wish.user.clone().or_else(caller::person);
    let request = Request {
        service: wish.service.clone(),
        first: wish.first,
        nullok: wish.nullok,
        user: user.clone(),
    };
    let mut plan = plan::make(&request, state.scratch())?;
    if plan.is_empty() {
        return nothing(wish, &plan, out);
    }
    refuse_second_setup(&state, &request)?;
    // Nobody has to wait for the answer of a person.
    drop(state);
    let ready = ready(wish, user.as_deref(), bus, out, &mut plan).await;
    let ends_root = ends_root(&plan)?;
    plan.notes.extend(ends_root.iter().map(|(note, _)| note.clone()));
    let diff = plan.diff();
    if !out.json {
        for note in &plan.notes {
            out.note(&format!("note: {note}"))?;
        }
        out.print(&diff)?;
    }
    if wish.dry_run {
        let document = Document::of(wish, true, &diff, &plan, None, None);
        return out.done(&document, "Nothing was changed (--dry-run).");
    }
    ready?;
    agree(wish, ends_root.is_some_and(|(_, alone)| alone), plan.exceptions)?;
    let state = end::open_patiently()?;
    refuse_pending(&state)?;
    refuse_second_setup(&state, &request)?;
    let setup = pend(&state, &request, &plan)?;
    if let Err(failure) = make_it_so(&setup, &plan, user.as_deref(), out) {
        return Err(back(&state, &setup, failure));
    }
    drop(state);
    let tried_by = if wish.no_try { None } else { user.as_deref() };
    if let Some(user) = tried_by
        && let Err(failure) = try_it(&request.service, user, out)
    {
        let state = end::open_patiently()?;
        return Err(back(&state, &setup, failure));
    }
    still_pending(&setup)?;
    told(wish, &setup, &diff, &plan, tried_by, out)
}

/// Only root changes these files.
pub(super) fn need_root() -> Result<(), Failure> {
    if getuid().is_root() {
        return Ok(());
    }
    Err(Failure::new(Exit::Denied, "AccessDenied", "setup changes files of root's: run it as root"))
}

fn refuse_pending(state: &State) -> Result<(), Failure> {
    match state.pending()? {
        None => Ok(()),
        Some(pending) => Err(Failure::failed(format!(
            "{} is pending: first `otpctl setup --keep` or `otpctl setup --undo`",
            pending.record.request
        ))),
    }
}

fn nothing(wish: &Wish, plan: &Plan, out: &Output) -> Result<(), Failure> {
    if !out.json {
        for note in &plan.notes {
            out.note(note)?;
        }
    }
    let document = Document::of(wish, false, "", plan, None, None);
    out.done(&document, "There is nothing to change.")
}

/// What was kept of a service is taken out before it is set up in another way.
fn refuse_second_setup(state: &State, request: &Request) -> Result<(), Failure> {
    let kept = state.kept()?;
    let Some(setup) = kept.iter().find(|setup| setup.record.service == request.service) else {
        return Ok(());
    };
    Err(Failure::failed(format!(
        "{} was set up already and its files are not as they were left; first `otpctl setup \
         --remove {}`",
        setup.record.request, request.service
    )))
}

/// Whether root's own login by ssh ends with this, and nobody else may be there to become root.
fn ends_root(plan: &Plan) -> Result<Option<(String, bool)>, Failure> {
    if !plan.changes.iter().any(|change| sshd::is_drop_in(&change.path)) {
        return Ok(None);
    }
    let permitted = sshd::Effective::of("root")?.get("permitrootlogin").to_owned();
    if ["yes", "no"].contains(&permitted.as_str()) {
        return Ok(None);
    }
    let note = format!(
        "root's own ssh login ends with this: sshd takes keyboard-interactive from root only with \
         `PermitRootLogin yes` (it is {permitted})"
    );
    Ok(Some((note, caller::person().is_none() || !somebody_administers())))
}

/// Whether anybody is in a group that sudo usually lets become root.
fn somebody_administers() -> bool {
    let members = |name| Group::from_name(name).ok().flatten().map(|group| group.mem);
    let names = ["sudo", "wheel", "admin"].into_iter().filter_map(members).flatten();
    names.into_iter().any(|name| User::from_name(&name).ok().flatten().is_some())
}

/// Asks, and once more where the person may lock themselves out or leave a way past the code.
fn agree(wish: &Wish, alone: bool, exceptions: bool) -> Result<(), Failure> {
    if exceptions {
        tty::agree("Some will not be asked for a code, or not get in. Go on", wish.yes)?;
    }
    if alone {
        tty::agree("root will not get in by ssh any more. Go on", wish.yes)?;
    }
    tty::agree("Make these changes", wish.yes)
}

/// Writes the setup down and sets the alarm; nothing is changed yet. What is to be changed has to be
/// as it was when the plan was made.
fn pend(state: &State, request: &Request, plan: &Plan) -> Result<Setup, Failure> {
    plan.authselect.as_ref().map_or(Ok(()), Switch::unchanged)?;
    for change in &plan.changes {
        if file::read(&change.path)? != change.before {
            return Err(Failure::failed(format!(
                "{}: was changed by somebody else just now; nothing was changed",
                change.path.display()
            )));
        }
    }
    let begun = Timestamp::now().as_millisecond();
    let wait = i64::try_from(alarm::WAIT.as_millis()).unwrap_or_default();
    let place = |change: &Change| Place {
        path: change.path.clone(),
        before: change.before.is_some(),
        after: change.after.is_some(),
    };
    let record = Record {
        id: format!("{begun:x}-{:x}", std::process::id()),
        service: request.service.clone(),
        request: request.words(),
        begun,
        undo_at: begun + wait,
        sshd: plan.sshd,
        otherwise: plan.otherwise.clone(),
        authselect: plan.authselect.clone(),
        files: plan.changes.iter().map(place).collect(),
    };
    let setup = state.begin(record, &plan.changes)?;
    if let Err(failure) = alarm::arm(&setup.record) {
        state.forget(&setup)?;
        return Err(failure);
    }
    Ok(setup)
}

/// Changes the files, and has sshd take them where it is concerned. The password leaves the stack
/// only when sshd asks for the key; it comes back before sshd does so no longer.
fn make_it_so(setup: &Setup, plan: &Plan, user: Option<&str>, out: &Output) -> Result<(), Failure> {
    setup.apply(sshd::is_drop_in)?;
    if plan.sshd == Some(First::Key) {
        sshd::check(First::Key, user)?;
        if let Some(note) = sshd::reload()? {
            return Err(Failure::failed(format!(
                "{note}; without it the code alone would let in: start sshd, then try again"
            )));
        }
    }
    setup.apply(|path| !sshd::is_drop_in(path))?;
    setup.run()?;
    if plan.sshd == Some(First::Password) {
        sshd::check(First::Password, user)?;
        if let Some(note) = sshd::reload()? {
            out.note(&format!("note: {note}"))?;
        }
    }
    Ok(())
}

/// Takes the setup back because of a failure, and says so.
fn back(state: &State, setup: &Setup, failure: Failure) -> Failure {
    let failure = Failure { exit: Exit::Failed, ..failure };
    let taken_back = state
        .awaits(setup)
        .and_then(|waits| if waits { end::take_back(state, setup).map(drop) } else { Ok(()) });
    match taken_back {
        Ok(()) => failure.and("everything is as it was before"),
        Err(error) => failure.and(format!("and it could not be undone: {}", error.message)),
    }
}

/// One login of the administrator, through libpam.
fn try_it(service: &str, user: &str, out: &Output) -> Result<(), Failure> {
    let service = if service == ALL { trial_service() } else { service };
    out.notice(&format!("Trying a login of {user} at {service}; it uses up the code:"))?;
    let login = Login { service, user, source: None, tty: None };
    let outcome = login::try_login(&login, &mut |said| login_test::show(said, out))?;
    if outcome.verdict() == Verdict::Accepted {
        return Ok(());
    }
    let answer = outcome.account.unwrap_or(outcome.authenticate);
    Err(Failure::failed(format!(
        "{service}: the login of {} was not let in: {} ({})",
        printable(user),
        answer.words(),
        answer.name()
    )))
}

/// The person may have taken longer than the alarm waits.
fn still_pending(setup: &Setup) -> Result<(), Failure> {
    if end::open_patiently()?.awaits(setup)? {
        return Ok(());
    }
    Err(Failure::failed("this took more than five minutes, and everything was undone meanwhile"))
}

fn told(
    wish: &Wish,
    setup: &Setup,
    diff: &str,
    plan: &Plan,
    tried_by: Option<&str>,
    out: &Output,
) -> Result<(), Failure> {
    let undo_at = end::instant(setup.record.undo_at);
    let document = Document::of(wish, true, diff, plan, tried_by, Some(undo_at.to_string()));
    if out.json {
        return out.done(&document, "");
    }
    let time = undo_at.to_zoned(out.zone.clone()).strftime("%H:%M").to_string();
    let where_to = if plan.sshd.is_some() {
        "Log in from a second terminal"
    } else {
        "Try it in a second terminal"
    };
    if plan.sshd == Some(First::Key) {
        out.note("note: the key itself was not tried; without one in ~/.ssh nobody gets in")?;
    }
    out.notice(&format!("{where_to}, with this one still open. If all is well:"))?;
    out.notice("    otpctl setup --keep")?;
    out.notice(&format!("Without that, everything is undone at {time}."))
}

impl<'a> Document<'a> {
    fn of(
        wish: &'a Wish,
        changed: bool,
        diff: &'a str,
        plan: &'a Plan,
        tried_by: Option<&'a str>,
        undo_at: Option<String>,
    ) -> Self {
        Self { service: &wish.service, changed, diff, notes: &plan.notes, tried_by, undo_at }
    }
}

impl Plan {
    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.authselect.is_none()
    }

    /// The changes as a unified diff.
    fn diff(&self) -> String {
        let text = |content: &Option<Vec<u8>>| {
            let content = content.as_deref().unwrap_or_default();
            String::from_utf8_lossy(content).into_owned()
        };
        let name = |there: bool, path: &Path| {
            if there { path.display().to_string() } else { "/dev/null".to_owned() }
        };
        let files = self.changes.iter().map(|change| {
            let (before, after) = (text(&change.before), text(&change.after));
            let old = name(change.before.is_some(), &change.path);
            let new = name(change.after.is_some(), &change.path);
            TextDiff::from_lines(&before, &after).unified_diff().header(&old, &new).to_string()
        });
        let all: String = files.chain(self.authselect.iter().map(Switch::shown)).collect();
        all.lines().map(|line| escaped(line) + "\n").collect()
    }
}

/// A line of a file without what a terminal would obey; tabs stay.
fn escaped(line: &str) -> String {
    line.split('\t').map(printable).collect::<Vec<_>>().join("\t")
}
