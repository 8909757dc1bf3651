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
pub(crate) fn check(file: Option<&Path>, out: &Output) -> Result<(), Failure> {
    let daemon = daemon();
    let mut command = Command::new(&daemon);
    command.arg("check-config").env_clear();
    if let Some(file) = file {
        command.arg("--config").arg(file);
    }
    let answer = command.output().map_err(|error| {
        Failure::failed(format!("config check: {}: {error}; is otpd installed?", daemon.display()))
    })?;
    if answer.status.success() {
        return out.done(&json!({ "ok": true }), "ok");
    }
    let text = [answer.stdout, answer.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().map(printable).collect();
    let message = if lines.is_empty() {
        format!("config check: {}: {}", daemon.display(), answer.status)
    } else {
        lines.join("\n")
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
