//! Gateways as they document themselves: what they want, and how they answer yes and no.

use std::collections::BTreeMap;

use super::{
    server::{Reply, Seen, Server, owned, reply},
    *,
};

fn hidden(pairs: &[(&str, &str)]) -> BTreeMap<String, Hidden> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), Hidden::from(*value))).collect()
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn holds(pointer: &str, values: &[&str]) -> Option<JsonRule> {
    let values = values.iter().map(|value| (*value).to_owned()).collect();
    Some(JsonRule { pointer: pointer.to_owned(), values })
}

fn basic(username: &str, password: &str) -> Auth {
    Auth::Basic { username: username.to_owned(), password: password.into() }
}

/// One gateway: what is asked is checked, each `yes` is a receipt with that id, each `no` a failure.
struct Gateway {
    settings: fn(&Server) -> Settings,
    wants: fn(&Seen),
    yes: (&'static str, &'static str, Option<&'static str>),
    no: &'static [(&'static str, &'static str)],
}

impl Gateway {
    async fn answer(&self, status: &'static str, body: &'static str) -> Answer {
        let wants = self.wants;
        let server = Server::start(move |_| -> Reply { reply(status, body) }).await;
        let settings = Settings { retries: 0, ..(self.settings)(&server) };
        let answer = Http::new(settings).unwrap().send(&message()).await;
        wants(&server.one());
        answer
    }

