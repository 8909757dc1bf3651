//! What is said at a prompt besides codes: where a code was sent, and the words that ask for
//! another one or another way.

use std::sync::Arc;

use otp_core::{
    contact::Contacts,
    policy::FactorRule,
    token::{Factor, Standing, standing},
};
use otp_ipc::{Context, Step};

use super::{
    Caller, Engine, Error, Ruling,
    authenticate::may_send,
    challenge::{Notice, Progress, Request, Way},
    origin,
    sessions::Session,
};
use crate::{
    audit::Origin,
    config::Prompt,
    store::{Enrolment, Outline},
    text::Message,
};

impl Engine {
    /// Sends the user a code, by one of the methods `only` or by the first that is open.
    pub(super) async fn send_code(
        &self,
        ruling: &Arc<Ruling>,
        user: &str,
        origin: Origin,
        only: Option<&[String]>,
    ) -> Result<Option<Notice>, Error> {
        let (mut ways, mut enrolling) = (ruling.ways(), ruling.enrolling_ways());
        if let Some(only) = only {
            ways.retain(|way| only.contains(&way.method));
            enrolling.retain(|way| only.contains(&way.method));
        }
        if ways.is_empty() && enrolling.is_empty() && !ruling.chooses() {
            return Ok(None);
        }
        // Where nobody is reached the store is asked all the same, so that this takes as long.
        let entry = self.own_entry(user).await?;
        if entry.is_none() {
            (ways, enrolling) = (Vec::new(), Vec::new());
        }
        let others = ruling.enrolling_ways();
        let known = match &entry {
            Some(_) => {
                let channels = ways.iter().chain(&others).map(|way| way.channel);
                self.told_contacts(user, channels).await?
            }
            None => Contacts::default(),
        };
        let request = Request {
            user: user.to_owned(),
            service: ruling.service.clone(),
            origin,
            ways,
            enrolling,
            others,
            apps: ruling.enrolling_apps().map(|app| app.name.clone()).collect(),
            known,
            uid: entry.map(|entry| entry.uid),
        };
        self.request_code(ruling, request).await
    }

    /// Goes on with another method of the user's: sends a code if it is one that is delivered.
    ///
    /// # Errors
    /// As [`Engine::respond`]; [`Error::InvalidArgument`] for a method that this login does not
    /// have.
    pub async fn select(
        &self,
        caller: &Caller,
        session: &str,
        method: &str,
    ) -> Result<Step, Error> {
        let step = self.hear(caller, session, method).await?;
        step.ok_or_else(|| Error::InvalidArgument("this login has no such method".into()))
    }

    /// Sends another code by the method of the present prompt.
    ///
    /// # Errors
    /// As [`Engine::select`].
    pub async fn resend(&self, caller: &Caller, session: &str) -> Result<Step, Error> {
        let step = self.hear(caller, session, "resend").await?;
        step.ok_or_else(|| Error::InvalidArgument("this login was sent no code".into()))
    }

    /// The prompt that follows a word; `None` for what is no word at this session's prompt.
    pub(super) async fn hear(
        &self,
        caller: &Caller,
        id: &str,
        word: &str,
    ) -> Result<Option<Step>, Error> {
        let Some(waiting) = self.sessions().word(id, &caller.connection) else { return Ok(None) };
        let (user, context) = (waiting.user.as_str(), &waiting.context);
        let ruling = Ruling::for_login(self.config(), user, context, &waiting.found);
        let ruling = Arc::new(ruling.of(&waiting.person).seen_by(&waiting.caller, context));
        let hopeless = waiting.hopeless || ruling.rule.factor == FactorRule::Deny;
        let over = self.clock.monotonic_ms() >= waiting.until_ms;
        if over || waiting.issued || !may_send(context) {
            return Ok(None);
        }
        // To a client that is not let in nothing is sent, and no key is shown.
        let enrolment = self.watch_store(self.store.enrolment(user).await)?;
        let barred = ruling.bars(enrolment.as_ref(), context, &*self.clock, self.now_ms());
        let hopeless = hopeless || barred;
        if hopeless && !ruling.chooses() {
            return Ok(None);
        }
        if !hopeless
            && let Some(shown) = &waiting.shown
            && let Some(again) = self.shown_again(&ruling, user, shown, word).await?
        {
            return Ok(self.show(id, again));
        }
        let only = match (word, &waiting.notice) {
            ("", Some(_)) => return Ok(self.say(id, &ruling, &waiting, self.refreshed(&waiting))),
            ("", None) => return Ok(None),
            (word, Some(notice)) if ruling.locale.is_resend(word) => notice.method.clone(),
            (name, _) => match ruling.meant(name) {
                Some(method) => method,
                None => return Ok(None),
            },
        };
        if !hopeless && let Some(shown) = self.chosen(&ruling, user, &only).await? {
            return Ok(self.show(id, shown));
        }
        // Nothing is sent where no code will do, which takes as long as where there is no such user.
        let (origin, by) = (origin(&waiting.caller, context, id), [only]);
        let by = if hopeless { &[][..] } else { &by };
        if let Some(notice) = self.send_code(&ruling, user, origin, Some(by)).await? {
            return Ok(self.say(id, &ruling, &waiting, Some(notice)));
        }
        let enrolment = self.watch_store(self.store.enrolment(user).await)?;
        let own = enrolment.is_some_and(|enrolment| {
            ruling.owns(&enrolment, self.now_ms()).any(|outline| by.contains(&outline.method))
        });
        Ok(match own {
            true => self.say(id, &ruling, &waiting, None),
            // What the policy offers is offered to those as well who do not have it.
            false if ruling.chooses() => self.say(id, &ruling, &waiting, self.refreshed(&waiting)),
            false => None,
        })
    }

