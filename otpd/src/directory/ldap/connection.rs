//! The connection: made when it is needed, shared by all look-ups, made anew when it breaks.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ldap3::{
    LdapConnAsync, LdapConnSettings, LdapError, LdapResult, Scope, SearchOptions, SearchResult,
};
use otp_delivery::{Hidden, tls};
use tokio::sync::{Mutex as AsyncMutex, Semaphore};

use super::{Settings, attributes::Found};

/// Searches that are under way at once; the others wait.
const AT_ONCE: usize = 16;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The connection cannot be made, or is of no more use.
    Link(String),
    /// The server has answered, but not with what was asked for.
    Answer(String),
}

impl Trouble {
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Link(text) | Self::Answer(text) => text,
        }
    }

    fn of(error: &LdapError, doing: &str) -> Self {
        match error {
            LdapError::LdapResult { result } => Self::Answer(format!("{doing}: {}", said(result))),
            LdapError::FilterParsing => Self::Answer(format!("{doing}: the filter is malformed")),
            error => Self::Link(format!("{doing}: {}", innermost(error))),
        }
    }
}

/// What a server said, without what it repeats of the question.
fn said(result: &LdapResult) -> String {
    let name = match result.rc {
        3 => "its time limit is exceeded",
        8 => "it wants TLS or stronger authentication",
        10 => "it refers to another server; name that one in `url`",
        13 => "it wants TLS",
        32 => "the base does not exist, or may not be seen by bind_dn",
        48 => "it takes no such login",
        49 => "bind_dn or password is wrong",
        50 => "bind_dn may not read this",
        51 | 52 => "it is busy",
        _ => return format!("the server answers with result {} (RFC 4511)", result.rc),
    };
    name.to_owned()
}

/// The cause that says most.
fn innermost(error: &LdapError) -> String {
    match error {
        LdapError::Io { source } => source.to_string(),
        LdapError::Rustls { source } => source.to_string(),
        LdapError::Timeout { .. } => "no answer".to_owned(),
        LdapError::ResultRecv { .. } | LdapError::OpSend { .. } | LdapError::EndOfStream => {
            "the connection is closed".to_owned()
        }
        other => other.to_string(),
    }
}

pub(super) struct Connection {
    url: String,
    tls: Option<Arc<rustls::ClientConfig>>,
    bind: Option<(String, Hidden)>,
    timeout: Duration,
    current: Mutex<Option<ldap3::Ldap>>,
    making: AsyncMutex<()>,
    places: Semaphore,
}

impl Connection {
    pub(super) fn new(settings: &Settings) -> Result<Self, String> {
        let trust = tls::Settings { ca: settings.ca.clone(), ..tls::Settings::default() };
        let tls = if settings.tls { Some(Arc::new(tls::client_config(&trust)?)) } else { None };
        Ok(Self {
            url: settings.url.clone(),
            tls,
            bind: settings.bind.clone(),
            timeout: settings.timeout,
            current: Mutex::new(None),
            making: AsyncMutex::new(()),
            places: Semaphore::new(AT_ONCE),
        })
    }

    /// The entries that a search finds, at most `most`; of more, an error. Referrals are not
    /// followed. A connection that turns out to be broken is made anew once.
    pub(super) async fn search(
        &self,
        base: &str,
        scope: Scope,
        filter: &str,
        attributes: &[&str],
        most: i32,
    ) -> Result<Vec<Found>, Trouble> {
        let busy = |_| Trouble::Link("it is no longer used".to_owned());
        let _place = self.places.acquire().await.map_err(busy)?;
        let (ldap, reused) = self.get().await?;
        let first = self.ask(ldap, base, scope, filter, attributes, most).await;
        match first {
            Err(Trouble::Link(_)) if reused => {
                self.forget();
                let (ldap, _) = self.get().await?;
                self.ask(ldap, base, scope, filter, attributes, most).await
            }
            other => other,
        }
    }

    async fn ask(
        &self,
        mut ldap: ldap3::Ldap,
        base: &str,
        scope: Scope,
        filter: &str,
        attributes: &[&str],
        most: i32,
    ) -> Result<Vec<Found>, Trouble> {
        let seconds = i32::try_from(self.timeout.as_secs().max(1)).unwrap_or(i32::MAX);
        let options = SearchOptions::new().sizelimit(most).timelimit(seconds);
        ldap.with_search_options(options);
        let searched = ldap.search(base, scope, filter, attributes).await;
        let SearchResult(entries, result) =
            searched.map_err(|error| Trouble::of(&error, "the search failed"))?;
        match result.rc {
            0 => {}
            4 => return Err(Trouble::Answer("more entries match than may".to_owned())),
            _ => return Err(Trouble::Answer(format!("{base}: {}", said(&result)))),
        }
        let entries = entries.into_iter().filter(|entry| !entry.is_ref());
        let entries: Option<Vec<_>> = entries.map(Found::read).collect();
        entries.ok_or_else(|| Trouble::Answer("an entry cannot be read".to_owned()))
    }

    /// The connection, and whether it was there before.
    async fn get(&self) -> Result<(ldap3::Ldap, bool), Trouble> {
        if let Some(open) = self.open() {
            return Ok((open, true));
        }
        let _making = self.making.lock().await;
        // Whoever was before us has made it.
        if let Some(open) = self.open() {
            return Ok((open, true));
        }
        let made = self.make().await?;
        *self.current() = Some(made.clone());
        Ok((made, false))
    }

    async fn make(&self) -> Result<ldap3::Ldap, Trouble> {
        let mut settings = LdapConnSettings::new();
        if let Some(tls) = &self.tls {
            settings = settings.set_config(Arc::clone(tls)).set_starttls(true);
        }
        let (connection, mut ldap) = LdapConnAsync::with_settings(settings, &self.url)
            .await
            .map_err(|error| Trouble::of(&error, "cannot be connected to"))?;
        tokio::spawn(async move {
            if let Err(error) = connection.drive().await {
                log::debug!("directory: LDAP connection: {}", innermost(&error));
            }
        });
        if let Some((dn, password)) = &self.bind {
            let bound = ldap.simple_bind(dn, password.expose()).await;
            let bound = bound.map_err(|error| Trouble::of(&error, "the login failed"))?;
            if bound.rc != 0 {
                return Err(Trouble::Answer(format!("login as {dn}: {}", said(&bound))));
            }
        }
        Ok(ldap)
    }

    fn open(&self) -> Option<ldap3::Ldap> {
        self.current().clone().filter(|ldap| !ldap.clone().is_closed())
    }

    /// Lets go of a connection that is of no more use.
    pub(super) fn forget(&self) {
        *self.current() = None;
    }

    fn current(&self) -> std::sync::MutexGuard<'_, Option<ldap3::Ldap>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
