//! Gateways and mail servers that do what they should not: nothing is sent, soon; nobody else is
//! kept; and no code is where it should not be.

use std::time::{Duration, Instant};

use harness::{
    Counterpart, Login, MODULE, Otpd, World,
    counterparts::{
        certificates::{Certificate, Flaw},
        front::Front,
        gateway::{Behaviour, keys},
        smtp::{SECRET, Tls},
    },
    otpd::{audit, enrol},
    pam::code,
};

use super::{ADDRESS, DIGITS, NUMBER, enrolling, events, log_in, reach, tokens};

/// When a message is given up at the latest, and what a busy machine adds.
const GIVEN_UP: Duration = Duration::from_secs(10 + 5);

/// alice logs in; her message is given up in time, her token goes with it, bob logs in meanwhile.
/// Returns what the administrator is told.
fn not_sent(world: &World, configuration: &str, method: &str) -> (Otpd, String) {
    let otpd = world.otpd(&format!("{configuration}{}", enrolling(&[method])));
    world.stack("login", &[&format!("required {MODULE}")]);
    reach("alice", &[&format!("mobile={NUMBER}"), &format!("mail={ADDRESS}")]);
    let app = enrol("bob", &["--method", "hotp"]);
    let start = Instant::now();
    let mut waiting = world.host();
    let prompt = waiting.wait_at_prompt(Login::new("login", "alice"));
    assert!(prompt.contains("Code sent to"), "{prompt}");
    let other = log_in(&mut world.host(), Login::new("login", "bob"), |_| app.code());
    assert_eq!(other.code(), code::SUCCESS, "another's login");
    while !events("alice").contains(&("send".into(), "unavailable".into())) {
        assert!(start.elapsed() < GIVEN_UP, "not given up: {:?}", audit("alice"));
        std::thread::sleep(Duration::from_millis(50));
    }
    let told = audit("alice").iter().map(ToString::to_string).collect::<String>();
    (otpd, told)
}

/// None of the codes that a counterpart got is in the log or in the audit record.
fn no_code_is_told(world: &World, counterpart: &dyn Counterpart, told: &str) {
    let logged = world.log().records().join("\n");
    for message in counterpart.messages() {
        let code = message.code(DIGITS);
        for (place, text) in [("log", logged.as_str()), ("audit record", told)] {
            assert!(!text.contains(&code), "{code} is in the {place}:\n{text}");
            assert!(!text.contains(NUMBER), "the number is in the {place}:\n{text}");
        }
    }
}

/// A gateway over HTTP that behaves so is not believed. `Unknown` ones may have sent it.
fn gateway_that(behaviour: Behaviour, asked: usize) {
    World::run(|world| {
        let gateway = world.gateway();
        gateway.behave(behaviour.clone());
        let (_otpd, told) = not_sent(world, &gateway.provider("main"), "sms");
        assert!(gateway.messages().len() >= asked, "{behaviour:?}: {}", gateway.messages().len());
        no_code_is_told(world, &gateway, &told);
        harness::process::until("the connection is closed", || gateway.open() == 0);
    });
}

#[test]
fn a_failure_text_with_200() {
    gateway_that(Behaviour::Answer(200, "ERR: no credit".to_owned()), 1);
}

#[test]
fn a_success_text_with_500() {
    gateway_that(Behaviour::Answer(500, "ID: 42".to_owned()), 1);
}

#[test]
fn nothing_at_all_with_204() {
    gateway_that(Behaviour::Answer(204, String::new()), 1);
}

#[test]
fn silence_after_the_headers() {
    gateway_that(Behaviour::Hang, 1);
}

#[test]
fn one_byte_a_second() {
    gateway_that(Behaviour::Drip, 1);
}

#[test]
fn a_closed_connection() {
    gateway_that(Behaviour::Close, 1);
}

/// What is asked for is echoed by the gateway, and not by the log.
#[test]
fn a_gateway_that_echoes() {
    World::run(|world| {
        let gateway = world.gateway();
        gateway.behave(Behaviour::Echo);
        let (_otpd, told) = not_sent(world, &gateway.provider("main"), "sms");
        no_code_is_told(world, &gateway, &told);
    });
}

