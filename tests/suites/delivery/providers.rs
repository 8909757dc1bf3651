//! Providers as the administrator meets them: taken over from LinOTP, tried, and told apart.

use std::fs;

use harness::{
    Counterpart, Login, MODULE, World,
    counterparts::{
        certificates::{Certificate, Flaw},
        front::Front,
        gateway::{Behaviour, Gateway, keys},
        smtp::Tls,
    },
    otpd::{CONFIGURATION, document, give_to_daemon, otpctl_with, program},
    pam::code,
    process::{command, run},
};

use super::{ADDRESS, DIGITS, NUMBER, dead, enrolling, log_in, reach};

const IMPORTED: &str = "/etc/otpd/otpd.d/linotp.toml";

/// alice logs in with the code that came.
fn lets_in(world: &World, counterpart: &dyn Counterpart) {
    world.stack("login", &[&format!("required {MODULE}")]);
    reach("alice", &[&format!("mobile={NUMBER}"), &format!("mail={ADDRESS}")]);
    let granted = log_in(&mut world.host(), Login::new("login", "alice"), |_| {
        counterpart.await_message(1).code(DIGITS)
    });
    assert_eq!(granted.code(), code::SUCCESS, "{}", granted.transcript);
}

/// What LinOTP had, translated as it is: codes are delivered with it.
fn imported(class: &str, json: &str, method: &str, world: &World, counterpart: &dyn Counterpart) {
    fs::create_dir_all("/etc/otpd/otpd.d").unwrap();
    let import = ["provider", "import", "-", "--class", class, "--output", IMPORTED];
    otpctl_with(&import, json.as_bytes()).ok();
    let _otpd = world.otpd(&enrolling(&[method]));
    lets_in(world, counterpart);
}

#[test]
fn a_gateway_of_linotp() {
    World::run(|world| {
        let gateway = world.gateway();
        let json = format!(
            r#"{{ "URL": "{}", "PARAMETER": {{ "account": "clickatel", "from": "me & you" }},
                 "SMS_TEXT_KEY": "message", "SMS_PHONENUMBER_KEY": "phone", "HTTP_Method": "GET",
                 "USERNAME": "u", "PASSWORD": "p", "RETURN_SUCCESS": "ID" }}"#,
            gateway.url()
        );
        imported("HttpSMSProvider", &json, "sms", world, &gateway);
        let request = gateway.requests().remove(0);
        assert_eq!(request.parameters["from"], "me & you");
        assert!(
            request.headers.iter().any(|line| line.to_lowercase() == "authorization: basic dtpw"),
            "{:?}",
            request.headers
        );
    });
}

#[test]
fn an_smsc_of_linotp() {
    World::run(|world| {
        let smsc = world.smsc();
        let json = format!(
            "{{ \"server\": \"127.0.0.1\", \"port\": \"{}\", \"system_id\": \"otp\", \"password\": \"secret\", \"system_type\": \"\", \"source_addr\": \"otpd\", \"source_addr_npi\": \"0\", \"source_addr_ton\": \"5\" }}",
            smsc.port()
        );
        imported("SMPPSMSProvider", &json, "sms", world, &smsc);
    });
}

#[test]
fn a_mail_server_of_linotp() {
    World::run(|world| {
        let server = world.smtp(Tls::Plain);
        let json = format!(
            r#"{{ "SMTP_SERVER": "127.0.0.1", "SMTP_PORT": {}, "EMAIL_FROM": "otp@example.com" }}"#,
            server.port()
        );
        imported("SMTPEmailProvider", &json, "email", world, &server);
    });
}

#[test]
fn what_is_no_json_is_told_with_its_place() {
    World::run(|_| {
        for (json, words) in [
            (
                "{ \"URL\": \"http://127.0.0.1/\",\n  'PARAMETER': {} }",
                ["line 2, column 3", "quote"],
            ),
            ("{ \"URL\": \"http://127.0.0.1/\",\n }", ["line 2, column 2", "comma"]),
        ] {
            let import = ["provider", "import", "-", "--class", "HttpSMSProvider"];
            let done = otpctl_with(&import, json.as_bytes());
            assert_ne!(done.code(), 0, "{json}");
            for word in words {
                assert!(done.stderr.contains(word), "{word}: {}", done.stderr);
            }
        }
    });
}

fn tried(name: &str, to: &str) -> (i32, String) {
    let done = otpctl_with(&["provider", "test", name, "--to", to], b"");
    (done.code(), done.stdout + &done.stderr)
}

