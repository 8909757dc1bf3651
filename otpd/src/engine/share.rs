//! Sharing: the secret of a token is shown to one session, once. Whoever loses the race is told so,
//! and a key that nobody confirms is destroyed.

use otp_core::{
    account::Account,
    client,
    contact::{Channel, Contacts},
    policy::FactorRule,
    secret::LONGEST,
    share::{self, Entropy, Share},
    token::{Factor, Token},
    uri,
};
use otp_ipc::{ShareDocument, ShareOptions};
use zeroize::Zeroizing;

use super::{
    Authority, Caller, Connection, Engine, Error, Ruling,
    enrol::drop_pending,
    follow_up::Ending,
    identity,
    manage::Change,
    shown::{CODE, called, plain_document, shown_document},
};
use crate::{
    audit::Origin,
    config::{AccountName, Confirmation, Sharing, Transition},
    store::{AuditEvent, TokenQuery},
};

/// What a URI is made of besides the token.
struct Names {
    user: String,
    issuer: String,
}

impl Engine {
    /// Shows the secret of `token`, or of the oldest of `user`'s that can be shown, to the caller's
    /// connection: the first one that asks, and that one again until the time to confirm it is
    /// over. With `result` the person has it, and nothing is shown. What comes of it is recorded
    /// and followed by the configured command.
    ///
    /// # Errors
    /// [`Error::UnknownTenant`]; [`Error::NoCredential`]; [`Error::AlreadyShared`];
    /// [`Error::WrongState`] for a `result` of what is not shown to this connection, where the name
    /// was somebody else's, and where the secret cannot be told in a URI; [`Error::Forbidden`] and [`Error::AccessDenied`] for what
    /// the configuration or the policy forbids; the proof's errors as [`Engine::enrol`].
    pub async fn share(
        &self,
        caller: &Caller,
        authority: Authority,
        user: &str,
        token: Option<&str>,
        options: ShareOptions,
    ) -> Result<(&'static str, ShareDocument), Error> {
        let later = options.later == Some(true);
        let outcome = if options.result == Some(true) {
            self.acknowledge(caller, user, token).await
        } else {
            self.release(caller, authority, user, token, options).await
        };
        // It is shared once it is confirmed: where it waits for its first code, "ok" comes with that.
        let waits = |document: &ShareDocument| later || document.confirm == CODE;
        let waits = match &outcome {
            Ok((transition, document)) => *transition == Transition::Ok && waits(document),
            // A question, which the caller answers with the next call.
            Err(error) => *error == Error::ProofRequired,
        };
        if !waits {
            let transition = outcome.as_ref().map_or_else(transition, |(name, _)| *name);
            let told = outcome.as_ref().ok().map(|(_, document)| document.token.as_str());
            let why = outcome.as_ref().err().map(ToString::to_string);
            let token = told.or(token).map(str::to_owned);
            let user = user.to_owned();
            self.follow(Ending { transition, user, token, caller: caller.uid, why });
        }
        self.shares.notify_one();
        outcome.map(|(transition, document)| (transition.name(), document))
    }

