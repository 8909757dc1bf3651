//! One function for each use case: transitions of `otp_core` against the ports. This is the only
//! room that sees the store, the directories and the sessions together.

mod adoption;
mod attempt;
mod authenticate;
mod challenge;
mod circumstances;
mod client_identity;
mod clients;
mod contact;
mod course;
mod dialogue;
mod enrol;
mod error;
mod explain;
mod follow_up;
mod guesses;
mod identity;
mod in_place;
mod issue;
mod manage;
mod offer;
mod outbox;
mod person;
mod post;
mod query;
mod remember;
mod ruling;
mod sessions;
mod share;
mod shown;
mod tend;
#[cfg(test)]
mod tests;
mod trial;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use otp_core::{account::UserName, code::Digits};
use otp_delivery::{Dispatcher, Hidden};
use otp_ipc::Context;
use tokio::sync::Notify;
use zeroize::Zeroizing;

pub(crate) use enrol::drop_pending;
pub use error::Error;
pub(crate) use identity::stranger;
pub use tend::Deadlines;

use crate::{
    audit::{Journal, Origin},
    clock::Clock,
    config::{Config, Loaded, Stamp, Watch},
    directory::Directory,
    store::{self, AuditEvent, StoreError, TokenStore, Work},
};
use clients::LastClient;
use follow_up::FollowUps;
use guesses::Guesses;
use outbox::Outbox;
use ruling::Ruling;
use sessions::Sessions;

/// Who calls, on the word of the kernel (direct lane) or the bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Effective user id of the caller's process.
    pub uid: u32,
    /// What a session belongs to; unique for the daemon's life.
    pub connection: Connection,
}

/// A connection that sessions belong to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Connection {
    /// The nth connection of the direct lane.
    Direct(u64),
    /// A unique name on the system bus.
    Bus(String),
}

/// On whose behalf a change is made, once the authorisation table has let it through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// Root, or an administrator whom polkit has confirmed.
    Administrator,
    /// The owner, who must prove a credential where one exists.
    Owner,
    /// The owner whom polkit has confirmed because there was no credential to prove.
    FirstTime,
    /// A user who is marked as one who may issue codes to others.
    Issuer,
}

/// The ports and the state of the daemon.
pub struct Engine {
    store: Arc<dyn TokenStore>,
    directory: Arc<dyn Directory>,
    clock: Arc<dyn Clock>,
    dispatcher: Arc<Dispatcher>,
    outbox: Outbox,
    config: RwLock<Arc<Loaded>>,
    watch: Mutex<Watch>,
    config_path: PathBuf,
    recovery_key: Arc<Zeroizing<[u8; 32]>>,
    sessions: Mutex<Sessions>,
    journal: Arc<Journal>,
    guesses: Arc<Guesses>,
    last_client: Mutex<Option<LastClient>>,
    issuer: String,
    facts: Facts,
    problems: Mutex<BTreeMap<&'static str, String>>,
    deciding: AtomicUsize,
    /// What tells the connections of this bus and this run of the daemon from all others.
    era: Mutex<Option<String>>,
    /// Told when a secret was shown or confirmed.
    shares: Notify,
    follow_ups: FollowUps,
}

/// What the daemon found out at its start, for the status.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Where the key came from.
    pub key: String,
    /// Where the service manager put the credentials.
    pub credentials: Option<PathBuf>,
    /// The host's name: the issuer of tokens where the configuration names none.
    pub host: String,
    /// When the daemon started, Unix milliseconds.
    pub since_ms: i64,
}

/// What [`Engine::new`] needs.
pub struct Ports {
    /// Where accounts live.
    pub store: Arc<dyn TokenStore>,
    /// Where users come from.
    pub directory: Arc<dyn Directory>,
    /// The only clock.
    pub clock: Arc<dyn Clock>,
    /// Who carries codes to people.
    pub dispatcher: Arc<Dispatcher>,
    /// The key under which recovery codes are digested.
    pub recovery_key: Zeroizing<[u8; 32]>,
}

impl Engine {
    /// An engine over its ports, with the configuration that was read from `config_path`.
    #[must_use]
    pub fn new(ports: Ports, loaded: Loaded, config_path: PathBuf, facts: Facts) -> Self {
        let sessions = Sessions::new(&loaded.config.limits);
        Self {
            store: ports.store,
            directory: ports.directory,
            clock: ports.clock,
            dispatcher: ports.dispatcher,
            outbox: Outbox::default(),
            watch: Mutex::new(Watch::new(loaded.stamp.clone())),
            config: RwLock::new(Arc::new(loaded)),
            config_path,
            recovery_key: Arc::new(ports.recovery_key),
            sessions: Mutex::new(sessions),
            journal: Arc::default(),
            guesses: Arc::default(),
            last_client: Mutex::default(),
            issuer: facts.host.clone(),
            facts,
            problems: Mutex::default(),
            deciding: AtomicUsize::new(0),
            era: Mutex::default(),
            shares: Notify::new(),
            follow_ups: FollowUps::default(),
        }
    }

