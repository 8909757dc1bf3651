//! One request for a code within the store's transaction: everything is looked at, decided and put
//! down at one moment, so that a hundred prompts at once are one message.

use std::sync::Arc;

use otp_core::{
    account::Account,
    code::Digits,
    contact::{Channel, Contacts},
    enrolment::{self, NewToken},
    out_of_band,
    secret::Secret,
    token::{Algorithm, Factor, Standing},
};
use otp_delivery::{Hidden, Message, Recipient};
use zeroize::Zeroizing;

use super::{
    Error, Ruling,
    challenge::{Notice, Progress, Request, Way},
    contact::in_force,
    enrol::drop_pending,
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
    pub(super) fn run(mut self, work: &mut Work<'_>) -> Result<Requested, StoreError> {
        let mut requested = Requested::default();
        let owned = self.owned(work);
        let (ways, enrols) = match owned.first() {
            Some(_) => (&owned, false),
            None if self.enrols(work) => (&self.request.enrolling, true),
            None => return Ok(requested),
        };
        let Some((way, recipient)) = self.reachable(work, ways) else {
            let event = if enrols { "enrol" } else { "challenge" };
            let why = "no number or address is known that codes may go to; see otpctl user set";
            requested.events.extend(
                ways.first().map(|way| self.event(event, "denied", Some(way), why.to_owned())),
            );
            return Ok(requested);
        };
        let (way, account) = (way.clone(), work.account.as_ref());
        let token = account.and_then(|account| token_of(account, &way, self.now_ms));
        if token.as_ref().is_some_and(|token| self.waiting(work, &way, token)) {
            let progress = Progress::Sent { message: None };
            requested.notice = Some(self.notice(&way, &recipient, progress, work));
        } else if !self.held_back(work, &way, &recipient, &mut requested)? {
            let token = token.or_else(|| self.enrol(work, &way, &mut requested));
            if let Some(token) = token {
                self.challenge(work, &way, &token, &recipient, &mut requested);
            }
        }
        Ok(requested)
    }

    /// Whether a code for this login is on its way.
    fn waiting(&self, work: &Work<'_>, way: &Way, token: &str) -> bool {
        let service = self.request.service.as_str();
        work.account.as_ref().is_some_and(|account| {
            out_of_band::waiting(account, token, service, way.terms, self.now_ms)
        })
    }

    /// The ways that the user has a token for.
    fn owned(&self, work: &Work<'_>) -> Vec<Way> {
        let Some(account) = &work.account else { return Vec::new() };
        let ways = self.request.ways.iter();
        ways.filter(|way| token_of(account, way, self.now_ms).is_some()).cloned().collect()
    }

    /// Whether the user gets a token at this login: they have none, or such as were made at a login
    /// and have not been answered yet.
    fn enrols(&self, work: &Work<'_>) -> bool {
        work.account.as_ref().is_none_or(enrolment::open)
    }

    /// Makes the token; it goes again if its first message cannot be sent.
    fn enrol(
        &mut self,
        work: &mut Work<'_>,
        way: &Way,
        requested: &mut Requested,
    ) -> Option<String> {
        let id = self.draws.token.clone();
        let new = NewToken {
            id: id.clone(),
            label: String::new(),
            method: way.method.clone(),
            factor: Factor::OutOfBand(way.channel),
            algorithm: Algorithm::Sha256,
            digits: way.digits,
            secret: self.draws.secret.take()?,
            pending_until_ms: None,
            share: false,
            expires_ms: None,
        };
        let account = work.account.get_or_insert_with(Account::default);
        account.uid = account.uid.or(self.request.uid);
        if let Err(error) = enrolment::begin(account, new, self.now_ms) {
            requested.events.push(self.event("enrol", "denied", Some(way), error.to_string()));
            return None;
        }
        drop_pending(account, &id);
        let how = format!("at the login, by policy \"{}\"", self.ruling.rule.name);
        requested.events.push(self.event("enrol", "ok", Some(way), how));
        Some(id)
    }

    /// Whether nothing is sent, because enough was or because the user is locked, who is not told
    /// that.
    fn held_back(
        &self,
        work: &Work<'_>,
        way: &Way,
        recipient: &Recipient,
        requested: &mut Requested,
    ) -> Result<bool, StoreError> {
        let progress = if self.exhausted(work, way, recipient)? {
            let why = format!("the [budget] for {} is used up", recipient.masked());
            requested.events.push(self.event("challenge", "denied", Some(way), why));
            Progress::Exhausted
        } else if self.locked(work) {
            Progress::Sent { message: None }
        } else {
            return Ok(false);
        };
        requested.notice = Some(self.notice(way, recipient, progress, work));
        Ok(true)
    }

    /// Makes a challenge and its message.
    fn challenge(
        &self,
        work: &mut Work<'_>,
        way: &Way,
        token: &str,
        recipient: &Recipient,
        requested: &mut Requested,
    ) {
        let (service, now_ms) = (self.request.service.as_str(), self.now_ms);
        let code = Digits::random(&self.draws.code, way.digits);
        let Some(account) = work.account.as_mut() else { return };
        let known = account.tokens.iter().find(|known| known.id == token);
        let first = token == self.draws.token
            || known.is_some_and(|known| out_of_band::underway(account, known));
        if out_of_band::challenge(account, token, service, &code, way.terms, now_ms).is_err() {
            return;
        }
        let letter = Letter {
            method: way.method.clone(),
            service: service.to_owned(),
            sent_ms: now_ms,
            first,
            again: false,
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
    }

    fn locked(&self, work: &Work<'_>) -> bool {
        let throttle = work.account.as_ref().map(|account| account.throttle).unwrap_or_default();
        self.ruling.locked(throttle, self.now_ms)
    }

    /// Whether one more message would be more than the budget has.
    fn exhausted(
        &self,
        work: &Work<'_>,
        way: &Way,
        recipient: &Recipient,
    ) -> Result<bool, StoreError> {
        let budget = &self.ruling.loaded.config.budget;
        exhausted(work, budget, &self.request.user, way.channel, recipient, self.now_ms)
    }

    /// The first of the ways that leads to the user, and where to.
    fn reachable<'w>(&self, work: &Work<'_>, ways: &'w [Way]) -> Option<(&'w Way, Recipient)> {
        let set = work.account.as_ref().map(|account| account.contacts.clone()).unwrap_or_default();
        let contacts = in_force(&set, &self.request.known);
        let budget = &self.ruling.loaded.config.budget;
        ways.iter().find_map(|way| Some((way, recipient(&contacts, way.channel, budget)?)))
    }

    fn message(&self, way: &Way, token: &str, recipient: &Recipient, code: &Digits) -> Message {
        let template = self.ruling.loaded.config.template.of(self.ruling.locale.language);
        let (text, subject) = match way.channel {
            Channel::Sms => (&template.sms, None),
            Channel::Email => (&template.body, Some(&template.subject)),
        };
        let code = super::readable(code);
        let values = Values {
            otp: code.expose(),
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
            code: code.clone(),
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
        let words = work.account.as_ref().map(|account| self.ruling.words(account, self.now_ms));
        let mut words = words.unwrap_or_default();
        if self.enrols(work) {
            let reached =
                |other: &&Way| self.reachable(work, std::slice::from_ref(*other)).is_some();
            let others = self.request.others.iter().filter(reached).map(|other| &other.method);
            for other in others.chain(&self.request.apps) {
                if !words.contains(other) {
                    words.push(other.clone());
                }
            }
        }
        words.retain(|word| *word != way.method);
        Notice { method: way.method.clone(), masked: recipient.masked(), progress, words }
    }

    fn event(&self, event: &str, result: &str, way: Option<&Way>, detail: String) -> AuditEvent {
        let mut event = self.request.origin.event(event, result, &self.request.user, self.now_ms);
        event.method = way.map(|way| way.method.clone());
        event.detail = Some(detail);
        event
    }
}

/// Where codes of a channel go, if there is such a place and messages may go there.
pub(super) fn recipient(
    contacts: &Contacts,
    channel: Channel,
    budget: &Budget,
) -> Option<Recipient> {
    let recipient = match channel {
        Channel::Sms => contacts.mobile.clone().map(Recipient::Phone),
        Channel::Email => contacts.mail.clone().map(Recipient::Mailbox),
    };
    recipient.filter(|to| budget.reaches(to))
}

/// Whether one more message to `user` would be more than the budget has.
pub(super) fn exhausted(
    work: &Work<'_>,
    budget: &Budget,
    user: &str,
    channel: Channel,
    recipient: &Recipient,
    now_ms: i64,
) -> Result<bool, StoreError> {
    for (asked, most) in [
        (Asked::By(user), budget.per_user),
        (Asked::For(channel, address(recipient)), budget.per_recipient),
        (Asked::Over(channel), budget.total),
    ] {
        if work.ledger.count(asked, now_ms.saturating_sub(HOUR_MS))? >= most {
            return Ok(true);
        }
    }
    Ok(false)
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

pub(super) fn address(recipient: &Recipient) -> &str {
    match recipient {
        Recipient::Phone(number) => number.as_str(),
        Recipient::Mailbox(address) => address.as_str(),
    }
}
