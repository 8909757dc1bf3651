//! Any history leaves the accounts that a plain map would have.

use proptest::prelude::*;

use super::*;

/// What a random history is made of.
#[derive(Clone, Debug)]
enum Step {
    Create,
    Remove,
    AddToken { hotp: bool, key: u8 },
    RemoveToken(usize),
    MoveOn { token: usize, by: u64 },
    Rekey { token: usize, key: u8 },
    Disable { token: usize, until_ms: Option<i64> },
    Fail { locked_until_ms: Option<i64> },
    Succeed,
    Issue(Vec<u8>),
    Recover(usize),
    Nothing,
}

impl Step {
    fn apply(&self, number: usize, account: &mut Option<Account>) {
        match (self, account) {
            (Self::Create, account @ None) => *account = Some(Account::default()),
            (Self::Remove, account) => *account = None,
            (_, None) => {}
            (step, Some(account)) => step.change(number, account),
        }
    }

    fn change(&self, number: usize, account: &mut Account) {
        let count = account.tokens.len().max(1);
        match *self {
            Self::AddToken { hotp, key } => account.tokens.push(Token {
                factor: if hotp { Factor::Hotp } else { token("").factor },
                secret: secret(key, 20),
                ..token(&format!("token-{number}"))
            }),
            Self::RemoveToken(at) if at < account.tokens.len() => drop(account.tokens.remove(at)),
            Self::Succeed => account.throttle = Throttle::default(),
            Self::Fail { locked_until_ms } => {
                account.throttle.failures += 1;
                account.throttle.locked_until_ms = locked_until_ms;
            }
            Self::Issue(ref codes) => {
                account.recovery = codes.iter().map(|byte| Digest([*byte; 32])).collect();
            }
            Self::Recover(at) if at < account.recovery.len() => {
                account.recovery.remove(at);
            }
            Self::MoveOn { token, by } => {
                if let Some(token) = account.tokens.get_mut(token % count) {
                    token.next += by;
                    token.last_used_ms = Some(number as i64);
                }
            }
            Self::Rekey { token, key } => {
                if let Some(token) = account.tokens.get_mut(token % count) {
                    token.secret = secret(key, 20);
                }
            }
            Self::Disable { token, until_ms } => {
                if let Some(token) = account.tokens.get_mut(token % count) {
                    token.state = State::Disabled { until_ms, reason: format!("r{number}") };
                }
            }
            _ => {}
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    let time = || proptest::option::of(any::<i64>());
    prop_oneof![
        4 => Just(Step::Create),
        1 => Just(Step::Remove),
        4 => (any::<bool>(), any::<u8>()).prop_map(|(hotp, key)| Step::AddToken { hotp, key }),
        1 => (0..4_usize).prop_map(Step::RemoveToken),
        4 => (0..4_usize, 0..1000_u64).prop_map(|(token, by)| Step::MoveOn { token, by }),
        1 => (0..4_usize, any::<u8>()).prop_map(|(token, key)| Step::Rekey { token, key }),
        1 => (0..4_usize, time()).prop_map(|(token, until_ms)| Step::Disable { token, until_ms }),
        2 => time().prop_map(|locked_until_ms| Step::Fail { locked_until_ms }),
        1 => Just(Step::Succeed),
        1 => proptest::collection::vec(any::<u8>(), 0..10).prop_map(Step::Issue),
        2 => (0..10_usize).prop_map(Step::Recover),
        1 => Just(Step::Nothing),
    ]
}

/// A random history of three users, with the store closed and opened in between (`None`).
fn history() -> impl Strategy<Value = Vec<Option<(usize, Step)>>> {
    proptest::collection::vec(proptest::option::weighted(0.9, (0..3_usize, step())), 1..40)
}

pub(crate) fn equals_a_model(new: New<'_>) {
    let config = ProptestConfig { cases: 32, failure_persistence: None, ..Default::default() };
    proptest!(config, |(history in history())| {
        const USERS: [&str; 3] = ["alice", "bob", "alic"];
        let backend = new();
        let mut store = backend.open().unwrap();
        let mut model: [Option<Account>; 3] = Default::default();
        for (number, entry) in history.iter().enumerate() {
            let Some((user, step)) = entry else {
                drop(store);
                store = backend.open().unwrap();
                continue;
            };
            step.apply(number, &mut model[*user]);
            let step = step.clone();
            wait(decide(&*store, USERS[*user], move |work| {
                step.apply(number, &mut work.account);
                work.audit.push(event("history", number));
            }))
            .unwrap();
        }
        let done = history.iter().flatten().count();
        let audit = AuditQuery { limit: 1000, ..AuditQuery::default() };
        prop_assert_eq!(details(&*store, audit).len(), done);
        let users = model.iter().flatten().count() as u64;
        prop_assert_eq!(wait(store.status(0)).unwrap().users, users);
        for (user, account) in USERS.into_iter().zip(model) {
            expect(&*store, user, account);
        }
    });
}
