//! An account as it is stored: secrets sealed, everything authenticated.
//!
//! A record's MAC is over all that the store knows of a user: the account, its tokens with their
//! sealed secrets and watermarks, its recovery digests. So no part of it can be changed, swapped,
//! lowered or left out without the whole record being refused.

use hmac::{Hmac, KeyInit, Mac};
use otp_core::{
    account::Account,
    contact::Contacts,
    recovery::Digest,
    throttle::Throttle,
    token::{Algorithm, Factor, State, Token},
};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{
    Enrolment, StoreError,
    canonical::Canonical,
    seal::{self, Binding, Sealer},
};
use crate::keys::{self, Keys};

/// A MAC, or another keyed digest.
pub(super) type Tag = [u8; 32];

/// An account with its secrets sealed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AccountRecord {
    pub(super) uid: Option<u32>,
    pub(super) throttle: Throttle,
    pub(super) last_success_ms: Option<i64>,
    pub(super) tokens: Vec<TokenRecord>,
    pub(super) recovery: Vec<Digest>,
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
    pub(super) next: u64,
    pub(super) offset_ms: i64,
    pub(super) created_ms: i64,
    pub(super) last_used_ms: Option<i64>,
    pub(super) expires_ms: Option<i64>,
}

/// Seals and authenticates the records of one store.
pub(super) struct Vault {
    sealer: Sealer,
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
    /// [`StoreError::Integrity`] when a secret does not open.
    pub(super) fn unseal(&self, user: &str, record: &AccountRecord) -> Result<Account, StoreError> {
        let tokens = record.tokens.iter().map(|stored| {
            let secret = self.sealer.open(&stored.binding(user), &stored.secret)?;
            Some(Token {
                id: stored.id.clone(),
                label: stored.label.clone(),
                method: stored.method.clone(),
                factor: stored.factor,
                algorithm: stored.algorithm,
                digits: stored.digits,
                secret,
                state: stored.state.clone(),
                next: stored.next,
                offset_ms: stored.offset_ms,
                created_ms: stored.created_ms,
                last_used_ms: stored.last_used_ms,
                expires_ms: stored.expires_ms,
            })
        });
        Ok(Account {
            uid: record.uid,
            throttle: record.throttle,
            tokens: tokens
                .collect::<Option<_>>()
                .ok_or_else(|| StoreError::Integrity(user.to_owned()))?,
            recovery: record.recovery.clone(),
            challenges: Vec::new(),
            contacts: Contacts::default(),
            last_success_ms: record.last_success_ms,
        })
    }

    /// The record of an account. A secret that `before` has sealed for the same token with the
    /// same parameters keeps its sealed bytes, so that an unchanged token is an unchanged row.
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
                        .sealer
                        .open(&record.binding(user), &stored.secret)
                        .is_some_and(|secret| secret == token.secret)
            });
            record.secret = match sealed {
                Some(stored) => stored.secret.clone(),
                None => self
                    .sealer
                    .seal(&record.binding(user), &token.secret)
                    .map_err(StoreError::Unavailable)?,
            };
            Ok(record)
        });
        Ok(AccountRecord {
            uid: account.uid,
            throttle: account.throttle,
            last_success_ms: account.last_success_ms,
            tokens: tokens.collect::<Result<_, StoreError>>()?,
            recovery: account.recovery.clone(),
        })
    }
}

const RECORD: &str = "otpd/v1/account";

impl AccountRecord {
    /// What a login needs to know first; only of a verified record.
    pub(super) fn enrolment(&self) -> Enrolment {
        let pending = |token: &TokenRecord| matches!(token.state, State::Pending { .. });
        let active = |token: &&TokenRecord| token.state == State::Active;
        Enrolment {
            enrolled: !self.tokens.iter().all(pending),
            uid: self.uid,
            digits: self.tokens.iter().find(active).map(|token| token.digits),
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
        self.recovery.iter().fold(fields, |fields, digest| fields.bytes(&digest.0))
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
            next: token.next,
            offset_ms: token.offset_ms,
            created_ms: token.created_ms,
            last_used_ms: token.last_used_ms,
            expires_ms: token.expires_ms,
        }
    }

