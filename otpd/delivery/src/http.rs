//! SMS gateways that are called over HTTP.

mod auth;
mod check;
mod number;
mod reply;
mod request;
mod settings;
mod sigv4;
mod template;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, error::Error, io, time::Duration};

use reqwest::{
    Client, NoProxy, Proxy, Response, StatusCode, Url,
    header::{HeaderMap, RETRY_AFTER},
};
use tokio::time::{Instant, sleep, timeout_at};

pub use self::settings::{
    Auth, Body, JsonRule, LONGEST, MOST_RETRIES, MessageId, Method, NumberFormat, Settings,
};
use self::{
    auth::Scheme,
    reply::Rules,
    request::{Plan, Request},
    template::{json, percent, xml},
};
use crate::{Answer, Channel, Failure, Hidden, Message, Pending, Receipt, TEXT, redact, tls};

/// How much of a reply is read, in bytes.
const REPLY: usize = 64 * 1024;
/// How long the text of a reply is waited for whose status has said everything.
const REASON: Duration = Duration::from_secs(1);
/// How long to wait before the first retry; twice as long before each next one.
const PAUSE: Duration = Duration::from_millis(200);
/// Longest name of a message that is kept, in bytes.
const ID: usize = 128;
/// Shortest part of the URL's path that is taken for a key.
const KEY: usize = 16;

/// One gateway.
///
/// Each message has a connection of its own: an idle one that the gateway closes just then would
/// leave unknown what became of the message. A reply is the gateway's word only when it is whole:
/// one of a success status that does not end in time, or within 64 KiB, is
/// [`Failure::Unknown`].
pub struct Http {
    client: Client,
    plan: Plan,
    rules: Rules,
    scheme: Scheme,
    /// Everything configured that a reply must not bring into a log.
    secrets: Vec<Hidden>,
    connect_timeout: Duration,
    timeout: Duration,
    retries: u8,
}

impl Http {
    /// Checks the settings and reads the files that they name. It connects to nothing.
    ///
    /// # Errors
    /// As [`Settings::check`], and for files of `tls` that cannot be used.
    pub fn new(settings: Settings) -> Result<Self, String> {
        settings.check()?;
        Ok(Self {
            client: client(&settings)?,
            plan: Plan::new(&settings)?,
            rules: Rules::new(&settings)?,
            scheme: Scheme::new(&settings.auth),
            secrets: secrets(&settings),
            connect_timeout: settings.connect_timeout,
            timeout: settings.timeout,
            retries: settings.retries,
        })
    }

    async fn deliver(&self, message: &Message) -> Answer {
        let deadline = Instant::now() + self.timeout;
        let values = self.plan.values(message)?;
        let request = self.plan.request(message, &values)?;
        let phone = Hidden::new(values.phone);
        let (mut left, mut pause) = (self.retries, PAUSE);
        loop {
            let mut attempt =
                Attempt { http: self, message, phone: &phone, request: request.clone(), deadline };
            let (answer, again) = attempt.make().await;
            let Some(wait) = again.map(|wait| wait.max(pause)).filter(|_| left > 0) else {
                return answer;
            };
            // A retry that could not connect in time would leave unknown what became of it.
            let remaining = deadline.saturating_duration_since(Instant::now());
            if wait.saturating_add(self.connect_timeout) > remaining {
                return answer;
            }
            sleep(wait).await;
            left -= 1;
            pause *= 2;
        }
    }
}

impl Channel for Http {
    fn send<'a>(&'a self, message: &'a Message) -> Pending<'a, Answer> {
        Box::pin(self.deliver(message))
    }
}

/// What became of a try, and after which time at least another one makes sense.
type Tried = (Answer, Option<Duration>);

/// One try to send one message.
struct Attempt<'a> {
    http: &'a Http,
    message: &'a Message,
    phone: &'a Hidden,
    request: Request,
    deadline: Instant,
}