    /// Whether the caller's connection has been shown this token, or one of this user.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn has_shown(
        &self,
        caller: &Caller,
        user: &str,
        token: Option<&str>,
    ) -> Result<bool, Error> {
        let by = self.session_of(caller)?;
        let query = TokenQuery {
            user: Some(user.to_owned()),
            id: token.map(str::to_owned),
            showing: true,
            limit: otp_ipc::limits::PAGE,
            ..TokenQuery::default()
        };
        let (rows, _) = self.watch_store(self.store.tokens(query).await)?;
        Ok(rows.iter().any(|row| shown_to(&row.share, &by)))
    }

    /// The answer to a request for a token that is not there, or for one of somebody whom the
    /// caller has no say over: nothing tells the two apart.
    pub async fn share_nothing(&self, caller: &Caller, token: &str) -> Error {
        let error = Error::from(share::Refusal::NoCredential);
        let origin = Origin { caller: caller.uid, ..Origin::default() };
        let mut event = origin.event("share", "denied", "", self.now_ms());
        event.token = Some(otp_core::account::escaped(token));
        event.detail = Some(detail(&error));
        let recorded = self.record_bounded(&format!("uid {}", caller.uid), event).await;
        recorded.err().unwrap_or(error)
    }

    async fn release(
        &self,
        caller: &Caller,
        authority: Authority,
        user: &str,
        token: Option<&str>,
        options: ShareOptions,
    ) -> Result<(Transition, ShareDocument), Error> {
        let name = Self::parse_user(user)?;
        let entry = self.account_entry(&name).await;
        let (loaded, now_ms) = (self.config(), self.now_ms());
        let issuer = self.issuer_of(&loaded);
        let found = self.own_circumstances(user).await;
        let ruling = Ruling::for_self_service(self.config(), user, &found);
        let known = match loaded.config.sharing.account {
            AccountName::Email => self.told_contacts(user, [Channel::Email]).await?,
            AccountName::LoginId => Contacts::default(),
        };
        let (by, entropy) = (self.session_of(caller)?, fresh_entropy()?);
        let mut wanted = Wanted {
            authority,
            token: token.map(str::to_owned),
            names: Names { user: name.as_str().to_owned(), issuer },
            forbidden: ruling.rule.factor == FactorRule::Deny,
            by,
            now_ms,
            entropy,
            sharing: loaded.config.sharing.clone(),
            client: options.client,
            reshare: options.reshare == Some(true),
            later: options.later == Some(true),
        };
        let change = Change::new("share", caller, authority, options.proof);
        let shown = self.change(name.as_str(), change, move |work, event| {
            wanted.check()?;
            let entry = entry?;
            let account = work.account.as_mut().ok_or(share::Refusal::NoCredential)?;
            identity::check(&wanted.names.user, account, entry.uid)?;
            let id = wanted.find(account)?;
            event.token = Some(id.clone());
            let (transition, document, expired) = wanted.release(account, &id, &known)?;
            let expired = expired.then(|| {
                let (result, detail) = ("expired".to_owned(), Some(EXPIRED.to_owned()));
                AuditEvent { result, detail, ..event.clone() }
            });
            work.audit.extend(expired.clone());
            if transition == Transition::Default {
                "shown".clone_into(&mut event.result);
            }
            let how = if wanted.reshare { ", with another key" } else { "" };
            event.detail = Some(format!("{}{how}", transition.name()));
            Ok((transition, document, expired))
        });
        let (transition, document, expired) = shown.await?;
        if let Some(expired) = expired {
            self.journal.write(&expired);
        }
        Ok((transition, document))
    }

    async fn acknowledge(
        &self,
        caller: &Caller,
        user: &str,
        token: Option<&str>,
    ) -> Result<(Transition, ShareDocument), Error> {
        let (by, now_ms) = (self.session_of(caller)?, self.now_ms());
        let confirm = self.config().config.sharing.confirm;
        let (token, name) = (token.map(str::to_owned), user.to_owned());
        let change = Change::proven("share", caller);
        self.change(user, change, move |work, event| {
            let account = work.account.as_mut().ok_or(share::Refusal::NoCredential)?;
            let shown = account.tokens.iter().find(|token| shown_to(&token.share, &by));
            let id = token.or_else(|| shown.map(|token| token.id.clone()));
            let id = id.ok_or(share::Refusal::NotShown)?;
            event.token = Some(id.clone());
            let active = confirm == Confirmation::Acknowledgement;
            share::finish(account, &id, &by, now_ms, active)?;
            if active {
                drop_pending(account, &id);
            }
            let how = if active { "" } else { ", waits for its first code" };
            event.detail = Some(format!("{}{how}", Transition::Ok.name()));
            Ok((Transition::Ok, plain_document(id, name, confirm)))
        })
        .await
    }

    /// What a caller's connection is called in the store: never the same for two, though a bus that
    /// is started anew gives the same names to other clients.
    fn session_of(&self, caller: &Caller) -> Result<String, Error> {
        let mut era = self.era.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let current = match &*era {
            Some(era) => era.clone(),
            None => era.insert(super::random_id()?).clone(),
        };
        Ok(match &caller.connection {
            Connection::Bus(name) => format!("{current}{name}"),
            Connection::Direct(number) => format!("{current}/{number}"),
        })
    }
}

/// What the record says where a key was destroyed because nobody confirmed it.
pub(super) const EXPIRED: &str = "nobody confirmed it in time: the key was destroyed";

/// One request, checked against one configuration.
struct Wanted {
    authority: Authority,
    token: Option<String>,
    names: Names,
    /// The policy denies what users do with `otpctl`.
    forbidden: bool,
    by: String,
    now_ms: i64,
    entropy: Entropy,
    sharing: Sharing,
    client: Option<String>,
    reshare: bool,
    later: bool,
}

