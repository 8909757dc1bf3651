//! What can be configured as a provider.

use std::sync::Arc;

use crate::Channel;

/// The settings of any kind of provider.
#[derive(Clone, Debug, PartialEq)]
pub enum Provider {}

impl Provider {
    /// The word for it in the configuration, in the key `type`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match *self {}
    }

    /// Makes the channel. Nothing is sent and nobody is connected to yet.
    ///
    /// # Errors
    /// What is wrong with the settings, and what to do.
    pub fn build(&self) -> Result<Arc<dyn Channel>, String> {
        match *self {}
    }
}
