//! Which rule a login falls under: the first one that matches.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

/// What a rule asks of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FactorRule {
    /// A code.
    Require,
    /// Nothing.
    Skip,
    /// What nobody can give: it is denied.
    Deny,
}

/// What becomes of users who have no confirmed token where a code is required.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unenrolled {
    /// They are denied.
    Deny,
    /// They are let through, where the stack says `nullok` too.
    Ignore,
    /// They get a credential at that login: the first of the rule's `enrol` that can be delivered.
    Enrol,
}

/// One `[[policy]]` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name, for records and messages.
    pub name: String,
    /// PAM services that it is for; empty: all.
    pub services: Vec<String>,
    /// Users that it is for; empty: all.
    pub users: Vec<String>,
    /// What it asks.
    pub factor: FactorRule,
    /// What becomes of the unenrolled.
    pub unenrolled: Unenrolled,
    /// Methods that users may enrol themselves with.
    pub enrol: Vec<String>,
    /// Methods that it accepts; empty: all, `recovery` among them.
    pub methods: Vec<String>,
    /// Whether password and code may come in one field.
    pub concatenate: bool,
    /// How long a client need not repeat the code after a login, in milliseconds.
    pub remember_ms: Option<u64>,
}

impl Rule {
    /// The built-in rule that comes last: a code from everyone enrolled, and nobody else gets in.
    #[must_use]
    pub fn last() -> Self {
        Self {
            name: "built-in".to_owned(),
            services: Vec::new(),
            users: Vec::new(),
            factor: FactorRule::Require,
            unenrolled: Unenrolled::Deny,
            enrol: Vec::new(),
            methods: Vec::new(),
            concatenate: false,
            remember_ms: None,
        }
    }

    /// How long a client need not repeat the code at this service, in milliseconds. sudo repeats it
    /// unless the rule names sudo: whoever finds a session open must not become root by it.
    #[must_use]
    pub fn remember_ms_for(&self, service: &str) -> Option<u64> {
        let named = self.services.iter().any(|named| named == service);
        self.remember_ms.filter(|_| named || !service.starts_with("sudo"))
    }

    fn matches(&self, login: &Login<'_>) -> bool {
        let among = |list: &[String], value| list.is_empty() || list.iter().any(|v| v == value);
        among(&self.services, login.service) && among(&self.users, login.user)
    }
}

/// What rules are chosen by. Both are compared byte for byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Login<'a> {
    /// The user.
    pub user: &'a str,
    /// The PAM service.
    pub service: &'a str,
}

/// The first rule that matches; the built-in last one ([`Rule::last`]) matches every login.
#[must_use]
pub fn decide<'a>(rules: &'a [Rule], login: &Login<'_>) -> &'a Rule {
    static LAST: LazyLock<Rule> = LazyLock::new(Rule::last);
    rules.iter().find(|rule| rule.matches(login)).unwrap_or(&LAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(name: &str, services: &[&str], users: &[&str]) -> Rule {
        let owned = |list: &[&str]| list.iter().map(|item| (*item).to_owned()).collect();
        Rule {
            name: name.to_owned(),
            services: owned(services),
            users: owned(users),
            ..Rule::last()
        }
    }

    #[test]
    fn the_first_rule_that_matches_wins() {
        let rules = [
            rule("alice by ssh", &["sshd"], &["alice"]),
            rule("console", &["login", "gdm"], &[]),
            rule("bob", &[], &["bob", "robert"]),
            rule("ssh", &["sshd"], &[]),
            rule("ssh again", &["sshd"], &["alice"]),
        ];
        for (user, service, expected) in [
            ("alice", "sshd", "alice by ssh"),
            ("alice", "login", "console"),
            ("alice", "sudo", "built-in"),
            ("bob", "login", "console"),
            ("bob", "sshd", "bob"),
            ("robert", "sudo", "bob"),
            ("carol", "sshd", "ssh"),
            ("Alice", "sshd", "ssh"),
            ("alice ", "sshd", "ssh"),
            ("carol", "sshd2", "built-in"),
            ("carol", "SSHD", "built-in"),
            ("", "", "built-in"),
        ] {
            let decided = decide(&rules, &Login { user, service });
            assert_eq!(decided.name, expected, "{user:?} {service:?}");
        }
        let everyone = [rule("all", &[], &[]), rule("bob", &[], &["bob"])];
        assert_eq!(decide(&everyone, &Login { user: "bob", service: "" }).name, "all");
    }

    #[test]
    fn without_rules_a_code_is_required_and_the_unenrolled_are_denied() {
        let last = decide(&[], &Login { user: "root", service: "login" });
        assert_eq!(*last, Rule::last());
        assert_eq!((last.factor, last.unenrolled), (FactorRule::Require, Unenrolled::Deny));
        assert!(last.enrol.is_empty() && last.methods.is_empty() && !last.concatenate);
    }
}
