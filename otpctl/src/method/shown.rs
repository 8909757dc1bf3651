//! The configuration as otpd takes it: which methods there are, defaults included.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::parameter::milliseconds;
use super::{BUILT_IN, meant};
use crate::failure::Failure;
use crate::program;

/// The main file where nothing else is said.
const MAIN: &str = "/etc/otpd/otpd.toml";

/// What the files come to.
pub(crate) struct Configuration {
    /// The main file, which may be missing.
    pub(crate) main: PathBuf,
    /// All files that there are, in the order in which they are read.
    pub(crate) files: Vec<PathBuf>,
    pub(crate) methods: Vec<Method>,
}

impl Configuration {
    /// Has the daemon's own program read the files.
    ///
    /// # Errors
    /// What is wrong with them: nothing is changed in files that are not understood.
    pub(crate) fn read(main: Option<&Path>) -> Result<Self, Failure> {
        /// What is of interest of the program's answer.
        #[derive(Deserialize)]
        struct Shown {
            method: Vec<Method>,
        }
        let text = program::answer(&["show-config"], main)?;
        let files = text.lines().map_while(|line| line.strip_prefix("# ")).map(PathBuf::from);
        let shown: Shown = toml::from_str(&text).map_err(|error| {
            let why = error.message();
            Failure::failed(format!("otpd show-config: {why}; are otpctl and otpd of one version?"))
        })?;
        let main = main.map_or_else(|| MAIN.into(), Path::to_owned);
        Ok(Self { main, files: files.collect(), methods: shown.method })
    }

    /// The method of that name.
    ///
    /// # Errors
    /// There is none; says which one was meant.
    pub(crate) fn method(&self, name: &str) -> Result<&Method, Failure> {
        self.methods.iter().find(|method| method.name == name).ok_or_else(|| {
            let names: Vec<_> = self.methods.iter().map(|method| method.name.as_str()).collect();
            let meant = meant(name, names.iter().copied());
            let all = names.join(", ");
            Failure::usage(format!("{name}: there is no such method{meant} There are: {all}"))
        })
    }
}

/// A method, as otpd takes it.
#[derive(Debug, Deserialize)]
pub(crate) struct Method {
    pub(crate) name: String,
    pub(crate) title: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) digits: u32,
    algorithm: Option<String>,
    key_size: Option<u32>,
    t0: Option<String>,
    time_step: Option<String>,
    window_before: Option<u32>,
    window_after: Option<u32>,
    look_ahead: Option<u32>,
    validity: Option<String>,
    tries: Option<u32>,
    #[serde(default)]
    providers: Vec<String>,
    pub(crate) directories: Vec<String>,
    pub(crate) enabled: bool,
}

/// A method, in JSON.
#[derive(Serialize)]
pub(crate) struct Document<'a> {
    name: &'a str,
    title: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    enabled: bool,
    digits: u32,
    algorithm: Option<&'a str>,
    key_size: Option<u32>,
    t0_ms: Option<i64>,
    time_step_ms: Option<i64>,
    window_before: Option<u32>,
    window_after: Option<u32>,
    look_ahead: Option<u32>,
    validity_ms: Option<i64>,
    tries: Option<u32>,
    providers: &'a [String],
    directories: &'a [String],
    /// One guess in so many is right.
    guess_one_in: u64,
    /// As Ubisecure writes it; of `totp` only.
    configuration: Vec<String>,
}

impl Method {
    pub(crate) fn is_built_in(&self) -> bool {
        BUILT_IN.contains(&self.name.as_str())
    }

    /// How many guesses there are for each that is right: 10 to the power of the digits over the
    /// codes that are accepted at a moment.
    pub(crate) fn guess_one_in(&self) -> u64 {
        let steps = self.window_before.unwrap_or_default() + self.window_after.unwrap_or_default();
        let accepted = u64::from(steps + self.look_ahead.unwrap_or_default()) + 1;
        10_u64.saturating_pow(self.digits) / accepted
    }

