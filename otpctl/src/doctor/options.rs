//! The options of pam_otp's lines, which the module checks when somebody logs in.

use pam_stack::{Line, Machine, Mode, Place, Role, Stack};

use super::check::{
    Finding, PAM_METHOD, PAM_MODULE_MISSING, PAM_NO_PASSWORD, PAM_OPTION, PAM_QUIET, PAM_SOCKET,
};
use super::policy::Configuration;

/// Options without a value; a test holds both tables equal to the module's own.
const FLAGS: &[&str] = &[
    "try_first_pass",
    "use_first_pass",
    "forward_pass",
    "nullok",
    "nouserok",
    "echo",
    "echo_verification_code",
    "debug",
    "no_warn",
];
/// Options with a value.
const VALUES: &[&str] = &["prompt", "authtok_prompt", "method", "mode", "timeout", "socket", "bus"];

/// What an option can be wrong in.
fn wrong(option: &str) -> Option<String> {
    let Some((name, value)) = option.split_once('=') else {
        return match () {
            () if FLAGS.contains(&option) => None,
            () if VALUES.contains(&option) => Some(format!("give it a value: {option}=…")),
            () => Some(meant(option)),
        };
    };
    let path = |path: &str| path.starts_with('/') && path.len() <= 107;
    let fits = match name {
        "prompt" | "authtok_prompt" => !value.is_empty(),
        "method" => (1..=256).contains(&value.len()),
        "mode" => ["second", "challenge", "issued"].contains(&value),
        "timeout" => value.parse().is_ok_and(|seconds: u64| (1..=30).contains(&seconds)),
        "socket" => path(value),
        "bus" => match value.strip_prefix("unix:path=") {
            Some(socket) => path(socket) && !socket.contains([',', ';', '%']),
            None => value == "system",
        },
        _ => return Some(meant(name)),
    };
    let allowed = match name {
        "mode" => "second, challenge or issued",
        "timeout" => "1 to 30 (seconds)",
        "socket" => "an absolute path of at most 107 bytes",
        "bus" => "system or unix:path=/PATH",
        "method" => "a name of 1 to 256 bytes",
        _ => "a text that is not empty",
    };
    (!fits).then(|| format!("write {name}= with {allowed}"))
}

/// What to do about an unknown option.
fn meant(name: &str) -> String {
    let known = FLAGS.iter().chain(VALUES);
    let close = known.map(|known| (strsim::damerau_levenshtein(known, name), *known)).min();
    match close {
        Some((distance, known)) if distance <= 2 => format!("write `{known}`, see pam_otp(8)"),
        _ => format!("take `{name}` out, see pam_otp(8)"),
    }
}

/// Checks the lines of pam_otp one by one.
pub(crate) fn check(
    stack: &Stack,
    machine: &Machine,
    configuration: Option<&Configuration>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, mode, line) in stack.codes() {
        let wrong = line.arguments().iter().filter_map(|option| wrong(option));
        findings.extend(wrong.map(|change| PAM_OPTION.found(&line.text, change).at(&line.place)));
        findings.extend(module(machine, line));
        if line.quiet {
            let change = "take the `-` away";
            findings.push(PAM_QUIET.found(&line.text, change).at(&line.place));
        }
        if mode == Mode::Second && line.has("use_first_pass") && !password_above(stack, at) {
            let change = "take `use_first_pass` out, or put the line below the password's";
            findings.push(PAM_NO_PASSWORD.found(&line.text, change).at(&line.place));
        }
        findings.extend(method(line, configuration));
        findings.extend(socket(machine, line));
    }
    findings
}

/// The module is there where a line names it.
pub(crate) fn module(machine: &Machine, line: &Line) -> Option<Finding> {
    let pam_stack::Entry::Module { path, .. } = &line.entry else { return None };
    let change = format!("install {path}, or put a `#` in front of the line");
    let missing = machine.module(path).is_none();
    missing.then(|| PAM_MODULE_MISSING.found(&line.text, change).at(&line.place))
}

/// Whether a line above asks for the password, or a line of pam_otp for both.
fn password_above(stack: &Stack, at: usize) -> bool {
    let above = stack.lines.get(..at).unwrap_or_default();
    above.iter().any(|line| {
        let other = matches!(line.role(), Role::Unknown);
        line.asks_password() || other || line.has("forward_pass")
    })
}

fn method(line: &Line, configuration: Option<&Configuration>) -> Option<Finding> {
    let name = line.value("method")?;
    let methods = &configuration?.method;
    // These have no table of their own.
    let built_in = ["recovery", "issued"].contains(&name);
    if built_in || methods.iter().any(|method| method.name == name && method.enabled) {
        return None;
    }
    let usable = methods.iter().filter(|method| method.enabled);
    let usable = usable.map(|method| method.name.as_str()).collect::<Vec<_>>().join(", ");
    let change = format!("write one of {usable}; see `otpctl method list`");
    Some(PAM_METHOD.found(&line.text, change).at(&line.place))
}

/// The socket that a line names is there; the daemon's own one is looked at elsewhere.
fn socket(machine: &Machine, line: &Line) -> Option<Finding> {
    let bus = line.value("bus").map(|bus| bus.strip_prefix("unix:path=").unwrap_or(bus));
    let named = match (bus, line.value("socket")) {
        (Some("system"), _) => otp_ipc::names::SYSTEM_BUS_SOCKET,
        (Some(path), _) | (None, Some(path)) => path,
        (None, None) => return None,
    };
    let change = format!("start what listens at {named}, or take the option out");
    let missing = named.starts_with('/') && !machine.path(named).exists();
    let place: &Place = &line.place;
    missing.then(|| PAM_SOCKET.found(&line.text, change).at(place))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const MODULE: &str = include_str!("../../../pam_otp/src/args.rs");

    #[test]
    fn the_options_are_those_of_the_module() {
        let (_, table) = MODULE.split_once("const OPTIONS").unwrap();
        let (table, _) = table.split_once("];").unwrap();
        let of = |take: &str| -> BTreeSet<&str> {
            let rows = table.lines().filter(|row| row.contains(take));
            rows.filter_map(|row| row.split('"').nth(1)).filter(|name| *name != "panic").collect()
        };
        assert_eq!(of("Take::Flag"), FLAGS.iter().copied().collect());
        assert_eq!(of("Take::Value"), VALUES.iter().copied().collect());
    }

    #[test]
    fn options_are_refused_as_the_module_refuses_them() {
        for (option, change) in [
            ("nullok", None),
            ("prompt=Your code: ", None),
            ("timeout=30", None),
            ("bus=unix:path=/run/bus", None),
            ("nulok", Some("write `nullok`, see pam_otp(8)")),
            ("nullok=yes", Some("write `nullok`, see pam_otp(8)")),
            ("failmode=safe", Some("take `failmode` out, see pam_otp(8)")),
            ("prompt", Some("give it a value: prompt=…")),
            ("prompt=", Some("write prompt= with a text that is not empty")),
            ("timeout=31", Some("write timeout= with 1 to 30 (seconds)")),
            ("mode=first", Some("write mode= with second, challenge or issued")),
            ("socket=run", Some("write socket= with an absolute path of at most 107 bytes")),
            ("bus=unix:path=/a,b", Some("write bus= with system or unix:path=/PATH")),
        ] {
            assert_eq!(wrong(option).as_deref(), change, "{option}");
        }
    }
}
