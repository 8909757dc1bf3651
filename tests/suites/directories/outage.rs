//! A directory that is down or says nothing: bounded time, and the outcome that is configured.

use std::time::Duration;

use harness::{
    Counterpart, Host, Login, Outcome, World,
    counterparts::{certificates::Flaw, gateway::Gateway},
    directories::{
        Person,
        postgresql::QUERY,
        silent::Silent,
        slapd::{Kind, Slapd},
    },
    otpd::{document, otpctl_with},
    pam::code,
    process::until,
};

use super::{Running, Which, configuration, enter, stack};
use crate::delivery::log_in;

const ALICE: &str = "+491701234581";
/// Within this a login ends whose directory does not answer within 1 s.
const BOUND: Duration = Duration::from_secs(3);

fn people() -> [Person; 2] {
    [Person::new("alice", ALICE), Person::new("bob", "+491701234582").state("disabled")]
}

fn attempt(host: &mut Host, user: &str) -> Outcome {
    log_in(host, Login::new("login", user), |_| "123456".to_owned())
}

/// No code is sent and nobody is let in; who is known and who is not ends alike and in time.
fn unavailable(host: &mut Host, gateway: &Gateway, sent: usize) {
    for user in ["alice", "bob", "nobody-at-all"] {
        let tried = attempt(host, user);
        assert_eq!(tried.code(), code::AUTHINFO_UNAVAIL, "{user}: {}", tried.transcript);
        assert!(tried.machine() < BOUND, "{user}: {:?}", tried.machine());
    }
    assert_eq!(gateway.messages().len(), sent);
}

/// Down: the login is denied; back: it works at once, without a restart of ours.
fn denies(which: Which, stop: fn(&mut Running), start: fn(&mut Running)) {
    World::run(|world| {
        let (mut directory, table) = which.start(world, &people());
        let table = table + "timeout = \"1s\"\ncache = \"1s\"\n";
        let gateway = world.gateway();
        let _otpd = world.otpd(&configuration(&table, &gateway));
        stack(world);
        let mut host = world.host();
        assert_eq!(enter(&mut host, "alice", &gateway, 1).code(), code::SUCCESS);
        std::thread::sleep(Duration::from_millis(1100));
        stop(&mut directory);
        unavailable(&mut host, &gateway, 1);
        let listed = document(&["directory", "list"]);
        assert_eq!(listed["items"][1]["state"], "failing", "{listed}");
        let status = document(&["status"]);
        assert_eq!(status["health"], "degraded", "{status}");
        assert!(status["problems"].to_string().contains("directory corp: "), "{status}");
        start(&mut directory);
        until("the directory is used again", || attempt(&mut host, "bob").code() == code::AUTH_ERR);
        let granted = enter(&mut host, "alice", &gateway, 2);
        assert_eq!(granted.code(), code::SUCCESS, "{}", granted.transcript);
        assert_eq!(document(&["status"])["health"], "ok");
    });
}

fn stop(directory: &mut Running) {
    match directory {
        Running::Ldap(slapd) => slapd.stop(),
        Running::Postgresql(server) => server.stop(),
        Running::Sssd(pipe) => pipe.stop(),
        Running::File => std::fs::rename(super::FILE, "/etc/otpd/aside").unwrap(),
    }
}

fn start(directory: &mut Running) {
    match directory {
        Running::Ldap(slapd) => slapd.restart(),
        Running::Postgresql(server) => server.restart(),
        Running::Sssd(pipe) => pipe.restart(),
        Running::File => std::fs::rename("/etc/otpd/aside", super::FILE).unwrap(),
    }
}

#[test]
fn slapd_is_down() {
    denies(Which::OpenLdap, stop, start);
}

#[test]
fn slapd_is_frozen() {
    denies(
        Which::ActiveDirectory,
        |directory| {
            if let Running::Ldap(slapd) = directory {
                slapd.freeze();
            }
        },
        |directory| {
            if let Running::Ldap(slapd) = directory {
                slapd.thaw();
            }
        },
    );
}

#[test]
fn postgresql_is_down() {
    denies(Which::Postgresql, stop, start);
}

#[test]
fn sqlite_is_gone() {
    denies(Which::Sqlite, stop, start);
}

