//! Reading: tokens, users, the audit record, the status. Nothing here carries a secret.

use otp_core::{
    account::UserName,
    contact::{MailAddress, PhoneNumber},
    share::Share,
    throttle::Lock,
    token::{Algorithm, Factor, Rejoin, State},
};
use otp_ipc::{
    AuditFilter, AuditRecord, StatusDocument, TokenDocument, TokenFilter, UserDocument, UserFilter,
    limits,
};

use super::{Engine, Error};
use crate::directory::Entry;
use crate::store::{AuditQuery, TokenQuery, TokenRow, UserQuery, UserRow};

impl Engine {
    /// Tokens that match, and how many match in all.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn tokens(&self, filter: TokenFilter) -> Result<(Vec<TokenDocument>, u64), Error> {
        let now_ms = self.now_ms();
        let query = TokenQuery {
            user: filter.user,
            id: filter.id,
            method: filter.method,
            showing: false,
            offset: filter.offset.unwrap_or_default(),
            limit: page(filter.limit),
        };
        let (rows, total) = self.watch_store(self.store.tokens(query).await)?;
        Ok((rows.into_iter().map(|row| token_document(row, now_ms)).collect(), total))
    }

    /// Users that match, and how many match in all; of one who is asked for by name also where
    /// codes go, masked.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn users(&self, filter: UserFilter) -> Result<(Vec<UserDocument>, u64), Error> {
        let now_ms = self.now_ms();
        let lockout = self.config().config.lockout;
        let query = UserQuery {
            user: filter.user.clone(),
            search: filter.search,
            locked: filter.locked.unwrap_or_default(),
            administrators: false,
            now_ms,
            disable_after: Some(lockout.disable_after),
            offset: filter.offset.unwrap_or_default(),
            limit: page(filter.limit),
        };
        let (rows, total) = self.watch_store(self.store.users(query).await)?;
        let document = |row: UserRow| {
            let (lock, locked_until) = match row.throttle.locked(&lockout, now_ms) {
                Lock::Open => ("open", None),
                Lock::Locked { until_ms } => ("locked", Some(until_ms)),
                Lock::Disabled => ("disabled", None),
            };
            UserDocument {
                user: row.user,
                uid: row.uid,
                tokens: row.tokens,
                usable: row.usable,
                recovery: row.recovery,
                failures: row.throttle.failures,
                lock: lock.to_owned(),
                locked_until,
                last_success: row.last_success_ms,
                administrator: row.administrator,
                ..UserDocument::default()
            }
        };
        let mut documents: Vec<_> = rows.into_iter().map(document).collect();
        if let (Some(user), [document]) = (filter.user, documents.as_mut_slice()) {
            let contacts = self.contacts(&user).await?;
            document.mobile = contacts.mobile.as_ref().map(PhoneNumber::masked);
            document.mail = contacts.mail.as_ref().map(MailAddress::masked);
        }
        Ok((documents, total))
    }

    /// The newest audit records that match, oldest first.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn audit(&self, filter: AuditFilter) -> Result<Vec<AuditRecord>, Error> {
        let query = AuditQuery {
            user: filter.user.as_deref().map(otp_core::account::escaped),
            since_ms: filter.since,
            after: filter.after,
            limit: page(filter.limit),
        };
        let rows = self.watch_store(self.store.audit(query).await)?;
        let record = |(id, event): (i64, crate::store::AuditEvent)| AuditRecord {
            id,
            time: event.time_ms,
            event: event.event,
            result: event.result,
            user: event.user,
            service: event.service,
            source: event.source,
            tty: event.tty,
            method: event.method,
            token: event.token,
            failures: event.failures,
            session: event.session,
            caller: event.caller,
            detail: event.detail,
        };
        Ok(rows.into_iter().map(record).collect())
    }

    /// The user who owns a token.
    ///
    /// # Errors
    /// [`Error::UnknownToken`], [`Error::Unavailable`].
    pub async fn owner(&self, token: &str) -> Result<String, Error> {
        let owner = self.watch_store(self.store.owner(token).await)?;
        owner.ok_or(Error::UnknownToken)
    }

    /// The user id of the account that is called `user`; `None` where there is none, and where a
    /// directory knows the name only as another spelling of an account's own.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn uid_of(&self, user: &str) -> Result<Option<u32>, Error> {
        let entry = self.entry(user).await?;
        Ok(entry.filter(|entry| entry.name == user).map(|entry| entry.uid))
    }

    /// What a directory has under this name, which may be another spelling of an account's own.
    pub(super) async fn entry(&self, user: &str) -> Result<Option<Entry>, Error> {
        match UserName::parse(user) {
            Ok(name) => Ok(self.directory.by_name(name.as_str()).await?),
            Err(_) => Ok(None),
        }
    }

    /// The account that is called exactly so, in a directory.
    ///
    /// # Errors
    /// [`Error::UnknownUser`]; [`Error::InvalidArgument`] with the account's own name where this
    /// is another spelling of it; [`Error::Unavailable`].
    pub(super) async fn account_entry(&self, name: &UserName) -> Result<Entry, Error> {
        let entry = self.directory.by_name(name.as_str()).await?;
        let entry = entry.ok_or_else(|| Error::UnknownUser(name.as_str().to_owned()))?;
        if entry.name != name.as_str() {
            let text = format!("user: the account is called {}", entry.name);
            return Err(Error::InvalidArgument(text));
        }
        Ok(entry)
    }

    /// Whether `user` has a confirmed token; false for names that no user can have.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn enrolled(&self, user: &str) -> Result<bool, Error> {
        let Ok(name) = UserName::parse(user) else { return Ok(false) };
        let enrolment = self.watch_store(self.store.enrolment(name.as_str()).await)?;
        Ok(enrolment.is_some_and(|enrolment| enrolment.enrolled))
    }

    /// `ok` or `degraded`.
    #[must_use]
    pub fn health(&self) -> &'static str {
        if self.problems().is_empty() { "ok" } else { "degraded" }
    }

    /// How the daemon is; asks the store, so that a broken one shows.
    ///
    /// # Errors
    /// None that the store's failure would cause: it is what the document tells.
    pub async fn status(&self) -> Result<StatusDocument, Error> {
        let store = self.watch_store(self.store.status(self.now_ms()).await).unwrap_or_default();
        let loaded = self.config();
        let locked = UserQuery {
            locked: true,
            disable_after: Some(loaded.config.lockout.disable_after),
            now_ms: self.now_ms(),
            ..UserQuery::default()
        };
        let locked = self.watch_store(self.store.users(locked).await);
        let last_client = self.last_client();
        Ok(StatusDocument {
            clients: store.clients,
            clients_most: loaded.config.clients.most,
            last_client: last_client.as_ref().and_then(|last| last.identity.clone()),
            last_client_source: last_client.map(|last| last.source),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            health: self.health().to_owned(),
            problems: self.problems(),
            since: self.facts.since_ms,
            users: store.users,
            tokens: store.tokens,
            locked: locked.map_or(0, |(_, total)| total),
            sessions: self.waiting() as u64,
            store: store.description,
            schema: store.schema,
            key: self.facts.key.clone(),
            configuration: loaded.files.iter().map(|file| file.display().to_string()).collect(),
        })
    }
}

