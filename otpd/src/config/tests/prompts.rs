//! `[prompt.SERVICE]`.

use super::*;
use crate::text::Language::{self, English, French, German, Spanish};

const SET: &str = r#"
    [prompt.default]
    language = "fr"
    code = "Code: "
    [prompt.default.es]
    code = "Clave: "
    combined = "Todo: "
    [prompt.sshd]
    language = "de"
    code = "Code for Example Corp: "
    [prompt.sshd.de]
    code = "Code für Beispiel AG: "
    [prompt."gdm.password"]
    issued = "From the desk: "
"#;

#[test]
fn t18_the_text_of_a_prompt_is_what_is_set_nearest_to_the_service_and_the_language() {
    let prompts = load(SET).unwrap().prompts;
    for (service, language, prompt, text) in [
        ("sshd", German, Prompt::Code, Some("Code für Beispiel AG: ")),
        ("sshd", French, Prompt::Code, Some("Code for Example Corp: ")),
        ("sshd", Spanish, Prompt::Code, Some("Code for Example Corp: ")),
        ("sshd", Spanish, Prompt::Combined, Some("Todo: ")),
        ("sshd", English, Prompt::Combined, None),
        ("sudo", English, Prompt::Code, Some("Code: ")),
        ("sudo", Spanish, Prompt::Code, Some("Clave: ")),
        ("gdm.password", Spanish, Prompt::Issued, Some("From the desk: ")),
        ("gdm.password", Spanish, Prompt::Code, Some("Clave: ")),
        ("gdm", Spanish, Prompt::Issued, None),
        ("SSHD", German, Prompt::Code, Some("Code: ")),
        ("", German, Prompt::Code, Some("Code: ")),
    ] {
        let found = prompts.text(service, language, prompt);
        assert_eq!(found, text, "{service} {language:?} {prompt:?}");
    }
    for (service, language) in
        [("sshd", German), ("sudo", French), ("gdm.password", French), ("", French)]
    {
        assert_eq!(prompts.language(service), language, "{service}");
    }
    let usual = default().prompts;
    assert_eq!((usual.language("sshd"), usual.text("sshd", German, Prompt::Code)), (English, None));
}

#[test]
fn what_changes_nothing_is_nothing() {
    for text in [
        "[prompt]",
        "[prompt.default]",
        "[prompt.default]\nlanguage = \"en\"",
        "[prompt.sshd]",
        "[prompt.sshd.de]",
        "[prompt.default.fr]",
    ] {
        assert_eq!(load(text).unwrap(), default(), "{text}");
    }
}

#[test]
fn every_text_is_checked() {
    let length = "a text of 1 to 128 bytes is allowed, and not of spaces alone";
    let signs = "control characters and invisible ones are not allowed";
    for table in ["prompt.default", "prompt.sshd", "prompt.sshd.fr"] {
        for key in ["code", "combined", "issued"] {
            let column = key.len() + 4;
            for (value, why) in [
                ("\"\"", length),
                ("\" \"", length),
                ("\"a\\nb\"", signs),
                ("\"\\u001b[2J\"", signs),
                ("\"\\u202e\"", signs),
                ("\"\\u200b\"", signs),
                ("5", "allowed are a text"),
            ] {
                let text = format!("[{table}]\n{key} = {value}");
                let expected = format!("DIR/otpd.toml:2:{column}: {table}.{key} = {value}: {why}");
                assert_eq!(refused(&text), expected);
            }
            let text = |text: &str| format!("[{table}]\n{key} = \"{text}\"");
            load(&text(&"x".repeat(128))).unwrap();
            assert!(refused(&text(&"x".repeat(129))).ends_with(length));
            assert!(refused(&text(&"ü".repeat(65))).ends_with(length));
        }
    }
}

#[test]
fn names_and_languages_are_checked() {
    let names =
        "1 to 64 of the characters a-z, A-Z, 0-9, '.', '_' and '-', not starting with '-' or '.'";
    for (text, why) in [
        ("prompt = 5", "1:10: prompt = 5: allowed are a table".to_owned()),
        ("[prompt]\ncode = \"x\"", "2:8: prompt.code = \"x\": allowed are a table".to_owned()),
        ("[prompt.\"a/b\"]", format!("1:9: prompt.\"a/b\": allowed are names of {names}")),
        ("[prompt.\"\"]", format!("1:9: prompt.\"\": allowed are names of {names}")),
        (
            "[prompt.sshd]\nlanguage = \"de_DE\"",
            "2:12: prompt.sshd.language = \"de_DE\": allowed are \"en\", \"de\", \"fr\", \"es\""
                .to_owned(),
        ),
        (
            "[prompt.sshd.it]\ncode = \"x\"",
            "1:14: prompt.sshd.it is not a known key: allowed here are language, code, combined, issued, en, de, fr, es".to_owned(),
        ),
        (
            "[prompt.sshd.de]\nlanguage = \"de\"",
            "2:1: prompt.sshd.de.language is not a known key: allowed here are code, combined, issued".to_owned(),
        ),
        (
            "[prompt.sshd]\nsent = \"x\"",
            "2:1: prompt.sshd.sent is not a known key: allowed here are language, code, combined, issued, en, de, fr, es".to_owned(),
        ),
    ] {
        assert_eq!(refused(text), format!("DIR/otpd.toml:{why}"));
    }
    assert!(Language::ALL.iter().all(|(name, language)| language.name() == *name));
}