    async fn check(self) {
        let (status, body, id) = self.yes;
        let receipt = self.answer(status, body).await.unwrap();
        assert_eq!(receipt.id.as_deref(), id);
        for (status, body) in self.no {
            let failure = self.answer(status, body).await.unwrap_err();
            assert!(matches!(failure, Failure::Unavailable(_)), "{body}: {failure}");
        }
    }
}

const TEXT: &str = "482913 is your code & more";

#[tokio::test]
async fn twilio() {
    Gateway {
        settings: |server| Settings {
            parameters: hidden(&[("From", "+15005550006")]),
            text_key: some("Body"),
            phone_key: some("To"),
            auth: basic("AC00000000000000000000000000000001", "auth-token"),
            fail_json: holds("/status", &["failed", "undelivered", "canceled"]),
            id: Some(MessageId::Json("/sid".to_owned())),
            ..Settings::new(
                &server.url("/2010-04-01/Accounts/AC00000000000000000000000000000001/Messages.json"),
            )
        },
        wants: |seen| {
            assert_eq!(seen.method, "POST");
            let form = [("From", "+15005550006"), ("To", "+491701234581"), ("Body", TEXT)];
            assert_eq!(seen.form(), owned(&form));
            assert!(seen.header("authorization").unwrap().starts_with("Basic "));
        },
        yes: (
            "201 Created",
            r#"{"sid":"SM1","status":"queued","error_code":null,"error_message":null}"#,
            Some("SM1"),
        ),
        no: &[
            ("201 Created", r#"{"sid":"SM1","status":"failed","error_code":30007}"#),
            (
                "400 Bad Request",
                r#"{"code":21211,"message":"The 'To' number is not a valid phone number","status":400}"#,
            ),
            ("401 Unauthorized", r#"{"code":20003,"message":"Authenticate","status":401}"#),
        ],
    }
    .check()
    .await;
}

#[tokio::test]
async fn vonage_sms() {
    Gateway {
        settings: |server| Settings {
            parameters: hidden(&[("api_key", "abcd1234"), ("api_secret", "s"), ("from", "Acme")]),
            unicode_parameters: hidden(&[("type", "unicode")]),
            text_key: some("text"),
            phone_key: some("to"),
            number: NumberFormat::Digits,
            success_json: holds("/messages/0/status", &["0"]),
            id: Some(MessageId::Json("/messages/0/message-id".to_owned())),
            ..Settings::new(&server.url("/sms/json"))
        },
        wants: |seen| {
            let fixed = [("api_key", "abcd1234"), ("api_secret", "s"), ("from", "Acme")];
            let own = [("to", "491701234581"), ("text", TEXT)];
            assert_eq!(seen.form(), [owned(&fixed), owned(&own)].concat());
        },
        yes: (
            "200 OK",
            r#"{"message-count":"1","messages":[{"to":"1","message-id":"0A0","status":"0"}]}"#,
            Some("0A0"),
        ),
        no: &[
            (
                "200 OK",
                r#"{"message-count":"1","messages":[{"status":"4","error-text":"Bad Credentials"}]}"#,
            ),
            ("200 OK", r#"{"message-count":"1","messages":[{"status":"1","error-text":"Throttled"}]}"#),
        ],
    }
    .check()
    .await;
}

#[tokio::test]
async fn clickatell_http() {
    Gateway {
        settings: |server| Settings {
            method: Method::Get,
            parameters: hidden(&[("user", "u"), ("password", "p&p"), ("api_id", "12345")]),
            text_key: some("text"),
            phone_key: some("to"),
            success_prefix: some("ID"),
            id: Some(MessageId::Regex("^ID: ([0-9a-f]+)".to_owned())),
            ..Settings::new(&server.url("/http/sendmsg"))
        },
        wants: |seen| {
            let fixed = [("api_id", "12345"), ("password", "p&p"), ("user", "u")];
            let own = [("to", "+491701234581"), ("text", TEXT)];
            assert_eq!(seen.query(), [owned(&fixed), owned(&own)].concat());
            assert_eq!((&*seen.method, &*seen.body), ("GET", ""));
        },
        yes: (
            "200 OK",
            "ID: 205e85d0578314037a96175249fc6a2b",
            Some("205e85d0578314037a96175249fc6a2b"),
        ),
        no: &[
            ("200 OK", "ERR: 001, Authentication failed"),
            ("200 OK", "ERR: 114, Cannot route message"),
            ("200 OK", ""),
        ],
    }
    .check()
    .await;
}

#[tokio::test]
async fn clickatell_one() {
    Gateway {
        settings: |server| Settings {
            body: Some(Body::Json(Hidden::from(
                r#"{"messages": [{"channel": "sms", "to": "{phone}", "content": "{text}"}]}"#,
            ))),
            number: NumberFormat::Digits,
            auth: Auth::Header { name: "Authorization".to_owned(), value: "k3y==".into() },
            success_status: vec![202..=202],
            success_json: holds("/messages/0/accepted", &["true"]),
            id: Some(MessageId::Json("/messages/0/apiMessageId".to_owned())),
            ..Settings::new(&server.url("/v1/message"))
        },
        wants: |seen| {
            let message =
                serde_json::json!({ "channel": "sms", "to": "491701234581", "content": TEXT });
            assert_eq!(seen.json(), serde_json::json!({ "messages": [message] }));
            assert_eq!(seen.header("authorization"), Some("k3y=="));
        },
        yes: (
            "202 Accepted",
            r#"{"messages":[{"apiMessageId":"m1","accepted":true,"to":"1","error":null}],"error":null}"#,
            Some("m1"),
        ),
        no: &[
            (
                "207 Multi-Status",
                r#"{"messages":[{"apiMessageId":null,"accepted":false,"error":{"code":1}}],"error":null}"#,
            ),
            ("202 Accepted", r#"{"messages":[{"apiMessageId":null,"accepted":false}]}"#),
            ("401 Unauthorized", r#"{"messages":[],"error":{"code":"108"}}"#),
        ],
    }
    .check()
    .await;
}

#[tokio::test]
async fn aws_sns() {
    Gateway {
        settings: |server| Settings {
            parameters: hidden(&[
                ("Action", "Publish"),
                ("Version", "2010-03-31"),
                ("MessageAttributes.entry.1.Name", "AWS.SNS.SMS.SMSType"),
                ("MessageAttributes.entry.1.Value.DataType", "String"),
                ("MessageAttributes.entry.1.Value.StringValue", "Transactional"),
            ]),
            text_key: some("Message"),
            phone_key: some("PhoneNumber"),
            auth: Auth::AwsSigV4 {
                region: "eu-central-1".to_owned(),
                service: "sns".to_owned(),
                access_key: "AKIDEXAMPLE".to_owned(),
                secret_key: "s3cret".into(),
                session_token: None,
            },
            success_regex: some("<MessageId>[^<]+</MessageId>"),
            id: Some(MessageId::Regex("<MessageId>([^<]+)</MessageId>".to_owned())),
            ..Settings::new(&server.url("/"))
        },
        wants: |seen| {
            let form = seen.form();
            assert_eq!(form[0], owned(&[("Action", "Publish")])[0]);
            let own = [("PhoneNumber", "+491701234581"), ("Message", TEXT)];
            assert_eq!(form[5..], owned(&own));
            let signed = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/eu-central-1/sns/\
                          aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=";
            assert!(seen.header("authorization").unwrap().starts_with(signed));
        },
        yes: (
            "200 OK",
            "<PublishResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><PublishResult>\
             <MessageId>94f20ce6-13c5-43a0</MessageId></PublishResult></PublishResponse>",
            Some("94f20ce6-13c5-43a0"),
        ),
        no: &[
            (
                "403 Forbidden",
                "<ErrorResponse><Error><Type>Sender</Type><Code>SignatureDoesNotMatch</Code></Error>\
                 </ErrorResponse>",
            ),
            ("400 Bad Request", "<ErrorResponse><Error><Code>Throttling</Code></Error></ErrorResponse>"),
        ],
    }
    .check()
    .await;
}

#[tokio::test]
async fn sipgate() {
    Gateway {
        settings: |server| Settings {
            body: Some(Body::Json(Hidden::from(
                r#"{"smsId": "s0", "recipient": "{phone}", "message": "{text}"}"#,
            ))),
            auth: basic("token-ABCDEF", "t0ken"),
            success_status: vec![204..=204],
            ..Settings::new(&server.url("/v2/sessions/sms"))
        },
        wants: |seen| {
            let expected =
                serde_json::json!({ "smsId": "s0", "recipient": "+491701234581", "message": TEXT });
            assert_eq!(seen.json(), expected);
            assert!(seen.header("authorization").unwrap().starts_with("Basic "));
        },
        yes: ("204 No Content", "", None),
        no: &[("402 Payment Required", ""), ("403 Forbidden", ""), ("401 Unauthorized", "")],
    }
    .check()
    .await;
}

#[tokio::test]
async fn kannel() {
    Gateway {
        settings: |server| Settings {
            method: Method::Get,
            parameters: hidden(&[
                ("username", "tester"),
                ("password", "foobar"),
                ("coding", "2"),
                ("charset", "UTF-8"),
            ]),
            text_key: some("text"),
            phone_key: some("to"),
            number: NumberFormat::DoubleZero,
            success_status: vec![202..=202],
            success_regex: some("^(0|3): "),
            ..Settings::new(&server.url("/cgi-bin/sendsms"))
        },
        wants: |seen| {
            let query = seen.query();
            assert_eq!(query[4..], owned(&[("to", "00491701234581"), ("text", TEXT)]));
            assert!(seen.target.starts_with("/cgi-bin/sendsms?charset=UTF-8&coding=2&"));
        },
        yes: ("202 Accepted", "0: Accepted for delivery", None),
        no: &[
            ("403 Forbidden", "Authorization failed for sendsms"),
            ("202 Accepted", "Sender missing and no global set, rejected"),
            ("503 Service Unavailable", "Temporal failure, try again later."),
        ],
    }
    .check()
    .await;
}

#[tokio::test]
async fn smsgateway() {
    Gateway {
        settings: |server| Settings {
            method: Method::Get,
            parameters: hidden(&[("account", "clickatel"), ("username", "u"), ("password", "p")]),
            text_key: some("message"),
            phone_key: some("phone"),
            success_regex: some("(result:0|success)"),
            auth: basic("u", "p"),
            ..Settings::new(&server.url("/send?id=1"))
        },
        wants: |seen| {
            assert!(seen.target.starts_with("/send?id=1&account=clickatel&"), "{}", seen.target);
            assert!(seen.target.ends_with(
                "&phone=%2B491701234581&message=482913%20is%20your%20code%20%26%20more"
            ));
        },
        yes: ("200 OK", "status=ok result:0", None),
        no: &[("200 OK", "result:1"), ("500 Internal Server Error", "result:0")],
    }
    .check()
    .await;
}
