//! One request for a code within the store's transaction: everything is looked at, decided and put
//! down at one moment, so that a hundred prompts at once are one message.

use std::sync::Arc;

use otp_core::{
    account::Account,
    code::Digits,
    contact::Channel,
    enrolment::{self, NewToken},
    out_of_band,
    secret::Secret,
    throttle::Lock,
    token::{Algorithm, Factor, Standing},
};
use otp_delivery::{Hidden, Message, Recipient};
use zeroize::Zeroizing;

use super::{
    Error, Ruling,
    challenge::{Notice, Progress, Request, Way},
    contact::in_force,
    outbox::Letter,
};
use crate::{
    config::Budget,
    store::{Asked, AuditEvent, Outgoing, StoreError, Work},
    template::{Template, Values},
};

/// What budgets are counted over, in milliseconds.
const HOUR_MS: i64 = 3_600_000;

/// Everything random that a request may need.
pub(super) struct Draws {
    code: Zeroizing<[u8; 16]>,
    token: String,
    /// Taken by the token that is made.
    secret: Option<Secret>,
    message: String,
}

impl Draws {
    pub(super) fn new() -> Result<Self, Error> {
        let mut code = Zeroizing::new([0; 16]);
        super::fill_random(&mut *code)?;
        let mut secret = Zeroizing::new(vec![0; 32]);
        super::fill_random(&mut secret)?;
        Ok(Self {
            code,
            token: super::random_id()?,
            secret: Some(Secret::new(secret)?),
            message: super::random_id()?,
        })
    }
}

/// A request within the store's transaction.
pub(super) struct Attempt {
    pub(super) request: Request,
    pub(super) draws: Draws,
    pub(super) ruling: Arc<Ruling>,
    pub(super) host: String,
    pub(super) now_ms: i64,
}

/// What came of it.
#[derive(Default)]
pub(super) struct Requested {
    pub(super) notice: Option<Notice>,
    pub(super) letter: Option<Letter>,
    pub(super) events: Vec<AuditEvent>,
}

impl Attempt {
    pub(super) fn run(self, work: &mut Work<'_>) -> Result<Requested, StoreError> {
        let mut requested = Requested::default();
        let enrolled = work.account.as_ref().is_some_and(Account::enrolled);
        if enrolled {
            self.send(work, &mut requested)?;
        } else if let Some((way, recipient)) = self.reachable(work, &self.request.enrolling) {
            let way = way.clone();
            self.enrol_and_send(work, way, recipient, &mut requested)?;
        } else if !self.request.enrolling.is_empty() {
            let why = "no number or address is known; see otpctl user set";
            requested.events.push(self.event("enrol", "denied", None, why.to_owned()));
        }
        Ok(requested)
    }

    /// To a user who has a token: by the first way that they have one for.
    fn send(self, work: &mut Work<'_>, requested: &mut Requested) -> Result<(), StoreError> {
        let Some(account) = &work.account else { return Ok(()) };
        let owned: Vec<_> = self
            .request
            .ways
            .iter()
            .filter(|way| token_of(account, way, self.now_ms).is_some())
            .cloned()
            .collect();
        let Some((way, recipient)) = self.reachable(work, &owned) else {
            if let Some(way) = owned.first() {
                let why = format!("no contact for {}; see otpctl user set", way.method);
                requested.events.push(self.event("challenge", "denied", Some(way), why));
            }
            return Ok(());
        };
        let (way, account) = (way.clone(), work.account.as_ref());
        let token = account.and_then(|account| token_of(account, &way, self.now_ms));
        let Some(token) = token else { return Ok(()) };
        self.challenge(work, &way, &token, &recipient, false, requested)
    }

    /// To a user who has none: the token is made with the message, and goes if that is not sent.
    fn enrol_and_send(
        mut self,
        work: &mut Work<'_>,
        way: Way,
        recipient: Recipient,
        requested: &mut Requested,
    ) -> Result<(), StoreError> {
        if self.locked(work) || self.exhausted(work, &way, &recipient)? {
            return self.refuse(&way, &recipient, work, requested);
        }
        let Some(secret) = self.draws.secret.take() else { return Ok(()) };
        let new = NewToken {
            id: self.draws.token.clone(),
            label: String::new(),
            method: way.method.clone(),
            factor: Factor::OutOfBand(way.channel),
            algorithm: Algorithm::Sha256,
            digits: way.digits,
            secret,
            pending_until_ms: None,
            expires_ms: None,
        };
        let account = work.account.get_or_insert_with(Account::default);
        account.uid = account.uid.or(self.request.uid);
        if let Err(error) = enrolment::begin(account, new, self.now_ms) {
            requested.events.push(self.event("enrol", "denied", Some(&way), error.to_string()));
            return Ok(());
        }
        let how = format!("at the login, by policy \"{}\"", self.ruling.rule.name);
        requested.events.push(self.event("enrol", "ok", Some(&way), how));
        let token = self.draws.token.clone();
        self.challenge(work, &way, &token, &recipient, true, requested)
    }

