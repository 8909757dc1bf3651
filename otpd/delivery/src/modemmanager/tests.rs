//! Against a service of this API on a private bus, which behaves as it is told.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
};

use otp_core::contact::MailAddress;
use tempfile::TempDir;
use tokio::time::sleep;
use zbus::{
    Connection, ObjectServer, OwnedObjectPath, OwnedVariant, Variant, fdo, interface,
    message::Header, object_server::SignalEmitter,
};

use super::*;
use crate::Hidden;

const ROOT: &str = "/org/freedesktop/ModemManager1";
const SECOND: Duration = Duration::from_secs(1);

/// A bus of our own; ends when dropped.
struct Bus {
    daemon: Child,
    address: String,
    _folder: TempDir,
}

impl Bus {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let configuration = folder.path().join("bus.conf");
        let listen = format!("unix:path={}", folder.path().join("bus").display());
        let text = format!(
            "<busconfig><listen>{listen}</listen><auth>EXTERNAL</auth>\
             <policy context='default'><allow send_destination='*'/><allow receive_sender='*'/>\
             <allow own='*'/></policy>\
             </busconfig>"
        );
        std::fs::write(&configuration, text).unwrap();
        let mut daemon = Command::new("dbus-daemon")
            .arg(format!("--config-file={}", configuration.display()))
            .args(["--nofork", "--nopidfile", "--nosyslog", "--print-address=1"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut address = String::new();
        BufReader::new(daemon.stdout.take().unwrap()).read_line(&mut address).unwrap();
        Self { daemon, address: address.trim().to_owned(), _folder: folder }
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

/// What the modem does with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Sends,
    /// The state changes after the answer.
    SendsLater,
    /// `Send` is answered, and then nothing.
    StaysSending,
    HangsInSend,
    /// A message is made after this long.
    MakesAfter(Duration),
    FailsInCreate,
    /// Fails, with the text in the error.
    FailsInSend,
    TimesOut,
    /// Leaves the bus in the middle of sending.
    Vanishes,
    FailsInDelete,
}

#[derive(Debug, zbus::DBusError)]
#[zbus(prefix = "org.freedesktop.ModemManager1.Error")]
enum Fault {
    #[zbus(error)]
    ZBus(zbus::Error),
    #[zbus(name = "Core.Unauthorized")]
    Unauthorized(String),
    #[zbus(name = "Message.NoNetwork")]
    NoNetwork(String),
    #[zbus(name = "Message.NetworkTimeout")]
    NetworkTimeout(String),
}

/// What happened to the modem, in order.
#[derive(Clone, Default)]
struct Record(Arc<Mutex<Vec<String>>>);

impl Record {
    fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// Waits until it ends with that.
    async fn until(&self, last: &str) {
        for _ in 0..1000 {
            if self.all().last().is_some_and(|what| what == last) {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("no {last} in {:?}", self.all());
    }
}

struct FakeModem {
    imei: &'static str,
    state: i32,
}

#[interface(name = "org.freedesktop.ModemManager1.Modem")]
impl FakeModem {
    #[zbus(property)]
    fn equipment_identifier(&self) -> String {
        self.imei.to_owned()
    }

    #[zbus(property)]
    fn model(&self) -> String {
        "E1750".to_owned()
    }

    #[zbus(property)]
    fn state(&self) -> i32 {
        self.state
    }
}

struct FakeMessaging {
    manner: Manner,
    record: Record,
}

#[interface(name = "org.freedesktop.ModemManager1.Modem.Messaging")]
impl FakeMessaging {
    async fn create(
        &self,
        properties: HashMap<String, OwnedVariant>,
        #[zbus(object_server)] server: &ObjectServer,
    ) -> Result<OwnedObjectPath, Fault> {
        let text = |key: &str| match properties.get(key).map(|value| &**value) {
            Some(Variant::Str(text)) => text.to_string(),
            other => format!("{other:?}"),
        };
        let (kind, minutes): (u32, u32) = match properties.get("validity").map(|value| &**value) {
            Some(Variant::Structure(pair)) => match pair.fields() {
                [Variant::U32(kind), Variant::Variant(minutes)] => {
                    (*kind, u32::try_from(&**minutes).unwrap())
                }
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        };
        if let Manner::MakesAfter(time) = self.manner {
            self.record.note("asked");
            sleep(time).await;
        }
        if self.manner == Manner::FailsInCreate {
            return Err(Fault::Unauthorized("PolicyKit authorization failed".to_owned()));
        }
        assert_eq!(properties.len(), 3, "{properties:?}");
        let (number, text) = (text("number"), text("text"));
        self.record.note(format!("created {number} {text:?} {kind}/{minutes}"));
        let path = OwnedObjectPath::try_from(format!("{ROOT}/SMS/7")).unwrap();
        let sms = FakeSms {
            manner: self.manner,
            record: self.record.clone(),
            text,
            state: AtomicU32::new(0),
        };
        server.at(path.as_ref(), sms).await?;
        Ok(path)
    }

    async fn delete(
        &self,
        path: OwnedObjectPath,
        #[zbus(object_server)] server: &ObjectServer,
    ) -> Result<(), Fault> {
        if self.manner == Manner::FailsInDelete && !self.record.all().contains(&"busy".to_owned()) {
            self.record.note("busy");
            return Err(Fault::NoNetwork("busy".to_owned()));
        }
        assert!(server.remove::<FakeSms, _>(path.as_ref()).await?);
        self.record.note("deleted");
        Ok(())
    }
}

struct FakeSms {
    manner: Manner,
    record: Record,
    text: String,
    state: AtomicU32,
}

#[interface(name = "org.freedesktop.ModemManager1.Sms")]
impl FakeSms {
    async fn send(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
    ) -> Result<(), Fault> {
        self.record.note("sending");
        match self.manner {
            Manner::HangsInSend => std::future::pending().await,
            Manner::FailsInSend => return Err(Fault::NoNetwork(format!("for {}", self.text))),
            Manner::TimesOut => return Err(Fault::NetworkTimeout("no answer".to_owned())),
            Manner::Vanishes => {
                tokio::spawn(connection.clone().close());
                std::future::pending().await
            }
            Manner::StaysSending => {}
            Manner::SendsLater => {
                let (connection, path) = (connection.clone(), header.path().unwrap().to_owned());
                tokio::spawn(async move {
                    sleep(SECOND / 5).await;
                    let sms =
                        connection.object_server().interface::<_, FakeSms>(path).await.unwrap();
                    sms.get().await.state.store(5, SeqCst);
                    sms.get().await.state_changed(sms.signal_emitter()).await.unwrap();
                });
            }
            _ => {
                self.state.store(5, SeqCst);
                self.state_changed(&emitter).await?;
            }
        }
        Ok(())
    }

    #[zbus(property)]
    fn state(&self) -> u32 {
        self.state.load(SeqCst)
    }
}

/// ModemManager with modems of these states; those that are registered can send.
async fn service(bus: &Bus, manner: Manner, states: &[i32]) -> (Connection, Record) {
    let record = Record::default();
    let mut builder = Builder::address(bus.address.as_str())
        .serve_at(ROOT, fdo::ObjectManager)
        .name("org.freedesktop.ModemManager1");
    for (index, state) in states.iter().enumerate() {
        let path = format!("{ROOT}/Modem/{index}");
        let imei = ["490154203237518", "490154203237526"][index];
        builder = builder.serve_at(path.clone(), FakeModem { imei, state: *state });
        if *state >= 6 {
            let messaging = FakeMessaging { manner, record: record.clone() };
            builder = builder.serve_at(path, messaging);
        }
    }
    (builder.build().await.unwrap(), record)
}

fn channel(bus: &Bus, modem: &str, timeout: Duration) -> ModemManager {
    let settings = Settings { bus: bus.address.clone(), modem: modem.to_owned(), timeout };
    ModemManager::new(settings).unwrap()
}

fn message() -> Message {
    Message {
        text: Hidden::from("482913 für \"Prüf\" €"),
        validity_ms: 270_000,
        ..Message::example(Recipient::phone())
    }
}

/// How an answer begins, with what is said.
fn said(answer: Answer) -> String {
    match answer {
        Ok(receipt) => format!("ok: {}", receipt.reply),
        Err(failure) => failure.to_string(),
    }
}

const CREATED: &str = "created +491701234581 \"482913 für \\\"Prüf\\\" €\" 1/5";
const TITLE: &str = "modem 0 (E1750)";

#[tokio::test]
async fn a_message_is_sent_and_deleted_whatever_becomes_of_it() {
    let bus = Bus::start();
    let long = 8 * SECOND;
    for (manner, limit, answer, events) in [
        (Manner::Sends, long, "ok: {}: sent", &[CREATED, "sending", "deleted"][..]),
        (Manner::SendsLater, long, "ok: {}: sent", &[CREATED, "sending", "deleted"]),
        (
            Manner::StaysSending,
            SECOND,
            "not known to be sent: {}: not sent within 1s",
            &[CREATED, "sending", "deleted"],
        ),
        (
            Manner::HangsInSend,
            SECOND,
            "not known to be sent: {}: not sent within 1s",
            &[CREATED, "sending", "deleted"],
        ),
        (
            Manner::FailsInSend,
            long,
            "not sent: {}: for … (org.freedesktop.ModemManager1.Error.Message.NoNetwork); see to \
             its antenna and its SIM",
            &[CREATED, "sending", "deleted"],
        ),
        (
            Manner::TimesOut,
            long,
            "not known to be sent: {}: no answer \
             (org.freedesktop.ModemManager1.Error.Message.NetworkTimeout)",
            &[CREATED, "sending", "deleted"],
        ),
        (
            Manner::MakesAfter(2 * SECOND),
            SECOND,
            "not sent: ModemManager does not answer within 1s",
            &["asked", CREATED, "deleted"],
        ),
        (Manner::FailsInDelete, long, "ok: {}: sent", &[CREATED, "sending", "busy", "deleted"]),
    ] {
        let (_service, record) = service(&bus, manner, &[8]).await;
        let channel = channel(&bus, "any", limit);
        assert_eq!(said(channel.send(&message()).await), answer.replace("{}", TITLE), "{manner:?}");
        record.until("deleted").await;
        assert_eq!(record.all(), events, "{manner:?}");
    }
}

#[tokio::test]
async fn a_message_that_nobody_waits_for_is_deleted() {
    let bus = Bus::start();
    for (manner, reached) in
        [(Manner::HangsInSend, "sending"), (Manner::MakesAfter(SECOND), "asked")]
    {
        let (_service, record) = service(&bus, manner, &[8]).await;
        let channel = channel(&bus, "any", 8 * SECOND);
        let message = message();
        tokio::select! {
            answer = channel.send(&message) => panic!("{answer:?}"),
            () = record.until(reached) => {}
        }
        record.until("deleted").await;
    }
}

#[tokio::test]
async fn what_is_wrong_is_said_with_what_to_do() {
    let bus = Bus::start();
    let channel = channel(&bus, "any", 8 * SECOND);
    let answer = said(channel.send(&message()).await);
    assert!(answer.starts_with("not sent: ") && answer.contains("enable --now"), "{answer}");

    let (service, _record) = service(&bus, Manner::FailsInCreate, &[8]).await;
    let answer = said(channel.send(&message()).await);
    let action = "org.freedesktop.ModemManager1.Messaging for the user otpd";
    assert!(answer.starts_with("not sent: ") && answer.ends_with(action), "{answer}");
    service.close().await.unwrap();

    let (_service, record) = super::tests::service(&bus, Manner::Vanishes, &[8]).await;
    let answer = said(channel.send(&message()).await);
    assert!(answer.starts_with("not known to be sent: modem 0 (E1750): "), "{answer}");
    assert_eq!(record.all(), [CREATED, "sending"]);

    let mail = Recipient::Mailbox(MailAddress::parse("alice@example.com").unwrap());
    let answer = channel.send(&Message { to: mail, ..message() }).await;
    assert!(matches!(answer, Err(Failure::Refused(_))), "{answer:?}");

    drop(bus);
    let answer = said(channel.send(&message()).await);
    assert!(answer.starts_with("not sent: unix:path="), "{answer}");
}

#[tokio::test]
async fn the_modem_is_found_by_what_it_is_called() {
    let bus = Bus::start();
    for (states, modem, answer) in [
        (&[8, 11][..], "0", "ok: modem 0 (E1750): sent"),
        (&[8, 11], "490154203237526", "ok: modem 1 (E1750): sent"),
        (&[3, 8], "any", "ok: modem 1 (E1750): sent"),
        (&[8, 8], "any", "there are several modems (modem 0 (E1750), modem 1 (E1750))"),
        (&[8], "2", "no modem \"2\" (modem 0 (E1750)); see mmcli --list-modems"),
        (&[], "any", "no modem \"any\" (there is none)"),
        (&[2], "any", "modem 0 (E1750): it is locked"),
        (&[3, 8], "0", "modem 0 (E1750): it is not enabled; mmcli --modem=0 --enable"),
        (&[7], "any", "modem 0 (E1750): it is not registered"),
        (&[-1], "any", "modem 0 (E1750): it has failed"),
        (&[1], "any", "modem 0 (E1750): it is not ready"),
    ] {
        let (_service, _record) = service(&bus, Manner::Sends, states).await;
        let said = said(channel(&bus, modem, 8 * SECOND).send(&message()).await);
        assert!(said.contains(answer), "{states:?} {modem}: {said}");
        assert!(said.starts_with("ok") || said.starts_with("not sent: "), "{said}");
    }
}

#[test]
fn settings_are_checked() {
    let good = Settings::default();
    assert!(ModemManager::new(good.clone()).is_ok());
    for (settings, why) in [
        (Settings { bus: "/run/dbus".to_owned(), ..good.clone() }, "no D-Bus address"),
        (Settings { modem: String::new(), ..good.clone() }, "modem is empty"),
        (Settings { timeout: Duration::from_millis(999), ..good.clone() }, "between 1s and 9s"),
        (Settings { timeout: Duration::from_secs(10), ..good }, "between 1s and 9s"),
    ] {
        let error = ModemManager::new(settings).err().unwrap();
        assert!(error.contains(why), "{error}");
    }
}
