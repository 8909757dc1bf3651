//! The request that a message becomes.

use reqwest::{
    Method, Url,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use serde_json::Value;

use super::{
    auth,
    number::Number,
    settings::{self, Auth, Body, Settings},
    template::{Values, escape_for, percent, plain},
};
use crate::{Failure, Hidden, Message};

/// One request, complete but for what its authentication adds at each try.
#[derive(Clone)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// The parsed form of what a gateway is called with.
pub(super) struct Plan {
    method: Method,
    url: Hidden,
    /// The URL before anything is filled in: neither host nor depth may change by a value.
    shape: Url,
    parameters: Vec<(String, Hidden)>,
    unicode: Vec<(String, Hidden)>,
    text_key: Option<String>,
    phone_key: Option<String>,
    query: Option<(String, Hidden)>,
    content: Content,
    headers: Vec<(HeaderName, Hidden)>,
    authorization: Option<(HeaderName, HeaderValue)>,
    idempotency: Option<HeaderName>,
    number: Number,
}

enum Content {
    Query,
    Form,
    Json(Value),
    Raw { content_type: HeaderValue, escape: fn(&str) -> String, template: Hidden },
}

impl Plan {
    pub(super) fn new(settings: &Settings) -> Result<Self, String> {
        let pairs = |map: &std::collections::BTreeMap<String, Hidden>| {
            map.iter().map(|(name, value)| (name.clone(), value.clone())).collect::<Vec<_>>()
        };
        let mut headers = Vec::new();
        for (name, template) in &settings.headers {
            let name = header_name("headers", name)?;
            header_value(&name, template.expose())?;
            headers.push((name, template.clone()));
        }
        let query = match &settings.auth {
            Auth::Query { name, value } => Some((name.clone(), value.clone())),
            _ => None,
        };
        let idempotency = settings.idempotency_header.as_deref();
        Ok(Self {
            method: match settings.method {
                settings::Method::Get => Method::GET,
                settings::Method::Post => Method::POST,
                settings::Method::Put => Method::PUT,
            },
            url: settings.url.clone(),
            shape: shape(settings.url.expose())?,
            parameters: pairs(&settings.parameters),
            unicode: pairs(&settings.unicode_parameters),
            text_key: settings.text_key.clone(),
            phone_key: settings.phone_key.clone(),
            query,
            content: content(settings.body())?,
            headers,
            authorization: auth::header(&settings.auth)?,
            idempotency: idempotency
                .map(|name| header_name("idempotency_header", name))
                .transpose()?,
            number: Number::new(&settings.number)?,
        })
    }

    /// Scheme, host and port: what errors name.
    pub(super) fn host(&self) -> String {
        self.shape.origin().ascii_serialization()
    }

    /// The placeholders' values for a message.
    pub(super) fn values<'a>(&self, message: &'a Message) -> Result<Values<'a>, Failure> {
        Values::new(message, &self.number)
    }

    /// The request for a message.
    pub(super) fn request(&self, message: &Message, values: &Values) -> Result<Request, Failure> {
        let parameters = self.parameters(values);
        let secret = self.query.as_ref().map(|(name, value)| pair(name, value.expose()));
        let (query, body) = match &self.content {
            Content::Form => (Vec::new(), parameters.join("&")),
            Content::Query => (parameters, String::new()),
            Content::Json(template) => (parameters, values.fill_json(template).to_string()),
            Content::Raw { escape, template, .. } => {
                (parameters, values.fill(template.expose(), *escape))
            }
        };
        let query: Vec<_> = query.into_iter().chain(secret).collect();
        Ok(Request {
            method: self.method.clone(),
            url: self.address(values, &query.join("&"))?,
            headers: self.headers(message, values)?,
            body: body.into_bytes(),
        })
    }

    /// All parameters, encoded.
    fn parameters(&self, values: &Values) -> Vec<String> {
        let unicode = if values.text().is_ascii() { [].as_slice() } else { &self.unicode };
        let fixed = self.parameters.iter().chain(unicode);
        let fixed = fixed.map(|(name, value)| pair(name, &values.fill(value.expose(), plain)));
        let text = self.text_key.iter().map(|name| pair(name, values.text()));
        let phone = self.phone_key.iter().map(|name| pair(name, &values.phone));
        fixed.chain(phone).chain(text).collect()
    }

    /// The URL with its placeholders and the query's further parameters.
    fn address(&self, values: &Values, further: &str) -> Result<Url, Failure> {
        let moved = || {
            Failure::Unavailable(
                "a value would change the path of `url`, such as a user named \"..\"".to_owned(),
            )
        };
        let mut url = Url::parse(&values.fill(self.url.expose(), percent)).map_err(|_| moved())?;
        let depth = |url: &Url| url.path().split('/').count();
        if url.origin() != self.shape.origin() || depth(&url) != depth(&self.shape) {
            return Err(moved());
        }
        let query = [url.query().unwrap_or_default(), further];
        let query: Vec<_> = query.into_iter().filter(|part| !part.is_empty()).collect();
        url.set_query((!query.is_empty()).then(|| query.join("&")).as_deref());
        Ok(url)
    }

    fn headers(&self, message: &Message, values: &Values) -> Result<HeaderMap, Failure> {
        let mut headers = HeaderMap::new();
        match &self.content {
            Content::Query => {}
            Content::Form => {
                let form = HeaderValue::from_static("application/x-www-form-urlencoded");
                headers.insert(CONTENT_TYPE, form);
            }
            Content::Json(_) => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            }
            Content::Raw { content_type, .. } => {
                headers.insert(CONTENT_TYPE, content_type.clone());
            }
        }
        for (name, template) in &self.headers {
            let value = header_value(name, &values.fill(template.expose(), plain))
                .map_err(Failure::Unavailable)?;
            headers.insert(name, value);
        }
        if let Some((name, value)) = &self.authorization {
            headers.insert(name, value.clone());
        }
        if let Some(name) = &self.idempotency {
            headers.insert(name, header_value(name, &message.id).map_err(Failure::Unavailable)?);
        }
        Ok(headers)
    }
}