/// `provider test` shows what the gateway says, without what is nobody's business.
#[test]
fn the_administrator_tries_a_provider() {
    World::run(|world| {
        let gateway = world.gateway();
        let account = "user = \"otp\"\npassword = \"gateway-Secret-81\"\n";
        let _otpd = world.otpd(&(gateway.provider("main") + account + &dead("dead") + ORDER));
        let (status, said) = tried("sms.main", NUMBER);
        assert_eq!(status, 0, "{said}");
        assert!(said.contains("42"), "the gateway's id: {said}");
        assert_eq!(gateway.await_message(1).to, NUMBER);
        gateway.behave(Behaviour::Echo);
        let (status, said) = tried("main", NUMBER);
        assert_ne!(status, 0, "{said}");
        assert!(said.contains("400") && said.contains("refused"), "{said}");
        let secret = gateway.messages()[1].text.clone();
        for hidden in [secret.as_str(), NUMBER, "gateway-Secret-81"] {
            assert!(!said.contains(hidden), "{hidden}: {said}");
        }
        let (status, said) = tried("dead", NUMBER);
        assert_ne!(status, 0, "{said}");
        assert!(said.contains("127.0.0.1:9"), "{said}");
        for (name, to) in [("main", "alice@example.com"), ("nobody", NUMBER), ("main", "+49")] {
            assert_ne!(tried(name, to).0, 0, "{name} to {to}");
        }
        let listed = document(&["provider", "list"]).to_string();
        assert!(listed.contains("sms.main") || listed.contains("\"main\""), "{listed}");
        assert!(!listed.contains("gateway-Secret-81"), "{listed}");
    });
}

const ORDER: &str = "[[method]]\nname = \"sms\"\nproviders = [\"main\", \"dead\"]\n";

/// An SMSC over TLS; one whose certificate is for another name is told nothing.
#[test]
fn an_smsc_over_tls() {
    for flaw in [Flaw::None, Flaw::Name] {
        World::run(|world| {
            let (smsc, certificate) = (world.smsc(), Certificate::new(flaw));
            let front = Front::new(smsc.port(), &certificate);
            let provider = smsc
                .provider("main")
                .replace(&format!("port = {}", smsc.port()), &format!("port = {}", front.port))
                + &format!("tls = true\nca = {:?}\n", certificate.authority);
            let _otpd = world.otpd(&(provider + &enrolling(&["sms"])));
            if flaw == Flaw::None {
                lets_in(world, &smsc);
            } else {
                let (status, said) = tried("main", NUMBER);
                assert_ne!(status, 0, "{said}");
                assert!(said.contains("certificate"), "{said}");
                assert!(smsc.messages().is_empty());
            }
        });
    }
}

/// Texts beyond one SMS and beyond the default alphabet come as they were sent.
#[test]
fn long_and_foreign_texts_arrive() {
    let long = "0123456789 ".repeat(20);
    for text in
        ["Prüfcode {otp} € {user}", "Ваш код {otp} для {user}", &format!("{long}{{otp}} {long}")]
    {
        let template = format!("[template]\nsms = \"{text}\"\n");
        let expected = |code: &str| text.replace("{otp}", code).replace("{user}", "alice");
        let arrives = |world: &World, counterpart: &dyn Counterpart| {
            let configuration = counterpart.provider("main") + &template + &enrolling(&["sms"]);
            let _otpd = world.otpd(&configuration);
            world.stack("login", &[&format!("required {MODULE}")]);
            reach("alice", &[&format!("mobile={NUMBER}")]);
            world.host().wait_at_prompt(Login::new("login", "alice"));
            let message = counterpart.await_message(1);
            let code = message.code(DIGITS);
            assert_eq!(message.text, expected(&code), "{message:?}");
        };
        World::run(|world| arrives(world, &world.smsc()));
        World::run(|world| arrives(world, &world.gnokii()));
        World::run(|world| arrives(world, &world.gateway()));
    }
}

/// Two policies for the same login that offer different ways: an error that names both.
#[test]
fn policies_that_overlap_are_an_error() {
    World::run(|world| {
        let gateway: Gateway = world.gateway();
        let policy = |name: &str, method: &str| {
            format!(
                "[[policy]]\nname = \"{name}\"\nmatch = {{ service = [\"sshd\"] }}\nunenrolled = \"enrol\"\nenrol = [\"{method}\"]\n"
            )
        };
        let mail = "[provider.email.main]\ntype = \"smtp\"\nserver = \"127.0.0.1\"\nfrom = \"otp@example.com\"\n";
        let text = format!(
            "[provider.sms.main]\n{}{mail}{}{}",
            keys(&gateway.url()),
            policy("by telephone", "sms"),
            policy("by mail", "email")
        );
        fs::write(CONFIGURATION, text).unwrap();
        give_to_daemon(CONFIGURATION, 0o640);
        std::os::unix::fs::chown(CONFIGURATION, Some(0), None).unwrap();
        let done = run(command(&program("otpd")).arg("check-config"), b"");
        assert_ne!(done.code(), 0, "{done:?}");
        for name in ["by telephone", "by mail"] {
            assert!(done.stderr.contains(name), "{}", done.stderr);
        }
    });
}
