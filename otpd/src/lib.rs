//! The daemon that decides who may log in with which one-time code.

pub mod keys;
pub mod store;
