//! What can be wrong with an argument.

/// Why a value is refused. The text says what is allowed; it never repeats a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Key material of a wrong length.
    #[error("a secret is 10 to 128 bytes long")]
    SecretLength,
    /// Not base32.
    #[error("a base32 secret has only the characters A-Z and 2-7")]
    Base32,
    /// Digits out of range.
    #[error("a code has 4 to 8 digits")]
    Digits,
    /// A user name that no system has.
    #[error(
        "a user name is 1 to 256 bytes of UTF-8, without '/', ':', white space at its ends and control characters, is not '.' or '..', and does not start with '-'"
    )]
    UserName,
    /// A label or other text.
    #[error("a text is at most 128 bytes long and has no control characters")]
    Text,
    /// The identity of a client.
    #[error(
        "the ID of a client is 1 to 128 bytes long, without control characters and white space at its ends"
    )]
    Identity,
    /// When a client may be used.
    #[error("allowed are \"always\", \"disabled\" and times such as \"Mon..Fri 08:00-18:00\"")]
    Enabling,
    /// A telephone number that is none.
    #[error(
        "a telephone number is '+', the country code and the number: 7 to 15 digits in all, such as +491701234581"
    )]
    PhoneNumber,
    /// A mail address that is none.
    #[error(
        "a mail address is local@domain of ASCII characters, at most 254, without quotes, spaces and a name"
    )]
    MailAddress,
    /// An otpauth URI that cannot be used.
    #[error("not an otpauth URI that can be used: {0}")]
    Uri(&'static str),
    /// The token is in a state in which this cannot be done.
    #[error("{0}")]
    State(&'static str),
}
