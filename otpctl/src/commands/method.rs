//! `otpctl method`: root's files, and the daemon is told of them.

use std::path::Path;

use jiff::Timestamp;
use otp_ipc::TokenFilter;
use serde::Serialize;

use super::config::{of_kind, reload_quietly};
use crate::bus::{Session, failure};
use crate::cli::{Method as Verb, MethodFiles, MethodSet};
use crate::failure::{Exit, Failure};
use crate::method::{Configuration, Edit, Method, Parameters};
use crate::render::{self, List, Output, printable};
use crate::tty;

pub(crate) async fn run(verb: Verb, bus: Option<&str>, out: &Output) -> Result<(), Failure> {
    let job = |name: String, files: MethodFiles| Job { name, files, bus, out };
    match verb {
        Verb::List { config } => list(config.as_deref(), out),
        Verb::Show { name, config } => show(&name, config.as_deref(), out),
        Verb::Set(MethodSet { name, values, files }) => job(name, files).set(values).await,
        Verb::Link { name, directory, files } => job(name, files).link(&directory, true).await,
        Verb::Unlink { name, directory, files } => job(name, files).link(&directory, false).await,
        Verb::Enable { name, files } => job(name, files).enable(true).await,
        Verb::Disable { name, files } => job(name, files).enable(false).await,
        Verb::Remove { name, yes, files } => job(name, files).remove(yes).await,
    }
}

fn list(main: Option<&Path>, out: &Output) -> Result<(), Failure> {
    let configuration = Configuration::read(main)?;
    let items: Vec<_> = configuration.methods.iter().map(Method::document).collect();
    let total = items.len() as u64;
    out.show(&List { items, total }, || {
        let row = |method: &Method| {
            [
                method.name.clone(),
                method.title.clone(),
                method.kind.clone(),
                method.codes(),
                method.window(),
                format!("1/{}", method.guess_one_in()),
                method.used_by(),
            ]
        };
        let rows: Vec<_> = configuration.methods.iter().map(row).collect();
        let headings = ["NAME", "TITLE", "TYPE", "CODES", "WINDOW", "GUESS", "USERS OF"];
        out.table(headings, &["NAME", "TITLE", "USERS OF"], &rows)
    })
}

fn show(name: &str, main: Option<&Path>, out: &Output) -> Result<(), Failure> {
    let configuration = Configuration::read(main)?;
    let method = configuration.method(name)?;
    out.show(&method.document(), || render::fields(&method.fields()))
}

/// What is printed of a change with `--json`.
#[derive(Serialize)]
struct Changed<'a, T: Serialize> {
    #[serde(flatten)]
    method: T,
    file: &'a Path,
    changed: bool,
    warnings: Vec<&'a str>,
    /// Whether the daemon has it already.
    reloaded: bool,
}

/// A method that was removed.
#[derive(Serialize)]
struct Removed<'a> {
    name: &'a str,
    removed: bool,
}

/// One change of one method.
struct Job<'a> {
    name: String,
    files: MethodFiles,
    bus: Option<&'a str>,
    out: &'a Output,
}

