//! Ids as they are typed: 32 hexadecimal digits, of which the first ones may stand for them all.

use crate::failure::{Exit, Failure};

/// Length of an id: 16 bytes in hexadecimal.
const ID: usize = 32;
/// Fewest characters that may stand for an id.
const PREFIX: usize = 6;

/// The id as it was typed, in lower case; `what` it is of, and the `list` that shows it.
pub(super) fn typed(id: &str, what: &str, list: &str) -> Result<String, Failure> {
    let id = id.to_ascii_lowercase();
    if (PREFIX..=ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(id);
    }
    Err(Failure::usage(format!(
        "{id}: the ID of a {what} is {ID} hexadecimal digits, of which the first {PREFIX} or more \
         may stand for it; see `otpctl {list}`"
    )))
}

/// The only one of `items` whose id begins so.
pub(super) fn only<T>(
    id: &str,
    items: Vec<T>,
    of: impl Fn(&T) -> &str,
    (what, error, list): (&str, &'static str, &str),
    none: Exit,
) -> Result<T, Failure> {
    let mut found: Vec<_> = items.into_iter().filter(|item| of(item).starts_with(id)).collect();
    match (found.pop(), found.is_empty()) {
        (Some(item), true) => Ok(item),
        (Some(_), false) => Err(Failure::usage(format!(
            "{id}: the IDs of several begin so; give more of it (see `otpctl {list}`)"
        ))),
        (None, _) => {
            let text = format!("{id}: no such {what}; see `otpctl {list}`");
            Err(Failure::new(none, error, text))
        }
    }
}
