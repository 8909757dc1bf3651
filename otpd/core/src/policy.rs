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
    /// The impossible.
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
        }
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
