//! `otpctl export`: the keys of tokens leave for other programs. Who had them leave, and which, is
//! on the disk before the first byte does.

use std::{
    collections::BTreeSet,
    io::{self, Write},
};

use otp_core::{account::Account, token::Token};
use otp_ipc::maintenance::{
    export::{Exported, KEY, LeftOut, Report, Request},
    read_frame, write_frame,
};

use super::{Failure, Site};
use crate::{
    audit::{Journal, Origin},
    clock::{self, Clock, SystemClock},
    export::{self, Circumstances, Writer},
    process,
    store::{AuditEvent, StoreError, sqlite::bulk::Accounts},
};

/// The event of the audit trail.
const EVENT: &str = "export";
/// Tokens that have a record of their own in the audit trail; of more the sum tells.
const RECORDS: usize = 1000;

pub(super) fn run(site: &Site) -> Result<(), Failure> {
    let ring = site.keyring()?;
    site.drop_privileges()?;
    let config = &site.loaded.config;
    let mut input = io::stdin().lock();
    let request: Request = super::request(&mut input)?;
    let key = if request.key { read_frame(&mut input, KEY)? } else { None };
    let issuer = config.enrolment.issuer.clone().unwrap_or_else(process::host_name);
    let circumstances = Circumstances { issuer, zone: clock::zone()?, key };
    let writer = export::writer(&request.format, circumstances)?;
    let store = site.bulk(&ring)?;
    let now_ms = SystemClock.now_ms();
    // What takes long keeps nobody from writing; the records are on the disk before anything leaves.
    let export = store.transact(false, |accounts| {
        let mut export = Export::new(&request, writer, now_ms);
        export.take(accounts, &request)?;
        Ok((export, false))
    })?;
    if export.leaves() {
        let mut records = export.records.clone();
        records.push(export.summary());
        store.transact(true, |accounts| {
            records.iter().try_for_each(|record| accounts.record(record))?;
            Ok(((), true))
        })?;
        let journal = Journal::default();
        records.iter().for_each(|record| journal.write(record));
    }
    export.answer(&mut io::stdout().lock())
}

/// What leaves and what does not.
struct Export {
    writer: Box<dyn Writer>,
    report: Report,
    /// Those of the audit trail.
    records: Vec<AuditEvent>,
    now_ms: i64,
}

impl Export {
    fn new(request: &Request, writer: Box<dyn Writer>, now_ms: i64) -> Self {
        let report = Report { format: request.format.clone(), ..Report::default() };
        Self { writer, report, records: Vec::new(), now_ms }
    }

    /// Whether anything leaves.
    fn leaves(&self) -> bool {
        self.report.unknown.is_empty() && !self.report.tokens.is_empty()
    }

    fn take(&mut self, accounts: &Accounts<'_>, request: &Request) -> Result<(), StoreError> {
        let users = if request.all { accounts.users()? } else { request.users.clone() };
        for user in users.into_iter().collect::<BTreeSet<_>>() {
            accounts.transact(&user, |work| match &work.account {
                Some(account) => self.account(&user, account),
                None => self.report.unknown.push(user.clone()),
            })?;
        }
        Ok(())
    }

    /// Adds the user's tokens to the file.
    fn account(&mut self, user: &str, account: &Account) {
        for token in &account.tokens {
            match export::check(token, self.now_ms).and_then(|()| self.writer.add(user, token)) {
                Ok(()) => self.leave(user, token),
                Err(reason) => self.stay(user, Some(token.id.clone()), &token.label, reason),
            }
        }
        let digests = "only digests of them are kept: issue new ones there";
        if !account.recovery.is_empty() {
            let codes = format!("{} recovery codes", account.recovery.len());
            self.stay(user, None, &codes, digests.to_owned());
        }
        if !account.issued.is_empty() {
            let codes = format!("{} issued codes", account.issued.len());
            self.stay(user, None, &codes, "they are for logins here".to_owned());
        }
    }

    fn leave(&mut self, user: &str, token: &Token) {
        if self.report.tokens.len() < RECORDS {
            let mut record = Origin::default().event(EVENT, "ok", user, self.now_ms);
            record.token = Some(token.id.clone());
            record.method = Some(token.method.clone());
            record.detail = Some(format!("its key, as {}", self.report.format));
            self.records.push(record);
        }
        let (user, id, label) = (user.to_owned(), token.id.clone(), token.label.clone());
        self.report.tokens.push(Exported { user, id, label });
    }

    fn stay(&mut self, user: &str, id: Option<String>, label: &str, reason: String) {
        let (user, label) = (user.to_owned(), label.to_owned());
        self.report.left_out.push(LeftOut { user, id, label, reason });
    }

    /// The record of the whole.
    fn summary(&self) -> AuditEvent {
        let users: BTreeSet<_> = self.report.tokens.iter().map(|token| &token.user).collect();
        let mut record = Origin::default().event(EVENT, "ok", "", self.now_ms);
        let (tokens, users) = (self.report.tokens.len(), users.len());
        let format = &self.report.format;
        record.detail = Some(format!("{tokens} keys of {users} users, as {format}"));
        record
    }

    fn answer(self, to: &mut impl Write) -> Result<(), Failure> {
        let leaves = self.leaves();
        write_frame(to, &serde_json::to_vec(&self.report)?)?;
        if leaves {
            write_frame(to, &self.writer.finish())?;
        }
        Ok(to.flush()?)
    }
}