/// A body that never ends is read no further than it takes to judge it: this one begins like a
/// success.
#[test]
fn an_endless_body() {
    World::run(|world| {
        let gateway = world.gateway();
        gateway.behave(Behaviour::Endless);
        let _otpd = world.otpd(&(gateway.provider("main") + &enrolling(&["sms"])));
        world.stack("login", &[&format!("required {MODULE}")]);
        reach("alice", &[&format!("mobile={NUMBER}")]);
        let start = Instant::now();
        world.host().wait_at_prompt(Login::new("login", "alice"));
        gateway.await_message(1);
        while gateway.open() > 0 {
            assert!(start.elapsed() < GIVEN_UP, "still reading");
            std::thread::sleep(Duration::from_millis(50));
        }
    });
}

/// The code is not carried to another host.
#[test]
fn a_redirect_to_another_host() {
    World::run(|world| {
        let (gateway, other) = (world.gateway(), world.gateway_at("127.0.0.2"));
        gateway.behave(Behaviour::Redirect(other.url()));
        let (_otpd, told) = not_sent(world, &gateway.provider("main"), "sms");
        assert!(other.requests().is_empty(), "{:?}", other.requests());
        no_code_is_told(world, &gateway, &told);
    });
}

/// Certificates are checked; nothing is said to a server whose one is not as it should be.
#[test]
fn gateways_with_bad_certificates() {
    for flaw in [Flaw::Name, Flaw::Expired, Flaw::Issuer] {
        World::run(|world| {
            let (gateway, certificate) = (world.gateway(), Certificate::new(flaw));
            let front = Front::new(gateway.port(), &certificate);
            let url = format!("https://127.0.0.1:{}/send", front.port);
            let provider =
                format!("[provider.sms.main]\n{}ca = {:?}\n", keys(&url), certificate.authority);
            let (_otpd, told) = not_sent(world, &provider, "sms");
            assert!(told.contains("certificate"), "{flaw:?}: {told}");
            assert!(gateway.requests().is_empty(), "{flaw:?}");
            assert!(tokens("alice").is_empty(), "{flaw:?}");
        });
    }
}

/// The same gateway with a certificate that is as it should be.
#[test]
fn a_gateway_with_a_good_certificate() {
    World::run(|world| {
        let (gateway, certificate) = (world.gateway(), Certificate::new(Flaw::None));
        let front = Front::new(gateway.port(), &certificate);
        let url = format!("https://127.0.0.1:{}/send", front.port);
        let provider =
            format!("[provider.sms.main]\n{}ca = {:?}\n", keys(&url), certificate.authority);
        let _otpd = world.otpd(&(provider + &enrolling(&["sms"])));
        world.stack("login", &[&format!("required {MODULE}")]);
        reach("alice", &[&format!("mobile={NUMBER}")]);
        let granted = log_in(&mut world.host(), Login::new("login", "alice"), |_| {
            gateway.await_message(1).code(DIGITS)
        });
        assert_eq!(granted.code(), code::SUCCESS, "{}", granted.transcript);
    });
}

#[test]
fn mail_servers_with_bad_certificates() {
    for (tls, flaw) in
        [(Tls::Start, Flaw::Name), (Tls::Implicit, Flaw::Expired), (Tls::Start, Flaw::Issuer)]
    {
        World::run(|world| {
            let server = world.flawed_smtp(tls, flaw);
            let (_otpd, told) = not_sent(world, &server.provider("main"), "email");
            assert!(told.contains("certificate"), "{flaw:?}: {told}");
            assert!(server.messages().is_empty(), "{flaw:?}");
        });
    }
}

/// Someone between us and the mail server takes STARTTLS away: neither the code nor the password
/// goes out in clear.
#[test]
fn a_mail_server_without_starttls() {
    World::run(|world| {
        let server = world.smtp(Tls::Plain);
        let provider = server.provider("main").replace("tls = \"none\"", "tls = \"starttls\"")
            + &format!("user = \"otp\"\npassword = \"{SECRET}\"\n");
        let (_otpd, told) = not_sent(world, &provider, "email");
        assert!(told.to_lowercase().contains("starttls"), "{told}");
        assert!(server.messages().is_empty());
        assert!(!world.log().records().join("\n").contains(SECRET));
    });
}

/// A wrong password with a mail server: not sent, and the password is told to nobody.
#[test]
fn a_mail_server_that_does_not_know_us() {
    World::run(|world| {
        let server = world.smtp(Tls::Start);
        let provider = server.provider("main").replace(SECRET, "not-the-Secret-78");
        let (_otpd, told) = not_sent(world, &provider, "email");
        assert!(told.contains("535"), "{told}");
        let logged = world.log().records().join("\n");
        assert!(!logged.contains("not-the-Secret-78") && !told.contains("not-the-Secret-78"));
        assert!(server.messages().is_empty());
    });
}
