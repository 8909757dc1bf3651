//! The numbered lines of the requirements, each with a test that has its number in its name.

mod gluu;
