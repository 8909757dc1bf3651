//! Providers that fail, and a daemon that ends while messages wait.

use std::thread::sleep;

use harness::{
    Counterpart, Login, MODULE, World,
    counterparts::{
        gateway::{Behaviour, keys},
        smtp::Tls,
    },
    golden::golden,
    otpd::{audit, otpctl_with},
    pam::code,
    process::until,
    sshd::Methods,
};

use super::{
    ADDRESS, DIGITS, EXPIRY, NUMBER, PASSWORD_THEN_CODE, dead, enrolling, events, log_in, reach,
    resending, ssh, tokens,
};

fn alice() -> Login {
    Login::new("login", "alice")
}

/// The next provider is asked at once; once it is known that the first is down, it is not asked.
#[test]
fn the_next_provider_takes_over() {
    World::run(|world| {
        let (broken, gateway) = (world.gateway(), world.gateway());
        broken.behave(Behaviour::Answer(503, "down for maintenance".to_owned()));
        let order = "[[method]]\nname = \"sms\"\nproviders = [\"dead\", \"broken\", \"spare\"]\n";
        let providers = dead("dead") + &broken.provider("broken") + &gateway.provider("spare");
        let _otpd = world.otpd(&(providers + order + &enrolling(&["sms"])));
        world.stack("login", &[&format!("required {MODULE}")]);
        reach("alice", &[&format!("mobile={NUMBER}")]);
        let mut host = world.host();
        for n in 1..=2 {
            let granted = log_in(&mut host, alice(), |_| gateway.await_message(n).code(DIGITS));
            assert_eq!(granted.code(), code::SUCCESS, "{}", granted.transcript);
        }
        let sent: Vec<_> =
            audit("alice").into_iter().filter(|record| record["event"] == "send").collect();
        assert_eq!(sent.len(), 2, "{sent:?}");
        let first = sent[0]["detail"].as_str().unwrap();
        for word in ["dead", "503", "taken by", "spare"] {
            assert!(first.contains(word), "{word}: {first}");
        }
    });
}

#[test]
fn the_next_mail_server_takes_over() {
    World::run(|world| {
        let server = world.smtp(Tls::Start);
        let down = server.provider("down").replace(&server.port().to_string(), "9");
        let order = "[[method]]\nname = \"email\"\nproviders = [\"down\", \"spare\"]\n";
        let providers = down + &server.provider("spare");
        let _otpd = world.otpd(&(providers + order + &enrolling(&["email"])));
        world.stack("login", &[&format!("required {MODULE}")]);
        reach("alice", &[&format!("mail={ADDRESS}")]);
        let granted = log_in(&mut world.host(), alice(), |_| server.await_message(1).code(DIGITS));
        assert_eq!(granted.code(), code::SUCCESS, "{}", granted.transcript);
    });
}

/// When no provider takes it, the next prompt says so, and another method is a word away. Both
/// providers, `one` and `two`, are of this kind, with nobody behind them.
fn another_method_is_offered(world: &World, method: &str, kind: &str) {
    let (gateway, server) = (world.gateway(), world.smtp(Tls::Plain));
    let (other, word): (&dyn Counterpart, _) =
        if method == "sms" { (&server, "email") } else { (&gateway, "sms") };
    let dead = ["one", "two"].map(|name| format!("[provider.{method}.{name}]\n{kind}\n")).concat();
    let order = format!("[[method]]\nname = {method:?}\nproviders = [\"one\", \"two\"]\n");
    let policy = format!(
        "[[policy]]\nname = \"both\"\nmatch = {{ service = [\"sshd\"] }}\nmethods = [{method:?}, {word:?}]\n"
    );
    let _otpd = world.otpd(&(dead + &other.provider("main") + &order + &policy));
    world.stack("sshd", &PASSWORD_THEN_CODE);
    reach("alice", &[&format!("mobile={NUMBER}"), &format!("mail={ADDRESS}")]);
    for method in [method, word] {
        otpctl_with(&["token", "add", "alice", "--method", method, "--no-confirm"], b"").ok();
    }
    let sshd = world.sshd(Methods::Keyboard);
    let mut prompts = 0;
    let session = ssh(&sshd, "alice", |_| {
        prompts += 1;
        match prompts {
            1 => {
                until("the message is given up", || {
                    events("alice").contains(&("send".into(), "unavailable".into()))
                });
                String::new()
            }
            2 => word.to_owned(),
            _ => other.await_message(1).code(DIGITS),
        }
    });
    assert!(session.admitted, "{kind}: {}", session.transcript);
    golden(&format!("sshd-{method}-down-admitted"), &session.transcript);
}

