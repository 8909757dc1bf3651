//! The keys of digests whose plain text is not kept: they outlive the key that the store is sealed
//! with.

use std::iter;

use zeroize::Zeroizing;

use super::{
    seal::Binding,
    vault::{Tag, Vault},
};
use crate::keys::{Key, Keys};

/// What recovery codes, issued codes and the recipients of messages are digested with.
#[derive(Clone)]
pub(super) struct DigestKeys {
    pub(super) recovery: Key,
    pub(super) recipient: Key,
}

impl DigestKeys {
    /// Those of a store whose key was never replaced.
    pub(super) fn derived(keys: &Keys) -> Self {
        Self { recovery: key(keys.recovery()), recipient: key(keys.record()) }
    }

    /// Sealed under the vault's key.
    ///
    /// # Errors
    /// The text says that the kernel has no random bytes.
    pub(super) fn seal(&self, vault: &Vault) -> Result<Vec<u8>, String> {
        let mut plain = Zeroizing::new([0; 64]);
        let both = self.recovery.iter().chain(self.recipient.iter());
        iter::zip(plain.iter_mut(), both).for_each(|(to, from)| *to = *from);
        vault.sealer.seal(&Self::binding(vault), &*plain)
    }

    /// What was sealed under the vault's key, or `None` when anything of it has changed.
    pub(super) fn open(vault: &Vault, sealed: &[u8]) -> Option<Self> {
        let plain = vault.sealer.open(&Self::binding(vault), sealed)?;
        let (recovery, recipient) = plain.split_first_chunk::<32>()?;
        Some(Self { recovery: key(recovery), recipient: key(recipient.try_into().ok()?) })
    }

    fn binding(vault: &Vault) -> Binding<'static> {
        Binding::DigestKeys { key_version: vault.key_version }
    }
}

fn key(bytes: &Tag) -> Key {
    Zeroizing::new(*bytes)
}
