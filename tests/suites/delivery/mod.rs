//! Codes that reach people: by every kind of provider, at every turn.

mod challenge;
mod channels;
mod crowds;
mod enrolment;
mod field;
mod hostile;
mod injection;
mod outage;
mod providers;

use std::{collections::BTreeSet, time::Duration};

use harness::{
    Host, Login, MODULE, Outcome, PASSWORD,
    otpd::{audit, items, otpctl_with},
    protocol::Answer,
    sshd::{Session, Sshd},
};

pub(crate) const NUMBER: &str = "+491701234581";
pub(crate) const MASKED_NUMBER: &str = "+49*****81";
pub(crate) const ADDRESS: &str = "alice@example.com";
pub(crate) const MASKED_ADDRESS: &str = "a*****@example.com";
/// Length of a code.
pub(crate) const DIGITS: usize = 6;
/// The shortest time after which another code may be sent, and a little more.
const RESEND: Duration = Duration::from_millis(10_100);
/// Beyond this a code is over that was given the shortest time.
const EXPIRY: Duration = Duration::from_millis(61_000);
/// The stack in which a code is sent to those only who know the password.
pub(crate) const PASSWORD_THEN_CODE: [&str; 2] =
    ["requisite pam_unix.so nodelay", "required /run/e2e/bin/pam_otp.so"];

/// A policy under which users without a token get one at the login, of the first of `methods` that
/// leads to them.
/// No other message follows one for as long as a test runs.
pub(crate) fn enrolling(methods: &[&str]) -> String {
    resending("5m", methods)
}

/// The same, where another message may follow after `resend`.
pub(crate) fn resending(resend: &str, methods: &[&str]) -> String {
    format!(
        "[budget]\nresend = {resend:?}\n[[policy]]\nname = \"enrol\"\nmatch = {{ service = [\"sshd\", \"login\", \"field\"] }}\nunenrolled = \"enrol\"\nenrol = {methods:?}\nconcatenate = true\n"
    )
}

/// A provider of SMS whom nobody answers.
pub(crate) fn dead(name: &str) -> String {
    format!(
        "[provider.sms.{name}]\n{}",
        harness::counterparts::gateway::keys("http://127.0.0.1:9/")
    )
}

/// Sets contacts: `mobile=+49…`, `mail=…`.
pub(crate) fn reach(user: &str, contacts: &[&str]) {
    otpctl_with(&[&["user", "set", user], contacts].concat(), b"").ok();
}

/// The types of a user's tokens.
pub(crate) fn tokens(user: &str) -> Vec<String> {
    let kind = |token: &serde_json::Value| token["type"].as_str().unwrap().to_owned();
    items(&["token", "list", user]).iter().map(kind).collect()
}

/// Events and results of a user's audit records, oldest first.
pub(crate) fn events(user: &str) -> Vec<(String, String)> {
    let text = |record: &serde_json::Value, key: &str| record[key].as_str().unwrap().to_owned();
    audit(user).iter().map(|record| (text(record, "event"), text(record, "result"))).collect()
}

/// Digits that are none of these codes.
pub(crate) fn none_of(codes: &[&str]) -> String {
    let codes: BTreeSet<_> = codes.iter().copied().collect();
    (0..).map(|n| format!("{n:0DIGITS$}")).find(|digits| !codes.contains(digits.as_str())).unwrap()
}

/// Logs in at sshd with the right password; `answer` is given the prompts that follow.
pub(crate) fn ssh(sshd: &Sshd, user: &str, mut answer: impl FnMut(&str) -> String) -> Session {
    sshd.converse(user, |prompt| match prompt {
        "Password: " => PASSWORD.to_owned(),
        prompt => answer(prompt),
    })
}

/// Logs in on libpam; `answer` is given each prompt.
pub(crate) fn log_in(
    host: &mut Host,
    login: Login,
    mut answer: impl FnMut(&str) -> String,
) -> Outcome {
    host.converse(login, |messages| {
        let reply = |(style, text): &(i32, Vec<u8>)| {
            let text = String::from_utf8_lossy(text);
            (*style <= 2).then(|| answer(&text).into_bytes())
        };
        Answer::Replies(messages.iter().map(reply).collect())
    })
}

#[test]
fn the_stacks_have_the_module_under_test() {
    assert!(PASSWORD_THEN_CODE[1].ends_with(MODULE));
}
