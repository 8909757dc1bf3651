//! An account as it is stored: secrets sealed, everything authenticated.
//!
//! A record's MAC is over all that the store knows of a user: the account, its tokens with their
//! sealed secrets, watermarks and who was shown them, its recovery digests, its challenges, its
//! sealed contacts, its issued codes and its clients. So no
//! part of it can be changed, swapped, lowered or left out without the whole record being refused.

use otp_core::{
    client::Client,
    out_of_band::Challenge,
    recovery::Digest,
    share::Share,
    throttle::{Pace, Throttle},
    token::{Algorithm, Factor, Rejoin, State, Token},
};

use super::{
    Enrolment, Outline,
    canonical::Canonical,
    register::{self, IssuedRecord},
    seal::{self, TokenBinding},
};

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

    /// Appends all that is authenticated of `user`'s record.
    pub(super) fn encode(&self, user: &str, fields: Canonical) -> Canonical {
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
    /// The record of a token, without its secret.
    pub(super) fn unsealed(token: &Token, key_version: u32) -> Self {
        Self {
            id: token.id.clone(),
            label: token.label.clone(),
            method: token.method.clone(),
            factor: token.factor,
            algorithm: token.algorithm,
            digits: token.digits,
            key_version,
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

    pub(super) fn binding<'a>(&'a self, user: &'a str) -> TokenBinding<'a> {
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
