//! `HttpSMSProvider`, and what `RestSMSProvider` has in common with it.

use std::time::Duration;

use serde_json::Value;

use super::fields::Fields;
use super::section::Section;

/// Longest time for a message: a login does not wait longer.
const LONGEST: Duration = Duration::from_secs(9);
/// What of it the connection may take at most.
const LONGEST_CONNECT: Duration = Duration::from_secs(8);

/// What a reply means: LinOTP's key and ours, in the order in which LinOTP looks at them.
const RULES: [(&str, &str); 4] = [
    ("RETURN_SUCCESS_REGEX", "success_regex"),
    ("RETURN_FAIL_REGEX", "fail_regex"),
    ("RETURN_SUCCESS", "success_prefix"),
    ("RETURN_FAIL", "fail_prefix"),
];

pub(super) fn translate(fields: &mut Fields) -> Result<Section, String> {
    let mut section = Section::new("http");
    section.note(
        "LinOTP does not look at the HTTP status; here it comes first: 200 to 299, or it is not sent.",
    );
    let (url, in_url) = without_login(&fields.required("URL")?);
    let scheme = if url.starts_with("https:") { "https" } else { "http" };
    section.set("url", url);
    let method = fields.text("HTTP_Method")?.map_or("POST".to_owned(), |m| m.to_uppercase());
    if !matches!(method.as_str(), "GET" | "POST") {
        return Err("HTTP_Method is GET or POST".to_owned());
    }
    section.set("method", method);
    let text_key = fields.text("SMS_TEXT_KEY")?.unwrap_or_else(|| "sms".to_owned());
    let phone_key = fields.text("SMS_PHONENUMBER_KEY")?.unwrap_or_else(|| "phone".to_owned());
    let parameters = fields.texts("PARAMETER")?;
    for (key, role) in [(&text_key, "the text"), (&phone_key, "the number")] {
        if parameters.iter().any(|(name, _)| name == key) {
            return Err(format!("PARAMETER has {key}, too, which carries {role}: remove it there"));
        }
    }
    section.set("text_key", text_key);
    section.set("phone_key", phone_key);
    super::number(fields, &mut section)?;
    login(fields, "AUTH_TYPE", in_url, &mut section)?;
    proxy(fields, scheme, &mut section)?;
    rules(fields, &mut section)?;
    certificate(fields, &mut section)?;
    times(fields, "timeout", &mut section)?;
    section.table("parameters", parameters);
    section.table("headers", fields.texts("HEADERS")?);
    Ok(section)
}

/// The four rules about replies, of which there is to be one.
fn rules(fields: &mut Fields, section: &mut Section) -> Result<(), String> {
    let mut found = Vec::new();
    for (theirs, ours) in RULES {
        found.extend(fields.text(theirs)?.map(|text| (theirs, ours, text)));
    }
    if let [(first, ..), _, ..] = found.as_slice() {
        let names: Vec<_> = found.iter().map(|(theirs, ..)| *theirs).collect();
        let names = names.join(" and ");
        return Err(format!("{names} do not go together: LinOTP looks at {first} only, keep one"));
    }
    for (_, ours, text) in found {
        section.set(ours, text);
    }
    Ok(())
}

/// A URL without the user and password that may be in it.
fn without_login(url: &str) -> (String, Option<(String, String)>) {
    let parts = url.split_once("://").and_then(|(scheme, rest)| {
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end)?;
        let (login, host) = authority.rsplit_once('@')?;
        let (user, password) = login.split_once(':')?;
        let login = (user.to_owned(), password.to_owned());
        Some((format!("{scheme}://{host}{path}"), Some(login)))
    });
    parts.unwrap_or_else(|| (url.to_owned(), None))
}

/// User and password; those of the URL count where there are no others.
pub(super) fn login(
    fields: &mut Fields,
    kind: &'static str,
    in_url: Option<(String, String)>,
    section: &mut Section,
) -> Result<(), String> {
    let (user, password) = (fields.text("USERNAME")?, fields.text("PASSWORD")?);
    let digest = match fields.text(kind)?.map(|kind| kind.trim().to_lowercase()).as_deref() {
        None | Some("basic") => false,
        Some("digest") => true,
        Some(_) => return Err(format!("{kind} is basic or digest")),
    };
    let given = match (user, password) {
        (None, None) => in_url,
        (Some(user), Some(password)) => Some((user, password)),
        _ => return Err("USERNAME and PASSWORD go together: LinOTP uses neither alone".to_owned()),
    };
    if let Some((user, password)) = given {
        if digest {
            section.set("auth", "digest");
        }
        section.set("user", user);
        section.set("password", password);
    }
    Ok(())
}

/// One proxy, or one for each scheme, of which the URL's counts.
pub(super) fn proxy(
    fields: &mut Fields,
    scheme: &str,
    section: &mut Section,
) -> Result<(), String> {
    let proxy = match fields.value("PROXY") {
        None => None,
        Some(Value::String(proxy)) => Some(proxy),
        Some(Value::Object(by_scheme)) => match by_scheme.get(scheme) {
            None | Some(Value::Null) => None,
            Some(Value::String(proxy)) => Some(proxy.clone()),
            Some(_) => return Err(format!("PROXY: {scheme} is a URL")),
        },
        Some(_) => return Err("PROXY is a URL, or an object of http and https".to_owned()),
    };
    section.set_some("proxy", proxy.filter(|proxy| !proxy.is_empty()));
    Ok(())
}

/// Whom to trust: a file of certificates; LinOTP also takes "nobody is checked".
pub(super) fn certificate(fields: &mut Fields, section: &mut Section) -> Result<(), String> {
    let ca = match fields.value("SERVER_CERTIFICATE") {
        None => None,
        Some(Value::Bool(false)) => Some("false".to_owned()),
        Some(Value::String(path)) => Some(path.trim().to_owned()),
        Some(_) => return Err("SERVER_CERTIFICATE is a file or false".to_owned()),
    };
    match ca.as_deref() {
        None | Some("") => {}
        Some(no) if no.eq_ignore_ascii_case("false") => section.note(
            "LinOTP did not check the gateway's certificate; here it is always checked. If it is not \
             one of a public authority, name the file of its own in `ca`.",
        ),
        Some(path) => section.set("ca", path),
    }
    Ok(())
}

/// LinOTP bounds connection and answer each; here the message as a whole is bounded as well.
pub(super) fn times(
    fields: &mut Fields,
    key: &'static str,
    section: &mut Section,
) -> Result<(), String> {
    if let Some((connect, answer)) = fields.timeouts(key)? {
        let whole = connect.saturating_add(answer);
        if whole > LONGEST {
            section.note(&format!("{key} is cut to 9 s for all of it: no login waits longer."));
        }
        section.set_time("connect_timeout", connect.min(LONGEST_CONNECT));
        section.set_time("timeout", whole.min(LONGEST));
    }
    Ok(())
}
