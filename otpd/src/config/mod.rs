//! `/etc/otpd/otpd.toml` and its drop-ins: root's files, checked in full before any of it counts.
//!
//! Everything has a default, an unknown key is an error, and every error names file, line, column,
//! key, value and what is allowed. A tested list of all keys is `packaging/otpd.toml.example`.

mod budget;
mod criteria;
mod directory;
mod duration;
mod error;
mod file;
mod issued;
mod method;
mod policy;
mod prompt;
mod provider;
mod secret;
mod section;
mod settings;
mod sharing;
mod show;
mod template;
mod tree;
mod watch;

use std::path::{Path, PathBuf};

use otp_core::{policy::Rule, throttle::Lockout, token::Factor, window::Windows};
use otp_delivery::{Provider, ProviderId};

pub use budget::Budget;
pub use error::ConfigError;
pub(crate) use file::{open, vet};
pub use issued::{Clients, Enforce, Issued, VALIDITY_MS};
pub use method::{Delivery, Method};
pub use prompt::{Prompt, Prompts};
pub use sharing::{AccountName, Confirmation, FollowUp, Sharing, Transition};
pub use template::{Template, Templates};
pub use watch::{Stamp, Watch};

use provider::Surroundings;
use secret::Credentials;
use section::Section;
use tree::Table;

use crate::directory::composite;

/// Where the configuration is where nothing else is said. Only this file may be missing.
pub const DEFAULT_FILE: &str = "/etc/otpd/otpd.toml";

/// What the files say, with the defaults filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// `[daemon] user`: the account to run as when started as root.
    pub user: String,
    /// `[bus]`: where otpd is reached.
    pub bus: Bus,
    /// `[store]`: where accounts are kept.
    pub store: Store,
    /// `[keys] file`: the key-encryption key, where no systemd credential holds it.
    pub key_file: PathBuf,
    /// `[lockout]`: what failures cost.
    pub lockout: Lockout,
    /// `[enrolment]`: what a new token is given.
    pub enrolment: Enrolment,
    /// `[sharing]`: how a secret is shown once.
    pub sharing: Sharing,
    /// `[directory.NAME]`: where contacts, groups and account states come from.
    pub directories: composite::Settings,
    /// `[budget]`: how many codes are delivered.
    pub budget: Budget,
    /// `[issued]`: codes that administrators issue.
    pub issued: Issued,
    /// `[clients]`: the register of clients.
    pub clients: Clients,
    /// `[template]`: what messages say.
    pub template: Templates,
    /// `[prompt.SERVICE]`: what people are asked.
    pub prompts: Prompts,
    /// `[provider.sms.NAME]` and `[provider.email.NAME]`: who delivers codes.
    pub providers: Vec<(ProviderId, Provider)>,
    /// `[limits]`: how much of the daemon others may use.
    pub limits: Limits,
    /// `[[method]]` and the built-in "totp" and "hotp"; names are unique.
    pub methods: Vec<Method>,
    /// `[[policy]]` in order: the first that matches decides, and after all of them
    /// [`Rule::last`].
    pub rules: Vec<Rule>,
    /// The tables of the providers, defaults included, without secrets.
    shown_providers: String,
    /// Those of the directories.
    shown_directories: String,
}

/// Where otpd is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bus {
    /// The system bus, as a D-Bus address `unix:path=…`.
    pub address: String,
    /// The socket of root's logins.
    pub login_socket: PathBuf,
    /// Who may begin a login for any user on the system bus.
    pub trusted_callers: Vec<Caller>,
}

/// A local account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// By its login name.
    Name(String),
    /// By its user id.
    Uid(u32),
}

/// Where accounts are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// The SQLite file.
    pub path: PathBuf,
    /// How many audit records are kept; the oldest go first.
    pub audit_rows: u32,
}

/// What a new token is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolment {
    /// The issuer that apps show; `None`: the host's name.
    pub issuer: Option<String>,
    /// How long an enrolled token may wait for its first code, in milliseconds.
    pub pending_ms: u64,
    /// How long a key that is shown at a login is good, in milliseconds.
    pub at_login_ms: u64,
    /// How a login shows the QR code of a key.
    pub qr: Qr,
    /// A caption beside it.
    pub label: Option<String>,
    /// A page where people register otherwise, which is named there as well.
    pub registration_uri: Option<String>,
}

/// How a login shows the QR code of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qr {
    /// For a terminal with a dark background.
    Dark,
    /// For one with a light background.
    Light,
    /// Not at all: the key as text.
    None,
}

impl Qr {
    /// The words of the configuration.
    const ALL: [(&'static str, Self); 3] =
        [("dark", Self::Dark), ("light", Self::Light), ("none", Self::None)];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, qr)| *qr == self).map_or("", |(name, _)| *name)
    }
}

/// How much of the daemon others may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Logins that wait at their prompt, in all.
    pub sessions: u32,
    /// Logins that wait at their prompt, for each user id that is not root.
    pub sessions_per_user: u32,
    /// Calls in flight, for each user id that is not root.
    pub calls_per_user: u32,
    /// How long a login may wait at its prompt, in milliseconds.
    pub prompt_lifetime_ms: u64,
    /// Connections to the login socket.
    pub connections: u32,
}

/// A configuration that was read without an error.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What the files say.
    pub config: Config,
    /// The files, in the order in which they were read; empty where there are none.
    pub files: Vec<PathBuf>,
    /// What is allowed and yet hardly meant, each as `FILE:LINE:COLUMN: what`.
    pub warnings: Vec<String>,
    /// What is good to know: of each method that the files set what one guess is worth.
    pub notices: Vec<String>,
    /// How the files looked before they were read.
    pub stamp: Stamp,
}

