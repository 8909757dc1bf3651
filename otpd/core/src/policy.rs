//! Which rule a login falls under: the first one that matches.

mod coverage;
mod criteria;
mod network;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

pub use coverage::{any_client, contradiction, covered, meet};
pub use criteria::{Client, Criteria, Groups, Key, Login, Origin, Terminal};
pub use network::{Network, NetworkError, Source};

use criteria::Fit;

/// Services that give privileges to whoever is logged in already: being remembered never counts
/// for them unless a rule names them.
pub const PRIVILEGED: [&str; 8] =
    ["sudo", "sudo-i", "su", "su-l", "doas", "runuser", "runuser-l", "polkit-1"];

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

impl FactorRule {
    /// Its name in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Require => "require",
            Self::Skip => "skip",
            Self::Deny => "deny",
        }
    }
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

impl Unenrolled {
    /// Its name in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Ignore => "ignore",
            Self::Enrol => "enrol",
        }
    }
}

/// One `[[policy]]` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name, for records and messages.
    pub name: String,
    /// The logins that it is for.
    pub criteria: Criteria,
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
    /// Whether the prompt names the ways in which a code can be sent, and sends none before one of
    /// them is typed.
    pub choice: bool,
    /// For how long a client need not repeat the code, in milliseconds; see
    /// [`Rule::remember_ms_for`].
    pub remember_ms: Option<u64>,
}

impl Rule {
    /// The built-in rule that comes last: a code from everyone enrolled, and nobody else gets in.
    #[must_use]
    pub fn last() -> Self {
        Self {
            name: "built-in".to_owned(),
            criteria: Criteria::default(),
            factor: FactorRule::Require,
            unenrolled: Unenrolled::Deny,
            enrol: Vec::new(),
            methods: Vec::new(),
            concatenate: false,
            choice: false,
            remember_ms: None,
        }
    }

    /// For how long a client that gives a code for `service` need not repeat it, in milliseconds.
    /// For a service of [`PRIVILEGED`] only where the rule names that very service.
    #[must_use]
    pub fn remember_ms_for(&self, service: &str) -> Option<u64> {
        let named = self.criteria.services.iter().any(|named| named == service);
        self.remember_ms.filter(|_| named || !PRIVILEGED.contains(&service))
    }

    fn fit(&self, login: &Login<'_>) -> Fit {
        self.criteria.fit_but_groups(login).min(self.criteria.fit(Key::Group, login))
    }

    /// What counts for a login whose groups this rule would have to know: a code, of those methods
    /// and in that field that the rule has; nobody is let off it, enrolled or remembered.
    fn without_groups(&self) -> Self {
        Self {
            factor: FactorRule::Require,
            unenrolled: Unenrolled::Deny,
            enrol: Vec::new(),
            remember_ms: None,
            ..self.clone()
        }
    }
}

/// Why a rule decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The login matches it.
    Matches,
    /// The login matches it but for its groups, which cannot be looked up: a code is required.
    GroupsUnknown,
    /// Whether the login matches it cannot be told, and what would follow asks for less.
    Stricter,
}

/// The rule that decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision<'a> {
    rule: &'a Rule,
    /// Its place among the rules; `None` for the built-in last one.
    pub index: Option<usize>,
    /// Why it is this one.
    pub cause: Cause,
}

impl Decision<'_> {
    /// What counts for the login: the rule, or what takes its place while the groups are unknown.
    #[must_use]
    pub fn effect(&self) -> Rule {
        match self.cause {
            Cause::GroupsUnknown => self.rule.without_groups(),
            Cause::Matches | Cause::Stricter => self.rule.clone(),
        }
    }

    fn strictness(&self) -> u8 {
        let deny = (FactorRule::Require, Unenrolled::Deny);
        let (factor, unenrolled) = match self.cause {
            Cause::GroupsUnknown => deny,
            Cause::Matches | Cause::Stricter => (self.rule.factor, self.rule.unenrolled),
        };
        match (factor, unenrolled) {
            (FactorRule::Skip, _) => 0,
            (FactorRule::Require, Unenrolled::Ignore) => 1,
            (FactorRule::Require, Unenrolled::Enrol) => 2,
            (FactorRule::Require, Unenrolled::Deny) => 3,
            (FactorRule::Deny, _) => 4,
        }
    }
}

/// The first rule that matches; the built-in last one ([`Rule::last`]) matches every login.
///
/// What is unknown never makes a login easier. Where its groups are unknown, the first rule that it
/// matches but for them decides, and a code is required. Where its source, its client or the time
/// is, a rule that depends on them counts only if it asks for more than what would follow: so the
/// outcome is at least as strict as for every source that it could have had.
#[must_use]
pub fn decide<'a>(rules: &'a [Rule], login: &Login<'_>) -> Decision<'a> {
    static LAST: LazyLock<Rule> = LazyLock::new(Rule::last);
    let mut strictest: Option<Decision<'a>> = None;
    let mut decision = Decision { rule: &LAST, index: None, cause: Cause::Matches };
    for (index, rule) in rules.iter().enumerate() {
        let certain = rule.criteria.fit_but_groups(login);
        let cause = match (rule.fit(login), certain) {
            (Fit::No, _) => continue,
            (Fit::Yes, _) => Cause::Matches,
            (Fit::Unsure, Fit::Unsure) if rule.criteria.fit(Key::Group, login) == Fit::Yes => {
                Cause::Stricter
            }
            (Fit::Unsure, _) => Cause::GroupsUnknown,
        };
        let this = Decision { rule, index: Some(index), cause };
        if certain == Fit::Yes {
            decision = this;
            break;
        }
        if strictest.is_none_or(|other| other.strictness() <= this.strictness()) {
            strictest = Some(this);
        }
    }
    strictest.filter(|other| other.strictness() > decision.strictness()).unwrap_or(decision)
}

/// Whether [`decide`] depends on the groups, whatever they are in `login`: on them nobody is asked
/// for otherwise.
#[must_use]
pub fn needs_groups(rules: &[Rule], login: &Login<'_>) -> bool {
    for rule in rules {
        match rule.criteria.fit_but_groups(login) {
            Fit::No => (),
            _ if !rule.criteria.groups.is_empty() => return true,
            Fit::Yes => return false,
            Fit::Unsure => (),
        }
    }
    false
}

/// Why a rule does not decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The key.
    pub key: Key,
    /// What the rule asks for.
    pub wanted: Vec<String>,
    /// What the login has.
    pub found: String,
    /// Whether it is what the login has; otherwise that is unknown.
    pub certain: bool,
}

/// Every key for which the login does not match the rule, or may not. Where there is none that is
/// certain, the rule is one that what follows is at least as strict as.
#[must_use]
pub fn mismatches(rule: &Rule, login: &Login<'_>) -> Vec<Mismatch> {
    let keys = Key::ALL.into_iter().map(|key| (key, rule.criteria.fit(key, login)));
    keys.filter(|(_, fit)| *fit != Fit::Yes)
        .map(|(key, fit)| Mismatch {
            key,
            wanted: rule.criteria.values(key),
            found: login.shown(key),
            certain: fit == Fit::No,
        })
        .collect()
}
