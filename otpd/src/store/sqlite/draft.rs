//! What is to become of an account: worked out first, then written.

use rusqlite::OptionalExtension;

use super::{database::Database, messages, meta::Meta, rows};
use crate::store::{AuditEvent, Outgoing, StoreError, Work, record::AccountRecord, vault::Tag};

/// What a transition makes of an account.
pub(super) struct Draft {
    before: Option<AccountRecord>,
    /// The MAC over all of it, as it is stored.
    before_mac: Option<Vec<u8>>,
    /// With its MAC.
    after: Option<(AccountRecord, Tag)>,
    audit: Vec<AuditEvent>,
    outbox: Vec<Outgoing>,
    settled: Vec<String>,
}

impl Draft {
    /// By how many accounts there are more with it.
    pub(super) fn accounts(&self) -> i64 {
        i64::from(self.after.is_some()) - i64::from(self.before.is_some())
    }
}

impl Database {
    /// Reads, changes and writes `user`'s account within the transaction in progress.
    ///
    /// # Errors
    /// [`StoreError::Integrity`] when the record is not as it was written, or as the file's.
    pub(super) fn transact(
        &self,
        user: &str,
        transition: impl FnOnce(&mut Work<'_>),
    ) -> Result<(), StoreError> {
        let draft = self.draft(user, transition)?;
        self.write(user, &draft)?;
        self.count([(user, draft.accounts())])
    }

    /// Reads `user`'s account and works out what a transition makes of it.
    ///
    /// # Errors
    /// As [`Self::transact`].
    pub(super) fn draft(
        &self,
        user: &str,
        transition: impl FnOnce(&mut Work<'_>),
    ) -> Result<Draft, StoreError> {
        let (before, before_mac) = self.loaded(user)?.unzip();
        let mut work = self.work(user, before.as_ref())?;
        transition(&mut work);
        let Work { account, audit, outbox, settled, .. } = work;
        let after = account.as_ref().map(|account| {
            let record = self.vault().seal(user, account, before.as_ref())?;
            let mac = self.vault().record_mac(user, &record);
            Ok::<_, StoreError>((record, mac))
        });
        let after = after.transpose()?;
        Ok(Draft { before, before_mac, after, audit, outbox, settled })
    }

    /// Writes a draft, but for [`Self::count`], within the transaction in progress. The account is
    /// as it was when the draft was made.
    ///
    /// # Errors
    /// As the file's.
    pub(super) fn write(&self, user: &str, draft: &Draft) -> Result<(), StoreError> {
        let Draft { before, after, audit, outbox, settled, .. } = draft;
        let after_record = after.as_ref().map(|(record, _)| record);
        if before.as_ref() != after_record {
            let tagged = after.as_ref().map(|(record, mac)| (record, *mac));
            rows::save(&self.connection, user, before.as_ref(), tagged)?;
        }
        for event in audit {
            rows::append(&self.connection, event)?;
        }
        for message in outbox {
            messages::queue(&self.connection, &self.vault().seal_message(user, message)?)?;
        }
        for id in settled {
            rows::execute(&self.connection, messages::SETTLE, [id, user])?;
        }
        if before.is_some() && after.is_none() {
            rows::execute(&self.connection, messages::SETTLE_ALL, [user])?;
        }
        Ok(())
    }

    fn work(&self, user: &str, record: Option<&AccountRecord>) -> Result<Work<'_>, StoreError> {
        Ok(Work {
            account: record.map(|record| self.vault().unseal(user, record)).transpose()?,
            audit: Vec::new(),
            outbox: Vec::new(),
            settled: Vec::new(),
            ledger: self,
        })
    }

    /// Takes users into the digest of whose accounts there are, or out of it: by how many accounts
    /// each has more.
    ///
    /// # Errors
    /// As the file's, or where the digest is not as it was written.
    pub(super) fn count<'a>(
        &self,
        changes: impl IntoIterator<Item = (&'a str, i64)>,
    ) -> Result<(), StoreError> {
        let mut changes = changes.into_iter().filter(|(_, more)| *more != 0).peekable();
        if changes.peek().is_none() {
            return Ok(());
        }
        let mut meta = Meta::load(&self.connection)?;
        meta.verify(self.vault())?;
        for (user, more) in changes {
            meta.accounts = meta.accounts.saturating_add(more);
            Meta::toggle(&mut meta.names, self.vault(), user);
        }
        meta.save(&self.connection, self.vault())
    }

    /// Whether `user`'s record is the one that the draft was made of, by the MAC over all of it.
    ///
    /// # Errors
    /// As the file's.
    pub(super) fn unchanged(&self, user: &str, draft: &Draft) -> Result<bool, StoreError> {
        let mut statement =
            self.connection.prepare_cached("SELECT mac FROM account WHERE user = ?1")?;
        let present: Option<Vec<u8>> = statement.query_row([user], |row| row.get(0)).optional()?;
        Ok(present == draft.before_mac)
    }
}
