//! Enrolment: a pending token, its provisioning URI told once, its first code.

use otp_core::{
    account::Account,
    code::Reply,
    consume::{Credential, Refusal, Scope, consume},
    contact::{Channel, Contacts},
    enrolment::{self, NewToken},
    secret::Secret,
    share::Share,
    token::{Factor, State, Token},
    uri,
};
use otp_ipc::EnrolOptions;
use zeroize::Zeroizing;

use super::{
    Authority, Caller, Engine, Error, Ruling, contact::in_force, follow_up::Ending, identity,
    manage::Change,
};
use crate::{
    config::{Config, Loaded, Method, Transition},
    store::Work,
};

impl Engine {
    /// Makes a token for `user` and returns its id and provisioning URI, which nobody is told
    /// again. It is pending until its first code, unless an administrator asks otherwise. A token
    /// of delivered codes is active at once and has no URI (empty); only administrators make one.
    /// One that is to be shared has a URI that [`Engine::share`] tells.
    ///
    /// # Errors
    /// [`Error::UnknownUser`] where no directory has the user, [`Error::Forbidden`] where no policy
    /// lets users enrol this method themselves or the method is in nobody's use,
    /// [`Error::WrongState`] where the name was somebody else's, [`Error::ProofRequired`] and [`Error::Rejected`]
    /// for an owner who has a credential already, [`Error::NoCredential`] where there is nowhere to
    /// deliver codes to, [`Error::InvalidArgument`] for anything malformed.
    pub async fn enrol(
        &self,
        caller: &Caller,
        authority: Authority,
        user: &str,
        options: EnrolOptions,
    ) -> Result<(String, Zeroizing<Vec<u8>>), Error> {
        let name = Self::parse_user(user)?;
        let entry = self.account_entry(&name).await?;
        let loaded = self.config();
        let wanted = options.method.as_deref().unwrap_or("totp");
        let method = enrollable(&loaded.config, wanted)?;
        self.check_linked(method, user).await?;
        if authority != Authority::Administrator {
            check_own(method)?;
            let found = self.own_circumstances(user).await;
            let ruling = Ruling::for_self_service(self.config(), user, &found);
            owner_may_enrol(&ruling, wanted, &options)?;
        }
        let now_ms = self.now_ms();
        if options.expires.is_some_and(|end| end <= now_ms) {
            return Err(Error::InvalidArgument("expires: this time has passed".into()));
        }
        let share = options.share == Some(true);
        if share && options.active == Some(true) {
            let text = "share: a token that is active already has nothing to share";
            return Err(Error::InvalidArgument(text.to_owned()));
        }
        let config = &loaded.config;
        let pending_ms = if share { config.sharing.offer_ms } else { config.enrolment.pending_ms };
        let pending = now_ms.saturating_add_unsigned(pending_ms);
        let delivered = matches!(method.factor, Factor::OutOfBand(_));
        let new = NewToken {
            id: super::random_id()?,
            label: options.label.unwrap_or_default(),
            method: method.name.clone(),
            factor: method.factor,
            algorithm: method.algorithm,
            digits: method.digits,
            secret: fresh_secret(method)?,
            pending_until_ms: (options.active != Some(true) && !delivered).then_some(pending),
            share,
            expires_ms: options.expires,
        };
        let issuer = self.issuer_of(&loaded);
        let change = Change::new("enrol", caller, authority, options.proof);
        let uid = entry.uid;
        let known = match method.factor {
            Factor::OutOfBand(channel) => self.told_contacts(user, [channel]).await?,
            Factor::Totp { .. } | Factor::Hotp => Contacts::default(),
        };
        let account_name = name.as_str().to_owned();
        self.change(name.as_str(), change, move |work, event| {
            let account = work.account.get_or_insert_with(Account::default);
            identity::check(&account_name, account, uid)?;
            account.uid = Some(uid);
            if let Factor::OutOfBand(channel) = new.factor {
                check_deliverable(account, &known, channel, &new.method)?;
            }
            let id = new.id.clone();
            event.token = Some(id.clone());
            event.method = Some(new.method.clone());
            let active = new.pending_until_ms.is_none();
            enrolment::begin(account, new, now_ms)?;
            if active {
                drop_pending(account, &id);
            }
            let token = account.tokens.iter().find(|token| token.id == id);
            let token = token.ok_or(Error::UnknownToken)?;
            let uri = if delivered || share {
                Zeroizing::default()
            } else {
                provisioning(token, &issuer, &account_name)?
            };
            Ok((id, uri))
        })
        .await
    }

