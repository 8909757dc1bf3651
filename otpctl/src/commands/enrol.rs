//! `otpctl token add`: a new token, its secret told once, its first code asked for.

use std::path::PathBuf;

use otp_ipc::{EnrolOptions, TokenDocument};
use zeroize::Zeroizing;

use super::token::{all, confirm, name, short};
use super::user;
use crate::bus::Session;
use crate::cli::{Qr, TokenAdd};
use crate::failure::Failure;
use crate::render::{self, Output, Paint, QrCode, SecretDocument, json, printable};
use crate::secret_file::SecretFile;
use crate::tty;

/// The built-in methods whose codes are delivered: they have no secret to tell.
const DELIVERED: [&str; 2] = ["sms", "email"];

pub(crate) async fn add(session: &Session, args: &TokenAdd) -> Result<(), Failure> {
    let out = &session.out;
    let places = Places::prepare(args, out)?;
    let options = EnrolOptions {
        method: args.method.clone(),
        label: args.label.clone(),
        expires: args.expires.map(|at| at.ahead("--expires", &out.zone)).transpose()?,
        active: args.no_confirm.then_some(true),
        share: args.share.then_some(true),
        proof: None,
    };
    let (id, uri) = session
        .prove(
            &format!("enrol a token for {}", args.user),
            options,
            |options| &mut options.proof,
            async |options| session.manager.enrol(&args.user, options).await,
        )
        .await?;
    let uri = Zeroizing::new(uri);
    let told = async {
        let token =
            all(session, Some(args.user.clone()), Some(id.clone())).await?.into_iter().next();
        let token = token.ok_or_else(|| Failure::failed("the new token is gone already"))?;
        if !uri.is_empty() {
            places.tell(&token, &uri, out)?;
        }
        Ok(token)
    };
    let token = told.await.map_err(|failure: Failure| {
        let id = printable(short(&id));
        failure.and(format!("the secret of token {id} is lost: `otpctl token remove {id}`"))
    })?;
    if args.share {
        let notice = format!(
            "The {} waits to be shared: `otpctl token share {}`.",
            name(&token),
            printable(short(&token.id))
        );
        out.done(&render::Token::from(&token), &notice)
    } else if uri.is_empty() {
        delivered(session, &token).await
    } else {
        finish(session, args, &token).await
    }
}

/// Tells where the codes of the new token go.
async fn delivered(session: &Session, token: &TokenDocument) -> Result<(), Failure> {
    let user = user::find(session, &token.user).await?;
    let (by, to) = match token.kind.as_str() {
        "sms" => ("SMS", user.mobile),
        _ => ("e-mail", user.mail),
    };
    let to = to.unwrap_or_else(|| "nowhere".to_owned());
    let notice = format!("{} gets codes by {by} at {to}.", token.user);
    session.out.done(&render::Token::from(token), &notice)
}

/// Asks for the first code where a person can be asked, or tells how to give it later.
async fn finish(session: &Session, args: &TokenAdd, token: &TokenDocument) -> Result<(), Failure> {
    let out = &session.out;
    let called = name(token);
    if args.no_confirm {
        return out.notice(&format!("The {called} is active."));
    }
    let id = printable(short(&token.id));
    let pending = format!(
        "the token is pending until its first code is given: `otpctl token confirm {id}`, or \
         `otpctl token remove {id}`"
    );
    if out.json || !tty::interactive() {
        return out.notice(&format!("The {called} is enrolled; {pending}."));
    }
    confirm(session, token).await.map_err(|failure| failure.and(pending))?;
    out.notice(&format!("The {called} is active."))
}

/// Where the secret goes.
struct Places {
    document: Option<SecretFile>,
    picture: Option<(Picture, SecretFile)>,
    terminal: bool,
}

#[derive(Clone, Copy)]
enum Picture {
    /// Of so many pixels a side.
    Png(Option<u16>),
    Svg,
}

