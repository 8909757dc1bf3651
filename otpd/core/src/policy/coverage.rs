//! What two rules have in common: for the checks of the configuration.

use super::{
    Rule,
    criteria::{Client, Criteria, Origin, Terminal},
};
use crate::schedule;

/// Most combinations of values that one rule is taken apart into.
const MOST: usize = 4096;

/// Whether some login may match both. Where that cannot be told, yes.
#[must_use]
pub fn meet(one: &Rule, other: &Rule) -> bool {
    let (one, other) = (&one.criteria, &other.criteria);
    some_meet(&one.services, &other.services, PartialEq::eq)
        && some_meet(&one.users, &other.users, PartialEq::eq)
        // A user may be in any two groups.
        && some_meet(&one.sources, &other.sources, origins_meet)
        && some_meet(&one.terminals, &other.terminals, terminals_meet)
        && some_meet(&one.clients, &other.clients, clients_meet)
        && schedule::meet(&one.times, &other.times)
}

/// Whether every login of which all is known and that `later` matches is matched by one of the
/// earlier rules. Where that cannot be told, no.
#[must_use]
pub fn covered<'a>(earlier: &'a [Rule], later: &Rule) -> Option<Vec<&'a Rule>> {
    if let Some(one) = earlier.iter().find(|rule| covers(&rule.criteria, &later.criteria)) {
        return Some(vec![one]);
    }
    let mut used: Vec<&Rule> = Vec::new();
    for part in parts(&later.criteria)? {
        let over: Vec<_> = earlier.iter().filter(|rule| around(&rule.criteria, &part)).collect();
        let times: Vec<_> = over.iter().map(|rule| rule.criteria.times.as_slice()).collect();
        if over.is_empty() || !schedule::cover(&times, &part.times) {
            return None;
        }
        used.extend(over);
    }
    Some(earlier.iter().filter(|rule| used.iter().any(|one| one.name == rule.name)).collect())
}

/// Why no login can match the rule, where that can be told. `own` is the service of those who
/// manage their own tokens, who have neither a remote side, nor a terminal, nor a client.
#[must_use]
pub fn contradiction(criteria: &Criteria, own: &str) -> Option<&'static str> {
    let only_own = !criteria.services.is_empty() && criteria.services.iter().all(|s| s == own);
    if !only_own {
        return None;
    }
    let remote = !criteria.sources.is_empty() && !criteria.sources.contains(&Origin::Local);
    let named = !criteria.clients.is_empty() && !criteria.clients.contains(&Client::Unknown);
    if remote {
        Some("its source is never local, and its service is always")
    } else if !criteria.terminals.is_empty() {
        Some("its service has no terminal")
    } else if named {
        Some("its service has no client")
    } else {
        None
    }
}

/// Whether one rule's criteria hold all of the other's.
fn covers(earlier: &Criteria, later: &Criteria) -> bool {
    around(earlier, later) && schedule::cover(&[&earlier.times], &later.times)
}

/// The same but for the times.
fn around(earlier: &Criteria, later: &Criteria) -> bool {
    all_within(&earlier.services, &later.services, PartialEq::eq)
        && all_within(&earlier.users, &later.users, PartialEq::eq)
        && all_within(&earlier.groups, &later.groups, PartialEq::eq)
        && all_within(&earlier.sources, &later.sources, origin_holds)
        && all_within(&earlier.terminals, &later.terminals, terminal_holds)
        && (any_client(&earlier.clients)
            || all_within(&earlier.clients, &later.clients, PartialEq::eq))
}

/// Whether the clients are all that there are.
#[must_use]
pub fn any_client(clients: &[Client]) -> bool {
    clients.is_empty() || (clients.contains(&Client::Known) && clients.contains(&Client::Unknown))
}

/// The criteria taken apart: each part has one value of each key, and the times of the whole.
/// `None`: there are too many.
fn parts(criteria: &Criteria) -> Option<Vec<Criteria>> {
    let mut parts = vec![Criteria { times: criteria.times.clone(), ..Criteria::default() }];
    split(&mut parts, &criteria.services, |part| &mut part.services)?;
    split(&mut parts, &criteria.users, |part| &mut part.users)?;
    split(&mut parts, &criteria.groups, |part| &mut part.groups)?;
    split(&mut parts, &criteria.sources, |part| &mut part.sources)?;
    split(&mut parts, &criteria.terminals, |part| &mut part.terminals)?;
    split(&mut parts, &criteria.clients, |part| &mut part.clients)?;
    Some(parts)
}

fn split<T: Clone>(
    parts: &mut Vec<Criteria>,
    values: &[T],
    place: impl Fn(&mut Criteria) -> &mut Vec<T>,
) -> Option<()> {
    if values.is_empty() {
        return Some(());
    }
    if parts.len().saturating_mul(values.len()) > MOST {
        return None;
    }
    *parts = parts
        .iter()
        .flat_map(|part| {
            values.iter().map(|value| {
                let mut part = part.clone();
                *place(&mut part) = vec![value.clone()];
                part
            })
        })
        .collect();
    Some(())
}

fn some_meet<T>(one: &[T], other: &[T], meet: impl Fn(&T, &T) -> bool) -> bool {
    one.is_empty() || other.is_empty() || one.iter().any(|a| other.iter().any(|b| meet(a, b)))
}

fn all_within<T>(earlier: &[T], later: &[T], holds: impl Fn(&T, &T) -> bool) -> bool {
    earlier.is_empty()
        || (!later.is_empty() && later.iter().all(|b| earlier.iter().any(|a| holds(a, b))))
}

fn origins_meet(one: &Origin, other: &Origin) -> bool {
    match (one, other) {
        (Origin::Network(one), Origin::Network(other)) => one.meets(other),
        _ => one == other,
    }
}

fn origin_holds(earlier: &Origin, later: &Origin) -> bool {
    match (earlier, later) {
        (Origin::Network(earlier), Origin::Network(later)) => earlier.covers(later),
        _ => earlier == later,
    }
}

fn terminals_meet(one: &Terminal, other: &Terminal) -> bool {
    terminal_holds(one, other) || terminal_holds(other, one)
}

fn terminal_holds(earlier: &Terminal, later: &Terminal) -> bool {
    match (earlier.pattern(), later.pattern()) {
        ((beginning, true), (name, _)) => name.starts_with(beginning),
        ((one, false), (other, open)) => !open && one == other,
    }
}

fn clients_meet(one: &Client, other: &Client) -> bool {
    match (one, other) {
        (Client::Identity(one), Client::Identity(other)) => one == other,
        (Client::Identity(_), _) | (_, Client::Identity(_)) => true,
        _ => one == other,
    }
}