    /// The issuer that apps show.
    pub(super) fn issuer_of(&self, loaded: &Loaded) -> String {
        loaded.config.enrolment.issuer.clone().unwrap_or_else(|| self.issuer.clone())
    }

    /// Makes a pending token active with its first code. The user's other pending tokens go.
    ///
    /// # Errors
    /// [`Error::Rejected`] for a wrong code, [`Error::WrongState`] for a token that is not pending
    /// or whose time is over, [`Error::UnknownToken`].
    pub async fn confirm(
        &self,
        caller: &Caller,
        user: &str,
        token: &str,
        code: Zeroizing<Vec<u8>>,
    ) -> Result<(), Error> {
        let reply = Reply::parse(&code);
        let now_ms = self.now_ms();
        let ruling = Ruling::unrestricted(self.config());
        let recovery_key = std::sync::Arc::clone(&self.recovery_key);
        let id = token.to_owned();
        let change = Change::proven("confirm", caller);
        let shared = self
            .change(user, change, move |work, event| {
                let account = work.account.as_mut().ok_or(Error::UnknownToken)?;
                check_pending(account, &id, now_ms)?;
                event.token = Some(id.clone());
                let shown = account.tokens.iter().any(|token| token.id == id && showing(token));
                let verdict = ruling.apply(&recovery_key, |rules| {
                    consume(Some(account), &reply, Scope::Token(&id), rules, now_ms)
                });
                conclude(work, event, &id, &verdict)?;
                event.detail = shown.then(|| "ok: what was shared is confirmed".to_owned());
                Ok(shown)
            })
            .await?;
        if shared {
            let (user, token) = (user.to_owned(), Some(token.to_owned()));
            let transition = Transition::Ok;
            self.follow(Ending { transition, user, token, caller: caller.uid, why: None });
            self.shares.notify_one();
        }
        Ok(())
    }
}

/// Drops the pending tokens other than `id`, which is active now: whoever made them could otherwise
/// confirm them later without proving the credential that exists. What nobody has been shown yet
/// stays: to be shown it takes that proof.
pub(crate) fn drop_pending(account: &mut Account, id: &str) {
    account
        .tokens
        .retain(|token| token.id == id || token.confirmed() || token.share == Share::Created);
}

fn showing(token: &Token) -> bool {
    matches!(token.share, Share::Showing { .. })
}

fn conclude(
    work: &mut Work<'_>,
    event: &mut crate::store::AuditEvent,
    id: &str,
    verdict: &Result<Credential, Refusal>,
) -> Result<(), Error> {
    match verdict {
        Ok(_) => {
            if let Some(account) = work.account.as_mut() {
                drop_pending(account, id);
            }
            Ok(())
        }
        Err(refusal) => {
            event.result = crate::audit::refusal(*refusal).to_owned();
            event.detail = crate::audit::detail(*refusal);
            event.failures = work.account.as_ref().map(|account| account.throttle.failures);
            Err(Error::Rejected)
        }
    }
}

