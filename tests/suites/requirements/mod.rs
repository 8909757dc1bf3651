//! The requirements by their numbers, end to end.

mod policies;
