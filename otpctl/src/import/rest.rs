//! `RestSMSProvider`: a JSON document with text and number at places that paths name.

use serde_json::Value;

use super::fields::Fields;
use super::http;
use super::section::Section;

pub(super) fn translate(fields: &mut Fields) -> Result<Section, String> {
    let mut section = Section::new("http");
    section.note("LinOTP takes any status below 400 for success; here it is 200 to 299.");
    let url = fields.required("URL")?;
    let mut urls = url.split(',').map(str::trim);
    let first = urls.next().unwrap_or_default().to_owned();
    if urls.next().is_some() {
        section.note("LinOTP uses the first URL only. Make a provider of each other one.");
    }
    let scheme = if first.starts_with("https:") { "https" } else { "http" };
    section.set("url", first);
    section.set("method", "POST");
    section.set("body", "json");
    section.set("json", body(fields)?);
    super::number(fields, &mut section)?;
    http::login(fields, "AUTHENTICATION", None, &mut section)?;
    http::proxy(fields, scheme, &mut section)?;
    http::certificate(fields, &mut section)?;
    if let Some(file) = fields.text("CLIENT_CERTIFICATE_FILE")? {
        section.set("certificate", file.as_str());
        section.set("key", file);
    }
    http::times(fields, "TIMEOUT", &mut section)?;
    let mut headers = fields.texts("HEADERS")?;
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("accept")) {
        headers.push(("Accept".to_owned(), "application/json".to_owned()));
    }
    headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
    section.table("headers", headers);
    Ok(section)
}

/// PAYLOAD with our places where LinOTP puts text and number.
fn body(fields: &mut Fields) -> Result<String, String> {
    let Some(mut payload @ Value::Object(_)) = fields.value("PAYLOAD") else {
        return Err("PAYLOAD is the object that is sent; it is missing".to_owned());
    };
    let text_key = fields.required("SMS_TEXT_KEY")?;
    let phone_key = fields.required("SMS_PHONENUMBER_KEY")?;
    // A template is looked up by the whole key, not by its path: as LinOTP does.
    let text = match payload.get(&text_key).and_then(Value::as_str) {
        Some(template) if template.contains("<message>") => template.replace("<message>", "{text}"),
        _ => "{text}".to_owned(),
    };
    put(&mut payload, "SMS_TEXT_KEY", &text_key, text.into())?;
    let filled = |template: &str| template.replace("<phone>", "{phone}");
    let phone = match payload.get(&phone_key) {
        Some(Value::String(template)) if template.contains("<phone>") => filled(template).into(),
        Some(Value::Array(items)) => items
            .iter()
            .map(|item| item.as_str().map_or_else(|| item.clone(), |text| filled(text).into()))
            .collect(),
        _ => Value::from("{phone}"),
    };
    put(&mut payload, "SMS_PHONENUMBER_KEY", &phone_key, phone)?;
    Ok(payload.to_string())
}

/// Puts a value at a path: `sender`, `recipients[0].msisdn`, `phones[0]`.
fn put(document: &mut Value, role: &str, path: &str, value: Value) -> Result<(), String> {
    let missing = || format!("{role}: PAYLOAD has no place {path}");
    let steps = path.replace('[', ".").replace(']', "");
    let mut steps: Vec<_> = steps.split('.').collect();
    let last = steps.pop().unwrap_or_default();
    let mut place = document;
    for step in steps {
        place = match place {
            Value::Array(items) => step.parse().ok().and_then(|index: usize| items.get_mut(index)),
            other => other.get_mut(step),
        }
        .ok_or_else(missing)?;
    }
    match place {
        Value::Object(members) => {
            members.insert(last.to_owned(), value);
        }
        Value::Array(items) => {
            let index: usize = last.parse().map_err(|_| missing())?;
            match items.get_mut(index) {
                Some(item) => *item = value,
                None => items.push(value),
            }
        }
        _ => return Err(missing()),
    }
    Ok(())
}
