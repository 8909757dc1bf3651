//! Any history leaves the accounts that a plain map would have.

use otp_core::out_of_band::Challenge;
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
    Show { token: usize, by: Option<u8> },
    Owe { token: usize, second: u64 },
    Pace(Option<u32>),
    Rekey { token: usize, key: u8 },
    Disable { token: usize, until_ms: Option<i64> },
    Fail { locked_until_ms: Option<i64> },
    Succeed,
    Issue(Vec<u8>),
    Recover(usize),
    Reach { mobile: Option<u8>, mail: Option<u8> },
    Send { token: usize, to: u8, late_ms: i64 },
    Answer(usize),
    Expire(usize),
    IssueCode { seed: u8, kept: bool },
    UseCode(usize),
    AddClient { seed: u8, until_ms: Option<i64> },
    DropClient(usize),
    Mark(bool),
    Settle(usize),
    Nothing,
}

/// Everything that a store keeps of its users, in plain.
#[derive(Default)]
struct Model {
    accounts: [Option<Account>; USERS.len()],
    messages: Vec<Sent>,
    now_ms: i64,
}

/// A message that the ledger remembers.
struct Sent {
    user: usize,
    id: String,
    recipient: String,
    time_ms: i64,
    waits: bool,
}

const USERS: [&str; 3] = ["alice", "bob", "alic"];

impl Model {
    /// What the ledger counts.
    fn count(&self, since_ms: i64, of: impl Fn(&Sent) -> bool) -> u32 {
        let counted = |sent: &&Sent| sent.time_ms > since_ms && of(sent);
        self.messages.iter().filter(counted).count() as u32
    }

    /// All three counts, for the user and the first recipient.
    fn counts(&self, user: usize, since_ms: i64) -> [u32; 3] {
        [
            self.count(since_ms, |sent| sent.user == user),
            self.count(since_ms, |sent| sent.recipient == recipient(0)),
            self.count(since_ms, |_| true),
        ]
    }

    /// Does what the step means for one user's messages; what the store is asked to do.
    fn post(&mut self, number: usize, user: usize, step: &Step) -> (Vec<Outgoing>, Vec<String>) {
        match step {
            Step::Send { to, late_ms, .. } => {
                self.now_ms += late_ms;
                let time_ms = self.now_ms;
                let queued = message(&format!("message-{number}"), &recipient(*to), time_ms);
                self.messages.push(Sent {
                    user,
                    id: queued.id.clone(),
                    recipient: queued.recipient.clone(),
                    time_ms,
                    waits: true,
                });
                self.messages.retain(|sent| (sent.time_ms - time_ms).abs() <= LEDGER_MS);
                (vec![queued], Vec::new())
            }
            Step::Settle(at) if *at < self.messages.len() => {
                let sent = &mut self.messages[*at];
                sent.waits &= sent.user != user;
                (Vec::new(), vec![sent.id.clone()])
            }
            Step::Remove if self.accounts[user].is_some() => {
                let own = self.messages.iter_mut().filter(|sent| sent.user == user);
                own.for_each(|sent| sent.waits = false);
                Default::default()
            }
            _ => Default::default(),
        }
    }

    fn waiting(&self) -> Vec<(String, Outgoing)> {
        let waiting = self.messages.iter().filter(|sent| sent.waits);
        let opened = |sent: &Sent| message(&sent.id, &sent.recipient, sent.time_ms);
        waiting.map(|sent| (USERS[sent.user].to_owned(), opened(sent))).collect()
    }
}

