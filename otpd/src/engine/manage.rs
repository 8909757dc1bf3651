//! Changes of what exists: disable, enable, revoke, resync, recovery codes, unlock, reset.

use std::sync::Arc;

use otp_core::{
    account::Account,
    client,
    code::Reply,
    consume::{Scope, consume},
    enrolment, recovery, resync,
    token::Standing,
};
use otp_ipc::{ChangeOptions, limits};
use zeroize::Zeroizing;

use super::{Authority, Caller, Engine, Error, Ruling, share::detail};
use crate::{
    audit::Origin,
    store::{AuditEvent, StoreError, Work},
};

/// A change as the audit record and the proof rule see it.
pub(super) struct Change {
    event: &'static str,
    caller: u32,
    must_prove: bool,
    /// The first token of a user, or its secret, whom polkit has not been asked about: there was a credential to
    /// prove when the call was authorised, and there must still be.
    must_exist: bool,
    proof: Option<Zeroizing<Vec<u8>>>,
}

impl Change {
    /// A change that the owner must prove a credential for.
    pub(super) fn new(
        event: &'static str,
        caller: &Caller,
        authority: Authority,
        proof: Option<Vec<u8>>,
    ) -> Self {
        let must_prove = authority != Authority::Administrator;
        let must_exist = authority == Authority::Owner && matches!(event, "enrol" | "share");
        let proof = proof.map(Zeroizing::new);
        Self { event, caller: caller.uid, must_prove, must_exist, proof }
    }

    /// A change that only administrators make, or that carries its proof in its own codes.
    pub(super) fn proven(event: &'static str, caller: &Caller) -> Self {
        Self { event, caller: caller.uid, must_prove: false, must_exist: false, proof: None }
    }
}

impl Engine {
    /// Stops accepting a token, until a time or until it is enabled.
    ///
    /// # Errors
    /// [`Error::UnknownToken`], [`Error::WrongState`] for the owner's last token, the proof's
    /// errors as [`Engine::enrol`], [`Error::InvalidArgument`] for a time that has passed.
    pub async fn disable(
        &self,
        caller: &Caller,
        authority: Authority,
        user: &str,
        token: &str,
        options: ChangeOptions,
    ) -> Result<(), Error> {
        let now_ms = self.now_ms();
        if options.until.is_some_and(|end| end <= now_ms) {
            return Err(Error::InvalidArgument("until: this time has passed".into()));
        }
        let reason = options.reason.unwrap_or_default();
        if reason.len() > limits::TEXT || reason.chars().any(char::is_control) {
            return Err(otp_core::error::Error::Text.into());
        }
        let (id, until) = (token.to_owned(), options.until);
        let change = Change::new("disable", caller, authority, options.proof);
        self.change(user, change, move |work, event| {
            let account = work.account.as_mut().ok_or(Error::UnknownToken)?;
            event.token = Some(id.clone());
            event.detail = (!reason.is_empty()).then(|| otp_core::account::escaped(&reason));
            keep_last(account, authority, &id, now_ms)?;
            keep_disabled(account, authority, &id, now_ms)?;
            enrolment::disable(account, &id, until, &reason)?;
            client::forget(account);
            Ok(())
        })
        .await
    }

    /// Accepts a disabled token again. Only for administrators: whoever disabled it had a reason.
    ///
    /// # Errors
    /// [`Error::UnknownToken`], [`Error::WrongState`].
    pub async fn enable(&self, caller: &Caller, user: &str, token: &str) -> Result<(), Error> {
        let id = token.to_owned();
        let change = Change::proven("enable", caller);
        self.change(user, change, move |work, event| {
            let account = work.account.as_mut().ok_or(Error::UnknownToken)?;
            event.token = Some(id.clone());
            Ok(enrolment::enable(account, &id)?)
        })
        .await
    }

    /// Removes a token for ever.
    ///
    /// # Errors
    /// As [`Engine::disable`].
    pub async fn revoke(
        &self,
        caller: &Caller,
        authority: Authority,
        user: &str,
        token: &str,
        options: ChangeOptions,
    ) -> Result<(), Error> {
        let (id, now_ms) = (token.to_owned(), self.now_ms());
        let change = Change::new("revoke", caller, authority, options.proof);
        self.change(user, change, move |work, event| {
            let account = work.account.as_mut().ok_or(Error::UnknownToken)?;
            event.token = Some(id.clone());
            keep_last(account, authority, &id, now_ms)?;
            enrolment::revoke(account, &id)?;
            client::forget(account);
            Ok(())
        })
        .await
    }

