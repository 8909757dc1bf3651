//! Client ends of both interfaces, for a program with a runtime.

use zbus::{Result, proxy};

use crate::{
    AuditFilter, AuditRecord, ChangeOptions, ClientDocument, ClientFilter, ClientOptions,
    CodeDocument, CodeFilter, ContactOptions, Context, DirectoryDocument, DirectoryTestDocument,
    EnrolOptions, ExplainDocument, ExplainQuery, IssueOptions, PolicyDocument, ProviderDocument,
    ShareDocument, ShareOptions, StatusDocument, Step, TestDocument, TokenDocument, TokenFilter,
    UserDocument, UserFilter,
};

/// A login; see `packaging/dbus/org.pamotp.Otpd1.Authentication.xml`.
#[proxy(
    interface = "org.pamotp.Otpd1.Authentication",
    default_service = "org.pamotp.Otpd1",
    default_path = "/org/pamotp/Otpd1"
)]
pub trait Authentication {
    /// Begins a login for `user`; returns the session and its first step.
    fn begin(&self, user: &str, context: &Context) -> Result<(String, Step)>;
    /// Answers the session's prompt.
    fn respond(&self, session: &str, reply: &[u8]) -> Result<(Step,)>;
    /// Goes on with another method.
    fn select(&self, session: &str, method: &str) -> Result<(Step,)>;
    /// Sends another code.
    fn resend(&self, session: &str) -> Result<(Step,)>;
    /// Ends the session without an answer.
    fn cancel(&self, session: &str) -> Result<()>;
}

