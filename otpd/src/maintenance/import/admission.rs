//! One user's tokens into the account.

use otp_core::{
    account::Account,
    enrolment::NewToken,
    import::{Admitted, Imported, admit, admit_recovery},
    secret::Secret,
    throttle::{Lockout, Pace},
    token::{Factor, State},
};

use zeroize::Zeroizing;

use super::{Methods, gather::Found, people::Person};
use crate::{
    engine::{drop_pending, random_id, stranger},
    import::Row,
};

/// Highest counter that is believed: no device comes so far.
const MOST_COUNTER: u64 = 1 << 40;
/// Why a key in a user's own file is not taken.
const OTHER_KEY: &str = "the user has a token, and this is another key: whoever can write the file \
                         may have put it there; to take it all the same, name the user with --user";
/// Longest label in bytes.
const LONGEST_LABEL: usize = 128;

/// What became of a token.
pub(super) struct Fate {
    pub(super) file: usize,
    pub(super) line: usize,
    /// Why it is not taken, or what it is now.
    pub(super) outcome: Result<Token, String>,
}

/// A token that is taken.
pub(super) struct Token {
    pub(super) id: String,
    pub(super) label: String,
    pub(super) method: String,
    pub(super) admitted: Admitted,
    /// Recovery codes that came with it.
    pub(super) recovery: usize,
    pub(super) warnings: Vec<String>,
}

/// What an account's tokens are admitted by.
pub(super) struct Admission<'a> {
    pub(super) person: &'a Person,
    pub(super) methods: &'a Methods<'a>,
    /// The key of recovery codes' digests.
    pub(super) recovery_key: &'a [u8; 32],
    pub(super) now_ms: i64,
}

impl Admission<'_> {
    /// Takes the tokens one by one. A user who had no account has one if one of them is taken.
    pub(super) fn take_all(&self, account: &mut Option<Account>, rows: &[Found]) -> Vec<Fate> {
        let mut own = account.take().unwrap_or_default();
        let new = own == Account::default();
        let (before, enrolled) = (own.uid, own.enrolled());
        let mut fates = Vec::with_capacity(rows.len());
        for Found { file, row, own_word } in rows {
            let (file, line) = (*file, row.line);
            let known = own.tokens.iter().any(|token| token.secret == row.secret);
            let outcome = match stranger(&self.person.name, before, Some(self.person.uid)) {
                Some(why) => Err(why),
                // A hijacked session must not enrol itself by a file in the user's home.
                None if *own_word && enrolled && !known => Err(OTHER_KEY.to_owned()),
                None => self.take(&mut own, row),
            };
            fates.push(Fate { file, line, outcome });
        }
        if fates.iter().any(|fate| fate.outcome.is_ok()) {
            own.uid = Some(self.person.uid);
        }
        *account = Some(own).filter(|own| !new || !own.tokens.is_empty());
        fates
    }

    fn take(&self, account: &mut Account, row: &Row) -> Result<Token, String> {
        let method = self.methods.of(row.factor, self.person)?;
        if matches!(row.factor, Factor::Hotp) && row.next > MOST_COUNTER {
            return Err("the counter is beyond any device's; enrol the user anew".into());
        }
        let mut warnings = row.warnings.clone();
        let state = state(row.disabled, row.from_ms, self.now_ms);
        let place = account.tokens.iter().position(|token| token.secret == row.secret);
        let wanted = row.label.as_deref().unwrap_or_default();
        let secret = Secret::new(Zeroizing::new(row.secret.expose().to_vec()));
        let new = NewToken {
            id: random_id().map_err(|error| error.to_string())?,
            label: if place.is_some() { String::new() } else { label(account, wanted) },
            method: method.name.clone(),
            factor: row.factor,
            algorithm: row.algorithm,
            digits: row.digits,
            secret: secret.map_err(|error| error.to_string())?,
            pending_until_ms: None,
            share: false,
            expires_ms: row.expires_ms,
        };
        let imported = Imported { token: new, next: row.next, offset_ms: row.offset_ms, state };
        let admitted = admit(account, imported, self.now_ms).map_err(|error| error.to_string())?;
        let mut recovery = 0;
        if admitted == Admitted::Added {
            recovery = admit_recovery(account, &row.recovery, self.recovery_key);
            if recovery < row.recovery.len() {
                let left = row.recovery.len() - recovery;
                warnings.push(format!("{left} scratch codes are not taken: too many, or known"));
            }
            self.limit(account, row.pace, &mut warnings);
        }
        let token = match place {
            Some(place) => account.tokens.get(place),
            None => account.tokens.last(),
        };
        let token = token.ok_or("the token is gone; try again")?;
        let (id, label, method) = (token.id.clone(), token.label.clone(), token.method.clone());
        if admitted == Admitted::Added {
            // As with any token that is active at once.
            drop_pending(account, &id);
        }
        Ok(Token { id, label, method, admitted, recovery, warnings })
    }

    /// Keeps a limit that lets fewer attempts through than there are anyway.
    fn limit(&self, account: &mut Account, pace: Option<(u32, u64)>, warnings: &mut Vec<String>) {
        let Some((attempts, interval_ms)) = pace else { return };
        let pace = Pace::new(attempts, interval_ms);
        let allowed = attempts_within(&self.methods.config.lockout, interval_ms);
        if attempts >= allowed {
            warnings.push(format!(
                "its limit of {attempts} attempts in {} s is not taken over: [lockout] lets \
                 {allowed} through in that time",
                interval_ms / 1000
            ));
        } else if account.pace.is_none_or(|own| pace.stricter(&own)) {
            account.pace = Some(pace);
        }
    }
}

