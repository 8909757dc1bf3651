//! The D-Bus service: who calls, what they may, and nothing else. The use cases are the engine's.

mod authentication;
mod authorize;
mod bus;
mod caller;
mod direct;
mod error;
mod limits;
mod manager;

pub use bus::serve as serve_bus;
pub use direct::serve as serve_direct;