/// Administration; see `packaging/dbus/org.pamotp.Otpd1.Manager.xml`. A person waits for the answers:
/// polkit may ask for a password.
#[proxy(
    interface = "org.pamotp.Otpd1.Manager",
    default_service = "org.pamotp.Otpd1",
    default_path = "/org/pamotp/Otpd1"
)]
pub trait Manager {
    /// Makes a token; returns its id and the provisioning URI, which is told this once and which
    /// a token of delivered codes has not.
    #[zbus(allow_interactive_auth)]
    fn enrol(&self, user: &str, options: &EnrolOptions) -> Result<(String, Vec<u8>)>;
    /// Makes a pending token active with its first code.
    #[zbus(allow_interactive_auth)]
    fn confirm(&self, token: &str, code: &[u8]) -> Result<()>;
    /// Shows the secret of a token (or of a user's) to this connection, once.
    #[zbus(allow_interactive_auth)]
    fn share(&self, target: &str, options: &ShareOptions) -> Result<(String, ShareDocument)>;
    /// Removes a token for ever.
    #[zbus(allow_interactive_auth)]
    fn revoke(&self, token: &str, options: &ChangeOptions) -> Result<()>;
    /// Accepts a disabled token again.
    #[zbus(allow_interactive_auth)]
    fn enable(&self, token: &str, options: &ChangeOptions) -> Result<()>;
    /// Stops accepting a token until a time or for good.
    #[zbus(allow_interactive_auth)]
    fn disable(&self, token: &str, options: &ChangeOptions) -> Result<()>;
    /// Finds a token's counter or step again from two consecutive codes.
    #[zbus(allow_interactive_auth)]
    fn resync(&self, token: &str, first: &[u8], second: &[u8]) -> Result<()>;
    /// Replaces the user's recovery codes; they are told this once.
    #[zbus(allow_interactive_auth)]
    fn issue_recovery_codes(&self, user: &str, options: &ChangeOptions) -> Result<Vec<Vec<u8>>>;
    /// Ends a lock and forgets the failures.
    #[zbus(allow_interactive_auth)]
    fn unlock(&self, user: &str) -> Result<()>;
    /// Removes all that the store has of the user.
    #[zbus(allow_interactive_auth)]
    fn reset(&self, user: &str) -> Result<()>;
    /// Sets where the user's codes are delivered.
    #[zbus(allow_interactive_auth)]
    fn set_contact(&self, user: &str, contact: &ContactOptions) -> Result<()>;
    /// Lets the user issue codes to others, or no longer.
    #[zbus(allow_interactive_auth)]
    fn set_administrator(&self, user: &str, administrator: bool) -> Result<()>;
    /// Issues a code; returns its id, the code (empty where it was sent) and its end.
    #[zbus(allow_interactive_auth)]
    fn issue_code(&self, user: &str, options: &IssueOptions) -> Result<(String, Vec<u8>, i64)>;
    /// Issued codes that match, and how many match in all.
    #[zbus(allow_interactive_auth)]
    fn list_codes(&self, filter: &CodeFilter) -> Result<(Vec<CodeDocument>, u64)>;
    /// Takes an issued code away at once.
    #[zbus(allow_interactive_auth)]
    fn revoke_code(&self, code: &str) -> Result<()>;
    /// Registers a client of the user; returns its id.
    #[zbus(allow_interactive_auth)]
    fn add_client(&self, user: &str, options: &ClientOptions) -> Result<String>;
    /// Changes a registered client.
    #[zbus(allow_interactive_auth)]
    fn set_client(&self, client: &str, options: &ClientOptions) -> Result<()>;
    /// Removes a client, and the code that would enrol it.
    #[zbus(allow_interactive_auth)]
    fn remove_client(&self, client: &str) -> Result<()>;
    /// Clients that match, and how many match in all.
    #[zbus(allow_interactive_auth)]
    fn list_clients(&self, filter: &ClientFilter) -> Result<(Vec<ClientDocument>, u64)>;
    /// Tokens that match, and how many match in all.
    #[zbus(allow_interactive_auth)]
    fn list_tokens(&self, filter: &TokenFilter) -> Result<(Vec<TokenDocument>, u64)>;
    /// Users that match, and how many match in all.
    #[zbus(allow_interactive_auth)]
    fn list_users(&self, filter: &UserFilter) -> Result<(Vec<UserDocument>, u64)>;
    /// Records of decisions.
    #[zbus(allow_interactive_auth)]
    fn audit(&self, filter: &AuditFilter) -> Result<Vec<AuditRecord>>;
    /// How the daemon is.
    #[zbus(allow_interactive_auth)]
    fn status(&self) -> Result<StatusDocument>;
    /// The policies in order, the built-in one last.
    #[zbus(allow_interactive_auth)]
    fn list_policies(&self) -> Result<Vec<PolicyDocument>>;
    /// Which policy decides about a login, and why.
    #[zbus(allow_interactive_auth)]
    fn explain(&self, user: &str, query: &ExplainQuery) -> Result<ExplainDocument>;
    /// Every provider, and how it does.
    #[zbus(allow_interactive_auth)]
    fn list_providers(&self) -> Result<Vec<ProviderDocument>>;
    /// Sends a test message over one provider.
    #[zbus(allow_interactive_auth)]
    fn test_provider(&self, provider: &str, destination: &str) -> Result<TestDocument>;
    /// Every directory, and how it does.
    #[zbus(allow_interactive_auth)]
    fn list_directories(&self) -> Result<Vec<DirectoryDocument>>;
    /// Connects to a directory and asks it for a user; for nobody where `user` is empty.
    #[zbus(allow_interactive_auth)]
    fn test_directory(&self, name: &str, user: &str) -> Result<DirectoryTestDocument>;
    /// Reads the configuration again.
    #[zbus(allow_interactive_auth)]
    fn reload(&self) -> Result<()>;

    /// The daemon's version.
    #[zbus(property)]
    fn version(&self) -> Result<String>;
    /// The version of the interfaces.
    #[zbus(property)]
    fn interface_version(&self) -> Result<u32>;
    /// `ok` or `degraded`.
    #[zbus(property)]
    fn health(&self) -> Result<String>;
}
