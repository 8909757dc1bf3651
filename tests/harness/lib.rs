//! A private machine for each end-to-end test, and the programs that run on it.
//!
//! [`World::run`] gives the test a thread of its own in a private mount namespace: own `/etc`
//! (accounts, PAM stacks, sudoers), `/run`, `/var/lib`, `/home`, `/dev` with a log sink; and in a
//! private network that ends at loopback. On it run the real dbus-daemon or dbus-broker, polkitd,
//! otpd, sshd, sudo, su, a PAM host on the real libpam, and whom codes are delivered to
//! ([`counterparts`]). Every path is the compiled-in one. Nothing outside the namespaces changes and
//! nothing stays.
//!
//! [`Machine::run`] gives the test a whole system that has booted, see [`machine`].

pub mod authenticators;
pub mod bus;
pub mod code;
pub mod counterparts;
pub mod directories;
pub mod golden;
mod log;
pub mod machine;
mod namespace;
pub mod otpd;
pub mod pam;
pub mod polkit;
pub mod process;
pub mod protocol;
pub mod screen;
pub mod settings;
pub mod sshd;
pub mod terminal;
mod world;

pub use bus::{Bus, BusKind};
pub use code::Token;
pub use counterparts::{Counterpart, Received};
pub use log::Log;
pub use machine::{Distribution, Machine};
pub use namespace::{ALICE, BOB, MODULE, NOBODY, PANIC_MODULE, PASSWORD, PROGRAMS, crowd};
pub use otpd::Otpd;
pub use pam::{Host, Login, Outcome};
pub use polkit::Polkit;
pub use screen::Screen;
pub use world::World;
