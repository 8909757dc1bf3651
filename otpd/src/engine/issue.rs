//! Codes that administrators issue: made, sent, listed, taken away, and the right to do so.

use otp_core::{
    account::{Account, check_text},
    code::Digits,
    issued::{self, MOST_USES, NewCode, Reach, Standing},
};
use otp_ipc::{CodeDocument, CodeFilter, Context, IssueOptions};
use zeroize::Zeroizing;

use super::{
    Authority, Caller, Engine, Error, identity,
    manage::Change,
    origin,
    post::{Sending, outgoing},
    query::page,
    ruling::ISSUED,
};
use crate::{
    config::{Config, VALIDITY_MS},
    directory::Entry,
    store::{CodeQuery, CodeRow, UserQuery, Work},
};

pub(super) const SWITCHED_OFF: &str =
    "issued codes are switched off; set [issued] enabled = true in the configuration of otpd";

/// A code that was issued.
pub struct IssuedNow {
    /// Its id.
    pub id: String,
    /// The code, empty where it was sent to the user.
    pub code: Zeroizing<Vec<u8>>,
    /// When it is good no longer, Unix milliseconds.
    pub expires_ms: i64,
}

impl Engine {
    /// Issues a code to `user`. An open one for the same client, or for none as this one, is good
    /// no longer. A user without an account gets one, which is not enrolled.
    ///
    /// # Errors
    /// [`Error::SwitchedOff`], [`Error::UnknownUser`] where no directory has the user,
    /// [`Error::AccessDenied`] for whom the caller may not issue to, [`Error::InvalidArgument`] for
    /// what is out of range, [`Error::WrongState`] for too many codes and where the name was
    /// somebody else's, [`Error::UnknownClient`],
    /// [`Error::NoCredential`] and [`Error::Busy`] for what cannot be sent.
    pub async fn issue_code(
        &self,
        caller: &Caller,
        authority: Authority,
        user: &str,
        options: IssueOptions,
    ) -> Result<IssuedNow, Error> {
        let name = Self::parse_user(user)?;
        let loaded = self.config();
        if !loaded.config.issued.enabled {
            self.refuse_issuing(caller, "issue", name.as_str(), SWITCHED_OFF).await;
            return Err(Error::SwitchedOff(SWITCHED_OFF.to_owned()));
        }
        let entry = self.account_entry(&name).await?;
        if let Err(error) = self.check_target(caller, authority, &entry).await {
            self.refuse_issuing(caller, "issue", name.as_str(), &error.to_string()).await;
            return Err(error);
        }
        let new = new_code(caller, &loaded.config, &options)?;
        let (id, client) = (new.id.clone(), new.client.clone());
        let code = random_code(loaded.config.issued.digits)?;
        let shown = Zeroizing::new(code.expose().to_vec());
        let sending = self.sending(&options, &loaded.config, name.as_str()).await?;
        let key = std::sync::Arc::clone(&self.recovery_key);
        let now_ms = self.now_ms();
        let expires_ms = now_ms.saturating_add_unsigned(new.validity_ms);
        let name = name.as_str().to_owned();
        let change = Change::proven("issue", caller);
        let letter = self
            .change(user, change, move |work, event| {
                event.method = Some(ISSUED.to_owned());
                event.detail = Some(detail(&new));
                if let Some(account) = &work.account {
                    identity::check(&name, account, entry.uid)?;
                }
                if client.is_some() && !has_client(work, client.as_deref()) {
                    return Err(Error::UnknownClient);
                }
                // Whatever fails, nothing is left of it: not an account, not a message.
                let message = |sending: Sending| {
                    sending.letter(work, &name, &new, &code, &loaded.config, now_ms)
                };
                let letter = sending.map(message).transpose()?;
                let blank = || Account { uid: Some(entry.uid), ..Account::default() };
                let mut account = work.account.take().unwrap_or_else(blank);
                let had_none = account == blank();
                let issued = issued::issue(&mut account, new, code, &key, now_ms);
                work.account = (issued.is_ok() || !had_none).then_some(account);
                issued?;
                work.outbox.extend(letter.as_ref().map(outgoing));
                Ok(letter)
            })
            .await?;
        let sent = letter.is_some();
        if let Some(letter) = letter {
            self.outbox.post(letter);
        }
        let code = if sent { Zeroizing::default() } else { shown };
        Ok(IssuedNow { id, code, expires_ms })
    }

