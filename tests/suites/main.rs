//! The end-to-end suites. Everything runs on machines of `harness`.

mod capacity;
mod configuration;
mod contract;
mod crash;
mod delivery;
mod directories;
mod doors;
mod enrolment;
mod environment;
mod input;
mod leaks;
mod machine;
mod manager;
mod method_files;
mod module;
mod persistence;
mod polkit;
mod prompts;
mod races;
mod requirements;
mod self_service;
mod sharing;
mod sshd;
mod timing;
mod tokens;
mod unprivileged;
