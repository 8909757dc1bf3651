//! 100,000 people: each is found, and as quickly as the only one.

use std::{
    fmt::Write as _,
    fs,
    time::{Duration, Instant},
};

use harness::{
    Counterpart, World,
    counterparts::certificates::Flaw,
    directories::{one_of_many, postgresql::QUERY, slapd::Kind},
    pam::code,
};

use super::{FILE, accounts, configuration, enter, sqlite, sqlite_table, stack, test};

const MANY: usize = 100_000;
/// A look-up may take this long on a busy machine, otpctl's own time included.
const BOUND: Duration = Duration::from_secs(2);

fn each_is_found(world: &World, table: &str) {
    let (first, last) = (one_of_many(0), one_of_many(MANY - 1));
    accounts(&[&first.name, &last.name]);
    let gateway = world.gateway();
    let _otpd = world.otpd(&configuration(table, &gateway));
    stack(world);
    // The first look-up may read everything.
    test(&first.name).ok();
    for person in [&first, &last, &one_of_many(MANY / 2)] {
        let began = Instant::now();
        let known = test(&person.name).ok();
        assert!(began.elapsed() < BOUND, "{:?}", began.elapsed());
        let end = &person.mobile[person.mobile.len() - 2..];
        assert!(known.contains(&format!("+49*****{end}")), "{known}");
    }
    assert_eq!(test(&format!("person{MANY}")).code(), 7);
    let mut host = world.host();
    for (n, person) in [first, last].into_iter().enumerate() {
        let granted = enter(&mut host, &person.name, &gateway, n + 1);
        assert_eq!(granted.code(), code::SUCCESS, "{}", granted.transcript);
        assert!(granted.machine() < BOUND, "{:?}", granted.machine());
        assert_eq!(gateway.messages()[n].to, person.mobile);
    }
}

#[test]
fn in_slapd() {
    World::run(|world| {
        let people: Vec<_> = (0..MANY).map(one_of_many).collect();
        let slapd = world.slapd(Kind::OpenLdap, &people);
        each_is_found(world, &slapd.directory("corp", "openldap"));
    });
}

#[test]
fn in_postgresql() {
    World::run(|world| {
        let server = world.postgresql(Flaw::None, &[], MANY);
        each_is_found(world, &server.directory("corp", QUERY));
    });
}

#[test]
fn in_sqlite() {
    World::run(|world| {
        sqlite(&[], MANY);
        each_is_found(world, &sqlite_table());
    });
}

#[test]
fn in_a_file() {
    World::run(|world| {
        let mut text = String::new();
        for person in (0..MANY).map(one_of_many) {
            writeln!(text, "{}:{}:::", person.name, person.mobile).unwrap();
        }
        fs::write(FILE, text).unwrap();
        each_is_found(world, &format!("[directory.corp]\ntype = \"file\"\npath = {FILE:?}\n"));
    });
}
