//! What `Match` blocks of sshd say otherwise for some, while the PAM stack is one for all.

use super::sshd::wanted;
use super::stack::First;
use crate::doctor::sshd_files::{Directive, Files};
use crate::failure::Failure;
use crate::render::printable;

/// The method by which sshd puts PAM's questions.
const PROMPT: &str = "keyboard-interactive";

/// Lines of `Match` blocks that say otherwise for some; the PAM stack is one for all of them.
fn lines<'a>(
    files: &'a Files,
    about: &[&str],
    harmless: impl Fn(&str, &str) -> bool,
) -> Vec<&'a Directive> {
    let mut found = Vec::new();
    for block in 0..files.blocks.len() {
        for key in about.iter().map(|key| key.to_ascii_lowercase()) {
            let Some(line) = files.find(&key, Some(block)) else { continue };
            let global = files.find(&key, None).is_some_and(|global| global.place == line.place);
            if !global && !harmless(&key, line.value.trim_matches('"')) {
                found.push(line);
            }
        }
    }
    found
}

fn shown(line: &Directive) -> String {
    format!("{}:{}: {}", line.place.file.display(), line.place.line, printable(line.text.trim()))
}

/// With the key first, the stack asks for no password. Whoever a `Match` block lets to it without a
/// key, or past it, would be in with less than both.
pub(super) fn refuse(files: &Files) -> Result<(), Failure> {
    const ABOUT: [&str; 5] = [
        "AuthenticationMethods",
        "PasswordAuthentication",
        "KbdInteractiveAuthentication",
        "UsePAM",
        "PubkeyAuthentication",
    ];
    let harmless = |key: &str, value: &str| {
        let mut wanted = wanted(First::Key).into_iter().chain([("PubkeyAuthentication", "yes")]);
        wanted.any(|(name, wanted)| name.eq_ignore_ascii_case(key) && wanted == value)
    };
    let lines: Vec<_> = self::lines(files, &ABOUT, harmless).into_iter().map(shown).collect();
    if lines.is_empty() {
        return Ok(());
    }
    Err(Failure::failed(format!(
        "a Match block of sshd says otherwise for some: {}; take these lines out, or use `--first \
         password`",
        lines.join("; ")
    )))
}

/// With the password first: `Match` blocks by which some get in without a code, or not at all. What
/// the person should know.
pub(super) fn told(files: &Files) -> Vec<String> {
    let asks = |key: &str, value: &str| match key {
        "authenticationmethods" => {
            value.split_whitespace().all(|list| list.split(',').any(|m| m.starts_with(PROMPT)))
        }
        _ => value.eq_ignore_ascii_case("yes"),
    };
    let about = ["AuthenticationMethods", "KbdInteractiveAuthentication", "UsePAM"];
    let lines = self::lines(files, &about, asks);
    let said =
        "a Match block says otherwise for some, who then get in without a code or not at all";
    lines.into_iter().map(|line| format!("{}: {said}", shown(line))).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use pam_stack::Machine;

    use super::*;

    #[test]
    fn what_match_blocks_say_otherwise_is_named() {
        for (text, key, password) in [
            ("UsePAM yes\nPasswordAuthentication yes\n", false, false),
            ("Match User a\n  X11Forwarding no\n", false, false),
            (
                "Match User a\n  PasswordAuthentication no\n  PubkeyAuthentication yes\n",
                false,
                false,
            ),
            (
                "Match User a\n  AuthenticationMethods publickey,keyboard-interactive\n",
                false,
                false,
            ),
            ("Match User a\n  PasswordAuthentication yes\n", true, false),
            ("Match User a\n  PubkeyAuthentication no\n", true, false),
            ("Match User a\n  ChallengeResponseAuthentication no\n", true, true),
            ("Match Address 10.0.0.0/8\n  AuthenticationMethods=any\n", true, true),
            ("Match User a\n  AuthenticationMethods publickey\n", true, true),
            ("Match User a\n  AuthenticationMethods keyboard-interactive:pam\n", true, false),
            ("Match User a\n  AuthenticationMethods keyboard-interactive password\n", true, true),
            ("PasswordAuthentication no\nMatch all\n  PasswordAuthentication yes\n", true, false),
        ] {
            let root = tempfile::tempdir().unwrap();
            fs::create_dir_all(root.path().join("etc/ssh")).unwrap();
            fs::write(root.path().join("etc/ssh/sshd_config"), text).unwrap();
            let files = Files::read(&Machine::at(root.path()));
            let refused = refuse(&files);
            assert_eq!(refused.is_err(), key, "{text}");
            let line = text.lines().count();
            if let Err(failure) = refused {
                assert!(failure.message.contains(&format!("/etc/ssh/sshd_config:{line}: ")));
            }
            assert_eq!(!told(&files).is_empty(), password, "{text}");
        }
    }
}
