//! Lines of a file, joined where a backslash continues them.

/// A line that holds something.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Assembled {
    /// Where it begins, from 1.
    pub(crate) number: usize,
    /// Without its comment, and joined.
    pub(crate) text: String,
    /// What libpam before 1.7 makes something else of, if there is such a thing.
    pub(crate) differs: Option<&'static str>,
}

/// The lines of a file, and whether it ends inside a continued line, which fails the whole file.
pub(crate) fn assemble(text: &str) -> (Vec<Assembled>, bool) {
    /// Longest line of libpam before 1.7, with its line break.
    const OLD_BUFFER: usize = 1023;
    const BLANK: [char; 3] = [' ', '\t', '\n'];
    let (mut lines, mut open) = (Vec::new(), None::<Assembled>);
    for (number, raw) in (1..).zip(text.split_inclusive('\n')) {
        let trimmed = raw.trim_end_matches(BLANK);
        let bare = raw.trim_start_matches([' ', '\t']);
        let has_comment = raw.contains('#');
        let (part, goes_on) = match trimmed.strip_suffix('\\') {
            Some(part) if !has_comment => {
                (format!("{} ", part.trim_start_matches([' ', '\t'])), true)
            }
            _ => (
                bare.split('#').next().unwrap_or_default().trim_end_matches(BLANK).to_owned(),
                false,
            ),
        };
        let mut line = match open.take() {
            Some(mut line) => {
                if part.trim_matches(BLANK).is_empty() && !goes_on {
                    line.differs = Some("an empty line ends the continued one above it");
                }
                line.text.push_str(&part);
                line
            }
            None if part.is_empty() => continue,
            None => Assembled { number, text: part, differs: None },
        };
        if raw.len() > OLD_BUFFER || line.text.len() > OLD_BUFFER {
            line.differs = Some("the line is longer than 1023 bytes");
        }
        match goes_on {
            true => open = Some(line),
            false => lines.push(line),
        }
    }
    let unfinished = open.is_some();
    lines.retain(|line| !line.text.trim_matches(BLANK).is_empty());
    (lines, unfinished)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_go_and_a_backslash_continues() {
        let read = |text| {
            let (lines, unfinished) = assemble(text);
            let lines: Vec<_> = lines.into_iter().map(|l| (l.number, l.text)).collect();
            (lines, unfinished)
        };
        let line = |number, text: &str| (number, text.to_owned());
        for (text, expected) in [
            ("", (vec![], false)),
            ("# a\n\n  \n\t# b\n", (vec![], false)),
            ("# a \\\nb\n", (vec![line(2, "b")], false)),
            ("a # b\n  c", (vec![line(1, "a"), line(2, "c")], false)),
            ("a \\\n  b\nc\n", (vec![line(1, "a  b"), line(3, "c")], false)),
            ("a \\  \n\\\nb\n", (vec![line(1, "a   b")], false)),
            ("a\r\n", (vec![line(1, "a\r")], false)),
            ("a # b \\\nc\n", (vec![line(1, "a"), line(2, "c")], false)),
            ("a \\\n", (vec![], true)),
            ("\\\n\nb\n", (vec![line(3, "b")], false)),
        ] {
            assert_eq!(read(text), expected, "{text:?}");
        }
    }

    #[test]
    fn what_older_libraries_read_otherwise_is_marked() {
        let long = format!("auth required pam_x.so {}\n", "x".repeat(1010));
        for (text, differs) in [("a \\\nb\n", false), ("a \\\n\nb\n", true), (&long, true)] {
            let (lines, _) = assemble(text);
            assert_eq!(lines[0].differs.is_some(), differs, "{text:?}");
        }
    }
}
