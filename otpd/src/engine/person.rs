//! What the directories say of whoever logs in, as far as the login depends on it: nobody is asked
//! about a login that no answer could change.

use std::{collections::BTreeSet, sync::Arc};

use otp_core::{
    account::{Account, UserName},
    contact::{Channel, Contacts, MailAddress, PhoneNumber},
};

use otp_ipc::{DirectoryDocument, DirectoryTestDocument};

use super::{Engine, Error, Ruling};
use crate::{
    config::Method,
    directory::{DirectoryError, Listed, Told, Wanted, composite::LOCAL},
};

/// What a login keeps of it from its prompt to its answer.
#[derive(Clone, Debug, Default)]
pub(super) struct Person {
    /// The directories that know the name; `None` where no method depends on that.
    members: Option<Arc<BTreeSet<String>>>,
    /// Why the account may not be used.
    pub(super) refused: Option<String>,
}

impl Engine {
    /// Asks the directories that say whether the account may be used, and those that alone have a
    /// method of this login, where a code is asked for (`asked`). Whether there is such an account
    /// changes nothing about who is asked.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where one does not answer and its last answer may not be used.
    pub(super) async fn person(
        &self,
        ruling: &Ruling,
        user: &str,
        asked: bool,
    ) -> Result<Person, Error> {
        if UserName::parse(user).is_err() || !asked {
            return Ok(Person::default());
        }
        let members = ruling.apart();
        let asked = !members.is_empty();
        let wanted = Wanted { state: true, members, ..Wanted::default() };
        let Told { refused, members, .. } = watched(self.directory.told(user, &wanted).await)?;
        let refused = refused.map(|(directory, standing)| {
            format!("the account is {} in directory {directory}", standing.name())
        });
        Ok(Person { members: asked.then(|| Arc::new(members)), refused })
    }

    /// Where codes can be delivered that no administrator has set a contact for.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where a directory does not answer that might know it.
    pub(super) async fn told_contacts(
        &self,
        user: &str,
        channels: impl IntoIterator<Item = Channel>,
    ) -> Result<Contacts, Error> {
        let set = self.watch_store(self.store.contacts(user).await)?;
        let contacts: BTreeSet<_> =
            channels.into_iter().filter(|channel| !set.has(*channel)).collect();
        if contacts.is_empty() {
            return Ok(Contacts::default());
        }
        let wanted = Wanted { contacts, ..Wanted::default() };
        let told = watched(self.directory.told(user, &wanted).await)?;
        Ok(told.contacts)
    }

    /// Refuses a method to a user whom none of its directories knows.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::Unavailable`] where one of them does not answer.
    pub(super) async fn check_linked(&self, method: &Method, user: &str) -> Result<(), Error> {
        let name = &method.name;
        if method.directories.is_empty() {
            let text = format!("method {name:?} is linked to no directory, so nobody can use it");
            return Err(Error::Forbidden(text));
        }
        if method.directories.iter().any(|one| one == LOCAL) {
            return Ok(());
        }
        let members = method.directories.iter().cloned().collect();
        let wanted = Wanted { members, ..Wanted::default() };
        let told = watched(self.directory.told(user, &wanted).await)?;
        if told.members.is_empty() {
            let directories = method.directories.join(", ");
            let text =
                format!("method {name:?} is for users of {directories}, where {user} is not known");
            return Err(Error::Forbidden(text));
        }
        Ok(())
    }

    /// Every directory, in the configuration's order, and how it does.
    #[must_use]
    pub fn directories(&self) -> Vec<DirectoryDocument> {
        let document = |listed: Listed| {
            let state = if listed.failure.is_some() { "failing" } else { "ready" };
            let (last_failure, failed_at) = listed.failure.unzip();
            let (name, kind) = (listed.name, listed.kind.to_owned());
            DirectoryDocument { name, kind, state: state.to_owned(), last_failure, failed_at }
        };
        self.directory.list().into_iter().map(document).collect()
    }

    /// Connects to a directory, compares its schema with the settings, and asks it for `user`, for
    /// nobody where that is empty. Uses nothing that is remembered.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for an unknown directory and for what can be nobody's name. That
    /// the directory cannot be used is no error but in the document.
    pub async fn test_directory(
        &self,
        name: &str,
        user: &str,
    ) -> Result<DirectoryTestDocument, Error> {
        let user = if user.is_empty() { None } else { Some(Self::parse_user(user)?) };
        let user = user.as_ref().map(UserName::as_str);
        let Some(tested) = self.directory.test(name, user).await else {
            let known = self.directory.list().into_iter().map(|listed| listed.name);
            let known = known.collect::<Vec<_>>().join(", ");
            let text = format!("there is no directory of this name; configured: {known}");
            return Err(Error::InvalidArgument(text));
        };
        let document = DirectoryTestDocument {
            name: name.to_owned(),
            found: tested.found.as_ref().map(Option::is_some),
            problems: tested.problems,
            ..DirectoryTestDocument::default()
        };
        let Some(record) = tested.found.flatten() else { return Ok(document) };
        Ok(DirectoryTestDocument {
            state: Some(record.standing(self.now_ms()).name().to_owned()),
            mobile: record.contacts.mobile.as_ref().map(PhoneNumber::masked),
            mail: record.contacts.mail.as_ref().map(MailAddress::masked),
            groups: Some(record.groups),
            ..document
        })
    }

    /// Those that did not answer when they were asked last, and why.
    pub(super) fn failing_directories(&self) -> impl Iterator<Item = String> {
        let failing = |listed: Listed| {
            let (why, _) = listed.failure?;
            Some(format!("directory {}: {why}", listed.name))
        };
        self.directory.list().into_iter().filter_map(failing)
    }
}

/// The log is told which directory does not answer, and the caller is not.
fn watched<T>(answer: Result<T, DirectoryError>) -> Result<T, Error> {
    answer.map_err(|error| {
        log::error!("directory: {}", error.0);
        Error::Unavailable("the user database does not answer".to_owned())
    })
}

/// Whether users of these directories may use the method; `None`: users of every directory.
fn linked(method: &Method, members: Option<&Arc<BTreeSet<String>>>) -> bool {
    let mut directories = method.directories.iter();
    directories.any(|one| one == LOCAL || members.is_none_or(|members| members.contains(one)))
}

impl Ruling {
    /// For this person.
    pub(super) fn of(mut self, person: &Person) -> Self {
        self.members.clone_from(&person.members);
        self
    }

    /// The directories that alone have a method of this login.
    fn apart(&self) -> BTreeSet<String> {
        let methods = self.loaded.config.methods.iter();
        let apart = methods.filter(|method| {
            self.accepts(&method.name) && !method.directories.iter().any(|one| one == LOCAL)
        });
        apart.flat_map(|method| method.directories.iter().cloned()).collect()
    }

    /// Whether a directory that has the method knows this person.
    pub(super) fn links(&self, method: &str) -> bool {
        let method = self.loaded.config.method(method);
        method.is_some_and(|method| linked(method, self.members.as_ref()))
    }

    /// For the record: a method that the user has a token of and may not use.
    pub(super) fn unlinked(&self, account: &Account) -> Option<String> {
        let mut methods = account.tokens.iter().map(|token| token.method.as_str());
        let method = methods.find(|method| {
            self.loaded.config.method(method).is_some_and(|m| !m.directories.is_empty())
                && !self.links(method)
        })?;
        Some(format!("method {method} does not count: its directories do not know the user"))
    }
}
