//! The decision of who may log in with which code, as pure functions: RFC 4226, RFC 6238, windows,
//! replay protection, lockout, recovery codes, issued codes, clients, enrolment and sharing. No I/O,
//! no clock, no random source:
//! the time and the entropy are arguments, so that every rule can be tested at any moment.
#![forbid(unsafe_code)]

pub mod account;
pub mod base32;
pub mod client;
pub mod code;
pub mod consume;
pub mod contact;
mod decoy;
pub mod enrolment;
pub mod error;
pub mod hotp;
pub mod import;
pub mod issued;
pub mod out_of_band;
pub mod policy;
pub mod recovery;
pub mod restore;
pub mod resync;
pub mod schedule;
pub mod secret;
pub mod share;
pub mod throttle;
pub mod token;
pub mod totp;
pub mod uri;
pub mod window;
