//! The numbered requirements that only the whole system shows: each test's name begins with its
//! number.

mod thinknx;