    fn binding<'a>(&'a self, user: &'a str) -> Binding<'a> {
        Binding {
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
}

#[cfg(test)]
mod tests {
    use otp_core::token::Algorithm;

    use super::*;

    fn keys() -> Keys {
        let home = tempfile::tempdir().unwrap();
        Keys::create(&home.path().join("kek")).unwrap().1
    }

    fn token(id: &str) -> TokenRecord {
        TokenRecord {
            id: id.into(),
            label: "label".into(),
            method: "method".into(),
            factor: Factor::Totp { t0_ms: 0, period_ms: 30_000 },
            algorithm: Algorithm::Sha1,
            digits: 6,
            key_version: 1,
            secret: vec![1; 60],
            state: State::Disabled { until_ms: Some(1), reason: "reason".into() },
            next: 5,
            offset_ms: 0,
            created_ms: 1,
            last_used_ms: None,
            expires_ms: None,
        }
    }

    fn record() -> AccountRecord {
        AccountRecord {
            uid: None,
            throttle: Throttle { failures: 1, locked_until_ms: None },
            last_success_ms: None,
            tokens: vec![token("a"), token("b")],
            recovery: vec![Digest([1; 32]), Digest([2; 32])],
        }
    }

    #[test]
    fn the_mac_is_over_everything() {
        let disabled = |until_ms, reason: &str| State::Disabled { until_ms, reason: reason.into() };
        let keys = keys();
        let vault = Vault::new(&keys, [7; 16]);
        let mac = vault.record_mac("alice", &record());
        assert!(vault.verify("alice", &record(), &mac).is_ok());
        assert!(vault.verify("alicf", &record(), &mac).is_err());
        assert!(vault.verify("alice", &record(), &mac[..31]).is_err());
        assert!(vault.verify("alice", &record(), &[]).is_err());
        assert!(Vault::new(&keys, [8; 16]).verify("alice", &record(), &mac).is_err());
        assert!(Vault::new(&self::keys(), [7; 16]).verify("alice", &record(), &mac).is_err());
        let changes: &[&dyn Fn(&mut AccountRecord)] = &[
            &|record| record.uid = Some(0),
            &|record| record.throttle.failures = 0,
            &|record| record.throttle.locked_until_ms = Some(0),
            &|record| record.last_success_ms = Some(0),
            &|record| drop(record.tokens.pop()),
            &|record| record.tokens.push(token("c")),
            &|record| record.tokens.swap(0, 1),
            &|record| record.tokens[0].id = "c".into(),
            &|record| record.tokens[0].label = "labels".into(),
            &|record| record.tokens[0].method = "methods".into(),
            &|record| record.tokens[0].factor = Factor::Hotp,
            &|record| record.tokens[0].factor = Factor::Totp { t0_ms: 1, period_ms: 30_000 },
            &|record| record.tokens[0].factor = Factor::Totp { t0_ms: 0, period_ms: 30_001 },
            &|record| record.tokens[0].algorithm = Algorithm::Sha256,
            &|record| record.tokens[0].digits = 8,
            &|record| record.tokens[0].key_version = 2,
            &|record| record.tokens[0].secret[59] = 2,
            &|record| record.tokens[0].state = State::Active,
            &|record| record.tokens[0].state = State::Pending { until_ms: 1 },
            &|record| record.tokens[0].state = disabled(None, "reason"),
            &|record| record.tokens[0].state = disabled(Some(2), "reason"),
            &|record| record.tokens[0].state = disabled(Some(1), ""),
            &|record| record.tokens[0].next = 4,
            &|record| record.tokens[0].offset_ms = 1,
            &|record| record.tokens[0].created_ms = 0,
            &|record| record.tokens[0].last_used_ms = Some(0),
            &|record| record.tokens[0].expires_ms = Some(0),
            &|record| record.recovery.truncate(1),
            &|record| record.recovery.swap(0, 1),
            &|record| record.recovery.push(Digest([3; 32])),
        ];
        for (number, change) in changes.iter().enumerate() {
            let mut changed = record();
            change(&mut changed);
            let verified = vault.verify("alice", &changed, &mac);
            assert!(matches!(verified, Err(StoreError::Integrity(_))), "change {number}");
        }
    }
}