    /// Finds a token's counter or step again from two consecutive codes, which are both used up.
    ///
    /// # Errors
    /// [`Error::Rejected`] where they are not consecutive codes of this token or the user is
    /// locked; a miss is charged like a wrong code.
    pub async fn resync(
        &self,
        caller: &Caller,
        user: &str,
        token: &str,
        codes: [Zeroizing<Vec<u8>>; 2],
    ) -> Result<(), Error> {
        let [first, second] = codes.map(|code| Reply::parse(&code));
        let (Reply::Digits(first), Reply::Digits(second)) = (first, second) else {
            return Err(Error::InvalidArgument("a code is 4 to 8 digits".into()));
        };
        let (id, now_ms) = (token.to_owned(), self.now_ms());
        let ruling = Ruling::unrestricted(self.config());
        let recovery_key = Arc::clone(&self.recovery_key);
        let change = Change::proven("resync", caller);
        self.change(user, change, move |work, event| {
            let account = work.account.as_mut().ok_or(Error::UnknownToken)?;
            event.token = Some(id.clone());
            let found = ruling.apply(&recovery_key, |rules| {
                resync::resync(account, &id, &first, &second, rules, now_ms)
            });
            found.map_err(|refusal| {
                event.result = crate::audit::refusal(refusal).to_owned();
                event.failures = Some(account.throttle.failures);
                Error::Rejected
            })
        })
        .await
    }

    /// Replaces the user's recovery codes and returns the new ones, which nobody is told again.
    ///
    /// # Errors
    /// [`Error::NoCredential`] for a user without a confirmed token; the proof's errors.
    pub async fn issue_recovery_codes(
        &self,
        caller: &Caller,
        authority: Authority,
        user: &str,
        options: ChangeOptions,
    ) -> Result<Vec<Zeroizing<Vec<u8>>>, Error> {
        let mut entropy = Zeroizing::new([0_u8; 100]);
        super::fill_random(&mut *entropy)?;
        let (codes, digests): (Vec<_>, Vec<_>) =
            recovery::issue(&entropy, &self.recovery_key).into_iter().unzip();
        let change = Change::new("recovery", caller, authority, options.proof);
        self.change(user, change, move |work, _| {
            let account = work.account.as_mut().filter(|account| account.enrolled());
            let account = account.ok_or_else(|| {
                Error::NoCredential("recovery codes are for users with a confirmed token".into())
            })?;
            account.recovery = digests;
            Ok(())
        })
        .await?;
        Ok(codes.iter().map(|code| Zeroizing::new(code.grouped().as_bytes().to_vec())).collect())
    }

    /// Ends a lock and forgets the failures.
    ///
    /// # Errors
    /// [`Error::UnknownUser`] for a user without an account.
    pub async fn unlock(&self, caller: &Caller, user: &str) -> Result<(), Error> {
        let name = user.to_owned();
        let change = Change::proven("unlock", caller);
        self.change(user, change, move |work, _| {
            let account = work.account.as_mut().ok_or(Error::UnknownUser(name))?;
            account.unlock();
            Ok(())
        })
        .await
    }

    /// Removes all that the store has of the user, except the audit record.
    ///
    /// # Errors
    /// [`Error::UnknownUser`] for a user without an account.
    pub async fn reset(&self, caller: &Caller, user: &str) -> Result<(), Error> {
        let name = user.to_owned();
        let change = Change::proven("reset", caller);
        let record = self.store.enrolment(user).await;
        if matches!(record, Err(StoreError::Integrity(_))) {
            return self.forget(caller, user).await;
        }
        self.change(user, change, move |work, _| {
            work.account.take().map(drop).ok_or(Error::UnknownUser(name))
        })
        .await
    }

    /// Removes a user whose record cannot be believed, and so cannot be read either.
    async fn forget(&self, caller: &Caller, user: &str) -> Result<(), Error> {
        let name = Self::parse_user(user)?;
        let origin = Origin { caller: caller.uid, ..Origin::default() };
        let mut event = origin.event("reset", "ok", name.as_str(), self.now_ms());
        event.detail = Some("the record failed its integrity check".to_owned());
        self.store.forget(name.as_str(), event.clone()).await?;
        self.journal.write(&event);
        Ok(())
    }

