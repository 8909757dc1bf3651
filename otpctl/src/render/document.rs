//! The JSON documents. Their names are a contract: they grow, they do not change.

use otp_ipc::{
    AuditRecord, DirectoryDocument, DirectoryTestDocument, ProviderDocument, ShareDocument,
    StatusDocument, TestDocument, TokenDocument, UserDocument,
};
use serde::Serialize;

use crate::time::rfc3339;

/// A page of something, and how many there are in all.
#[derive(Serialize)]
pub(crate) struct List<T> {
    pub(crate) items: Vec<T>,
    pub(crate) total: u64,
}

/// A token, without its secret.
#[derive(Serialize)]
pub(crate) struct Token<'a> {
    id: &'a str,
    user: &'a str,
    label: &'a str,
    method: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    state: &'a str,
    algorithm: &'a str,
    digits: u32,
    period_ms: Option<u64>,
    share: Option<&'a str>,
    share_until: Option<String>,
    accepted: Option<u64>,
    rejoin: Option<&'a str>,
    created: String,
    last_used: Option<String>,
    expires: Option<String>,
    disabled_until: Option<String>,
    reason: Option<&'a str>,
}

impl<'a> From<&'a TokenDocument> for Token<'a> {
    fn from(token: &'a TokenDocument) -> Self {
        Self {
            id: &token.id,
            user: &token.user,
            label: &token.label,
            method: &token.method,
            kind: &token.kind,
            state: &token.state,
            algorithm: &token.algorithm,
            digits: token.digits,
            period_ms: token.period_ms,
            share: token.share.as_deref(),
            share_until: token.share_until.map(rfc3339),
            accepted: token.accepted,
            rejoin: token.rejoin.as_deref(),
            created: rfc3339(token.created),
            last_used: token.last_used.map(rfc3339),
            expires: token.expires.map(rfc3339),
            disabled_until: token.disabled_until.map(rfc3339),
            reason: token.reason.as_deref(),
        }
    }
}

/// A token with what its holder needs; told once.
#[derive(Serialize)]
pub(crate) struct SecretDocument<'a> {
    #[serde(flatten)]
    pub(crate) token: Token<'a>,
    /// Base32.
    pub(crate) secret: &'a str,
    /// `otpauth://…`
    pub(crate) uri: &'a str,
}

/// What is shown of a token, once: the ten names of Nevis, and what belongs to it.
#[derive(Serialize)]
pub(crate) struct SharedDocument<'a> {
    transition: &'a str,
    token: &'a str,
    user: &'a str,
    confirm: &'a str,
    until: Option<String>,
    /// A PNG in base64.
    oath_qrcode: &'a str,
    /// `otpauth://…`
    #[serde(rename = "oath_qrcodeContent")]
    oath_qrcode_content: &'a str,
    oath_type: Option<&'a str>,
    oath_algorithm: Option<&'a str>,
    oath_digits: Option<u32>,
    /// Seconds; `null` of hotp.
    oath_period: Option<u64>,
    /// `null` of totp.
    oath_counter: Option<u64>,
    oath_account: Option<&'a str>,
    oath_issuer: Option<&'a str>,
    /// Base32.
    oath_secret: &'a str,
}

impl<'a> SharedDocument<'a> {
    /// The picture in base64, the URI and the secret inside it are the caller's to wipe.
    pub(crate) fn new(
        transition: &'a str,
        shown: &'a ShareDocument,
        picture: &'a str,
        uri: &'a str,
        secret: &'a str,
    ) -> Self {
        Self {
            transition,
            token: &shown.token,
            user: &shown.user,
            confirm: &shown.confirm,
            until: shown.until.map(rfc3339),
            oath_qrcode: picture,
            oath_qrcode_content: uri,
            oath_type: shown.kind.as_deref(),
            oath_algorithm: shown.algorithm.as_deref(),
            oath_digits: shown.digits,
            oath_period: shown.period,
            oath_counter: shown.counter,
            oath_account: shown.account.as_deref(),
            oath_issuer: shown.issuer.as_deref(),
            oath_secret: secret,
        }
    }
}

/// A user.
#[derive(Serialize)]
pub(crate) struct User<'a> {
    user: &'a str,
    uid: Option<u32>,
    tokens: u32,
    usable: u32,
    recovery: u32,
    failures: u32,
    lock: &'a str,
    locked_until: Option<String>,
    last_success: Option<String>,
    admin: bool,
    /// Told by `user show` and `user set` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    mobile: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mail: Option<&'a str>,
}

impl<'a> From<&'a UserDocument> for User<'a> {
    fn from(user: &'a UserDocument) -> Self {
        Self {
            user: &user.user,
            uid: user.uid,
            tokens: user.tokens,
            usable: user.usable,
            recovery: user.recovery,
            failures: user.failures,
            lock: &user.lock,
            locked_until: user.locked_until.map(rfc3339),
            last_success: user.last_success.map(rfc3339),
            admin: user.administrator,
            mobile: user.mobile.as_deref(),
            mail: user.mail.as_deref(),
        }
    }
}

