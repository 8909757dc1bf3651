//! What replies mean, and which settings are refused.

use std::collections::BTreeMap;

use super::{reply::Pattern, *};

fn settings() -> Settings {
    Settings {
        text_key: Some("text".to_owned()),
        phone_key: Some("to".to_owned()),
        ..Settings::new("https://gateway.example/send")
    }
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn json_rule(pointer: &str, values: &[&str]) -> Option<JsonRule> {
    let values = values.iter().map(|value| (*value).to_owned()).collect();
    Some(JsonRule { pointer: pointer.to_owned(), values })
}

#[test]
fn each_body_rule() {
    let success_regex = || Settings { success_regex: some("(result:0|success)"), ..settings() };
    let fail_regex = || Settings { fail_regex: some("(?i)error"), ..settings() };
    let success_prefix = || Settings { success_prefix: some("ID"), ..settings() };
    let fail_prefix = || Settings { fail_prefix: some("ERR"), ..settings() };
    let json = || Settings {
        success_json: json_rule("/messages/0/status", &["0"]),
        fail_json: json_rule("/a~1b", &["true", "null"]),
        ..settings()
    };
    for (settings, body, success) in [
        (settings(), "", true),
        (settings(), "ERR", true),
        (success_regex(), "the result:0", true),
        (success_regex(), "success", true),
        (success_regex(), "result:1", false),
        (success_regex(), "", false),
        (fail_regex(), "fine", true),
        (fail_regex(), "an Error", false),
        (fail_regex(), "", true),
        (success_prefix(), "ID: 1", true),
        (success_prefix(), "no ID: 1", false),
        (success_prefix(), "", false),
        (fail_prefix(), "no ERR", true),
        (fail_prefix(), "ERR: 1", false),
        (json(), r#"{"messages":[{"status":"0"}]}"#, true),
        (json(), r#"{"messages":[{"status":0}]}"#, true),
        (json(), r#"{"messages":[{"status":"0"}],"a/b":false}"#, true),
        (json(), r#"{"messages":[{"status":"0"}],"a/b":true}"#, false),
        (json(), r#"{"messages":[{"status":"0"}],"a/b":null}"#, false),
        (json(), r#"{"messages":[{"status":"4"}]}"#, false),
        (json(), r#"{"messages":[]}"#, false),
        (json(), r#"{"messages":[{"status":"0"}]"#, false),
        (json(), "", false),
    ] {
        let judged = Rules::new(&settings).unwrap().judge(body);
        assert_eq!(judged.is_ok(), success, "{body}: {judged:?}");
    }
}

#[test]
fn ids_are_found_and_printable() {
    let json = |pointer: &str| MessageId::Json(pointer.to_owned());
    let regex = |text: &str| MessageId::Regex(text.to_owned());
    let long = "x".repeat(500);
    for (id, body, expected) in [
        (json("/id"), r#"{"id":"abc"}"#, Some("abc")),
        (json("/id"), r#"{"id":17}"#, Some("17")),
        (json("/id"), r#"{"id":"a\nb\u001b c"}"#, Some("abc")),
        (json("/id"), r#"{"id":null}"#, None),
        (json("/id"), r#"{"id":""}"#, None),
        (json("/id"), "ID: 1", None),
        (regex("ID: ([0-9]+)"), "ID: 17", Some("17")),
        (regex("[0-9a-f]{8}-[0-9a-f]{4}"), "at 0123abcd-4567.", Some("0123abcd-4567")),
        (regex("ID: ([0-9]+)"), "ERR", None),
        (regex("x+"), &long, Some(&long)),
    ] {
        let rules = Rules::new(&Settings { id: Some(id), ..settings() }).unwrap();
        assert_eq!(rules.id(body).as_deref(), expected, "{body}");
    }
}

#[test]
fn a_pattern_says_something_and_costs_little() {
    for text in ["", ".*", "^", "$", "(a|)", "a*", ".", ".+", r"\b", r"\w", r"(?s).", r"\B", "[^~]"]
    {
        assert!(Pattern::parse(text).unwrap_err().contains("matches every reply"), "{text}");
    }
    for text in ["(", "*", r"(a)\1", "(?=a)", "a{1000}{1000}{1000}"] {
        assert!(Pattern::parse(text).unwrap_err().contains("not valid"), "{text}");
    }
    // An engine that backtracks needs longer for this than the world has.
    let pattern = Pattern::parse("(a+)+$").unwrap();
    assert!(!pattern.found(&format!("{}b", "a".repeat(64 * 1024))));
    assert!(pattern.found(&"a".repeat(64 * 1024)));
}

#[test]
fn settings_that_cannot_work_together_are_refused() {
    let hidden = |pairs: &[(&str, &str)]| -> BTreeMap<String, Hidden> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), Hidden::from(*value))).collect()
    };
    let url = |url: &str| Settings { url: Hidden::from(url), ..settings() };
    let basic = |username: &str, password: &str| Auth::Basic {
        username: username.to_owned(),
        password: Hidden::from(password),
    };
    let proxy = |proxy: &str| Settings { proxy: Some(Hidden::from(proxy)), ..settings() };
    let seconds = Duration::from_secs;
    let json = |text: &str| Some(Body::Json(Hidden::from(text)));
    settings().check().unwrap();
    for (named, settings) in [
        ("url", url("gateway.example/send")),
        ("url", url("ftp://gateway.example/send")),
        ("url", url("https://user:s3cret@gateway.example/send")),
        ("url", url("https://gateway.example/s3cret send")),
        ("url", url("https://gateway.example/send?s3cret#to")),
        ("url", url("https://{user}.example/s3cret")),
        ("method", Settings { method: Method::Get, body: Some(Body::Form), ..settings() }),
        ("the number", Settings { phone_key: None, ..settings() }),
        ("the text", Settings { text_key: None, ..settings() }),
        ("\"text\"", Settings { parameters: hidden(&[("text", "s3cret")]), ..settings() }),
        ("\"to\"", Settings { parameters: hidden(&[("to", "s3cret")]), ..settings() }),
        ("\"to\"", Settings { unicode_parameters: hidden(&[("to", "s3cret")]), ..settings() }),
        ("\"to\"", url("https://gateway.example/send?to=s3cret")),
        ("\"to\"", Settings { text_key: some("to"), ..settings() }),
        ("no name", Settings { text_key: some(""), ..settings() }),
        ("body", Settings { body: json("{'s3cret': \"{phone}\"}"), ..settings() }),
        ("line 2, column 1", Settings { body: json("{\"s3cret\": \"{phone}\",\n}"), ..settings() }),
        ("headers", Settings { headers: hidden(&[("X Y", "s3cret")]), ..settings() }),
        ("x-key", Settings { headers: hidden(&[("X-Key", "s3cret\r\nA: b")]), ..settings() }),
        ("host", Settings { headers: hidden(&[("Host", "s3cret")]), ..settings() }),
        ("content-length", Settings { headers: hidden(&[("Content-Length", "0")]), ..settings() }),
        ("content-type", Settings { headers: hidden(&[("Content-Type", "a/b")]), ..settings() }),
        (
            "authorization",
            Settings {
                headers: hidden(&[("Authorization", "s3cret")]),
                auth: basic("user", "s3cret"),
                ..settings()
            },
        ),
        ("auth", Settings { auth: basic("user", ""), ..settings() }),
        ("colon", Settings { auth: basic("us:er", "s3cret"), ..settings() }),
        ("auth", Settings { auth: Auth::Bearer(Hidden::from("s3cret\n")), ..settings() }),
        (
            "/nowhere/token",
            Settings {
                auth: Auth::Program { path: "/nowhere/token".into(), cache: seconds(60) },
                ..settings()
            },
        ),
        ("proxy", proxy("ftp://user:s3cret@host:8080")),
        ("proxy", proxy("proxy:s3cret")),
        ("no_proxy", Settings { no_proxy: vec!["*".to_owned()], ..settings() }),
        ("timeout", Settings { timeout: seconds(10), ..settings() }),
        ("timeout", Settings { timeout: seconds(0), ..settings() }),
        ("connect_timeout", Settings { connect_timeout: seconds(8), ..settings() }),
        ("connect_timeout", Settings { connect_timeout: seconds(0), ..settings() }),
        ("retries", Settings { retries: 6, ..settings() }),
        ("idempotency_header", Settings { idempotency_header: some("a b"), ..settings() }),
        ("success_status", Settings { success_status: vec![], ..settings() }),
        ("success_status", Settings { success_status: vec![200..=302], ..settings() }),
        ("success_status", Settings { success_status: vec![100..=200], ..settings() }),
        ("success_regex", Settings { success_regex: some(".*"), ..settings() }),
        ("fail_regex", Settings { fail_regex: some("*"), ..settings() }),
        ("success_prefix", Settings { success_prefix: some(""), ..settings() }),
        ("fail_prefix", Settings { fail_prefix: some(""), ..settings() }),
        (
            "more than one",
            Settings { success_prefix: some("ID"), fail_prefix: some("ERR"), ..settings() },
        ),
        (
            "more than one",
            Settings { success_regex: some("ID"), success_prefix: some("ID"), ..settings() },
        ),
        ("success_json", Settings { success_json: json_rule("status", &["0"]), ..settings() }),
        ("success_json", Settings { success_json: json_rule("/status", &[]), ..settings() }),
        ("fail_json", Settings { fail_json: json_rule("/a~2", &["0"]), ..settings() }),
        ("id", Settings { id: Some(MessageId::Json(String::new())), ..settings() }),
        ("id", Settings { id: Some(MessageId::Regex("a*".to_owned())), ..settings() }),
        (
            "number",
            Settings { number: NumberFormat::National { country: "+49".to_owned() }, ..settings() },
        ),
    ] {
        let error = settings.check().unwrap_err();
        assert!(error.contains(named), "{named}: {error}");
        assert!(!error.contains("s3cret"), "{error}");
        assert_eq!(Http::new(settings.clone()).err(), Some(error));
        assert!(!format!("{settings:?}").contains("s3cret"));
    }
}
