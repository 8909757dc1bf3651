//! SMS by SMPP 3.4: one long-lived session with an SMSC.

mod alphabet;
mod link;
mod pdu;
mod session;
mod settings;
mod status;
#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU8, Ordering},
    },
};

use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout_at},
};

pub use self::{
    alphabet::{Alphabet, parts},
    settings::{Bind, Settings},
};
use self::{
    link::Smsc,
    pdu::{Pdu, command},
    session::{Job, LIMIT},
    settings::Sender,
};
use crate::{Answer, Channel, Failure, Message, Pending, Receipt, Recipient, redact};

/// esm_class of a part of a longer text: its octets begin with a header (section 5.2.12).
const WITH_HEADER: u8 = 0x40;
/// Longest message_id that is kept, in bytes (section 5.2.23).
const ID: usize = 64;

/// Sends SMS over a session with an SMSC. A task binds for the first message, keeps the session,
/// restores it when it is lost, and unbinds when this is dropped. A message ends within 9 s.
pub struct Smpp {
    smsc: Arc<Smsc>,
    session: OnceLock<mpsc::Sender<Job>>,
    /// Ties the parts of one text together on the telephone.
    reference: AtomicU8,
}

impl Smpp {
    /// Checks the settings and reads the files of TLS. Connects to nothing yet.
    ///
    /// # Errors
    /// What is wrong with which setting, and what it takes; never the password.
    pub fn new(settings: Settings) -> Result<Self, String> {
        let smsc = Arc::new(Smsc::new(settings)?);
        // A telephone may still wait for parts from before a restart.
        let [reference, ..] = getrandom::u32().unwrap_or_default().to_le_bytes();
        Ok(Self { smsc, session: OnceLock::new(), reference: AtomicU8::new(reference) })
    }

    /// The text as submit_sm PDUs (section 4.4.1), one for each part.
    fn submissions(&self, message: &Message) -> Result<VecDeque<Pdu>, Failure> {
        let Recipient::Phone(number) = &message.to else {
            let what = format!("{}: SMPP carries to telephones only", self.smsc.name);
            return Err(Failure::Unavailable(what));
        };
        let settings = &self.smsc.settings;
        let sender = Sender::of(settings);
        let text = alphabet::encode(message.text.expose(), settings.default_alphabet);
        let Ok(total) = u8::try_from(text.parts.len()) else {
            let what = format!("{}: the text is too long for 255 parts", self.smsc.name);
            return Err(Failure::Unavailable(what));
        };
        let reference = self.reference.fetch_add(1, Ordering::Relaxed);
        let submission = |(part, index): (&alphabet::Octets, u8)| {
            let (esm_class, header) = match total {
                1 => (0, &[][..]),
                _ => (WITH_HEADER, &[5, 0, 3, reference, total, index][..]),
            };
            let length = u8::try_from(header.len() + part.len()).unwrap_or(u8::MAX);
            Pdu::new(command::SUBMIT_SM, 0)
                .text(&settings.service_type)
                .octets(&[sender.ton, sender.npi])
                .text(sender.address)
                .octets(&[settings.dest_addr_ton, settings.dest_addr_npi])
                .text(number.digits())
                .octets(&[esm_class, 0, 0]) // protocol_id, priority_flag
                .text("") // schedule_delivery_time
                .text(&validity_period(message.validity_ms))
                .octets(&[u8::from(settings.registered_delivery), 0]) // replace_if_present_flag
                .octets(&[text.coding, 0, length]) // sm_default_msg_id, sm_length
                .octets(header)
                .octets(part)
        };
        Ok(text.parts.iter().zip(1..=total).map(submission).collect())
    }

    async fn deliver(&self, message: &Message) -> Answer {
        let submissions = self.submissions(message)?;
        let session = self.session.get_or_init(|| session::start(Arc::clone(&self.smsc)));
        let until = Instant::now() + LIMIT;
        let (answer, answered) = oneshot::channel();
        let job = Job { submissions, id: None, until, answer };
        let smsc = &self.smsc.name;
        let ended = || format!("the session with {smsc} has ended");
        let told = timeout_at(until, async {
            session.send(job).await.map_err(|_| Failure::Unavailable(ended()))?;
            answered.await.map_err(|_| Failure::Unknown(ended()))?
        });
        let late = |_| Failure::Unknown(format!("{smsc} has not answered within {LIMIT:?}"));
        let id = told.await.map_err(late)??;
        let secrets = [&self.smsc.settings.password];
        Ok(Receipt {
            id: id.map(|id| redact(&id, message, &secrets, ID)),
            reply: format!("{smsc} answered the submission with {}", status::name(0)),
        })
    }
}

impl Channel for Smpp {
    fn send<'a>(&'a self, message: &'a Message) -> Pending<'a, Answer> {
        Box::pin(self.deliver(message))
    }

    fn width(&self) -> usize {
        self.smsc.settings.window
    }
}

/// A time from now on in the relative format `YYMMDDhhmmsstnnR` (section 7.1.1); at least a
/// second, at most 30 days.
fn validity_period(validity_ms: u64) -> String {
    let seconds = validity_ms.div_ceil(1000).clamp(1, 30 * 86_400);
    let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
    format!("0000{days:02}{hours:02}{:02}{:02}000R", seconds / 60 % 60, seconds % 60)
}
