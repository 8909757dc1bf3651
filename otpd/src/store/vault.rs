//! What seals and authenticates the records of one store.

use hmac::{Hmac, KeyInit, Mac};
use otp_core::{account::Account, contact::Contacts, secret::Secret, token::Token};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{
    StoreError,
    canonical::Canonical,
    digest::DigestKeys,
    record::{AccountRecord, TokenRecord},
    seal::{Binding, Sealer, TokenBinding},
};
use crate::keys::Keys;

/// A MAC, or another keyed digest.
pub(super) type Tag = [u8; 32];

const RECORD: &str = "otpd/v1/account";

/// Seals and authenticates the records of one store.
pub(super) struct Vault {
    pub(super) sealer: Sealer,
    mac: Hmac<Sha256>,
    recipients: Hmac<Sha256>,
    store: [u8; 16],
    /// Which of the store's keys this is: the first one is 1.
    pub(super) key_version: u32,
    /// What digests are made with.
    pub(super) digests: DigestKeys,
}

impl Vault {
    /// For the store with the identity `store`, whose keys these are in `key_version`.
    pub(super) fn new(keys: &Keys, store: [u8; 16], key_version: u32) -> Self {
        Self {
            sealer: Sealer::new(keys.seal(), store),
            mac: hmac(keys.record()),
            recipients: hmac(keys.record()),
            store,
            key_version,
            digests: DigestKeys::derived(keys),
        }
    }

    /// The same with other keys for digests.
    pub(super) fn with_digests(self, digests: DigestKeys) -> Self {
        Self { recipients: hmac(&digests.recipient), digests, ..self }
    }

    /// The keyed digest of the fields, for one purpose (`domain`) in this store.
    pub(super) fn tag(&self, domain: &str, fields: impl FnOnce(Canonical) -> Canonical) -> Tag {
        self.authenticated(&self.mac, domain, fields).finalize().into_bytes().into()
    }

    /// The same for what tells recipients apart.
    pub(super) fn recipient_tag(
        &self,
        domain: &str,
        fields: impl FnOnce(Canonical) -> Canonical,
    ) -> Tag {
        self.authenticated(&self.recipients, domain, fields).finalize().into_bytes().into()
    }

    /// Whether `tag` is the keyed digest of the fields, in constant time.
    pub(super) fn holds(
        &self,
        tag: &[u8],
        domain: &str,
        fields: impl FnOnce(Canonical) -> Canonical,
    ) -> bool {
        self.authenticated(&self.mac, domain, fields).verify_slice(tag).is_ok()
    }

    fn authenticated(
        &self,
        key: &Hmac<Sha256>,
        domain: &str,
        fields: impl FnOnce(Canonical) -> Canonical,
    ) -> Hmac<Sha256> {
        let bytes = fields(Canonical::new(domain).bytes(&self.store)).finish();
        key.clone().chain_update(bytes)
    }

    /// The MAC of `user`'s record.
    pub(super) fn record_mac(&self, user: &str, record: &AccountRecord) -> Tag {
        self.tag(RECORD, |fields| record.encode(user, fields))
    }

    /// # Errors
    /// [`StoreError::Integrity`] when `mac` is not the MAC of `user`'s record.
    pub(super) fn verify(
        &self,
        user: &str,
        record: &AccountRecord,
        mac: &[u8],
    ) -> Result<(), StoreError> {
        if self.holds(mac, RECORD, |fields| record.encode(user, fields)) {
            Ok(())
        } else {
            Err(StoreError::Integrity(user.to_owned()))
        }
    }

    /// The account, with its secrets.
    ///
    /// # Errors
    /// [`StoreError::Integrity`] when a secret, an issued code or the contacts do not open.
    pub(super) fn unseal(&self, user: &str, record: &AccountRecord) -> Result<Account, StoreError> {
        let tokens = record.tokens.iter().map(|stored| {
            let secret = self.secret(stored.binding(user), &stored.secret)?;
            Some(Token {
                id: stored.id.clone(),
                label: stored.label.clone(),
                method: stored.method.clone(),
                factor: stored.factor,
                algorithm: stored.algorithm,
                digits: stored.digits,
                secret,
                state: stored.state.clone(),
                share: stored.share.clone(),
                next: stored.next,
                offset_ms: stored.offset_ms,
                rejoin: stored.rejoin,
                accepted: stored.accepted,
                created_ms: stored.created_ms,
                last_used_ms: stored.last_used_ms,
                expires_ms: stored.expires_ms,
            })
        });
        let issued = record.issued.iter().map(|stored| self.open_issued(user, stored));
        Ok(Account {
            uid: record.uid,
            throttle: record.throttle,
            pace: record.pace,
            tokens: tokens
                .collect::<Option<_>>()
                .ok_or_else(|| StoreError::Integrity(user.to_owned()))?,
            recovery: record.recovery.clone(),
            challenges: record.challenges.clone(),
            contacts: self.contacts(user, record)?,
            issued: issued
                .collect::<Option<_>>()
                .ok_or_else(|| StoreError::Integrity(user.to_owned()))?,
            clients: record.clients.clone(),
            administrator: record.administrator,
            last_success_ms: record.last_success_ms,
        })
    }

