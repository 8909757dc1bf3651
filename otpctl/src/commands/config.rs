//! `otpctl config`

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::bus::{Session, failure};
use crate::failure::{Exit, Failure};
use crate::render::{Output, printable};

/// Where packages put the daemon.
const DAEMON: &str = "/usr/sbin/otpd";
/// Where systemd keeps the credentials of the daemon while it runs.
const CREDENTIALS: &str = "/run/credentials/otpd.service";

/// Has the daemon's own program check the files, so that there is one set of rules.
pub(crate) fn check(file: Option<&Path>, directories: bool, out: &Output) -> Result<(), Failure> {
    let question = ["check-config", "--directories"];
    let said = ask(if directories { &question } else { &["check-config"] }, file)?;
    if out.json {
        let [warnings, notices] = ["warning: ", "notice: "].map(|kind| of_kind(&said, kind));
        return out.done(&json!({ "ok": true, "warnings": warnings, "notices": notices }), "ok");
    }
    said.iter().try_for_each(|line| out.notice(line))
}

/// The lines of one kind, without the word for it.
pub(crate) fn of_kind<'a>(said: &'a [String], kind: &str) -> Vec<&'a str> {
    said.iter().filter_map(|line| line.strip_prefix(kind)).collect()
}

/// Has the daemon's own program print what the files come to.
pub(crate) fn show(file: Option<&Path>, out: &Output) -> Result<(), Failure> {
    let text = ask(&["show-config"], file)?.join("\n");
    out.show(&json!({ "toml": text }), || text.clone())
}

/// What the daemon's own program answers, line by line and printable.
pub(crate) fn ask(question: &[&str], file: Option<&Path>) -> Result<Vec<String>, Failure> {
    Ok(lines(answer(question, file)?.as_bytes()))
}

fn lines(text: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(text).lines().map(printable).collect()
}

/// What the daemon's own program answers.
pub(crate) fn answer(question: &[&str], file: Option<&Path>) -> Result<String, Failure> {
    let daemon = daemon();
    let mut command = Command::new(&daemon);
    command.args(question).env_clear();
    // Only root can read it, as only root can read all of the configuration.
    if Path::new(CREDENTIALS).is_dir() {
        command.env("CREDENTIALS_DIRECTORY", CREDENTIALS);
    }
    if let Some(file) = file {
        command.arg("--config").arg(file);
    }
    let answer = command.output().map_err(|error| {
        Failure::failed(format!("config: {}: {error}; is otpd installed?", daemon.display()))
    })?;
    if answer.status.success() {
        return Ok(String::from_utf8_lossy(&answer.stdout).into_owned());
    }
    let said = lines(&[answer.stdout, answer.stderr].concat());
    let message = if said.is_empty() {
        format!("config: {}: {}", daemon.display(), answer.status)
    } else {
        said.join("\n")
    };
    Err(Failure::new(Exit::Failed, "InvalidConfiguration", message))
}

/// The daemon beside this program, as after a build, or the installed one. Never by `PATH`.
fn daemon() -> PathBuf {
    std::env::current_exe()
        .ok()
        .and_then(|own| Some(own.parent()?.join("otpd")))
        .filter(|beside| beside.is_file())
        .unwrap_or_else(|| DAEMON.into())
}

/// Has the running daemon read its files again.
pub(crate) async fn reload(session: &Session) -> Result<(), Failure> {
    reload_quietly(session).await?;
    session.out.done(&json!({ "reloaded": true }), "The configuration is read again.")
}

/// The same without a word of it.
pub(crate) async fn reload_quietly(session: &Session) -> Result<(), Failure> {
    session.manager.reload().await.map_err(|error| failure("config reload", &error))
}
