//! How a setup ends: it is kept, undone or removed; and what there is.

use std::io::Write;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use jiff::Timestamp;
use nix::unistd::setsid;
use serde::Serialize;

use super::begin::need_root;
use super::state::{FOLDER, Setup, State};
use super::{alarm, authselect, plan, sshd, stands, undo as taking_back};
use crate::failure::{Exit, Failure};
use crate::render::{List, Output, fields};

/// After how many seconds at most an undo that failed is tried again.
const AGAIN: u64 = 30;

/// A setup, for people and programs.
#[derive(Serialize)]
struct Document {
    service: String,
    request: String,
    state: &'static str,
    begun: String,
    undo_at: Option<String>,
    files: Vec<String>,
}

/// What was done.
#[derive(Serialize)]
struct Done<'a> {
    done: &'static str,
    services: &'a [String],
    notes: &'a [String],
}

pub(super) fn instant(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap_or_default()
}

/// The state, after another process has ended its short work with it.
pub(super) fn open_patiently() -> Result<State, Failure> {
    const TRIES: u32 = 100;
    for _ in 0..TRIES {
        match State::open(Path::new(FOLDER)) {
            Err(failure) if failure.error == "Busy" => sleep(Duration::from_millis(100)),
            opened => return opened,
        }
    }
    State::open(Path::new(FOLDER))
}

/// Undoes a setup, has sshd take it, and forgets it. The alarm is left until all is done.
pub(super) fn take_back(state: &State, setup: &Setup) -> Result<Vec<String>, Failure> {
    let mut notes = taking_back::undo(setup)?;
    if setup.record.sshd.is_some() {
        notes.extend(sshd::reload()?);
    }
    let pending = state.awaits(setup)?;
    state.forget(setup)?;
    if pending {
        notes.extend(disarm());
    }
    Ok(notes)
}

/// An alarm that is still set finds nothing to undo; that is worth no more than a note.
fn disarm() -> Option<String> {
    alarm::disarm().err().map(|failure| failure.message)
}

/// `otpctl setup --keep`
pub(crate) fn keep(out: &Output) -> Result<(), Failure> {
    need_root()?;
    let state = open_patiently()?;
    let Some(setup) = state.pending()? else {
        return Err(Failure::failed("nothing is pending; `otpctl setup` shows what is set up"));
    };
    stands::check(&setup)?;
    state.keep(&setup)?;
    let notes: Vec<_> = disarm().into_iter().collect();
    let services = [setup.record.service.clone()];
    report("kept", &services, &notes, out, &format!("{} is kept.", setup.record.request))
}

/// `otpctl setup --undo`
pub(crate) fn undo(out: &Output) -> Result<(), Failure> {
    need_root()?;
    let state = open_patiently()?;
    let Some(setup) = state.pending()? else {
        return report("undone", &[], &[], out, "Nothing is pending.");
    };
    let notes = take_back(&state, &setup)?;
    let services = [setup.record.service.clone()];
    report("undone", &services, &notes, out, &format!("{} is undone.", setup.record.request))
}

/// The process that undoes the setup `id` where systemd does not. What fails is tried again, until
/// nothing is pending.
pub(crate) fn undo_after(seconds: u64, id: &str) -> Result<(), Failure> {
    need_root()?;
    // It leads a group already where a shell has made one for it, and then needs no other.
    let _ = setsid();
    let mut out = std::io::stdout();
    let ready = out.write_all(&alarm::READY).and_then(|()| out.flush());
    ready.map_err(|error| Failure::write("standard output", &error))?;
    sleep(Duration::from_secs(seconds));
    while undo_if_pending(id).is_err() {
        sleep(Duration::from_secs(seconds.clamp(1, AGAIN)));
    }
    Ok(())
}

fn undo_if_pending(id: &str) -> Result<(), Failure> {
    let state = open_patiently()?;
    match state.pending()? {
        Some(setup) if setup.record.id == id => take_back(&state, &setup).map(drop),
        _ => Ok(()),
    }
}