    fn secret(&self, binding: TokenBinding<'_>, sealed: &[u8]) -> Option<Secret> {
        self.sealer.open(&Binding::Token(binding), sealed).and_then(|bytes| Secret::new(bytes).ok())
    }

    /// The contacts of `user`'s record.
    ///
    /// # Errors
    /// [`StoreError::Integrity`] when they do not open.
    pub(super) fn contacts(
        &self,
        user: &str,
        record: &AccountRecord,
    ) -> Result<Contacts, StoreError> {
        let Some(sealed) = &record.contacts else {
            return Ok(Contacts::default());
        };
        self.sealer
            .open(&Binding::Contacts { user }, sealed)
            .and_then(|text| serde_json::from_slice(&text).ok())
            .ok_or_else(|| StoreError::Integrity(user.to_owned()))
    }

    /// The record of an account. A secret that `before` has sealed for the same token with the
    /// same parameters keeps its sealed bytes, and so do contacts and issued codes, so that an unchanged token and
    /// an unchanged account are unchanged rows.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the kernel has no random bytes.
    pub(super) fn seal(
        &self,
        user: &str,
        account: &Account,
        before: Option<&AccountRecord>,
    ) -> Result<AccountRecord, StoreError> {
        let stored = before.map_or(&[][..], |record| &record.tokens);
        let tokens = account.tokens.iter().map(|token| {
            let mut record = TokenRecord::unsealed(token, self.key_version);
            let sealed = stored.iter().find(|stored| {
                stored.id == token.id
                    && stored.key_version == record.key_version
                    && self
                        .secret(record.binding(user), &stored.secret)
                        .is_some_and(|secret| secret == token.secret)
            });
            record.secret = match sealed {
                Some(stored) => stored.secret.clone(),
                None => self
                    .sealer
                    .seal(&Binding::Token(record.binding(user)), token.secret.expose())
                    .map_err(StoreError::Unavailable)?,
            };
            Ok(record)
        });
        let before_issued = before.map_or(&[][..], |record| &record.issued);
        let issued = account.issued.iter().map(|code| self.seal_issued(user, code, before_issued));
        Ok(AccountRecord {
            uid: account.uid,
            throttle: account.throttle,
            pace: account.pace,
            last_success_ms: account.last_success_ms,
            tokens: tokens.collect::<Result<_, StoreError>>()?,
            recovery: account.recovery.clone(),
            challenges: account.challenges.clone(),
            contacts: self.seal_contacts(user, &account.contacts, before)?,
            administrator: account.administrator,
            issued: issued.collect::<Result<_, StoreError>>()?,
            clients: account.clients.clone(),
        })
    }

    fn seal_contacts(
        &self,
        user: &str,
        contacts: &Contacts,
        before: Option<&AccountRecord>,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        if *contacts == Contacts::default() {
            return Ok(None);
        }
        if let Some(before) = before
            && self.contacts(user, before)? == *contacts
        {
            return Ok(before.contacts.clone());
        }
        let text = serde_json::to_vec(contacts)
            .map(Zeroizing::new)
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let sealed = self.sealer.seal(&Binding::Contacts { user }, &text);
        sealed.map(Some).map_err(StoreError::Unavailable)
    }
}

/// RFC 2104: a key shorter than a block is padded with zeros.
fn hmac(key: &Tag) -> Hmac<Sha256> {
    let mut block = Zeroizing::new([0; 64]);
    block.iter_mut().zip(key.iter()).for_each(|(padded, byte)| *padded = *byte);
    <Hmac<Sha256> as KeyInit>::new((&*block).into())
}
