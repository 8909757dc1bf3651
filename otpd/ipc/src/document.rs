//! The documents of the Manager interface, each an `a{sv}` on the wire. None but
//! [`ShareDocument`] carries a secret; those of issued codes are in `register`.
//! Times are Unix milliseconds, durations milliseconds.

use zbus::{DeserializeDict, SerializeDict, Type};
use zeroize::Zeroize;

/// A token; `otpctl --json` prints these names.
#[derive(Clone, Debug, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub struct TokenDocument {
    /// Opaque identity, stable for the token's life.
    pub id: String,
    /// Whose it is.
    pub user: String,
    /// The user's own name for it.
    pub label: String,
    /// The parameter set it was enrolled with.
    pub method: String,
    /// `totp`, `hotp`, or how codes are delivered: `sms`, `email`.
    #[zbus(rename = "type")]
    pub kind: String,
    /// `pending`, `active`, `disabled` or `expired`.
    pub state: String,
    /// `sha1`, `sha256` or `sha512`.
    pub algorithm: String,
    /// Length of a code, 4–8.
    pub digits: u32,
    /// Time step; of TOTP only.
    pub period_ms: Option<u64>,
    /// `created` while it waits to be shared, `showing` while one session may confirm it, `shared`
    /// after that; absent where its secret was told at enrolment.
    pub share: Option<String>,
    /// When the time to confirm what is shown, or to share what waits for it, is over.
    pub share_until: Option<i64>,
    /// How many codes of it were accepted.
    pub accepted: Option<u64>,
    /// `due` while a counter that was restored needs two codes in a row, `half` after the first of
    /// them; absent otherwise.
    pub rejoin: Option<String>,
    /// When it was enrolled.
    pub created: i64,
    /// When a code of it was last accepted.
    pub last_used: Option<i64>,
    /// When it stops being accepted.
    pub expires: Option<i64>,
    /// Until when it is disabled; absent while it is not, or disabled without an end.
    pub disabled_until: Option<i64>,
    /// Why it is disabled.
    pub reason: Option<String>,
}

/// A user as the daemon knows them.
#[derive(Clone, Debug, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub struct UserDocument {
    /// The login name.
    pub user: String,
    /// The user id at enrolment.
    pub uid: Option<u32>,
    /// Tokens of any state.
    pub tokens: u32,
    /// Tokens that are accepted now.
    pub usable: u32,
    /// Recovery codes that are left.
    pub recovery: u32,
    /// Consecutive failures.
    pub failures: u32,
    /// `open`, `locked` (ends by itself) or `disabled` (an administrator must unlock).
    pub lock: String,
    /// When a lock ends.
    pub locked_until: Option<i64>,
    /// The last login that was granted.
    pub last_success: Option<i64>,
    /// Whether the user may issue codes to others.
    pub administrator: bool,
    /// The telephone that codes are sent to, masked (`+49*****81`). This and `mail` are told where
    /// exactly one user was asked for.
    pub mobile: Option<String>,
    /// The mailbox that codes are sent to, masked (`a*****@example.com`).
    pub mail: Option<String>,
}

/// Argument of `SetContact`. What is absent stays; what is empty is removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}", deny_unknown_fields)]
pub struct ContactOptions {
    /// A telephone number as people write it.
    pub mobile: Option<String>,
    /// A mail address.
    pub mail: Option<String>,
    /// The country code, digits alone, of a `mobile` that is written without one.
    pub country: Option<String>,
    /// The user id that the user has now: what the user has was enrolled under another one, and
    /// it is the same person.
    pub uid: Option<u32>,
}

/// A provider, and how it does.
#[derive(Clone, Debug, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub struct ProviderDocument {
    /// `sms.NAME` or `email.NAME`, as its table in the configuration.
    pub id: String,
    /// Its `type` in the configuration.
    #[zbus(rename = "type")]
    pub kind: String,
    /// `ready`, or `resting`: it failed, and others are tried before it.
    pub state: String,
    /// Until when it rests.
    pub resting_until: Option<i64>,
    /// What it failed with last.
    pub last_failure: Option<String>,
    /// When that was.
    pub failed_at: Option<i64>,
    /// Its place, from 1, among the providers of the built-in method `sms` or `email`; absent where
    /// that does not use it.
    pub order: Option<u32>,
}

