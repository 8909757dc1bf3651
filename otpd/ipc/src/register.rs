//! The documents of issued codes and clients, each an `a{sv}` on the wire. Of these only an issued
//! code is a secret, and is told to those who may issue codes. Times are Unix milliseconds,
//! durations milliseconds.

use zbus::{DeserializeDict, SerializeDict, Type};

/// Options of `IssueCode`. What is absent is as the configuration has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}", deny_unknown_fields)]
pub struct IssueOptions {
    /// How long the code is good.
    pub valid_for_ms: Option<u64>,
    /// How often it may be given.
    pub uses: Option<u32>,
    /// The only PAM service at which it is good.
    pub service: Option<String>,
    /// `local`, `remote` or `both`.
    pub scope: Option<String>,
    /// Why, for the list and the audit record.
    pub reason: Option<String>,
    /// `sms` or `email`: send it to the user, and do not return it.
    pub send: Option<String>,
    /// The id of the client that it enrols.
    pub client: Option<String>,
}

/// Which codes `ListCodes` returns.
#[derive(Clone, Debug, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}", deny_unknown_fields)]
pub struct CodeFilter {
    /// Of this user.
    pub user: Option<String>,
    /// This one.
    pub id: Option<String>,
    /// Rows to pass over.
    pub offset: Option<u32>,
    /// Rows to return, at most [`crate::limits::PAGE`].
    pub limit: Option<u32>,
}

/// An issued code.
#[derive(Clone, Debug, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub struct CodeDocument {
    /// Opaque identity.
    pub id: String,
    /// Whom it was issued to.
    pub user: String,
    /// `open`, `used` or `expired`.
    pub state: String,
    /// The code, where it is good, is kept and may be read by the caller.
    pub code: Option<Vec<u8>>,
    /// When it was issued.
    pub issued: i64,
    /// When it stops being good.
    pub expires: i64,
    /// How much of its time is left, 0 where it is over.
    pub left_ms: u64,
    /// How often it may still be given.
    pub uses_left: u32,
    /// The only PAM service at which it is good.
    pub service: Option<String>,
    /// `local`, `remote` or `both`.
    pub scope: String,
    /// Why it was issued.
    pub reason: Option<String>,
    /// Who issued it: a user id.
    pub issued_by: u32,
    /// The id of the client that it enrols.
    pub client: Option<String>,
}

/// What `AddClient` and `SetClient` set. What is absent is left as it is or takes its default.
#[derive(Clone, Debug, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}", deny_unknown_fields)]
pub struct ClientOptions {
    /// What it is, for people.
    pub description: Option<String>,
    /// What tells it from others.
    pub identity: Option<String>,
    /// `always`, `disabled` or times such as `Mon..Fri 08:00-18:00`.
    pub enabling: Option<String>,
    /// Whether push notifications go there.
    pub push: Option<bool>,
}

/// Which clients `ListClients` returns.
#[derive(Clone, Debug, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}", deny_unknown_fields)]
pub struct ClientFilter {
    /// Of this user.
    pub user: Option<String>,
    /// This one.
    pub id: Option<String>,
    /// Whose user or description contains this; with `show_identities` also whose identity.
    pub search: Option<String>,
    /// Tell identities, which are masked otherwise; administrators only.
    pub show_identities: Option<bool>,
    /// Rows to pass over.
    pub offset: Option<u32>,
    /// Rows to return, at most [`crate::limits::PAGE`].
    pub limit: Option<u32>,
}

/// A client.
#[derive(Clone, Debug, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub struct ClientDocument {
    /// Opaque identity of the entry.
    pub id: String,
    /// Whose it is.
    pub user: String,
    /// What it is, for people.
    pub description: String,
    /// What tells it from others: empty while it is not bound, 36 asterisks where it is masked.
    pub identity: String,
    /// `always`, `disabled` or times such as `Mon..Fri 08:00-18:00`.
    pub enabling: String,
    /// Whether it may be used now.
    pub enabled: bool,
    /// Whether push notifications go there.
    pub push: bool,
    /// Whether its user may issue codes.
    pub administrator: bool,
    /// When it was registered or remembered.
    pub created: i64,
    /// The last login from it.
    pub last: Option<i64>,
    /// Where that came from.
    pub last_source: Option<String>,
    /// The PAM service at which it is remembered; absent for a registered one, as the next.
    pub service: Option<String>,
    /// Until when it is remembered.
    pub until: Option<i64>,
}
