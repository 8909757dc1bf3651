//! The options of a module line in /etc/pam.d.

use std::{ffi::CStr, time::Duration};

use otp_ipc::{limits, names};

/// Longest path of a Unix socket in bytes, without the NUL (`sun_path`).
const SOCKET_PATH: usize = 107;

/// What the module does with a password that an earlier module of the stack has asked for
/// (`PAM_AUTHTOK`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FirstPass {
    /// Leave it alone and prompt.
    #[default]
    Ignore,
    /// `try_first_pass`: take the code from its end, and prompt where that is not possible or was
    /// not accepted.
    Try,
    /// `use_first_pass`: take the code from its end; never prompt.
    Use,
}

/// The options of a module line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// `try_first_pass`, `use_first_pass`; with both, the stricter `use_first_pass` holds.
    pub(crate) first_pass: FirstPass,
    /// `forward_pass`: prompt for password and code in one field; the password goes to the next
    /// module.
    pub(crate) forward_pass: bool,
    /// `nullok`, `nouserok`: the stack accepts "not enrolled" where the policy does as well.
    pub(crate) nullok: bool,
    /// `prompt=`, `authtok_prompt=`: shown instead of the daemon's text.
    pub(crate) prompt: Option<String>,
    /// `echo`, `echo_verification_code`: show the code while it is typed.
    pub(crate) echo: bool,
    /// `method=`: ask for this method only.
    pub(crate) method: Option<String>,
    /// `mode=second`, `mode=challenge`, `mode=issued`.
    pub(crate) mode: Option<String>,
    /// `timeout=`: machine time for the whole login, 1–30 s.
    pub(crate) timeout: Duration,
    /// `socket=`: where otpd waits for root's logins; an absolute path.
    pub(crate) socket: String,
    /// `bus=`: use the system bus, root too, at this absolute path.
    pub(crate) bus: Option<String>,
    /// `debug`: log each step, never what was typed.
    pub(crate) debug: bool,
    /// `no_warn`, or PAM_SILENT from the host: no notices to the person.
    pub(crate) no_warn: bool,
    /// `panic`: what it says.
    #[cfg(feature = "test-panic")]
    pub(crate) panic: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            first_pass: FirstPass::default(),
            forward_pass: false,
            nullok: false,
            prompt: None,
            echo: false,
            method: None,
            mode: None,
            timeout: Duration::from_secs(10),
            socket: names::LOGIN_SOCKET.to_owned(),
            bus: None,
            debug: false,
            no_warn: false,
            #[cfg(feature = "test-panic")]
            panic: false,
        }
    }
}

impl Options {
    /// Reads the arguments of a module line; of an option that is given twice, the last one holds.
    ///
    /// # Errors
    ///
    /// An unknown or malformed option: which one, and what is allowed.
    pub(crate) fn parse(arguments: &[&CStr]) -> Result<Self, String> {
        let mut options = Self::default();
        for argument in arguments {
            let text = argument
                .to_str()
                .map_err(|_| format!("option {}: not UTF-8", argument.to_string_lossy()))?;
            options.take(text).map_err(|why| format!("option {text}: {why}"))?;
        }
        Ok(options)
    }

    /// Whether password and code may come in one field.
    pub(crate) fn concatenated(&self) -> bool {
        self.forward_pass || self.first_pass != FirstPass::Ignore
    }

    fn take(&mut self, argument: &str) -> Result<(), &'static str> {
        let (name, value) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (argument, None),
        };
        let known = OPTIONS.iter().find(|(known, _)| *known == name);
        match (known.map(|(_, take)| take), value) {
            (Some(Take::Flag(take)), None) => {
                take(self);
                Ok(())
            }
            (Some(Take::Value(take)), Some(value)) => take(self, value),
            (Some(Take::Value(_)), None) => Err("needs a value, as in NAME=VALUE"),
            (Some(Take::Flag(_)), Some(_)) | (None, _) => Err("unknown; see pam_otp(8)"),
        }
    }

    fn prompt(&mut self, text: &str) -> Result<(), &'static str> {
        if text.is_empty() {
            return Err("the text is empty");
        }
        self.prompt = Some(text.to_owned());
        Ok(())
    }

    fn method(&mut self, name: &str) -> Result<(), &'static str> {
        if name.is_empty() || name.len() > limits::CONTEXT_ITEM {
            return Err("the name of a method is 1 to 256 bytes long");
        }
        self.method = Some(name.to_owned());
        Ok(())
    }

    fn mode(&mut self, mode: &str) -> Result<(), &'static str> {
        if !["second", "challenge", "issued"].contains(&mode) {
            return Err("allowed are second, challenge and issued");
        }
        self.mode = Some(mode.to_owned());
        Ok(())
    }

    fn timeout(&mut self, seconds: &str) -> Result<(), &'static str> {
        let Ok(seconds @ 1..=30) = seconds.parse() else {
            return Err("allowed are 1 to 30 (seconds)");
        };
        self.timeout = Duration::from_secs(seconds);
        Ok(())
    }

    fn socket(&mut self, path: &str) -> Result<(), &'static str> {
        self.socket = socket_path(path)?;
        Ok(())
    }

    fn bus(&mut self, address: &str) -> Result<(), &'static str> {
        self.bus = Some(match address.strip_prefix("unix:path=") {
            // Further keys and escapes of D-Bus addresses have no use here.
            Some(path) if !path.contains([',', ';', '%']) => socket_path(path)?,
            None if address == "system" => names::SYSTEM_BUS_SOCKET.to_owned(),
            _ => return Err("allowed are system and unix:path=/PATH"),
        });
        Ok(())
    }
}

