//! One-time codes, computed by oathtool and never by the code under test.

use std::cell::Cell;

use serde::Deserialize;

use crate::process::{command, run};

/// How far ahead [`Token::wrong`] looks for codes that are not wrong.
const AHEAD: u64 = 120;

/// A token as `otpctl token add --output` wrote it.
#[derive(Debug, Deserialize)]
pub struct Token {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub user: String,
    /// `totp` or `hotp`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Length of a code.
    pub digits: u32,
    /// Base32.
    pub secret: String,
    /// `otpauth://…`
    pub uri: String,
    /// The counter of the next code (HOTP).
    #[serde(skip)]
    next: Cell<u64>,
}

impl Token {
    /// A token of six digits as an app has it that was given the key in base32.
    pub fn of_key(kind: &str, key: &str) -> Self {
        Self {
            id: String::new(),
            user: String::new(),
            kind: kind.to_owned(),
            digits: 6,
            secret: key.to_owned(),
            uri: String::new(),
            next: Cell::default(),
        }
    }

    /// A token as an app has it that has scanned the URI.
    pub fn of_uri(uri: &str) -> Self {
        let (start, query) = uri.split_once('?').expect("an otpauth URI");
        let kind = start.strip_prefix("otpauth://").and_then(|rest| rest.split_once('/'));
        let key = query.split('&').find_map(|pair| pair.strip_prefix("secret="));
        Self { uri: uri.to_owned(), ..Self::of_key(kind.unwrap().0, key.unwrap()) }
    }

    /// The next code that was never shown: HOTP's next counter, TOTP's current step.
    pub fn code(&self) -> String {
        match self.kind.as_str() {
            "hotp" => {
                let counter = self.next.replace(self.next.get() + 1);
                self.at(counter)
            }
            _ => self.oathtool(&["--totp"]).remove(0),
        }
    }

    /// TOTP's present code, where a step has so many seconds.
    pub fn at_step(&self, seconds: u32) -> String {
        self.oathtool(&["--totp", "-s", &seconds.to_string()]).remove(0)
    }

    /// The HOTP code of a counter.
    pub fn at(&self, counter: u64) -> String {
        self.oathtool(&["--hotp", "-c", &counter.to_string()]).remove(0)
    }

    /// The HOTP codes from a counter on.
    pub fn codes(&self, first: u64, count: usize) -> Vec<String> {
        self.oathtool(&["--hotp", "-c", &first.to_string(), "-w", &(count - 1).to_string()])
    }

    /// How many codes [`Token::code`] has given.
    pub fn spent(&self) -> u64 {
        self.next.get()
    }

    /// Goes on after the first `counter` codes (HOTP).
    pub fn skip_to(&self, counter: u64) {
        self.next.set(counter);
    }

    /// Digits of the right length that no code near now has.
    pub fn wrong(&self) -> String {
        let near = match self.kind.as_str() {
            "hotp" => self.codes(self.next.get().saturating_sub(AHEAD / 2), AHEAD as usize),
            _ => self.oathtool(&["--totp", "-N", "20 minutes ago", "-w", "80"]),
        };
        let width = self.digits as usize;
        (0..).map(|n| format!("{n:0width$}")).find(|digits| !near.contains(digits)).unwrap()
    }

    /// The secret goes in by standard input; oathtool prints a code a line.
    fn oathtool(&self, arguments: &[&str]) -> Vec<String> {
        let digits = self.digits.to_string();
        let mut oathtool = command("oathtool");
        oathtool.args(["-b", "-d", &digits]).args(arguments).arg("-");
        run(&mut oathtool, self.secret.as_bytes()).ok().lines().map(str::to_owned).collect()
    }
}
