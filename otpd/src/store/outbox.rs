//! A message as it is stored: the recipient and what it says sealed, all else bound to them.

use otp_core::contact::Channel;
use zeroize::Zeroizing;

use super::{
    LONGEST_PAYLOAD, Outgoing, StoreError,
    seal::{Binding, MessageBinding},
    vault::{Tag, Vault},
};

/// A message with its recipient and payload sealed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct MessageRecord {
    pub(super) user: String,
    pub(super) id: String,
    pub(super) channel: Channel,
    pub(super) recipient: Tag,
    pub(super) time_ms: i64,
    pub(super) until_ms: i64,
    pub(super) payload: Vec<u8>,
}

const RECIPIENT: &str = "otpd/v1/recipient";

impl Vault {
    /// What tells two recipients apart without telling who they are.
    pub(super) fn recipient(&self, channel: Channel, recipient: &str) -> Tag {
        self.recipient_tag(RECIPIENT, |fields| fields.text(channel.name()).text(recipient))
    }

    /// The record of a message to `user`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it is too long or the kernel has no random bytes.
    pub(super) fn seal_message(
        &self,
        user: &str,
        message: &Outgoing,
    ) -> Result<MessageRecord, StoreError> {
        if message.payload.len() > LONGEST_PAYLOAD {
            return Err(StoreError::Unavailable(format!(
                "a message is longer than {LONGEST_PAYLOAD} bytes; shorten its template"
            )));
        }
        let mut record = MessageRecord {
            user: user.to_owned(),
            id: message.id.clone(),
            channel: message.channel,
            recipient: self.recipient(message.channel, &message.recipient),
            time_ms: message.time_ms,
            until_ms: message.until_ms,
            payload: Vec::new(),
        };
        let recipient = message.recipient.as_bytes();
        let mut plain =
            Zeroizing::new(Vec::with_capacity(8 + recipient.len() + message.payload.len()));
        plain.extend_from_slice(&(recipient.len() as u64).to_be_bytes());
        plain.extend_from_slice(recipient);
        plain.extend_from_slice(&message.payload);
        let sealed = self.sealer.seal(&record.binding(), &plain);
        record.payload = sealed.map_err(StoreError::Unavailable)?;
        Ok(record)
    }

    /// The message and its user, or `None` when anything of the record is not as it was sealed.
    pub(super) fn open_message(&self, record: MessageRecord) -> Option<(String, Outgoing)> {
        let plain = self.sealer.open(&record.binding(), &record.payload)?;
        let (length, rest) = plain.split_first_chunk()?;
        let length = usize::try_from(u64::from_be_bytes(*length)).ok()?;
        let (recipient, payload) = rest.split_at_checked(length)?;
        let message = Outgoing {
            recipient: std::str::from_utf8(recipient).ok()?.to_owned(),
            payload: Zeroizing::new(payload.to_vec()),
            id: record.id,
            channel: record.channel,
            time_ms: record.time_ms,
            until_ms: record.until_ms,
        };
        Some((record.user, message))
    }
}

impl MessageRecord {
    fn binding(&self) -> Binding<'_> {
        Binding::Message(MessageBinding {
            user: &self.user,
            id: &self.id,
            channel: self.channel,
            recipient: &self.recipient,
            time_ms: self.time_ms,
            until_ms: self.until_ms,
        })
    }
}
