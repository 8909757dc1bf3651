//! What a login brings along besides the user's name.

use zbus::{DeserializeDict, SerializeDict, Type};

/// The `context` argument of `Authentication.Begin` (`a{sv}`). Everything in it is the word of the
/// caller; none of it is trusted to identify anybody. Unknown keys are ignored, so that a newer
/// module works with an older daemon.
#[derive(Clone, Debug, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub struct Context {
    /// PAM_SERVICE, for example `sshd`.
    pub service: Option<String>,
    /// PAM_RHOST; a host name or an address, unset for local logins.
    pub rhost: Option<String>,
    /// PAM_RUSER; who asks, under sudo and su.
    pub ruser: Option<String>,
    /// PAM_TTY.
    pub tty: Option<String>,
    /// SSH_CONNECTION from the PAM environment: client address and port, server address and port.
    pub ssh_connection: Option<String>,
    /// The methods that sshd has completed, from SSH_AUTH_INFO_0: names joined by commas.
    pub ssh_auth_info: Option<String>,
    /// The language of texts, as `LANG` has it in the PAM environment: `de_AT.UTF-8`.
    pub language: Option<String>,
    /// The public key that sshd has accepted, from SSH_AUTH_INFO_0: base64, as in authorized_keys,
    /// at most [`crate::limits::SSH_KEY`] bytes.
    pub ssh_key: Option<String>,
    /// Option `method=`: ask for this method only.
    pub method: Option<String>,
    /// Option `mode=`: `second` (default), `challenge` (send a code for the next login, in which
    /// password and code come in one field) or `issued`.
    pub mode: Option<String>,
    /// Option `nullok`: the stack accepts "not enrolled" where the policy does as well.
    pub nullok: Option<bool>,
    /// Password and code may come in one field (`use_first_pass`, `try_first_pass`,
    /// `forward_pass`): the prompt is to carry `split`.
    pub concatenated: Option<bool>,
    /// PAM_SILENT: no notices.
    pub silent: Option<bool>,
}
