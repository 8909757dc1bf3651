//! LinOTP's JSON, with the place and the likely reason of what is none.

use serde_json::{Map, Value};

/// The object that a text is.
///
/// # Errors
/// Line, column and what to do; nothing of the text.
pub(super) fn read(text: &str) -> Result<Map<String, Value>, String> {
    let text = text.trim_start_matches('\u{feff}');
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err("a provider is one object: { \"KEY\": \"value\", … }".to_owned()),
        Err(error) => Err(explain(text, &error)),
    }
}

fn explain(text: &str, error: &serde_json::Error) -> String {
    let line = text.lines().nth(error.line().saturating_sub(1)).unwrap_or_default();
    // The parser counts bytes.
    let (at, before) = match line.as_bytes().get(..error.column().saturating_sub(1)) {
        Some(before) => {
            let before = String::from_utf8_lossy(before);
            (line.get(before.len()..).and_then(|rest| rest.chars().next()), before.chars().count())
        }
        None => (None, line.chars().count()),
    };
    let why = error.to_string();
    let why = why.split(" at line ").next().unwrap_or_default();
    let hint = hint(why, at);
    let (line, column) = (error.line(), before + 1);
    format!("not JSON at line {line}, column {column}: {why}{hint}")
}

/// What to do about it, told by the parser's words and the character that it met.
fn hint(why: &str, at: Option<char>) -> String {
    let said = match at {
        Some('\'' | '‘' | '’' | '“' | '”' | '„') => {
            "a string is written in double quotes: \"…\"".to_owned()
        }
        Some('/' | '#') => "JSON has no comments: remove it".to_owned(),
        Some(close @ ('}' | ']')) if why.starts_with("trailing comma") => {
            format!("remove the comma before {close}")
        }
        Some('T' | 'F' | 'N') => "write true, false or null in small letters".to_owned(),
        _ if why.starts_with("EOF") => "its end is missing: a quote or a }".to_owned(),
        _ if why.starts_with("key must be") => {
            "a name is written in double quotes: \"…\"".to_owned()
        }
        _ if why.starts_with("expected `,`") => {
            "a comma or a quote before it is missing".to_owned()
        }
        _ if why.starts_with("control character") => {
            "a quote is missing, or a line ends within a string: write \\n".to_owned()
        }
        _ if why.starts_with("invalid escape") => "a backslash is written twice: \\\\".to_owned(),
        _ if why.starts_with("trailing characters") => {
            "one object is enough: remove what follows it".to_owned()
        }
        _ => return String::new(),
    };
    format!("; {said}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_json_is_told_with_its_place_and_what_to_do() {
        for (text, place, todo) in [
            ("{'URL': 'x'}", "line 1, column 2", "double quotes"),
            ("{\n \"URL\": 'x'\n}", "line 2, column 9", "double quotes"),
            ("{\"URL\": “x”}", "line 1, column 9", "double quotes"),
            ("{\n \"a\": \"ü\",\n}", "line 3, column 1", "remove the comma before }"),
            ("{\"a\": \"ü\",}", "line 1, column 11", "remove the comma before }"),
            ("{\"a\": [1,]}", "line 1, column 10", "remove the comma before ]"),
            ("{\"a\": 1 // b\n}", "line 1, column 9", "no comments"),
            ("# LinOTP\n{}", "line 1, column 1", "no comments"),
            ("{URL: 1}", "line 1, column 2", "double quotes"),
            ("{\"a\": True}", "line 1, column 7", "small letters"),
            ("{\"a\": 1\n\"b\": 2}", "line 2, column 1", "comma"),
            ("{\"a\": \"x", "line 1", "end is missing"),
            ("{\"a\": 1", "line 1", "end is missing"),
            ("", "line 1, column 1", "end is missing"),
            ("{\"a\": \"x\ny\"}", "line 2", "line ends"),
            ("{\"a\": \"\\d\"}", "line 1, column 9", "twice"),
            ("{} {}", "line 1, column 4", "remove what follows"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(place) && error.contains(todo), "{text:?}: {error}");
        }
        for text in ["[]", "1", "\"URL\"", "null"] {
            assert!(read(text).unwrap_err().contains("one object"), "{text}");
        }
    }

    #[test]
    fn an_error_holds_nothing_of_the_text() {
        for text in ["{\"PASSWORD\": \"geheim\" \"x\"}", "{\"PASSWORD\": 'geheim'}", "[\"geheim\"]"]
        {
            assert!(!read(text).unwrap_err().contains("geheim"), "{text}");
        }
    }

    #[test]
    fn json_is_taken_as_it_is() {
        let object = read("\u{feff} { \"a\" : {\"b\":\"c\"}, \"n\":5100}\r\n").unwrap();
        assert_eq!((&object["a"]["b"], &object["n"]), (&Value::from("c"), &Value::from(5100)));
    }
}
