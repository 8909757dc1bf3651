//! Words and controls of a line, as `pam_misc.c` takes them apart.

use crate::Code;

/// What the dispatcher does with a return code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words of pam.conf(5)")]
pub enum Action {
    Ignore,
    Ok,
    Done,
    Bad,
    Die,
    Reset,
    /// Skips so many lines.
    Jump(u32),
}

const ACTIONS: [(&str, Action); 6] = [
    ("ignore", Action::Ignore),
    ("ok", Action::Ok),
    ("done", Action::Done),
    ("bad", Action::Bad),
    ("die", Action::Die),
    ("reset", Action::Reset),
];

/// The control of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    actions: [Action; Code::COUNT],
    /// As it is written, without brackets.
    pub written: String,
    /// Why libpam takes every code for `bad`, if it cannot read the control.
    pub wrong: Option<&'static str>,
}

impl Control {
    /// What happens when the module returns `code`.
    #[must_use]
    pub fn action(&self, code: Code) -> Action {
        self.actions.get(code.index()).copied().unwrap_or(Action::Bad)
    }

    /// One that fails whatever is returned.
    pub(crate) fn bad(written: &str) -> Self {
        Self { actions: [Action::Bad; Code::COUNT], written: written.to_owned(), wrong: None }
    }

    /// The control that `written` stands for: a keyword in any case, or pairs.
    pub(crate) fn parse(written: &str) -> Self {
        let (success, ignore, rest) = match written.to_ascii_lowercase().as_str() {
            "required" => (Action::Ok, Action::Ignore, Action::Bad),
            "requisite" => (Action::Ok, Action::Ignore, Action::Die),
            "optional" => (Action::Ok, Action::Ignore, Action::Ignore),
            "sufficient" => (Action::Done, Action::Ignore, Action::Ignore),
            _ => return Self::pairs(written),
        };
        let mut actions = [rest; Code::COUNT];
        for (code, action) in
            [(Code::SUCCESS, success), (Code::NEW_AUTHTOK_REQD, success), (Code::IGNORE, ignore)]
        {
            set(&mut actions, code, action);
        }
        Self { actions, written: written.to_owned(), wrong: None }
    }

    /// `value=action …`: `default` sets what has not been set before it.
    fn pairs(written: &str) -> Self {
        let mut actions = [None; Code::COUNT];
        let mut rest = written.trim_start_matches(space);
        while !rest.is_empty() {
            match pair(rest) {
                Ok((code, action, behind)) => {
                    match code {
                        Some(code) => set(&mut actions, code, Some(action)),
                        None => actions.iter_mut().for_each(|a| *a = a.or(Some(action))),
                    }
                    rest = behind.trim_start_matches(space);
                }
                Err(wrong) => return Self { wrong: Some(wrong), ..Self::bad(written) },
            }
        }
        let actions = actions.map(|action| action.unwrap_or(Action::Bad));
        Self { actions, written: written.to_owned(), wrong: None }
    }
}

fn set<T>(table: &mut [T; Code::COUNT], code: Code, value: T) {
    if let Some(entry) = table.get_mut(code.index()) {
        *entry = value;
    }
}

/// C's `isspace`.
fn space(c: char) -> bool {
    matches!(c, ' ' | '\t'..='\r')
}

/// The first `value=action` of a text, `None` for `default`, and what is behind it.
fn pair(text: &str) -> Result<(Option<Code>, Action, &str), &'static str> {
    let value = Code::prefix(text).map(|(code, rest)| (Some(code), rest));
    let value = value.or_else(|| Some((None, text.strip_prefix("default")?)));
    let (code, rest) = value.filter(|(_, rest)| !rest.is_empty()).ok_or("no such return value")?;
    let rest = rest.trim_start_matches(space).strip_prefix('=').ok_or("a `=` is missing")?;
    let rest = rest.trim_start_matches(space);
    let word = ACTIONS.iter().find_map(|(word, action)| Some((*action, rest.strip_prefix(word)?)));
    if let Some((action, rest)) = word {
        return Ok((code, action, rest));
    }
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (number, rest) = rest.split_at_checked(digits).unwrap_or_default();
    match number.parse::<i32>() {
        Ok(0) => Err("a jump of 0 lines"),
        Ok(lines) => Ok((code, Action::Jump(lines.unsigned_abs()), rest)),
        Err(_) => Err("no such action"),
    }
}

