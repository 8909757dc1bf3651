//! Whose tokens there are: users whom the system knows.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, LazyLock},
};

use futures_util::future::join_all;

use crate::{
    clock::SystemClock,
    config::Config,
    directory::{Directory, DirectoryError, Wanted, composite::Directories},
    maintenance::Failure,
};

/// The system's own users.
const PASSWD: &str = "/etc/passwd";
/// So many users are asked for one by one; of more, the system's own are read at once, because each
/// question reads that file from its beginning.
const FEW: usize = 100;
/// Questions that are under way at once.
const AT_ONCE: usize = 64;

/// A user.
pub(super) struct Person {
    pub(super) name: String,
    pub(super) uid: u32,
    /// The directories of [`People::find`] that know the name.
    pub(super) members: BTreeSet<String>,
}

/// Everybody whom the files name, or why one is nobody.
#[derive(Default)]
pub(super) struct People(BTreeMap<String, Result<Person, String>>);

impl People {
    /// Asks for everybody in `names`, and which of `directories` know them.
    ///
    /// # Errors
    /// Where a directory does not answer: nobody counts as unknown for that.
    pub(super) fn find<'a>(
        config: &Config,
        names: impl ExactSizeIterator<Item = &'a String>,
        directories: BTreeSet<String>,
    ) -> Result<Self, Failure> {
        let own = if names.len() > FEW { own_users()? } else { HashMap::new() };
        let names: Vec<_> = names.cloned().collect();
        let directory = Directories::new(&config.directories, Arc::new(SystemClock))?;
        let wanted = Wanted { members: directories, ..Wanted::default() };
        let search = Search { own, directory, wanted };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let found = runtime.block_on(search.all(&names));
        runtime.shutdown_background();
        Ok(Self(names.into_iter().zip(found?).collect()))
    }

    /// Users whom the system's own directory has.
    #[cfg(test)]
    pub(super) fn known<'a>(people: impl IntoIterator<Item = (&'a str, u32)>) -> Self {
        let person = |(name, uid): (&str, u32)| {
            let person = Person { name: name.to_owned(), uid, members: BTreeSet::new() };
            (name.to_owned(), Ok(person))
        };
        Self(people.into_iter().map(person).collect())
    }

    /// The user of that name.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn get(&self, name: &str) -> Result<&Person, &str> {
        let found = self.0.get(name).map(Result::as_ref);
        found.unwrap_or(Err(&UNKNOWN)).map_err(String::as_str)
    }
}

static UNKNOWN: LazyLock<String> = LazyLock::new(|| "this system knows no such user".to_owned());

struct Search {
    own: HashMap<String, u32>,
    directory: Directories,
    wanted: Wanted,
}

impl Search {
    async fn all(&self, names: &[String]) -> Result<Vec<Result<Person, String>>, DirectoryError> {
        let mut all = Vec::with_capacity(names.len());
        for some in names.chunks(AT_ONCE) {
            for found in join_all(some.iter().map(|name| self.one(name))).await {
                all.push(found?);
            }
        }
        Ok(all)
    }

    async fn one(&self, name: &str) -> Result<Result<Person, String>, DirectoryError> {
        let uid = match self.own.get(name) {
            Some(uid) => Ok(*uid),
            None => match self.directory.by_name(name).await? {
                Some(entry) if entry.name == name => Ok(entry.uid),
                Some(entry) => Err(format!("the account is called {}", entry.name)),
                None => Err(UNKNOWN.clone()),
            },
        };
        let uid = match uid {
            Ok(uid) => uid,
            Err(reason) => return Ok(Err(reason)),
        };
        let members = if self.wanted.members.is_empty() {
            BTreeSet::new()
        } else {
            self.directory.told(name, &self.wanted).await?.members
        };
        Ok(Ok(Person { name: name.to_owned(), uid, members }))
    }
}

/// The users of [`PASSWD`]; the first entry of a name counts.
fn own_users() -> Result<HashMap<String, u32>, Failure> {
    let text = std::fs::read(PASSWD).map_err(|error| format!("{PASSWD}: {error}"))?;
    Ok(parse(&String::from_utf8_lossy(&text)))
}

fn parse(text: &str) -> HashMap<String, u32> {
    let mut users = HashMap::new();
    for line in text.lines() {
        let mut fields = line.split(':');
        let (name, uid) = (fields.next().unwrap_or_default(), fields.nth(1));
        let uid = uid.and_then(|uid| uid.parse().ok());
        if let Some(uid) = uid.filter(|_| !name.is_empty() && !name.starts_with(['+', '-', '#'])) {
            users.entry(name.to_owned()).or_insert(uid);
        }
    }
    users
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_own_users_are_those_that_its_file_names() {
        let users = parse(
            "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/:\nalice:x:1001:1::/:\n+::::::\n\
             +bob:x:7:7:::\n-eve:x:8:8:::\n\nbroken\nshort:x\nword:x:many:1:::\n:x:9:9:::\n",
        );
        let mut users: Vec<_> = users.into_iter().collect();
        users.sort();
        assert_eq!(users, [("alice".to_owned(), 1000), ("root".to_owned(), 0)]);
    }
}
