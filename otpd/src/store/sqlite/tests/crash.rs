//! kill -9 at any moment: what was acknowledged is there, and nothing is there by halves.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
    time::Duration,
};

use otp_core::{account::Account, out_of_band::Challenge, recovery::Digest};

use super::*;
use crate::store::{
    Asked,
    contract::{contacts, message, token, wait},
    decide,
};

const WRITERS: usize = 8;
/// Where the child finds the store; its presence makes this process the child.
const HOME: &str = "OTPD_CRASH_HOME";
/// How often to kill; 20 where it is not set.
const ROUNDS: &str = "OTPD_SOAK_ROUNDS";

#[allow(clippy::disallowed_methods, reason = "a test is told by its caller how long to run")]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn digest(count: u64) -> [u8; 32] {
    [count as u8; 32]
}

fn challenge(count: u64) -> Challenge {
    Challenge {
        token: "t".into(),
        service: "sshd".into(),
        digest: Digest(digest(count)),
        sent_ms: count as i64,
        expires_ms: i64::MAX,
        tries: 3,
    }
}

/// One change that touches every table: the count goes to all of them.
fn advance(store: &SqliteStore, user: &str, count: u64) {
    let name = user.to_owned();
    wait(decide(store, user, move |work| {
        let account = work
            .account
            .get_or_insert_with(|| Account { tokens: vec![token(&name)], ..Account::default() });
        account.throttle.failures = count as u32;
        account.last_success_ms = Some(count as i64);
        account.tokens[0].next = count;
        account.recovery = vec![Digest(digest(count))];
        account.challenges = vec![challenge(count)];
        account.contacts = contacts(None, Some(&format!("user{count}@example.com")));
        work.outbox.push(message(&format!("{name}-{count}"), "+15550000", count as i64));
        work.settled.push(format!("{name}-{}", count - 1));
        work.audit.push(AuditEvent { user: name, time_ms: count as i64, ..AuditEvent::default() });
    }))
    .unwrap();
}

fn counts(store: &SqliteStore, user: &str) -> u64 {
    let name = user.to_owned();
    let count = wait(decide(store, user, move |work| {
        let account = work.account.as_ref()?;
        let next = account.tokens[0].next;
        assert_eq!(u64::from(account.throttle.failures), next);
        assert_eq!(account.last_success_ms, Some(next as i64));
        assert_eq!(account.recovery, [Digest(digest(next))]);
        assert_eq!(account.challenges, [challenge(next)]);
        let address = format!("user{next}@example.com");
        assert_eq!(account.contacts, contacts(None, Some(&address)));
        assert_eq!(u64::from(work.ledger.count(Asked::By(&name), 0).unwrap()), next);
        Some(next)
    }));
    let count = count.unwrap().unwrap_or(0);
    let query = AuditQuery { user: Some(user.into()), limit: 1, ..AuditQuery::default() };
    let audit = wait(store.audit(query)).unwrap().first().map_or(0, |(_, event)| event.time_ms);
    assert_eq!(audit, count as i64, "{user}: the audit record is part of the change");
    let queued = wait(store.queued()).unwrap().into_iter().filter(|(name, _)| name == user);
    let waiting: Vec<_> = queued.map(|(_, message)| message.id).collect();
    let expected = (count > 0).then(|| format!("{user}-{count}"));
    assert_eq!(waiting, Vec::from_iter(expected), "the messages are part of the change");
    count
}

/// The child: changes and acknowledges until it is killed.
fn change_until_killed(directory: &Path) {
    let keys = Keyring::load(None, &directory.join("kek"), geteuid().as_raw()).unwrap();
    let options = Options { owner: geteuid().as_raw(), audit_rows: 100_000 };
    let store = SqliteStore::open(&directory.join("otpd.db"), &keys, options).unwrap();
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let store = &store;
            scope.spawn(move || {
                let user = format!("user-{writer}");
                for count in counts(store, &user) + 1.. {
                    advance(store, &user, count);
                    // One write is one line: a pipe does not tear what is this short.
                    let line = format!("acknowledged {writer} {count}\n");
                    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
                }
            });
        }
    });
}

#[test]
fn killed_at_any_moment() {
    if let Some(directory) = setting(HOME) {
        return change_until_killed(Path::new(&directory));
    }
    let rounds: u64 = setting(ROUNDS).map_or(20, |rounds| rounds.parse().unwrap());
    let home = Home::new();
    let mut acknowledged: HashMap<usize, u64> = HashMap::new();
    for round in 0..rounds {
        let mut child = Command::new("/proc/self/exe")
            .args(["--exact", "store::sqlite::tests::crash::killed_at_any_moment", "--nocapture"])
            .env(HOME, home.directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut seen = 0;
        // Kills after so many acknowledgements, plus a little, to hit every part of a commit.
        let wanted = 1 + (round * 37) % 200;
        for line in lines.map_while(Result::ok) {
            let mut words = line.split_whitespace();
            if words.next() != Some("acknowledged") {
                continue;
            }
            let (writer, count) = (words.next().unwrap(), words.next().unwrap());
            acknowledged.insert(writer.parse().unwrap(), count.parse().unwrap());
            seen += 1;
            if seen == wanted {
                std::thread::sleep(Duration::from_micros(round * 613 % 5000));
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(seen >= wanted, "round {round}: the child ended by itself");
        let store = home.open_keeping(100_000).unwrap();
        for (writer, told) in &mut acknowledged {
            let found = counts(&store, &format!("user-{writer}"));
            // One change of each writer may be committed without having been told.
            assert!(
                (*told..=*told + 1).contains(&found),
                "round {round}: {told} told, {found} found"
            );
            *told = found;
        }
    }
}
