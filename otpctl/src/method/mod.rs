//! Methods in the configuration's files: what they come to, and changes of them.

mod edit;
mod parameter;
mod shown;
mod stage;

pub(crate) use edit::Edit;
pub(crate) use parameter::{Parameter, Parameters};
pub(crate) use shown::{Configuration, Method};

/// The methods that are always there.
pub(crate) const BUILT_IN: [&str; 4] = ["totp", "hotp", "sms", "email"];

/// "; did you mean NAME?" where one of the words is near what was typed, else the full stop.
pub(crate) fn meant<'a>(typed: &str, words: impl IntoIterator<Item = &'a str>) -> String {
    /// From 0, nothing alike, to 1; clap suggests from about here on.
    const ALIKE: f64 = 0.7;
    let folded = typed.to_lowercase();
    let likeness = |word: &str| {
        let whole = folded.len() > 2 && word.contains(&folded);
        if whole { 1.0 } else { strsim::jaro_winkler(&folded, word) }
    };
    let alike = |word: &'a str| (likeness(&word.to_lowercase()), word);
    let near = words.into_iter().map(alike).filter(|(likeness, _)| *likeness > ALIKE);
    let nearest = near.reduce(|best, other| if other.0 > best.0 { other } else { best });
    nearest.map_or_else(|| ".".to_owned(), |(_, word)| format!("; did you mean {word}?"))
}