    /// Makes a challenge and its message, unless one is on its way, the user is locked, or enough
    /// was sent.
    fn challenge(
        self,
        work: &mut Work<'_>,
        way: &Way,
        token: &str,
        recipient: &Recipient,
        first: bool,
        requested: &mut Requested,
    ) -> Result<(), StoreError> {
        let (service, now_ms) = (self.request.service.as_str(), self.now_ms);
        let waiting = work.account.as_ref().is_some_and(|account| {
            out_of_band::waiting(account, token, service, way.terms, now_ms)
        });
        if waiting || self.locked(work) {
            requested.notice =
                Some(self.notice(way, recipient, Progress::Sent { message: None }, work));
            return Ok(());
        }
        if self.exhausted(work, way, recipient)? {
            return self.refuse(way, recipient, work, requested);
        }
        let code = Digits::random(&self.draws.code, way.digits);
        let Some(account) = work.account.as_mut() else { return Ok(()) };
        if out_of_band::challenge(account, token, service, &code, way.terms, now_ms).is_err() {
            return Ok(());
        }
        let letter = Letter {
            method: way.method.clone(),
            service: service.to_owned(),
            sent_ms: now_ms,
            first,
            message: self.message(way, token, recipient, &code),
        };
        work.outbox.push(Outgoing {
            id: letter.message.id.clone(),
            channel: way.channel,
            recipient: address(recipient).to_owned(),
            time_ms: now_ms,
            until_ms: letter.message.until_ms,
            payload: letter.sealed(),
        });
        let message = Some(letter.message.id.clone());
        requested.events.push(self.event(
            "challenge",
            "ok",
            Some(way),
            format!("to {}", recipient.masked()),
        ));
        requested.notice = Some(self.notice(way, recipient, Progress::Sent { message }, work));
        requested.letter = Some(letter);
        Ok(())
    }

    /// Nothing is sent because enough was, or because the user is locked, who is not told that.
    fn refuse(
        &self,
        way: &Way,
        recipient: &Recipient,
        work: &Work<'_>,
        requested: &mut Requested,
    ) -> Result<(), StoreError> {
        let progress = if self.locked(work) {
            Progress::Sent { message: None }
        } else {
            let why = format!("the [budget] for {} is used up", recipient.masked());
            requested.events.push(self.event("challenge", "denied", Some(way), why));
            Progress::Exhausted
        };
        requested.notice = Some(self.notice(way, recipient, progress, work));
        Ok(())
    }

    fn locked(&self, work: &Work<'_>) -> bool {
        let lockout = &self.ruling.loaded.config.lockout;
        let throttle = work.account.as_ref().map(|account| account.throttle).unwrap_or_default();
        throttle.locked(lockout, self.now_ms) != Lock::Open
    }

    /// Whether one more message would be more than the budget has.
    fn exhausted(
        &self,
        work: &Work<'_>,
        way: &Way,
        recipient: &Recipient,
    ) -> Result<bool, StoreError> {
        let Budget { per_user, per_recipient, total, .. } = self.ruling.loaded.config.budget;
        for (asked, most) in [
            (Asked::By(&self.request.user), per_user),
            (Asked::For(way.channel, address(recipient)), per_recipient),
            (Asked::Over(way.channel), total),
        ] {
            if work.ledger.count(asked, self.now_ms.saturating_sub(HOUR_MS))? >= most {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The first of the ways that leads to the user, and where to.
    fn reachable<'w>(&self, work: &Work<'_>, ways: &'w [Way]) -> Option<(&'w Way, Recipient)> {
        let set = work.account.as_ref().map(|account| account.contacts.clone()).unwrap_or_default();
        let contacts = in_force(&set, &self.request.known);
        ways.iter().find_map(|way| {
            let recipient = match way.channel {
                Channel::Sms => contacts.mobile.clone().map(Recipient::Phone),
                Channel::Email => contacts.mail.clone().map(Recipient::Mailbox),
            };
            let recipient = recipient.filter(|to| self.ruling.loaded.config.budget.reaches(to))?;
            Some((way, recipient))
        })
    }

    fn message(&self, way: &Way, token: &str, recipient: &Recipient, code: &Digits) -> Message {
        let template = &self.ruling.loaded.config.template;
        let (text, subject) = match way.channel {
            Channel::Sms => (&template.sms, None),
            Channel::Email => (&template.body, Some(&template.subject)),
        };
        let code = Zeroizing::new(String::from_utf8_lossy(code.expose()).into_owned());
        let values = Values {
            otp: &code,
            user: &self.request.user,
            service: &self.request.service,
            host: &self.host,
            source: self.request.origin.source.as_deref().unwrap_or("local"),
            minutes: way.terms.validity_ms.div_ceil(60_000),
        };
        let render = |template: &Template| Hidden::new(template.render(&values).to_string());
        Message {
            id: self.draws.message.clone(),
            to: recipient.clone(),
            text: render(text),
            subject: subject.map(render).unwrap_or_default(),
            code: Hidden::new(code.to_string()),
            user: self.request.user.clone(),
            serial: token.to_owned(),
            until_ms: self.now_ms.saturating_add_unsigned(way.terms.validity_ms),
            validity_ms: way.terms.validity_ms,
        }
    }

    fn notice(
        &self,
        way: &Way,
        recipient: &Recipient,
        progress: Progress,
        work: &Work<'_>,
    ) -> Notice {
        let words = work
            .account
            .as_ref()
            .map(|account| self.ruling.words(account, &way.method, self.now_ms));
        Notice {
            method: way.method.clone(),
            masked: recipient.masked(),
            progress,
            words: words.unwrap_or_default(),
        }
    }

    fn event(&self, event: &str, result: &str, way: Option<&Way>, detail: String) -> AuditEvent {
        let mut event = self.request.origin.event(event, result, &self.request.user, self.now_ms);
        event.method = way.map(|way| way.method.clone());
        event.detail = Some(detail);
        event
    }
}

/// The user's active token of that method.
fn token_of(account: &Account, way: &Way, now_ms: i64) -> Option<String> {
    let mut tokens = account.tokens.iter();
    let fits = tokens.find(|token| {
        token.method == way.method
            && token.factor == Factor::OutOfBand(way.channel)
            && token.standing(now_ms) == Standing::Active
    });
    fits.map(|token| token.id.clone())
}

fn address(recipient: &Recipient) -> &str {
    match recipient {
        Recipient::Phone(number) => number.as_str(),
        Recipient::Mailbox(address) => address.as_str(),
    }
}