impl Attempt<'_> {
    async fn make(&mut self) -> Tried {
        let scheme = &self.http.scheme;
        let remaining = self.deadline.saturating_duration_since(Instant::now());
        let limit = remaining.saturating_sub(self.http.connect_timeout);
        // The code was made when its validity began; signatures of that age are accepted.
        let validity = i64::try_from(self.message.validity_ms).unwrap_or_default();
        let made = self.message.until_ms.saturating_sub(validity);
        if let Err(error) = scheme.prepare(&mut self.request, made, limit).await {
            return (Err(Failure::Unavailable(self.told(&error))), None);
        }
        let response = match self.exchange().await {
            Ok(response) if response.status() == StatusCode::UNAUTHORIZED => {
                match scheme.refused(&mut self.request, response.headers()) {
                    Ok(true) => self.exchange().await,
                    Ok(false) => Ok(response),
                    Err(error) => {
                        return (Err(Failure::Unavailable(self.told(&error))), None);
                    }
                }
            }
            other => other,
        };
        match response {
            Ok(response) => self.read(response).await,
            Err(tried) => tried,
        }
    }

    /// Sends the request and waits for the head of the answer.
    async fn exchange(&self) -> Result<Response, Tried> {
        let Request { method, url, headers, body } = self.request.clone();
        let request = self.http.client.request(method, url).headers(headers).body(body);
        match timeout_at(self.deadline, request.send()).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => {
                let reason = self.told(&reason(&error));
                let tls = tls_error(&error);
                // With TLS 1.3 the refusal of our certificate comes when we believe to be done.
                let refused = matches!(tls, Some(rustls::Error::AlertReceived(_)));
                Err(if error.is_connect() && tls.is_none() {
                    (Err(Failure::Unavailable(reason)), Some(Duration::ZERO))
                } else if error.is_connect() || error.is_builder() || refused {
                    (Err(Failure::Unavailable(reason)), None)
                } else {
                    (Err(Failure::Unknown(reason)), None)
                })
            }
            Err(_) => Err((Err(Failure::Unknown(self.told("it has not answered in time"))), None)),
        }
    }

    /// Reads the reply and finds what it means.
    async fn read(&self, mut response: Response) -> Tried {
        let status = response.status();
        let rules = &self.http.rules;
        let fits = rules.status(status.as_u16());
        let again = retry_after(status, response.headers());
        let until = if fits { self.deadline } else { self.deadline.min(Instant::now() + REASON) };
        let (body, whole) = body(&mut response, until).await;
        let body = String::from_utf8_lossy(&body);
        let reply = format!("{status}: {body}");
        if !fits {
            let what = self.told(&format!("it answers {reply}"));
            return (Err(Failure::Unavailable(what)), again);
        }
        if !whole {
            let what = self.told(&format!("its reply has not ended: {reply}"));
            return (Err(Failure::Unknown(what)), None);
        }
        if let Err(rule) = rules.judge(&body) {
            let what = self.told(&format!("{rule}: {reply}"));
            return (Err(Failure::Unavailable(what)), None);
        }
        let id = rules.id(&body).map(|id| self.hiding(&id, ID));
        (Ok(Receipt { id, reply: self.scrubbed(&reply) }), None)
    }

    /// A text of a failure: the gateway, and what is told of it without anything secret.
    fn told(&self, what: &str) -> String {
        format!("{}: {}", self.http.plan.host(), self.scrubbed(what))
    }

    fn scrubbed(&self, text: &str) -> String {
        self.hiding(text, TEXT)
    }

    /// The text without anything secret, cut to a length.
    fn hiding(&self, text: &str, longest: usize) -> String {
        let headers = self.request.headers.values().filter(|value| value.is_sensitive());
        let headers: Vec<_> = headers
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| [Some(value), value.split_once(' ').map(|(_, rest)| rest)])
            .flatten()
            .map(Hidden::from)
            .collect();
        let secrets = self.http.secrets.iter().chain(&headers).chain([self.phone]);
        redact(text, self.message, &secrets.collect::<Vec<_>>(), longest)
    }
}

