//! A login: begin, respond, cancel.

use std::sync::Arc;

use otp_core::{account::UserName, code::Reply, policy::FactorRule};
use otp_ipc::{Context, Step, StepKind, limits};
use zeroize::Zeroizing;

use super::{
    Caller, Connection, Engine, Error, Ruling,
    course::{Course, course},
    dialogue::spoken,
    identity, origin,
    sessions::Session,
};
use crate::{config, store::Enrolment};

impl Engine {
    /// Begins a login of `user`. Root may begin it for anybody, everybody else for themselves,
    /// `trusted_callers` for anybody on the system bus.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for what is too long, [`Error::AccessDenied`] for another's
    /// login, [`Error::SwitchedOff`] for an issued code where none is accepted, [`Error::Busy`] when
    /// too many wait, [`Error::Unavailable`] when the store does not answer.
    pub async fn begin(
        &self,
        caller: &Caller,
        user: &str,
        context: Context,
    ) -> Result<(String, Step), Error> {
        check_bounds(user, &context)?;
        let vouched = self.may_begin(caller, user).await?;
        if vouched {
            self.note_client(&context);
        }
        let found = self.circumstances(user, &context).await;
        if context.mode.as_deref() == Some("issued") {
            return self.begin_in_place(caller, user, context, found, vouched).await;
        }
        let ruling = Ruling::for_login(self.config(), user, &context, &found);
        let asked = ruling.rule.factor == FactorRule::Require;
        let person = self.person(&ruling, user, asked).await?;
        let ruling = Arc::new(ruling.of(&person).seen_by(caller, &context));
        let name = UserName::parse(user).ok();
        let enrolment = self.enrolment_for(&ruling, name.as_ref()).await?;
        // A key that is replaced makes nobody one who never had any.
        let enrolled = enrolment.as_ref().is_some_and(|found| found.enrolled || found.replaced);
        let nullok = context.nullok == Some(true) && name.is_some();
        let course = match &person.refused {
            Some(_) => Course::AskInVain,
            None => course(&ruling.rule, enrolled, nullok),
        };
        let barred = ruling.bars(enrolment.as_ref(), &context, &*self.clock, self.now_ms());
        let passes = course == Course::Skip || (course == Course::Ignore && !barred);
        if passes && !self.is_alias(user).await? {
            self.record_passed(caller, user, &context, ruling.cited()).await;
            return Ok((String::new(), Step::bare(StepKind::NotRequired)));
        }
        let for_later = context.mode.as_deref() == Some("challenge");
        let monotonic_ms = self.clock.monotonic_ms();
        if !for_later && !self.sessions().has_room(caller.uid, vouched, monotonic_ms) {
            return Err(full());
        }
        // Asked for everybody, so that nobody can tell by the time who is enrolled.
        let uid = self.present_uid(user).await?;
        let before = enrolment.as_ref().and_then(|enrolment| enrolment.uid);
        let stranger = identity::stranger(user, before, uid).is_some();
        let hopeless = course == Course::AskInVain || name.is_none() || stranger;
        let split = ruling.split(&context, enrolment.as_ref(), self.now_ms());
        let session = Session::new(caller, user, context, found, person);
        let session = Session { uid, split, hopeless, vouched, ..session };
        let open = !hopeless && !barred;
        if course == Course::Ask
            && open
            && self.recall(&ruling, &session, enrolment.as_ref()).await?
        {
            return Ok((String::new(), Step::bare(StepKind::Granted)));
        }
        self.prompt(&ruling, session, enrolment, course, open).await
    }

    /// What the store has of whoever logs in. A policy that asks nothing holds without the store: the
    /// administrator's way back in.
    async fn enrolment_for(
        &self,
        ruling: &Ruling,
        name: Option<&UserName>,
    ) -> Result<Option<Enrolment>, Error> {
        match name.filter(|_| ruling.rule.factor != FactorRule::Skip) {
            Some(name) => self.watch_store(self.store.enrolment(name.as_str()).await),
            None => Ok(None),
        }
    }

