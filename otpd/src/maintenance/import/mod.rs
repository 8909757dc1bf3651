//! `otpctl import`: what files of other programs tell becomes tokens, in one transaction.

mod admission;
mod gather;
mod people;
mod tally;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    io::{self, Read, Write},
};

use otp_core::token::Factor;
use otp_ipc::maintenance::{
    FILE, REQUEST,
    import::{Report, Request, Source},
    read_frame,
};

use self::{
    admission::{Admission, Fate},
    gather::Gathered,
    people::{People, Person},
    tally::Tally,
};
use super::{Failure, Site, frame};
use crate::{
    audit::Journal,
    clock::{self, Clock, SystemClock},
    config::{Config, Method},
    directory::composite::LOCAL,
    import::Circumstances,
    store::{
        StoreError, Work,
        sqlite::bulk::{Bulk, Verdict},
    },
};

/// Longest password or pre-shared key of a file, in bytes.
const KEY: u64 = 4096;
/// Users of whom each has a record of their own in the audit trail; of more the sum tells.
const RECORDS: usize = 1000;

pub(super) fn run(site: &Site) -> Result<(), Failure> {
    let ring = site.keyring()?;
    site.drop_privileges()?;
    let config = &site.loaded.config;
    let mut input = io::stdin().lock();
    let request: Request = super::request(&mut input)?;
    let methods = Methods { config, wanted: request.method.as_deref() };
    let gathered = gather(&request, &mut input)?;
    let people = People::find(config, gathered.tokens.keys(), methods.directories())?;
    let store = site.bulk(&ring)?;
    drop(ring);
    let recovery_key = store.recovery_key();
    let import = Import { methods, recovery_key, people: &people, request: &request };
    let report = import.apply(&store, gathered, SystemClock.now_ms())?;
    let mut answer = io::stdout().lock();
    serde_json::to_writer(&mut answer, &report)?;
    Ok(answer.flush()?)
}

/// Reads the files that follow the request.
fn gather(request: &Request, input: &mut impl Read) -> Result<Gathered, Failure> {
    let zone = request.zone.as_deref().map_or_else(clock::zone, clock::zone_named)?;
    let key = if request.key { Some(frame(input, KEY)?) } else { None };
    let circumstances = Circumstances { now_ms: SystemClock.now_ms(), zone, key };
    let mut gathered = Gathered::default();
    while let Some(source) = read_frame(input, REQUEST)? {
        let source: Source = serde_json::from_slice(&source)?;
        if let Some(reason) = source.refused {
            gathered.refuse(source.path, source.user, reason);
        } else {
            let bytes = frame(input, FILE)?;
            gathered.read(source, &bytes, request, &circumstances);
        }
    }
    Ok(gathered)
}

/// What decides on tokens besides their accounts.
struct Import<'a> {
    methods: Methods<'a>,
    /// The key of recovery codes' digests.
    recovery_key: &'a [u8; 32],
    people: &'a People,
    request: &'a Request,
}

impl Import<'_> {
    /// Takes what was gathered into the accounts: all of it, nothing, or what is accepted.
    fn apply(&self, store: &Bulk, gathered: Gathered, now_ms: i64) -> Result<Report, StoreError> {
        let Gathered { files, tokens, refused } = gathered;
        let mut tally = Tally::new(files, refused);
        let mut wanted = Vec::with_capacity(tokens.len());
        for (user, rows) in tokens {
            match self.people.get(&user) {
                Ok(person) => wanted.push((person, rows)),
                Err(reason) => tally.refuse(&user, rows, reason),
            }
        }
        let names: Vec<_> = wanted.iter().map(|(person, _)| person.name.as_str()).collect();
        let admit = |place: usize, work: &mut Work<'_>| match wanted.get(place) {
            Some((person, rows)) => {
                let fates = self.admission(person, now_ms).take_all(&mut work.account, rows);
                if place < RECORDS {
                    work.audit = tally.records(&person.name, &fates, now_ms);
                }
                fates
            }
            None => Vec::new(),
        };
        let judge = |fates: &[Vec<Fate>]| {
            let sum = tally.sum(fates);
            let complete = self.request.accepted || sum.refused == 0;
            let keep = complete && sum.changed() && !self.request.dry_run;
            Verdict { keep, audit: vec![tally.summary(&sum, now_ms)] }
        };
        let fates = store.change(&names, &admit, &judge)?;
        let Verdict { keep, audit } = judge(&fates);
        if keep {
            let journal = Journal::default();
            audit.iter().for_each(|event| journal.write(event));
        }
        names.iter().zip(fates).for_each(|(name, fates)| tally.count(name, fates));
        let applied = self.request.accepted || tally.complete();
        Ok(tally.report(self.methods.config, applied, self.request.dry_run))
    }

    fn admission<'a>(&'a self, person: &'a Person, now_ms: i64) -> Admission<'a> {
        Admission { person, methods: &self.methods, recovery_key: self.recovery_key, now_ms }
    }
}

/// The methods that imported tokens can have.
struct Methods<'a> {
    config: &'a Config,
    /// The one that all are to have.
    wanted: Option<&'a str>,
}

impl Methods<'_> {
    /// The name of a token's method.
    fn name(&self, factor: Factor) -> &str {
        self.wanted.unwrap_or(kind(factor))
    }

    /// The method of `person`'s token that moves like this.
    fn of(&self, factor: Factor, person: &Person) -> Result<&Method, String> {
        let (name, kind) = (self.name(factor), kind(factor));
        let method = self.config.method(name);
        let method = method
            .ok_or_else(|| format!("there is no method {name:?}; see `otpctl method list`"))?;
        if !method.usable() {
            let text = "is disabled, or linked to no directory; see `otpctl method`";
            return Err(format!("method {name:?} {text}"));
        }
        if std::mem::discriminant(&method.factor) != std::mem::discriminant(&factor) {
            return Err(format!("method {name:?} is for other tokens than {kind}"));
        }
        if !method.directories.iter().any(|one| one == LOCAL || person.members.contains(one)) {
            let directories = method.directories.join(", ");
            return Err(format!("method {name:?} is for users of {directories} only"));
        }
        Ok(method)
    }

    /// The directories beside the system's own whose users may have one of them.
    fn directories(&self) -> BTreeSet<String> {
        let names = self.wanted.map_or_else(|| vec!["totp", "hotp"], |name| vec![name]);
        let methods = names.into_iter().filter_map(|name| self.config.method(name));
        let linked = methods.flat_map(|method| method.directories.iter());
        linked.filter(|one| *one != LOCAL).cloned().collect()
    }
}

fn kind(factor: Factor) -> &'static str {
    if matches!(factor, Factor::Hotp) { "hotp" } else { "totp" }
}