impl Job<'_> {
    async fn set(self, values: Vec<crate::method::Parameter>) -> Result<(), Failure> {
        let parameters = Parameters::new(values).map_err(Failure::usage)?;
        let t0 = parameters.get("t0").and_then(|t0| t0.milliseconds()).unwrap_or_default();
        if t0 > Timestamp::now().as_millisecond() {
            return Err(Failure::usage(
                "T0 lies in the future: no code is right before it; nothing was changed",
            ));
        }
        let mut edit = self.open()?;
        let known = edit.configuration().method(&self.name).is_ok();
        edit.set(&parameters)?;
        let told = if known { "is changed" } else { "is made" };
        self.finish(edit, told).await
    }

    async fn link(self, directory: &str, link: bool) -> Result<(), Failure> {
        let mut edit = self.open()?;
        let mut directories = edit.configuration().method(&self.name)?.directories.clone();
        let before = directories.len();
        directories.retain(|linked| linked != directory);
        let linked = directories.len() < before;
        if link == linked {
            let state = if link { "is linked to" } else { "is not linked to" };
            return self.nothing(&edit, &format!("{state} {directory} already"));
        }
        let told = if link {
            directories.push(directory.to_owned());
            format!("is linked to {directory}")
        } else {
            format!("is linked to {directory} no longer")
        };
        edit.link(&directories)?;
        self.finish(edit, &told).await
    }

    async fn enable(self, enabled: bool) -> Result<(), Failure> {
        let mut edit = self.open()?;
        let told = if enabled { "is enabled" } else { "is disabled" };
        if edit.configuration().method(&self.name)?.enabled == enabled {
            return self.nothing(&edit, &format!("{told} already"));
        }
        edit.enable(enabled)?;
        self.finish(edit, told).await
    }

    async fn remove(self, yes: bool) -> Result<(), Failure> {
        let edit = self.open()?;
        let (name, built_in) = (&self.name, edit.configuration().method(&self.name)?.is_built_in());
        if !edit.is_written() {
            return Err(Failure::usage(format!(
                "{name}: is built in and nothing of it is changed; `otpctl method disable {name}` \
                 takes it out of use"
            )));
        }
        let tokens = if built_in { Some(0) } else { self.tokens().await };
        match tokens {
            Some(0) => {}
            Some(tokens) => {
                let tokens = count(tokens);
                let question = format!("Remove method {name} of {tokens}, which work no longer");
                tty::agree(&question, yes)?;
            }
            None => {
                let unknown = "otpd does not answer, so its tokens cannot be counted";
                tty::agree(&format!("{unknown}. Remove method {name}"), yes)?;
            }
        }
        drop(edit);
        // Asking took its time: the files are read once more.
        let mut edit = self.open()?;
        edit.configuration().method(name)?;
        edit.remove();
        let path = edit.path().to_owned();
        let change = edit.commit()?;
        let reloaded = self.reload(&path).await?;
        if self.out.json {
            let method = Removed { name, removed: true };
            let document = Changed {
                method,
                file: &path,
                changed: change.changed,
                warnings: vec![],
                reloaded,
            };
            return self.out.print(&render::json(&document)?);
        }
        let told = if built_in { "is as it is built in again" } else { "is removed" };
        self.out.notice(&format!("Method {name} {told}: {}.", path.display()))?;
        if let Some(tokens) = tokens.filter(|tokens| *tokens > 0) {
            self.out.notice(&format!(
                "Codes of {} are accepted no longer; a method of this name brings them back.",
                count(tokens)
            ))?;
        }
        self.tell_reload(reloaded)
    }

    fn open(&self) -> Result<Edit, Failure> {
        Edit::open(self.files.config.as_deref(), &self.name)
    }

    /// Tells that all is as it was asked for.
    fn nothing(&self, edit: &Edit, told: &str) -> Result<(), Failure> {
        let method = edit.configuration().method(&self.name)?.document();
        let document = Changed {
            method,
            file: edit.path(),
            changed: false,
            warnings: vec![],
            reloaded: false,
        };
        let notice = format!("Method {} {told}; nothing was changed.", self.name);
        self.out.done(&document, &notice)
    }

    /// Puts the change into the files, has the daemon read them, and tells of it.
    async fn finish(&self, edit: Edit, told: &str) -> Result<(), Failure> {
        let (name, path) = (&self.name, edit.path().to_owned());
        let change = edit.commit()?;
        let reloaded = if change.changed { self.reload(&path).await? } else { false };
        let of_it = format!("method \"{name}\"");
        let about: Vec<_> =
            change.said.iter().filter(|line| line.contains(&of_it)).cloned().collect();
        let configuration = Configuration::read(self.files.config.as_deref())?;
        let method = configuration.method(name)?;
        if self.out.json {
            let warnings = of_kind(&about, "warning: ");
            let (method, changed) = (method.document(), change.changed);
            let document = Changed { method, file: &path, changed, warnings, reloaded };
            return self.out.print(&render::json(&document)?);
        }
        if !change.changed {
            return self.out.notice(&format!("Method {name} is so already; nothing was changed."));
        }
        self.out.notice(&format!("Method {name} {told}: {}.", path.display()))?;
        about.iter().try_for_each(|line| self.out.notice(line))?;
        if !method.enabled || method.directories.is_empty() {
            self.tell_lost().await?;
        }
        self.tell_reload(reloaded)
    }

    /// Has the daemon read the files again, unless that is not wanted or it does not run.
    async fn reload(&self, path: &Path) -> Result<bool, Failure> {
        if self.files.no_reload {
            return Ok(false);
        }
        let reloaded = match Session::open(self.bus, self.out.clone()).await {
            Ok(session) => reload_quietly(&session).await,
            Err(failure) => Err(failure),
        };
        match reloaded {
            Ok(()) => Ok(true),
            Err(failure) if failure.exit == Exit::Unavailable => Ok(false),
            Err(failure) => {
                let path = path.display();
                Err(failure.and(format!("{path} is changed, and otpd goes on as before")))
            }
        }
    }

    fn tell_reload(&self, reloaded: bool) -> Result<(), Failure> {
        self.out.notice(match (reloaded, self.files.no_reload) {
            (true, _) => "otpd has read its configuration again.",
            (false, true) => "It counts when otpd reads it: `otpctl config reload`.",
            (false, false) => "otpd does not answer; it counts from its next start.",
        })
    }

    /// Tells how many tokens nobody can use while the method is as it is.
    async fn tell_lost(&self) -> Result<(), Failure> {
        match self.tokens().await {
            Some(tokens) if tokens > 0 => {
                self.out.notice(&format!("Codes of {} are accepted no longer.", count(tokens)))
            }
            _ => Ok(()),
        }
    }

    /// How many tokens of the method there are; `None` where the daemon does not say.
    async fn tokens(&self) -> Option<u64> {
        let session = Session::open(self.bus, self.out.clone()).await.ok()?;
        let method = Some(self.name.clone());
        let filter = TokenFilter { method, limit: Some(0), ..TokenFilter::default() };
        let answer = session.manager.list_tokens(&filter).await;
        let answer = answer.map_err(|error| failure(&printable(&self.name), &error));
        answer.ok().map(|(_, total)| total)
    }
}

/// So many tokens, in words.
fn count(tokens: u64) -> String {
    format!("{tokens} token{}", if tokens == 1 { "" } else { "s" })
}
