//! Putting pam_otp into a service, and taking it out again, so that at no point anybody is locked
//! out for longer than five minutes or let in without a code.
//!
//! The changes are worked out on a copy ([`plan`]), written down together with the files as they
//! were ([`state`]), and undone by an alarm ([`alarm`]) that is set before the first of them is made,
//! unless the administrator keeps them.

mod alarm;
mod authselect;
mod begin;
mod end;
mod every_line;
mod exceptions;
mod file;
mod marks;
mod plan;
mod ready;
mod sshd;
mod stack;
mod stands;
mod state;
mod undo;

pub(crate) use begin::{Wish, begin};
pub(crate) use end::{keep, remove, show, undo, undo_after};
pub(crate) use every_line::every_line;
pub(crate) use stack::First;
