//! The end-to-end suites.
mod machine;
