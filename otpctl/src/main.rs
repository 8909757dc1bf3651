//! `otpctl`: manages one-time-password tokens, users and the daemon otpd over the system bus.
#![forbid(unsafe_code)]

mod bus;
mod caller;
mod cli;
mod commands;
mod doctor;
mod failure;
mod given_file;
mod import;
mod key_credential;
mod login;
mod manual;
mod method;
mod program;
mod render;
mod secret_file;
mod service_manager;
mod setup;
mod sources;
mod time;
mod tool;
mod tty;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use crate::cli::Cli;
use crate::failure::{Exit, Failure};

fn main() -> ExitCode {
    // A secret passes through this process: no core file, no ptrace by the user's other programs.
    let _ = nix::sys::prctl::set_dumpable(false);
    let json = std::env::args_os().any(|argument| argument == "--json");
    let outcome = match Cli::try_parse() {
        Ok(cli) => commands::run(cli),
        Err(error) if error.use_stderr() && json => {
            let text = error.render().to_string();
            Err(Failure::usage(text.trim_start_matches("error: ").trim_end()))
        }
        Err(error) => error.exit(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            report(&failure, json);
            failure.exit.into()
        }
    }
}

/// Tells what failed on standard error; there is nowhere to turn if that fails as well.
fn report(failure: &Failure, json: bool) {
    #[derive(serde::Serialize)]
    struct Document<'a> {
        error: &'a str,
        message: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        lasterror: Option<u32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        lasterrorinfo: Option<&'a str>,
    }
    if failure.exit == Exit::Closed {
        return;
    }
    let document = Document {
        error: failure.error,
        message: &failure.message,
        lasterror: failure.code,
        lasterrorinfo: failure.code.map(|_| failure.message.as_str()),
    };
    let line = match render::json_line(&document) {
        Ok(line) if json => line.to_string(),
        _ => format!("otpctl: {}", failure.message),
    };
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
