//! SSSD's InfoPipe, as sssd-ifp(5) and its introspection describe it.

use std::{fs, path::PathBuf, process::Stdio};

use super::Person;
use crate::{
    counterparts::{folder, python},
    process::{Process, until},
};

const POLICY: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <policy user="root"><allow own="org.freedesktop.sssd.infopipe"/></policy>
  <policy context="default"><allow send_destination="org.freedesktop.sssd.infopipe"/></policy>
</busconfig>
"#;

/// Lets SSSD have its name on the bus; before the bus starts.
pub(crate) fn permit() {
    fs::write("/etc/dbus-1/system.d/org.freedesktop.sssd.infopipe.conf", POLICY).unwrap();
}

/// A running InfoPipe; ends when dropped.
pub struct Infopipe {
    process: Option<Process>,
    folder: PathBuf,
}

impl Infopipe {
    pub(crate) fn start(people: &[Person]) -> Self {
        let folder = PathBuf::from(folder("infopipe"));
        let person = |person: &Person| {
            serde_json::json!({
                "name": person.name,
                "groups": person.groups,
                "attributes": { "mobile": [person.mobile], "mail": [person.mail] },
            })
        };
        let people: Vec<_> = people.iter().map(person).collect();
        let text = serde_json::to_string(&people).unwrap();
        fs::write(folder.join("people"), text).unwrap();
        let mut pipe = Self { process: None, folder };
        pipe.restart();
        pipe
    }

    /// Starts it again after [`Infopipe::stop`].
    pub fn restart(&mut self) {
        let ready = self.folder.join("ready");
        let _ = fs::remove_file(&ready);
        let mut script = python("infopipe.py");
        script.arg(self.folder.join("people")).arg(&ready).stdout(Stdio::null());
        self.process = Some(Process::start(&mut script));
        until("InfoPipe is on the bus", || ready.exists());
    }

    /// Ends it.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// It is there and does nothing.
    pub fn freeze(&self) {
        self.process.as_ref().expect("it runs").signal(nix::sys::signal::Signal::SIGSTOP);
    }
}
