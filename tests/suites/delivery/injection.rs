//! Values from outside in messages: each stays in its place, whatever is in it.

use harness::{
    Counterpart, Host, Login, MODULE, World,
    counterparts::{gateway::Gateway, smtp::Tls},
    pam::code,
};

use super::{ADDRESS, DIGITS, NUMBER, enrolling, log_in, reach};

/// What an attacker may have as the name of the host that a login comes from.
const SOURCES: [&str; 7] = [
    "evil\r\nBcc: eve@example.com\r\n\r\nbody",
    "evil&phone=%2B15550001111&to=+15550001111",
    "\"quoted\" 'single' \\ back",
    "{otp} {text} {phone} <otp> <phone>",
    "=?utf-8?q?=0D=0ABcc:_eve@example.com?=",
    "\u{0}\u{1b}[31m\u{7f}",
    "ünïcödé € 😀",
];
const TEMPLATE: &str = "[template]\nsms = \"Code {otp} from {source} & \\\"more\\\" = 100% für {user}\"\nsubject = \"=?utf-8?q?x?= & {source} für {user}\"\nbody = \"{otp}\\nfrom {source}\\n.\\nfür {user}\\n\"\n";

fn from(source: &str) -> Login {
    let mut login = Login::new("login", "alice");
    login.0.rhost = Some(source.to_owned());
    login
}

/// alice logs in from everywhere, and each time with the code of the message that came.
fn log_in_from_everywhere(host: &mut Host, counterpart: &dyn Counterpart) {
    for (n, source) in SOURCES.iter().enumerate() {
        let done = log_in(host, from(source), |_| counterpart.await_message(n + 1).code(DIGITS));
        assert_eq!(done.code(), code::SUCCESS, "{source:?}: {}", done.transcript);
    }
    counterpart.stays_at(SOURCES.len());
}

fn with_gateway(
    provider: impl FnOnce(&Gateway) -> String + Send,
    check: impl FnOnce(&Gateway) + Send,
) {
    World::run(|world| {
        let gateway = world.gateway();
        let _otpd = world.otpd(&(provider(&gateway) + TEMPLATE + &enrolling(&["sms"])));
        world.stack("login", &[&format!("required {MODULE}")]);
        reach("alice", &[&format!("mobile={NUMBER}")]);
        log_in_from_everywhere(&mut world.host(), &gateway);
        check(&gateway);
    });
}

#[test]
fn in_a_query() {
    with_gateway(
        |gateway| {
            gateway.provider("main") + "parameters = { account = \"a&b=c\", fixed = \"ä\" }\n"
        },
        |gateway| {
            for request in gateway.requests() {
                let names: Vec<_> = request.parameters.keys().map(String::as_str).collect();
                assert_eq!(names, ["account", "fixed", "message", "phone"], "{}", request.target);
                assert_eq!(request.parameters["phone"], NUMBER);
                assert_eq!(request.parameters["account"], "a&b=c");
                assert_eq!(request.target.matches("phone=").count(), 1, "{}", request.target);
                assert!(request.body.is_empty());
            }
        },
    );
}

#[test]
fn in_a_form() {
    with_gateway(
        |gateway| gateway.provider("main").replace("\"GET\"", "\"POST\""),
        |gateway| {
            for request in gateway.requests() {
                assert_eq!(request.method, "POST");
                assert!(!request.target.contains('?'), "{}", request.target);
                assert_eq!(request.parameters.len(), 2, "{}", request.body);
                assert_eq!(request.parameters["phone"], NUMBER);
            }
        },
    );
}

