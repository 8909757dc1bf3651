//! The documents of policies: what there is, and which of them decides and why.

use zbus::{DeserializeDict, SerializeDict, Type};

/// A policy, in the words of the configuration; an empty list of what it matches is no restriction.
#[derive(Clone, Debug, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub struct PolicyDocument {
    /// Its name.
    pub name: String,
    /// PAM services that it matches.
    pub service: Vec<String>,
    /// Users.
    pub user: Vec<String>,
    /// Groups.
    pub group: Vec<String>,
    /// Networks, and `local`.
    pub source: Vec<String>,
    /// Terminals.
    pub terminal: Vec<String>,
    /// Clients: `known`, `unknown` and identities.
    pub client: Vec<String>,
    /// Times of the week.
    pub time: Vec<String>,
    /// `require`, `skip` or `deny`.
    pub factor: String,
    /// `deny`, `ignore` or `enrol`.
    pub unenrolled: String,
    /// Methods that users may enrol themselves with.
    pub enrol: Vec<String>,
    /// Methods that are accepted; empty: all.
    pub methods: Vec<String>,
    /// Whether password and code may come in one field.
    pub concatenate: bool,
    /// Whether the prompt names the ways by which codes are sent, and sends none by itself.
    pub choice: bool,
    /// For how long a client need not repeat the code.
    pub remember_ms: Option<u64>,
    /// Whether it is the last one, which is always there.
    pub built_in: bool,
}

/// A login that `Explain` is asked about. What is absent is as at the console, now.
#[derive(Clone, Debug, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}", deny_unknown_fields)]
pub struct ExplainQuery {
    /// The PAM service.
    pub service: Option<String>,
    /// A numeric address, or `local`; of anything else it is not known where it is.
    pub source: Option<String>,
    /// The terminal.
    pub tty: Option<String>,
    /// The client's identity.
    pub client: Option<String>,
    /// When (Unix milliseconds).
    pub time: Option<i64>,
}

/// Why a policy that comes earlier does not decide, for one key.
#[derive(Clone, Debug, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub struct MismatchDocument {
    /// The policy.
    pub policy: String,
    /// The key of its `match`.
    pub key: String,
    /// The values that it wants one of.
    pub wanted: Vec<String>,
    /// What the login has.
    pub found: String,
    /// False where what the login has is unknown, and a stricter policy decides.
    pub certain: bool,
}

/// What would become of a login, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub struct ExplainDocument {
    /// The user as asked for.
    pub user: String,
    /// The account's own name, where the directory has the user; absent where it has none, and
    /// where it does not answer, which `directory` tells.
    pub account: Option<String>,
    /// Why a directory does not answer, where one does not that the login depends on.
    pub directory: Option<String>,
    /// Why nobody is let in by a code: what a directory says of the account, or the register of the
    /// client.
    pub refused: Option<String>,
    /// Whether the user has a confirmed token; absent where the store does not answer.
    pub enrolled: Option<bool>,
    /// The user's groups; absent where they cannot be looked up.
    pub groups: Option<Vec<String>>,
    /// The PAM service.
    pub service: String,
    /// The address, `local` or `unknown`.
    pub source: String,
    /// The terminal.
    pub tty: Option<String>,
    /// The client's identity.
    pub client: Option<String>,
    /// When.
    pub time: i64,
    /// The day and the time there, such as `Mon 08:00`; absent where the zone cannot be told.
    pub local_time: Option<String>,
    /// The policies that come earlier and do not decide, in order; one entry for each key.
    pub passed: Vec<MismatchDocument>,
    /// The policy that decides.
    pub policy: String,
    /// Whether it is the last one, which is always there.
    pub built_in: bool,
    /// Why it decides: it `matches`; the `groups` cannot be looked up, and a code is required; it is
    /// `stricter` than what would follow, and whether it matches is unknown.
    pub cause: String,
    /// What follows: `skip` (nothing is asked), `code` (a code is asked for), `enrol` (the user gets
    /// a first credential), `ignore` (not enrolled: nothing is asked where the PAM stack says
    /// `nullok`, elsewhere denied) or `deny` (a code is asked for and none will do).
    pub outcome: String,
    /// Methods that are accepted; empty: all.
    pub methods: Vec<String>,
    /// Methods that users may enrol themselves with.
    pub enrol: Vec<String>,
    /// Whether password and code may come in one field.
    pub concatenate: bool,
    /// For how long a client that gives the code need not repeat it.
    pub remember_ms: Option<u64>,
}