/// A provider.
#[derive(Serialize)]
pub(crate) struct Provider<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    state: &'a str,
    resting_until: Option<String>,
    last_failure: Option<&'a str>,
    failed_at: Option<String>,
    order: Option<u32>,
}

impl<'a> From<&'a ProviderDocument> for Provider<'a> {
    fn from(provider: &'a ProviderDocument) -> Self {
        Self {
            id: &provider.id,
            kind: &provider.kind,
            state: &provider.state,
            resting_until: provider.resting_until.map(rfc3339),
            last_failure: provider.last_failure.as_deref(),
            failed_at: provider.failed_at.map(rfc3339),
            order: provider.order,
        }
    }
}

/// What became of a test message.
#[derive(Serialize)]
pub(crate) struct Test<'a> {
    provider: &'a str,
    to: &'a str,
    sent: bool,
    reply: &'a str,
    id: Option<&'a str>,
}

impl<'a> From<&'a TestDocument> for Test<'a> {
    fn from(test: &'a TestDocument) -> Self {
        Self {
            provider: &test.provider,
            to: &test.to,
            sent: test.sent,
            reply: &test.reply,
            id: test.id.as_deref(),
        }
    }
}

/// A directory.
#[derive(Serialize)]
pub(crate) struct Directory<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    state: &'a str,
    last_failure: Option<&'a str>,
    failed_at: Option<String>,
}

impl<'a> From<&'a DirectoryDocument> for Directory<'a> {
    fn from(directory: &'a DirectoryDocument) -> Self {
        Self {
            name: &directory.name,
            kind: &directory.kind,
            state: &directory.state,
            last_failure: directory.last_failure.as_deref(),
            failed_at: directory.failed_at.map(rfc3339),
        }
    }
}

/// What became of a test of a directory.
#[derive(Serialize)]
pub(crate) struct DirectoryTest<'a> {
    name: &'a str,
    found: Option<bool>,
    mobile: Option<&'a str>,
    mail: Option<&'a str>,
    groups: Option<&'a [String]>,
    state: Option<&'a str>,
}

impl<'a> From<&'a DirectoryTestDocument> for DirectoryTest<'a> {
    fn from(test: &'a DirectoryTestDocument) -> Self {
        Self {
            name: &test.name,
            found: test.found,
            mobile: test.mobile.as_deref(),
            mail: test.mail.as_deref(),
            groups: test.groups.as_deref(),
            state: test.state.as_deref(),
        }
    }
}

/// A decision.
#[derive(Serialize)]
pub(crate) struct AuditDocument<'a> {
    id: i64,
    time: String,
    event: &'a str,
    result: &'a str,
    user: &'a str,
    service: Option<&'a str>,
    source: Option<&'a str>,
    tty: Option<&'a str>,
    method: Option<&'a str>,
    token: Option<&'a str>,
    failures: Option<u32>,
    session: Option<&'a str>,
    caller: Option<u32>,
    detail: Option<&'a str>,
}

impl<'a> From<&'a AuditRecord> for AuditDocument<'a> {
    fn from(record: &'a AuditRecord) -> Self {
        Self {
            id: record.id,
            time: rfc3339(record.time),
            event: &record.event,
            result: &record.result,
            user: &record.user,
            service: record.service.as_deref(),
            source: record.source.as_deref(),
            tty: record.tty.as_deref(),
            method: record.method.as_deref(),
            token: record.token.as_deref(),
            failures: record.failures,
            session: record.session.as_deref(),
            caller: record.caller,
            detail: record.detail.as_deref(),
        }
    }
}

/// How the daemon is.
#[derive(Serialize)]
pub(crate) struct Status<'a> {
    version: &'a str,
    health: &'a str,
    problems: &'a [String],
    since: String,
    users: u64,
    tokens: u64,
    locked: u64,
    clients: u64,
    clients_most: u32,
    last_client: Option<&'a str>,
    last_client_source: Option<&'a str>,
    sessions: u64,
    store: &'a str,
    schema: u32,
    key: &'a str,
    configuration: &'a [String],
}

impl<'a> From<&'a StatusDocument> for Status<'a> {
    fn from(status: &'a StatusDocument) -> Self {
        Self {
            version: &status.version,
            health: &status.health,
            problems: &status.problems,
            since: rfc3339(status.since),
            users: status.users,
            tokens: status.tokens,
            locked: status.locked,
            clients: status.clients,
            clients_most: status.clients_most,
            last_client: status.last_client.as_deref(),
            last_client_source: status.last_client_source.as_deref(),
            sessions: status.sessions,
            store: &status.store,
            schema: status.schema,
            key: &status.key,
            configuration: &status.configuration,
        }
    }
}