/// What became of a test message.
#[derive(Clone, Debug, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub struct TestDocument {
    /// The provider.
    pub provider: String,
    /// Where it was to go, masked.
    pub to: String,
    /// Whether the provider took it.
    pub sent: bool,
    /// What the provider answered, or why it was not sent; without the code and the number.
    pub reply: String,
    /// The provider's name for the message, where it told one.
    pub id: Option<String>,
}

/// A directory, and how it does.
#[derive(Clone, Debug, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub struct DirectoryDocument {
    /// Its name, as its table in the configuration.
    pub name: String,
    /// Its `type` in the configuration.
    #[zbus(rename = "type")]
    pub kind: String,
    /// `ready`, or `failing`: it did not answer when it was asked last.
    pub state: String,
    /// What it failed with.
    pub last_failure: Option<String>,
    /// When that was.
    pub failed_at: Option<i64>,
}

/// What became of a test of a directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub struct DirectoryTestDocument {
    /// The directory.
    pub name: String,
    /// What keeps it from being used as it is configured; empty where nothing does.
    pub problems: Vec<String>,
    /// Whether it knows the user; absent where nobody was asked for, or with problems.
    pub found: Option<bool>,
    /// The user's telephone, masked.
    pub mobile: Option<String>,
    /// The user's mailbox, masked.
    pub mail: Option<String>,
    /// The user's groups, as far as this directory tells them.
    pub groups: Option<Vec<String>>,
    /// `active`, `disabled` or `expired`.
    pub state: Option<String>,
}

/// One decision, as it was recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub struct AuditRecord {
    /// Ascending number of the record.
    pub id: i64,
    /// When.
    pub time: i64,
    /// What was done: `login`, `enrol`, `confirm`, `revoke`, `enable`, `disable`, `resync`,
    /// `recovery`, `share`, `unlock`, `reset`, `contact`, `issue`, `withdraw` (an issued code was
    /// revoked), `administrator`, `client`, `challenge` (a code was made), `send` (what became of its
    /// message), `test` or `reload`.
    pub event: String,
    /// `ok`, `wrong`, `replay`, `elsewhere`, `locked`, `limited`, `malformed`, `expired`, `disabled`,
    /// `unenrolled`, `skipped`, `denied`, `unavailable`, or of `share` `shown`. The detail of `share`
    /// begins with the transition: `default`, `ok`, `failed`, `noCredential`, `secretAlreadyShared`
    /// or `clientNotFound`.
    pub result: String,
    /// The user, escaped, at most 64 bytes.
    pub user: String,
    /// The PAM service.
    pub service: Option<String>,
    /// The numeric source address, or `local`.
    pub source: Option<String>,
    /// The terminal.
    pub tty: Option<String>,
    /// The method that the code was for.
    pub method: Option<String>,
    /// The token's id.
    pub token: Option<String>,
    /// Consecutive failures after this.
    pub failures: Option<u32>,
    /// First characters of the session's id.
    pub session: Option<String>,
    /// Who called: a user id.
    pub caller: Option<u32>,
    /// Anything more for the administrator.
    pub detail: Option<String>,
}

/// How the daemon is.
#[derive(Clone, Debug, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub struct StatusDocument {
    /// The daemon's version.
    pub version: String,
    /// `ok` or `degraded`.
    pub health: String,
    /// Why it is degraded; empty where it is not.
    pub problems: Vec<String>,
    /// Since when it runs.
    pub since: i64,
    /// Users in the store.
    pub users: u64,
    /// Tokens in the store.
    pub tokens: u64,
    /// Users who are locked or disabled now.
    pub locked: u64,
    /// Clients that are registered.
    pub clients: u64,
    /// How many may be.
    pub clients_most: u32,
    /// The identity of the client that began a login last, granted or not.
    pub last_client: Option<String>,
    /// Where that came from.
    pub last_client_source: Option<String>,
    /// Logins that wait at their prompt now.
    pub sessions: u64,
    /// The store's kind and place.
    pub store: String,
    /// The schema's version.
    pub schema: u32,
    /// Where the key comes from.
    pub key: String,
    /// The files that the configuration in force was read from.
    pub configuration: Vec<String>,
}

/// Options of `Enrol`.
#[derive(Clone, Debug, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}", deny_unknown_fields)]
pub struct EnrolOptions {
    /// The method; `totp` where absent.
    pub method: Option<String>,
    /// The token's label.
    pub label: Option<String>,
    /// When the token is to stop being accepted (Unix milliseconds).
    pub expires: Option<i64>,
    /// Active at once, without a first code; administrators only.
    pub active: Option<bool>,
    /// To be shared later: nobody is told the URI now.
    pub share: Option<bool>,
    /// A code, or a recovery code, of a credential that the user has.
    pub proof: Option<Vec<u8>>,
}

