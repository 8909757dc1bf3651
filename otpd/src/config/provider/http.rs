//! `type = "http"`: a gateway that is called over HTTP.

use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};

use otp_delivery::{
    Hidden, Provider,
    http::{
        Auth, Body, JsonRule, LONGEST, MOST_RETRIES, MessageId, Method, NumberFormat, Settings,
    },
};

use super::{Reader, Result};
use crate::config::{
    duration::DAY,
    section::{Section, quoted, text},
    tree::Value,
};

pub(super) fn read(reader: &mut Reader<'_>) -> Result<Provider> {
    // Only a query can hold a password; the rest is to be seen by who looks for a fault.
    let vault = &reader.around.vault;
    let url = vault.hidden(&mut reader.section, "url", |url| url.contains('?'))?;
    let url = reader.required("url", "\"https://…\"", url)?;
    let mut settings = Settings { url, ..Settings::new("") };
    settings.method = method(reader)?;
    settings.parameters = secrets(reader, "parameters")?;
    settings.unicode_parameters = secrets(reader, "unicode_parameters")?;
    settings.text_key = reader.text("text_key")?;
    settings.phone_key = reader.text("phone_key")?;
    settings.body = body(reader)?;
    settings.headers = secrets(reader, "headers")?;
    settings.auth = auth(reader)?;
    settings.tls = reader.tls()?;
    let vault = &reader.around.vault;
    settings.proxy = vault.hidden(&mut reader.section, "proxy", |proxy| proxy.contains('@'))?;
    let hosts = "host names, addresses, networks and \"*\"";
    let no_proxy = reader.section.list("no_proxy", 1, hosts, super::plain)?;
    settings.no_proxy = no_proxy.unwrap_or_default();
    settings.number = number(reader)?;
    times(reader, &mut settings)?;
    settings.retries = reader.section.whole("retries", 0..=MOST_RETRIES, settings.retries)?;
    settings.idempotency_header = reader.text("idempotency_header")?;
    replies(reader, &mut settings)?;
    Ok(Provider::Http(Box::new(settings)))
}

/// In capitals as HTTP writes it, or not.
fn method(reader: &mut Reader<'_>) -> Result<Method> {
    let methods = [("GET", Method::Get), ("POST", Method::Post), ("PUT", Method::Put)];
    let allowed = quoted(methods.iter().map(|(word, _)| *word));
    let method = reader.section.value("method", allowed, |value| {
        let given = text(value)?;
        methods.iter().find(|(word, _)| word.eq_ignore_ascii_case(given)).map(|(_, one)| *one)
    })?;
    Ok(method.map_or_else(
        || {
            reader.by_default("method", "POST");
            Method::Post
        },
        |(method, _)| method,
    ))
}

fn secrets(reader: &mut Reader<'_>, key: &'static str) -> Result<BTreeMap<String, Hidden>> {
    reader.around.vault.secrets(&mut reader.section, key)
}

fn body(reader: &mut Reader<'_>) -> Result<Option<Body>> {
    let kinds = ["query", "form", "json", "raw"].map(|kind| (kind, kind));
    let allowed = quoted(kinds.iter().map(|(kind, _)| *kind));
    let kind = reader.section.value("body", allowed, |value| {
        let given = text(value)?;
        kinds.iter().find(|(kind, _)| *kind == given).map(|(kind, _)| *kind)
    })?;
    Ok(match kind.map(|(kind, _)| kind) {
        None => None,
        Some("query") => Some(Body::Query),
        Some("form") => Some(Body::Form),
        Some("json") => Some(Body::Json(reader.required_secret("json")?)),
        Some(_) => Some(Body::Raw {
            content_type: reader.text_or("content_type", "text/plain; charset=utf-8")?,
            template: reader.required_secret("raw")?,
        }),
    })
}

#[derive(Clone, Copy, PartialEq)]
enum Scheme {
    None,
    Basic,
    Digest,
    Bearer,
    Header,
    Query,
    Aws,
    Program,
}

/// Each scheme has keys of its own; a user without a scheme means basic.
fn auth(reader: &mut Reader<'_>) -> Result<Auth> {
    let user = reader.text("user")?;
    let schemes = [
        ("none", Scheme::None),
        ("basic", Scheme::Basic),
        ("digest", Scheme::Digest),
        ("bearer", Scheme::Bearer),
        ("header", Scheme::Header),
        ("query", Scheme::Query),
        ("aws_sigv4", Scheme::Aws),
        ("program", Scheme::Program),
    ];
    let default = if user.is_some() { Scheme::Basic } else { Scheme::None };
    let scheme = reader.section.choice("auth", &schemes, default)?;
    let needs_user = matches!(scheme, Scheme::Basic | Scheme::Digest);
    let username = match user {
        Some(user) if needs_user => user,
        None if needs_user => reader.required("user", super::TEXT, None)?,
        Some(_) => {
            let path = reader.section.path();
            let message = format!("{path}user goes with auth = \"basic\" and \"digest\" alone");
            return Err(reader.place.error(message));
        }
        None => String::new(),
    };
    Ok(match scheme {
        Scheme::None => Auth::None,
        Scheme::Basic => Auth::Basic { username, password: reader.required_secret("password")? },
        Scheme::Digest => Auth::Digest { username, password: reader.required_secret("password")? },
        Scheme::Bearer => Auth::Bearer(reader.required_secret("token")?),
        Scheme::Header => Auth::Header {
            name: reader.required_text("auth_name")?,
            value: reader.required_secret("auth_value")?,
        },
        Scheme::Query => Auth::Query {
            name: reader.required_text("auth_name")?,
            value: reader.required_secret("auth_value")?,
        },
        Scheme::Aws => Auth::AwsSigV4 {
            region: reader.required_text("region")?,
            service: reader.text_or("service", "sns")?,
            access_key: reader.required_text("access_key")?,
            secret_key: reader.required_secret("secret_key")?,
            session_token: reader.secret("session_token")?,
        },
        Scheme::Program => Auth::Program {
            path: reader.required_path("program")?,
            cache: reader.time("token_cache", 0..=DAY, Duration::ZERO)?,
        },
    })
}

