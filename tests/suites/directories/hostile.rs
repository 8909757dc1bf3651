//! Names that mean something to LDAP, SQL or D-Bus mean nothing here: each is nobody or itself.

use harness::{Counterpart, Login, World, directories::Person, pam::code};

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