fn recipient(number: u8) -> String {
    format!("+1555000{number:04}")
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
            Self::Show { token, by } => {
                if let Some(token) = account.tokens.get_mut(token % count) {
                    token.share = by.map_or(Share::Shared, |by| Share::Showing {
                        by: format!(":1.{by}"),
                        since_ms: number as i64,
                        until_ms: i64::from(by),
                    });
                    token.accepted += u64::from(by.is_none());
                }
            }
            Self::Owe { token, second } => {
                if let Some(token) = account.tokens.get_mut(token % count) {
                    token.rejoin = match second {
                        0 => Rejoin::Settled,
                        1 => Rejoin::Due,
                        second => Rejoin::Half { second },
                    };
                }
            }
            Self::Pace(attempts) => {
                account.pace = attempts.map(|attempts| Pace::new(attempts, number as u64));
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
            Self::Reach { mobile, mail } => {
                let mobile = mobile.map(recipient);
                let mail = mail.map(|number| format!("user{number}@example.com"));
                account.contacts = contacts(mobile.as_deref(), mail.as_deref());
            }
            Self::Send { token, to, .. } => {
                if let Some(token) = account.tokens.get(token % count) {
                    let token = token.id.clone();
                    account.challenges.push(Challenge { token, ..challenge(to) });
                }
            }
            Self::Answer(at) if at < account.challenges.len() => {
                let challenge = &mut account.challenges[at];
                challenge.tries = challenge.tries.saturating_sub(1);
            }
            Self::IssueCode { seed, kept } => {
                let mut code = issued(&format!("issued-{number}"));
                code.digest = Digest([seed; 32]);
                code.code = code.code.filter(|_| kept);
                account.issued.push(code);
            }
            Self::UseCode(at) if at < account.issued.len() => {
                account.issued[at].uses_left = 0;
                account.issued[at].code = None;
                account.issued.drain(..at);
            }
            Self::AddClient { seed, until_ms } => account.clients.push(Client {
                identity: (seed > 9).then(|| format!("{seed}")),
                remembered: until_ms.map(|until_ms| remembered("sshd", "::1", until_ms)),
                ..client(&format!("client-{number}"))
            }),
            Self::DropClient(at) if at < account.clients.len() => {
                account.clients.remove(at);
            }
            Self::Mark(administrator) => account.administrator = administrator,
            Self::Expire(at) if at < account.challenges.len() => {
                drop(account.challenges.drain(..=at));
            }
            _ => {}
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    let time = || proptest::option::of(any::<i64>());
    let number = || proptest::option::of(0..3_u8);
    // Mostly little, sometimes back, sometimes most of a day.
    let late = || prop_oneof![3 => 0..60_000_i64, 1 => -90_000_000..90_000_000_i64];
    prop_oneof![
        4 => Just(Step::Create),
        1 => Just(Step::Remove),
        4 => (any::<bool>(), any::<u8>()).prop_map(|(hotp, key)| Step::AddToken { hotp, key }),
        1 => (0..4_usize).prop_map(Step::RemoveToken),
        4 => (0..4_usize, 0..1000_u64).prop_map(|(token, by)| Step::MoveOn { token, by }),
        1 => (0..4_usize, any::<u8>()).prop_map(|(token, key)| Step::Rekey { token, key }),
        1 => (0..4_usize, 0..4_u64).prop_map(|(token, second)| Step::Owe { token, second }),
        1 => proptest::option::of(any::<u32>()).prop_map(Step::Pace),
        2 => (0..4_usize, number()).prop_map(|(token, by)| Step::Show { token, by }),
        1 => (0..4_usize, time()).prop_map(|(token, until_ms)| Step::Disable { token, until_ms }),
        2 => time().prop_map(|locked_until_ms| Step::Fail { locked_until_ms }),
        1 => Just(Step::Succeed),
        1 => proptest::collection::vec(any::<u8>(), 0..10).prop_map(Step::Issue),
        2 => (0..10_usize).prop_map(Step::Recover),
        2 => (number(), number()).prop_map(|(mobile, mail)| Step::Reach { mobile, mail }),
        4 => (0..4_usize, 0..3_u8, late()).prop_map(|(token, to, late_ms)| {
            Step::Send { token, to, late_ms }
        }),
        2 => (0..3_usize).prop_map(Step::Answer),
        1 => (0..3_usize).prop_map(Step::Expire),
        2 => (any::<u8>(), any::<bool>()).prop_map(|(seed, kept)| Step::IssueCode { seed, kept }),
        1 => (0..3_usize).prop_map(Step::UseCode),
        2 => (any::<u8>(), time()).prop_map(|(seed, until_ms)| Step::AddClient { seed, until_ms }),
        1 => (0..3_usize).prop_map(Step::DropClient),
        1 => any::<bool>().prop_map(Step::Mark),
        2 => (0..6_usize).prop_map(Step::Settle),
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
        let backend = new();
        let mut store = backend.open().unwrap();
        let mut model = Model::default();
        for (number, entry) in history.iter().enumerate() {
            let Some((user, step)) = entry else {
                drop(store);
                store = backend.open().unwrap();
                continue;
            };
            let since_ms = model.now_ms - 3_600_000;
            let expected = model.counts(*user, since_ms);
            let (outbox, settled) = model.post(number, *user, step);
            step.apply(number, &mut model.accounts[*user]);
            let (step, name) = (step.clone(), USERS[*user]);
            let counts = wait(decide(&*store, name, move |work| {
                step.apply(number, &mut work.account);
                work.audit.push(event("history", number));
                work.outbox = outbox;
                work.settled = settled;
                [Asked::By(name), Asked::For(Channel::Sms, &recipient(0)), Asked::Over(Channel::Sms)]
                    .map(|asked| work.ledger.count(asked, since_ms).unwrap())
            }))
            .unwrap();
            prop_assert_eq!(counts, expected);
        }
        let done = history.iter().flatten().count();
        let audit = AuditQuery { limit: 1000, ..AuditQuery::default() };
        prop_assert_eq!(details(&*store, audit).len(), done);
        let users = model.accounts.iter().flatten().count() as u64;
        prop_assert_eq!(wait(store.status(0)).unwrap().users, users);
        prop_assert_eq!(queued(&*store), model.waiting());
        for (user, account) in USERS.into_iter().zip(model.accounts) {
            let known = account.as_ref().map(|account| account.contacts.clone());
            prop_assert_eq!(wait(store.contacts(user)).unwrap(), known.unwrap_or_default());
            expect(&*store, user, account);
        }
    });
}
