//! What arrives at the gateway: parameters, bodies, headers, placeholders.

use std::collections::BTreeMap;

use super::{
    server::{Seen, Server, owned, reply},
    *,
};

fn hidden(pairs: &[(&str, &str)]) -> BTreeMap<String, Hidden> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), Hidden::from(*value))).collect()
}

/// A message in which every part tries to leave its place.
fn hostile() -> Message {
    let text = "482913 & \"you\" 'me' {otp} <b>\r\nBcc: eve =?utf-8?q?x?= +%41 é€😀\\";
    Message {
        text: Hidden::from(text),
        user: "a/../b?c&d=e#f{text}\"<".to_owned(),
        serial: "../..".to_owned(),
        ..message()
    }
}

/// What arrives when the message is sent to a path.
async fn arrives(
    message: &Message,
    path: &str,
    settings: impl FnOnce(Settings) -> Settings,
) -> Result<Seen, Failure> {
    let server = Server::start(|_| reply("200 OK", "")).await;
    let settings = settings(Settings::new(&server.url(path)));
    Http::new(settings).unwrap().send(message).await?;
    Ok(server.one())
}

#[tokio::test]
async fn parameters_go_where_the_body_says() {
    let keys = |settings: Settings| Settings {
        parameters: hidden(&[("from", "Ex & Co"), ("key", "{uuid}")]),
        text_key: Some("the text".to_owned()),
        phone_key: Some("to".to_owned()),
        ..settings
    };
    let (message, uuid) = (hostile(), message().id);
    let expected = owned(&[
        ("from", "Ex & Co"),
        ("key", &uuid),
        ("to", "+491701234581"),
        ("the text", message.text.expose()),
    ]);
    for method in [Method::Post, Method::Put] {
        let seen =
            arrives(&message, "/send?a=b", |s| keys(Settings { method, ..s })).await.unwrap();
        assert_eq!((&*seen.target, seen.form()), ("/send?a=b", expected.clone()));
        assert_eq!(seen.method, if method == Method::Post { "POST" } else { "PUT" });
    }
    for (path, method, first) in [
        ("/send", Method::Get, None),
        ("/send?", Method::Get, None),
        ("/send?a=b%26", Method::Get, Some(("a", "b&"))),
        ("/send?a=b", Method::Post, Some(("a", "b"))),
    ] {
        let body = (method == Method::Post).then_some(Body::Query);
        let seen = arrives(&message, path, |s| keys(Settings { method, body, ..s })).await.unwrap();
        let expected = [owned(first.as_slice()), expected.clone()].concat();
        assert_eq!(seen.query(), expected, "{}", seen.target);
        assert!(seen.target.contains("&to=%2B491701234581&the%20text=482913%20%26%20%22you%22"));
        assert_eq!((seen.header("content-type"), &*seen.body), (None, ""));
    }
}

#[tokio::test]
async fn the_unicode_hint_is_given_where_it_is_needed() {
    for (message, expected) in [(message(), false), (hostile(), true)] {
        let settings = |settings| Settings {
            unicode_parameters: hidden(&[("type", "unicode")]),
            text_key: Some("text".to_owned()),
            phone_key: Some("to".to_owned()),
            ..settings
        };
        let form = arrives(&message, "/", settings).await.unwrap().form();
        assert_eq!(form.contains(&("type".to_owned(), "unicode".to_owned())), expected);
    }
}

#[tokio::test]
async fn values_stay_in_json() {
    let template = r#"{"{user}": "{phone}", "to": ["{phone}", {"n": 1.5, "ok": true, "none": null}],
        "text": "{text} for {user}", "otp": "{otp}", "literal": "{\"a\": {x}}"}"#;
    let message = hostile();
    let seen = arrives(&message, "/", |settings| Settings {
        body: Some(Body::Json(Hidden::from(template))),
        number: NumberFormat::Digits,
        ..settings
    })
    .await
    .unwrap();
    assert_eq!(
        seen.json(),
        serde_json::json!({
            "{user}": "491701234581",
            "to": ["491701234581", { "n": 1.5, "ok": true, "none": null }],
            "text": format!("{} for {}", message.text.expose(), message.user),
            "otp": "482913",
            "literal": "{\"a\": {x}}",
        })
    );
}