/// How an option is taken: alone, or as `NAME=VALUE`.
enum Take {
    Flag(fn(&mut Options)),
    Value(fn(&mut Options, &str) -> Result<(), &'static str>),
}

/// Every option that a module line may have; what each means is said at its field.
const OPTIONS: &[(&str, Take)] = &[
    ("try_first_pass", Take::Flag(|o| o.first_pass = o.first_pass.max(FirstPass::Try))),
    ("use_first_pass", Take::Flag(|o| o.first_pass = FirstPass::Use)),
    ("forward_pass", Take::Flag(|o| o.forward_pass = true)),
    ("nullok", Take::Flag(|o| o.nullok = true)),
    ("nouserok", Take::Flag(|o| o.nullok = true)),
    ("prompt", Take::Value(Options::prompt)),
    ("authtok_prompt", Take::Value(Options::prompt)),
    ("echo", Take::Flag(|o| o.echo = true)),
    ("echo_verification_code", Take::Flag(|o| o.echo = true)),
    ("method", Take::Value(Options::method)),
    ("mode", Take::Value(Options::mode)),
    ("timeout", Take::Value(Options::timeout)),
    ("socket", Take::Value(Options::socket)),
    ("bus", Take::Value(Options::bus)),
    ("debug", Take::Flag(|o| o.debug = true)),
    ("no_warn", Take::Flag(|o| o.no_warn = true)),
    #[cfg(feature = "test-panic")]
    ("panic", Take::Flag(|o| o.panic = true)),
];

fn socket_path(path: &str) -> Result<String, &'static str> {
    if !path.starts_with('/') || path.len() > SOCKET_PATH {
        return Err("the path must be absolute and at most 107 bytes long");
    }
    Ok(path.to_owned())
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, ffi::CString};

    use super::*;

    const README: &str = include_str!("../../README.md");
    const MANUAL: &str = include_str!("../../packaging/man/pam_otp.8");

    fn parse(arguments: &[&str]) -> Result<Options, String> {
        let owned: Vec<_> = arguments.iter().map(|a| CString::new(*a).unwrap()).collect();
        Options::parse(&owned.iter().map(CString::as_c_str).collect::<Vec<_>>())
    }

    #[test]
    fn each_option_sets_its_field() {
        let default = Options::default;
        let table: Vec<(&[&str], Options)> = vec![
            (&[], default()),
            (&["try_first_pass"], Options { first_pass: FirstPass::Try, ..default() }),
            (&["use_first_pass"], Options { first_pass: FirstPass::Use, ..default() }),
            (
                &["use_first_pass", "try_first_pass"],
                Options { first_pass: FirstPass::Use, ..default() },
            ),
            (
                &["try_first_pass", "use_first_pass"],
                Options { first_pass: FirstPass::Use, ..default() },
            ),
            (&["forward_pass"], Options { forward_pass: true, ..default() }),
            (&["nullok"], Options { nullok: true, ..default() }),
            (&["nouserok"], Options { nullok: true, ..default() }),
            (&["prompt=Code: "], Options { prompt: Some("Code: ".into()), ..default() }),
            (&["prompt=a=b"], Options { prompt: Some("a=b".into()), ..default() }),
            (&["authtok_prompt=Código"], Options { prompt: Some("Código".into()), ..default() }),
            (&["echo"], Options { echo: true, ..default() }),
            (&["echo_verification_code"], Options { echo: true, ..default() }),
            (&["method=acme.totp.1"], Options { method: Some("acme.totp.1".into()), ..default() }),
            (&["mode=second"], Options { mode: Some("second".into()), ..default() }),
            (&["mode=challenge"], Options { mode: Some("challenge".into()), ..default() }),
            (&["mode=issued"], Options { mode: Some("issued".into()), ..default() }),
            (&["timeout=1"], Options { timeout: Duration::from_secs(1), ..default() }),
            (&["timeout=30"], Options { timeout: Duration::from_secs(30), ..default() }),
            (&["timeout=3", "timeout=5"], Options { timeout: Duration::from_secs(5), ..default() }),
            (&["socket=/run/x"], Options { socket: "/run/x".into(), ..default() }),
            (&["bus=system"], Options { bus: Some(names::SYSTEM_BUS_SOCKET.into()), ..default() }),
            (&["bus=unix:path=/run/bus"], Options { bus: Some("/run/bus".into()), ..default() }),
            (&["debug"], Options { debug: true, ..default() }),
            (&["no_warn"], Options { no_warn: true, ..default() }),
        ];
        for (arguments, expected) in table {
            assert_eq!(parse(arguments), Ok(expected), "{arguments:?}");
        }
    }

    #[test]
    fn unknown_and_malformed_options_are_named() {
        let long = format!("socket=/{}", "x".repeat(107));
        let table = [
            ("", "unknown; see pam_otp(8)"),
            ("nulok", "unknown; see pam_otp(8)"),
            ("NULLOK", "unknown; see pam_otp(8)"),
            ("nullok=yes", "unknown; see pam_otp(8)"),
            ("=", "unknown; see pam_otp(8)"),
            ("failmode=safe", "unknown; see pam_otp(8)"),
            ("prompt", "needs a value, as in NAME=VALUE"),
            ("prompt=", "the text is empty"),
            ("method=", "the name of a method is 1 to 256 bytes long"),
            ("mode=first", "allowed are second, challenge and issued"),
            ("timeout=", "allowed are 1 to 30 (seconds)"),
            ("timeout=0", "allowed are 1 to 30 (seconds)"),
            ("timeout=31", "allowed are 1 to 30 (seconds)"),
            ("timeout=-1", "allowed are 1 to 30 (seconds)"),
            ("timeout=10s", "allowed are 1 to 30 (seconds)"),
            ("timeout=99999999999999999999", "allowed are 1 to 30 (seconds)"),
            ("socket=run/otpd", "the path must be absolute and at most 107 bytes long"),
            (long.as_str(), "the path must be absolute and at most 107 bytes long"),
            ("bus=session", "allowed are system and unix:path=/PATH"),
            ("bus=unixexec:path=/bin/sh", "allowed are system and unix:path=/PATH"),
            ("bus=unix:path=/a,guid=1", "allowed are system and unix:path=/PATH"),
            ("bus=unix:path=/a;unixexec:path=/b", "allowed are system and unix:path=/PATH"),
            ("bus=unix:path=bus", "the path must be absolute and at most 107 bytes long"),
            #[cfg(not(feature = "test-panic"))]
            ("panic", "unknown; see pam_otp(8)"),
        ];
        for (argument, why) in table {
            let expected = Err(format!("option {argument}: {why}"));
            assert_eq!(parse(&["debug", argument, "echo"]), expected);
        }
        assert_eq!(
            Options::parse(&[c"prompt=\xff"]),
            Err("option prompt=\u{fffd}: not UTF-8".into())
        );
    }

    /// The part of a document from the line that is `from` to the next line that begins with `to`.
    fn section<'a>(document: &'a str, from: &str, to: &str) -> Vec<&'a str> {
        let after = document.lines().skip_while(|line| *line != from).skip(1);
        after.take_while(|line| !line.starts_with(to)).collect()
    }

    /// The options of the README's table: what is in backquotes in its first column.
    fn table_of_readme() -> Vec<&'static str> {
        let rows = section(README, "## Options of the module", "## ");
        let first = rows.iter().filter_map(|row| row.strip_prefix("| `")?.split(" |").next());
        first.flat_map(|cell| cell.split('`').step_by(2)).filter(|name| !name.is_empty()).collect()
    }

    /// The options of the manual page: the tags of the section's paragraphs.
    fn tags_of_manual() -> Vec<String> {
        let lines = section(MANUAL, ".SH OPTIONS", ".SH");
        let tags = lines.windows(2).filter(|pair| [".TP", ".TQ"].contains(&pair[0]));
        tags.map(|pair| pair[1].split_whitespace().skip(1).collect()).collect()
    }

    #[test]
    fn the_manual_has_every_option_and_no_other() {
        let (tags, readme) = (tags_of_manual(), table_of_readme());
        let documented: BTreeSet<_> = tags.iter().filter_map(|tag| tag.split('=').next()).collect();
        let known = OPTIONS.iter().map(|(name, _)| *name).filter(|name| *name != "panic");
        assert_eq!(documented, known.collect(), "pam_otp.8 and OPTIONS");
        assert!(readme.len() > 9, "the README's table: {readme:?}");
        for option in tags.iter().map(String::as_str).chain(readme) {
            let example = option.replace("=PATH", "=/run/x").replace("SECONDS", "30");
            assert_eq!(parse(&[&example]).err(), None, "documented as {option}");
        }
    }

    #[test]
    fn the_module_lines_in_the_documents_are_accepted() {
        let lines = README.lines().chain(MANUAL.lines());
        let lines = lines.filter_map(|line| line.split_once("pam_otp.so"));
        let written: Vec<_> = lines.filter_map(|(_, rest)| rest.split('`').next()).collect();
        assert!(written.contains(&" nullok"), "{written:?}");
        for options in written {
            let options: Vec<_> = options.split_whitespace().take_while(|o| *o != "|").collect();
            assert_eq!(parse(&options).err(), None, "{options:?}");
        }
    }
}
