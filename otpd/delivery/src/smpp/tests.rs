//! Sessions with an SMSC that plays a script, over loopback.

mod smsc;

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use rustls::pki_types::{PrivateKeyDer, pem::PemObject};
use tokio::{
    io::AsyncWriteExt,
    task::JoinSet,
    time::{sleep, timeout},
};

use self::smsc::{Peer, Play, Script, Smsc, script};
use super::*;
use crate::tls;

const CODE: &str = "482913";
const NUMBER: &str = "491701234581";

fn message(text: &str) -> Message {
    Message { text: text.into(), until_ms: 0, ..Message::example(Recipient::phone()) }
}

fn code() -> Message {
    message(&format!("{CODE} is your code"))
}

/// Sends, and holds the answer to what every answer must keep.
async fn send(channel: &Smpp, message: &Message) -> Answer {
    let limit = LIMIT + Duration::from_secs(1);
    let answer = timeout(limit, channel.send(message)).await.expect("it takes too long");
    let shown = match &answer {
        Ok(receipt) => format!("{receipt:?}"),
        Err(failure) => format!("{failure} {failure:?}"),
    };
    for secret in [&CODE[..4], NUMBER, "secret08"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    answer
}

fn class(answer: &Answer) -> &'static str {
    match answer {
        Ok(_) => "sent",
        Err(Failure::Unavailable(_)) => "unavailable",
        Err(Failure::Refused(_)) => "refused",
        Err(Failure::Unknown(_)) => "unknown",
    }
}

const SUBMIT_SM_RESP: u32 = command::SUBMIT_SM | command::RESPONSE;

