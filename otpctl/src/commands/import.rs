//! `otpctl import`

use std::fmt::Write as _;
use std::path::Path;

use otp_ipc::maintenance::import::{Rejected, Report, Request, Source};
use zeroize::Zeroizing;

use crate::cli::Import;
use crate::failure::Failure;
use crate::program::Task;
use crate::render::{Output, printable};
use crate::secret_file::SecretFile;
use crate::sources::{self, Bytes, Resident, Template};

/// Longest password or pre-shared key in bytes.
const LONGEST_KEY: u64 = 4096;
/// Different warnings that a person is shown.
const WARNINGS: usize = 20;

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
    if report.applied && (report.rejects.is_empty() || !report.tokens.is_empty()) {
        return Ok(());
    }
    let what = count(report.rejected, "entry is", "entries are");
    let next = if report.applied { "correct them" } else { "correct them, or add --accepted" };
    Err(Failure::failed(format!("import: nothing is changed: {what} rejected; {next}")))
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
        "{would}{added} added, {known} known already, {raised} of these used elsewhere since, \
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
        let more = if *more == 0 { String::new() } else { format!(" (and {more} more)") };
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
    let mut text = String::new();
    for Rejected { file, line, user, reason } in &report.rejects {
        let place = if *line == 0 { file.clone() } else { format!("{file}:{line}") };
        let user = user.as_ref().map_or(String::new(), |user| format!("{user}: "));
        let _ = writeln!(text, "{}", printable(&format!("{place}: {user}{reason}")));
    }
    match file {
        Some(file) => {
            let path = file.write(text.as_bytes())?;
            out.note(&format!("What is rejected is in {}.", path.display()))
        }
        None if out.json => Ok(()),
        None => {
            let mut errors = std::io::stderr().lock();
            let written = std::io::Write::write_all(&mut errors, text.as_bytes());
            written.map_err(|error| Failure::write("standard error", &error))
        }
    }
}