#[test]
fn another_method_is_offered_when_all_providers_of_sms_are_down() {
    let mail = "from = \"otp@example.com\"\nserver = \"127.0.0.1\"\nport = 9\ntls = \"none\"\nto = \"gateway@example.net\"\nbody = \"{text}\"\n";
    for kind in [
        keys("http://127.0.0.1:9/"),
        format!("type = \"smtp\"\n{mail}"),
        "type = \"smpp\"\nserver = \"127.0.0.1\"\nport = 9\nsystem_id = \"otp\"\n".to_owned(),
        "type = \"gnokii\"\nconfig = \"/etc/nothing\"\n".to_owned(),
        "type = \"modemmanager\"\n".to_owned(),
        "type = \"exec\"\npath = \"/bin/false\"\n".to_owned(),
    ] {
        World::run(|world| another_method_is_offered(world, "sms", &kind));
    }
}

#[test]
fn another_method_is_offered_when_all_providers_of_mail_are_down() {
    for kind in [
        "type = \"smtp\"\nserver = \"127.0.0.1\"\nport = 9\ntls = \"none\"\n",
        "type = \"sendmail\"\npath = \"/usr/bin/false\"\n",
    ] {
        let kind = format!("{kind}from = \"otp@example.com\"\n");
        World::run(|world| another_method_is_offered(world, "email", &kind));
    }
}

/// A message that is on disk goes out after the daemon was killed, and its code is good, once.
#[test]
fn a_message_outlives_the_daemon() {
    World::run(|world| {
        let gateway = world.gateway();
        gateway.behave(Behaviour::Hang);
        let mut otpd = world.otpd(&(gateway.provider("main") + &enrolling(&["sms"])));
        world.stack("login", &[&format!("required {MODULE}")]);
        reach("alice", &[&format!("mobile={NUMBER}")]);
        let prompt = world.host().wait_at_prompt(alice());
        assert!(prompt.contains("Code sent to"), "{prompt}");
        gateway.await_message(1);
        otpd.kill();
        gateway.behave(Behaviour::ok());
        otpd.restart();
        let mut host = world.host();
        let code_of = |n| gateway.await_message(n).code(DIGITS);
        assert_eq!(code_of(1), code_of(2), "the same message again");
        let granted = log_in(&mut host, alice(), |_| code_of(2));
        assert_eq!(granted.code(), code::SUCCESS, "{}", granted.transcript);
        gateway.stays_at(2);
        let again = log_in(&mut host, alice(), |_| code_of(2));
        assert_eq!(again.code(), code::AUTH_ERR, "twice");
        assert_eq!(tokens("alice"), ["sms"]);
        otpd.stop();
        otpd.restart();
        gateway.stays_at(3);
    });
}

/// A code that is over is refused, by SMS and by e-mail, and the message of one is not sent any
/// more.
#[test]
fn codes_end_and_their_messages_with_them() {
    World::run(|world| {
        let (gateway, server) = (world.gateway(), world.smtp(Tls::Plain));
        let short = "[[method]]\nname = \"sms\"\nvalidity = \"1m\"\n[[method]]\nname = \"email\"\nvalidity = \"1m\"\n";
        let providers = gateway.provider("main") + &server.provider("main");
        let policy = resending("10s", &["sms", "email"]);
        let mut otpd = world.otpd(&(providers + short + &policy));
        world.stack("login", &[&format!("required {MODULE}")]);
        reach("alice", &[&format!("mobile={NUMBER}")]);
        reach("bob", &[&format!("mail={ADDRESS}")]);
        let (mut first, mut second) = (world.host(), world.host());
        first.wait_at_prompt(alice());
        second.wait_at_prompt(Login::new("login", "bob"));
        let (sms, mail) = (gateway.await_message(1), server.await_message(1));
        gateway.behave(Behaviour::Hang);
        reach("user000", &["mobile=+491701234500"]);
        world.host().wait_at_prompt(Login::new("login", "user000"));
        gateway.await_message(2);
        otpd.kill();
        sleep(EXPIRY);
        gateway.behave(Behaviour::ok());
        otpd.restart();
        let mut host = world.host();
        let late = log_in(&mut host, alice(), |_| {
            gateway.await_message(3);
            sms.code(DIGITS)
        });
        assert_eq!(late.code(), code::AUTH_ERR, "an SMS");
        let late = log_in(&mut host, Login::new("login", "bob"), |_| {
            server.await_message(2);
            mail.code(DIGITS)
        });
        assert_eq!(late.code(), code::AUTH_ERR, "an e-mail");
        gateway.stays_at(3);
        let numbers: Vec<_> = gateway.messages().into_iter().map(|message| message.to).collect();
        assert_eq!(numbers, [NUMBER, "+491701234500", NUMBER], "a message of a code that is over");
    });
}
