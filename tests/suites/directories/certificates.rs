//! A server whose certificate is not as it should be is told nothing and believed nothing.

use harness::{
    Counterpart, Login, World,
    counterparts::certificates::Flaw,
    directories::{Person, postgresql::QUERY},
    otpd::otpctl_with,
    pam::code,
};

use super::{configuration, stack, test};
use crate::delivery::log_in;

const FLAWS: [(Flaw, &str); 3] = [
    (Flaw::Name, "not valid for name"),
    (Flaw::Expired, "expired"),
    (Flaw::Issuer, "invalid peer certificate"),
];

/// The table of a server with that flaw; what must not be in its log, and the log.
fn refused(world: &World, table: &str, told: &str, flaw: Flaw) {
    let gateway = world.gateway();
    let mut otpd = world.otpd(&configuration(table, &gateway));
    stack(world);
    let asked = test("alice");
    assert_eq!(asked.code(), 1, "{flaw:?}: {}", asked.stdout);
    assert!(asked.stderr.contains(told), "{flaw:?}: {}", asked.stderr);
    let check = otpctl_with(&["config", "check", "--directories"], b"");
    assert!(check.code() != 0 && check.stderr.contains(told), "{flaw:?}: {}", check.stderr);
    let tried = log_in(&mut world.host(), Login::new("login", "alice"), |_| "123456".to_owned());
    assert_eq!(tried.code(), code::AUTHINFO_UNAVAIL, "{flaw:?}: {}", tried.transcript);
    gateway.stays_at(0);
    otpd.stop();
}

#[test]
fn of_ldap() {
    for (flaw, told) in FLAWS {
        World::run(|world| {
            let slapd = world.flawed_slapd(flaw, &[Person::new("alice", "+491701234581")]);
            refused(world, &slapd.directory("corp", "openldap"), told, flaw);
        });
        World::run(|world| {
            let slapd = world.flawed_slapd(flaw, &[Person::new("alice", "+491701234581")]);
            refused(world, &slapd.directory_over_tls("corp", "openldap"), told, flaw);
        });
    }
}

#[test]
fn of_postgresql() {
    for (flaw, told) in FLAWS {
        World::run(|world| {
            let people = [Person::new("alice", "+491701234581")];
            let server = world.postgresql(flaw, &people, 0);
            refused(world, &server.directory("corp", QUERY), told, flaw);
            assert!(!server.log().contains("WHERE login"), "nothing was asked");
        });
    }
}