pub(super) fn page(limit: Option<u32>) -> u32 {
    limit.unwrap_or(limits::PAGE).min(limits::PAGE)
}

fn token_document(row: TokenRow, now_ms: i64) -> TokenDocument {
    let (kind, period_ms) = match row.factor {
        Factor::Totp { period_ms, .. } => ("totp", Some(period_ms)),
        Factor::Hotp => ("hotp", None),
        Factor::OutOfBand(channel) => (channel.name(), None),
    };
    let algorithm = match row.algorithm {
        Algorithm::Sha1 => "sha1",
        Algorithm::Sha256 => "sha256",
        Algorithm::Sha512 => "sha512",
    };
    let disabled = match &row.state {
        State::Disabled { until_ms, reason } => Some((*until_ms, reason.clone())),
        _ => None,
    };
    let state = standing(&row, now_ms);
    let share_until = match (&row.share, &row.state) {
        (Share::Showing { until_ms, .. }, _) => Some(*until_ms),
        (Share::Created, State::Pending { until_ms }) => Some(*until_ms),
        _ => None,
    };
    let rejoin = match row.rejoin {
        Rejoin::Settled => None,
        Rejoin::Due => Some("due"),
        Rejoin::Half { .. } => Some("half"),
    };
    TokenDocument {
        state: state.to_owned(),
        id: row.id,
        user: row.user,
        label: row.label,
        method: row.method,
        kind: kind.to_owned(),
        algorithm: algorithm.to_owned(),
        digits: u32::from(row.digits),
        period_ms,
        share: Some(row.share.name()).filter(|_| row.share != Share::Released).map(str::to_owned),
        share_until,
        accepted: Some(row.accepted),
        rejoin: rejoin.map(str::to_owned),
        created: row.created_ms,
        last_used: row.last_used_ms,
        expires: row.expires_ms,
        disabled_until: disabled.as_ref().and_then(|(until, _)| *until),
        reason: disabled.map(|(_, reason)| reason).filter(|reason| !reason.is_empty()),
    }
}

fn standing(row: &TokenRow, now_ms: i64) -> &'static str {
    use otp_core::token::{Standing, standing};
    match standing(&row.state, row.expires_ms, now_ms) {
        Standing::Pending => "pending",
        Standing::Active => "active",
        Standing::Disabled => "disabled",
        Standing::Expired => "expired",
    }
}
