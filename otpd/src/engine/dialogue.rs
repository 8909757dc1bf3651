//! What is said at a prompt besides codes: where a code was sent, and the words that ask for
//! another one or another way.

use std::{sync::Arc, time::Duration};

use otp_core::token::{Factor, Standing, standing};
use otp_ipc::Step;

use super::{
    Caller, Engine, Error, Ruling,
    authenticate::may_send,
    challenge::{Notice, Progress, Request},
    origin,
    sessions::Session,
};
use crate::{
    audit::Origin,
    store::{Enrolment, Outline},
};

/// The prompt of every login, whoever it is for, that is not sent a code.
const PROMPT: &str = "Verification code: ";
/// How long the directory may take to say who is sent a code.
const PATIENCE: Duration = Duration::from_secs(5);
const SILENT: &str = "the user database does not answer";

impl Engine {
    /// Sends the user a code, by the method `only` or by the first that is open.
    pub(super) async fn send_code(
        &self,
        ruling: &Arc<Ruling>,
        user: &str,
        origin: Origin,
        only: Option<&str>,
    ) -> Result<Option<Notice>, Error> {
        let (mut ways, mut enrolling) = (ruling.ways(), ruling.enrolling_ways());
        if let Some(only) = only {
            ways.retain(|way| way.method == only);
            enrolling.retain(|way| way.method == only);
        }
        if ways.is_empty() && enrolling.is_empty() {
            return Ok(None);
        }
        let asked = tokio::time::timeout(PATIENCE, self.entry(user)).await;
        let asked = asked.unwrap_or_else(|_| Err(Error::Unavailable(SILENT.to_owned())));
        // Nothing is sent under another spelling of an account's name.
        let Some(entry) = asked?.filter(|entry| entry.name == user) else { return Ok(None) };
        let request = Request {
            user: user.to_owned(),
            service: ruling.service.clone(),
            origin,
            ways,
            enrolling,
            known: entry.contacts,
            uid: Some(entry.uid),
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
        if waiting.hopeless
            || waiting.issued
            || !may_send(&waiting.context)
            || self.clock.monotonic_ms() >= waiting.until_ms
        {
            return Ok(None);
        }
        let (user, context) = (waiting.user.as_str(), &waiting.context);
        let ruling = Arc::new(Ruling::for_login(self.config(), user, context));
        let only = match (word, &waiting.notice) {
            ("", Some(_)) => return Ok(self.say(id, &waiting, self.refreshed(&waiting))),
            ("", None) => return Ok(None),
            (word, Some(notice)) if word.eq_ignore_ascii_case("resend") => notice.method.clone(),
            (name, _) => match ruling.meant(name) {
                Some(method) => method,
                None => return Ok(None),
            },
        };
        let origin = origin(&waiting.caller, context, id);
        if let Some(notice) = self.send_code(&ruling, user, origin, Some(&only)).await? {
            return Ok(self.say(id, &waiting, Some(notice)));
        }
        let enrolment = self.watch_store(self.store.enrolment(user).await)?;
        let own = enrolment.is_some_and(|enrolment| {
            ruling.owns(&enrolment, self.now_ms()).any(|outline| outline.method == only)
        });
        Ok(if own { self.say(id, &waiting, None) } else { None })
    }

    /// The next prompt of a session that goes on.
    fn say(&self, id: &str, waiting: &Session, notice: Option<Notice>) -> Option<Step> {
        let text = prompt(notice.as_ref());
        self.sessions().say(id, notice).then(|| Step::prompt(&text, false, waiting.split))
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

/// The text of a prompt.
pub(super) fn prompt(notice: Option<&Notice>) -> String {
    notice.map_or_else(|| PROMPT.to_owned(), |notice| format!("{}: ", notice.text()))
}

/// What a program with a single field shows before its second try.
pub(super) fn later(notice: Option<&Notice>) -> String {
    let again = "log in again with the password and the code in one field";
    match notice {
        Some(Notice { masked, progress: Progress::Sent { .. }, .. }) => {
            format!("Code sent to {masked}: {again}.")
        }
        _ => format!("A code is needed: {again}."),
    }
}