    /// Waits until no decision is under way, at most `patience`, so that whoever has answered a
    /// prompt learns the outcome before the daemon ends.
    pub async fn drain(&self, patience: Duration) {
        let idle = async {
            while self.deciding.load(Ordering::SeqCst) > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            // The last reply is on its way through a connection's task.
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        let _ = tokio::time::timeout(patience, idle).await;
    }

    /// Runs one transition of `user`'s account; see [`store::decide`].
    async fn transact<R: Send + 'static>(
        &self,
        user: &str,
        transition: impl FnOnce(&mut Work<'_>) -> R + Send + 'static,
    ) -> Result<R, Error> {
        let _deciding = Deciding::begin(&self.deciding);
        self.watch_store(store::decide(&*self.store, user, transition).await)
    }

    /// Records what changes no account, as far as the bound on records about `key` lets it.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: it is in the log alone.
    async fn record_bounded(&self, key: &str, event: AuditEvent) -> Result<(), Error> {
        match self.journal.bounded(key, event, self.clock.monotonic_ms()) {
            Some(event) => {
                self.journal.write(&event);
                self.transact("", move |work| work.audit.push(event)).await
            }
            None => Ok(()),
        }
    }

    /// The configuration in force.
    pub fn config(&self) -> Arc<Loaded> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether the configuration's files have changed since they were last read and look as they
    /// did when last asked.
    pub fn configuration_changed(&self) -> bool {
        self.watch().settled(Stamp::of(&self.config_path))
    }

    fn watch(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the configuration again; a bad one leaves the last good one in force.
    ///
    /// # Errors
    /// [`Error::InvalidConfiguration`] with file, line and what is allowed.
    pub fn reload(&self) -> Result<(), Error> {
        let before = self.config();
        self.watch().reads(Stamp::of(&self.config_path));
        let read = Config::load(&self.config_path, self.facts.credentials.as_deref())
            .map_err(|error| error.to_string());
        // A file that is missing for a moment is no wish for the defaults.
        let read = read.and_then(|loaded| {
            let lost = before.files.contains(&self.config_path)
                && !loaded.files.contains(&self.config_path);
            let missing = || format!("{}: the file is gone", self.config_path.display());
            if lost { Err(missing()) } else { Ok(loaded) }
        });
        let read = read.and_then(|loaded| {
            self.directory.configure(&loaded.config.directories)?;
            self.dispatcher.configure(loaded.config.providers.clone())?;
            Ok(loaded)
        });
        match read {
            Ok(loaded) => {
                for warning in &loaded.warnings {
                    log::warn!("config: {warning}");
                }
                for key in loaded.config.only_at_start(&before.config) {
                    log::warn!("config: {key} has changed and counts after a restart");
                }
                self.sessions().resize(&loaded.config.limits);
                *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(loaded);
                self.set_problem("configuration", None);
                log::info!("config: reloaded");
                Ok(())
            }
            Err(text) => {
                log::error!("config: not reloaded, the last good one stays in force: {text}");
                self.set_problem("configuration", Some(text.clone()));
                Err(Error::InvalidConfiguration(text))
            }
        }
    }

    /// Records or clears what keeps the daemon from being whole, for `Health` and the status.
    pub fn set_problem(&self, part: &'static str, problem: Option<String>) {
        let mut problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
        match problem {
            Some(text) => problems.insert(part, text),
            None => problems.remove(part),
        };
    }

    /// What keeps the daemon from being whole; empty when all is well.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
        let own = problems.iter().map(|(part, text)| format!("{part}: {text}"));
        own.chain(self.failing_directories()).collect()
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Remembers whether the store answers, so that the status tells before the next login does.
    fn watch_store<T>(&self, result: Result<T, StoreError>) -> Result<T, Error> {
        match &result {
            Ok(_) => self.set_problem("store", None),
            Err(error) => {
                log::error!("store: {error}");
                self.set_problem("store", Some(error.to_string()));
            }
        }
        result.map_err(Error::from)
    }

    fn parse_user(user: &str) -> Result<UserName, Error> {
        UserName::parse(user).map_err(|error| Error::InvalidArgument(format!("user: {error}")))
    }
}

/// Counts one decision that is under way, until it is told or its caller is gone.
struct Deciding<'a>(&'a AtomicUsize);

impl<'a> Deciding<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Deciding<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// 128 random bits as 32 lower-case hexadecimal digits: the id of a session or of a token.
pub(crate) fn random_id() -> Result<String, Error> {
    let mut bytes = [0_u8; 16];
    fill_random(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Fills the buffer from the kernel's generator.
fn fill_random(bytes: &mut [u8]) -> Result<(), Error> {
    getrandom::fill(bytes).map_err(|error| Error::Unavailable(format!("no entropy: {error}")))
}

/// A code as messages carry it.
fn readable(code: &Digits) -> Hidden {
    Hidden::new(String::from_utf8_lossy(code.expose()).into_owned())
}

/// What the audit record says about where a login comes from.
fn origin(caller: &Caller, context: &Context, session: &str) -> Origin {
    Origin {
        caller: caller.uid,
        service: context.service.clone(),
        source: source(context),
        tty: context.tty.clone(),
        session: session.get(..8).map(str::to_owned),
    }
}

/// The numeric address of the client where sshd gives one, else what PAM_RHOST says, else `local`.
fn source(context: &Context) -> Option<String> {
    let from_ssh = context.ssh_connection.as_deref().and_then(|c| c.split(' ').next());
    let rhost = context.rhost.as_deref().filter(|host| !host.is_empty());
    Some(from_ssh.filter(|a| !a.is_empty()).or(rhost).unwrap_or("local").to_owned())
}
