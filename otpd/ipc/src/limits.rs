//! Bounds that both ends hold. What is longer is refused before it is looked at.

/// Longest user name in bytes (Linux' own limit is 256 with the NUL).
pub const USER_NAME: usize = 256;
/// Longest value of a context item in bytes; the module cuts longer ones.
pub const CONTEXT_ITEM: usize = 256;
/// Longest public key of a login in bytes, in base64; the module leaves longer ones out. A key of
/// RSA with 16384 bits has 2800.
pub const SSH_KEY: usize = 4096;
/// Longest reply of a person in bytes, as libpam's own limit (PAM_MAX_RESP_SIZE).
pub const REPLY: usize = 512;
/// Longest label of a token, reason or filter text in bytes.
pub const TEXT: usize = 128;
/// Longest message that the module accepts from the daemon, in bytes.
pub const MESSAGE: usize = 64 * 1024;
/// Most rows that one call returns.
pub const PAGE: u32 = 1000;