    /// The first prompt of a login, with a code that is sent or a key that is shown where the user
    /// has to have one (`open`: where any answer may do).
    async fn prompt(
        &self,
        ruling: &Arc<Ruling>,
        mut session: Session,
        enrolment: Option<Enrolment>,
        course: Course,
        open: bool,
    ) -> Result<(String, Step), Error> {
        let (user, context) = (session.user.as_str(), &session.context);
        let for_later = context.mode.as_deref() == Some("challenge");
        let enrolled = enrolment.as_ref().is_some_and(|enrolment| enrolment.enrolled);
        let reachable = open && (enrolled || course == Course::Enrol);
        let own = enrolment.filter(|_| !for_later);
        let own = own.is_some_and(|enrolment| ruling.has_own(&enrolment, self.now_ms()));
        let waits = ruling.chooses() && !for_later;
        let (mut notice, mut shown) = (None, None);
        if reachable && !own && may_send(context) {
            let origin = origin(&session.caller, context, "");
            if course == Course::Enrol {
                (notice, shown) = self.first_way(ruling, user, origin, waits).await?;
            } else if !waits {
                notice = self.send_code(ruling, user, origin, None).await?;
            }
        }
        if for_later {
            return Ok((String::new(), Step::prompt(&ruling.later(notice.as_ref()), false, None)));
        }
        let step = match &shown {
            Some(shown) => shown.step(),
            None => ruling.ask(context, notice.as_ref(), session.split),
        };
        (session.notice, session.shown) = (notice, shown);
        self.open(ruling, session, step)
    }

    /// Puts a login at its prompt, for as long as that waits.
    pub(super) fn open(
        &self,
        ruling: &Ruling,
        mut session: Session,
        step: Step,
    ) -> Result<(String, Step), Error> {
        let (id, now_ms) = (super::random_id()?, self.clock.monotonic_ms());
        session.until_ms = now_ms.saturating_add(ruling.patience_ms(session.shown.is_some()));
        let vouched = session.vouched;
        let begun = self.sessions().begin(id.clone(), session, vouched, now_ms);
        begun.map_err(|_| full())?;
        Ok((id, step))
    }

    /// Whether the name is another spelling of an account's own name, as a directory that ignores
    /// case or knows aliases has it. Nothing is waived for such a name: the account's own may have
    /// tokens and policies.
    async fn is_alias(&self, user: &str) -> Result<bool, Error> {
        Ok(self.entry(user).await?.is_some_and(|entry| entry.name != user))
    }

    /// Answers a session's prompt: with a code, after which the session is over whatever the
    /// answer, or with a word ("resend", also in the session's language, a method's name, nothing at
    /// all where a code was sent), after which it is prompted again. Nothing at all in place of an
    /// issued code is "not required", and only that is.
    ///
    /// # Errors
    /// [`Error::UnknownSession`] for a session that is not this connection's, is over or too old;
    /// [`Error::Unavailable`] when the store does not answer: nothing was accepted then.
    pub async fn respond(
        &self,
        caller: &Caller,
        session: &str,
        reply: Zeroizing<Vec<u8>>,
    ) -> Result<Step, Error> {
        let declined =
            reply.is_empty() && self.sessions().waits_for_issued(session, &caller.connection);
        if let Some(word) = spoken(&reply)
            && let Some(step) = self.hear(caller, session, word).await?
        {
            return Ok(step);
        }
        let taken = self.sessions().take(session, &caller.connection);
        let waiting = taken.ok_or(Error::UnknownSession)?;
        if self.clock.monotonic_ms() >= waiting.until_ms {
            return Err(Error::UnknownSession);
        }
        if declined && self.decline(&waiting, session).await? {
            return Ok(Step::bare(StepKind::NotRequired));
        }
        let reply = Reply::parse(&reply);
        let granted = match waiting.shown.clone() {
            Some(shown) => self.adopt(waiting, shown, session, reply).await?,
            None => self.decide(waiting, session, reply).await?,
        };
        if granted { Ok(Step::bare(StepKind::Granted)) } else { Ok(Step::bare(StepKind::Denied)) }
    }

    /// Ends a session without an answer; nothing is charged.
    ///
    /// # Errors
    /// [`Error::UnknownSession`] as [`Engine::respond`].
    pub fn cancel(&self, caller: &Caller, session: &str) -> Result<(), Error> {
        let taken = self.sessions().take(session, &caller.connection);
        taken.map(drop).ok_or(Error::UnknownSession)
    }

    /// Ends every session of a connection that is gone.
    pub fn leave(&self, connection: &Connection) {
        self.sessions().leave(connection);
    }

    /// Ends every session of the system bus, when that is gone.
    pub fn leave_bus(&self) {
        self.sessions().leave_bus();
        *self.era.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = None;
    }

    /// Ends the sessions whose time is over.
    pub fn expire_sessions(&self) {
        let now_ms = self.clock.monotonic_ms();
        self.sessions().expire(now_ms);
    }