impl Places {
    /// Makes the files that were named. Without any, the secret goes to the terminal; where
    /// standard output is none, there is nowhere to tell it.
    fn prepare(args: &TokenAdd, out: &Output) -> Result<Self, Failure> {
        let picture = match &args.qr {
            Some(Qr::Png(path)) => Some((Picture::Png(args.qr_size), path)),
            Some(Qr::Svg(path)) => Some((Picture::Svg, path)),
            Some(Qr::Terminal) | None => None,
        };
        if args.qr_size.is_some() && !matches!(args.qr, Some(Qr::Png(_))) {
            return Err(Failure::usage("--qr-size is for a PNG file: name it with --qr FILE.png"));
        }
        if args.method.as_deref().is_some_and(|method| DELIVERED.contains(&method)) {
            if args.qr.is_some() || args.output.is_some() {
                return Err(Failure::usage(
                    "codes that are delivered have no secret: leave out --qr and --output",
                ));
            }
            return Ok(Self { document: None, picture: None, terminal: false });
        }
        if args.share {
            return Ok(Self { document: None, picture: None, terminal: false });
        }
        let asked = args.qr == Some(Qr::Terminal);
        let terminal = asked || (args.output.is_none() && picture.is_none());
        if asked && out.json {
            return Err(Failure::usage("--qr terminal and --json cannot both have the output"));
        }
        if terminal && !out.terminal {
            return Err(Failure::usage(
                "the secret is shown on a terminal only, and standard output is none; name a new \
                 file with --output FILE (or --qr FILE.png)",
            ));
        }
        let create = |path: &PathBuf| SecretFile::create(path);
        Ok(Self {
            document: args.output.as_ref().map(create).transpose()?,
            picture: picture.map(|(kind, path)| Ok((kind, create(path)?))).transpose()?,
            terminal,
        })
    }

    /// Tells the secret wherever it is to go.
    fn tell(self, token: &TokenDocument, uri: &[u8], out: &Output) -> Result<(), Failure> {
        let (uri, secret) = provisioning(uri)?;
        let document = SecretDocument { token: token.into(), secret, uri };
        if let Some(file) = self.document {
            let path = file.write(json(&document)?.as_bytes())?;
            out.notice(&format!("The secret is in {}.", path.display()))?;
        }
        if let Some((kind, file)) = self.picture {
            let code = QrCode::new(uri.as_bytes())?;
            let path = match kind {
                Picture::Png(size) => file.write(&code.png(size)?)?,
                Picture::Svg => file.write(code.svg().as_bytes())?,
            };
            out.notice(&format!("The QR code is in {}.", path.display()))?;
        }
        match (self.terminal, out.json) {
            (true, true) => out.print(&json(&document)?),
            (false, true) => out.print(&json(&render::Token::from(token))?),
            (true, false) => show(uri, secret, out),
            (false, false) => Ok(()),
        }
    }
}

/// The provisioning URI that the daemon tells, and the base32 secret inside it.
pub(super) fn provisioning(uri: &[u8]) -> Result<(&str, &str), Failure> {
    let text = str::from_utf8(uri).ok().filter(|text| text.starts_with("otpauth://"));
    let parts = text.and_then(|uri| Some((uri, secret(uri)?)));
    parts.ok_or_else(|| Failure::failed("what the daemon tells is no otpauth:// URI"))
}

/// Shows the QR code, the key for apps that cannot scan, and what to do.
fn show(uri: &str, secret: &str, out: &Output) -> Result<(), Failure> {
    out.notice("Scan the code with an authenticator app, or type the key. It is shown this once.")?;
    draw(uri, secret, out)
}

/// Shows the key for apps that cannot scan, and the QR code last, so that all of it is above the
/// prompt on a terminal of 24 rows.
pub(super) fn draw(uri: &str, secret: &str, out: &Output) -> Result<(), Failure> {
    let paint = if tty::colour() { Paint::Colours } else { Paint::Blocks };
    let mut grouped = Zeroizing::new(String::with_capacity(secret.len() * 2));
    for (index, character) in secret.chars().enumerate() {
        if index > 0 && index % 4 == 0 {
            grouped.push(' ');
        }
        grouped.push(character);
    }
    out.print(&Zeroizing::new(format!("Key: {}", *grouped)))?;
    if paint == Paint::Blocks {
        out.print("(Without colours this is drawn for a dark background; else use --qr FILE.png)")?;
    }
    out.print(&QrCode::new(uri.as_bytes())?.terminal(paint))
}

/// The base32 secret inside a provisioning URI.
fn secret(uri: &str) -> Option<&str> {
    let (_, query) = uri.split_once('?')?;
    let secret = query.split('&').find_map(|pair| pair.strip_prefix("secret="))?;
    let base32 = |byte: u8| matches!(byte, b'A'..=b'Z' | b'2'..=b'7');
    Some(secret).filter(|secret| !secret.is_empty() && secret.bytes().all(base32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_is_taken_from_its_place_in_the_uri() {
        for (uri, found) in [
            ("otpauth://totp/x:a?secret=GEZDGNBV&issuer=x", Some("GEZDGNBV")),
            ("otpauth://totp/x:a?issuer=x&secret=GEZDGNBV", Some("GEZDGNBV")),
            ("otpauth://totp/secret=AAAA?issuer=x", None),
            ("otpauth://totp/a?xsecret=AAAA", None),
            ("otpauth://totp/a?secret=", None),
            ("otpauth://totp/a?secret=aa%20\u{1b}", None),
            ("otpauth://totp/a", None),
        ] {
            assert_eq!(secret(uri), found, "{uri}");
        }
    }
}
