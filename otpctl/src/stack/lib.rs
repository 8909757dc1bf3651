//! The PAM stacks of a machine: read as Linux-PAM reads them, and run as it runs them.
//!
//! [`Machine`] reads a service's files into [`Line`]s, each with its file and line number.
//! [`Dispatcher`] combines what the modules return as libpam does. A [`Stack`] answers what can
//! come of a login: which answers of its modules, if any, let somebody in.
#![forbid(unsafe_code)]

mod assemble;
mod code;
mod control;
mod dispatch;
mod line;
mod module;
mod question;
mod read;

pub use code::{Code, Codes};
pub use control::{Action, Control};
pub use dispatch::Dispatcher;
pub use line::{Entry, Kind, Line, Place, Problem, Service};
pub use module::{Mode, Role};
pub use question::{Case, First, Judged, Other, Run, Stack, Step};
pub use read::Machine;
