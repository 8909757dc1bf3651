//! The configuration in force, defaults included, as a file that says the same.

use std::fmt::{self, Display, Formatter};

use otp_core::{
    policy::{FactorRule, Rule, Unenrolled},
    token::{Algorithm, Factor},
};

use super::{Caller, Clients, Config, Enforce, Issued, Method};

impl Display for Config {
    /// Writes TOML that [`Config::load`] reads as an equal configuration.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "[daemon]\nuser = {}\n", Text(&self.user))?;
        writeln!(f, "[bus]\naddress = {}", Text(&self.bus.address))?;
        writeln!(f, "login_socket = {}", Text(&self.bus.login_socket.to_string_lossy()))?;
        writeln!(f, "trusted_callers = {}\n", List(&self.bus.trusted_callers))?;
        writeln!(f, "[store]\npath = {}", Text(&self.store.path.to_string_lossy()))?;
        writeln!(f, "audit_rows = {}\n", self.store.audit_rows)?;
        writeln!(f, "[keys]\nfile = {}\n", Text(&self.key_file.to_string_lossy()))?;
        let lockout = &self.lockout;
        writeln!(f, "[lockout]\nafter = {}\nfirst = \"{}ms\"", lockout.after, lockout.first_ms)?;
        writeln!(f, "longest = \"{}ms\"", lockout.longest_ms)?;
        writeln!(f, "disable_after = {}\n", lockout.disable_after)?;
        writeln!(f, "[enrolment]\npending = \"{}ms\"", self.enrolment.pending_ms)?;
        if let Some(issuer) = &self.enrolment.issuer {
            writeln!(f, "issuer = {}", Text(issuer))?;
        }
        let limits = &self.limits;
        writeln!(f, "\n[limits]\nsessions = {}", limits.sessions)?;
        writeln!(f, "sessions_per_user = {}", limits.sessions_per_user)?;
        writeln!(f, "calls_per_user = {}", limits.calls_per_user)?;
        writeln!(f, "prompt_lifetime = \"{}ms\"", limits.prompt_lifetime_ms)?;
        writeln!(f, "connections = {}", limits.connections)?;
        let gecos = &self.gecos;
        writeln!(f, "\n[directory.local]\ntype = \"passwd\"")?;
        for (key, field) in [("mobile", gecos.mobile), ("mail", gecos.mail)] {
            if let Some(field) = field {
                writeln!(f, "{key} = \"{}\"", field.name())?;
            }
        }
        if let Some(country) = &gecos.country {
            writeln!(f, "country = {}", Text(country))?;
        }
        let budget = &self.budget;
        writeln!(f, "\n[budget]\nresend = \"{}ms\"", budget.resend_ms)?;
        writeln!(f, "per_user = {}\nper_recipient = {}", budget.per_user, budget.per_recipient)?;
        writeln!(f, "total = {}", budget.total)?;
        if !budget.countries.is_empty() {
            writeln!(f, "countries = {}", List(&budget.countries))?;
        }
        write_issued(f, &self.issued)?;
        write_clients(f, &self.clients)?;
        let template = &self.template;
        writeln!(f, "\n[template]\nsms = {}", Text(template.sms.as_str()))?;
        writeln!(f, "subject = {}", Text(template.subject.as_str()))?;
        writeln!(f, "body = {}", Text(template.body.as_str()))?;
        f.write_str(&self.shown_providers)?;
        self.methods.iter().try_for_each(|method| write_method(f, method))?;
        self.rules.iter().try_for_each(|rule| write_rule(f, rule))
    }
}

fn write_method(f: &mut Formatter<'_>, method: &Method) -> fmt::Result {
    writeln!(f, "\n[[method]]\nname = {}\ntitle = {}", Text(&method.name), Text(&method.title))?;
    match method.factor {
        Factor::Totp { t0_ms, period_ms } => {
            writeln!(f, "type = \"totp\"\nt0 = \"{t0_ms}ms\"\ntime_step = \"{period_ms}ms\"")?;
            writeln!(f, "window_before = {}", method.windows.before)?;
            writeln!(f, "window_after = {}", method.windows.after)?;
        }
        Factor::Hotp => {
            writeln!(f, "type = \"hotp\"\nlook_ahead = {}", method.windows.look_ahead)?;
        }
        Factor::OutOfBand(channel) => {
            let delivery = &method.delivery;
            writeln!(f, "type = \"{}\"\ndigits = {}", channel.name(), method.digits)?;
            writeln!(f, "validity = \"{}ms\"\ntries = {}", delivery.validity_ms, delivery.tries)?;
            if !delivery.providers.is_empty() {
                writeln!(f, "providers = {}", List(&delivery.providers))?;
            }
            return writeln!(f, "directories = {}", List(&method.directories));
        }
    }
    let algorithm = match method.algorithm {
        Algorithm::Sha1 => "sha1",
        Algorithm::Sha256 => "sha256",
        Algorithm::Sha512 => "sha512",
    };
    writeln!(f, "algorithm = \"{algorithm}\"\ndigits = {}", method.digits)?;
    writeln!(f, "key_size = {}\ndirectories = {}", method.key_size, List(&method.directories))
}

