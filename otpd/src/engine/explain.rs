//! What the policies are, and what would become of a login. Changes nothing and sends nothing.

use std::sync::Arc;

use otp_core::policy::{Cause, FactorRule, Key, Rule, Source, mismatches};
use otp_ipc::{Context, ExplainDocument, ExplainQuery, MismatchDocument, PolicyDocument};

use super::{
    Engine, Error, Ruling,
    circumstances::Circumstances,
    course::{Course, course},
};
use crate::store::Enrolment;

impl Engine {
    /// The policies in order, the built-in one last.
    #[must_use]
    pub fn policies(&self) -> Vec<PolicyDocument> {
        let loaded = self.config();
        let configured = loaded.config.rules.iter().map(|rule| document(rule, false));
        configured.chain([document(&Rule::last(), true)]).collect()
    }

    /// Which policy would decide about a login of `user`, why, and what would follow. What cannot
    /// be looked up is told in the document.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for what is no user's name.
    pub async fn explain(&self, user: &str, query: ExplainQuery) -> Result<ExplainDocument, Error> {
        let name = Self::parse_user(user)?;
        let time = query.time.unwrap_or_else(|| self.now_ms());
        let found = self.asked_for(user, &query, time).await;
        let loaded = self.config();
        let rules = &loaded.config.rules;
        let decision = found.decide(rules, user);
        let effect = decision.effect();
        let login = found.login(user);
        let passed = rules.iter().take(decision.index.unwrap_or(rules.len()));
        let passed = passed.flat_map(|rule| {
            mismatches(rule, &login).into_iter().map(|mismatch| MismatchDocument {
                policy: rule.name.clone(),
                key: mismatch.key.name().to_owned(),
                wanted: mismatch.wanted,
                found: mismatch.found,
                certain: mismatch.certain,
            })
        });
        let entry = self.entry(name.as_str()).await;
        let (account, silent) = match entry {
            Ok(entry) => (entry.map(|entry| entry.name), None),
            Err(error) => (None, Some(error.to_string())),
        };
        let ruling = Ruling::for_login(Arc::clone(&loaded), user, &context(&query), &found);
        let asked = ruling.rule.factor == FactorRule::Require;
        let (refused, unasked) = match self.person(&ruling, user, asked).await {
            Ok(person) => (person.refused, None),
            Err(error) => (None, Some(error.to_string())),
        };
        let alias = account.as_ref().is_some_and(|account| account != user);
        let stored = self.watch_store(self.store.enrolment(user).await).ok();
        let has = |check: fn(&Enrolment) -> bool| {
            stored.as_ref().map(|stored| stored.as_ref().is_some_and(check))
        };
        let clients = stored.as_ref().and_then(Option::as_ref);
        let clients = clients.map(|stored| &stored.clients[..]).unwrap_or_default();
        let client = found.client.as_deref();
        let barred = ruling.barred(clients, client, &*self.clock, time).filter(|_| asked);
        let refused = refused.or_else(|| barred.map(|barred| barred.detail(client)));
        let enrolled = has(|stored| stored.enrolled);
        let counted = has(|stored| stored.enrolled || stored.replaced);
        Ok(ExplainDocument {
            passed: passed.collect(),
            outcome: match &refused {
                Some(_) => "deny".to_owned(),
                None => outcome(&effect, counted, alias).to_owned(),
            },
            user: user.to_owned(),
            account,
            directory: silent.or(unasked),
            refused,
            enrolled,
            policy: effect.name.clone(),
            built_in: decision.index.is_none(),
            cause: cause(decision.cause).to_owned(),
            remember_ms: effect.remember_ms_for(&found.service),
            methods: effect.methods,
            enrol: effect.enrol,
            concatenate: effect.concatenate,
            source: found.source.to_string(),
            service: found.service,
            tty: found.terminal,
            client: found.client,
            time,
            local_time: found.time.map(|time| time.to_string()),
            groups: found.groups,
        })
    }

    /// The circumstances of a login that nobody begins; everything is looked up.
    async fn asked_for(&self, user: &str, query: &ExplainQuery, time_ms: i64) -> Circumstances {
        let mut found = Circumstances::of(&context(query));
        found.source = match query.source.as_deref() {
            None | Some("" | "local") => Source::Local,
            Some(address) => Source::named(address),
        };
        found.client = query.client.clone().filter(|client| !client.is_empty());
        found.known_client = self.knows(user, found.client.as_deref(), time_ms).await;
        found.time = self.clock.local_time(time_ms);
        found.groups = self.groups(user).await;
        found
    }
}

/// What the module would say of such a login.
fn context(query: &ExplainQuery) -> Context {
    let ExplainQuery { service, tty, .. } = query.clone();
    Context { service, tty, ..Context::default() }
}

/// What follows, as [`Engine::begin`] and its answer have it.
fn outcome(effect: &Rule, enrolled: Option<bool>, alias: bool) -> &'static str {
    // A store that does not answer denies at the end; what is told here is what is asked for.
    let asks = if enrolled == Some(false) { "deny" } else { "code" };
    match course(effect, enrolled.unwrap_or(true), true) {
        // Nothing is waived for another spelling of an account's name.
        Course::Skip | Course::Ignore if alias => asks,
        Course::Skip => "skip",
        Course::Ignore => "ignore",
        Course::AskInVain => "deny",
        Course::Enrol => "enrol",
        Course::Ask => asks,
    }
}

fn cause(cause: Cause) -> &'static str {
    match cause {
        Cause::Matches => "matches",
        Cause::GroupsUnknown => "groups",
        Cause::Stricter => "stricter",
    }
}

fn document(rule: &Rule, built_in: bool) -> PolicyDocument {
    let values = |key| rule.criteria.values(key);
    PolicyDocument {
        name: rule.name.clone(),
        service: values(Key::Service),
        user: values(Key::User),
        group: values(Key::Group),
        source: values(Key::Source),
        terminal: values(Key::Terminal),
        client: values(Key::Client),
        time: values(Key::Time),
        factor: rule.factor.name().to_owned(),
        unenrolled: rule.unenrolled.name().to_owned(),
        enrol: rule.enrol.clone(),
        methods: rule.methods.clone(),
        concatenate: rule.concatenate,
        choice: rule.choice,
        remember_ms: rule.remember_ms,
        built_in,
    }
}
