//! What a gateway is called with and what its replies mean, as configured.

use std::{collections::BTreeMap, ops::RangeInclusive, path::PathBuf, time::Duration};

pub use super::{
    number::NumberFormat,
    reply::{JsonRule, MessageId},
};
use crate::{Hidden, tls};

/// Longest time for one message, everything included: it ends before a login gives up.
pub const LONGEST: Duration = Duration::from_secs(9);
/// Most retries of one message.
pub const MOST_RETRIES: u8 = 5;

/// The method of the request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// GET: everything in the query.
    Get,
    /// POST; the default.
    #[default]
    Post,
    /// PUT.
    Put,
}

/// Where the parameters go, or what is sent instead of them.
///
/// Templates are parsed first and filled in afterwards, so that no value can leave its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Nothing; the parameters go into the query. The default of GET.
    Query,
    /// The parameters, as `application/x-www-form-urlencoded`. The default of POST and PUT.
    Form,
    /// A JSON document with placeholders in its strings; the parameters go into the query.
    Json(Hidden),
    /// Any text with placeholders; the parameters go into the query.
    Raw {
        /// Its media type, which decides how values are escaped: XML, JSON and forms as each of
        /// them wants it; for all others control characters are dropped.
        content_type: String,
        /// The text.
        template: Hidden,
    },
}

/// How the gateway knows us.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Auth {
    /// Not at all, or by parameters; the default.
    #[default]
    None,
    /// Basic (RFC 7617).
    Basic {
        /// Login name, without `:`.
        username: String,
        /// Password.
        password: Hidden,
    },
    /// Digest (RFC 7616): MD5, SHA-256 and SHA-512-256 as the gateway asks for. It is never
    /// replaced by Basic, whatever the gateway offers.
    Digest {
        /// Login name.
        username: String,
        /// Password.
        password: Hidden,
    },
    /// `Authorization: Bearer …` (RFC 6750).
    Bearer(Hidden),
    /// A header, as it is: `Authorization: App …`, `X-Api-Key: …`.
    Header {
        /// Name of the header.
        name: String,
        /// Its whole value.
        value: Hidden,
    },
    /// A parameter in the query, whatever the body is.
    Query {
        /// Name of the parameter.
        name: String,
        /// Its value.
        value: Hidden,
    },
    /// Signature version 4 of AWS. The time of the signature is when the code was made.
    AwsSigV4 {
        /// `eu-central-1`.
        region: String,
        /// `sns`.
        service: String,
        /// Access key id.
        access_key: String,
        /// Secret access key.
        secret_key: Hidden,
        /// Session token of temporary credentials.
        session_token: Option<Hidden>,
    },
    /// A bearer token that a program prints; for tokens that live shortly, such as signed JWTs. It
    /// is run without arguments, with an empty environment, and killed where it would leave less of
    /// `timeout` than `connect_timeout`.
    Program {
        /// Absolute path of the program; root's, and writable by nobody else.
        path: PathBuf,
        /// How long a token is used before the program is run again; 0 runs it for each message.
        cache: Duration,
    },
}

/// Everything about one gateway.
///
/// The placeholders `{phone}` (in the form of `number`), `{text}`, `{otp}`, `{serial}`, `{user}`
/// and `{uuid}` stand in path and query of `url` and in the values of `parameters` and `headers`
/// and in `body`; other braces are themselves. Parameters are percent-encoded (`+` becomes `%2B`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Address, `http` or `https`, without user and password; a query is kept and added to.
    pub url: Hidden,
    /// Method; POST by default.
    pub method: Method,
    /// Parameters of every message: account, password, sender and the like.
    pub parameters: BTreeMap<String, Hidden>,
    /// Parameters on top of them where the text is not plain ASCII: `type=unicode`.
    pub unicode_parameters: BTreeMap<String, Hidden>,
    /// Name of the parameter that carries the text. `None`: a placeholder carries it.
    pub text_key: Option<String>,
    /// Name of the parameter that carries the number. `None`: a placeholder carries it.
    pub phone_key: Option<String>,
    /// Body; `None` is [`Body::Query`] for GET and [`Body::Form`] for POST and PUT.
    pub body: Option<Body>,
    /// Headers on top of what HTTP needs.
    pub headers: BTreeMap<String, Hidden>,
    /// How the gateway knows us; not at all by default.
    pub auth: Auth,
    /// Whom to trust over `https`, our certificate, the pin; the system's roots by default.
    pub tls: tls::Settings,
    /// `http://user:password@host:8080`, or with `https`, `socks5` (we look the gateway's name up)
    /// or `socks5h` (the proxy does); no proxy by default, whatever the environment says.
    pub proxy: Option<Hidden>,
    /// What is reached without the proxy: host names (with all names below them), addresses,
    /// networks like `10.0.0.0/8`, `*`.
    pub no_proxy: Vec<String>,
    /// Form of the number; E.164 by default.
    pub number: NumberFormat,
    /// Longest time for a connection (name, TCP, proxy, TLS); above 0 and below `timeout`, 5 s by
    /// default.
    pub connect_timeout: Duration,
    /// Longest time for a message, everything included; above 0 and at most 9 s, 8 s by default.
    pub timeout: Duration,
    /// How often a message is tried again where there was no connection or the answer was 5xx or
    /// 429; 0 to 5, 1 by default. `Retry-After` is respected; what does not fit into `timeout` is
    /// not tried.
    pub retries: u8,
    /// A header that carries the message's unique id, the same one for each try; none by default.
    pub idempotency_header: Option<String>,
    /// Status codes of success, within 200 to 299; 200 to 299 by default. Redirects are never
    /// followed.
    pub success_status: Vec<RangeInclusive<u16>>,
    /// The reply means success if this regular expression is found in it, else failure. Of this
    /// one and the next three at most one is set.
    pub success_regex: Option<String>,
    /// The reply means failure if this regular expression is found in it, else success.
    pub fail_regex: Option<String>,
    /// The reply means success if it starts with this, else failure.
    pub success_prefix: Option<String>,
    /// The reply means failure if it starts with this, else success.
    pub fail_prefix: Option<String>,
    /// The reply must be JSON with this in it.
    pub success_json: Option<JsonRule>,
    /// The reply must be JSON without this in it.
    pub fail_json: Option<JsonRule>,
    /// Where the reply tells the gateway's name for the message; nowhere by default.
    pub id: Option<MessageId>,
}

impl Settings {
    /// A gateway with every default: POST, a form, status 200 to 299. It still lacks what carries
    /// text and number.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self {
            url: Hidden::from(url),
            method: Method::default(),
            parameters: BTreeMap::new(),
            unicode_parameters: BTreeMap::new(),
            text_key: None,
            phone_key: None,
            body: None,
            headers: BTreeMap::new(),
            auth: Auth::None,
            tls: tls::Settings::default(),
            proxy: None,
            no_proxy: Vec::new(),
            number: NumberFormat::E164,
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(8),
            retries: 1,
            idempotency_header: None,
            success_status: vec![200..=299],
            success_regex: None,
            fail_regex: None,
            success_prefix: None,
            fail_prefix: None,
            success_json: None,
            fail_json: None,
            id: None,
        }
    }

    /// The body, with the method's default in place of none.
    pub(super) fn body(&self) -> &Body {
        match (&self.body, self.method) {
            (Some(body), _) => body,
            (None, Method::Get) => &Body::Query,
            (None, Method::Post | Method::Put) => &Body::Form,
        }
    }
}
