//! An account as it is stored: secrets sealed, everything authenticated.
//!
//! A record's MAC is over all that the store knows of a user: the account, its tokens with their
//! sealed secrets, watermarks and who was shown them, its recovery digests, its challenges, its
//! sealed contacts, its issued codes and its clients. So no
//! part of it can be changed, swapped, lowered or left out without the whole record being refused.

use hmac::{Hmac, KeyInit, Mac};
use otp_core::{
    account::Account,
    client::Client,
    contact::Contacts,
    out_of_band::Challenge,
    recovery::Digest,
    secret::Secret,
    share::Share,
    throttle::{Pace, Throttle},
    token::{Algorithm, Factor, Rejoin, State, Token},
};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{
    Enrolment, Outline, StoreError,
    canonical::Canonical,
    register::{self, IssuedRecord},
    seal::{self, Binding, Sealer, TokenBinding},
};
use crate::keys::{self, Keys};

/// A MAC, or another keyed digest.
pub(super) type Tag = [u8; 32];

/// An account with its secrets and contacts sealed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct AccountRecord {
    pub(super) uid: Option<u32>,
    pub(super) throttle: Throttle,
    pub(super) pace: Option<Pace>,
    pub(super) last_success_ms: Option<i64>,
    pub(super) tokens: Vec<TokenRecord>,
    pub(super) recovery: Vec<Digest>,
    pub(super) challenges: Vec<Challenge>,
    /// `None`: there are none.
    pub(super) contacts: Option<Vec<u8>>,
    pub(super) administrator: bool,
    pub(super) issued: Vec<IssuedRecord>,
    pub(super) clients: Vec<Client>,
}

/// A token with its secret sealed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TokenRecord {
    pub(super) id: String,
    pub(super) label: String,
    pub(super) method: String,
    pub(super) factor: Factor,
    pub(super) algorithm: Algorithm,
    pub(super) digits: u8,
    pub(super) key_version: u32,
    pub(super) secret: Vec<u8>,
    pub(super) state: State,
    pub(super) share: Share,
    pub(super) next: u64,
    pub(super) offset_ms: i64,
    pub(super) rejoin: Rejoin,
    pub(super) accepted: u64,
    pub(super) created_ms: i64,
    pub(super) last_used_ms: Option<i64>,
    pub(super) expires_ms: Option<i64>,
}

/// Seals and authenticates the records of one store.
pub(super) struct Vault {
    pub(super) sealer: Sealer,
    mac: Hmac<Sha256>,
    store: [u8; 16],
}

impl Vault {
    pub(super) fn new(keys: &Keys, store: [u8; 16]) -> Self {
        // RFC 2104: a key shorter than a block is padded with zeros.
        let mut block = Zeroizing::new([0; 64]);
        block.iter_mut().zip(keys.record()).for_each(|(padded, byte)| *padded = *byte);
        let mac = <Hmac<Sha256> as KeyInit>::new((&*block).into());
        Self { sealer: Sealer::new(keys.seal(), store), mac, store }
    }

    /// The keyed digest of the fields, for one purpose (`domain`) in this store.
    pub(super) fn tag(&self, domain: &str, fields: impl FnOnce(Canonical) -> Canonical) -> Tag {
        self.authenticator(domain, fields).finalize().into_bytes().into()
    }

    /// Whether `tag` is the keyed digest of the fields, in constant time.
    pub(super) fn holds(
        &self,
        tag: &[u8],
        domain: &str,
        fields: impl FnOnce(Canonical) -> Canonical,
    ) -> bool {
        self.authenticator(domain, fields).verify_slice(tag).is_ok()
    }