/// One encoded parameter.
fn pair(name: &str, value: &str) -> String {
    format!("{}={}", percent(name), percent(value))
}

/// The URL as configured; the errors do not repeat it: it may hold a key.
fn shape(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("url: it is no URL: {error}"))?;
    let wrong = if !matches!(url.scheme(), "http" | "https") {
        "it starts with neither http:// nor https://"
    } else if text.contains(|c: char| c.is_control() || c == ' ') {
        "it holds a space or a control character; write it as %20"
    } else if !url.username().is_empty() || url.password().is_some() {
        "it holds a user or a password; use `auth`"
    } else if url.fragment().is_some() {
        "it holds a #, and what follows that is never sent; write it as %23"
    } else if url.host_str().is_none_or(|host| host.contains(['{', '}'])) {
        "a placeholder cannot stand for the host"
    } else {
        return Ok(url);
    };
    Err(format!("url: {wrong}"))
}

fn content(body: &Body) -> Result<Content, String> {
    Ok(match body {
        Body::Query => Content::Query,
        Body::Form => Content::Form,
        Body::Json(template) => {
            let parsed = serde_json::from_str(template.expose()).map_err(|error| {
                format!("body: it is not JSON: line {}, column {}", error.line(), error.column())
            })?;
            Content::Json(parsed)
        }
        Body::Raw { content_type, template } => Content::Raw {
            content_type: header_value(&CONTENT_TYPE, content_type)?,
            escape: escape_for(content_type),
            template: template.clone(),
        },
    })
}

/// A header's name (RFC 9110 section 5.1).
pub(super) fn header_name(key: &str, name: &str) -> Result<HeaderName, String> {
    HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| format!("{key}: \"{}\" is no name of a header", name.escape_debug()))
}

/// A header's value, which is kept out of every log; the error does not repeat it.
pub(super) fn header_value(name: &HeaderName, value: &str) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::from_str(value).map_err(|_| {
        format!("the value of the header {name} holds a line break or a control character")
    })?;
    value.set_sensitive(true);
    Ok(value)
}