fn check_pending(account: &Account, id: &str, now_ms: i64) -> Result<(), Error> {
    let token = account.tokens.iter().find(|token| token.id == id).ok_or(Error::UnknownToken)?;
    let over = token.share.over(now_ms);
    match token.state {
        _ if token.share == Share::Created => {
            let text = "nobody has been shown this token yet; see `otpctl token share`";
            Err(Error::WrongState(text.into()))
        }
        State::Pending { until_ms } if now_ms < until_ms && !over => Ok(()),
        State::Pending { .. } => {
            Err(Error::WrongState("the time to confirm this token is over; enrol again".into()))
        }
        _ => Err(Error::WrongState("this token is confirmed already".into())),
    }
}

fn owner_may_enrol(ruling: &Ruling, method: &str, options: &EnrolOptions) -> Result<(), Error> {
    if options.active == Some(true) {
        let text = "only an administrator may enrol a token without its first code";
        return Err(Error::AccessDenied(text.into()));
    }
    if ruling.rule.enrol.iter().any(|offered| offered == method) {
        Ok(())
    } else {
        let text = format!(
            "policy \"{}\" does not let users enrol {method:?} themselves; ask an administrator",
            ruling.rule.name
        );
        Err(Error::Forbidden(text))
    }
}

/// The method of that name, where anybody can be enrolled with it.
fn enrollable<'a>(config: &'a Config, wanted: &str) -> Result<&'a Method, Error> {
    let method = config.method(wanted).ok_or_else(|| {
        Error::InvalidArgument(format!("there is no method {wanted:?}; see `otpctl method list`"))
    })?;
    if !method.enabled {
        let text = format!("method {wanted:?} is disabled; `otpctl method enable {wanted}`");
        return Err(Error::Forbidden(text));
    }
    if method.directories.is_empty() {
        let text = format!("method {wanted:?} is linked to no directory, so nobody can use it");
        return Err(Error::Forbidden(text));
    }
    check_provisionable(method)?;
    Ok(method)
}

/// Refuses owners the methods whose codes are delivered: they would prove nothing by it.
fn check_own(method: &Method) -> Result<(), Error> {
    match method.factor {
        Factor::OutOfBand(_) => {
            let text = "codes that are delivered are enrolled by administrators only";
            Err(Error::Forbidden(format!("method {:?}: {text}; ask one", method.name)))
        }
        Factor::Totp { .. } | Factor::Hotp => Ok(()),
    }
}

/// Refuses a token whose codes would reach nobody, and a second one of the same method.
fn check_deliverable(
    account: &Account,
    known: &Contacts,
    channel: Channel,
    method: &str,
) -> Result<(), Error> {
    if account.tokens.iter().any(|token| token.method == method) {
        let text = format!("the user has a token of method {method:?}; see `otpctl token list`");
        return Err(Error::WrongState(text));
    }
    if in_force(&account.contacts, known).has(channel) {
        return Ok(());
    }
    let text = match channel {
        Channel::Sms => {
            "the user has no telephone number; set one: `otpctl user set USER mobile=…`"
        }
        Channel::Email => "the user has no mail address; set one: `otpctl user set USER mail=…`",
    };
    Err(Error::NoCredential(text.to_owned()))
}

pub(super) fn fresh_secret(method: &Method) -> Result<Secret, Error> {
    let mut bytes = Zeroizing::new(vec![0_u8; usize::from(method.key_size)]);
    super::fill_random(&mut bytes)?;
    Secret::new(bytes).map_err(Error::from)
}

/// Refuses, before anything is made, a method that no provisioning URI can tell of (U11).
fn check_provisionable(method: &Method) -> Result<(), Error> {
    match method.factor {
        Factor::Totp { .. } if uri::check(method.factor).is_err() => {
            let text = "authenticator apps cannot follow a T0 or a step that is not whole seconds";
            Err(Error::InvalidArgument(format!("method {:?}: {text}", method.name)))
        }
        _ => Ok(()),
    }
}

fn provisioning(token: &Token, issuer: &str, user: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
    let uri = uri::provisioning(token, issuer, user)?;
    Ok(Zeroizing::new(uri.as_bytes().to_vec()))
}
