//! `pam_otp.so`: the PAM module for one-time codes.
//!
//! It decides nothing. otpd says what to ask and whether the answer is right; the module asks, shows
//! and maps the outcome to PAM's codes. It starts no thread, reads no environment, opens no file and
//! keeps nothing between calls.
#![deny(unsafe_code)]

mod args;
mod bus;
mod dialogue;
mod ffi;
mod host;
mod outcome;

use std::{ffi::CStr, sync::Once, time::Duration};

use nix::unistd::geteuid;
use otp_ipc::names;
use pam::{
    constants::{PAM_SILENT, PamFlag, PamResultCode},
    module::{PamHandle, PamHooks},
};

use crate::{
    args::Options,
    bus::{Client, Lane},
    host::{Host as _, Priority},
    outcome::Outcome,
};

/// How long libpam makes a denied login last, about.
const FAIL_DELAY: Duration = Duration::from_secs(2);

/// The six entry points, the only symbols that the module exports.
mod entry {
    use super::PamOtp;

    pam::pam_hooks!(PamOtp);
}

/// The module, to pam-bindings. A panic below any of these becomes `PAM_ABORT`.
struct PamOtp;

impl PamHooks for PamOtp {
    fn sm_authenticate(handle: &mut PamHandle, args: Vec<&CStr>, flags: PamFlag) -> PamResultCode {
        silence_panics();
        let outcome = authenticate(handle, &args, flags);
        match &outcome {
            Outcome::Granted | Outcome::NotRequired => {}
            Outcome::Denied => handle.fail_delay(FAIL_DELAY),
            Outcome::Conversation => {
                handle.log(Priority::Notice, "no code: the conversation with the person failed");
            }
            Outcome::Unavailable(why) => {
                handle.log(Priority::Critical, &format!("no code can be checked: {why}"));
            }
            Outcome::Misconfigured(why) => {
                handle
                    .log(Priority::Error, &format!("{why}; nobody gets in before that is changed"));
            }
        }
        outcome.code()
    }

    fn sm_setcred(_: &mut PamHandle, _: Vec<&CStr>, _: PamFlag) -> PamResultCode {
        PamResultCode::PAM_SUCCESS
    }

    fn acct_mgmt(handle: &mut PamHandle, _: Vec<&CStr>, _: PamFlag) -> PamResultCode {
        unsupported(handle)
    }

    fn sm_chauthtok(handle: &mut PamHandle, _: Vec<&CStr>, _: PamFlag) -> PamResultCode {
        unsupported(handle)
    }

    fn sm_open_session(handle: &mut PamHandle, _: Vec<&CStr>, _: PamFlag) -> PamResultCode {
        unsupported(handle)
    }

    fn sm_close_session(handle: &mut PamHandle, _: Vec<&CStr>, _: PamFlag) -> PamResultCode {
        unsupported(handle)
    }
}

/// An `account`, `password` or `session` line. To ignore it would let it count as nothing.
fn unsupported(handle: &mut PamHandle) -> PamResultCode {
    silence_panics();
    let why = "pam_otp is for lines of type auth only; remove this line from the PAM configuration";
    handle.log(Priority::Error, why);
    Outcome::Misconfigured(why.to_owned()).code()
}

fn authenticate(handle: &mut PamHandle, args: &[&CStr], flags: PamFlag) -> Outcome {
    let mut options = match Options::parse(args) {
        Ok(options) => options,
        Err(why) => return Outcome::Misconfigured(why),
    };
    options.no_warn |= flags & PAM_SILENT != 0;
    #[cfg(feature = "test-panic")]
    #[expect(clippy::panic, reason = "the purpose of the feature")]
    if options.panic {
        panic!("option panic");
    }
    let lane = lane(handle, &options);
    let mut client = Client::new(lane, options.timeout);
    dialogue::drive(handle, &mut client, &options)
}

/// Root's logins go to otpd's own socket, which nobody else can reach or crowd.
fn lane(handle: &mut PamHandle, options: &Options) -> Lane {
    let path = match &options.bus {
        None if geteuid().is_root() => return Lane::Direct(options.socket.clone()),
        None => names::SYSTEM_BUS_SOCKET.to_owned(),
        Some(path) => path.clone(),
    };
    Lane::Bus(path, ffi::uid_of(handle, names::DAEMON_USER))
}

/// Keeps a panic from writing to the host's standard error, which may be a log, a terminal or some
/// other file by now. The hook is the one of the module's own copy of std: neither the host nor
/// another module written in Rust shares it. It also never looks at RUST_BACKTRACE.
fn silence_panics() {
    static SILENCED: Once = Once::new();
    SILENCED.call_once(|| std::panic::set_hook(Box::new(|_| {})));
}
