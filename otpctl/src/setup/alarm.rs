//! What undoes a setup that nobody keeps: a timer of systemd, which goes on after a reboot, or,
//! where systemd does not run, a process of our own.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::state::Record;
use crate::failure::Failure;
use crate::service_manager::has_systemd;
use crate::tool::Tool;

/// How long a setup waits to be kept; `otpctl-undo.timer` says the same.
pub(super) const WAIT: Duration = Duration::from_secs(5 * 60);
const TIMER: &str = "otpctl-undo.timer";

/// Sets the alarm. It is set when this returns, before anything is changed.
pub(super) fn arm(record: &Record) -> Result<(), Failure> {
    let armed = if has_systemd() { arm_timer() } else { start_process(record) };
    armed.map_err(|failure| failure.and("nothing would undo the setup; nothing was changed"))
}

/// Enabled, it begins anew at every boot.
fn arm_timer() -> Result<(), Failure> {
    Tool::need("systemctl", &["--quiet", "enable", TIMER])?.run()?;
    Tool::need("systemctl", &["restart", TIMER])?.run()?;
    Ok(())
}

/// A process that outlives this one and its terminal; it says when it is ready.
fn start_process(record: &Record) -> Result<(), Failure> {
    let failed =
        |error: std::io::Error| Failure::failed(format!("the undo does not start: {error}"));
    let mut child = Command::new("/proc/self/exe")
        .arg0("otpctl")
        .args(["setup", "--quiet", "--undo-after", &WAIT.as_secs().to_string()])
        .args(["--id", &record.id])
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    let mut ready = [0; READY.len()];
    let told = child.stdout.take().map(|mut told| told.read_exact(&mut ready));
    if matches!(told, Some(Ok(()))) && ready == READY {
        return Ok(());
    }
    Err(Failure::failed("the process that would undo the setup does not start"))
}

/// What the process says before it waits.
pub(super) const READY: [u8; 6] = *b"ready\n";

/// Takes the alarm back. A process finds by itself that its setup waits no longer.
pub(super) fn disarm() -> Result<(), Failure> {
    if has_systemd() {
        Tool::need("systemctl", &["--quiet", "disable", "--now", TIMER])?.run()?;
    }
    Ok(())
}
