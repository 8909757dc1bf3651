//! `otpctl config`

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::bus::{Session, failure};
use crate::failure::{Exit, Failure};
use crate::render::{Output, printable};

/// Where packages put the daemon.
const DAEMON: &str = "/usr/sbin/otpd";

/// Has the daemon's own program check the files, so that there is one set of rules.
pub(crate) fn check(file: Option<&Path>, directories: bool, out: &Output) -> Result<(), Failure> {
    let question = ["check-config", "--directories"];
    let said = ask(if directories { &question } else { &["check-config"] }, file)?;
    let warnings: Vec<_> = said.iter().filter_map(|line| line.strip_prefix("warning: ")).collect();
    if out.json {
        return out.done(&json!({ "ok": true, "warnings": warnings }), "ok");
    }
    said.iter().try_for_each(|line| out.notice(line))
}

/// Has the daemon's own program print what the files come to.
pub(crate) fn show(file: Option<&Path>, out: &Output) -> Result<(), Failure> {
    let text = ask(&["show-config"], file)?.join("\n");
    out.show(&json!({ "toml": text }), || text.clone())
}

/// What the daemon's own program answers, line by line.
fn ask(question: &[&str], file: Option<&Path>) -> Result<Vec<String>, Failure> {
    let daemon = daemon();
    let mut command = Command::new(&daemon);
    command.args(question).env_clear();
    if let Some(file) = file {
        command.arg("--config").arg(file);
    }
    let answer = command.output().map_err(|error| {
        Failure::failed(format!("config: {}: {error}; is otpd installed?", daemon.display()))
    })?;
    let lines = |bytes: &[u8]| -> Vec<_> {
        String::from_utf8_lossy(bytes).lines().map(printable).collect()
    };
    if answer.status.success() {
        return Ok(lines(&answer.stdout));
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
    session.manager.reload().await.map_err(|error| failure("config reload", &error))?;
    session.out.done(&json!({ "reloaded": true }), "The configuration is read again.")
}