#[test]
fn in_a_document() {
    with_gateway(
        |gateway| {
            // The query carries what the gateway of the tests looks for.
            gateway.provider("main").replace("\"GET\"", "\"POST\"")
                + "body = \"json\"\njson = '{\"messages\": [{\"to\": \"{phone}\", \"content\": \"{text}\", \"otp\": \"{otp}\"}]}'\n"
        },
        |gateway| {
            for request in gateway.requests() {
                let document: serde_json::Value = serde_json::from_str(&request.body)
                    .unwrap_or_else(|error| panic!("{error}: {}", request.body));
                let messages = document["messages"].as_array().unwrap();
                assert_eq!((document.as_object().unwrap().len(), messages.len()), (1, 1));
                assert_eq!(messages[0].as_object().unwrap().len(), 3, "{}", request.body);
                assert_eq!(messages[0]["to"], NUMBER);
                let otp = messages[0]["otp"].as_str().unwrap();
                assert!(
                    messages[0]["content"]
                        .as_str()
                        .unwrap()
                        .starts_with(&format!("Code {otp} from "))
                );
            }
        },
    );
}

/// One recipient and one set of headers, whatever is in the values; the same for a gateway of SMS
/// that takes mail.
#[test]
fn in_mail() {
    for method in ["email", "sms"] {
        World::run(|world| {
            let server = world.smtp(Tls::Plain);
            let provider = match method {
                "email" => server.provider("main"),
                _ => server
                    .sms_provider("main")
                    .replace("subject = \"{phone}\"", "subject = \"{phone} {text}\""),
            };
            let _otpd = world.otpd(&(provider + TEMPLATE + &enrolling(&[method])));
            world.stack("login", &[&format!("required {MODULE}")]);
            reach("alice", &[&format!("mobile={NUMBER}"), &format!("mail={ADDRESS}")]);
            log_in_from_everywhere(&mut world.host(), &server);
            let to = if method == "email" { ADDRESS } else { "gateway@example.net" };
            for mail in server.mails() {
                assert_eq!((mail.to.as_str(), mail.from.as_str()), (to, "otp@example.com"));
                let mut names: Vec<_> =
                    mail.headers.iter().map(|(name, _)| name.to_lowercase()).collect();
                names.sort();
                let mut once = names.clone();
                once.dedup();
                assert_eq!(once, names, "{}", mail.raw);
                for needed in ["to", "from", "subject", "date", "message-id", "auto-submitted"] {
                    assert!(names.iter().any(|name| name == needed), "{needed}: {}", mail.raw);
                }
                assert!(
                    !names.iter().any(|name| ["bcc", "cc"].contains(&name.as_str())),
                    "{}",
                    mail.raw
                );
                let head = mail.raw.split("\r\n\r\n").next().unwrap();
                assert!(head.is_ascii(), "{head}");
                assert!(
                    mail.text.contains(if method == "email" {
                        "\n.\r\nfür alice"
                    } else {
                        "für alice"
                    }),
                    "{:?}",
                    mail.text
                );
            }
        });
    }
}

/// The user's own name, in every place that takes one.
#[test]
fn in_the_user_s_name() {
    const NAME: &str = "o'neil&x=1";
    World::run(|world| {
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap();
        std::fs::write("/etc/passwd", format!("{passwd}{NAME}:x:63000:63000::/:/bin/sh\n"))
            .unwrap();
        let gateway = world.gateway();
        let provider = gateway.provider("main") + "headers = { X-User = \"{user}\" }\n";
        let _otpd = world.otpd(&(provider + TEMPLATE + &enrolling(&["sms"])));
        world.stack("login", &[&format!("required {MODULE}")]);
        reach(NAME, &[&format!("mobile={NUMBER}")]);
        let done = log_in(&mut world.host(), Login::new("login", NAME), |_| {
            gateway.await_message(1).code(DIGITS)
        });
        assert_eq!(done.code(), code::SUCCESS, "{}", done.transcript);
        let request = gateway.requests().remove(0);
        assert!(request.parameters["message"].ends_with(NAME), "{request:?}");
        assert_eq!(request.parameters.len(), 2, "{request:?}");
        assert!(
            request
                .headers
                .iter()
                .any(|line| line.eq_ignore_ascii_case(&format!("x-user: {NAME}")))
        );
    });
}