    fn authenticator(
        &self,
        domain: &str,
        fields: impl FnOnce(Canonical) -> Canonical,
    ) -> Hmac<Sha256> {
        let bytes = fields(Canonical::new(domain).bytes(&self.store)).finish();
        self.mac.clone().chain_update(bytes)
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
            let mut record = TokenRecord::unsealed(token);
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

const RECORD: &str = "otpd/v1/account";

impl AccountRecord {
    /// What a login needs to know first; only of a verified record.
    pub(super) fn enrolment(&self) -> Enrolment {
        let pending = |token: &TokenRecord| matches!(token.state, State::Pending { .. });
        Enrolment {
            enrolled: !self.tokens.iter().all(pending),
            replaced: self.tokens.iter().any(|t| pending(t) && t.last_used_ms.is_some()),
            uid: self.uid,
            throttle: self.throttle,
            administrator: self.administrator,
            clients: self.clients.clone(),
            tokens: self.tokens.iter().map(TokenRecord::outline).collect(),
        }
    }

    fn encode(&self, user: &str, fields: Canonical) -> Canonical {
        let fields = fields
            .text(user)
            .optional(self.uid.map(i64::from))
            .number(self.throttle.failures.into())
            .optional(self.throttle.locked_until_ms)
            .optional(self.last_success_ms)
            .number(self.tokens.len() as i64);
        let fields = self.tokens.iter().fold(fields, |fields, token| token.encode(fields));
        let fields = self.recovery.iter().fold(fields, |fields, digest| fields.bytes(&digest.0));
        // A name ends the recovery digests: it has not their length. A record without contacts and
        // challenges, codes, clients and the right to issue has the MAC that it had before there
        // were any.
        let fields = match &self.contacts {
            Some(sealed) => fields.text("contacts").bytes(sealed),
            None => fields,
        };
        let fields = self.challenges.iter().fold(fields, |fields, challenge| {
            fields
                .text("challenge")
                .text(&challenge.token)
                .text(&challenge.service)
                .bytes(&challenge.digest.0)
                .number(challenge.sent_ms)
                .number(challenge.expires_ms)
                .number(challenge.tries.into())
        });
        // Tokens whose secret was told at enrolment and that were never used add nothing, either.
        let fields = self.tokens.iter().fold(fields, |fields, token| token.encode_use(fields));
        let fields = if self.administrator { fields.text("administrator") } else { fields };
        let fields = self.issued.iter().fold(fields, |fields, code| code.encode(fields));
        let fields = self.clients.iter().fold(fields, register::encode_client);
        match self.pace {
            Some(Pace { attempts, interval_ms, at_ms }) => fields
                .text("pace")
                .number(attempts.into())
                .number(interval_ms.cast_signed())
                .number(at_ms),
            None => fields,
        }
    }
}

impl TokenRecord {
    fn unsealed(token: &Token) -> Self {
        Self {
            id: token.id.clone(),
            label: token.label.clone(),
            method: token.method.clone(),
            factor: token.factor,
            algorithm: token.algorithm,
            digits: token.digits,
            key_version: keys::VERSION,
            secret: Vec::new(),
            state: token.state.clone(),
            share: token.share.clone(),
            next: token.next,
            offset_ms: token.offset_ms,
            rejoin: token.rejoin,
            accepted: token.accepted,
            created_ms: token.created_ms,
            last_used_ms: token.last_used_ms,
            expires_ms: token.expires_ms,
        }
    }

    fn outline(&self) -> Outline {
        Outline {
            method: self.method.clone(),
            factor: self.factor,
            digits: self.digits,
            state: self.state.clone(),
            expires_ms: self.expires_ms,
        }
    }

    fn binding<'a>(&'a self, user: &'a str) -> TokenBinding<'a> {
        TokenBinding {
            user,
            token: &self.id,
            key_version: self.key_version,
            factor: self.factor,
            algorithm: self.algorithm,
            digits: self.digits,
        }
    }

    fn encode(&self, fields: Canonical) -> Canonical {
        let fields = fields.text(&self.id).text(&self.label).text(&self.method);
        let fields = seal::factor(fields, self.factor)
            .text(seal::algorithm(self.algorithm))
            .number(self.digits.into())
            .number(self.key_version.into())
            .bytes(&self.secret);
        let fields = match &self.state {
            State::Pending { until_ms } => fields.text("pending").number(*until_ms).text(""),
            State::Active => fields.text("active").optional(None).text(""),
            State::Disabled { until_ms, reason } => {
                fields.text("disabled").optional(*until_ms).text(reason)
            }
        };
        fields
            .number(self.next.cast_signed())
            .number(self.offset_ms)
            .number(self.created_ms)
            .optional(self.last_used_ms)
            .optional(self.expires_ms)
    }

    /// What is authenticated of a token besides, where it is not as of old: a name, the token and
    /// as many fields as belong to that name.
    fn encode_use(&self, fields: Canonical) -> Canonical {
        let named = |fields: Canonical| fields.text("share").text(&self.id).text(self.share.name());
        let fields = match &self.share {
            Share::Released => fields,
            Share::Created | Share::Shared => named(fields).text("").optional(None).optional(None),
            Share::Showing { by, since_ms, until_ms } => {
                named(fields).text(by).number(*since_ms).number(*until_ms)
            }
        };
        let fields = match self.accepted {
            0 => fields,
            accepted => fields.text("accepted").text(&self.id).number(accepted.cast_signed()),
        };
        match self.rejoin {
            Rejoin::Settled => fields,
            Rejoin::Due => fields.text("rejoin").text(&self.id).optional(None),
            Rejoin::Half { second } => {
                fields.text("rejoin").text(&self.id).number(second.cast_signed())
            }
        }
    }
}

#[cfg(test)]
mod tests;
