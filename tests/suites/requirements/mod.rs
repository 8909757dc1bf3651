//! The numbered requirements of the source systems, end to end: the name of each test begins with
//! the numbers of the lines that it shows.

mod nevis;
