//! `otpctl import`

use std::fmt::Write as _;
use std::io::IsTerminal;
use std::path::Path;

use otp_ipc::maintenance::import::{Rejected, Report, Request, Source};
use zeroize::Zeroizing;

use crate::cli::Import;
use crate::failure::Failure;
use crate::program::Task;
use crate::render::{Output, folded, printable};
use crate::secret_file::SecretFile;
use crate::sources::{self, Bytes, Resident, Template};

/// Longest password or pre-shared key in bytes.
const LONGEST_KEY: u64 = 4096;
/// Different warnings that a person is shown.
const WARNINGS: usize = 20;
/// Rejects that a terminal shows: the summary above them stays on the screen.
const REJECTS: usize = 10;

/// Gives the files to otpd's own program and shows what it made of them.
pub(crate) fn run(args: &Import, out: &Output) -> Result<(), Failure> {
    let key = args.key_file.as_deref().map(key).transpose()?;
    let rejects = args.rejects.as_deref().map(SecretFile::create).transpose()?;
    let request = Request {
        format: args.format.clone(),
        user: args.user.clone(),
        method: args.method.clone(),
        zone: args.tz.clone(),
        key: key.is_some(),
        dry_run: args.dry_run,
        accepted: args.accepted,
    };
    let mut task = Task::start("import", "import", &request)?;
    if let Some(key) = &key {
        task.send(key)?;
    }
    send_files(args, &mut task)?;
    let answer = task.finish()?;
    let report: Report = serde_json::from_slice(&answer)
        .map_err(|error| Failure::failed(format!("import: otpd's answer: {error}")))?;
    show(&report, out)?;
    tell_rejects(&report, rejects, out)?;
    result(&report, args.user.as_deref())
}

/// Whether it was done, and what is to do where it was not.
fn result(report: &Report, user: Option<&str>) -> Result<(), Failure> {
    let failed = |why: String| Err(Failure::failed(format!("import: nothing is changed; {why}")));
    match (report.tokens.is_empty(), report.rejected) {
        (true, 0) => {
            let whose = user.map_or(String::new(), |user| format!(" of {user}"));
            failed(format!("the files have no token{whose}"))
        }
        (true, _) => failed("correct what is rejected".into()),
        (false, _) if report.applied => Ok(()),
        (false, rejected) => {
            let what = count(rejected, "reject", "rejects");
            failed(format!("correct the {what}, or add --accepted"))
        }
    }
}

fn key(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let failed = |why| Failure::failed(format!("import: {}: {why}", path.display()));
    sources::read(path, LONGEST_KEY).map_err(failed)
}

fn send_files(args: &Import, task: &mut Task) -> Result<(), Failure> {
    let Some(text) = args.path_template.as_deref() else {
        let (format, user) = (args.format.as_deref(), args.user.as_deref());
        let mut files = args.files.iter();
        return files.try_for_each(|path| send(task, sources::named(path, format, user)));
    };
    let residents = match (&args.user, &args.users) {
        (Some(user), _) => vec![Resident::named(user)?],
        (None, Some(list)) => Resident::listed(list)?,
        (None, None) => Resident::all()?,
    };
    let template = Template { text, format: args.format.as_deref() };
    let mut found = false;
    for file in residents.iter().filter_map(|resident| template.of(resident)) {
        found = true;
        send(task, file)?;
    }
    if found { Ok(()) } else { Err(Failure::failed(format!("import: nobody has a file {text}"))) }
}

fn send(task: &mut Task, (source, bytes): (Source, Bytes)) -> Result<(), Failure> {
    let head = serde_json::to_vec(&source);
    task.send(&head.map_err(|error| Failure::failed(format!("import: {error}")))?)?;
    bytes.map_or(Ok(()), |bytes| task.send(&bytes))
}

fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

fn show(report: &Report, out: &Output) -> Result<(), Failure> {
    if out.json {
        return out.show(report, String::new);
    }
    let would = match (report.dry_run, report.applied) {
        (true, _) => "Would be: ",
        (false, false) => "Not done: ",
        (false, true) => "",
    };
    let added = count(report.added, "token", "tokens");
    let users = count(report.users, "user", "users");
    let (known, raised, rejected) = (report.known, report.raised, report.rejected);
    out.note(&format!(
        "{would}{added} added, {known} known already, {raised} of these brought up to date, \
         {rejected} rejected; {users}."
    ))?;
    warn(report, out)?;
    for method in &report.methods {
        let name = &method.method;
        let window = match (method.before, method.after, method.look_ahead) {
            (_, _, Some(ahead)) => format!("the next one and {ahead} after it"),
            (before, after, None) => format!(
                "the present step, {} before and {} after it",
                before.unwrap_or_default(),
                after.unwrap_or_default()
            ),
        };
        out.note(&format!("Codes of method {name} that count: {window}."))?;
    }
    Ok(())
}

/// The warnings, each once, with the first place that it is about.
fn warn(report: &Report, out: &Output) -> Result<(), Failure> {
    let mut texts: Vec<(&str, String, usize)> = Vec::new();
    for token in &report.tokens {
        for warning in &token.warnings {
            if let Some((_, _, more)) = texts.iter_mut().find(|(text, ..)| text == warning) {
                *more += 1;
            } else if texts.len() <= WARNINGS {
                let place = format!("{}:{}: {}", token.file, token.line, token.user);
                texts.push((warning, place, 0));
            }
        }
    }
    for (text, place, more) in texts.iter().take(WARNINGS) {
        let more = if *more == 0 { String::new() } else { format!("; the same of {more} more") };
        out.note(&format!("{place}: {text}{more}"))?;
    }
    if texts.len() > WARNINGS {
        out.note("There are more warnings; --json has all of them.")?;
    }
    Ok(())
}

/// To the file for them, else to standard error.
fn tell_rejects(report: &Report, file: Option<SecretFile>, out: &Output) -> Result<(), Failure> {
    if report.rejects.is_empty() {
        return Ok(());
    }
    match file {
        Some(file) => {
            let path = file.write(lines(&report.rejects).as_bytes())?;
            out.note(&format!("What is rejected is in {}.", path.display()))
        }
        None if out.json => Ok(()),
        None => {
            let mut errors = std::io::stderr().lock();
            let terminal = errors.is_terminal();
            let text = if terminal { first(&report.rejects) } else { lines(&report.rejects) };
            let written = std::io::Write::write_all(&mut errors, text.as_bytes());
            written.map_err(|error| Failure::write("standard error", &error))
        }
    }
}

/// One a line.
fn lines(rejects: &[Rejected]) -> String {
    let mut text = String::new();
    for Rejected { file, line, user, reason } in rejects {
        let place = if *line == 0 { file.clone() } else { format!("{file}:{line}") };
        let user = user.as_ref().map_or(String::new(), |user| format!("{user}: "));
        let _ = writeln!(text, "{}", printable(&format!("{place}: {user}{reason}")));
    }
    text
}

/// The first ones, as they fit a terminal, and how many more there are.
fn first(rejects: &[Rejected]) -> String {
    let (shown, more) = rejects.split_at(rejects.len().min(REJECTS));
    let mut text: String = lines(shown).lines().map(|line| folded(line) + "\n").collect();
    if !more.is_empty() {
        let _ = writeln!(text, "{} more are rejected; --rejects FILE lists them all.", more.len());
    }
    text
}

#[cfg(test)]
mod tests;