/// Options of `Share`.
#[derive(Clone, Debug, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}", deny_unknown_fields)]
pub struct ShareOptions {
    /// The tenant; needed where the configuration has several names for them.
    pub client: Option<String>,
    /// "Continue": the person has what this session has shown.
    pub result: Option<bool>,
    /// Another key takes the place of what was shared; administrators only.
    pub reshare: Option<bool>,
    /// With `reshare`: it is not shown now, but waits to be shared.
    pub later: Option<bool>,
    /// A code, or a recovery code, of a credential that the user has.
    pub proof: Option<Vec<u8>>,
}

/// What `Share` shows. Without what begins with `oath_` where nothing is shown: those are the names
/// of Nevis, whose `oath_qrcode` is for the client to draw. Wiped when dropped, never printed.
#[derive(Default, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub struct ShareDocument {
    /// The token's id.
    pub token: String,
    /// Whose it is.
    pub user: String,
    /// `code` where its first code makes it active, `ack` where `result` does.
    pub confirm: String,
    /// When the time to confirm it is over.
    pub until: Option<i64>,
    /// The otpauth URI.
    #[zbus(rename = "oath_qrcodeContent")]
    pub content: Option<Vec<u8>>,
    /// `totp` or `hotp`.
    #[zbus(rename = "oath_type")]
    pub kind: Option<String>,
    /// `SHA1`, `SHA256` or `SHA512`.
    #[zbus(rename = "oath_algorithm")]
    pub algorithm: Option<String>,
    /// Length of a code.
    #[zbus(rename = "oath_digits")]
    pub digits: Option<u32>,
    /// Time step in seconds; of TOTP only.
    #[zbus(rename = "oath_period")]
    pub period: Option<u64>,
    /// Counter of the next code; of HOTP only.
    #[zbus(rename = "oath_counter")]
    pub counter: Option<u64>,
    /// What the app calls the account.
    #[zbus(rename = "oath_account")]
    pub account: Option<String>,
    /// What the app calls the issuer.
    #[zbus(rename = "oath_issuer")]
    pub issuer: Option<String>,
    /// The secret in base32.
    #[zbus(rename = "oath_secret")]
    pub secret: Option<Vec<u8>>,
}

impl Drop for ShareDocument {
    fn drop(&mut self) {
        self.content.zeroize();
        self.secret.zeroize();
    }
}

impl std::fmt::Debug for ShareDocument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ShareDocument").field("token", &self.token).finish_non_exhaustive()
    }
}

/// Options of the calls that change something that exists.
#[derive(Clone, Debug, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}", deny_unknown_fields)]
pub struct ChangeOptions {
    /// `Disable`: when the token is enabled again by itself (Unix milliseconds).
    pub until: Option<i64>,
    /// `Disable`: why, for the list and the audit record.
    pub reason: Option<String>,
    /// A code, or a recovery code, of a credential that the user has.
    pub proof: Option<Vec<u8>>,
}

/// Which tokens `ListTokens` returns.
#[derive(Clone, Debug, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}", deny_unknown_fields)]
pub struct TokenFilter {
    /// Of this user.
    pub user: Option<String>,
    /// This one.
    pub id: Option<String>,
    /// Enrolled with this method.
    pub method: Option<String>,
    /// Rows to pass over.
    pub offset: Option<u32>,
    /// Rows to return, at most [`crate::limits::PAGE`].
    pub limit: Option<u32>,
}

/// Which users `ListUsers` returns.
#[derive(Clone, Debug, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}", deny_unknown_fields)]
pub struct UserFilter {
    /// Exactly this user.
    pub user: Option<String>,
    /// Whose name contains this.
    pub search: Option<String>,
    /// Only those who are locked or disabled now.
    pub locked: Option<bool>,
    /// Rows to pass over.
    pub offset: Option<u32>,
    /// Rows to return, at most [`crate::limits::PAGE`].
    pub limit: Option<u32>,
}

/// Which records `Audit` returns: the newest that match, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}", deny_unknown_fields)]
pub struct AuditFilter {
    /// Of this user.
    pub user: Option<String>,
    /// Not before this (Unix milliseconds).
    pub since: Option<i64>,
    /// With a number above this; to follow the record.
    pub after: Option<i64>,
    /// Rows to return, at most [`crate::limits::PAGE`].
    pub limit: Option<u32>,
}