impl Config {
    /// Reads `main` and the `*.toml` files of the folder beside it (`otpd.d` for `otpd.toml`) in
    /// the order of their names. Tables are merged, `[[method]]` and `[[policy]]` are appended.
    /// Secrets may be in files of their own and in the `credentials` directory (the service
    /// manager's `CREDENTIALS_DIRECTORY`).
    ///
    /// # Errors
    /// The first fault that is found. Nothing is read in part: on an error there is no
    /// configuration, and a daemon that has one keeps it.
    pub fn load(main: &Path, credentials: Option<&Path>) -> Result<Loaded, ConfigError> {
        Self::load_with(main, credentials.map_or(Credentials::Missing, Credentials::Passed))
    }

    /// The same for what is done beside the daemon, or while it cannot run: nothing is delivered
    /// and nobody is looked up, and a credential that is not passed is not missed.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn load_beside(main: &Path, credentials: Option<&Path>) -> Result<Loaded, ConfigError> {
        Self::load_with(main, credentials.map_or(Credentials::Needless, Credentials::Passed))
    }

    fn load_with(main: &Path, credentials: Credentials<'_>) -> Result<Loaded, ConfigError> {
        let stamp = Stamp::of(main);
        let sources = file::read_all(main, main == Path::new(DEFAULT_FILE))?;
        let mut tree = Table::new();
        for source in &sources {
            tree::merge(&mut tree, tree::parse(source)?)?;
        }
        let set = method::names_set(&tree);
        let mut warnings = Vec::new();
        let config = Self::read(Section::root(tree), credentials, &mut warnings)?;
        let files = sources.iter().map(|source| source.path.clone()).collect();
        let methods = config.methods.iter().filter(|method| set.contains(&method.name));
        let notices = methods.map(Method::odds).collect();
        Ok(Loaded { config, files, warnings, notices, stamp })
    }

    /// The method of that name.
    #[must_use]
    pub fn method(&self, name: &str) -> Option<&Method> {
        self.methods.iter().find(|method| method.name == name)
    }

    /// The windows in which codes of the method's tokens are accepted. `None`: there is no such
    /// method, it is disabled or no directory has it, and its tokens count as disabled.
    #[must_use]
    pub fn windows(&self, name: &str) -> Option<Windows> {
        self.method(name).filter(|method| method.usable()).map(|method| method.windows)
    }

    /// Who delivers codes of that method, in the order in which they are tried.
    #[must_use]
    pub fn providers_of(&self, method: &Method) -> Vec<ProviderId> {
        let Factor::OutOfBand(medium) = method.factor else { return Vec::new() };
        let names = method.delivery.providers.iter().cloned();
        if method.delivery.providers.is_empty() {
            let ids = self.providers.iter().map(|(id, _)| id);
            return ids.filter(|id| id.medium == medium).cloned().collect();
        }
        names.map(|name| ProviderId { medium, name }).collect()
    }

    /// The keys in which this differs from `running` and that count only at the daemon's start.
    #[must_use]
    pub fn only_at_start(&self, running: &Self) -> Vec<&'static str> {
        [
            ("daemon.user", self.user != running.user),
            ("bus.address", self.bus.address != running.bus.address),
            ("bus.login_socket", self.bus.login_socket != running.bus.login_socket),
            ("store", self.store != running.store),
            ("keys.file", self.key_file != running.key_file),
            ("limits.connections", self.limits.connections != running.limits.connections),
        ]
        .into_iter()
        .filter_map(|(key, differs)| differs.then_some(key))
        .collect()
    }

    fn read(
        mut root: Section,
        credentials: Credentials<'_>,
        warnings: &mut Vec<String>,
    ) -> Result<Self, ConfigError> {
        let user = settings::daemon(root.table("daemon")?)?;
        let bus = settings::bus(root.table("bus")?)?;
        let (store, key_file) = settings::storage(root.table("store")?, root.table("keys")?)?;
        let lockout = settings::lockout(root.table("lockout")?)?;
        let enrolment = settings::enrolment(root.table("enrolment")?)?;
        let sharing = Sharing::read(root.table("sharing")?)?;
        let limits = settings::limits(root.table("limits")?)?;
        let surroundings = Surroundings::new(credentials, &user, &store);
        let vault = &surroundings.vault;
        let found = directory::read(root.table("directory")?, &bus.address, vault, warnings)?;
        let directories: Vec<_> = found.settings.all.iter().map(|one| one.name.clone()).collect();
        let provided = provider::read(root.table("provider")?, &surroundings, warnings)?;
        let template = Templates::read(root.table("template")?, warnings)?;
        let prompts = Prompts::read(root.table("prompt")?)?;
        let methods = method::read(root.tables("method")?, &directories, &provided, warnings)?;
        let budget = Budget::read(root.table("budget")?, &methods, &provided, warnings)?;
        let policies = root.tables("policy")?;
        let issued = issued::issued(root.table("issued")?)?;
        let surroundings =
            policy::Surroundings { methods: &methods, provided: &provided, issued: issued.enabled };
        let rules = policy::read(policies, &surroundings, warnings)?;
        let clients = issued::clients(root.table("clients")?)?;
        root.end()?;
        let shown_providers = provided.iter().map(|one| format!("\n{}", one.shown)).collect();
        let providers = provided.into_iter().map(|one| (one.id, one.provider)).collect();
        Ok(Self {
            user,
            bus,
            store,
            key_file,
            lockout,
            enrolment,
            sharing,
            directories: found.settings,
            budget,
            issued,
            clients,
            template,
            prompts,
            providers,
            limits,
            methods,
            rules,
            shown_providers,
            shown_directories: found.shown,
        })
    }
}

#[cfg(test)]
mod tests;
