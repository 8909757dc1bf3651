//! What the systems that this one follows promise, line by line: a test's name begins with the
//! number of the line that it shows.

mod gluu;
mod nevis;
mod policies;
mod thinknx;
mod ubisecure;
