//! All directories as one: identity from the name service switch, the rest from whoever has it.

use std::{
    collections::BTreeSet,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use futures_util::future::join_all;
use otp_core::contact::{Channel, Contacts};

use super::{
    Directory, DirectoryError, Entry, Listed, Record, Source, Standing, Tested, Told, Wanted,
    cache::{Cached, Keeping},
    file, ldap,
    passwd::{Gecos, Passwd},
    sql, sssd,
};
use crate::{clock::Clock, store::Pending};

/// What the name service switch is called.
pub const LOCAL: &str = "local";
/// How long the name service switch may take to say who somebody is.
const PATIENCE: Duration = Duration::from_secs(5);

/// `[directory.NAME]`: every directory, in order, and where the system bus is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The directories; "local" is always among them.
    pub all: Vec<One>,
    /// The system bus, as a D-Bus address.
    pub bus: String,
}

/// One directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct One {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
}

/// What a directory is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The name service switch.
    Passwd(Gecos),
    /// A text file.
    File(file::Settings),
    /// SSSD.
    Sssd(sssd::Settings, Keeping),
    /// LDAP.
    Ldap(Box<ldap::Settings>, Keeping),
    /// A database.
    Sql(Box<sql::Settings>, Keeping),
}

/// What a directory can be asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Has {
    contacts: bool,
    groups: bool,
    state: bool,
}

impl Kind {
    /// Its `type` in the configuration.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Passwd(_) => "passwd",
            Self::File(_) => "file",
            Self::Sssd(..) => "sssd",
            Self::Ldap(..) => "ldap",
            Self::Sql(..) => "sql",
        }
    }

    fn has(&self) -> Has {
        let all = Has { contacts: true, groups: true, state: true };
        match self {
            Self::Passwd(gecos) => {
                let contacts = gecos.mobile.is_some() || gecos.mail.is_some();
                Has { contacts, groups: true, state: false }
            }
            // What a line or a row holds is seen when it is there.
            Self::File(_) | Self::Sql(..) => all,
            Self::Sssd(settings, _) => Has {
                contacts: settings.mobile.is_some() || settings.mail.is_some(),
                groups: settings.groups,
                state: false,
            },
            Self::Ldap(settings, _) => Has {
                contacts: settings.mobile.is_some() || settings.mail.is_some(),
                groups: settings.groups.is_some(),
                state: settings.schema.tells_state(),
            },
        }
    }

    /// The way to it; `None`: the name service switch. Connects to nobody.
    fn open(
        &self,
        name: &str,
        bus: &str,
        clock: &Arc<dyn Clock>,
    ) -> Result<Option<Cached>, String> {
        let (source, keeping): (Box<dyn Source>, _) = match self {
            Self::Passwd(_) => return Ok(None),
            Self::File(settings) => {
                let keeping = Keeping { age_ms: 0, outage_ms: None };
                (Box::new(file::File::new(name, settings.clone())), keeping)
            }
            Self::Sssd(settings, keeping) => {
                (Box::new(sssd::Sssd::new(name, settings.clone(), bus)), *keeping)
            }
            Self::Ldap(settings, keeping) => {
                (Box::new(ldap::Ldap::new(name, (**settings).clone())?), *keeping)
            }
            Self::Sql(settings, keeping) => (sql::open(name, settings)?, *keeping),
        };
        Ok(Some(Cached::new(source, keeping, Arc::clone(clock))))
    }
}

impl Settings {
    /// Whether the directories can be used, as far as that shows without connecting.
    ///
    /// # Errors
    /// What is wrong with the directory, such as a file of certificates that cannot be read.
    pub fn vet(&self, one: &One) -> Result<(), String> {
        let clock: Arc<dyn Clock> = Arc::new(crate::clock::SystemClock);
        one.kind.open(&one.name, &self.bus, &clock).map(drop)
    }
}

/// A directory in use.
struct Member {
    one: One,
    /// `None`: the name service switch.
    cached: Option<Cached>,
}

impl Member {
    async fn look_up(&self, name: &str) -> Result<Option<Record>, DirectoryError> {
        let Some(cached) = &self.cached else { return Ok(None) };
        cached.look_up(name).await.map_err(|error| self.named(&error))
    }