/// A client that does what it is told: no redirects, no environment, no retries of its own.
fn client(settings: &Settings) -> Result<Client, String> {
    let proxy = settings.proxy.as_ref().map(Hidden::expose);
    let secure = [Some(settings.url.expose()), proxy]
        .into_iter()
        .flatten()
        .any(|url| Url::parse(url).is_ok_and(|url| url.scheme() == "https"));
    let config = match secure || settings.tls != tls::Settings::default() {
        true => tls::client_config(&settings.tls).map_err(|error| format!("tls: {error}"))?,
        false => tls::trusting_nobody()?,
    };
    let mut builder = Client::builder()
        .tls_backend_preconfigured(config)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .http1_only()
        .pool_max_idle_per_host(0)
        .connect_timeout(settings.connect_timeout)
        .user_agent("otpd");
    if let Some(url) = proxy {
        let proxy = Proxy::all(url).map_err(|error| format!("proxy: {}", reason(&error)))?;
        builder = builder.proxy(proxy.no_proxy(NoProxy::from_string(&settings.no_proxy.join(","))));
    }
    builder.build().map_err(|error| format!("no HTTP client can be set up: {}", reason(&error)))
}

/// Everything configured that may be secret, as it is, as it is sent, and as a page repeats it.
fn secrets(settings: &Settings) -> Vec<Hidden> {
    let mut plain: Vec<String> = settings
        .parameters
        .values()
        .chain(settings.unicode_parameters.values())
        .chain(settings.headers.values())
        .map(|value| value.expose().to_owned())
        .collect();
    if let Ok(url) = Url::parse(settings.url.expose()) {
        plain.extend(url.query_pairs().map(|(_, value)| value.into_owned()));
        plain.extend(url.path().split('/').filter(|part| part.len() >= KEY).map(str::to_owned));
    }
    let proxy = settings.proxy.as_ref().and_then(|proxy| Url::parse(proxy.expose()).ok());
    if let Some(password) = proxy.as_ref().and_then(Url::password) {
        plain.push(password.to_owned());
        let decoded = percent_encoding::percent_decode_str(password).decode_utf8_lossy();
        plain.push(decoded.into_owned());
    }
    match &settings.auth {
        Auth::None | Auth::Program { .. } => {}
        Auth::Basic { username, password } | Auth::Digest { username, password } => {
            plain.extend([username.clone(), password.expose().to_owned()]);
        }
        Auth::Bearer(value) | Auth::Header { value, .. } | Auth::Query { value, .. } => {
            plain.push(value.expose().to_owned());
        }
        Auth::AwsSigV4 { access_key, secret_key, session_token, .. } => {
            plain.extend([access_key.clone(), secret_key.expose().to_owned()]);
            plain.extend(session_token.iter().map(|token| token.expose().to_owned()));
        }
    }
    let forms: BTreeSet<String> = plain
        .iter()
        .flat_map(|text| [text.clone(), percent(text), json(text), xml(text)])
        .collect();
    forms.into_iter().map(Hidden::new).collect()
}

/// The first 64 KiB of a body, and whether that is all of it.
async fn body(response: &mut Response, deadline: Instant) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    loop {
        match timeout_at(deadline, response.chunk()).await {
            Ok(Ok(Some(chunk))) => body.extend_from_slice(&chunk),
            Ok(Ok(None)) => return (body, true),
            Ok(Err(_)) | Err(_) => return (body, false),
        }
        if body.len() > REPLY {
            body.truncate(REPLY);
            return (body, false);
        }
    }
}

/// After which time the gateway may be asked again. A date in place of seconds is not understood
/// and counts as never.
fn retry_after(status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
    if status != StatusCode::TOO_MANY_REQUESTS && !status.is_server_error() {
        return None;
    }
    let Some(value) = headers.get(RETRY_AFTER) else { return Some(Duration::ZERO) };
    value.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// What an error says, without the URL.
fn reason(error: &reqwest::Error) -> String {
    let mut parts = Vec::new();
    let mut source = error.source();
    while let Some(cause) = source {
        parts.push(cause.to_string());
        source = cause.source();
    }
    if parts.is_empty() { "the request cannot be made".to_owned() } else { parts.join(": ") }
}

/// What TLS has failed with, if it has.
fn tls_error(error: &reqwest::Error) -> Option<&rustls::Error> {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(error) = cause.downcast_ref() {
            return Some(error);
        }
        // What an I/O error wraps is not its source.
        let wrapped = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        source = match wrapped {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => cause.source(),
        };
    }
    None
}
