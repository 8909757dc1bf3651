//! Codes that are delivered.
