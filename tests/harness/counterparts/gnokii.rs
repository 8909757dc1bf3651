//! gnokii with its fake phone driver.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use super::{Counterpart, Received, folder, pdu};
use crate::otpd::give_to_daemon;

/// Keeps what gnokii says; what the fake driver gets is among it.
const WRAPPER: &str = r#"#!/bin/sh
said=$(/usr/bin/gnokii "$@" 2>&1)
status=$?
printf '%s\n' "$said" | tee -a FOLDER/said
exit $status
"#;
const CONFIGURATION: &str = "[global]\nmodel = fake\nconnection = serial\nport = /dev/null\n";

/// A program that is gnokii.
pub struct Gnokii(PathBuf);

impl Gnokii {
    pub(crate) fn install() -> Self {
        let folder = PathBuf::from(folder("gnokii"));
        let program = folder.join("gnokii");
        fs::write(folder.join("gnokiirc"), CONFIGURATION).unwrap();
        fs::write(&program, WRAPPER.replace("FOLDER", folder.to_str().unwrap())).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(folder.join("said"), "").unwrap();
        give_to_daemon(folder.join("said").to_str().unwrap(), 0o600);
        Self(folder)
    }
}

impl Counterpart for Gnokii {
    fn provider(&self, name: &str) -> String {
        let folder = self.0.display();
        format!(
            "[provider.sms.{name}]\ntype = \"gnokii\"\npath = \"{folder}/gnokii\"\nconfig = \"{folder}/gnokiirc\"\n"
        )
    }

    fn messages(&self) -> Vec<Received> {
        let said = fs::read(self.0.join("said")).unwrap();
        let said = String::from_utf8_lossy(&said);
        let told = said.lines().skip_while(|line| !line.starts_with("AT+CMGS="));
        // A message ends with Ctrl-Z.
        let sent = told.filter_map(|line| line.split_once('\u{1a}'));
        pdu::join(sent.map(|(digits, _)| pdu::submit(&pdu::hex(digits))))
    }
}
