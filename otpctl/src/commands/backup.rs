//! `otpctl backup`

use std::path::Path;

use otp_ipc::maintenance::backup::{LONGEST, Made, Request, SECRET, SHORTEST_PASSPHRASE};
use serde_json::json;
use zeroize::Zeroizing;

use crate::cli::Backup;
use crate::failure::Failure;
use crate::given_file;
use crate::program::{Task, need_root};
use crate::render::{Output, printable};
use crate::secret_file::SecretFile;
use crate::tty;

const VERB: &str = "backup";

/// Has otpd's program copy and encrypt the store, and writes what it answers.
pub(crate) fn run(args: &Backup, out: &Output) -> Result<(), Failure> {
    need_root(VERB)?;
    let recipients = recipients(args)?;
    let file = SecretFile::create_whole(&args.file)?;
    let passphrase = if recipients.is_empty() {
        Some(passphrase(args.passphrase_file.as_deref())?)
    } else {
        None
    };
    let request = Request { recipients, with_key: args.with_key };
    let mut task = Task::start(VERB, "backup", &request)?;
    if let Some(passphrase) = &passphrase {
        task.send(passphrase)?;
    }
    let answer = task.finish()?;
    let (made, sealed): (Made, _) = Task::told(VERB, &answer)?;
    if sealed.len() as u64 > LONGEST {
        let most = LONGEST / (1024 * 1024);
        return Err(Failure::failed(format!(
            "backup: it would have more than {most} MiB, which restore does not take; keep fewer \
             audit records: [store] audit_rows"
        )));
    }
    let path = file.write(sealed)?;
    tell(args.with_key, &path, sealed.len(), &made, out)
}

/// The public keys that are named, and those in the file.
fn recipients(args: &Backup) -> Result<Vec<String>, Failure> {
    let mut recipients = args.recipient.clone();
    let Some(path) = &args.recipients_file else { return Ok(recipients) };
    let bytes = given_file::regular(path, SECRET, "list of recipients")?;
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    recipients.extend(lines.filter(|line| !line.starts_with('#')).map(str::to_owned));
    if recipients.is_empty() {
        return Err(Failure::failed(format!("{}: it names no recipient", path.display())));
    }
    Ok(recipients)
}

/// A new passphrase, from the file or asked for twice.
fn passphrase(file: Option<&Path>) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let passphrase = match file {
        Some(path) => given_file::first_line(path)?,
        None if !tty::interactive() => {
            return Err(Failure::usage(
                "backup: nobody can be asked for a passphrase here; name --passphrase-file FILE, \
                 or a --recipient",
            ));
        }
        None => asked()?,
    };
    let length = String::from_utf8_lossy(&passphrase).chars().count();
    if length < SHORTEST_PASSPHRASE {
        return Err(Failure::failed(format!(
            "backup: the passphrase has fewer than {SHORTEST_PASSPHRASE} characters; take several \
             words"
        )));
    }
    Ok(passphrase)
}

fn asked() -> Result<Zeroizing<Vec<u8>>, Failure> {
    let ask = |prompt| Ok::<_, Failure>(tty::secret(prompt)?.unwrap_or_default());
    let passphrase = ask("Passphrase for the backup: ")?;
    if passphrase != ask("The same again: ")? {
        return Err(Failure::failed("backup: the two passphrases differ; nothing was written"));
    }
    Ok(passphrase)
}

fn tell(
    with_key: bool,
    path: &Path,
    size: usize,
    made: &Made,
    out: &Output,
) -> Result<(), Failure> {
    let document = json!({
        "file": path,
        "size": size,
        "users": made.users,
        "tokens": made.tokens,
        "with_key": with_key,
    });
    let Made { users, tokens, .. } = made;
    let size = size.div_ceil(1024);
    let notice = format!("{}: {users} users, {tokens} tokens, {size} KiB.", path.display());
    out.done(&document, &notice)?;
    if let Some(why) = &made.unrecorded {
        eprintln!("otpctl: backup: it is not in the store's audit record: {}", printable(why));
    }
    if with_key {
        return out.note("The key is inside: who opens this file has every secret.");
    }
    out.note("The key is not inside: keep a copy of it elsewhere, to restore on another machine.")
}
