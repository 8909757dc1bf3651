use std::{
    collections::VecDeque,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use tokio::time::{advance, sleep};

use super::*;
use crate::{Pending, Recipient, modemmanager};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// Plays what it is told, then takes everything.
struct Scripted {
    script: Mutex<VecDeque<(Duration, Answer)>>,
    asked: AtomicUsize,
    inside: AtomicUsize,
    most: AtomicUsize,
    takes: Duration,
    width: usize,
}

impl Scripted {
    fn new(width: usize, takes: Duration, script: Vec<(Duration, Answer)>) -> Arc<Self> {
        let (asked, inside, most) = Default::default();
        Arc::new(Self { script: Mutex::new(script.into()), asked, inside, most, takes, width })
    }

    fn playing(answers: Vec<Answer>) -> Arc<Self> {
        Self::new(64, Duration::ZERO, answers.into_iter().map(|a| (Duration::ZERO, a)).collect())
    }

    fn asked(&self) -> usize {
        self.asked.load(SeqCst)
    }
}

impl Channel for Scripted {
    fn send<'a>(&'a self, _: &'a Message) -> Pending<'a, Answer> {
        self.asked.fetch_add(1, SeqCst);
        let next = self.script.lock().unwrap().pop_front();
        let (takes, answer) = next.unwrap_or((self.takes, Ok(Receipt::default())));
        Box::pin(async move {
            self.most.fetch_max(self.inside.fetch_add(1, SeqCst) + 1, SeqCst);
            sleep(takes).await;
            self.inside.fetch_sub(1, SeqCst);
            answer
        })
    }

    fn width(&self) -> usize {
        self.width
    }
}

fn id(name: &str) -> ProviderId {
    ProviderId { medium: Medium::Sms, name: name.to_owned() }
}

fn message() -> Message {
    Message::example(Recipient::phone())
}

fn down() -> Answer {
    Err(Failure::Unavailable("down".to_owned()))
}

fn unknown() -> Answer {
    Err(Failure::Unknown("silent".to_owned()))
}

fn refused() -> Answer {
    Err(Failure::Refused("no such number".to_owned()))
}

/// A dispatcher with providers `a`, `b`, … and the order of all of them.
fn dispatcher(channels: &[&Arc<Scripted>]) -> (Dispatcher, Vec<ProviderId>) {
    let dispatcher = Dispatcher::new();
    let order: Vec<_> = ["a", "b", "c"].iter().take(channels.len()).map(|name| id(name)).collect();
    for (id, channel) in order.iter().zip(channels) {
        dispatcher.insert(id.clone(), Arc::clone(*channel) as Arc<dyn Channel>);
    }
    (dispatcher, order)
}

#[tokio::test(start_paused = true)]
async fn the_next_one_is_asked_unless_the_message_is_refused() {
    for (first, second, taken_by, asked, ready_after) in [
        (Ok(Receipt::default()), down(), Some("a"), (1, 0), true),
        (down(), Ok(Receipt::default()), Some("b"), (1, 1), false),
        (unknown(), Ok(Receipt::default()), Some("b"), (1, 1), false),
        (refused(), Ok(Receipt::default()), None, (1, 0), true),
        (down(), refused(), None, (1, 1), false),
        (down(), unknown(), None, (1, 1), false),
    ] {
        let (a, b) =
            (Scripted::playing(vec![first.clone()]), Scripted::playing(vec![second.clone()]));
        let (dispatcher, order) = dispatcher(&[&a, &b]);
        let report = dispatcher.send(&order, &message(), MINUTE).await;
        let what = format!("{first:?}, {second:?}: {report:?}");
        assert_eq!(report.outcome.is_ok(), taken_by.is_some(), "{what}");
        assert_eq!((a.asked(), b.asked()), asked, "{what}");
        let failed: Vec<_> = [(&order[0], &first), (&order[1], &second)]
            .into_iter()
            .take(asked.0 + asked.1)
            .filter_map(|(id, answer)| Some((id.clone(), answer.as_ref().err()?.to_string())))
            .collect();
        assert_eq!(report.tries, failed, "{what}");
        let last =
            taken_by.map_or_else(|| failed.last().map(|(id, _)| id.clone()), |n| Some(id(n)));
        assert_eq!(report.provider, last, "{what}");
        assert_eq!(dispatcher.ready(&order[..1]), ready_after, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_failed_is_skipped_until_it_has_rested() {
    let (a, b) = (Scripted::playing(vec![down()]), Scripted::playing(vec![]));
    let (dispatcher, order) = dispatcher(&[&a, &b]);
    for _ in 0..5 {
        let report = dispatcher.send(&order, &message(), MINUTE).await;
        assert_eq!(report.provider, Some(id("b")));
    }
    assert_eq!((a.asked(), b.asked()), (1, 5));
    assert!(dispatcher.ready(&order) && !dispatcher.ready(&order[..1]));
    let health = dispatcher.health();
    assert_eq!(health[0].circuit, Circuit::Open { left: 30 * SECOND });
    assert_eq!(health[0].last_failure, Some((Duration::ZERO, "down".to_owned())));
    assert_eq!((health[1].circuit, &health[1].last_failure), (Circuit::Closed, &None));
    advance(30 * SECOND).await;
    assert_eq!(dispatcher.send(&order, &message(), MINUTE).await.provider, Some(id("a")));
    assert_eq!(dispatcher.health()[0].circuit, Circuit::Closed);
}

#[tokio::test(start_paused = true)]
async fn if_all_have_failed_the_one_that_rested_longest_comes_first() {
    let (a, b) = (Scripted::playing(vec![down(), down()]), Scripted::playing(vec![down()]));
    let (dispatcher, order) = dispatcher(&[&a, &b]);
    let reversed: Vec<_> = order.iter().rev().cloned().collect();
    dispatcher.send(&order[..1], &message(), MINUTE).await;
    advance(SECOND).await;
    dispatcher.send(&order[1..], &message(), MINUTE).await;
    assert!(!dispatcher.ready(&order));
    advance(SECOND).await;
    let report = dispatcher.send(&reversed, &message(), MINUTE).await;
    assert_eq!(report.tries, [(id("a"), "not sent: down".to_owned())]);
    assert_eq!(report.provider, Some(id("b")));
    assert!(dispatcher.ready(&order[1..]));
}

#[tokio::test(start_paused = true)]
async fn a_flood_asks_a_dead_provider_one_at_a_time_and_all_go_when_it_is_back() {
    let script = vec![(Duration::ZERO, down()), (3 * SECOND, down())];
    let a = Scripted::new(64, SECOND, script);
    let (dispatcher, order) = dispatcher(&[&a]);
    let dispatcher = Arc::new(dispatcher);
    dispatcher.send(&order, &message(), MINUTE).await;
    a.most.store(0, SeqCst);
    let begun = Instant::now();
    let flood: Vec<_> = (0..50)
        .map(|_| {
            let (dispatcher, order) = (Arc::clone(&dispatcher), order.clone());
            tokio::spawn(async move { dispatcher.send(&order, &message(), MINUTE).await })
        })
        .collect();
    sleep(2 * SECOND).await;
    assert_eq!((a.asked(), a.most.load(SeqCst)), (2, 1));
    let mut sent = 0;
    for one in flood {
        sent += usize::from(one.await.unwrap().outcome.is_ok());
    }
    // 3 s until the first one fails, 1 s until the second one is through, 1 s for all others.
    assert_eq!((sent, begun.elapsed()), (49, 5 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn no_more_than_the_width_are_sent_at_once_and_waiting_counts() {
    let a = Scripted::new(2, 4 * SECOND, vec![]);
    let (dispatcher, order) = dispatcher(&[&a]);
    let dispatcher = Arc::new(dispatcher);
    let six: Vec<_> = (0..6)
        .map(|_| {
            let (dispatcher, order) = (Arc::clone(&dispatcher), order.clone());
            tokio::spawn(async move { dispatcher.send(&order, &message(), 6 * SECOND).await })
        })
        .collect();
    let mut outcomes = Vec::new();
    for one in six {
        outcomes.push(one.await.unwrap().outcome.map_err(|failure| failure.to_string()));
    }
    outcomes.sort_by_key(|outcome| outcome.clone().err());
    let late = "not known to be sent: no answer before the time was up".to_owned();
    let dropped = "not sent: dropped here: no place was free within 6s".to_owned();
    let sent = Ok(Receipt::default());
    let due = [Err(late.clone()), Err(late), Err(dropped.clone()), Err(dropped)];
    assert_eq!(outcomes[..2], [sent.clone(), sent]);
    assert!(due.iter().all(|outcome| outcomes.contains(outcome)), "{outcomes:?}");
    assert_eq!((a.most.load(SeqCst), a.asked()), (2, 4));
    // Neither is the provider's fault.
    assert!(dispatcher.ready(&order));
}

#[tokio::test(start_paused = true)]
async fn a_full_provider_leaves_time_for_the_next_one() {
    let (a, b) = (Scripted::new(1, 9 * SECOND, vec![]), Scripted::playing(vec![]));
    let (dispatcher, order) = dispatcher(&[&a, &b]);
    let message = message();
    let (first, second) = tokio::join!(
        dispatcher.send(&order, &message, 10 * SECOND),
        dispatcher.send(&order, &message, 10 * SECOND),
    );
    assert_eq!((first.provider, second.provider), (Some(id("a")), Some(id("b"))));
    assert_eq!(
        second.tries,
        [(id("a"), "not sent: dropped here: no place was free within 5s".to_owned())]
    );
}

#[tokio::test(start_paused = true)]
async fn one_that_hangs_is_cut_off() {
    let (a, b) = (Scripted::new(64, MINUTE, vec![]), Scripted::playing(vec![]));
    let (dispatcher, order) = dispatcher(&[&a, &b]);
    let begun = Instant::now();
    let report = dispatcher.send(&order, &message(), MINUTE).await;
    assert_eq!((report.provider, begun.elapsed()), (Some(id("b")), 10 * SECOND));
    assert_eq!(report.tries[0].1, "not known to be sent: no answer within 10s");
    assert!(!dispatcher.ready(&order[..1]));
}

#[tokio::test(start_paused = true)]
async fn the_time_being_up_is_the_end() {
    let (a, b) =
        (Scripted::new(64, 2 * SECOND, vec![(2 * SECOND, down())]), Scripted::playing(vec![]));
    let (dispatcher, order) = dispatcher(&[&a, &b]);
    let report = dispatcher.send(&order, &message(), Duration::ZERO).await;
    assert_eq!(report.outcome, Err(Failure::Unavailable("dropped after 0ns".to_owned())));
    assert_eq!((a.asked(), b.asked()), (0, 0));
    let report = dispatcher.send(&order, &message(), 2 * SECOND).await;
    assert_eq!((report.tries.len(), b.asked()), (2, 0), "{report:?}");
    assert!(dispatcher.send(&order, &message(), Duration::MAX).await.outcome.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_given_up_frees_what_it_held() {
    let a = Scripted::new(1, SECOND, vec![(Duration::ZERO, down()), (9 * SECOND, down())]);
    let (dispatcher, order) = dispatcher(&[&a]);
    dispatcher.send(&order, &message(), MINUTE).await;
    let message = message();
    assert!(timeout(SECOND, dispatcher.send(&order, &message, MINUTE)).await.is_err());
    assert!(dispatcher.send(&order, &message, 2 * SECOND).await.outcome.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_test_asks_exactly_one_whatever_its_breaker_says() {
    let (a, b) = (Scripted::playing(vec![down(), down()]), Scripted::playing(vec![]));
    let (dispatcher, order) = dispatcher(&[&a, &b]);
    dispatcher.send(&order, &message(), MINUTE).await;
    let report = dispatcher.test(&order[0], &message()).await;
    assert_eq!((report.outcome, a.asked(), b.asked()), (down(), 2, 1));
    assert!(dispatcher.test(&order[0], &message()).await.outcome.is_ok());
    assert!(dispatcher.ready(&order[..1]));
    let report = dispatcher.test(&id("z"), &message()).await;
    assert_eq!(report.outcome, Err(unconfigured()));
}

#[tokio::test]
async fn what_is_configured_as_before_stays_as_it_is() {
    let settings = |bus: &str| {
        let bus = format!("unix:path=/nonexistent/{bus}");
        Provider::ModemManager(modemmanager::Settings { bus, ..Default::default() })
    };
    let dispatcher = Dispatcher::new();
    let configure = |providers: &[(&str, Provider)]| {
        let providers = providers.iter().map(|(name, settings)| (id(name), settings.clone()));
        dispatcher.configure(providers.collect())
    };
    let rest = || -> Vec<_> {
        let name = |health: Health| (health.id.name, health.circuit != Circuit::Closed);
        dispatcher.health().into_iter().map(name).collect()
    };
    let state = |a, b| vec![("a".to_owned(), a), ("b".to_owned(), b)];
    configure(&[("a", settings("1")), ("b", settings("1"))]).unwrap();
    let report = dispatcher.send(&[id("a"), id("b")], &message(), MINUTE).await;
    assert_eq!((report.tries.len(), rest()), (2, state(true, true)), "{report:?}");
    configure(&[("a", settings("1")), ("b", settings("2"))]).unwrap();
    assert_eq!(rest(), state(true, false));
    let wrong = modemmanager::Settings { timeout: Duration::ZERO, ..Default::default() };
    let error = configure(&[("c", Provider::ModemManager(wrong))]).unwrap_err();
    assert!(error.starts_with("provider sms.c: timeout "), "{error}");
    assert_eq!(rest(), state(true, false));
    assert_eq!(dispatcher.health()[0].kind, "modemmanager");
    configure(&[("b", settings("2"))]).unwrap();
    assert_eq!(rest(), [("b".to_owned(), false)]);
}

#[tokio::test]
async fn without_providers_nothing_is_sent() {
    let dispatcher = Dispatcher::new();
    let report = dispatcher.send(&[], &message(), MINUTE).await;
    assert!(matches!((report.outcome, report.provider), (Err(Failure::Unavailable(_)), None)));
    let report = dispatcher.send(&[id("z")], &message(), MINUTE).await;
    assert_eq!((report.outcome, report.provider), (Err(unconfigured()), Some(id("z"))));
    assert!(!dispatcher.ready(&[id("z")]) && dispatcher.health().is_empty());
    assert_eq!(id("main").to_string(), "sms.main");
}

#[tokio::test(start_paused = true)]
async fn nothing_secret_gets_into_a_report() {
    let all = "482913 is your code, for +491701234581 (491701234581), 482913\r\nno".to_owned();
    let receipt = Receipt { id: Some(all.clone()), reply: all.clone() };
    for answer in [
        Ok(receipt),
        Err(Failure::Unavailable(all.clone())),
        Err(Failure::Unknown(all.clone())),
        Err(Failure::Refused(all)),
    ] {
        let a = Scripted::playing(vec![answer]);
        let (dispatcher, order) = dispatcher(&[&a]);
        let report = dispatcher.send(&order, &message(), MINUTE).await;
        let seen = format!("{report:?} {:?}", dispatcher.health());
        assert!(seen.contains("…, for … (…), …  no"), "{seen}");
        assert!(!seen.contains("482913") && !seen.contains("1701234581"), "{seen}");
    }
}