#[test]
fn the_file_is_gone() {
    World::run(|world| {
        let (mut directory, table) = Which::File.start(world, &people());
        let gateway = world.gateway();
        let _otpd = world.otpd(&configuration(&table, &gateway));
        stack(world);
        let mut host = world.host();
        assert_eq!(enter(&mut host, "alice", &gateway, 1).code(), code::SUCCESS);
        stop(&mut directory);
        unavailable(&mut host, &gateway, 1);
        start(&mut directory);
        assert_eq!(attempt(&mut host, "bob").code(), code::AUTH_ERR);
        std::fs::write(super::FILE, "alice:no number:::\n").unwrap();
        unavailable(&mut host, &gateway, 1);
        let test = super::test("alice");
        assert!(test.stderr.contains("/etc/otpd/people:1: mobile: "), "{}", test.stderr);
    });
}

#[test]
fn sssd_is_down() {
    World::run(|world| {
        let (mut directory, table) = Which::Sssd.start(world, &people());
        let gateway = world.gateway();
        let _otpd = world.otpd(&configuration(&(table + "timeout = \"1s\"\n"), &gateway));
        stack(world);
        let mut host = world.host();
        stop(&mut directory);
        let tried = attempt(&mut host, "alice");
        assert_eq!(tried.code(), code::AUTHINFO_UNAVAIL, "{}", tried.transcript);
        assert!(super::test("alice").stderr.contains("sssd-dbus"), "says what to do");
        start(&mut directory);
        if let Running::Sssd(pipe) = &directory {
            pipe.freeze();
        }
        let tried = attempt(&mut host, "alice");
        assert_eq!(tried.code(), code::AUTHINFO_UNAVAIL, "{}", tried.transcript);
        assert!(tried.machine() < BOUND, "{:?}", tried.machine());
        stop(&mut directory);
        start(&mut directory);
        let granted = enter(&mut host, "alice", &gateway, 1);
        assert_eq!(granted.code(), code::SUCCESS, "{}", granted.transcript);
    });
}

/// With `outage = "cache"` what was told before counts, for who was there before, and nobody waits.
#[test]
fn the_cache_bridges_an_outage() {
    World::run(|world| {
        let mut slapd = world.slapd(Kind::OpenLdap, &people());
        let keys = "timeout = \"1s\"\ncache = \"1s\"\noutage = \"cache\"\ncache_outage = \"1h\"\n";
        let table = slapd.directory("corp", "openldap") + keys;
        let gateway = world.gateway();
        let _otpd = world.otpd(&configuration(&table, &gateway));
        stack(world);
        let mut host = world.host();
        assert_eq!(enter(&mut host, "alice", &gateway, 1).code(), code::SUCCESS);
        assert_eq!(attempt(&mut host, "bob").code(), code::AUTH_ERR);
        std::thread::sleep(Duration::from_millis(1100));
        let down: [fn(&mut Slapd); 2] = [Slapd::stop, |slapd| {
            slapd.restart();
            slapd.freeze();
        }];
        for (n, down) in down.into_iter().enumerate() {
            down(&mut slapd);
            let granted = enter(&mut host, "alice", &gateway, n + 2);
            assert_eq!(granted.code(), code::SUCCESS, "{}", granted.transcript);
            assert!(granted.machine() < BOUND, "{:?}", granted.machine());
            assert_eq!(gateway.messages()[n + 1].to, ALICE);
            assert_eq!(attempt(&mut host, "bob").code(), code::AUTH_ERR, "still disabled");
            let unknown = attempt(&mut host, "user001");
            assert_eq!(unknown.code(), code::AUTHINFO_UNAVAIL, "never asked for before");
            assert!(unknown.machine() < BOUND, "{:?}", unknown.machine());
        }
    });
}