    /// The next prompt of a session that goes on.
    fn say(
        &self,
        id: &str,
        ruling: &Ruling,
        waiting: &Session,
        notice: Option<Notice>,
    ) -> Option<Step> {
        let step = ruling.ask(&waiting.context, notice.as_ref(), waiting.split);
        self.sessions().say(id, notice, None).then_some(step)
    }

    /// What became of the message in the meantime.
    fn refreshed(&self, waiting: &Session) -> Option<Notice> {
        let mut notice = waiting.notice.clone()?;
        if let Progress::Sent { message: Some(id) } = &notice.progress
            && self.outbox.has_failed(id)
        {
            notice.progress = Progress::Failed;
        }
        Some(notice)
    }
}

impl Ruling {
    /// The user's tokens that this login accepts now, oldest first.
    pub(super) fn accepted<'a>(
        &'a self,
        enrolment: &'a Enrolment,
        now_ms: i64,
    ) -> impl Iterator<Item = &'a Outline> {
        enrolment.tokens.iter().filter(move |outline| {
            standing(&outline.state, outline.expires_ms, now_ms) == Standing::Active
                && self.windows(&outline.method).is_some()
        })
    }

    /// Those of them that make their codes themselves.
    fn owns<'a>(
        &'a self,
        enrolment: &'a Enrolment,
        now_ms: i64,
    ) -> impl Iterator<Item = &'a Outline> {
        let own = |outline: &&Outline| !matches!(outline.factor, Factor::OutOfBand(_));
        self.accepted(enrolment, now_ms).filter(own)
    }

    /// Whether no code needs to be sent.
    pub(super) fn has_own(&self, enrolment: &Enrolment, now_ms: i64) -> bool {
        self.owns(enrolment, now_ms).next().is_some()
    }

    /// Whether the prompt lets the user choose how a code is sent.
    pub(super) fn chooses(&self) -> bool {
        self.rule.choice && self.method.is_none()
    }

    /// What the prompt offers, whoever it is for: how a code can be sent, and the apps that stand
    /// behind such a way in the policy, so that no key is shown before it is asked for.
    fn offered(&self, context: &Context) -> Vec<String> {
        if !self.chooses() || !may_send(context) {
            return Vec::new();
        }
        let anybody = self.anybody();
        let names = |ways: Vec<Way>| ways.into_iter().map(|way| way.method).collect::<Vec<_>>();
        let mut offered = names(anybody.ways());
        let sent = names(anybody.enrolling_ways());
        let apps: Vec<&str> = anybody.enrolling_apps().map(|app| app.name.as_str()).collect();
        for name in self.rule.enrol.iter().skip_while(|name| !sent.contains(name)) {
            let open = sent.contains(name) || apps.contains(&name.as_str());
            if open && !offered.contains(name) {
                offered.push(name.clone());
            }
        }
        offered
    }

    /// The prompt for a code.
    pub(super) fn ask(
        &self,
        context: &Context,
        notice: Option<&Notice>,
        split: Option<u32>,
    ) -> Step {
        let text = match notice {
            Some(notice) => self.told(notice),
            None => self.asked(context),
        };
        let step = Step::prompt(&text, false, split);
        match split {
            Some(_) => step.with_combined(&self.text(Prompt::Combined, Message::Combined, &[])),
            None => step,
        }
    }

    /// The prompt of every login, whoever it is for, that was not sent a code.
    fn asked(&self, context: &Context) -> String {
        let offered = self.offered(context);
        let words: Vec<&str> = offered.iter().map(String::as_str).collect();
        match context.mode.as_deref() {
            Some("issued") => self.text(Prompt::Issued, Message::IssuedCode, &words),
            _ => self.text(Prompt::Code, Message::Code, &words),
        }
    }

    /// A prompt as the configuration has it for this service, else as the catalogue does.
    fn text(&self, prompt: Prompt, message: Message<'_>, words: &[&str]) -> String {
        let prompts = &self.loaded.config.prompts;
        match prompts.text(&self.service, self.locale.language, prompt) {
            Some(text) => self.locale.ask_as_configured(text, words),
            None => self.locale.ask(message, words),
        }
    }

    /// The prompt that says what became of a code.
    fn told(&self, notice: &Notice) -> String {
        let to = notice.masked.as_str();
        let (message, resend) = match notice.progress {
            Progress::Sent { .. } => (Message::Sent { to }, true),
            Progress::Failed => (Message::NotSent { to }, true),
            Progress::Exhausted => (Message::NoFurther { to }, false),
        };
        let resend = resend.then(|| self.locale.resend());
        let words: Vec<&str> = resend.iter().chain(&notice.words).map(String::as_str).collect();
        self.locale.ask(message, &words)
    }

    /// What a program with a single field shows before its second try.
    pub(super) fn later(&self, notice: Option<&Notice>) -> String {
        self.locale.say(match notice {
            Some(Notice { masked: to, progress: Progress::Sent { .. }, .. }) => {
                Message::SentForLater { to }
            }
            _ => Message::NeededForLater,
        })
    }

    /// The method of this login that a word names.
    fn meant(&self, word: &str) -> Option<String> {
        let mut methods = self.loaded.config.methods.iter();
        let named = methods.find(|method| method.name.eq_ignore_ascii_case(word))?;
        self.accepts(&named.name).then(|| named.name.clone())
    }
}

/// A word in place of a code, "" for nothing at all; `None` for what can only be a code.
pub(super) fn spoken(reply: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(reply).ok()?.trim();
    let word = text.len() <= 64 && text.contains(|c: char| c.is_ascii_alphabetic());
    (word || text.is_empty()).then_some(text)
}
