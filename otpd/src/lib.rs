//! The daemon that decides.

pub mod clock;
pub mod config;
pub mod journal;
pub mod notify;