fn write_issued(f: &mut Formatter<'_>, issued: &Issued) -> fmt::Result {
    writeln!(f, "\n[issued]\nenabled = {}", issued.enabled)?;
    writeln!(f, "validity = \"{}ms\"\ndigits = {}", issued.validity_ms, issued.digits)?;
    let reveal = if issued.readable { "while-valid" } else { "once" };
    writeln!(f, "uses = {}\nreveal = \"{reveal}\"", issued.uses)?;
    writeln!(f, "scope = \"{}\"", issued.reach.name())?;
    writeln!(f, "guesses_per_hour = {}", issued.guesses_per_hour)
}

fn write_clients(f: &mut Formatter<'_>, clients: &Clients) -> fmt::Result {
    writeln!(f, "\n[clients]\nmost = {}", clients.most)?;
    match &clients.enforce {
        Enforce::Nowhere => writeln!(f, "enforce = false"),
        Enforce::Everywhere => writeln!(f, "enforce = true"),
        Enforce::At(services) => writeln!(f, "enforce = {}", List(services)),
    }
}

fn write_rule(f: &mut Formatter<'_>, rule: &Rule) -> fmt::Result {
    writeln!(f, "\n[[policy]]\nname = {}", Text(&rule.name))?;
    let criteria = [("service", &rule.services), ("user", &rule.users)];
    let criteria: Vec<_> = criteria
        .iter()
        .filter(|(_, values)| !values.is_empty())
        .map(|(key, values)| format!("{key} = {}", List(values)))
        .collect();
    if !criteria.is_empty() {
        writeln!(f, "match = {{ {} }}", criteria.join(", "))?;
    }
    let factor = match rule.factor {
        FactorRule::Require => "require",
        FactorRule::Skip => "skip",
        FactorRule::Deny => "deny",
    };
    let unenrolled = match rule.unenrolled {
        Unenrolled::Deny => "deny",
        Unenrolled::Ignore => "ignore",
        Unenrolled::Enrol => "enrol",
    };
    writeln!(f, "factor = \"{factor}\"\nunenrolled = \"{unenrolled}\"")?;
    writeln!(f, "enrol = {}", List(&rule.enrol))?;
    if !rule.methods.is_empty() {
        writeln!(f, "methods = {}", List(&rule.methods))?;
    }
    if let Some(remember_ms) = rule.remember_ms {
        writeln!(f, "remember = \"{remember_ms}ms\"")?;
    }
    writeln!(f, "concatenate = {}", rule.concatenate)
}

/// A TOML basic string.
pub(super) struct Text<'a>(pub(super) &'a str);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c))?,
                c => write!(f, "{c}")?,
            }
        }
        f.write_str("\"")
    }
}

/// A TOML array on one line.
struct List<'a, T>(&'a [T]);

/// A value of an array.
trait Element {
    fn write(&self, f: &mut Formatter<'_>) -> fmt::Result;
}

impl Element for String {
    fn write(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Text(self).fmt(f)
    }
}

impl Element for Caller {
    fn write(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => Text(name).fmt(f),
            Self::Uid(uid) => uid.fmt(f),
        }
    }
}

impl<T: Element> Display for List<'_, T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (place, element) in self.0.iter().enumerate() {
            f.write_str(if place == 0 { "" } else { ", " })?;
            element.write(f)?;
        }
        f.write_str("]")
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn load(text: &str) -> Config {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("otpd.toml");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        Config::load(&path, None).unwrap().config
    }

    #[test]
    fn what_is_shown_reads_as_the_same() {
        let everything = r#"
            [daemon]
            user = "somebody"
            [bus]
            address = "unix:path=/run/other"
            login_socket = "/run/o.sock"
            trusted_callers = ["alice", 33]
            [store]
            path = "/srv/otpd/\u00fc\"\\.db"
            audit_rows = 5000
            [keys]
            file = "/etc/keys/kek"
            [lockout]
            after = 3
            first = "2s"
            longest = "1h"
            disable_after = 50
            [enrolment]
            issuer = "Ex \"ample\" \\"
            pending = "1h"
            [limits]
            sessions = 100
            sessions_per_user = 3
            calls_per_user = 2
            prompt_lifetime = "1m"
            connections = 77
            [directory.local]
            mobile = "work-phone"
            mail = "other"
            country = "49"
            [budget]
            resend = "45s"
            per_user = 3
            per_recipient = 4
            total = 77
            countries = ["+49", "+4179"]
            [issued]
            enabled = true
            validity = "1h"
            digits = 10
            uses = 3
            reveal = "once"
            scope = "remote"
            guesses_per_hour = 50
            [clients]
            most = 10
            enforce = ["sshd", "login"]
            [template]
            sms = "{otp} \u20ac"
            subject = "for {host}"
            body = "\"{otp}\"\n\n{minutes}"
            [[method]]
            name = "totp"
            digits = 8
            [[method]]
            name = "sms"
            validity = "2m"
            tries = 2
            [[method]]
            name = "acme.1"
            title = "Acme"
            algorithm = "sha512"
            t0 = "5s"
            time_step = "60s"
            window_before = 2
            window_after = 3
            key_size = 64
            directories = ["local"]
            [[method]]
            name = "card"
            type = "hotp"
            look_ahead = 20
            [[policy]]
            name = "one"
            match = { service = ["sshd", "sudo"], user = ["alice"] }
            factor = "skip"
            unenrolled = "ignore"
            enrol = ["totp"]
            methods = ["card", "recovery", "issued"]
            remember = "8h"
            concatenate = true
            [[policy]]
            name = "two"
            factor = "deny"
        "#;
        for text in ["", everything] {
            let config = load(text);
            assert_eq!(load(&config.to_string()), config, "{config}");
        }
    }
}
