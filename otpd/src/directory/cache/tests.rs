use std::{
    collections::VecDeque,
    sync::atomic::{AtomicUsize, Ordering},
};

use super::*;
use crate::{clock::ManualClock, store::Pending};

/// Answers what it was given, in turn, and then that it is down; counts.
#[derive(Default)]
struct Scripted {
    answers: Mutex<VecDeque<Option<Record>>>,
    asked: AtomicUsize,
}

impl Source for Arc<Scripted> {
    fn look_up<'a>(&'a self, _: &'a str) -> Pending<'a, Result<Option<Record>, DirectoryError>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let answer = self.answers.lock().unwrap().pop_front();
        Box::pin(async { answer.ok_or_else(|| DirectoryError("down".to_owned())) })
    }

    fn check<'a>(&'a self) -> Pending<'a, Vec<String>> {
        Box::pin(async { Vec::new() })
    }
}

struct World {
    cached: Cached,
    source: Arc<Scripted>,
    clock: Arc<ManualClock>,
}

fn world(outage_ms: Option<u64>) -> World {
    let (source, clock) = (Arc::<Scripted>::default(), Arc::new(ManualClock::at(1_000_000)));
    let keeping = Keeping { age_ms: 10_000, outage_ms };
    let port: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
    let cached = Cached::new(Box::new(Arc::clone(&source)), keeping, port);
    World { cached, source, clock }
}

impl World {
    fn answers(&self, answers: impl IntoIterator<Item = Option<Record>>) {
        self.source.answers.lock().unwrap().extend(answers);
    }

    /// The answer, and how often the source has been asked.
    fn ask(&self, name: &str) -> (Result<Option<Record>, ()>, usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let answer = runtime.block_on(self.cached.look_up(name));
        (answer.map_err(drop), self.source.asked.load(Ordering::SeqCst))
    }
}

fn record(end: i64) -> Record {
    Record { expires_ms: Some(end), ..Record::default() }
}

#[test]
fn an_answer_counts_until_its_age_and_for_its_own_name() {
    let world = world(None);
    world.answers([1, 2, 3].map(|end| Some(record(end))));
    assert_eq!(world.ask("alice"), (Ok(Some(record(1))), 1));
    world.clock.advance(9_999);
    assert_eq!(world.ask("alice"), (Ok(Some(record(1))), 1));
    assert_eq!(world.ask("Alice"), (Ok(Some(record(2))), 2));
    world.clock.advance(1);
    assert_eq!(world.ask("alice"), (Ok(Some(record(3))), 3));
}

#[test]
fn nobody_is_not_remembered_and_takes_away_what_was() {
    let world = world(Some(60_000));
    world.answers([None, Some(record(1)), None]);
    assert_eq!(world.ask("alice"), (Ok(None), 1));
    assert_eq!(world.ask("alice"), (Ok(Some(record(1))), 2));
    world.clock.advance(10_000);
    assert_eq!(world.ask("alice"), (Ok(None), 3));
    assert_eq!(world.ask("alice"), (Err(()), 4), "down, and nothing is left of what was");
}

#[test]
fn an_outage_denies_where_nothing_else_is_configured() {
    let world = world(None);
    world.answers([Some(record(1))]);
    assert_eq!(world.ask("alice").0, Ok(Some(record(1))));
    world.clock.advance(10_000);
    assert_eq!(world.ask("alice"), (Err(()), 2));
    assert_eq!(world.ask("alice"), (Err(()), 3), "asked again at once");
    assert_eq!(world.cached.failure(), Some(("down".to_owned(), 1_010_000)));
    world.answers([Some(record(2))]);
    assert_eq!(world.ask("alice"), (Ok(Some(record(2))), 4));
    assert_eq!(world.cached.failure(), None);
}

#[test]
fn an_outage_is_bridged_for_as_long_as_is_configured() {
    let world = world(Some(60_000));
    world.answers([Some(record(1))]);
    assert_eq!(world.ask("alice"), (Ok(Some(record(1))), 1));
    world.clock.advance(10_000);
    assert_eq!(world.ask("alice"), (Ok(Some(record(1))), 2));
    assert_eq!(world.ask("alice"), (Ok(Some(record(1))), 2), "nobody waits for it again");
    assert_eq!(world.ask("bob"), (Err(()), 3), "who was never there is not let in");
    world.clock.advance(5_000);
    assert_eq!(world.ask("alice"), (Ok(Some(record(1))), 4), "after a rest it is asked again");
    world.clock.advance(44_999);
    assert_eq!(world.ask("alice").0, Ok(Some(record(1))));
    world.clock.advance(1);
    assert_eq!(world.ask("alice").0, Err(()));
}

#[test]
fn the_memory_is_bounded_and_the_newest_stay() {
    let mut memory = Memory::default();
    for n in 0..2 * MOST as u64 + 17 {
        // Many of the same moment, as in a burst.
        memory.keep(&format!("user{n}"), Record::default(), n / 1000);
        assert!(memory.kept.len() <= MOST);
    }
    let newest = format!("user{}", 2 * MOST + 16);
    assert!(memory.kept.contains_key(&newest) && !memory.kept.contains_key("user0"));
    let mut same = Memory::default();
    (0..=MOST).for_each(|n| same.keep(&format!("user{n}"), Record::default(), 7));
    assert!((MOST / 4..=MOST).contains(&same.kept.len()), "{}", same.kept.len());
}
