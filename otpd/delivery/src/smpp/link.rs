//! One connection to the SMSC, from the bind to its end (SMPP 3.4 section 2).

use std::{collections::BTreeMap, fmt::Display, sync::Arc, time::Duration};

use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, lookup_host},
    sync::mpsc,
    time::{Instant, sleep_until, timeout_at},
};
use tokio_rustls::TlsConnector;

use super::{
    pdu::{self, Pdu, Received, command},
    session::{Job, LIMIT},
    settings::{Bind, Settings},
    status,
};
use crate::{Failure, tls};

/// interface_version of SMPP 3.4.
const VERSION: u8 = 0x34;
/// command_status of a generic_nack (section 5.1.3).
const BAD_LENGTH: u32 = 0x02;
const BAD_COMMAND: u32 = 0x03;
/// How long the SMSC may leave what we write unread, and an unbind unanswered.
const PATIENCE: Duration = Duration::from_secs(2);
/// What connecting and binding leaves of a message's time, beside the wait for its answer.
const SPARE: Duration = Duration::from_millis(500);
/// How many PDUs that answer nothing are taken between two checks of the session. It is far
/// more than receipts can be.
const MOST_UNASKED: u32 = 10_000;

/// The settings, checked, and what was made of them.
pub(super) struct Smsc {
    pub(super) settings: Settings,
    /// `smpp://smsc.example:5100`, as texts name it.
    pub(super) name: String,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Smsc {
    pub(super) fn new(settings: Settings) -> Result<Self, String> {
        settings.check()?;
        let (server, port) = (&settings.server, settings.port);
        let name = format!("smpp://{server}:{port}");
        let connector = |tls: &tls::Settings| {
            let server_name = ServerName::try_from(server.clone())
                .map_err(|_| format!("server {server:?} is no host name, which TLS needs"))?;
            Ok::<_, String>((Arc::new(tls::client_config(tls)?).into(), server_name))
        };
        let tls = settings.tls.as_ref().map(connector).transpose()?;
        Ok(Self { settings, name, tls })
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection. Every error is the reason for its end, for the administrator.
pub(super) struct Link<'a> {
    smsc: &'a Smsc,
    stream: Box<dyn Stream>,
    /// What has arrived of the next PDU.
    inbox: Vec<u8>,
    /// sequence_number of our last request.
    sequence: u32,
    /// What is submitted and not answered, and until when the answer has time.
    submitted: BTreeMap<u32, (Job, Instant)>,
    /// The enquire_link that is not answered yet.
    enquiry: Option<u32>,
    /// When the next enquire_link is due, or the answer to the last.
    check: Instant,
    /// PDUs that answered nothing since the last check.
    unasked: u32,
}

impl<'a> Link<'a> {
    /// Connects and binds (section 4.1).
    pub(super) async fn bind(smsc: &'a Smsc) -> Result<Self, String> {
        let settings = &smsc.settings;
        let until = Instant::now() + LIMIT.saturating_sub(SPARE + settings.response_timeout);
        let stream = connect(smsc, until).await?;
        let mut link = Self {
            smsc,
            stream,
            inbox: Vec::new(),
            sequence: 0,
            submitted: BTreeMap::new(),
            enquiry: None,
            check: until,
            unasked: 0,
        };
        let bind = match settings.bind {
            Bind::Transmitter => command::BIND_TRANSMITTER,
            Bind::Transceiver => command::BIND_TRANSCEIVER,
        };
        let request = Pdu::new(bind, 0)
            .text(&settings.system_id)
            .text(settings.password.expose())
            .text(&settings.system_type)
            .octets(&[VERSION, 0, 0]) // addr_ton, addr_npi
            .text(""); // address_range
        link.request(request).await?;
        let late = |_| format!("{} has not answered the bind in time", smsc.name);
        timeout_at(until, link.bound(bind | command::RESPONSE)).await.map_err(late)??;
        link.check = Instant::now() + settings.enquire_link_interval;
        Ok(link)
    }

    /// Waits for the answer to the bind.
    async fn bound(&mut self, response: u32) -> Result<(), String> {
        loop {
            let pdu = self.receive().await?;
            if pdu.command == response && pdu.status == 0 && pdu.sequence == self.sequence {
                return Ok(());
            }
            if pdu.command == response || pdu.command == command::GENERIC_NACK {
                return Err(status::bind_refused(pdu.status, &self.smsc.name));
            }
            self.take(pdu).await?;
        }
    }

    /// Submits messages until the connection is lost, for the reason that is returned, or until
    /// nobody can ask for one any more.
    pub(super) async fn serve(
        mut self,
        first: Option<Job>,
        jobs: &mut mpsc::Receiver<Job>,
    ) -> Option<String> {
        match self.talk(first, jobs).await {
            Ok(()) => {
                self.unbind().await;
                None
            }
            Err(reason) => {
                for (job, _) in std::mem::take(&mut self.submitted).into_values() {
                    job.end(Err(Failure::Unknown(reason.clone())));
                }
                Some(reason)
            }
        }
    }

    async fn talk(
        &mut self,
        first: Option<Job>,
        jobs: &mut mpsc::Receiver<Job>,
    ) -> Result<(), String> {
        if let Some(job) = first {
            self.submit(job).await?;
        }
        loop {
            let free = self.submitted.len() < self.smsc.settings.window;
            let wake = self.submitted.values().map(|(_, until)| *until).fold(self.check, Ord::min);
            tokio::select! {
                pdu = self.receive() => self.take(pdu?).await?,
                job = jobs.recv(), if free => match job {
                    Some(job) => self.submit(job).await?,
                    None => return Ok(()),
                },
                () = sleep_until(wake) => self.expire().await?,
            }
        }
    }

    /// Submits the next part of a message, or tells that all are accepted.
    async fn submit(&mut self, mut job: Job) -> Result<(), String> {
        if job.answer.is_closed() {
            return Ok(());
        }
        let Some(submission) = job.submissions.pop_front() else {
            let id = job.id.take();
            job.end(Ok(id));
            return Ok(());
        };
        let until = job.until.min(Instant::now() + self.smsc.settings.response_timeout);
        // It counts as submitted before it is written: half of it may have gone out.
        self.submitted.insert(self.next_sequence(), (job, until));
        self.request(submission).await
    }

    async fn take(&mut self, pdu: Received) -> Result<(), String> {
        use command::{
            ALERT_NOTIFICATION, DELIVER_SM, ENQUIRE_LINK, GENERIC_NACK, OUTBIND, RESPONSE,
            SUBMIT_SM, UNBIND,
        };
        const SUBMIT_SM_RESP: u32 = SUBMIT_SM | RESPONSE;
        const ENQUIRE_LINK_RESP: u32 = ENQUIRE_LINK | RESPONSE;
        match pdu.command {
            SUBMIT_SM_RESP | GENERIC_NACK if self.submitted.contains_key(&pdu.sequence) => {
                return self.answered(&pdu).await;
            }
            ENQUIRE_LINK_RESP | GENERIC_NACK if self.enquiry == Some(pdu.sequence) => {
                self.enquiry = None;
                self.check = Instant::now() + self.smsc.settings.enquire_link_interval;
                self.unasked = 0;
                return Ok(());
            }
            _ => {}
        }
        self.unasked += 1;
        if self.unasked > MOST_UNASKED {
            return Err(format!("{} floods the session with PDUs", self.smsc.name));
        }
        let mut response = Pdu::new(pdu.command | RESPONSE, 0);
        match pdu.command {
            ENQUIRE_LINK | UNBIND => {}
            DELIVER_SM => {
                if let Some(state) = pdu::receipt_state(&pdu.body) {
                    log::debug!("{}: a delivery receipt says {state}", self.smsc.name);
                }
                response = response.text(""); // message_id
            }
            // Nothing answers these; and an answer that nobody waits for comes too late.
            ALERT_NOTIFICATION | OUTBIND => return Ok(()),
            late if late & RESPONSE != 0 => return Ok(()),
            _ => response = Pdu::new(GENERIC_NACK, BAD_COMMAND),
        }
        self.write(response.numbered(pdu.sequence)).await?;
        if pdu.command == UNBIND {
            return Err(format!("{} has ended the session", self.smsc.name));
        }
        Ok(())
    }

    /// A submission is answered: on to the next part, or the failure is told.
    async fn answered(&mut self, pdu: &Received) -> Result<(), String> {
        let Some((mut job, _)) = self.submitted.remove(&pdu.sequence) else {
            return Ok(());
        };
        if pdu.status != 0 || pdu.command == command::GENERIC_NACK {
            job.end(Err(status::failure(pdu.status, &self.smsc.name)));
            return Ok(());
        }
        if job.id.is_none() {
            job.id = pdu::message_id(&pdu.body);
        }
        self.submit(job).await
    }

    /// Gives up what has waited too long, and checks whether the SMSC still answers at all.
    async fn expire(&mut self) -> Result<(), String> {
        let now = Instant::now();
        let late = self.submitted.iter().filter(|(_, (_, until))| *until <= now);
        for sequence in late.map(|(sequence, _)| *sequence).collect::<Vec<_>>() {
            let what = format!("{} has not answered the submission in time", self.smsc.name);
            if let Some((job, _)) = self.submitted.remove(&sequence) {
                job.end(Err(Failure::Unknown(what)));
            }
            if self.enquiry.is_none() {
                self.check = now;
            }
        }
        if self.check > now {
            return Ok(());
        }
        if self.enquiry.is_some() {
            return Err(format!("{} has not answered an enquire_link in time", self.smsc.name));
        }
        self.check = now + self.smsc.settings.response_timeout;
        self.enquiry = Some(self.next_sequence());
        self.request(Pdu::new(command::ENQUIRE_LINK, 0)).await
    }

    /// Takes leave, as far as the SMSC lets us.
    async fn unbind(&mut self) {
        let until = Instant::now() + PATIENCE;
        let leave = async {
            self.request(Pdu::new(command::UNBIND, 0)).await?;
            while self.receive().await?.command != command::UNBIND | command::RESPONSE {}
            Ok::<_, String>(())
        };
        // The session ends here, one way or the other.
        let _ = timeout_at(until, leave).await;
    }

    /// The sequence_number of the next request, 1 to 0x7FFFFFFF.
    fn next_sequence(&self) -> u32 {
        self.sequence % 0x7FFF_FFFF + 1
    }

    /// Writes a request under the next sequence_number.
    async fn request(&mut self, mut pdu: Pdu) -> Result<(), String> {
        self.sequence = self.next_sequence();
        self.write(pdu.numbered(self.sequence)).await
    }

    async fn write(&mut self, octets: &[u8]) -> Result<(), String> {
        let what = format!("{}: nothing can be written", self.smsc.name);
        let write = async {
            self.stream.write_all(octets).await?;
            self.stream.flush().await
        };
        within(Instant::now() + PATIENCE, &what, write).await
    }

    /// The next PDU. When it is dropped, nothing is lost.
    async fn receive(&mut self) -> Result<Received, String> {
        let name = &self.smsc.name;
        loop {
            match pdu::take(&mut self.inbox) {
                Ok(Some(pdu)) => return Ok(pdu),
                Ok(None) => {}
                Err(length) => {
                    let mut nack = Pdu::new(command::GENERIC_NACK, BAD_LENGTH);
                    // It goes to a peer that is not understood: there is nothing to be done.
                    let _ = self.write(nack.numbered(0)).await;
                    return Err(format!(
                        "{} sends no SMPP: a PDU of {length} bytes",
                        self.smsc.name
                    ));
                }
            }
            match self.stream.read_buf(&mut self.inbox).await {
                Ok(0) => return Err(format!("{name} has closed the connection")),
                Ok(_) => {}
                Err(error) => return Err(format!("{name}: the connection is lost: {error}")),
            }
        }
    }
}

/// A connection to the first address that takes one, with TLS if asked for.
async fn connect(smsc: &Smsc, until: Instant) -> Result<Box<dyn Stream>, String> {
    let address = (smsc.settings.server.as_str(), smsc.settings.port);
    let what = format!("{}: no connection", smsc.name);
    let mut addresses = within(until, &what, lookup_host(address)).await?.collect::<Vec<_>>();
    addresses.truncate(4);
    let mut connected = Err(format!("{what}: the name has no address"));
    for (tried, address) in addresses.iter().enumerate() {
        let left = u32::try_from(addresses.len() - tried).unwrap_or(1);
        let share = until.saturating_duration_since(Instant::now()) / left;
        connected = within(Instant::now() + share, &what, TcpStream::connect(address)).await;
        if connected.is_ok() {
            break;
        }
    }
    let tcp = connected?;
    tcp.set_nodelay(true).map_err(|error| format!("{what}: {error}"))?;
    match &smsc.tls {
        None => Ok(Box::new(tcp)),
        Some((connector, name)) => {
            let what = format!("{}: no TLS", smsc.name);
            let tls = within(until, &what, connector.connect(name.clone(), tcp)).await?;
            Ok(Box::new(tls))
        }
    }
}

/// The result, if it is there in time; else why not.
async fn within<T, E: Display>(
    until: Instant,
    what: &str,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, String> {
    match timeout_at(until, work).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(format!("{what}: {error}")),
        Err(_) => Err(format!("{what} in time")),
    }
}
