//! The register of clients, as administrators keep it and as users see their own.

use std::sync::PoisonError;

use otp_core::{
    account::Account,
    client::{self, Client, Enabling},
    schedule::WeekMinute,
};
use otp_ipc::{ClientDocument, ClientFilter, ClientOptions, Context};

use super::{
    Authority, Caller, Engine, Error,
    client_identity::{client_of, holds},
    manage::Change,
    query::page,
    source,
};
use crate::store::{ClientQuery, ClientRow};

/// An identity that is not told: as many asterisks as most have characters.
const MASK: &str = "************************************";

/// The client that began a login last, granted or not.
#[derive(Clone, Debug)]
pub(super) struct LastClient {
    /// What tells it from others, where there is anything.
    pub(super) identity: Option<String>,
    /// Where it came from.
    pub(super) source: String,
}

impl Engine {
    /// Notes who begins a login, so that an administrator can see a client that is not registered.
    pub(super) fn note_client(&self, context: &Context) {
        let source = source(context).unwrap_or_default();
        let last = LastClient {
            identity: client_of(context),
            source: otp_core::account::escaped(&source),
        };
        *self.last_client.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
    }

    pub(super) fn last_client(&self) -> Option<LastClient> {
        self.last_client.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Registers a client of `user`; returns its id. A user without an account gets one, which is
    /// not enrolled.
    ///
    /// # Errors
    /// [`Error::UnknownUser`] where no directory has the user, [`Error::InvalidArgument`] for what
    /// is malformed, [`Error::WrongState`] for an identity that the user has registered,
    /// [`Error::LimitReached`].
    pub async fn add_client(
        &self,
        caller: &Caller,
        user: &str,
        options: ClientOptions,
    ) -> Result<String, Error> {
        let name = Self::parse_user(user)?;
        let entry = self.account_entry(&name).await?;
        let (id, most) = (super::random_id()?, self.config().config.clients.most);
        let enabling = options.enabling.as_deref().map(Enabling::parse).transpose()?;
        let client = Client {
            id: id.clone(),
            description: options.description.unwrap_or_default(),
            identity: options.identity,
            enabling: enabling.unwrap_or(Enabling::Always),
            push: options.push.unwrap_or_default(),
            created_ms: self.now_ms(),
            last_ms: None,
            last_source: None,
            remembered: None,
        };
        let change = Change::proven("client", caller);
        self.change(user, change, move |work, event| {
            event.detail = Some(format!("client {} added", client.id));
            if work.ledger.clients()? >= most {
                let text = format!("[clients] most = {most}: no more clients can be registered");
                return Err(Error::LimitReached(text));
            }
            let blank = || Account { uid: Some(entry.uid), ..Account::default() };
            let mut account = work.account.take().unwrap_or_else(blank);
            let had_none = account == blank();
            let registered = client::register(&mut account, client);
            // Nothing is stored for a user who had nothing before.
            work.account = (registered.is_ok() || !had_none).then_some(account);
            Ok(registered?)
        })
        .await?;
        Ok(id)
    }

    /// Changes a registered client.
    ///
    /// # Errors
    /// [`Error::UnknownClient`]; as [`Engine::add_client`].
    pub async fn set_client(
        &self,
        caller: &Caller,
        client: &str,
        options: ClientOptions,
    ) -> Result<(), Error> {
        let user = self.client_row(client).await?.user;
        let id = client.to_owned();
        let enabling = options.enabling.as_deref().map(Enabling::parse).transpose()?;
        let change = Change::proven("client", caller);
        self.change(&user, change, move |work, event| {
            let what = enabling.as_ref().map_or("changed", Enabling::text);
            event.detail = Some(format!("client {id}: {what}"));
            let account = work.account.as_mut().ok_or(Error::UnknownClient)?;
            let place = account.clients.iter().position(|known| known.id == id);
            let place = place.ok_or(Error::UnknownClient)?;
            let mut changed = account.clients.remove(place);
            let before = changed.clone();
            if !changed.registered() {
                account.clients.insert(place, before);
                let text = "this client is remembered, not registered; it can only be removed";
                return Err(Error::WrongState(text.to_owned()));
            }
            changed.description = options.description.unwrap_or(changed.description);
            changed.identity = options.identity.or(changed.identity);
            changed.enabling = enabling.unwrap_or(changed.enabling);
            changed.push = options.push.unwrap_or(changed.push);
            // As a new one in the place of the old one.
            let registered = client::register(account, changed);
            let now = if registered.is_ok() { account.clients.pop() } else { None };
            account.clients.insert(place, now.unwrap_or(before));
            Ok(registered?)
        })
        .await
    }

    /// Removes a client, and the code that would enrol it. Owners may have their own forgotten that
    /// are remembered.
    ///
    /// # Errors
    /// [`Error::UnknownClient`], [`Error::AccessDenied`] for an owner and a registered one.
    pub async fn remove_client(
        &self,
        caller: &Caller,
        authority: Authority,
        client: &str,
    ) -> Result<(), Error> {
        let user = self.client_row(client).await?.user;
        let id = client.to_owned();
        let change = Change::proven("client", caller);
        self.change(&user, change, move |work, event| {
            event.detail = Some(format!("client {id} removed"));
            let account = work.account.as_mut().ok_or(Error::UnknownClient)?;
            let found = account.clients.iter().find(|known| known.id == id);
            let found = found.ok_or(Error::UnknownClient)?;
            if authority != Authority::Administrator && found.registered() {
                let text = "a registered client is for administrators to remove";
                return Err(Error::AccessDenied(text.to_owned()));
            }
            client::remove(account, &id).map_err(|_| Error::UnknownClient)
        })
        .await
    }

    /// The user whose client this is.
    ///
    /// # Errors
    /// [`Error::UnknownClient`], [`Error::Unavailable`].
    pub async fn client_owner(&self, client: &str) -> Result<String, Error> {
        Ok(self.client_row(client).await?.user)
    }

    async fn client_row(&self, client: &str) -> Result<ClientRow, Error> {
        let query = ClientQuery { id: Some(client.to_owned()), limit: 1, ..ClientQuery::default() };
        let (rows, _) = self.watch_store(self.store.clients(query).await)?;
        rows.into_iter().next().ok_or(Error::UnknownClient)
    }

    /// Clients that match, and how many match in all. Identities are told to administrators only,
    /// where they ask for them.
    ///
    /// # Errors
    /// [`Error::AccessDenied`] for an owner who asks for identities, [`Error::Unavailable`].
    pub async fn clients(
        &self,
        authority: Authority,
        filter: ClientFilter,
    ) -> Result<(Vec<ClientDocument>, u64), Error> {
        let shown = filter.show_identities.unwrap_or_default();
        if shown && authority != Authority::Administrator {
            return Err(Error::AccessDenied("only administrators see the IDs of clients".into()));
        }
        let query = ClientQuery {
            user: filter.user,
            id: filter.id,
            search: filter.search,
            search_identities: shown,
            offset: filter.offset.unwrap_or_default(),
            limit: page(filter.limit),
        };
        let (rows, total) = self.watch_store(self.store.clients(query).await)?;
        let now_ms = self.now_ms();
        let minute = self.clock.local_time(now_ms);
        let documents = rows.into_iter().map(|row| document(row, shown, minute, now_ms));
        Ok((documents.collect(), total))
    }
}

fn document(
    row: ClientRow,
    shown: bool,
    minute: Option<WeekMinute>,
    now_ms: i64,
) -> ClientDocument {
    let ClientRow { user, client, administrator } = row;
    let over = client.remembered.as_ref().is_some_and(|to| to.until_ms <= now_ms);
    let (service, until) = client.remembered.clone().map(|to| (to.service, to.until_ms)).unzip();
    ClientDocument {
        identity: match &client.identity {
            Some(identity) if shown => identity.clone(),
            Some(_) => MASK.to_owned(),
            None => String::new(),
        },
        enabled: client.enabled(&|times| holds(times, minute)) && !over,
        enabling: client.enabling.text().to_owned(),
        id: client.id,
        user,
        description: client.description,
        push: client.push,
        administrator,
        created: client.created_ms,
        last: client.last_ms,
        last_source: client.last_source,
        service,
        until,
    }
}
