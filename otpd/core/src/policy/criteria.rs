//! What a rule matches, and what a login is matched by.

use core::fmt;

use super::network::{Network, Source};
use crate::schedule::{Schedule, WeekMinute};

/// What a `match` may ask about, in the order in which it is looked at and shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// The PAM service.
    Service,
    /// The user.
    User,
    /// A group of the user's.
    Group,
    /// Where the login comes from.
    Source,
    /// The terminal.
    Terminal,
    /// The client that it comes from.
    Client,
    /// Local time.
    Time,
}

impl Key {
    /// Every key.
    pub const ALL: [Self; 7] = [
        Self::Service,
        Self::User,
        Self::Group,
        Self::Source,
        Self::Terminal,
        Self::Client,
        Self::Time,
    ];

    /// Its name in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::User => "user",
            Self::Group => "group",
            Self::Source => "source",
            Self::Terminal => "terminal",
            Self::Client => "client",
            Self::Time => "time",
        }
    }
}

/// A value of `source`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Logins without a remote side.
    Local,
    /// Those from a network.
    Network(Network),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("local"),
            Self::Network(network) => network.fmt(f),
        }
    }
}

/// A value of `terminal`: PAM_TTY, exactly or by its beginning (`pts/*`). A `/dev/` in front counts
/// on neither side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terminal {
    text: String,
}

impl Terminal {
    /// `None` where it is empty, has control characters, or a `*` that is not its end.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let plain = text.strip_suffix('*').unwrap_or(text);
        let fits = !bare(text).is_empty() && text.len() <= 64;
        let usual = !plain.contains(|c: char| c == '*' || c.is_control());
        (fits && usual).then(|| Self { text: text.to_owned() })
    }

    /// The name or its beginning, and whether anything may follow.
    pub(super) fn pattern(&self) -> (&str, bool) {
        let text = bare(&self.text);
        text.strip_suffix('*').map_or((text, false), |beginning| (beginning, true))
    }

    fn fits(&self, terminal: &str) -> bool {
        match self.pattern() {
            (beginning, true) => bare(terminal).starts_with(beginning),
            (name, false) => bare(terminal) == name,
        }
    }
}

impl fmt::Display for Terminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn bare(terminal: &str) -> &str {
    terminal.strip_prefix("/dev/").unwrap_or(terminal)
}

/// A value of `client`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Client {
    /// Any that is registered and enabled.
    Known,
    /// Any other, and none at all.
    Unknown,
    /// The one with this identity, such as an ssh key's fingerprint, registered or not.
    Identity(String),
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Known => "known",
            Self::Unknown => "unknown",
            Self::Identity(identity) => identity,
        })
    }
}

/// The `match` of a rule: every key that is given must match, with any of its values. Names are
/// compared byte for byte.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Criteria {
    /// PAM services; empty, here and below: all.
    pub services: Vec<String>,
    /// Users.
    pub users: Vec<String>,
    /// Groups.
    pub groups: Vec<String>,
    /// Where from.
    pub sources: Vec<Origin>,
    /// Terminals.
    pub terminals: Vec<Terminal>,
    /// Clients.
    pub clients: Vec<Client>,
    /// Times.
    pub times: Vec<Schedule>,
}

/// The groups of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Groups<'a> {
    /// All of them.
    Known(&'a [String]),
    /// They could not be looked up.
    Unknown,
}

/// What rules are chosen by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Login<'a> {
    /// The user.
    pub user: &'a str,
    /// The PAM service.
    pub service: &'a str,
    /// The user's groups.
    pub groups: Groups<'a>,
    /// Where it comes from.
    pub source: Source,
    /// PAM_TTY.
    pub terminal: Option<&'a str>,
    /// The client's identity, where it has one.
    pub client: Option<&'a str>,
    /// Whether that client is registered and enabled; `None` where this could not be looked up.
    pub known_client: Option<bool>,
    /// Local time; `None` where the time zone cannot be told.
    pub time: Option<WeekMinute>,
}