    fn named(&self, error: &DirectoryError) -> DirectoryError {
        DirectoryError(format!("directory {}: {}", self.one.name, error.0))
    }
}

/// The directories in use, exchanged as a whole.
struct Members {
    local: Passwd,
    all: Vec<Arc<Member>>,
    bus: String,
}

/// All directories as one.
pub struct Directories {
    clock: Arc<dyn Clock>,
    members: RwLock<Arc<Members>>,
}

impl Directories {
    /// The directories of a configuration; connects to none of them yet.
    ///
    /// # Errors
    /// What cannot be used.
    pub fn new(settings: &Settings, clock: Arc<dyn Clock>) -> Result<Self, String> {
        let members = Arc::new(build(settings, &clock, None)?);
        Ok(Self { clock, members: RwLock::new(members) })
    }

    fn members(&self) -> Arc<Members> {
        Arc::clone(&self.members.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What is in use already and has not changed stays, with its connection and its memory.
fn build(
    settings: &Settings,
    clock: &Arc<dyn Clock>,
    before: Option<&Members>,
) -> Result<Members, String> {
    let before = before.filter(|members| members.bus == settings.bus);
    let kept = |one: &One| {
        let all = before.map(|members| members.all.as_slice()).unwrap_or_default();
        all.iter().find(|member| member.one == *one).cloned()
    };
    let mut all = Vec::with_capacity(settings.all.len());
    for one in &settings.all {
        all.push(match kept(one) {
            Some(member) => member,
            None => {
                let cached = one.kind.open(&one.name, &settings.bus, clock);
                let cached = cached.map_err(|why| format!("directory {}: {why}", one.name))?;
                Arc::new(Member { one: one.clone(), cached })
            }
        });
    }
    let gecos = settings.all.iter().find_map(|one| match &one.kind {
        Kind::Passwd(gecos) if one.name == LOCAL => Some(gecos.clone()),
        _ => None,
    });
    let local = Passwd::new(gecos.unwrap_or_default());
    Ok(Members { local, all, bus: settings.bus.clone() })
}

impl Members {
    /// The entry of exactly this name in the name service switch.
    async fn own(&self, name: &str) -> Result<Option<Entry>, DirectoryError> {
        let asked = tokio::time::timeout(PATIENCE, self.local.by_name(name)).await;
        let silent = |_| DirectoryError(format!("no answer within {PATIENCE:?}"));
        Ok(asked.map_err(silent)??.filter(|entry| entry.name == name))
    }

    /// Asks one directory for what is wanted of it; the name service switch's entry counts as
    /// another directory's record.
    async fn ask(&self, member: &Member, name: &str) -> Result<Option<Record>, DirectoryError> {
        match &member.cached {
            Some(_) => member.look_up(name).await,
            None => {
                let entry = self.own(name).await.map_err(|error| member.named(&error))?;
                Ok(entry.map(|entry| Record { contacts: entry.contacts, ..Record::default() }))
            }
        }
    }

    async fn told(&self, name: &str, wanted: &Wanted, now_ms: i64) -> Result<Told, DirectoryError> {
        let concerned = |member: &&Arc<Member>| {
            let has = member.one.kind.has();
            (!wanted.contacts.is_empty() && has.contacts)
                || (wanted.state && has.state)
                || wanted.members.contains(&member.one.name)
        };
        let asked: Vec<_> = self.all.iter().filter(concerned).collect();
        let answers = join_all(asked.iter().map(|member| self.ask(member, name))).await;
        let mut told = Told::default();
        for (member, answer) in asked.into_iter().zip(answers) {
            let (directory, has) = (&member.one.name, member.one.kind.has());
            let complete = wanted.contacts.iter().all(|channel| told.contacts.has(*channel));
            let needed = wanted.members.contains(directory)
                || (wanted.state && has.state)
                || (has.contacts && !complete);
            let record = match answer {
                Ok(record) => record,
                // Who has it comes before this one.
                Err(_) if !needed => continue,
                Err(error) => return Err(error),
            };
            if let Some(record) = record {
                told.add(directory, record, wanted, now_ms);
            }
        }
        Ok(told)
    }

    async fn groups(&self, name: &str) -> Result<Option<Vec<String>>, DirectoryError> {
        let Some(own) = self.local.groups(name).await? else { return Ok(None) };
        let tell = self.all.iter().filter(|member| member.one.kind.has().groups);
        let answers = join_all(tell.map(|member| member.look_up(name))).await;
        let mut groups: BTreeSet<String> = own.into_iter().collect();
        for answer in answers {
            groups.extend(answer?.into_iter().flat_map(|record| record.groups));
        }
        Ok(Some(groups.into_iter().collect()))
    }

    async fn test(&self, directory: &str, user: Option<&str>) -> Option<Tested> {
        let member = self.all.iter().find(|member| member.one.name == directory)?;
        let mut problems = match &member.cached {
            Some(cached) => cached.source().check().await,
            None => Vec::new(),
        };
        let mut found = None;
        if let Some(user) = user.filter(|_| problems.is_empty()) {
            let record = match &member.cached {
                Some(cached) => cached.source().look_up(user).await,
                None => self.local_record(user).await,
            };
            match record {
                Ok(record) => found = Some(record),
                Err(error) => problems.push(error.0),
            }
        }
        Some(Tested { problems, found })
    }

    async fn local_record(&self, user: &str) -> Result<Option<Record>, DirectoryError> {
        let Some(entry) = self.own(user).await? else { return Ok(None) };
        let groups = self.local.groups(user).await?.unwrap_or_default();
        Ok(Some(Record { contacts: entry.contacts, groups, ..Record::default() }))
    }
}

impl Told {
    /// Adds what one more directory has of the user.
    fn add(&mut self, directory: &str, record: Record, wanted: &Wanted, now_ms: i64) {
        if wanted.members.contains(directory) {
            self.members.insert(directory.to_owned());
        }
        let standing = record.standing(now_ms);
        if wanted.state && standing != Standing::Active && self.refused.is_none() {
            self.refused = Some((directory.to_owned(), standing));
        }
        let Contacts { mobile, mail } = record.contacts;
        if wanted.contacts.contains(&Channel::Sms) && self.contacts.mobile.is_none() {
            self.contacts.mobile = mobile;
        }
        if wanted.contacts.contains(&Channel::Email) && self.contacts.mail.is_none() {
            self.contacts.mail = mail;
        }
    }
}

impl Directory for Directories {
    fn by_name<'a>(&'a self, name: &'a str) -> Pending<'a, Result<Option<Entry>, DirectoryError>> {
        let members = self.members();
        Box::pin(async move { members.local.by_name(name).await })
    }

    fn groups<'a>(
        &'a self,
        name: &'a str,
    ) -> Pending<'a, Result<Option<Vec<String>>, DirectoryError>> {
        let members = self.members();
        Box::pin(async move { members.groups(name).await })
    }

    fn told<'a>(
        &'a self,
        name: &'a str,
        wanted: &'a Wanted,
    ) -> Pending<'a, Result<Told, DirectoryError>> {
        let (members, now_ms) = (self.members(), self.clock.now_ms());
        Box::pin(async move { members.told(name, wanted, now_ms).await })
    }

    fn configure(&self, settings: &Settings) -> Result<(), String> {
        let next = Arc::new(build(settings, &self.clock, Some(&self.members()))?);
        *self.members.write().unwrap_or_else(PoisonError::into_inner) = next;
        Ok(())
    }

    fn list(&self) -> Vec<Listed> {
        let listed = |member: &Arc<Member>| Listed {
            name: member.one.name.clone(),
            kind: member.one.kind.name(),
            failure: member.cached.as_ref().and_then(Cached::failure),
        };
        self.members().all.iter().map(listed).collect()
    }

    fn test<'a>(
        &'a self,
        directory: &'a str,
        user: Option<&'a str>,
    ) -> Pending<'a, Option<Tested>> {
        let members = self.members();
        Box::pin(async move { members.test(directory, user).await })
    }
}

#[cfg(test)]
mod tests;