#[tokio::test]
async fn every_smsc_ends_in_the_right_class() {
    let scripts: Vec<(&str, &str, Script)> = vec![
        ("takes it", "sent", script!(peer => { peer.bound().await; peer.serve(0).await })),
        (
            "tells no id",
            "sent",
            script!(peer => {
                let submission = peer.submitted().await;
                peer.answer(&submission, 0, b"").await;
                peer.hold().await
            }),
        ),
        (
            "tells the code as its id",
            "sent",
            script!(peer => {
                let submission = peer.submitted().await;
                let id = format!("{}{CODE}-{NUMBER}\0", "x".repeat(60));
                peer.answer(&submission, 0, id.as_bytes()).await;
                peer.hold().await
            }),
        ),
        (
            "asks first and tells receipts",
            "sent",
            script!(peer => {
                let submission = peer.submitted().await;
                peer.say(command::ENQUIRE_LINK, 0, 900, b"").await;
                peer.say(command::DELIVER_SM, 0, 901, b"\0\0\0").await;
                peer.say(command::ALERT_NOTIFICATION, 0, 902, b"").await;
                peer.say(0x4242, 0, 903, b"?").await;
                peer.say(SUBMIT_SM_RESP, 0x58, submission.sequence + 50, b"").await;
                for (command, status, sequence, body) in [
                    (0x8000_0015, 0, 900, &b""[..]),
                    (0x8000_0005, 0, 901, b"\0"),
                    (command::GENERIC_NACK, 3, 903, b""),
                ] {
                    let heard = peer.hear().await.unwrap();
                    assert_eq!((heard.command, heard.status), (command, status));
                    assert_eq!((heard.sequence, heard.body.as_slice()), (sequence, body));
                }
                peer.answer(&submission, 0, b"id-7\0").await;
                peer.hold().await
            }),
        ),
        (
            "refuses the bind",
            "unavailable",
            script!(peer => {
                let bind = peer.hear().await.unwrap();
                peer.answer(&bind, 0x0E, b"").await;
                peer.hold().await
            }),
        ),
        (
            "does not know the bind",
            "unavailable",
            script!(peer => {
                let bind = peer.hear().await.unwrap();
                peer.say(command::GENERIC_NACK, 3, bind.sequence, b"").await;
                peer.hold().await
            }),
        ),
        ("never answers the bind", "unavailable", script!(peer => peer.hold().await)),
        ("closes at once", "unavailable", script!(peer => drop(peer.hear().await))),
        (
            "talks HTTP",
            "unavailable",
            script!(peer => {
                peer.raw(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").await;
                peer.hold().await
            }),
        ),
        (
            "is throttled",
            "unavailable",
            script!(peer => { peer.bound().await; peer.serve(0x58).await }),
        ),
        (
            "knows no such number",
            "refused",
            script!(peer => { peer.bound().await; peer.serve(0x0B).await }),
        ),
        (
            "forbids the sender",
            "unavailable",
            script!(peer => { peer.bound().await; peer.serve(0x0A).await }),
        ),
        (
            "does not know the submission",
            "unavailable",
            script!(peer => {
                let submission = peer.submitted().await;
                peer.say(command::GENERIC_NACK, 3, submission.sequence, b"").await;
                peer.hold().await
            }),
        ),
        ("never answers", "unknown", script!(peer => { peer.bound().await; peer.hold().await })),
        (
            "answers another submission",
            "unknown",
            script!(peer => {
                let submission = peer.submitted().await;
                peer.say(SUBMIT_SM_RESP, 0, submission.sequence + 1, b"id-7\0").await;
                peer.hold().await
            }),
        ),
        ("cuts the connection", "unknown", script!(peer => drop(peer.submitted().await))),
        (
            "cuts its answer",
            "unknown",
            script!(peer => {
                let submission = peer.submitted().await;
                peer.raw(&[0, 0, 0, 21, 0x80, 0, 0, 4, 0, 0, 0, 0]).await;
                drop(submission);
            }),
        ),
        (
            "unbinds",
            "unknown",
            script!(peer => {
                peer.submitted().await;
                peer.say(command::UNBIND, 0, 77, b"").await;
                peer.hold().await
            }),
        ),
        (
            "sends garbage",
            "unknown",
            script!(peer => {
                peer.submitted().await;
                peer.raw(&[0xA5; 4000]).await;
                peer.hold().await
            }),
        ),
        (
            "claims 4 GiB",
            "unknown",
            script!(peer => {
                let submission = peer.submitted().await;
                peer.raw(&[u32::MAX, SUBMIT_SM_RESP, 0, submission.sequence].map(u32::to_be_bytes).concat()).await;
                while peer.wire.write_all(&[0; 65536]).await.is_ok() {}
            }),
        ),
        (
            "sends one byte a second",
            "unknown",
            script!(peer => {
                let submission = peer.submitted().await;
                for octet in [17, SUBMIT_SM_RESP, 0, submission.sequence].map(u32::to_be_bytes).concat() {
                    peer.raw(&[octet]).await;
                    sleep(Duration::from_secs(1)).await;
                }
            }),
        ),
        (
            "binds one byte a second",
            "unavailable",
            script!(peer => {
                while peer.wire.write_all(&[0]).await.is_ok() {
                    sleep(Duration::from_secs(1)).await;
                }
            }),
        ),
        (
            "floods and reads nothing",
            "unknown",
            script!(peer => {
                peer.submitted().await;
                let enquiry = [16, command::ENQUIRE_LINK, 0, 5].map(u32::to_be_bytes).concat();
                while peer.wire.write_all(&enquiry).await.is_ok() {}
            }),
        ),
    ];
    let mut tries = JoinSet::new();
    for (what, expected, script) in scripts {
        tries.spawn(async move {
            let smsc = Smsc::start(script).await;
            // A bind that is not answered costs what is left of the limit.
            let response_timeout = Duration::from_secs(if what.contains("bind") { 6 } else { 1 });
            let settings = Settings { response_timeout, ..smsc.settings.clone() };
            let answer = send(&Smpp::new(settings).unwrap(), &code()).await;
            assert_eq!(class(&answer), expected, "{what}: {answer:?}");
        });
    }
    while let Some(tried) = tries.join_next().await {
        tried.unwrap();
    }
}

#[tokio::test]
async fn a_port_that_nobody_serves_fails_at_once() {
    let mut smsc = Smsc::start(script!(peer => peer.hold().await)).await;
    drop(std::mem::take(&mut smsc.tasks));
    let channel = loop {
        let channel = smsc.channel();
        if let Err(Failure::Unavailable(why)) = send(&channel, &code()).await
            && why.contains("refused")
        {
            break channel;
        }
    };
    // While the pause runs, the reason of the last try is told.
    assert_eq!(class(&send(&channel, &code()).await), "unavailable");
}

#[tokio::test]
async fn a_submission_is_as_set_up() {
    let mut smsc = Smsc::start(script!(peer => { peer.bound().await; peer.serve(0).await })).await;
    smsc.settings.service_type = "CMT".to_owned();
    smsc.settings.system_type = "OTP".to_owned();
    smsc.settings.registered_delivery = true;
    smsc.settings.bind = Bind::Transceiver;
    let channel = smsc.channel();
    let receipt = send(&channel, &code()).await.unwrap();
    assert_eq!(receipt.id.as_deref(), Some("id-7"));
    let bind = smsc.hears(command::BIND_TRANSCEIVER).await;
    assert_eq!(bind.body, b"otpd\0secret08\0OTP\0\x34\0\0\0");
    let submission = smsc.hears(command::SUBMIT_SM).await;
    let mut expected = b"CMT\0\x05\0Example\0\x01\x01491701234581\0".to_vec();
    expected.extend(b"\0\0\0\x00000000000500000R\0\x01\0\0\0\x13482913 is your code");
    assert_eq!(submission.body, expected);
    // One session for all messages, and it takes leave.
    assert!(send(&channel, &code()).await.is_ok());
    drop(channel);
    smsc.hears(command::UNBIND).await;
    assert_eq!(smsc.connections.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_long_text_goes_in_parts_that_belong_together() {
    let mut smsc = Smsc::start(script!(peer => { peer.bound().await; peer.serve(0).await })).await;
    let channel = smsc.channel();
    let text = format!("{CODE} {}", "я".repeat(100));
    let mut references = Vec::new();
    for _ in 0..2 {
        assert!(send(&channel, &message(&text)).await.is_ok());
        let mut units = Vec::new();
        for part in 1..=2 {
            let body = smsc.hears(command::SUBMIT_SM).await.body;
            let at = body.windows(4).position(|octets| octets[..3] == [5, 0, 3]).unwrap();
            let (fields, user) = body.split_at(at);
            assert_eq!((user[4], user[5]), (2, part));
            assert_eq!(fields[at - 3..], [8, 0, u8::try_from(user.len()).unwrap()]);
            assert!(fields.windows(14).any(|octets| octets == b"491701234581\0\x40"));
            references.push(user[3]);
            units.extend(user[6..].chunks(2).map(|unit| u16::from_be_bytes([unit[0], unit[1]])));
        }
        assert_eq!(String::from_utf16(&units).unwrap(), text);
    }
    assert_eq!(references[0], references[1]);
    assert_ne!(references[1], references[2]);
}

#[tokio::test]
async fn every_part_must_be_accepted() {
    let smsc = Smsc::start(script!(peer => {
        let first = peer.submitted().await;
        peer.answer(&first, 0, b"id-7\0").await;
        let second = peer.hear().await.unwrap();
        peer.answer(&second, 0x14, b"").await;
        peer.hold().await
    }))
    .await;
    let answer = send(&smsc.channel(), &message(&"x".repeat(161))).await;
    assert_eq!(class(&answer), "unavailable", "{answer:?}");
}

#[tokio::test]
async fn answers_find_their_messages_in_any_order() {
    let smsc = Smsc::start(script!(peer => {
        let first = peer.submitted().await;
        let second = peer.hear().await.unwrap();
        for heard in [second, first] {
            let refused = heard.body.windows(5).any(|octets| octets == b"never");
            peer.answer(&heard, if refused { 0x0B } else { 0 }, b"id\0").await;
        }
        peer.hold().await
    }))
    .await;
    let (channel, refused, taken) = (smsc.channel(), message("never"), code());
    let both = async { tokio::join!(send(&channel, &refused), send(&channel, &taken)) };
    let (refused, taken) = both.await;
    assert_eq!((class(&refused), class(&taken)), ("refused", "sent"));
}

#[tokio::test]
async fn no_more_than_the_window_is_without_an_answer() {
    let mut smsc = Smsc::start(script!(peer => {
        let first = peer.submitted().await;
        // A second submission would have come by now.
        let second = timeout(Duration::from_millis(300), peer.hear()).await;
        assert!(second.is_err());
        peer.answer(&first, 0, b"id\0").await;
        peer.serve(0).await
    }))
    .await;
    smsc.settings.window = 1;
    let (channel, message) = (smsc.channel(), code());
    assert_eq!(channel.width(), 1);
    let both = async { tokio::join!(send(&channel, &message), send(&channel, &message)) };
    let (first, second) = both.await;
    assert_eq!((class(&first), class(&second)), ("sent", "sent"));
}

#[tokio::test]
async fn a_lost_session_is_restored_for_the_next_message() {
    let smsc = Smsc::start(script!(peer => {
        if peer.turn == 0 {
            peer.submitted().await;
        } else {
            peer.bound().await;
            peer.serve(0).await;
        }
    }))
    .await;
    let channel = smsc.channel();
    assert_eq!(class(&send(&channel, &code()).await), "unknown");
    let restored = async {
        while class(&send(&channel, &code()).await) != "sent" {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(20), restored).await.expect("the session stays lost");
    assert_eq!(smsc.connections.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn an_smsc_that_no_longer_answers_is_left() {
    let mut smsc = Smsc::start(script!(peer => {
        peer.bound().await;
        if peer.turn == 0 { peer.hold().await } else { peer.serve(0).await }
    }))
    .await;
    let channel = smsc.channel();
    assert_eq!(class(&send(&channel, &code()).await), "unknown");
    // The missing answer is followed up at once, and a second session takes over.
    smsc.hears(command::ENQUIRE_LINK).await;
    smsc.hears(command::BIND_TRANSMITTER).await;
    assert!(send(&channel, &code()).await.is_ok());
}

#[tokio::test]
async fn tls_is_with_the_right_server_only() {
    let folder = tempfile::tempdir().unwrap();
    let certified = |name: &str| rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    for (name, trusted, expected) in [
        ("localhost", true, "sent"),
        ("localhost", false, "unavailable"),
        ("other.example", true, "unavailable"),
    ] {
        let own = certified(name);
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(
            rustls::crypto::ring::default_provider(),
        ))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![own.cert.der().clone()],
            PrivateKeyDer::from_pem_slice(own.signing_key.serialize_pem().as_bytes()).unwrap(),
        )
        .unwrap();
        let script = script!(peer => { peer.bound().await; peer.serve(0).await });
        let mut smsc = Smsc::with(script, Some(Arc::new(config).into())).await;
        let ca = folder.path().join("ca.pem");
        let root = if trusted { own.cert.pem() } else { certified(name).cert.pem() };
        std::fs::write(&ca, root).unwrap();
        smsc.settings.server = "localhost".to_owned();
        smsc.settings.tls = Some(tls::Settings { ca: Some(ca), ..tls::Settings::default() });
        let answer = send(&smsc.channel(), &code()).await;
        assert_eq!(class(&answer), expected, "{name} {trusted}: {answer:?}");
        if expected == "unavailable" {
            assert!(answer.unwrap_err().to_string().contains("certificate"));
        }
    }
}

#[test]
fn the_validity_is_written_as_a_relative_time() {
    for (ms, period) in [
        (300_000, "000000000500000R"),
        (1, "000000000001000R"),
        (0, "000000000001000R"),
        (90_061_000, "000001010101000R"),
        (u64::MAX, "000030000000000R"),
    ] {
        assert_eq!(validity_period(ms), period);
    }
}

#[test]
fn a_channel_that_cannot_work_is_not_made() {
    let plain = || Settings {
        server: "smsc.example".to_owned(),
        system_id: "otpd".to_owned(),
        ..Settings::default()
    };
    assert!(Smpp::new(plain()).is_ok());
    let long = Settings { password: "secret089".into(), ..plain() };
    assert!(Smpp::new(long).err().unwrap().contains("password"));
    let missing = tls::Settings { ca: Some("/nonexistent/ca.pem".into()), ..Default::default() };
    let missing = Settings { tls: Some(missing), ..plain() };
    assert!(Smpp::new(missing).err().unwrap().contains("/nonexistent/ca.pem"));
}
