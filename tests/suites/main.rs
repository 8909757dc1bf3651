//! The end-to-end suites. Everything runs on machines of `harness`.

mod capacity;
mod clients;
mod configuration;
mod contract;
mod crash;
mod delivery;
mod doors;
mod environment;
mod input;
mod leaks;
mod machine;
mod manager;
mod module;
mod persistence;
mod polkit;
mod races;
mod requirements;
mod self_service;
mod sshd;
mod timing;
mod tokens;
mod unprivileged;
