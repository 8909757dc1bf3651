//! `otpctl config`

use std::path::Path;

use serde_json::json;

use crate::bus::{Session, failure};
use crate::failure::Failure;
use crate::program;
use crate::render::{Output, printable};

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
    let answer = program::answer(question, file)?;
    Ok(answer.lines().map(printable).collect())
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
