//! `otpctl recovery`

use std::path::Path;

use otp_ipc::ChangeOptions;
use serde::Serialize;
use serde_json::json;
use zeroize::Zeroizing;

use crate::bus::Session;
use crate::cli::Recovery;
use crate::failure::Failure;
use crate::render::{json, printable};
use crate::secret_file::SecretFile;
use crate::{commands::user, tty};

pub(crate) async fn run(session: &Session, command: Recovery) -> Result<(), Failure> {
    match command {
        Recovery::New { user, output, yes } => new(session, &user, output.as_deref(), yes).await,
        Recovery::Count { user } => count(session, &user).await,
    }
}

async fn new(
    session: &Session,
    user: &str,
    output: Option<&Path>,
    yes: bool,
) -> Result<(), Failure> {
    let out = &session.out;
    if output.is_none() && !out.terminal {
        return Err(Failure::usage(
            "recovery codes are shown on a terminal only; name a new file with --output FILE",
        ));
    }
    if !yes && user::find(session, user).await.map_or(true, |user| user.recovery > 0) {
        tty::agree(&format!("Replace the recovery codes that {user} may still have"), yes)?;
    }
    let file = output.map(SecretFile::create).transpose()?;
    let codes = session
        .prove(
            &format!("new recovery codes for {user}"),
            ChangeOptions::default(),
            |options| &mut options.proof,
            async |options| session.manager.issue_recovery_codes(user, options).await,
        )
        .await?;
    let codes = Zeroizing::new(codes);
    let texts: Vec<_> =
        codes.iter().map(|code| str::from_utf8(code)).collect::<Result<_, _>>().map_err(|_| {
            Failure::failed("the daemon's recovery codes are no text; make new ones")
        })?;
    let document = json(&Codes { user, codes: &texts })?;
    match file {
        Some(file) => {
            let path = file.write(document.as_bytes())?;
            let notice =
                format!("{} recovery codes for {user} are in {}.", codes.len(), path.display());
            out.done(&json!({ "user": user, "recovery": codes.len() }), &notice)
        }
        None if out.json => out.print(&document),
        None => {
            for text in texts {
                out.print(&Zeroizing::new(printable(text)))?;
            }
            out.notice("Each works once, instead of a code. Print them; they are not shown again.")
        }
    }
}

/// What `--output` receives.
#[derive(Serialize)]
struct Codes<'a> {
    user: &'a str,
    codes: &'a [&'a str],
}

async fn count(session: &Session, user: &str) -> Result<(), Failure> {
    let user = user::find(session, user).await?;
    let document = json!({ "user": user.user, "recovery": user.recovery });
    session.out.show(&document, || user.recovery.to_string())
}
