//! otpauth URIs, one a line, as apps read them. They do not tell which codes of a time-based token
//! were used.

use otp_core::{token::Token, uri};
use zeroize::Zeroizing;

use super::{LeftOut, Writer, joined, line};

pub(super) struct Lines {
    issuer: String,
    lines: Vec<Zeroizing<String>>,
}

impl Lines {
    pub(super) fn new(issuer: String) -> Self {
        Self { issuer, lines: Vec::new() }
    }
}

impl Writer for Lines {
    fn add(&mut self, user: &str, token: &Token) -> Result<(), LeftOut> {
        let uri = uri::provisioning(token, &self.issuer, user);
        let uri = uri.map_err(|error| error.to_string())?;
        self.lines.push(line(&[&uri, "\n"]));
        Ok(())
    }

    fn finish(self: Box<Self>) -> Zeroizing<Vec<u8>> {
        joined(&self.lines)
    }
}
