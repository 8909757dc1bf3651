//! `[sharing]`: how a secret is shown to a session, once, and what follows.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use otp_delivery::program;

use super::{
    duration::{DAY, HOUR, MINUTE, SECOND},
    error::ConfigError,
    section::{Section, quoted, text},
    tree::Value,
};

/// How a request to share ends. The names are those of Nevis' `IdmShareOTPState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transition {
    /// The secret is shown.
    Default,
    /// The secret is shared.
    Ok,
    /// Anything that no other one stands for.
    Failed,
    /// The user has no credential that could be shared.
    NoCredential,
    /// Somebody has been shown it.
    SecretAlreadyShared,
    /// No such tenant.
    ClientNotFound,
}

impl Transition {
    /// Every transition, with its name.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::Default, "default"),
        (Self::Ok, "ok"),
        (Self::Failed, "failed"),
        (Self::NoCredential, "noCredential"),
        (Self::SecretAlreadyShared, "secretAlreadyShared"),
        (Self::ClientNotFound, "clientNotFound"),
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(one, _)| *one == self).map_or("failed", |(_, name)| name)
    }
}

/// A former name of [`Transition::Default`].
const FORMER: &str = "showGui";

/// What makes a shared token active.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmation {
    /// Its first code.
    Code,
    /// That the person says to have it ("Continue").
    Acknowledgement,
}

/// What the URI of a shared secret calls the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountName {
    /// The login name.
    LoginId,
    /// The mail address.
    Email,
}

/// A program and its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowUp {
    /// An absolute path that only root can write.
    pub program: PathBuf,
    /// What follows it in its argv.
    pub arguments: Vec<String>,
}

/// How a secret is shown to a session, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sharing {
    /// How long it can be confirmed, and shown again to the same session, in milliseconds.
    pub ttl_ms: u64,
    /// How long a token waits to be shared, in milliseconds.
    pub offer_ms: u64,
    /// What makes the token active.
    pub confirm: Confirmation,
    /// Whether administrators may have a token shared again, with another key.
    pub reshare: bool,
    /// What the URI calls the account.
    pub account: AccountName,
    /// Who may be named as the tenant; of none: only the issuer, which need not be named.
    pub tenants: Vec<String>,
    /// What is started after a transition.
    pub on: BTreeMap<Transition, FollowUp>,
}

impl Default for Sharing {
    fn default() -> Self {
        Self {
            ttl_ms: 5 * MINUTE,
            offer_ms: 7 * DAY,
            confirm: Confirmation::Code,
            reshare: true,
            account: AccountName::LoginId,
            tenants: Vec::new(),
            on: BTreeMap::new(),
        }
    }
}

pub(super) const CONFIRMATIONS: [(&str, Confirmation); 2] =
    [("code", Confirmation::Code), ("ack", Confirmation::Acknowledgement)];
pub(super) const ACCOUNT_NAMES: [(&str, AccountName); 2] =
    [("loginid", AccountName::LoginId), ("email", AccountName::Email)];

/// What [`tenant`] takes.
const TENANT: &str = "names of 1 to 128 bytes without control characters";
/// What [`command`] takes.
const COMMAND: &str = "a list of a program, an absolute path, and its arguments, each a text";

impl Sharing {
    pub(super) fn read(mut section: Section) -> Result<Self, ConfigError> {
        let default = Self::default();
        let sharing = Self {
            ttl_ms: section.duration("ttl", 30 * SECOND..=HOUR, default.ttl_ms)?,
            offer_ms: section.duration("offer", HOUR..=90 * DAY, default.offer_ms)?,
            confirm: section.choice("confirm", &CONFIRMATIONS, default.confirm)?,
            reshare: section.flag("reshare", default.reshare)?,
            account: section.choice("account", &ACCOUNT_NAMES, default.account)?,
            tenants: section.list("tenants", 0, TENANT, tenant)?.unwrap_or_default(),
            on: follow_ups(section.table("on")?)?,
        };
        section.end()?;
        Ok(sharing)
    }

    /// What is started after the transition: the command of its own, and for a tenant that is not
    /// there the one for failures where it has none.
    #[must_use]
    pub fn follow_up(&self, transition: Transition) -> Option<&FollowUp> {
        let own = self.on.get(&transition);
        match transition {
            Transition::ClientNotFound => own.or_else(|| self.on.get(&Transition::Failed)),
            _ => own,
        }
    }
}

fn tenant(value: &Value) -> Option<String> {
    let fits = |name: &&str| {
        !name.is_empty() && otp_core::account::check_text(name).is_ok() && name.trim() == *name
    };
    text(value).filter(fits).map(str::to_owned)
}

fn follow_ups(mut section: Section) -> Result<BTreeMap<Transition, FollowUp>, ConfigError> {
    let mut found = BTreeMap::new();
    let names = [(Transition::Default, FORMER)].into_iter().chain(Transition::ALL);
    for (transition, name) in names {
        let Some((command, place)) = section.value(name, COMMAND, command)? else { continue };
        program::check(&command.program)
            .map_err(|why| place.error(format!("sharing.on.{name}: {why}")))?;
        if found.insert(transition, command).is_some() {
            let names = quoted([FORMER, Transition::Default.name()].into_iter());
            return Err(place.error(format!("sharing.on: {names} are one transition; keep one")));
        }
    }
    section.end()?;
    Ok(found)
}

fn command(value: &Value) -> Option<FollowUp> {
    let Value::List(items) = value else { return None };
    let texts = items.iter().map(|item| text(&item.value).filter(|text| !text.contains('\0')));
    let texts: Vec<&str> = texts.collect::<Option<_>>()?;
    let (program, arguments) = texts.split_first()?;
    let program = Path::new(program).is_absolute().then(|| PathBuf::from(program))?;
    let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    Some(FollowUp { program, arguments })
}