#[tokio::test]
async fn values_stay_in_raw_bodies() {
    for (content_type, template, expected) in [
        (
            "application/xml",
            "<sms to=\"{phone}\">{user}</sms>",
            "<sms to=\"+491701234581\">a/../b?c&amp;d=e#f{text}&quot;&lt;</sms>",
        ),
        (
            "text/plain; charset=utf-8",
            "{phone}\n{text}",
            "+491701234581\n482913 & \"you\" 'me' {otp} <b>Bcc: eve =?utf-8?q?x?= +%41 é€😀\\",
        ),
        (
            "application/json",
            r#"["{phone}", "{user}"]"#,
            r#"["+491701234581", "a/../b?c&d=e#f{text}\"<"]"#,
        ),
    ] {
        let seen = arrives(&hostile(), "/?x={serial}&{otp}", |settings| Settings {
            body: Some(Body::Raw {
                content_type: content_type.to_owned(),
                template: Hidden::from(template),
            }),
            ..settings
        })
        .await
        .unwrap();
        assert_eq!((seen.header("content-type"), &*seen.body), (Some(content_type), expected));
        assert_eq!(seen.target, "/?x=..%2F..&482913");
    }
}

#[tokio::test]
async fn values_stay_in_the_path() {
    let settings = |settings| Settings { text_key: Some("text".to_owned()), ..settings };
    let seen = arrives(&hostile(), "/to/{phone}/{user}/send", settings).await.unwrap();
    let user = "a%2F..%2Fb%3Fc%26d%3De%23f%7Btext%7D%22%3C";
    assert_eq!(seen.target, format!("/to/%2B491701234581/{user}/send"));
    for user in [".", ".."] {
        let message = Message { user: user.to_owned(), ..message() };
        let failure = arrives(&message, "/to/{phone}/{user}/send", settings).await.unwrap_err();
        assert!(matches!(&failure, Failure::Unavailable(text) if text.contains("path")));
    }
}

#[tokio::test]
async fn values_stay_in_headers() {
    let settings = |settings| Settings {
        headers: hidden(&[("X-To", "<{phone}>"), ("X-User", "{user}")]),
        text_key: Some("text".to_owned()),
        ..settings
    };
    let seen = arrives(&hostile(), "/", settings).await.unwrap();
    assert_eq!(seen.header("x-to"), Some("<+491701234581>"));
    assert_eq!(seen.header("x-user"), Some(&*hostile().user));
    for user in ["a\r\nX-Evil: 1", "a\nb", "a\rb", "a\0b"] {
        let message = Message { user: user.to_owned(), ..message() };
        let failure = arrives(&message, "/", settings).await.unwrap_err();
        assert!(matches!(&failure, Failure::Unavailable(text) if text.contains("x-user")));
    }
}

#[tokio::test]
async fn a_mail_address_and_a_number_of_another_country_are_left_to_others() {
    let number = NumberFormat::National { country: "43".to_owned() };
    let settings = |settings| Settings {
        text_key: Some("text".to_owned()),
        phone_key: Some("to".to_owned()),
        number,
        ..settings
    };
    let failure = arrives(&message(), "/", settings.clone()).await.unwrap_err();
    assert!(matches!(&failure, Failure::Unavailable(text) if text.contains("+43")));
    let to = otp_core::contact::MailAddress::parse("alice@example.com").unwrap();
    let message = Message { to: Recipient::Mailbox(to), ..message() };
    assert!(matches!(arrives(&message, "/", settings).await, Err(Failure::Unavailable(_))));
}