/// The first word of a line, in brackets or up to the next blank, and what is behind it.
pub(crate) fn word(text: &str) -> Option<(String, &str)> {
    const BLANK: [char; 3] = [' ', '\n', '\t'];
    let text = text.trim_start_matches(BLANK);
    let Some(inner) = text.strip_prefix('[') else {
        let end = text.find(BLANK).unwrap_or(text.len());
        let (word, rest) = text.split_at_checked(end)?;
        let mut rest = rest.chars();
        rest.next();
        return (!word.is_empty()).then(|| (word.to_owned(), rest.as_str()));
    };
    let (mut word, mut rest) = (String::new(), inner.chars());
    while let Some(c) = rest.next() {
        match c {
            ']' => break,
            '\\' if rest.as_str().starts_with(']') => {
                rest.next();
                word.push(']');
            }
            c => word.push(c),
        }
    }
    Some((word, rest.as_str()))
}

/// All words of a text.
pub(crate) fn words(mut text: &str) -> Vec<String> {
    let mut all = Vec::new();
    while let Some((next, rest)) = word(text) {
        all.push(next);
        text = rest;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_end_at_blanks_or_brackets() {
        for (text, expected) in [
            ("", vec![]),
            (" \t ", vec![]),
            ("auth required\tpam_x.so", vec!["auth", "required", "pam_x.so"]),
            ("[a b] c", vec!["a b", "c"]),
            ("[a [b] c", vec!["a [b", "c"]),
            (r"[a [b\] c]", vec!["a [b] c"]),
            (r"[a\b]", vec![r"a\b"]),
            ("[a]b", vec!["a", "b"]),
            ("a[b c]", vec!["a[b", "c]"]),
            ("[open", vec!["open"]),
            ("[] x", vec!["", "x"]),
            ("pam_x.so\r", vec!["pam_x.so\r"]),
        ] {
            assert_eq!(words(text), expected, "{text:?}");
        }
    }

    #[test]
    fn controls_are_taken_as_libpam_takes_them() {
        use Action::*;
        let all = [Code::SUCCESS, Code::IGNORE, Code::AUTH_ERR, Code::NEW_AUTHTOK_REQD];
        for (written, actions) in [
            ("required", [Ok, Ignore, Bad, Ok]),
            ("Requisite", [Ok, Ignore, Die, Ok]),
            ("OPTIONAL", [Ok, Ignore, Ignore, Ok]),
            ("sufficient", [Done, Ignore, Ignore, Done]),
            ("success=1 default=ignore", [Jump(1), Ignore, Ignore, Ignore]),
            ("default=ignore success=ok", [Ok, Ignore, Ignore, Ignore]),
            ("default=die default=ok", [Die, Die, Die, Die]),
            ("success=ok", [Ok, Bad, Bad, Bad]),
            ("success = done  default = bad", [Done, Bad, Bad, Bad]),
            ("success=2default=ok", [Jump(2), Ok, Ok, Ok]),
            ("", [Bad; 4]),
        ] {
            let control = Control::parse(written);
            assert_eq!(all.map(|code| control.action(code)), actions, "{written}");
            assert_eq!(control.wrong, None, "{written}");
        }
        for (written, why) in [
            ("optinal", "no such return value"),
            ("success", "no such return value"),
            ("success ok", "a `=` is missing"),
            ("success=", "no such action"),
            ("success=okay", "no such return value"),
            ("success=ok default=0", "a jump of 0 lines"),
            ("SUCCESS=ok", "no such return value"),
            ("success=99999999999", "no such action"),
        ] {
            let control = Control::parse(written);
            assert_eq!(control.wrong, Some(why), "{written}");
            assert!(Code::all().all(|code| control.action(code) == Bad), "{written}");
        }
    }
}
