//! `otpctl key`

use otp_ipc::maintenance::rotation::{Request, Rotated, Source, Step};
use serde::Serialize;

use crate::cli::Key;
use crate::failure::Failure;
use crate::key_credential::{self, KeyCredential};
use crate::program::Task;
use crate::render::Output;
use crate::service_manager::without_daemon;
use crate::tool::Tool;
use crate::{program, tty};

const VERB: &str = "key rotate";

/// What `--json` prints.
#[derive(Serialize)]
struct Document {
    key_version: u32,
    key: String,
    /// Where the key of before is.
    kept: Option<String>,
    /// Users whose records were sealed anew by this run.
    users: Option<u64>,
    /// It finished what was begun before.
    resumed: bool,
}

/// Does what the command line asks for.
pub(crate) fn run(command: &Key, out: &Output) -> Result<(), Failure> {
    match command {
        Key::Rotate { yes } => rotate(*yes, out),
    }
}

fn rotate(yes: bool, out: &Output) -> Result<(), Failure> {
    program::need_root(VERB)?;
    let credential = KeyCredential::find(VERB)?;
    if !yes && tty::interactive() {
        tty::tell(
            "Everything in the store is sealed with a new key. Logins wait for some\n\
             seconds. Backups from before need the present key, which is kept.",
        );
    }
    tty::agree("Give the store a new key", yes)?;
    let task = start(Step::Replace, credential.as_ref())?.ready()?;
    let done = without_daemon(VERB, || {
        let done = answer(task)?;
        match &credential {
            None => Ok(done),
            Some(credential) => into_credential(credential, done),
        }
    })?;
    label(&done);
    told(&done, out)
}

fn start(step: Step, credential: Option<&KeyCredential>) -> Result<Task, Failure> {
    let source = if credential.is_some() { Source::Credential } else { Source::File };
    let mut task = Task::start(VERB, "rotate-key", &Request { source, step })?;
    if let Some(credential) = credential {
        task.send(&credential.text)?;
    }
    Ok(task)
}

fn answer(task: Task) -> Result<Rotated, Failure> {
    let said = task.finish()?;
    let said = serde_json::from_slice(&said);
    said.map_err(|_| Failure::failed(format!("{VERB}: otpd's answer is not understood")))
}

/// Makes the new key the credential, and removes its file.
fn into_credential(credential: &KeyCredential, done: Rotated) -> Result<Rotated, Failure> {
    let mended = |failure: Failure| {
        failure.and(format!(
            "the store has the new key, and otpd takes it from {}: run `otpctl key rotate` again \
             when that is mended",
            done.key
        ))
    };
    let before = done.key_version.saturating_sub(1).max(1);
    let (text, kept) = credential.replace(&done.key, before).map_err(mended)?;
    let present = KeyCredential { text };
    start(Step::Withdraw, Some(&present))?.ready()?.finish().map_err(mended)?;
    Ok(Rotated { key: key_credential::PLACE.to_owned(), kept, ..done })
}

/// Gives the files that were made the labels of SELinux's policy, where there is one.
fn label(done: &Rotated) {
    let files = [Some(done.key.as_str()), done.kept.as_deref()];
    for file in files.into_iter().flatten() {
        if let Some(tool) = Tool::find("restorecon", &[file]) {
            // Without a policy it says so, and nothing is amiss.
            let _ = tool.run();
        }
    }
}

fn told(done: &Rotated, out: &Output) -> Result<(), Failure> {
    let Rotated { resumed, users, key_version, key, kept } = done;
    let document = Document {
        key_version: *key_version,
        key: key.clone(),
        kept: kept.clone(),
        users: *users,
        resumed: *resumed,
    };
    if out.json {
        return out.done(&document, "");
    }
    out.note(&first_line(done))?;
    out.note(&format!("Back it up, apart from the store: {key}"))?;
    match kept {
        Some(kept) => out.note(&format!("Backups from before need the key of before: {kept}")),
        None => Ok(()),
    }
}

fn first_line(done: &Rotated) -> String {
    let version = done.key_version;
    let sealed = match done.users {
        Some(1) => "; 1 user's records are sealed with it".to_owned(),
        Some(users) => format!("; the records of {users} users are sealed with it"),
        None => String::new(),
    };
    if done.resumed {
        format!("The rotation begun before is finished: the key has version {version}{sealed}.")
    } else {
        format!("The store has a new key, version {version}{sealed}.")
    }
}
