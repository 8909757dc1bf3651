//! `otpctl token share`: a secret is shown once, to this run of the program.

use std::path::PathBuf;

use data_encoding::BASE64;
use otp_ipc::{ErrorKind, ShareDocument, ShareOptions};
use zeroize::Zeroizing;

use super::enrol::{draw, provisioning};
use super::token::{all, confirm, find, is_prefix, name, short, wrong_code};
use crate::bus::{Session, failure, kind};
use crate::cli::TokenShare;
use crate::failure::{Exit, Failure};
use crate::render::{self, Output, QrCode, SharedDocument, json, printable};
use crate::secret_file::SecretFile;
use crate::time::local;
use crate::tty;

/// What ends the showing.
const CONTINUE: &str = "Continue: ";

/// Shares, and gives what fails the code that belongs to it.
pub(crate) async fn share(session: &Session, args: &TokenShare) -> Result<(), Failure> {
    attempt(session, args).await.map_err(|failure| {
        let code = match failure.error {
            "UnknownClient" => 1,
            "NoCredential" | "UnknownToken" | "AlreadyShared" => 11,
            _ => 99,
        };
        failure.coded(code)
    })
}

async fn attempt(session: &Session, args: &TokenShare) -> Result<(), Failure> {
    let out = &session.out;
    let target = target(session, &args.target).await?;
    let place = if args.later { None } else { Some(Place::prepare(args.output.as_ref(), out)?) };
    let options = ShareOptions {
        client: args.client.clone(),
        reshare: args.reshare.then_some(true),
        later: args.later.then_some(true),
        ..ShareOptions::default()
    };
    let (transition, shown) = session
        .prove(
            &format!("share {}", printable(&args.target)),
            options,
            |options| &mut options.proof,
            async |options| session.manager.share(&target, options).await,
        )
        .await?;
    let Some(place) = place else { return later(session, &shown).await };
    let to_file = matches!(place, Place::File(_));
    place.tell(&transition, &shown, out)?;
    let until = shown.until.map(|until| local(until, &out.zone));
    let id = printable(short(&shown.token));
    let pending = format!(
        "the key is destroyed unless the token is confirmed by {}: `otpctl token confirm {id}`",
        until.as_deref().unwrap_or("then")
    );
    let by_code = shown.confirm != "ack";
    if !(out.json && by_code) {
        finish(session, &shown, by_code).await.map_err(|failure| failure.and(&pending))?;
    }
    if out.json {
        return if to_file { print_token(session, &shown).await } else { Ok(()) };
    }
    out.notice(&format!("The {} is active.", name(&token(session, &shown).await?)))
}

/// Waits for the person, who has scanned the code then, and for the first code where that is what
/// confirms it.
async fn finish(session: &Session, shown: &ShareDocument, by_code: bool) -> Result<(), Failure> {
    let reply = tty::secret(CONTINUE)?;
    let reply = reply.ok_or_else(|| Failure::failed("nobody has continued"))?;
    let options = ShareOptions { result: Some(true), ..ShareOptions::default() };
    let answer = session.manager.share(&shown.token, &options).await;
    answer.map_err(|error| failure("continue", &error))?;
    if !by_code {
        return Ok(());
    }
    if !reply.is_empty() {
        match session.manager.confirm(&shown.token, &reply).await {
            Err(error) if kind(&error) == Some(ErrorKind::Rejected) && tty::interactive() => {
                wrong_code();
            }
            answer => return answer.map_err(|error| failure("confirm", &error)),
        }
    }
    confirm(session, &token(session, shown).await?).await
}

/// Tells that the token waits to be shared with another key.
async fn later(session: &Session, shared: &ShareDocument) -> Result<(), Failure> {
    let token = token(session, shared).await?;
    let notice = format!("The {} waits to be shared, with another key.", name(&token));
    session.out.done(&render::Token::from(&token), &notice)
}

async fn print_token(session: &Session, shown: &ShareDocument) -> Result<(), Failure> {
    let token = token(session, shown).await?;
    session.out.print(&json(&render::Token::from(&token))?)
}

async fn token(
    session: &Session,
    shared: &ShareDocument,
) -> Result<otp_ipc::TokenDocument, Failure> {
    let found = all(session, Some(shared.user.clone()), Some(shared.token.clone())).await?;
    found.into_iter().next().ok_or_else(|| Failure::failed("the token is gone already"))
}

/// What the daemon is asked for: the whole id that the beginning of one stands for, else what was
/// typed, an id or the name of a user.
async fn target(session: &Session, typed: &str) -> Result<String, Failure> {
    match find(session, typed).await {
        Ok(token) => Ok(token.id),
        Err(failure) if failure.exit == Exit::Usage && is_prefix(typed) => Err(failure),
        Err(_) => Ok(typed.to_owned()),
    }
}

/// Where the secret goes.
enum Place {
    Terminal,
    File(SecretFile),
}

impl Place {
    fn prepare(output: Option<&PathBuf>, out: &Output) -> Result<Self, Failure> {
        match output {
            Some(path) => SecretFile::create(path).map(Self::File),
            None if out.terminal => Ok(Self::Terminal),
            None => Err(Failure::usage(
                "the secret is shown on a terminal only, and standard output is none; name a new \
                 file with --output FILE",
            )),
        }
    }

    fn tell(self, transition: &str, shown: &ShareDocument, out: &Output) -> Result<(), Failure> {
        let (uri, secret) = provisioning(shown.content.as_deref().unwrap_or_default())?;
        if let (Self::Terminal, false) = (&self, out.json) {
            out.print("Scan this QR code with your mobile device!")?;
            out.print("Use FreeOTP or an other HOTP/TOTP App to scan the QR code.")?;
            return draw(uri, secret, out);
        }
        let picture = QrCode::new(uri.as_bytes())?.png(None)?;
        let mut encoded = Zeroizing::new(String::with_capacity(BASE64.encode_len(picture.len())));
        BASE64.encode_append(&picture, &mut encoded);
        let document = json(&SharedDocument::new(transition, shown, &encoded, uri, secret))?;
        match self {
            Self::Terminal => out.print(&document),
            Self::File(file) => {
                let path = file.write(document.as_bytes())?;
                out.notice(&format!("The secret is in {}.", path.display()))
            }
        }
    }
}