#[derive(Clone, Copy, PartialEq)]
enum Form {
    E164,
    Digits,
    DoubleZero,
    National,
    Regex,
}

fn number(reader: &mut Reader<'_>) -> Result<NumberFormat> {
    let forms = [
        ("e164", Form::E164),
        ("digits", Form::Digits),
        ("00", Form::DoubleZero),
        ("national", Form::National),
        ("regex", Form::Regex),
    ];
    Ok(match reader.section.choice("number", &forms, Form::E164)? {
        Form::E164 => NumberFormat::E164,
        Form::Digits => NumberFormat::Digits,
        Form::DoubleZero => NumberFormat::DoubleZero,
        Form::National => NumberFormat::National { country: reader.required_text("country")? },
        Form::Regex => NumberFormat::Pattern {
            search: reader.required_text("number_search")?,
            replace: reader.text_or("number_replace", "")?,
        },
    })
}

fn times(reader: &mut Reader<'_>, settings: &mut Settings) -> Result<()> {
    let longest = u64::try_from(LONGEST.as_millis()).unwrap_or(u64::MAX);
    settings.timeout = reader.time("timeout", 1..=longest, settings.timeout)?;
    // A shorter limit of the whole shortens the default of its part.
    let connect = settings.connect_timeout;
    let connect = if connect < settings.timeout { connect } else { settings.timeout / 2 };
    settings.connect_timeout = reader.time("connect_timeout", 1..=longest - 1, connect)?;
    Ok(())
}

/// What a reply means.
fn replies(reader: &mut Reader<'_>, settings: &mut Settings) -> Result<()> {
    let section = &mut reader.section;
    let allowed = "statuses and ranges of them like 200 and \"200-204\", within 200 to 299";
    match section.list("success_status", 1, allowed, status)? {
        Some(statuses) => settings.success_status = statuses,
        None => section.show("success_status", "[\"200-299\"]"),
    }
    settings.success_regex = reader.text("success_regex")?;
    settings.fail_regex = reader.text("fail_regex")?;
    settings.success_prefix = reader.text("success_prefix")?;
    settings.fail_prefix = reader.text("fail_prefix")?;
    settings.success_json = json_rule(&mut reader.section, "success_json")?;
    settings.fail_json = json_rule(&mut reader.section, "fail_json")?;
    settings.id = match (reader.text("id_json")?, reader.text("id_regex")?) {
        (None, None) => None,
        (Some(pointer), None) => Some(MessageId::Json(pointer)),
        (None, Some(regex)) => Some(MessageId::Regex(regex)),
        (Some(_), Some(_)) => {
            let path = reader.section.path();
            return Err(reader.place.error(format!("{path}id_json and id_regex: remove one")));
        }
    };
    Ok(())
}

fn status(value: &Value) -> Option<RangeInclusive<u16>> {
    let range = match value {
        Value::Whole(status) => {
            let status = u16::try_from(*status).ok()?;
            status..=status
        }
        value => {
            let (first, last) = text(value)?.split_once('-')?;
            first.parse().ok()?..=last.parse().ok()?
        }
    };
    let success = 200..=299;
    (range.start() <= range.end()
        && success.contains(range.start())
        && success.contains(range.end()))
    .then_some(range)
}

/// `{ pointer = "/messages/0/status", values = ["0"] }`
fn json_rule(section: &mut Section, key: &'static str) -> Result<Option<JsonRule>> {
    let allowed = "{ pointer = \"/…\", values = [\"…\"] } (RFC 6901)";
    let rule = section.value(key, allowed, |value| {
        let Value::Table(table) = value else { return None };
        let part = |name| table.get(name).map(|entry| &entry.node.value);
        let pointer = super::plain(part("pointer")?)?;
        let Value::List(items) = part("values")? else { return None };
        let values: Option<Vec<_>> = items.iter().map(|item| super::plain(&item.value)).collect();
        let values = values.filter(|values| !values.is_empty() && table.len() == 2)?;
        Some(JsonRule { pointer, values })
    })?;
    Ok(rule.map(|(rule, _)| rule))
}
