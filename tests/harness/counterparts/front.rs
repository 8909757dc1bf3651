//! TLS in front of a server that has none.

use super::{await_port, certificates::Certificate, free_port, python};
use crate::process::Process;

/// A running front; ends when dropped.
pub struct Front {
    _process: Process,
    /// Where it takes connections, on 127.0.0.1.
    pub port: u16,
}

impl Front {
    /// Passes on what comes to a port of its own to `target`, a port of 127.0.0.1.
    pub fn new(target: u16, certificate: &Certificate) -> Self {
        let port = free_port();
        let ports = [port.to_string(), target.to_string()];
        let process = Process::start(
            python("tls.py").args(ports).args([&certificate.certificate, &certificate.key]),
        );
        await_port("the front", port);
        Self { _process: process, port }
    }
}
