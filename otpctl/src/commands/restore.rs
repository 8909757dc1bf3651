//! `otpctl restore`

use std::path::Path;

use jiff::Timestamp;
use otp_ipc::maintenance::restore::{LONGEST, Offer, Present, Request, Restored, SECRET};
use serde_json::json;
use zeroize::Zeroizing;

use crate::cli::Restore;
use crate::failure::Failure;
use crate::program::{Task, need_root};
use crate::render::{Output, printable};
use crate::service_manager::without_daemon;
use crate::{given_file, key_credential, tty};

const VERB: &str = "restore";
/// How an age file begins.
const AGE: &[u8] = b"age-encryption.org/v1\n";
/// And one that is encrypted to a passphrase.
const TO_PASSPHRASE: &[u8] = b"age-encryption.org/v1\n-> scrypt ";
/// Users that are named one by one.
const NAMED: usize = 10;

/// Has otpd's program look at the file, asks, and has it restored while the daemon is stopped.
pub(crate) fn run(args: &Restore, out: &Output) -> Result<(), Failure> {
    need_root(VERB)?;
    let file = given_file::regular(&args.file, LONGEST, "backup")?;
    need_age(&args.file, &file)?;
    let opener = opener(args, &file)?;
    let mut request = Request {
        identity: args.identity.is_some(),
        keep_recovery_codes: args.keep_recovery_codes,
        replace: args.replace,
        make_key: false,
    };
    let about = |failure| about(args, failure);
    let (mut task, offer) = offered(&request, &opener, &file).map_err(about)?;
    if offer.needs_key {
        key_credential::refuse_unseen(VERB)?;
    }
    agree(args, &offer, out)?;
    if offer.needs_key {
        request.make_key = true;
        (task, _) = offered(&request, &opener, &file).map_err(about)?;
    }
    let answer = without_daemon(VERB, || {
        task.send(&[])?;
        task.finish().map_err(about)
    })?;
    let (restored, _): (Restored, _) = Task::told(VERB, &answer)?;
    tell(&restored, args.keep_recovery_codes, out)
}

/// The same with the file's name.
fn about(args: &Restore, failure: Failure) -> Failure {
    let said = failure.message.strip_prefix("otpd: ").unwrap_or(&failure.message);
    let message = format!("{VERB} {}: {said}", args.file.display());
    Failure { message, ..failure }
}

/// Whoever named the wrong file is told so before a passphrase or a key is asked for.
fn need_age(path: &Path, file: &[u8]) -> Result<(), Failure> {
    if file.starts_with(AGE) {
        return Ok(());
    }
    let path = path.display();
    Err(Failure::failed(format!("{path}: it is no backup, as `otpctl backup` writes them")))
}

/// What opens the file: the passphrase or secret keys.
fn opener(args: &Restore, file: &[u8]) -> Result<Zeroizing<Vec<u8>>, Failure> {
    match (&args.identity, &args.passphrase_file) {
        (Some(path), _) => given_file::any(path, SECRET),
        (None, Some(path)) => given_file::first_line(path),
        (None, None) if !file.starts_with(TO_PASSPHRASE) => Err(Failure::usage(format!(
            "{}: it is not encrypted to a passphrase; name the file of the secret key with \
             --identity",
            args.file.display()
        ))),
        (None, None) => Ok(tty::secret("Passphrase of the backup: ")?.unwrap_or_default()),
    }
}

/// Starts the program and has it look at the file.
fn offered(request: &Request, opener: &[u8], file: &[u8]) -> Result<(Task, Offer), Failure> {
    let mut task = Task::start(VERB, "restore", request)?;
    task.send(opener)?;
    task.send(file)?;
    task.answer()
}

fn agree(args: &Restore, offer: &Offer, out: &Output) -> Result<(), Failure> {
    let Offer { users, tokens, .. } = offer;
    let made = time(offer.made_ms, out);
    let sealed = offer.sealed_with.as_ref().map(|key| format!(", sealed with {}", printable(key)));
    let sealed = sealed.unwrap_or_default();
    let what = format!("the backup of {made} ({users} users, {tokens} tokens{sealed})");
    let question = match offer.present {
        Present::Missing | Present::Store { users: 0, .. } => format!("Restore {what}"),
        Present::Unreadable => format!("Put {what} in the place of a store that cannot be read"),
        Present::Store { users, other: false } => {
            format!("Put {what} in the place of the store, which has {users} users now")
        }
        Present::Store { users, other: true } => {
            format!("Put {what} in the place of ANOTHER store, which has {users} users")
        }
    };
    tty::agree(&question, args.yes)
}

fn time(ms: i64, out: &Output) -> String {
    let time = Timestamp::from_millisecond(ms).unwrap_or_default();
    time.to_zoned(out.zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
}

fn tell(restored: &Restored, kept: bool, out: &Output) -> Result<(), Failure> {
    let document = json!({
        "made": Timestamp::from_millisecond(restored.made_ms).unwrap_or_default().to_string(),
        "users": restored.users,
        "tokens": restored.tokens,
        "counter_tokens": restored.counters,
        "recovery_void": restored.recovery,
        "issued_void": restored.issued,
        "resealed": restored.resealed,
        "replaced": restored.replaced,
    });
    let Restored { users, tokens, counters, issued, .. } = restored;
    let made = time(restored.made_ms, out);
    let notice = format!("Restored: {users} users and {tokens} tokens as of {made}.");
    out.done(&document, &notice)?;
    out.note("App codes work from the next one on.")?;
    if *counters > 0 {
        out.note(&format!(
            "{counters} counter tokens need two codes, one after the other, at their next login; \
             codes that may have been used are refused before."
        ))?;
    }
    if *issued > 0 {
        out.note(&format!("{issued} issued codes are void: otpctl code issue USER"))?;
    }
    match restored.recovery.as_slice() {
        _ if kept => out.note("Recovery codes are good, those too that were used since.")?,
        [] => {}
        users => out.note(&format!(
            "The recovery codes of {} are void: otpctl recovery new USER",
            named(users)
        ))?,
    }
    out.note("Tokens that were removed or disabled since are as they were: do that again.")?;
    if restored.resealed {
        out.note("It is sealed with this machine's key now.")?;
    }
    match &restored.replaced {
        Some(path) => out.note(&format!(
            "What was there before is kept as {}; remove it when all is well.",
            printable(path)
        )),
        None => Ok(()),
    }
}

/// Names, but not too many.
fn named(users: &[String]) -> String {
    if users.len() > NAMED {
        return format!("{} users", users.len());
    }
    users.iter().map(|user| printable(user)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_file_is_no_backup() {
        let path = Path::new("users.oath");
        for begins in [TO_PASSPHRASE, b"age-encryption.org/v1\n-> X25519 "] {
            assert!(need_age(path, begins).is_ok());
        }
        for other in [&b""[..], b"HOTP alice - 00", b"age-encryption.org/v2\n", b"SQLite format 3"]
        {
            let refused = need_age(path, other).unwrap_err().message;
            assert!(refused.starts_with("users.oath: it is no backup"), "{refused}");
        }
    }
}