/// A server that accepts and says nothing, for LDAP with and without TLS and for PostgreSQL: 30 s
/// are nothing to it, and each login ends after the directory's time limit.
#[test]
fn a_server_that_says_nothing_holds_nobody_up() {
    World::run(|world| {
        let silent = Silent::start();
        let (slapd, postgresql) =
            (world.slapd(Kind::OpenLdap, &[]), world.postgresql(Flaw::None, &[], 0));
        let other = |table: String, scheme: &str| {
            let lines = table.lines().map(|line| match line.split(' ').next() {
                Some("url") => format!("url = \"{scheme}://localhost:{}\"\n", silent.port),
                Some("port") => format!("port = {}\n", silent.port),
                _ => format!("{line}\n"),
            });
            lines.collect::<String>() + "timeout = \"1s\"\n"
        };
        let ldap = || slapd.directory("corp", "openldap");
        for table in [
            other(ldap(), "ldap"),
            other(ldap(), "ldaps"),
            other(ldap().replace("ca = ", "tls = \"none\"\n# "), "ldap"),
            other(postgresql.directory("corp", QUERY), ""),
        ] {
            let gateway = world.gateway();
            let mut otpd = world.otpd(&configuration(&table, &gateway));
            stack(world);
            let before = silent.accepted();
            unavailable(&mut world.host(), &gateway, 0);
            assert!(silent.accepted() > before, "it was asked: {table}");
            let test = super::test("alice");
            assert!(test.stderr.contains("no answer within 1s"), "{}", test.stderr);
            otpd.stop();
        }
    });
}

/// Nobody is asked about a login that no answer could change.
#[test]
fn a_login_that_depends_on_no_directory_asks_none() {
    World::run(|world| {
        let silent = Silent::start();
        let port = silent.port;
        let table = format!(
            "[directory.corp]\ntype = \"ldap\"\nurl = \"ldap://localhost:{port}\"\ntls = \"none\"\nbase = \"dc=example\"\nmobile = \"mobile\"\ngroups = \"memberOf\"\n"
        );
        let gateway = world.gateway();
        let _otpd = world.otpd(&configuration(&table, &gateway));
        stack(world);
        let token = harness::otpd::enrol("alice", &[]);
        let granted = log_in(&mut world.host(), Login::new("login", "alice"), |_| token.code());
        assert_eq!(granted.code(), code::SUCCESS, "{}", granted.transcript);
        assert_eq!(silent.accepted(), 0);
    });
}

/// Another directory counts after a reload; what stays as it is keeps what it has.
#[test]
fn a_reload_changes_directories() {
    World::run(|world| {
        let (_directory, table) = Which::File.start(world, &people());
        let gateway = world.gateway();
        let _otpd = world.otpd(&configuration("", &gateway));
        stack(world);
        let mut host = world.host();
        assert_ne!(enter_none(&mut host).code(), code::SUCCESS);
        std::fs::write(harness::otpd::CONFIGURATION, configuration(&table, &gateway)).unwrap();
        otpctl_with(&["config", "reload"], b"").ok();
        let granted = enter(&mut host, "alice", &gateway, 1);
        assert_eq!(granted.code(), code::SUCCESS, "{}", granted.transcript);
    });
}

fn enter_none(host: &mut Host) -> Outcome {
    attempt(host, "alice")
}

/// Whoever is between us and the server can say anything before TLS begins; that fails, and nothing
/// else does.
#[test]
fn a_server_that_talks_nonsense_ends_nobody() {
    /// No message at all, an empty one, one without an operation, a search's end without a result,
    /// an operation that is none, the beginning of a very long one, and another protocol.
    const WORDS: [&[u8]; 7] = [
        b"\x00\x00",
        b"\x30\x00",
        b"\x30\x03\x02\x01\x01",
        b"\x30\x05\x02\x01\x01\x65\x00",
        b"\x30\x05\x02\x01\x01\x7f\x00",
        b"\x30\x84\x7f\xff\xff\xff\x02",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
    ];
    World::run(|world| {
        for words in WORDS {
            let server = Silent::saying(words);
            for tls in ["required", "none"] {
                let port = server.port;
                let table = format!(
                    "[directory.corp]\ntype = \"ldap\"\nurl = \"ldap://localhost:{port}\"\ntls = {tls:?}\nbase = \"dc=example\"\nschema = \"openldap\"\nmobile = \"mobile\"\ntimeout = \"1s\"\nca = \"/run/e2e/ca\"\n"
                );
                let table = if tls == "none" { table.replace("ca = ", "# ca = ") } else { table };
                let authority = harness::counterparts::certificates::Certificate::new(Flaw::None);
                std::fs::copy(authority.authority, "/run/e2e/ca").unwrap();
                let gateway = world.gateway();
                let mut otpd = world.otpd(&configuration(&table, &gateway));
                stack(world);
                unavailable(&mut world.host(), &gateway, 0);
                assert_eq!(super::test("alice").code(), 1, "{words:?} {tls}");
                assert_eq!(document(&["status"])["health"], "degraded", "otpd lives: {words:?}");
                otpd.stop();
            }
        }
    });
}