    /// Logins that wait at their prompt now.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.sessions().len()
    }

    /// Whether the caller logs in many people, as root does; everybody else may begin their own
    /// login only.
    async fn may_begin(&self, caller: &Caller, user: &str) -> Result<bool, Error> {
        if caller.uid == 0 || self.trusts(caller.uid).await? {
            return Ok(true);
        }
        if self.uid_of(user).await? == Some(caller.uid) {
            Ok(false)
        } else {
            Err(Error::AccessDenied("only root may begin the login of another user".into()))
        }
    }

    /// Whether `[bus] trusted_callers` names this user id, by number or by login name.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where a name cannot be looked up.
    pub async fn trusts(&self, uid: u32) -> Result<bool, Error> {
        for trusted in &self.config().config.bus.trusted_callers {
            let matches = match trusted {
                config::Caller::Uid(trusted) => *trusted == uid,
                config::Caller::Name(name) => self.uid_of(name).await? == Some(uid),
            };
            if matches {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A login that needs no code is recorded as well; it is the policy's decision, so a store
    /// that does not answer cannot turn it round (the administrator's way back in).
    async fn record_passed(&self, caller: &Caller, user: &str, context: &Context, why: String) {
        let mut event = origin(caller, context, "").event("login", "skipped", user, self.now_ms());
        event.detail = Some(why);
        if caller.uid != 0 {
            let key = format!("uid {}", caller.uid);
            match self.journal.bounded(&key, event, self.clock.monotonic_ms()) {
                Some(bounded) => event = bounded,
                None => return,
            }
        }
        self.journal.write(&event);
        let recorded = self.transact(user, move |work| work.audit.push(event)).await;
        if let Err(error) = recorded {
            log::error!("audit: a skipped login of {user:?} is in this log only: {error}");
        }
    }
}

impl Ruling {
    /// How many characters at the end of password and code in one field are the code: as many as
    /// the user's oldest token has that is accepted here now, else as the first method has that
    /// enrols at the login.
    fn split(&self, context: &Context, enrolment: Option<&Enrolment>, now_ms: i64) -> Option<u32> {
        if context.concatenated != Some(true) || !self.rule.concatenate {
            return None;
        }
        let own = enrolment.and_then(|enrolment| self.accepted(enrolment, now_ms).next());
        let digits = own.map(|outline| outline.digits);
        let digits =
            digits.or_else(|| self.anybody().enrolling_ways().first().map(|way| way.digits));
        let usual = || self.loaded.config.method("totp").map_or(6, |method| method.digits);
        Some(u32::from(digits.unwrap_or_else(usual)))
    }
}

/// Too many logins wait at their prompt.
fn full() -> Error {
    Error::Busy("too many logins wait at their prompt".into())
}

/// Whether a code may be sent to whoever begins this login. Where password and code are to come in
/// one field nobody has checked the password yet, whatever the policy makes of the field.
pub(super) fn may_send(context: &Context) -> bool {
    context.concatenated != Some(true) || context.mode.as_deref() == Some("challenge")
}

fn check_bounds(user: &str, context: &Context) -> Result<(), Error> {
    let items = [
        ("service", &context.service),
        ("rhost", &context.rhost),
        ("ruser", &context.ruser),
        ("tty", &context.tty),
        ("ssh_connection", &context.ssh_connection),
        ("ssh_auth_info", &context.ssh_auth_info),
        ("language", &context.language),
        ("method", &context.method),
        ("mode", &context.mode),
    ];
    for (name, value) in items {
        if value.as_ref().is_some_and(|value| value.len() > limits::CONTEXT_ITEM) {
            let limit = limits::CONTEXT_ITEM;
            return Err(Error::InvalidArgument(format!("{name} is longer than {limit} bytes")));
        }
    }
    if context.ssh_key.as_ref().is_some_and(|key| key.len() > limits::SSH_KEY) {
        let limit = limits::SSH_KEY;
        return Err(Error::InvalidArgument(format!("ssh_key is longer than {limit} bytes")));
    }
    if user.len() > 4 * limits::USER_NAME {
        return Err(Error::InvalidArgument("the user name is far too long".into()));
    }
    match context.mode.as_deref() {
        None | Some("second" | "challenge" | "issued") => Ok(()),
        Some(_) => {
            Err(Error::InvalidArgument("mode: allowed are second, challenge and issued".into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_context_is_bounded() {
        let long = Some("x".repeat(limits::CONTEXT_ITEM + 1));
        let context = Context { rhost: long, ..Context::default() };
        assert!(check_bounds("alice", &context).unwrap_err().to_string().starts_with("rhost"));
        assert!(check_bounds(&"x".repeat(4096), &Context::default()).is_err());
        let key = Context { ssh_key: Some("x".repeat(limits::SSH_KEY)), ..Context::default() };
        assert!(check_bounds("alice", &key).is_ok());
        let key = Context { ssh_key: Some("x".repeat(limits::SSH_KEY + 1)), ..Context::default() };
        assert!(check_bounds("alice", &key).unwrap_err().to_string().starts_with("ssh_key"));
        for (mode, good) in
            [("second", true), ("challenge", true), ("issued", true), ("", false), ("x", false)]
        {
            let context = Context { mode: Some(mode.into()), ..Context::default() };
            assert_eq!(check_bounds("alice", &context).is_ok(), good, "{mode}");
        }
    }
}
