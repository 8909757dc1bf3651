//! Who we are to the server (RFC 4954), and the commands that prove it.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use data_encoding::BASE64;
use zeroize::Zeroizing;

use super::{
    Mechanism, Settings, Tls,
    session::{Reply, Session},
};
use crate::{
    Failure, Hidden,
    program::{self, Program},
};

/// A user and how to prove it.
pub(super) struct Login {
    pub(super) user: String,
    proof: Proof,
    mechanism: Mechanism,
}

enum Proof {
    Secret(Hidden),
    Program(PathBuf, Vec<String>),
}

impl Login {
    /// The login in the settings, if there is one.
    ///
    /// # Errors
    /// A text that says what is missing, too much or unprotected.
    pub(super) fn new(settings: &Settings) -> Result<Option<Self>, String> {
        let Settings { tls, user, password, mechanism, token_program, .. } = settings;
        let Some(user) = user else {
            return if password.is_some() || !token_program.is_empty() {
                Err("password and token_program need a user".to_owned())
            } else {
                Ok(None)
            };
        };
        if *tls == Tls::None {
            return Err("a password is never sent without TLS: set tls to starttls or implicit, \
                        or remove user"
                .to_owned());
        }
        let token = *mechanism == Mechanism::XOAuth2;
        let proof = match (password, token_program.split_first()) {
            (Some(password), None) => Proof::Secret(password.clone()),
            (None, Some((path, arguments))) if token => {
                program::check(Path::new(path))
                    .map_err(|wrong| format!("token_program: {wrong}"))?;
                Proof::Program(path.into(), arguments.to_vec())
            }
            (None, Some(_)) => return Err("token_program is for mechanism xoauth2".to_owned()),
            (Some(_), Some(_)) => {
                return Err("password and token_program: only one is allowed".to_owned());
            }
            (None, None) => return Err("user needs a password".to_owned()),
        };
        let secret = if let Proof::Secret(secret) = &proof { secret.expose() } else { "x" };
        if [user.as_str(), secret].iter().any(|text| text.is_empty() || text.contains('\0')) {
            return Err("user and password must not be empty and hold no NUL".to_owned());
        }
        if token && !is_token(secret) {
            return Err("password: an access token is printable ASCII without spaces".to_owned());
        }
        Ok(Some(Self { user: user.clone(), proof, mechanism: *mechanism }))
    }

    /// The password or access token.
    pub(super) async fn secret(&self, limit: Duration) -> Result<Hidden, Failure> {
        let (path, arguments) = match &self.proof {
            Proof::Secret(secret) => return Ok(secret.clone()),
            Proof::Program(path, arguments) => (path, arguments),
        };
        let arguments: Vec<_> = arguments.iter().map(AsRef::as_ref).collect();
        let program = Program {
            path,
            arguments: &arguments,
            environment: &[],
            folder: Path::new("/"),
            limit,
        };
        let failed = |what: String| {
            Failure::Unavailable(format!("token_program {}: {what}", path.display()))
        };
        let output = program.run(b"").await.map_err(|fault| failed(fault.to_string()))?;
        if !output.status.success() {
            return Err(failed(format!("{}; run it by hand to see why", output.status)));
        }
        let token = std::str::from_utf8(&output.stdout).map(str::trim).unwrap_or_default();
        if is_token(token) {
            Ok(Hidden::from(token))
        } else {
            Err(failed("it does not print one line with an access token".to_owned()))
        }
    }

    /// Logs in with a mechanism that the server offers. The last reply has the server's word.
    pub(super) async fn prove(
        &self,
        secret: &Hidden,
        offered: Mechanism,
        session: &mut Session,
    ) -> io::Result<Reply> {
        let (user, secret) = (self.user.as_str(), secret.expose());
        match offered {
            Mechanism::Login => {
                for line in ["AUTH LOGIN", &encode(&[user])] {
                    let reply = session.command(line).await?;
                    if reply.code != 334 {
                        return Ok(reply);
                    }
                }
                session.command(&encode(&[secret])).await
            }
            Mechanism::XOAuth2 => {
                let proof = encode(&["user=", user, "\x01auth=Bearer ", secret, "\x01\x01"]);
                let reply =
                    session.command(&Zeroizing::new(format!("AUTH XOAUTH2 {}", *proof))).await?;
                // 334 is a refusal here, whose reason comes after an empty answer.
                if reply.code == 334 { session.command("").await } else { Ok(reply) }
            }
            Mechanism::Plain | Mechanism::Any => {
                let proof = encode(&["\0", user, "\0", secret]);
                session.command(&Zeroizing::new(format!("AUTH PLAIN {}", *proof))).await
            }
        }
    }

    /// The first mechanism of ours among those that the server offers after EHLO.
    pub(super) fn choose(&self, hello: &Reply) -> Option<Mechanism> {
        let wanted: &[(Mechanism, &str)] = match self.mechanism {
            Mechanism::Any => &[(Mechanism::Plain, "PLAIN"), (Mechanism::Login, "LOGIN")],
            Mechanism::Plain => &[(Mechanism::Plain, "PLAIN")],
            Mechanism::Login => &[(Mechanism::Login, "LOGIN")],
            Mechanism::XOAuth2 => &[(Mechanism::XOAuth2, "XOAUTH2")],
        };
        // "AUTH=" is how servers older than RFC 2554 say it.
        let offered = |name: &str| {
            hello.lines.iter().skip(1).any(|line| {
                let mut words = line.split([' ', '=']);
                words.next().is_some_and(|word| word.eq_ignore_ascii_case("AUTH"))
                    && words.any(|word| word.eq_ignore_ascii_case(name))
            })
        };
        wanted.iter().find(|(_, name)| offered(name)).map(|(mechanism, _)| *mechanism)
    }

    /// What an unfriendly server could repeat of what it was told.
    pub(super) fn traces(&self, secret: &Hidden) -> [Hidden; 4] {
        let (user, secret) = (self.user.as_str(), secret.expose());
        [
            Hidden::from(secret),
            Hidden::from(encode(&[secret]).as_str()),
            Hidden::from(encode(&["\0", user, "\0", secret]).as_str()),
            Hidden::from(encode(&["user=", user, "\x01auth=Bearer ", secret, "\x01\x01"]).as_str()),
        ]
    }
}

fn encode(parts: &[&str]) -> Zeroizing<String> {
    let joined = Zeroizing::new(parts.concat());
    Zeroizing::new(BASE64.encode(joined.as_bytes()))
}

/// RFC 6750 section 2.1: visible ASCII.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|c| c.is_ascii_graphic())
}
