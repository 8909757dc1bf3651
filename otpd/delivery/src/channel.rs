//! The port that every provider implements.

use std::{future::Future, pin::Pin, time::Duration};

use crate::Message;

/// A future that a port returns.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What became of one try to send.
pub type Answer = Result<Receipt, Failure>;

/// The provider has taken the message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// The provider's name for the message, if it told one; printable, at most 128 bytes.
    pub id: Option<String>,
    /// What the provider answered, scrubbed ([`scrub`](crate::scrub)); for the administrator.
    pub reply: String,
}

/// The message was not sent, or nobody knows. The texts are for the administrator: they name what
/// and where, and never hold the code, the message, a password or a whole number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// This provider cannot send now: it is down, throttled, refuses our credentials or is set up
    /// wrongly. Another one may be able to.
    #[error("not sent: {0}")]
    Unavailable(String),
    /// The message itself is refused, for example for a number that does not exist: no other
    /// provider is asked.
    #[error("refused: {0}")]
    Refused(String),
    /// The provider was told and has not answered in time. Another one is asked: a message that
    /// comes twice is better than one that does not come.
    #[error("not known to be sent: {0}")]
    Unknown(String),
}

/// A way to send, over one provider. It ends within its own time limit, whatever the other side
/// does, and may be asked for several messages at the same time.
pub trait Channel: Send + Sync {
    /// Sends one message to its recipient.
    fn send<'a>(&'a self, message: &'a Message) -> Pending<'a, Answer>;

    /// The longest time that one message may take; it is given up after that.
    fn limit(&self) -> Duration {
        Duration::from_secs(10)
    }

    /// How many messages it takes at the same time; what comes on top of that waits.
    fn width(&self) -> usize {
        64
    }
}
