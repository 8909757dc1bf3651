//! Names that mean something to LDAP, SQL or D-Bus mean nothing here: each is nobody or itself.

use harness::{Counterpart, Login, World, directories::Person, otpd::otpctl_with, pam::code};

use super::{REFUSED, Running, Which, accounts, configuration, enter, stack, test};
use crate::delivery::log_in;

/// Names of accounts that have an entry of their own, with the end of their number.
const KNOWN: [(&str, u32); 9] = [
    ("*", 11),
    ("(", 12),
    (")", 13),
    ("\\", 14),
    ("'", 15),
    (";", 16),
    ("(uid=*)", 17),
    ("x' OR 'x'='x", 18),
    ("\\2a", 19),
];
/// Names of accounts that have none.
const UNKNOWN: [&str; 13] = [
    "**",
    "a*",
    "al?ce",
    "alice)",
    "*)(uid=*",
    "alice)(objectClass=*",
    "\\61lice",
    "alice\\",
    "' OR '1'='1",
    "alice'--",
    "'; DELETE FROM people; --",
    "$1",
    "%",
];

fn number(end: u32) -> String {
    format!("+49170000{end:04}")
}

fn nobody_is_another(which: Which) {
    World::run(|world| {
        let mut people = vec![Person::new("alice", "+491701234581")];
        people.extend(KNOWN.iter().map(|(name, end)| Person::new(name, &number(*end))));
        let names: Vec<_> = KNOWN.iter().map(|(name, _)| *name).chain(UNKNOWN).collect();
        accounts(&names);
        let (directory, table) = which.start(world, &people);
        let gateway = world.gateway();
        let _otpd = world.otpd(&configuration(&table, &gateway));
        stack(world);
        for (name, end) in KNOWN {
            let known: serde_json::Value = serde_json::from_str(&test(name).ok()).unwrap();
            assert_eq!(known["mobile"], format!("+49*****{end}"), "{name}");
        }
        for name in UNKNOWN {
            let asked = test(name);
            assert_eq!(asked.code(), 7, "{name}: {} {}", asked.stdout, asked.stderr);
        }
        let mut host = world.host();
        for (n, (name, end)) in KNOWN.into_iter().enumerate() {
            let granted = enter(&mut host, name, &gateway, n + 1);
            assert_eq!(granted.code(), code::SUCCESS, "{name}: {}", granted.transcript);
            assert_eq!(gateway.messages()[n].to, number(end), "{name}");
        }
        for name in UNKNOWN {
            let refused = log_in(&mut host, Login::new("login", name), |_| "123456".to_owned());
            assert_eq!(refused.code(), REFUSED, "{name}: {}", refused.transcript);
        }
        gateway.stays_at(KNOWN.len());
        assert!(test("alice").ok().contains("+49*****81"), "alice is still there");
        if let Running::Postgresql(server) = directory {
            let log = server.log();
            let told: Vec<_> = log.lines().filter(|line| line.contains("WHERE login =")).collect();
            assert!(!told.is_empty() && told.iter().all(|line| line.contains("$1")), "{log}");
        }
    });
}

#[test]
fn in_openldap() {
    nobody_is_another(Which::OpenLdap);
}

#[test]
fn in_active_directory() {
    nobody_is_another(Which::ActiveDirectory);
}

#[test]
fn in_postgresql() {
    nobody_is_another(Which::Postgresql);
}

#[test]
fn in_sqlite() {
    nobody_is_another(Which::Sqlite);
}

#[test]
fn in_sssd() {
    nobody_is_another(Which::Sssd);
}

#[test]
fn in_a_file() {
    nobody_is_another(Which::File);
}

/// What is no number and no address is none, whatever else it is; nothing of it reaches a gateway or
/// makes a line of the log.
fn values_are_not_believed(which: Which) {
    World::run(|world| {
        let mut alice = Person::new("alice", "+49170123\n4581");
        alice.mail = "alice@example.com\r\nBcc: eve@example.com".to_owned();
        alice.groups = vec!["\x1b[31mwheel\n<0>otpd: all is well".to_owned()];
        let mut bob = Person::new("bob", "+491701234581;+491701234599");
        bob.mail = "bob@example.com,eve@example.com".to_owned();
        let (_directory, table) = which.start(world, &[alice, bob]);
        let gateway = world.gateway();
        let _otpd = world.otpd(&configuration(&table, &gateway));
        stack(world);
        let mut host = world.host();
        for user in ["alice", "bob"] {
            let known: serde_json::Value = serde_json::from_str(&test(user).ok()).unwrap();
            let none = serde_json::Value::Null;
            assert_eq!((&known["mobile"], &known["mail"]), (&none, &none), "{user}");
            let refused = log_in(&mut host, Login::new("login", user), |_| "123456".to_owned());
            assert_eq!(refused.code(), REFUSED, "{user}: {}", refused.transcript);
        }
        let shown = otpctl_with(&["directory", "test", "corp", "alice"], b"").ok();
        assert!(!shown.contains('\x1b') && !shown.contains("\n<0>"), "{shown:?}");
        assert!(!world.log().records().iter().any(|record| record.starts_with("<0>")));
        gateway.stays_at(0);
    });
}

#[test]
fn values_of_sssd_are_not_believed() {
    values_are_not_believed(Which::Sssd);
}

#[test]
fn values_of_postgresql_are_not_believed() {
    values_are_not_believed(Which::Postgresql);
}

#[test]
fn values_of_sqlite_are_not_believed() {
    values_are_not_believed(Which::Sqlite);
}
