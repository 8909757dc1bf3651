//! How the gateway knows us.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use data_encoding::BASE64;
use http_auth::{DigestClient, PasswordParams, parser::ChallengeParser};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use tokio::{sync::Mutex, time::Instant};

pub(super) use super::sigv4::{AMZ_DATE, AMZ_TOKEN};
use super::{
    request::{Request, header_name, header_value},
    settings::Auth,
    sigv4::Signer,
};
use crate::{Hidden, program::Program};

/// The header of a scheme that sends the same one with each request.
pub(super) fn header(auth: &Auth) -> Result<Option<(HeaderName, HeaderValue)>, String> {
    let (name, value) = match auth {
        Auth::Basic { username, password } => {
            let pair = Hidden::new(format!("{username}:{}", password.expose()));
            let encoded = BASE64.encode(pair.expose().as_bytes());
            (AUTHORIZATION, Hidden::new(format!("Basic {encoded}")))
        }
        Auth::Bearer(token) => (AUTHORIZATION, bearer(token.expose())),
        Auth::Header { name, value } => (header_name("auth", name)?, value.clone()),
        _ => return Ok(None),
    };
    let value = header_value(&name, value.expose()).map_err(|error| format!("auth: {error}"))?;
    Ok(Some((name, value)))
}

fn bearer(token: &str) -> Hidden {
    Hidden::new(format!("Bearer {token}"))
}

/// What authentication does at each try.
pub(super) enum Scheme {
    /// Nothing: it is a part of the request already.
    Fixed,
    Digest {
        username: String,
        password: Hidden,
    },
    Sign(Signer),
    Program(TokenProgram),
}

impl Scheme {
    pub(super) fn new(auth: &Auth) -> Self {
        match auth.clone() {
            Auth::Digest { username, password } => Self::Digest { username, password },
            Auth::AwsSigV4 { region, service, access_key, secret_key, session_token } => {
                Self::Sign(Signer { region, service, access_key, secret_key, session_token })
            }
            Auth::Program { path, cache } => {
                Self::Program(TokenProgram { path, cache, token: Mutex::new(None) })
            }
            _ => Self::Fixed,
        }
    }

    /// Completes a request before it is sent: within `limit`, as of `now_ms` (Unix milliseconds).
    pub(super) async fn prepare(
        &self,
        request: &mut Request,
        now_ms: i64,
        limit: Duration,
    ) -> Result<(), String> {
        match self {
            Self::Fixed | Self::Digest { .. } => Ok(()),
            Self::Sign(signer) => signer.sign(request, now_ms),
            Self::Program(program) => {
                let token = program.token(limit).await?;
                let value = header_value(&AUTHORIZATION, bearer(token.expose()).expose())?;
                request.headers.insert(AUTHORIZATION, value);
                Ok(())
            }
        }
    }

    /// Takes note of an answer of 401. True: the request is to be sent once more.
    pub(super) fn refused(
        &self,
        request: &mut Request,
        answer: &HeaderMap,
    ) -> Result<bool, String> {
        match self {
            Self::Fixed | Self::Sign(_) => Ok(false),
            Self::Program(program) => {
                // Where it is taken, another message is getting a new token just now.
                if let Ok(mut token) = program.token.try_lock() {
                    *token = None;
                }
                Ok(false)
            }
            Self::Digest { username, password } => {
                let value = digest(username, password, request, answer)?;
                let value = header_value(&AUTHORIZATION, &value)?;
                request.headers.insert(AUTHORIZATION, value);
                Ok(true)
            }
        }
    }
}

/// The answer to the gateway's challenge; to one of digest, and to no other.
fn digest(
    username: &str,
    password: &Hidden,
    request: &Request,
    answer: &HeaderMap,
) -> Result<String, String> {
    let offers = answer.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    let offers = offers.flat_map(|value| ChallengeParser::new(value).flatten());
    let mut client = offers
        .filter_map(|offer| DigestClient::try_from(&offer).ok())
        .next()
        .ok_or("it asks for a password, but not by digest; see `auth`")?;
    let (url, query) = (&request.url, request.url.query());
    let uri =
        query.map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    client.respond(&PasswordParams {
        username,
        password: password.expose(),
        uri: &uri,
        method: request.method.as_str(),
        body: Some(&request.body),
    })
}

/// A program that prints a token, and the last one that it printed.
pub(super) struct TokenProgram {
    path: PathBuf,
    cache: Duration,
    token: Mutex<Option<(Hidden, Instant)>>,
}

impl TokenProgram {
    /// The token; messages that need one at the same time run the program once.
    async fn token(&self, limit: Duration) -> Result<Hidden, String> {
        let fetch = async {
            let mut kept = self.token.lock().await;
            if let Some((token, made)) = &*kept
                && made.elapsed() < self.cache
            {
                return Ok(token.clone());
            }
            let token = self.run(limit).await?;
            *kept = Some((token.clone(), Instant::now()));
            Ok(token)
        };
        let path = self.path.display();
        match tokio::time::timeout(limit, fetch).await {
            Ok(token) => token,
            Err(_) => Err(format!("{path} has printed no token within {} ms", limit.as_millis())),
        }
    }

    async fn run(&self, limit: Duration) -> Result<Hidden, String> {
        let path = self.path.display();
        let program = Program {
            path: &self.path,
            arguments: &[],
            environment: &[],
            folder: Path::new("/"),
            limit,
        };
        let output = program.run(&[]).await.map_err(|fault| fault.to_string())?;
        if !output.status.success() {
            return Err(format!("{path} has printed no token: {}", output.status));
        }
        let token = str::from_utf8(&output.stdout).unwrap_or_default().trim();
        if token.is_empty() || !token.bytes().all(|c| c.is_ascii_graphic()) {
            return Err(format!("{path} has not printed one token, a word of plain ASCII"));
        }
        Ok(Hidden::from(token))
    }
}
