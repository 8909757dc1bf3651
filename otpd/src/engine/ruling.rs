//! The rules of one decision, taken from the configuration and the policy that matched.

use std::{collections::BTreeSet, sync::Arc};

use otp_core::{
    consume::Rules,
    issued::{Accepted, Terms},
    policy::{Cause, FactorRule, Rule},
    throttle::{Lock, Throttle},
    window::Windows,
};
use otp_ipc::{Context, names::SELF_SERVICE};

use super::{circumstances::Circumstances, client_identity};
use crate::{config::Loaded, poster::View, text::Locale};

/// What policies call the codes that administrators issue.
pub(super) const ISSUED: &str = "issued";

/// The rules of one decision.
#[derive(Clone)]
pub(super) struct Ruling {
    pub(super) loaded: Arc<Loaded>,
    pub(super) rule: Rule,
    /// Why it is this rule.
    pub(super) cause: Cause,
    /// The only method that the stack lets through, where it names one.
    pub(super) method: Option<String>,
    pub(super) service: String,
    pub(super) locale: Locale,
    /// How the login shows a key to whoever is at the prompt, if it may; see [`Ruling::seen_by`].
    pub(super) shows: Option<View>,
    /// The directories that know the user; `None` where that does not matter.
    pub(super) members: Option<Arc<BTreeSet<String>>>,
    /// Which issued codes are accepted.
    pub(super) issued: Accepted,
    /// The login has no remote side.
    local: bool,
}

impl Ruling {
    /// For a login of `user` with `context`, under what was found out when it began.
    pub(super) fn for_login(
        loaded: Arc<Loaded>,
        user: &str,
        context: &Context,
        found: &Circumstances,
    ) -> Self {
        let decision = found.decide(&loaded.config.rules, user);
        let (rule, cause) = (decision.effect(), decision.cause);
        let (method, service) = (context.method.clone(), found.service.clone());
        let usual = loaded.config.prompts.language(&service);
        let locale = Locale::of(context.language.as_deref(), usual);
        let mut ruling = Self {
            loaded,
            rule,
            cause,
            method,
            service,
            locale,
            shows: None,
            members: None,
            issued: Accepted::Nothing,
            local: client_identity::is_local(context),
        };
        if ruling.loaded.config.issued.enabled && ruling.accepts(ISSUED) {
            ruling.issued = Accepted::All;
        }
        ruling
    }

    /// For a change that `user` makes with `otpctl`. An issued code proves no credential of theirs.
    pub(super) fn for_self_service(loaded: Arc<Loaded>, user: &str, found: &Circumstances) -> Self {
        let ruling = Self::for_login(loaded, user, &Context::default(), found);
        Self { issued: Accepted::Nothing, ..ruling }
    }

    /// For a token that is confirmed or found again: the policy of logins does not matter.
    pub(super) fn unrestricted(loaded: Arc<Loaded>) -> Self {
        let locale = Locale::of(None, loaded.config.prompts.language(SELF_SERVICE));
        Self {
            loaded,
            rule: Rule::last(),
            cause: Cause::Matches,
            method: None,
            service: SELF_SERVICE.to_owned(),
            locale,
            shows: None,
            members: None,
            issued: Accepted::Nothing,
            local: true,
        }
    }

    /// The same for somebody against whom neither policy nor directories say anything: all that a
    /// prompt may depend on.
    pub(super) fn anybody(&self) -> Self {
        let rule = Rule { factor: FactorRule::Require, ..self.rule.clone() };
        Self { rule, members: None, ..self.clone() }
    }

    /// What an audit record says of the policy.
    pub(super) fn cited(&self) -> String {
        let name = &self.rule.name;
        match self.cause {
            Cause::Matches => format!("policy \"{name}\""),
            Cause::GroupsUnknown => {
                format!("policy \"{name}\": groups cannot be looked up, so a code is required")
            }
            Cause::Stricter => {
                format!(
                    "policy \"{name}\": whether it matches is unknown, and it is the stricter one"
                )
            }
        }
    }

    /// Whether the policy and the stack let the method through.
    pub(super) fn accepts(&self, method: &str) -> bool {
        let offered = self.rule.methods.is_empty() || self.rule.methods.iter().any(|m| m == method);
        offered && self.method.as_deref().is_none_or(|only| only == method)
    }

    /// The windows of a method that this login may use; `None` for any other.
    pub(super) fn windows(&self, method: &str) -> Option<Windows> {
        let open = self.accepts(method) && self.links(method);
        if open { self.loaded.config.windows(method) } else { None }
    }

    /// Whether a user with these failures is locked.
    pub(super) fn locked(&self, throttle: Throttle, now_ms: i64) -> bool {
        throttle.locked(&self.loaded.config.lockout, now_ms) != Lock::Open
    }

    /// Runs `decide` with the rules of this decision.
    pub(super) fn apply<R>(
        &self,
        recovery_key: &[u8; 32],
        decide: impl FnOnce(&Rules<'_>) -> R,
    ) -> R {
        decide(&Rules {
            lockout: &self.loaded.config.lockout,
            windows: &|method| self.windows(method),
            recovery_key,
            recovery: self.accepts("recovery"),
            service: &self.service,
            issued: Terms { accepted: self.issued, local: self.local },
        })
    }
}
