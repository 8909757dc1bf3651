//! The configuration in force, defaults included, as a file that says the same.

use std::fmt::{self, Display, Formatter};

use otp_core::{
    policy::{Key, Rule},
    token::{Algorithm, Factor},
};

use super::{
    Caller, Clients, Config, Enforce, Enrolment, FollowUp, Issued, Method, Sharing,
    sharing::{ACCOUNT_NAMES, CONFIRMATIONS},
};

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
        write_enrolment(f, &self.enrolment)?;
        write_sharing(f, &self.sharing)?;
        let limits = &self.limits;
        writeln!(f, "\n[limits]\nsessions = {}", limits.sessions)?;
        writeln!(f, "sessions_per_user = {}", limits.sessions_per_user)?;
        writeln!(f, "calls_per_user = {}", limits.calls_per_user)?;
        writeln!(f, "prompt_lifetime = \"{}ms\"", limits.prompt_lifetime_ms)?;
        writeln!(f, "connections = {}", limits.connections)?;
        f.write_str(&self.shown_directories)?;
        let budget = &self.budget;
        writeln!(f, "\n[budget]\nresend = \"{}ms\"", budget.resend_ms)?;
        writeln!(f, "per_user = {}\nper_recipient = {}", budget.per_user, budget.per_recipient)?;
        writeln!(f, "total = {}", budget.total)?;
        if !budget.countries.is_empty() {
            writeln!(f, "countries = {}", List(&budget.countries))?;
        }
        write_issued(f, &self.issued)?;
        write_clients(f, &self.clients)?;
        write!(f, "{}{}", self.template, self.prompts)?;
        f.write_str(&self.shown_providers)?;
        self.methods.iter().try_for_each(|method| write_method(f, method))?;
        self.rules.iter().try_for_each(|rule| write_rule(f, rule))
    }
}

fn write_enrolment(f: &mut Formatter<'_>, enrolment: &Enrolment) -> fmt::Result {
    writeln!(f, "[enrolment]\npending = \"{}ms\"", enrolment.pending_ms)?;
    writeln!(f, "at_login = \"{}ms\"\nqr = \"{}\"", enrolment.at_login_ms, enrolment.qr.name())?;
    let texts = [
        ("issuer", &enrolment.issuer),
        ("label", &enrolment.label),
        ("registration_uri", &enrolment.registration_uri),
    ];
    for (key, text) in texts {
        if let Some(text) = text {
            writeln!(f, "{key} = {}", Text(text))?;
        }
    }
    Ok(())
}

fn write_sharing(f: &mut Formatter<'_>, sharing: &Sharing) -> fmt::Result {
    fn word<T: PartialEq>(words: &[(&'static str, T)], chosen: &T) -> &'static str {
        words.iter().find(|(_, one)| one == chosen).map_or("", |(word, _)| *word)
    }
    writeln!(f, "\n[sharing]\nttl = \"{}ms\"", sharing.ttl_ms)?;
    writeln!(f, "offer = \"{}ms\"", sharing.offer_ms)?;
    writeln!(f, "confirm = \"{}\"", word(&CONFIRMATIONS, &sharing.confirm))?;
    writeln!(f, "reshare = {}", sharing.reshare)?;
    writeln!(f, "account = \"{}\"", word(&ACCOUNT_NAMES, &sharing.account))?;
    writeln!(f, "tenants = {}", List(&sharing.tenants))?;
    if !sharing.on.is_empty() {
        writeln!(f, "\n[sharing.on]")?;
    }
    for (transition, FollowUp { program, arguments }) in &sharing.on {
        let program = program.to_string_lossy().into_owned();
        let command: Vec<_> = std::iter::once(program).chain(arguments.iter().cloned()).collect();
        writeln!(f, "{} = {}", transition.name(), List(&command))?;
    }
    Ok(())
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
            return write_use(f, method);
        }
    }
    let algorithm = match method.algorithm {
        Algorithm::Sha1 => "sha1",
        Algorithm::Sha256 => "sha256",
        Algorithm::Sha512 => "sha512",
    };
    writeln!(f, "algorithm = \"{algorithm}\"\ndigits = {}", method.digits)?;
    writeln!(f, "key_size = {}", method.key_size)?;
    write_use(f, method)
}

/// Who may use it.
fn write_use(f: &mut Formatter<'_>, method: &Method) -> fmt::Result {
    writeln!(f, "directories = {}\nenabled = {}", List(&method.directories), method.enabled)
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
    let criteria: Vec<_> = Key::ALL
        .into_iter()
        .map(|key| (key.name(), rule.criteria.values(key)))
        .filter(|(_, values)| !values.is_empty())
        .map(|(key, values)| format!("{key} = {}", List(&values)))
        .collect();
    if !criteria.is_empty() {
        writeln!(f, "match = {{ {} }}", criteria.join(", "))?;
    }
    let (factor, unenrolled) = (rule.factor.name(), rule.unenrolled.name());
    writeln!(f, "factor = \"{factor}\"\nunenrolled = \"{unenrolled}\"")?;
    writeln!(f, "enrol = {}", List(&rule.enrol))?;
    if !rule.methods.is_empty() {
        writeln!(f, "methods = {}", List(&rule.methods))?;
    }
    writeln!(f, "concatenate = {}", rule.concatenate)?;
    writeln!(f, "choice = {}", rule.choice)?;
    match rule.remember_ms {
        Some(ms) => writeln!(f, "remember = \"{ms}ms\""),
        None => Ok(()),
    }
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
            at_login = "1m"
            qr = "light"
            label = "Acme \"login\""
            registration_uri = "https://id.example.com/otp"
            [sharing]
            ttl = "45s"
            offer = "90d"
            confirm = "ack"
            reshare = false
            account = "email"
            tenants = ["example", "\u00fc \"b\""]
            [sharing.on]
            ok = ["/bin/true", "a \"b\"", ""]
            showGui = ["/bin/true"]
            clientNotFound = ["/bin/false"]
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
            [template.de]
            subject = "f\u00fcr {host}"
            [template.es]
            body = "{otp}"
            [prompt.default]
            language = "fr"
            issued = "Code \": "
            [prompt."gdm.password"]
            language = "de"
            [prompt.sshd]
            code = "Example: "
            [prompt.sshd.de]
            code = "Beispiel: "
            combined = "Beides: "
            [prompt.sshd.es]
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
            enabled = false
            [[policy]]
            name = "one"
            match = { service = ["sshd", "sudo"], user = ["alice"], group = ["domain users"], source = ["10.0.0.0/8", "::ffff:192.0.2.7", "local"], terminal = ["pts/*", "tty1"], client = ["known", "key 1"], time = ["Mon..Fri  08:00-18:00", "22:00-06:00"] }
            factor = "skip"
            unenrolled = "ignore"
            enrol = ["totp"]
            methods = ["card", "recovery", "issued"]
            concatenate = true
            choice = true
            remember = "8h"
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