/// How a login fits a key or a whole rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fit {
    /// It does not, whatever is unknown.
    No,
    /// It cannot be told.
    Unsure,
    /// It does.
    Yes,
}

impl From<bool> for Fit {
    fn from(fits: bool) -> Self {
        if fits { Self::Yes } else { Self::No }
    }
}

impl Criteria {
    /// Whether nothing is asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The values of a key as the configuration has them; empty where it does not restrict.
    #[must_use]
    pub fn values(&self, key: Key) -> Vec<String> {
        fn texts<T: ToString>(values: &[T]) -> Vec<String> {
            values.iter().map(ToString::to_string).collect()
        }
        match key {
            Key::Service => texts(&self.services),
            Key::User => texts(&self.users),
            Key::Group => texts(&self.groups),
            Key::Source => texts(&self.sources),
            Key::Terminal => texts(&self.terminals),
            Key::Client => texts(&self.clients),
            Key::Time => texts(&self.times),
        }
    }

    /// How the login fits one key.
    pub(super) fn fit(&self, key: Key, login: &Login<'_>) -> Fit {
        match key {
            Key::Service => any(&self.services, |service| (service == login.service).into()),
            Key::User => any(&self.users, |user| (user == login.user).into()),
            Key::Group => any(&self.groups, |group| match login.groups {
                Groups::Known(groups) => groups.contains(group).into(),
                Groups::Unknown => Fit::Unsure,
            }),
            Key::Source => any(&self.sources, |origin| match (origin, login.source) {
                (Origin::Network(network), Source::Address(a)) => network.contains(a).into(),
                (Origin::Local, Source::Local) => Fit::Yes,
                // A remote side was named, so that it is not local.
                (Origin::Network(_), Source::Unknown) => Fit::Unsure,
                (Origin::Local, _) | (Origin::Network(_), Source::Local) => Fit::No,
            }),
            Key::Terminal => any(&self.terminals, |terminal| {
                login.terminal.is_some_and(|given| terminal.fits(given)).into()
            }),
            Key::Client => any(&self.clients, |client| match (client, login.known_client) {
                (Client::Identity(identity), _) => (login.client == Some(identity.as_str())).into(),
                (Client::Known, Some(known)) => known.into(),
                (Client::Unknown, Some(known)) => (!known).into(),
                (Client::Known | Client::Unknown, None) => Fit::Unsure,
            }),
            Key::Time => any(&self.times, |times| match login.time {
                Some(now) => times.contains(now).into(),
                None => Fit::Unsure,
            }),
        }
    }

    /// How the login fits all keys but the groups.
    pub(super) fn fit_but_groups(&self, login: &Login<'_>) -> Fit {
        let others = Key::ALL.into_iter().filter(|key| *key != Key::Group);
        others.map(|key| self.fit(key, login)).min().unwrap_or(Fit::Yes)
    }
}

/// The best fit of the values; no values restrict nothing.
fn any<T>(values: &[T], fit: impl Fn(&T) -> Fit) -> Fit {
    values.iter().map(fit).max().unwrap_or(Fit::Yes)
}

impl Login<'_> {
    /// What the login has for a key, for people.
    #[must_use]
    pub fn shown(&self, key: Key) -> String {
        let or_none = |text: Option<&str>| text.unwrap_or("none").to_owned();
        match key {
            Key::Service => self.service.to_owned(),
            Key::User => self.user.to_owned(),
            Key::Group => match self.groups {
                Groups::Known([]) => "none".to_owned(),
                Groups::Known(groups) => groups.join(", "),
                Groups::Unknown => "unknown".to_owned(),
            },
            Key::Source => self.source.to_string(),
            Key::Terminal => or_none(self.terminal),
            Key::Client => match (self.client, self.known_client) {
                (None, _) => "none".to_owned(),
                (Some(identity), Some(true)) => format!("{identity} (known)"),
                (Some(identity), Some(false)) => format!("{identity} (unknown)"),
                (Some(identity), None) => identity.to_owned(),
            },
            Key::Time => self.time.map_or_else(|| "unknown".to_owned(), |time| time.to_string()),
        }
    }
}