/// How many wrong codes `[lockout]` lets a user give in so many milliseconds, from the first one on.
fn attempts_within(lockout: &Lockout, interval_ms: u64) -> u32 {
    let (mut attempts, mut lock_ms) = (lockout.after, lockout.first_ms.max(1));
    let mut elapsed_ms = lock_ms;
    while elapsed_ms < interval_ms && attempts < lockout.disable_after {
        attempts += 1;
        lock_ms = lock_ms.saturating_mul(2).min(lockout.longest_ms.max(1));
        elapsed_ms = elapsed_ms.saturating_add(lock_ms);
    }
    attempts
}

fn state(disabled: bool, from_ms: Option<i64>, now_ms: i64) -> State {
    let waits = from_ms.filter(|from_ms| *from_ms > now_ms);
    match (disabled, waits) {
        (true, _) => {
            State::Disabled { until_ms: None, reason: "disabled before import".to_owned() }
        }
        (false, Some(from_ms)) => {
            State::Disabled { until_ms: Some(from_ms), reason: "not valid yet".to_owned() }
        }
        (false, None) => State::Active,
    }
}

/// The wanted label, with a number where it is taken; none where it cannot be one.
fn label(account: &Account, wanted: &str) -> String {
    let free = |label: &String| account.tokens.iter().all(|token| token.label != *label);
    let plain: String = wanted.chars().filter(|c| !c.is_control()).collect();
    let plain = plain.trim();
    if plain.is_empty() || plain.len() > LONGEST_LABEL - 3 {
        return String::new();
    }
    let numbered = (2..100).map(|number| format!("{plain} {number}"));
    std::iter::once(plain.to_owned()).chain(numbered).find(free).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lockout_lets_so_many_attempts_through() {
        let usual = Lockout { after: 5, first_ms: 60_000, longest_ms: 900_000, disable_after: 100 };
        for (lockout, interval_ms, attempts) in [
            (usual, 1, 5),
            (usual, 30_000, 5),
            (usual, 60_000, 5),
            (usual, 60_001, 6),
            (usual, 180_000, 6),
            (usual, 180_001, 7),
            (usual, 3_600_000, 11),
            (usual, u64::MAX, 100),
            (Lockout { disable_after: 3, after: 3, ..usual }, 3_600_000, 3),
            (Lockout { first_ms: 0, longest_ms: 0, ..usual }, 3_600_000, 100),
        ] {
            assert_eq!(attempts_within(&lockout, interval_ms), attempts, "{interval_ms}");
        }
    }

    #[test]
    fn what_was_disabled_or_not_valid_yet_stays_so() {
        assert_eq!(state(false, None, 100), State::Active);
        assert_eq!(state(false, Some(100), 100), State::Active);
        for (disabled, from_ms, until_ms) in
            [(false, Some(101), Some(101)), (true, None, None), (true, Some(101), None)]
        {
            let State::Disabled { until_ms: found, .. } = state(disabled, from_ms, 100) else {
                panic!("{disabled} {from_ms:?}")
            };
            assert_eq!(found, until_ms);
        }
    }
}
