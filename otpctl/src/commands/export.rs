//! `otpctl export`

use otp_ipc::maintenance::{
    export::{KEY, LeftOut, Report, Request},
    read_frame,
};
use zeroize::Zeroizing;

use crate::cli::Export;
use crate::failure::Failure;
use crate::program::{Task, need_root};
use crate::render::{Output, printable};
use crate::secret_file::SecretFile;
use crate::{sources, tty};

/// The one format in which keys are encrypted.
const ENCRYPTED: &str = "pskc";

/// Has otpd's own program write the tokens, and puts what it wrote where it is to go.
pub(crate) fn run(args: &Export, out: &Output) -> Result<(), Failure> {
    need_root("export")?;
    if args.key_file.is_some() && args.format != ENCRYPTED {
        return Err(Failure::usage(format!("--key-file is for {ENCRYPTED}")));
    }
    if args.output.is_none() && (out.json || !out.terminal) {
        return Err(Failure::usage(
            "keys are shown on a terminal only; name a new file with --output FILE",
        ));
    }
    let key = args.key_file.as_ref().map(|path| {
        let failed = |why| Failure::failed(format!("export: {}: {why}", path.display()));
        sources::read(path, KEY).map_err(failed)
    });
    let key = key.transpose()?;
    tty::agree(&question(args), args.yes)?;
    let file = args.output.as_deref().map(SecretFile::create).transpose()?;
    let request = Request {
        format: args.format.clone(),
        users: args.users.clone(),
        all: args.all,
        key: key.is_some(),
    };
    let mut task = Task::start("export", "export", &request)?;
    if let Some(key) = &key {
        task.send(key)?;
    }
    let (report, content) = answer(&task.finish()?)?;
    if let Some(user) = report.unknown.first() {
        return Err(Failure::unknown_user(user).and("nothing is exported"));
    }
    let Some(content) = content else {
        tell_left_out(&report, out)?;
        return Err(Failure::failed("export: no token can be exported; nothing is"));
    };
    match file {
        Some(file) => {
            let path = file.write(&content)?;
            let tokens = count(report.tokens.len(), "token is", "tokens are");
            out.done(&report, &format!("{tokens} in {}.", path.display()))?;
        }
        None => out.print(&Zeroizing::new(visible(&content)))?,
    }
    tell_left_out(&report, out)
}

/// What leaves, and how.
fn question(args: &Export) -> String {
    let whose = if args.all { "all users".to_owned() } else { printable(&args.users.join(", ")) };
    let how = if args.format == ENCRYPTED { "encrypted" } else { "unencrypted" };
    match &args.output {
        Some(path) => format!("Write the keys of {whose}, {how}, to {}", path.display()),
        None => format!("Show the keys of {whose}, {how}, on this terminal"),
    }
}

/// The file, where anything is exported.
type Content = Option<Zeroizing<Vec<u8>>>;

fn answer(answer: &[u8]) -> Result<(Report, Content), Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::failed(format!("export: otpd's answer: {error}; nothing is written"))
    };
    let mut from = answer;
    let longest = answer.len() as u64;
    let report = read_frame(&mut from, longest).map_err(|error| failed(&error))?;
    let report = report.ok_or_else(|| failed(&"it is empty"))?;
    let report = serde_json::from_slice(&report).map_err(|error| failed(&error))?;
    let content = read_frame(&mut from, longest).map_err(|error| failed(&error))?;
    Ok((report, content))
}

/// For the terminal, line by line.
fn visible(content: &[u8]) -> String {
    let lines = content.split_inclusive(|byte| *byte == b'\n');
    lines.fold(String::with_capacity(content.len()), |mut text, line| {
        let line = String::from_utf8_lossy(line);
        let fields = line.trim_end_matches('\n').split('\t').map(printable);
        text.push_str(&fields.collect::<Vec<_>>().join("\t"));
        text.push('\n');
        text
    })
}

fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

fn tell_left_out(report: &Report, out: &Output) -> Result<(), Failure> {
    report.left_out.iter().try_for_each(|LeftOut { user, label, reason, .. }| {
        out.note(&format!("Left out: {user}, {label}: {reason}."))
    })
}