impl Wanted {
    /// Whether it may be asked for at all.
    fn check(&self) -> Result<(), Error> {
        self.check_client()?;
        if self.later && !self.reshare {
            return Err(Error::InvalidArgument("later: only with reshare".to_owned()));
        }
        let administrator = self.authority == Authority::Administrator;
        if self.forbidden && !administrator {
            let text =
                "the policy does not let users share tokens themselves; ask an administrator";
            return Err(Error::Forbidden(text.to_owned()));
        }
        match (self.reshare, administrator, self.sharing.reshare) {
            (true, false, _) => {
                let text = "only an administrator may have a token shared again";
                Err(Error::AccessDenied(text.to_owned()))
            }
            (true, true, false) => {
                let text = "[sharing] reshare = false forbids to share again; make another token";
                Err(Error::Forbidden(text.to_owned()))
            }
            _ => Ok(()),
        }
    }

    fn check_client(&self) -> Result<(), Error> {
        let tenants = &self.sharing.tenants;
        let known = match &self.client {
            Some(client) if tenants.is_empty() => *client == self.names.issuer,
            Some(client) => tenants.contains(client),
            None => tenants.is_empty(),
        };
        let text = match &self.client {
            _ if known => return Ok(()),
            Some(client) => format!("there is no tenant {:?}", otp_core::account::escaped(client)),
            None => "there are several tenants; name one".to_owned(),
        };
        Err(Error::UnknownTenant(text))
    }

    /// The token that it is for.
    fn find(&self, account: &Account) -> Result<String, Error> {
        if let Some(id) = &self.token {
            return Ok(id.clone());
        }
        if !self.reshare {
            return Ok(share::choose(account, &self.by, self.now_ms)?.to_owned());
        }
        let has_secret = |token: &&Token| !matches!(token.factor, Factor::OutOfBand(_));
        let mut tokens = account.tokens.iter().filter(has_secret);
        let first = tokens.next().ok_or(share::Refusal::NoCredential)?;
        if tokens.next().is_some() {
            let text = "the user has several tokens; name the one to share again by its id";
            return Err(Error::InvalidArgument(text.to_owned()));
        }
        Ok(first.id.clone())
    }

    /// Shows the token, or has it wait. Tells as well whether a key was destroyed because nobody
    /// had confirmed it.
    fn release(
        &mut self,
        account: &mut Account,
        id: &str,
        contacts: &Contacts,
    ) -> Result<(Transition, ShareDocument, bool), Error> {
        let (now_ms, sharing) = (self.now_ms, &self.sharing);
        // What is changed is committed, whatever comes after it: first all that may fail.
        let called = called(sharing.account, &self.names.user, account, contacts)?;
        let known = account.tokens.iter().find(|token| token.id == id);
        let known = known.ok_or(share::Refusal::NoCredential)?;
        if !matches!(known.factor, Factor::OutOfBand(_)) {
            uri::provisioning(known, &self.names.issuer, &called)?;
        }
        if self.reshare {
            let offer_ms = now_ms.saturating_add_unsigned(sharing.offer_ms);
            share::reshare(account, id, offer_ms, now_ms, &self.entropy)?;
            client::forget(account);
        }
        let user = self.names.user.clone();
        let plain = plain_document(id.to_owned(), user, sharing.confirm);
        if self.later {
            return Ok((Transition::Ok, plain, false));
        }
        let expired = share::begin(account, id, &self.by, now_ms, sharing.ttl_ms, &self.entropy)?;
        let token = account.tokens.iter().find(|token| token.id == id);
        let token = token.ok_or(share::Refusal::NoCredential)?;
        let document = shown_document(token, &called, &self.names.issuer, plain)?;
        Ok((Transition::Default, document, expired))
    }
}

/// The transition that an error stands for.
pub(super) fn transition(error: &Error) -> Transition {
    match error {
        Error::NoCredential(_) | Error::UnknownToken => Transition::NoCredential,
        Error::AlreadyShared(_) => Transition::SecretAlreadyShared,
        Error::UnknownTenant(_) => Transition::ClientNotFound,
        _ => Transition::Failed,
    }
}

/// What the record says of an error: the transition's name first.
pub(super) fn detail(error: &Error) -> String {
    format!("{}: {error}", transition(error).name())
}

fn shown_to(share: &Share, by: &str) -> bool {
    matches!(share, Share::Showing { by: to, .. } if to == by)
}

pub(super) fn fresh_entropy() -> Result<Entropy, Error> {
    let mut entropy = Zeroizing::new([0_u8; LONGEST]);
    super::fill_random(&mut *entropy)?;
    Ok(entropy)
}