    /// Whether the caller may issue to this account. A code in place of the password is as good as
    /// the account: nobody but root makes one for root, and who may issue codes makes none for
    /// themselves and for others who may, or one open session would be worth all accounts.
    async fn check_target(
        &self,
        caller: &Caller,
        authority: Authority,
        entry: &Entry,
    ) -> Result<(), Error> {
        let denied = |text: &str| Err(Error::AccessDenied(text.to_owned()));
        if caller.uid == 0 {
            return Ok(());
        }
        if entry.uid == 0 {
            return denied("only root issues a code to root");
        }
        if authority != Authority::Issuer {
            return Ok(());
        }
        if entry.uid == caller.uid {
            return denied("nobody issues a code to themselves; ask another administrator");
        }
        let enrolment = self.watch_store(self.store.enrolment(&entry.name).await)?;
        if enrolment.is_some_and(|enrolment| enrolment.administrator) {
            return denied(
                "only root and polkit's administrators issue a code to an administrator",
            );
        }
        Ok(())
    }

    /// Issued codes that match, and how many match in all. The code itself is told while it is good
    /// and kept, to root, to whoever issued it, and to administrators unless it is root's.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn codes(
        &self,
        caller: &Caller,
        authority: Authority,
        filter: CodeFilter,
    ) -> Result<(Vec<CodeDocument>, u64), Error> {
        let query = CodeQuery {
            user: filter.user,
            id: filter.id,
            kept_beyond_ms: None,
            offset: filter.offset.unwrap_or_default(),
            limit: page(filter.limit),
        };
        let (rows, total) = self.watch_store(self.store.codes(query).await)?;
        let now_ms = self.now_ms();
        let mut documents = Vec::with_capacity(rows.len());
        for row in rows {
            let told = caller.uid == 0
                || row.issued.issued_by == caller.uid
                || (authority == Authority::Administrator
                    && self.uid_of(&row.user).await? != Some(0));
            documents.push(document(row, told, now_ms));
        }
        Ok((documents, total))
    }

    /// Takes an issued code away at once.
    ///
    /// # Errors
    /// [`Error::UnknownCode`].
    pub async fn revoke_code(&self, caller: &Caller, code: &str) -> Result<(), Error> {
        let query = CodeQuery { id: Some(code.to_owned()), limit: 1, ..CodeQuery::default() };
        let (rows, _) = self.watch_store(self.store.codes(query).await)?;
        let user = rows.into_iter().next().ok_or(Error::UnknownCode)?.user;
        let id = code.to_owned();
        let change = Change::proven("withdraw", caller);
        self.change(&user, change, move |work, event| {
            event.detail = Some(format!("code {id}"));
            let account = work.account.as_mut().ok_or(Error::UnknownCode)?;
            issued::revoke(account, &id).map_err(|_| Error::UnknownCode)
        })
        .await
    }

    /// Lets `user` issue codes to others, or no longer. A user without an account gets one, which
    /// is not enrolled.
    ///
    /// # Errors
    /// [`Error::UnknownUser`] where no directory has the user, [`Error::WrongState`] where the name
    /// was somebody else's.
    pub async fn set_administrator(
        &self,
        caller: &Caller,
        user: &str,
        administrator: bool,
    ) -> Result<(), Error> {
        let name = Self::parse_user(user)?;
        let entry = self.account_entry(&name).await?;
        let change = Change::proven("administrator", caller);
        self.change(user, change, move |work, event| {
            event.detail = Some(if administrator { "on" } else { "off" }.to_owned());
            let blank = || Account { uid: Some(entry.uid), ..Account::default() };
            let account = work.account.get_or_insert_with(blank);
            if administrator {
                identity::check(name.as_str(), account, entry.uid)?;
            }
            account.administrator = administrator;
            Ok(())
        })
        .await
    }

    /// Whether a user is marked as one who may issue codes; on the word of a verified record.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn may_issue(&self, uid: u32) -> Result<bool, Error> {
        let query = UserQuery { administrators: true, limit: page(None), ..UserQuery::default() };
        let (rows, _) = self.watch_store(self.store.users(query).await)?;
        for row in rows {
            if self.uid_of(&row.user).await? == Some(uid) {
                let enrolment = self.watch_store(self.store.enrolment(&row.user).await)?;
                // The mark goes to nobody to whom the name is given again.
                return Ok(enrolment.is_some_and(|enrolment| {
                    let same = identity::stranger(&row.user, enrolment.uid, Some(uid)).is_none();
                    enrolment.administrator && same
                }));
            }
        }
        Ok(false)
    }

    /// Records that a call of a code's was refused, within bounds for each caller.
    pub async fn refuse_issuing(&self, caller: &Caller, event: &str, user: &str, why: &str) {
        let origin = origin(caller, &Context::default(), "");
        let mut event = origin.event(event, "denied", user, self.now_ms());
        event.source = None;
        event.detail = Some(why.to_owned());
        if let Err(error) = self.record_bounded(&format!("uid {}", caller.uid), event).await {
            log::error!("audit: a refused code is in this log only: {error}");
        }
    }

    /// Wipes the codes that are over from accounts that nobody has touched since.
    pub async fn wipe_codes(&self) {
        let now_ms = self.now_ms();
        let query =
            CodeQuery { kept_beyond_ms: Some(now_ms), limit: page(None), ..CodeQuery::default() };
        let over = match self.store.codes(query).await {
            Ok((rows, _)) => rows,
            Err(error) => return log::error!("store: codes that are over: {error}"),
        };
        let mut users: Vec<_> = over.into_iter().map(|row| row.user).collect();
        users.dedup();
        for user in users {
            let settle = move |work: &mut Work<'_>| {
                work.account.iter_mut().for_each(|account| issued::settle(account, now_ms));
            };
            if let Err(error) = self.transact(&user, settle).await {
                log::error!("store: a code of {user:?} that is over is not wiped: {error}");
            }
        }
    }
}

