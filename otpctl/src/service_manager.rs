//! otpd.service as systemd manages it, where it does.

use std::path::Path;

use nix::sys::signal::{SigSet, Signal};

use crate::failure::Failure;
use crate::tool::Tool;

const SERVICE: &str = "otpd.service";
/// What ends a program that is waited for.
const INTERRUPTIONS: [Signal; 4] =
    [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT];

/// Whether systemd manages this machine; as sd_booted(3) finds out.
pub(crate) fn has_systemd() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// Does `work` while otpd.service does not run, and starts it again afterwards if it ran before,
/// whatever came of the work. The socket stays: a login meanwhile waits, and the daemon that it has
/// started waits for the store's lock. Nothing interrupts this program from here on: it ends soon,
/// and not before it has told what it did. Where systemd does not run, nothing is stopped, and the
/// store's lock says whether a daemon has to be.
///
/// # Errors
/// Those of `work`, and that the service cannot be stopped or started again.
pub(crate) fn without_daemon<T>(
    verb: &str,
    work: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    if !has_systemd() {
        return work();
    }
    let blocked = INTERRUPTIONS.into_iter().collect::<SigSet>().thread_block();
    blocked.map_err(|error| Failure::failed(format!("{verb}: {error}")))?;
    let ran = runs()?;
    let done = systemctl("stop").and_then(|()| work());
    // A start that a login began meanwhile was given the credentials of before the work, and fails
    // where they do not fit any more: the next one is given those of now.
    let start = || systemctl("start").or_else(|_| systemctl("start"));
    let back = if ran { start() } else { Ok(()) };
    match (done, back) {
        (done, Ok(())) => done,
        (Ok(_), Err(failure)) => Err(Failure::failed(format!(
            "{verb}: done, but otpd does not start again: {}; see `journalctl -u otpd`",
            failure.message
        ))),
        (Err(failure), Err(back)) => {
            let back = back.message;
            Err(failure.and(format!("otpd does not start again: {back}")))
        }
    }
}

/// Whether it is there for logins, or on its way.
fn runs() -> Result<bool, Failure> {
    let state = Tool::need("systemctl", &["show", "--property=ActiveState", "--value", SERVICE])?;
    let state = state.run()?;
    Ok(matches!(state.trim(), "active" | "activating" | "reloading" | "refreshing"))
}

fn systemctl(verb: &str) -> Result<(), Failure> {
    Tool::need("systemctl", &[verb, SERVICE])?.run().map(drop)
}
