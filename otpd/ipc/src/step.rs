//! The step of a login: what the module is to do next.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use zbus::{OwnedVariant, Type, Variant};

/// What kind of step it is. Anything that is not listed here is no success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum StepKind {
    /// Show the text, ask for a reply and send it with `Respond`.
    Prompt = 1,
    /// The login has given what the policy asks for.
    Granted = 2,
    /// It has not. The bytes are the same whatever the reason.
    Denied = 3,
    /// The policy asks nothing of this login.
    NotRequired = 4,
    /// Show `notice` from the details, then as [`StepKind::Prompt`] (enrolment at the login).
    NoticeThenPrompt = 5,
}

impl StepKind {
    /// The kind that a number on the wire stands for; `None` for any other number.
    #[must_use]
    pub fn from_wire(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::Prompt),
            2 => Some(Self::Granted),
            3 => Some(Self::Denied),
            4 => Some(Self::NotRequired),
            5 => Some(Self::NoticeThenPrompt),
            _ => None,
        }
    }
}

/// The dictionary that goes with a step.
pub type Details = BTreeMap<String, OwnedVariant>;

/// One step on the wire: `(u kind, s text, a{sv} details)`.
///
/// Details of a prompt: `echo` (b, show what is typed), `split` (u, how many characters at the end
/// of "password and code in one field" are the code; absent where the policy does not allow that), `combined` (s, the text that asks for
/// password and code in one field).
/// Details of [`StepKind::NoticeThenPrompt`]: also `notice` (s).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Type)]
pub struct Step {
    kind: u32,
    text: String,
    details: Details,
}

impl Step {
    /// A prompt with its text; `split` as the details of [`Step`] say.
    #[must_use]
    pub fn prompt(text: &str, echo: bool, split: Option<u32>) -> Self {
        let mut details = Details::new();
        details.insert("echo".into(), owned(Variant::from(echo)));
        if let Some(split) = split {
            details.insert("split".into(), owned(Variant::from(split)));
        }
        Self { kind: StepKind::Prompt as u32, text: text.to_owned(), details }
    }

    /// A prompt that says with `text` how to ask for password and code in one field.
    #[must_use]
    pub fn with_combined(mut self, text: &str) -> Self {
        self.details.insert("combined".into(), owned(Variant::from(text)));
        self
    }

    /// A prompt with a notice before it, of several lines; `text` and `echo` as in
    /// [`Step::prompt`]. The notice may hold a secret and is for the person's eyes only.
    #[must_use]
    pub fn notice_then_prompt(notice: &str, text: &str, echo: bool) -> Self {
        let mut step = Self::prompt(text, echo, None);
        step.kind = StepKind::NoticeThenPrompt as u32;
        step.details.insert("notice".into(), owned(Variant::from(notice)));
        step
    }

    /// A step without text and details: granted, denied or not required.
    #[must_use]
    pub fn bare(kind: StepKind) -> Self {
        Self { kind: kind as u32, text: String::new(), details: Details::new() }
    }

    /// The kind, or `None` where a newer daemon speaks of one that is unknown here.
    #[must_use]
    pub fn kind(&self) -> Option<StepKind> {
        StepKind::from_wire(self.kind)
    }

    /// The text to show with the prompt; untrusted by the module, which strips control characters.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the reply may be shown while it is typed; off unless the daemon says otherwise.
    #[must_use]
    pub fn echo(&self) -> bool {
        matches!(self.details.get("echo").map(|v| &**v), Some(Variant::Bool(true)))
    }

    /// How many characters at the end of password and code in one field are the code.
    #[must_use]
    pub fn split(&self) -> Option<u32> {
        match self.details.get("split").map(|v| &**v) {
            Some(Variant::U32(n)) => Some(*n),
            _ => None,
        }
    }

    /// The notice that goes before the prompt, if there is one: lines of text.
    #[must_use]
    pub fn notice(&self) -> Option<&str> {
        self.words("notice")
    }

    /// What to ask for where password and code come in one field, if the daemon says it.
    #[must_use]
    pub fn combined(&self) -> Option<&str> {
        self.words("combined")
    }

    fn words(&self, detail: &str) -> Option<&str> {
        match self.details.get(detail).map(|v| &**v) {
            Some(Variant::Str(s)) => Some(s.as_str()),
            _ => None,
        }
    }
}

/// Owning a variant fails only for one that holds a file descriptor; none here does.
fn owned(variant: Variant<'_>) -> OwnedVariant {
    OwnedVariant::try_from(variant).unwrap_or_else(|_| OwnedVariant::from(false))
}