    pub(crate) fn document(&self) -> Document<'_> {
        let time = |text: &Option<String>| text.as_deref().and_then(milliseconds);
        Document {
            name: &self.name,
            title: &self.title,
            kind: &self.kind,
            enabled: self.enabled,
            digits: self.digits,
            algorithm: self.algorithm.as_deref(),
            key_size: self.key_size,
            t0_ms: time(&self.t0),
            time_step_ms: time(&self.time_step),
            window_before: self.window_before,
            window_after: self.window_after,
            look_ahead: self.look_ahead,
            validity_ms: time(&self.validity),
            tries: self.tries,
            providers: &self.providers,
            directories: &self.directories,
            guess_one_in: self.guess_one_in(),
            configuration: self.wire(),
        }
    }

    /// The parameters as Ubisecure writes them: a key, a space, a value.
    fn wire(&self) -> Vec<String> {
        let number = |value: Option<u32>| value.map(|value| value.to_string());
        let time = |text: &Option<String>| {
            text.as_deref().and_then(milliseconds).map(|milliseconds| milliseconds.to_string())
        };
        let algorithm =
            self.algorithm.as_deref().map(|name| format!("Hmac{}", name.to_uppercase()));
        if self.kind != "totp" {
            return Vec::new();
        }
        [
            ("totpWindowBefore", number(self.window_before)),
            ("totpWindowAfter", number(self.window_after)),
            ("totpDigits", Some(self.digits.to_string())),
            ("totpAlgorithm", algorithm),
            ("totpT0", time(&self.t0)),
            ("totpTimeStep", time(&self.time_step)),
            ("totpKeySize", number(self.key_size)),
        ]
        .into_iter()
        .filter_map(|(key, value)| Some(format!("{key} {}", value?)))
        .collect()
    }

    /// What makes its codes, for a list: `6 sha1 30s`.
    pub(crate) fn codes(&self) -> String {
        let step = self.time_step.as_deref().and_then(milliseconds).map(seconds);
        let parts = [Some(self.digits.to_string()), self.algorithm.clone(), step];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    /// How far a code may be off, for a list: steps before and after, counters ahead, or how long
    /// a delivered one is good.
    pub(crate) fn window(&self) -> String {
        match (self.window_before, self.window_after, self.look_ahead, &self.validity) {
            (Some(before), Some(after), ..) => format!("-{before}+{after}"),
            (.., Some(ahead), _) => format!("+{ahead}"),
            (.., Some(validity)) => milliseconds(validity).map(seconds).unwrap_or_default(),
            _ => String::new(),
        }
    }

    /// Whose users may use it, for a list.
    pub(crate) fn used_by(&self) -> String {
        match self.directories.as_slice() {
            _ if !self.enabled => "disabled".to_owned(),
            [] => "nobody".to_owned(),
            directories => directories.join(", "),
        }
    }

    /// All of it, for people: names and values.
    pub(crate) fn fields(&self) -> Vec<(&'static str, Option<String>)> {
        let number = |value: Option<u32>| value.map(|value| value.to_string());
        let time = |text: &Option<String>| text.as_deref().and_then(milliseconds).map(seconds);
        let list = |names: &[String]| match names {
            [] => "none".to_owned(),
            names => names.join(", "),
        };
        let providers = (!self.providers.is_empty()).then(|| list(&self.providers));
        vec![
            ("Name", Some(self.name.clone())),
            ("Title", Some(self.title.clone())),
            ("Type", Some(self.kind.clone())),
            ("Status", Some(if self.enabled { "enabled" } else { "disabled" }.to_owned())),
            ("Directories", Some(list(&self.directories))),
            ("Digits", Some(self.digits.to_string())),
            ("Algorithm", self.algorithm.clone()),
            ("Key size", self.key_size.map(|size| format!("{size} bytes"))),
            ("T0", self.t0.clone()),
            ("Time step", time(&self.time_step)),
            ("Window before", number(self.window_before)),
            ("Window after", number(self.window_after)),
            ("Look-ahead", number(self.look_ahead)),
            ("Validity", time(&self.validity)),
            ("Tries", number(self.tries)),
            ("Providers", providers),
            ("A guess is right", Some(format!("once in {}", self.guess_one_in()))),
        ]
    }
}

/// Milliseconds as people read them: whole seconds where they are, a day is 86400s.
fn seconds(milliseconds: i64) -> String {
    match milliseconds % 1_000 {
        0 => format!("{}s", milliseconds / 1_000),
        _ => format!("{milliseconds}ms"),
    }
}
