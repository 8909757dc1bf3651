//! What a test and its PAM host tell each other: one JSON document a line.

use serde::{Deserialize, Serialize};

/// One `pam_start` … `pam_end`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Request {
    /// The PAM service, a file in /etc/pam.d.
    pub service: String,
    /// PAM_USER, without NUL; `None`: the stack asks for it.
    pub user: Option<Vec<u8>>,
    /// PAM_RHOST.
    pub rhost: Option<String>,
    /// PAM_RUSER.
    pub ruser: Option<String>,
    /// PAM_TTY.
    pub tty: Option<String>,
    /// Entries of the PAM environment, `NAME=VALUE`.
    pub env: Vec<String>,
    /// Flags of `pam_authenticate`.
    pub flags: i32,
    /// What to call; `authenticate` where empty.
    pub calls: Vec<Call>,
    /// No conversation function.
    pub mute: bool,
}

/// A function of an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Call {
    /// `pam_authenticate`
    Authenticate,
    /// `pam_setcred`
    Setcred,
    /// `pam_acct_mgmt`
    Account,
    /// `pam_open_session`
    Session,
    /// `pam_chauthtok`
    Password,
}

/// From the test to the host.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Order {
    /// Run this login; its messages come as [`Report::Messages`].
    Login(Box<Request>),
    /// The answer to the last [`Report::Messages`].
    Answer(Answer),
    /// Fork a process for each login, release all at once, each with its one canned reply.
    Race(Vec<(Request, Vec<u8>)>),
}

/// What the conversation function returns.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Answer {
    /// PAM_SUCCESS and a reply for each message: bytes that may contain NUL, or no reply (NULL).
    Replies(Vec<Option<Vec<u8>>>),
    /// A PAM error code.
    Error(i32),
}

/// From the host to the test.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Report {
    /// The conversation function was called with these (style, text).
    Messages(Vec<(i32, Vec<u8>)>),
    /// The login ended.
    Ended(Ended),
    /// The codes of the race, in the order of its logins.
    Codes(Vec<i32>),
}

/// The end of a login.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Ended {
    /// The code of the last call.
    pub code: i32,
    /// The code of each call.
    pub codes: Vec<i32>,
    /// Time in the calls, without the time in the conversation function.
    pub machine_us: u64,
    /// The longest delay that the stack asked for.
    pub delay_us: u32,
    /// PAM_USER at the end.
    pub user: Option<Vec<u8>>,
}
