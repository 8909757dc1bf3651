//! The lines that setup puts into the file of a PAM service, each with a mark by which it is found
//! and taken out again.

/// Behind a line that was put in.
const PUT_IN: &str = "# otpctl setup";
/// In front of a line that was taken out of use.
const TAKEN_OUT: &str = "# otpctl setup: ";

/// A line of ours, with its mark.
pub(super) fn put_in(line: &str) -> String {
    format!("{line}  {PUT_IN}")
}

/// A line that is no longer used. One that a backslash continues keeps it: behind a `#` it means
/// nothing.
pub(super) fn take_out(line: &str) -> String {
    format!("{TAKEN_OUT}{line}")
}

/// The text as it was: without our lines, and with the lines that we had taken out of use.
pub(super) fn restored(text: &str) -> String {
    text.split_inclusive('\n')
        .filter(|line| !line.trim_end().ends_with(PUT_IN))
        .map(|line| line.strip_prefix(TAKEN_OUT).unwrap_or(line))
        .collect()
}

/// Whether there is anything of ours in the text.
pub(super) fn any(text: &str) -> bool {
    restored(text) != text
}

/// The text with other lines in place of line `at` (from 1) and the `more` physical ones that
/// continue it.
pub(super) fn replaced(text: &str, at: usize, more: usize, with: &[String]) -> String {
    let mut out = String::with_capacity(text.len() + 80);
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        if number == at {
            for line in with {
                out.push_str(line);
                out.push('\n');
            }
        }
        if !(at..=at + more).contains(&number) {
            out.push_str(line);
        }
    }
    out
}

/// The physical lines of the logical line at `at` (from 1), without their ends.
pub(super) fn lines_at(text: &str, at: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for line in text.lines().skip(at.saturating_sub(1)) {
        lines.push(line.to_owned());
        if line.contains('#') || !line.trim_end().ends_with('\\') {
            break;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_and_taken_out_comes_back() {
        let text = "#%PAM-1.0\nauth required \\\n  pam_a.so\n@include common-auth\naccount x\n";
        let continued = lines_at(text, 2);
        assert_eq!(continued, ["auth required \\", "  pam_a.so"]);
        let mut with: Vec<_> = continued.iter().map(|line| take_out(line)).collect();
        with.push(put_in("auth required pam_otp.so"));
        let edited = replaced(text, 2, 1, &with);
        assert_eq!(
            edited,
            "#%PAM-1.0\n# otpctl setup: auth required \\\n# otpctl setup:   pam_a.so\n\
             auth required pam_otp.so  # otpctl setup\n@include common-auth\naccount x\n"
        );
        assert!(any(&edited) && !any(text));
        assert_eq!(restored(&edited), text);
    }

    #[test]
    fn a_last_line_without_its_end_is_replaced_as_well() {
        let kept = vec!["@include common-auth".to_owned(), put_in("auth required pam_otp.so")];
        let edited = replaced("a\n@include common-auth", 2, 0, &kept);
        assert_eq!(edited, "a\n@include common-auth\nauth required pam_otp.so  # otpctl setup\n");
    }
}
