//! Rules of the settings that concern more than one of them.

use std::{collections::BTreeSet, time::Duration};

use reqwest::{
    Url,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderName},
};

use super::{
    auth,
    reply::Rules,
    request::{Plan, header_name},
    settings::{Auth, Body, LONGEST, MOST_RETRIES, Method, Settings},
};

/// Headers that belong to the transport.
const OURS: [&str; 11] = [
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

impl Settings {
    /// Whether these settings can work together.
    ///
    /// # Errors
    /// A text that names the setting, what is wrong and what to do; never a secret.
    pub fn check(&self) -> Result<(), String> {
        Plan::new(self)?;
        Rules::new(self)?;
        self.check_body()?;
        self.check_parameters()?;
        self.check_headers()?;
        self.check_auth()?;
        self.check_proxy()?;
        self.check_times()
    }

    fn check_body(&self) -> Result<(), String> {
        if self.method == Method::Get && *self.body() != Body::Query {
            return Err("body: GET has none; set method = \"post\" or body = \"query\"".to_owned());
        }
        let template = match self.body() {
            Body::Json(template) | Body::Raw { template, .. } => Some(template),
            Body::Query | Body::Form => None,
        };
        let templates = [&self.url].into_iter().chain(template);
        let templates: Vec<_> =
            templates.chain(self.parameters.values()).chain(self.headers.values()).collect();
        let used = |name| templates.iter().any(|template| template.expose().contains(name));
        if self.phone_key.is_none() && !used("{phone}") {
            return Err("nothing carries the number; set phone_key or use {phone}".to_owned());
        }
        if self.text_key.is_none() && !used("{text}") && !used("{otp}") {
            return Err("nothing carries the text; set text_key or use {text} or {otp}".to_owned());
        }
        Ok(())
    }

    /// Every parameter has one source: a fixed one must not take the place of number or text.
    fn check_parameters(&self) -> Result<(), String> {
        let url = Url::parse(self.url.expose()).map_err(|error| format!("url: {error}"))?;
        let mut names: BTreeSet<String> =
            url.query_pairs().map(|(name, _)| name.into_owned()).collect();
        let query = match &self.auth {
            Auth::Query { name, .. } => Some(name),
            _ => None,
        };
        let fixed = self.parameters.keys().chain(self.unicode_parameters.keys());
        for name in fixed.chain(&self.text_key).chain(&self.phone_key).chain(query) {
            if name.is_empty() {
                return Err("parameters: one has no name".to_owned());
            }
            if !names.insert(name.clone()) {
                return Err(format!(
                    "parameters: \"{}\" is given twice (url, parameters, unicode_parameters, \
                     text_key, phone_key, auth); remove one",
                    name.escape_debug()
                ));
            }
        }
        Ok(())
    }

    fn check_headers(&self) -> Result<(), String> {
        let mut names = BTreeSet::new();
        let mut add = |key: &str, name: HeaderName| {
            if OURS.contains(&name.as_str()) {
                return Err(format!("{key}: {name} cannot be set; remove it"));
            }
            if names.insert(name.as_str().to_owned()) {
                Ok(())
            } else {
                Err(format!("{key}: {name} is given twice (headers, auth, body); remove one"))
            }
        };
        if matches!(self.body(), Body::Form | Body::Raw { .. }) {
            add("body", CONTENT_TYPE)?;
        }
        match &self.auth {
            Auth::None | Auth::Query { .. } => {}
            Auth::Header { name, .. } => add("auth", header_name("auth", name)?)?,
            Auth::AwsSigV4 { .. } => {
                for name in [AUTHORIZATION, auth::AMZ_DATE, auth::AMZ_TOKEN] {
                    add("auth", name)?;
                }
            }
            Auth::Basic { .. } | Auth::Digest { .. } | Auth::Bearer(_) | Auth::Program { .. } => {
                add("auth", AUTHORIZATION)?;
            }
        }
        for name in self.headers.keys() {
            add("headers", header_name("headers", name)?)?;
        }
        match &self.idempotency_header {
            Some(name) => add("idempotency_header", header_name("idempotency_header", name)?),
            None => Ok(()),
        }
    }

    fn check_auth(&self) -> Result<(), String> {
        let empty = match &self.auth {
            Auth::None => false,
            Auth::Basic { username, password } | Auth::Digest { username, password } => {
                username.is_empty() || password.expose().is_empty()
            }
            Auth::Bearer(value) | Auth::Header { value, .. } | Auth::Query { value, .. } => {
                value.expose().is_empty()
            }
            Auth::AwsSigV4 { region, service, access_key, secret_key, session_token } => {
                [region, service, access_key].into_iter().any(String::is_empty)
                    || secret_key.expose().is_empty()
                    || session_token.as_ref().is_some_and(|token| token.expose().is_empty())
            }
            Auth::Program { path, .. } => return crate::program::check(path),
        };
        if empty {
            return Err("auth: a part of it is empty; give it a value".to_owned());
        }
        match &self.auth {
            Auth::Basic { username, .. } if username.contains(':') => {
                Err("auth: the username of basic cannot hold a colon".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn check_proxy(&self) -> Result<(), String> {
        let Some(proxy) = &self.proxy else {
            return match self.no_proxy.is_empty() {
                true => Ok(()),
                false => Err("no_proxy: there is no `proxy`; remove it".to_owned()),
            };
        };
        let url = Url::parse(proxy.expose()).map_err(|error| {
            format!("proxy: it is no URL: {error}; give http://user:password@host:port")
        })?;
        let known = matches!(url.scheme(), "http" | "https" | "socks5" | "socks5h");
        if known && url.has_host() {
            Ok(())
        } else {
            Err("proxy: it starts with http://, https://, socks5:// or socks5h://".to_owned())
        }
    }

    fn check_times(&self) -> Result<(), String> {
        let Self { connect_timeout, timeout, retries, .. } = self;
        if *timeout == Duration::ZERO || *timeout > LONGEST {
            let longest = LONGEST.as_secs();
            return Err(format!("timeout: give more than 0 and at most {longest} s"));
        }
        if *connect_timeout == Duration::ZERO || connect_timeout >= timeout {
            return Err("connect_timeout: give more than 0 and less than `timeout`".to_owned());
        }
        if *retries > MOST_RETRIES {
            return Err(format!("retries: give at most {MOST_RETRIES}"));
        }
        Ok(())
    }
}