/// `otpctl setup --remove [SERVICE]`
pub(crate) fn remove(service: Option<&str>, out: &Output) -> Result<(), Failure> {
    need_root()?;
    let state = open_patiently()?;
    let (services, notes) = remove_from(&state, service)?;
    let what = if services.is_empty() {
        "Nothing is set up.".to_owned()
    } else {
        format!("Removed: {}.", services.join(", "))
    };
    if services.is_empty()
        && let Some(service) = service
    {
        return Err(Failure::new(
            Exit::Failed,
            "NotSetUp",
            format!("{service} is not set up by itself; `otpctl setup` shows what is"),
        ));
    }
    report("removed", &services, &notes, out, &what)
}

/// Takes out what records tell of, and what is marked besides; the services, and what to know.
pub(super) fn remove_from(
    state: &State,
    service: Option<&str>,
) -> Result<(Vec<String>, Vec<String>), Failure> {
    let (mut services, mut notes) = (Vec::new(), Vec::new());
    let meant = |name: &str| service.is_none_or(|service| service == name);
    for setup in state.pending()?.into_iter().chain(state.kept()?) {
        if meant(&setup.record.service) {
            notes.extend(take_back(state, &setup)?);
            services.push(setup.record.service);
        }
    }
    for path in plan::marked() {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if meant(&name) && taking_back::by_marks(&path)? {
            services.push(name);
        }
    }
    let ours = |setup: &Setup| setup.record.files.iter().any(|place| sshd::is_drop_in(&place.path));
    let needed = state.pending()?.iter().chain(&state.kept()?).any(ours);
    if meant("sshd") && !needed && sshd::remove_stray_drop_in()? {
        notes.extend(sshd::reload()?);
        services.push("sshd".to_owned());
    }
    if meant(plan::ALL) && !services.iter().any(|name| name == plan::ALL) && authselect::disable()?
    {
        services.push(plan::ALL.to_owned());
    }
    Ok((services, notes))
}

/// `otpctl setup`
pub(crate) fn show(out: &Output) -> Result<(), Failure> {
    need_root()?;
    let state = open_patiently()?;
    let pending = state.pending()?.map(|setup| document(&setup, "pending"));
    let kept = state.kept()?;
    let kept = kept.iter().map(|setup| document(setup, "kept"));
    let items: Vec<_> = pending.into_iter().chain(kept).collect();
    let total = items.len() as u64;
    let text = || match items.as_slice() {
        [] => "Nothing is set up by otpctl; `otpctl doctor` shows what is there.".to_owned(),
        items => items.iter().map(Document::shown).collect::<Vec<_>>().join("\n"),
    };
    let text = text();
    out.show(&List { items, total }, || text)
}

fn document(setup: &Setup, state: &'static str) -> Document {
    let record = &setup.record;
    Document {
        service: record.service.clone(),
        request: record.request.clone(),
        state,
        begun: instant(record.begun).to_string(),
        undo_at: (state == "pending").then(|| instant(record.undo_at).to_string()),
        files: record.files.iter().map(|place| place.path.display().to_string()).collect(),
    }
}

impl Document {
    fn shown(&self) -> String {
        let keep = "otpctl setup --keep, or --undo".to_owned();
        fields(&[
            ("setup", Some(self.request.clone())),
            ("state", Some(self.state.to_owned())),
            ("begun", Some(self.begun.clone())),
            ("undone at", self.undo_at.clone()),
            ("next", self.undo_at.as_ref().map(|_| keep)),
            ("files", Some(self.files.join(" ")).filter(|files| !files.is_empty())),
        ])
    }
}

/// Tells what was done, and what the person should know of it.
pub(super) fn report(
    done: &'static str,
    services: &[String],
    notes: &[String],
    out: &Output,
    notice: &str,
) -> Result<(), Failure> {
    if !out.json {
        for note in notes {
            out.note(&format!("note: {note}"))?;
        }
    }
    out.done(&Done { done, services, notes }, notice)
}