fn has_client(work: &Work<'_>, client: Option<&str>) -> bool {
    let clients = work.account.as_ref().map_or(&[][..], |account| &account.clients);
    clients.iter().any(|known| known.registered() && Some(known.id.as_str()) == client)
}

fn random_code(digits: u8) -> Result<Digits, Error> {
    let mut entropy = Zeroizing::new([0_u8; 16]);
    super::fill_random(&mut *entropy)?;
    Ok(Digits::random(&entropy, digits))
}

/// What the options ask for, with the configuration's defaults.
fn new_code(caller: &Caller, config: &Config, options: &IssueOptions) -> Result<NewCode, Error> {
    let wrong = |text: &str| Error::InvalidArgument(text.to_owned());
    let issued = &config.issued;
    let validity_ms = options.valid_for_ms.unwrap_or(issued.validity_ms);
    if !VALIDITY_MS.contains(&validity_ms) {
        return Err(wrong("valid_for: a code is good for 1 minute to 7 days"));
    }
    let uses = options.uses.map_or(Some(issued.uses), |uses| u8::try_from(uses).ok());
    let uses = uses.filter(|uses| (1..=MOST_USES).contains(uses));
    let reach = options.scope.as_deref().map_or(Some(issued.reach), Reach::from_name);
    let (service, reason) = (options.service.clone(), options.reason.clone().unwrap_or_default());
    for (name, text) in [("service", service.as_ref()), ("reason", Some(&reason))] {
        check_text(text.map_or("", String::as_str)).map_err(|e| wrong(&format!("{name}: {e}")))?;
    }
    Ok(NewCode {
        id: super::random_id()?,
        validity_ms,
        uses: uses.ok_or_else(|| wrong("uses: a code may be given 1 to 100 times"))?,
        service: service.filter(|service| !service.is_empty()),
        reach: reach.ok_or_else(|| wrong("scope: allowed are local, remote and both"))?,
        reason,
        issued_by: caller.uid,
        client: options.client.clone(),
        keep: issued.readable,
    })
}

/// For the record.
fn detail(new: &NewCode) -> String {
    let service = new.service.as_ref().map(|service| format!(" at {service}"));
    let client = new.client.as_ref().map(|client| format!(", for client {client}"));
    let reason = (!new.reason.is_empty()).then(|| format!(": {}", new.reason));
    let minutes = new.validity_ms.div_ceil(60_000);
    let tail = [service, client, reason].into_iter().flatten().collect::<String>();
    let text = format!("code {}, {minutes} min, {} uses, {}", new.id, new.uses, new.reach.name());
    text + &tail
}

fn document(CodeRow { user, issued }: CodeRow, told: bool, now_ms: i64) -> CodeDocument {
    let standing = issued.standing(now_ms);
    let open = standing == Standing::Open;
    let left_ms = issued.expires_ms.saturating_sub(now_ms);
    CodeDocument {
        id: issued.id,
        user,
        state: standing.name().to_owned(),
        code: issued.code.filter(|_| told && open).map(|code| code.expose().to_vec()),
        issued: issued.issued_ms,
        expires: issued.expires_ms,
        left_ms: if open { u64::try_from(left_ms).unwrap_or_default() } else { 0 },
        uses_left: issued.uses_left.into(),
        service: issued.service,
        scope: issued.reach.name().to_owned(),
        reason: Some(issued.reason).filter(|reason| !reason.is_empty()),
        issued_by: issued.issued_by,
        client: issued.client,
    }
}
