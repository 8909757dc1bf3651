//! What policies are chosen by, besides the user's name: found out once for each login, so that its
//! prompt and its answer fall under the same rule.

use otp_core::{
    account::UserName,
    client::{Standing, standing},
    policy::{self, Decision, Groups, Login, Rule, Source},
    schedule::WeekMinute,
};
use otp_ipc::{Context, names::SELF_SERVICE};

use super::{
    Engine,
    client_identity::{client_of, holds},
    identity,
    identity::PATIENCE,
};

/// The circumstances of one login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Circumstances {
    pub(super) service: String,
    pub(super) source: Source,
    pub(super) terminal: Option<String>,
    pub(super) client: Option<String>,
    /// Whether it is registered and enabled; counts only where a rule names clients. `None` where
    /// the store does not tell.
    pub(super) known_client: Option<bool>,
    /// `None` where no rule asks for it, or the zone cannot be told.
    pub(super) time: Option<WeekMinute>,
    /// `None` where no rule asks for them, or they cannot be looked up.
    pub(super) groups: Option<Vec<String>>,
}

impl Circumstances {
    pub(super) fn of(context: &Context) -> Self {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        Self {
            service: context.service.clone().unwrap_or_default(),
            source: Source::of(context.ssh_connection.as_deref(), context.rhost.as_deref()),
            terminal: given(&context.tty),
            client: client_of(context),
            known_client: Some(false),
            time: None,
            groups: None,
        }
    }

    /// Those of a user who manages their own tokens.
    fn own() -> Self {
        Self::of(&Context { service: Some(SELF_SERVICE.to_owned()), ..Context::default() })
    }

    pub(super) fn login<'a>(&'a self, user: &'a str) -> Login<'a> {
        Login {
            user,
            service: &self.service,
            groups: self.groups.as_deref().map_or(Groups::Unknown, Groups::Known),
            source: self.source,
            terminal: self.terminal.as_deref(),
            client: self.client.as_deref(),
            known_client: self.known_client,
            time: self.time,
        }
    }

    /// The rule that decides.
    pub(super) fn decide<'a>(&self, rules: &'a [Rule], user: &str) -> Decision<'a> {
        policy::decide(rules, &self.login(user))
    }
}

impl Engine {
    /// The circumstances of a login, as far as rules ask for them.
    pub(super) async fn circumstances(&self, user: &str, context: &Context) -> Circumstances {
        self.completed(user, Circumstances::of(context), self.now_ms()).await
    }

    /// The circumstances of a change that `user` makes with `otpctl`.
    pub(super) async fn own_circumstances(&self, user: &str) -> Circumstances {
        self.completed(user, Circumstances::own(), self.now_ms()).await
    }

    /// The same with the time and the groups, where a rule that may decide asks for them.
    pub(super) async fn completed(
        &self,
        user: &str,
        mut found: Circumstances,
        now_ms: i64,
    ) -> Circumstances {
        let loaded = self.config();
        let rules = &loaded.config.rules;
        if rules.iter().any(|rule| !rule.criteria.times.is_empty()) {
            found.time = self.clock.local_time(now_ms);
        }
        if rules.iter().any(|rule| !rule.criteria.clients.is_empty()) {
            found.known_client = self.knows(user, found.client.as_deref(), now_ms).await;
        }
        if policy::needs_groups(rules, &found.login(user)) {
            found.groups = self.groups(user).await;
        }
        found
    }

    /// Whether the user has registered this client and it is enabled now; `None` where the store
    /// does not tell.
    pub(super) async fn knows(
        &self,
        user: &str,
        client: Option<&str>,
        now_ms: i64,
    ) -> Option<bool> {
        let enrolment = self.watch_store(self.store.enrolment(user).await).ok()?;
        let before = enrolment.as_ref().and_then(|enrolment| enrolment.uid);
        let clients = enrolment.map(|enrolment| enrolment.clients).unwrap_or_default();
        // Nobody to whom a name is given again has the clients of whoever had it before.
        if before.is_some() && !clients.is_empty() {
            let now = self.present_uid(user).await.ok()?;
            if identity::stranger(user, before, now).is_some() {
                return Some(false);
            }
        }
        let within = |times: &str| holds(times, self.clock.local_time(now_ms));
        Some(standing(&clients, client, &within) == Standing::Enabled)
    }

    /// The user's groups, of nobody none; `None` where they cannot be looked up, which is logged.
    pub(super) async fn groups(&self, user: &str) -> Option<Vec<String>> {
        let Ok(name) = UserName::parse(user) else { return Some(Vec::new()) };
        let asked = tokio::time::timeout(PATIENCE, self.directory.groups(name.as_str())).await;
        match asked {
            Ok(Ok(groups)) => {
                self.set_problem("groups", None);
                Some(groups.unwrap_or_default())
            }
            Ok(Err(error)) => self.without_groups(error.to_string()),
            Err(_) => {
                let seconds = PATIENCE.as_secs();
                self.without_groups(format!("the user database is silent for {seconds} s"))
            }
        }
    }

    fn without_groups(&self, why: String) -> Option<Vec<String>> {
        log::error!("policy: groups: {why}: logins whose policy depends on them need a code");
        self.set_problem("groups", Some(why));
        None
    }
}