    /// Runs one change in one transaction: the owner's proof first, then the change, then the
    /// record of either. A refused proof is committed, since it is charged.
    pub(super) async fn change<R, F>(
        &self,
        user: &str,
        change: Change,
        apply: F,
    ) -> Result<R, Error>
    where
        R: Send + 'static,
        F: FnOnce(&mut Work<'_>, &mut AuditEvent) -> Result<R, Error> + Send + 'static,
    {
        let name = Self::parse_user(user)?;
        let now_ms = self.now_ms();
        let ruling = if change.must_prove {
            let found = self.own_circumstances(user).await;
            Ruling::for_self_service(self.config(), user, &found)
        } else {
            Ruling::unrestricted(self.config())
        };
        let recovery_key = Arc::clone(&self.recovery_key);
        let origin = Origin { caller: change.caller, ..Origin::default() };
        let (journal, monotonic_ms) = (Arc::clone(&self.journal), self.clock.monotonic_ms());
        let mut event = origin.event(change.event, "ok", name.as_str(), now_ms);
        let transition = move |work: &mut Work<'_>| {
            let proven = prove(&change, work, &ruling, &recovery_key, now_ms);
            let result = proven.and_then(|()| apply(work, &mut event));
            if let Err(error) = &result
                && event.result == "ok"
            {
                "denied".clone_into(&mut event.result);
                let shared = change.event == "share";
                event.detail = Some(if shared { detail(error) } else { error.to_string() });
            }
            // Counted by who calls, so that nobody can hide what happens to a user behind refusals.
            let event = if result.is_ok() || change.caller == 0 {
                Some(event)
            } else {
                journal.bounded(&format!("uid {}", change.caller), event, monotonic_ms)
            };
            work.audit.extend(event.clone());
            (result, event)
        };
        let (result, event) = self.transact(name.as_str(), transition).await?;
        if let Some(event) = event {
            self.journal.write(&event);
        }
        result
    }
}

/// Whoever has a confirmed token proves one before a change: a hijacked session must not be able
/// to enrol itself past sudo. The proof goes through the function that logins go through.
fn prove(
    change: &Change,
    work: &mut Work<'_>,
    ruling: &Ruling,
    recovery_key: &[u8; 32],
    now_ms: i64,
) -> Result<(), Error> {
    let account = work.account.as_mut().filter(|account| account.enrolled());
    let (true, Some(account)) = (change.must_prove, account) else {
        if change.must_exist {
            return Err(Error::AccessDenied("the account has just changed; try again".into()));
        }
        return Ok(());
    };
    let proof = change.proof.as_ref().ok_or(Error::ProofRequired)?;
    let reply = Reply::parse(proof);
    ruling
        .apply(recovery_key, |rules| consume(Some(account), &reply, Scope::Login, rules, now_ms))
        .map(drop)
        .map_err(Error::from)
}

/// The owner cannot give an end to what an administrator has disabled without one.
fn keep_disabled(
    account: &Account,
    authority: Authority,
    id: &str,
    now_ms: i64,
) -> Result<(), Error> {
    let token = account.tokens.iter().find(|token| token.id == id);
    let disabled = token.is_some_and(|token| token.standing(now_ms) == Standing::Disabled);
    if disabled && authority != Authority::Administrator {
        return Err(Error::WrongState("this token is disabled already".into()));
    }
    Ok(())
}

/// The owner cannot take away their own last token: that would be their way out of the policy.
fn keep_last(account: &Account, authority: Authority, id: &str, now_ms: i64) -> Result<(), Error> {
    let mut active =
        account.tokens.iter().filter(|token| token.standing(now_ms) == Standing::Active);
    let others = active.any(|token| token.id != id);
    if authority == Authority::Administrator || others {
        return Ok(());
    }
    let pending = |token: &otp_core::token::Token| token.standing(now_ms) == Standing::Pending;
    if account.tokens.iter().any(|token| token.id == id && pending(token)) {
        return Ok(());
    }
    Err(Error::WrongState("this is the last token; an administrator can take it away".into()))
}
