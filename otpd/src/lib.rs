//! otpd as a library: the rooms of the daemon; `main.rs` opens the doors.

pub mod audit;
pub mod clock;
pub mod config;
pub mod contained;
pub mod directory;
pub mod engine;
mod export;
pub mod import;
pub mod journal;
pub mod keys;
pub mod maintenance;
pub mod notify;
pub mod poster;
pub mod process;
mod pskc;
pub mod service;
pub mod store;
pub mod template;
pub mod text;
