//! What the daemon's configuration says about logins, as `otpd show-config` prints it.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The parts of the configuration that the checks need.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Configuration {
    #[serde(default)]
    pub(crate) policy: Vec<Policy>,
    #[serde(default)]
    pub(crate) method: Vec<Method>,
    #[serde(default)]
    pub(crate) provider: BTreeMap<String, toml::Table>,
    #[serde(default)]
    pub(crate) enrolment: Enrolment,
    #[serde(default)]
    pub(crate) issued: Issued,
    #[serde(default)]
    pub(crate) store: Store,
    #[serde(default)]
    pub(crate) keys: Keys,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Policy {
    pub(crate) name: String,
    #[serde(default, rename = "match")]
    pub(crate) matches: BTreeMap<String, toml::Value>,
    #[serde(default)]
    pub(crate) factor: String,
    #[serde(default)]
    pub(crate) unenrolled: String,
    #[serde(default)]
    pub(crate) enrol: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Method {
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) enabled: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Enrolment {
    pub(crate) at_login: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Issued {
    #[serde(default)]
    pub(crate) enabled: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Store {
    pub(crate) path: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Keys {
    pub(crate) file: Option<String>,
}

impl Policy {
    /// Whether it may decide logins at this service.
    fn concerns(&self, service: &str) -> bool {
        match self.matches.get("service") {
            Some(toml::Value::Array(names)) => names.iter().any(|n| n.as_str() == Some(service)),
            _ => true,
        }
    }

    /// Whether it depends on anything but the service.
    fn is_narrow(&self) -> bool {
        self.matches.keys().any(|key| key != "service")
    }

    /// Whether it matches every login there is.
    pub(crate) fn matches_all(&self) -> bool {
        self.matches.is_empty()
    }
}

impl Configuration {
    /// The policies that may decide a login at this service.
    pub(crate) fn at(&self, service: &str) -> Vec<&Policy> {
        let mut deciding = Vec::new();
        for policy in self.policy.iter().filter(|policy| policy.concerns(service)) {
            deciding.push(policy);
            if !policy.is_narrow() {
                break;
            }
        }
        deciding
    }

    /// A policy that lets somebody off the code at this service, enrolled or not.
    pub(crate) fn skips(&self, service: &str) -> Option<&Policy> {
        self.at(service).into_iter().find(|policy| policy.factor == "skip")
    }

    /// A policy that ignores who is not enrolled.
    pub(crate) fn ignores(&self, service: &str) -> Option<&Policy> {
        let ignores = |policy: &&Policy| policy.factor != "deny" && policy.unenrolled == "ignore";
        self.at(service).into_iter().find(ignores)
    }

    /// A policy that enrols with an app at the login.
    pub(crate) fn enrols(&self, service: &str) -> Option<&Policy> {
        let app = |name: &String| matches!(self.kind(name), Some("totp" | "hotp"));
        let enrols =
            |policy: &&Policy| policy.unenrolled == "enrol" && policy.enrol.iter().any(app);
        self.at(service).into_iter().find(enrols)
    }

    /// Whether codes can be delivered.
    pub(crate) fn delivers(&self) -> bool {
        !self.provider.is_empty()
    }

    fn kind(&self, method: &str) -> Option<&str> {
        let method = self.method.iter().find(|known| known.name == method)?;
        Some(&method.kind)
    }

    /// How long somebody may take to set up their app, in seconds.
    pub(crate) fn at_login(&self) -> u64 {
        let written = self.enrolment.at_login.as_deref().unwrap_or_default();
        written.strip_suffix("ms").and_then(|ms| ms.parse::<u64>().ok()).unwrap_or(300_000) / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policies_that_may_decide_are_those_up_to_the_first_for_all() {
        let text = "[[policy]]\nname = \"a\"\nmatch = { user = [\"x\"] }\nfactor = \"skip\"\n\
            [[policy]]\nname = \"b\"\nmatch = { service = [\"sshd\"] }\nunenrolled = \"ignore\"\n\
            [[policy]]\nname = \"c\"\nunenrolled = \"enrol\"\nenrol = [\"t\"]\n\
            [[policy]]\nname = \"d\"\nfactor = \"deny\"\n\
            [[method]]\nname = \"t\"\ntype = \"hotp\"\nenabled = true\n\
            [enrolment]\nat_login = \"90000ms\"\n";
        let configuration: Configuration = toml::from_str(text).unwrap();
        let names = |service: &str| -> Vec<&str> {
            configuration.at(service).iter().map(|policy| policy.name.as_str()).collect()
        };
        assert_eq!(names("sshd"), ["a", "b"]);
        assert_eq!(names("sudo"), ["a", "c"]);
        let name = |policy: Option<&Policy>| policy.map(|policy| policy.name.clone());
        assert_eq!(name(configuration.skips("sudo")).as_deref(), Some("a"));
        assert_eq!(name(configuration.ignores("sshd")).as_deref(), Some("b"));
        assert_eq!(name(configuration.enrols("sudo")).as_deref(), Some("c"));
        assert_eq!(name(configuration.enrols("sshd")), None);
        assert_eq!((configuration.at_login(), configuration.delivers()), (90, false));
    }
}
