//! Whether a server is what the configuration takes it for.

use harness::{
    World,
    directories::{
        Person,
        slapd::{Kind, SECRET, Slapd},
    },
    otpd::otpctl_with,
};

use super::{configuration, test};

fn slapd(world: &World, kind: Kind) -> Slapd {
    world.slapd(kind, &[Person::new("alice", "+491701234581")])
}

/// What a check says of the table, with and without the daemon.
fn problems(world: &World, table: &str) -> Option<String> {
    let gateway = world.gateway();
    let mut otpd = world.otpd(&configuration(table, &gateway));
    let check = otpctl_with(&["config", "check", "--directories"], b"");
    let asked = otpctl_with(&["directory", "test", "corp"], b"");
    otpd.stop();
    assert_eq!(check.code() == 0, asked.code() == 0, "{} {}", check.stderr, asked.stderr);
    assert!(!check.stderr.contains(SECRET) && !asked.stderr.contains(SECRET));
    (asked.code() != 0).then(|| {
        let why = asked.stderr.split("cannot be used: ").nth(1).unwrap_or_default().trim();
        for part in why.split("; ") {
            assert!(check.stderr.contains(part), "{part}: {}", check.stderr);
        }
        why.to_owned()
    })
}

/// Ubisecure: AD needs `directory.schema=Active Directory`, and `Generic` fails.
#[test]
fn u15_a_schema_that_is_not_the_servers_is_found_by_the_check() {
    World::run(|world| {
        let ad = slapd(world, Kind::ActiveDirectory);
        assert_eq!(problems(world, &ad.directory("corp", "active-directory")), None);
        for schema in ["generic", "openldap"] {
            let found = problems(world, &ad.directory("corp", schema)).unwrap();
            let expected = format!(
                "the server is an Active Directory, but schema is {schema:?}: set schema = \"active-directory\""
            );
            assert!(found.contains(&expected), "{found}");
        }
    });
    World::run(|world| {
        let other = slapd(world, Kind::OpenLdap);
        for schema in ["generic", "openldap"] {
            assert_eq!(problems(world, &other.directory("corp", schema)), None);
        }
        let found = problems(world, &other.directory("corp", "active-directory")).unwrap();
        assert!(found.contains("the server is no Active Directory"), "{found}");
        assert!(found.contains("no attribute sAMAccountName"), "{found}");
        assert!(found.contains("no class user"), "{found}");
    });
}

/// Each fault is named: who is refused, what does not exist, what the server does not know.
#[test]
fn what_is_wrong_with_a_server_is_named() {
    World::run(|world| {
        let mut server = slapd(world, Kind::OpenLdap);
        let table = server.directory("corp", "openldap");
        for (from, to, named) in [
            (SECRET, "wrong", "bind_dn or password is wrong"),
            ("cn=otpd,", "cn=nobody,", "bind_dn or password is wrong"),
            ("ou=people,", "ou=nobody,", "the base does not exist"),
            ("mobile = \"mobile\"", "mobile = \"handy\"", "no attribute handy"),
            ("localhost", "127.0.0.2", "127.0.0.2"),
            ("mail = \"mail\"", "groups = \"memberOf\"", "no attribute memberOf"),
            ("ca = ", "tls = \"none\"\n# ", "it wants TLS"),
        ] {
            let found = problems(world, &table.replace(from, to)).unwrap_or_default();
            assert!(found.contains(named), "{to}: {found}");
        }
        server.stop();
        let found = problems(world, &table).unwrap();
        assert!(found.contains("refused"), "{found}");
    });
}

/// Two entries of one name are an error, and nobody of them.
#[test]
fn two_entries_of_one_name_are_an_error() {
    World::run(|world| {
        let people = ["+491701234581", "+491701234582"].map(|number| Person::new("alice", number));
        let server = world.slapd(Kind::OpenLdap, &people);
        let gateway = world.gateway();
        let _otpd = world.otpd(&configuration(&server.directory("corp", "openldap"), &gateway));
        let asked = test("alice");
        assert_eq!(asked.code(), 1);
        assert!(asked.stderr.contains("more than one entry matches"), "{}", asked.stderr);
    });
}
