//! Logins with numbers, groups and states from every kind of directory.

use harness::{
    Counterpart, Login, World,
    directories::{Person, slapd::Kind},
    otpd::{document, otpctl_with},
    pam::code,
};

use super::{REFUSED, Which, configuration, enter, last_detail, stack, test};
use crate::delivery::log_in;

const ALICE: &str = "+491701234581";
const BOB: &str = "+491701234582";

/// alice's code goes to the number that the directory has; bob, whose account is off there, is asked
/// as everybody is and let in by nothing.
fn number_group_and_state(which: Which) {
    World::run(|world| {
        let people = [
            Person::new("alice", ALICE).groups(&["staff", "wheel"]),
            Person::new("bob", BOB).state("disabled"),
            Person::new("user001", BOB).state("expired"),
        ];
        let (_directory, table) = which.start(world, &people);
        let gateway = world.gateway();
        let _otpd = world.otpd(&configuration(&table, &gateway));
        stack(world);

        let known: serde_json::Value = serde_json::from_str(&test("alice").ok()).unwrap();
        assert_eq!((&known["found"], &known["mobile"]), (&true.into(), &"+49*****81".into()));
        let mut groups: Vec<_> =
            known["groups"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        groups.sort_unstable();
        assert_eq!(groups, ["staff", "wheel"]);
        assert_eq!(known["state"], "active");
        assert_eq!(test("nobody-of-that-name").code(), 7);

        let mut host = world.host();
        let granted = enter(&mut host, "alice", &gateway, 1);
        assert_eq!(granted.code(), code::SUCCESS, "{}", granted.transcript);
        assert_eq!(gateway.messages()[0].to, ALICE);
        assert_eq!(document(&["user", "show", "alice"])["mobile"], "+49*****81");
        if !which.tells_state() {
            return;
        }
        for (user, state) in [("bob", "disabled"), ("user001", "expired")] {
            let known: serde_json::Value = serde_json::from_str(&test(user).ok()).unwrap();
            assert_eq!(known["state"], state);
            let refused = log_in(&mut host, Login::new("login", user), |_| "123456".to_owned());
            let unknown = log_in(&mut host, Login::new("login", "nobody"), |_| "123456".to_owned());
            assert_eq!((refused.code(), unknown.code()), (REFUSED, REFUSED));
            assert_eq!(refused.transcript, unknown.transcript);
            assert_eq!(last_detail(user), format!("the account is {state} in directory corp"));
        }
        gateway.stays_at(1);
    });
}

#[test]
fn by_openldap_with_starttls() {
    number_group_and_state(Which::OpenLdap);
}

#[test]
fn by_openldap_over_tls() {
    number_group_and_state(Which::OpenLdapOverTls);
}

#[test]
fn by_active_directory() {
    number_group_and_state(Which::ActiveDirectory);
}

#[test]
fn by_postgresql() {
    number_group_and_state(Which::Postgresql);
}

#[test]
fn by_sqlite() {
    number_group_and_state(Which::Sqlite);
}

#[test]
fn by_sssd() {
    number_group_and_state(Which::Sssd);
}

#[test]
fn by_a_file() {
    number_group_and_state(Which::File);
}

/// What an administrator has set comes before what the directory has, and then nobody asks it.
#[test]
fn what_an_administrator_has_set_comes_first() {
    World::run(|world| {
        let (mut directory, table) =
            Which::ActiveDirectory.start(world, &[Person::new("alice", ALICE)]);
        let table = table.replace("\"active-directory\"", "\"generic\"")
            + "filter = \"(sAMAccountName={user})\"\n";
        let gateway = world.gateway();
        let _otpd = world.otpd(&configuration(&table, &gateway));
        stack(world);
        otpctl_with(&["user", "set", "alice", &format!("mobile={BOB}")], b"").ok();
        if let super::Running::Ldap(slapd) = &mut directory {
            slapd.stop();
        }
        let granted = enter(&mut world.host(), "alice", &gateway, 1);
        assert_eq!(granted.code(), code::SUCCESS, "{}", granted.transcript);
        assert_eq!(gateway.messages()[0].to, BOB);
    });
}

/// A method that is linked to one directory is for the users of that one.
#[test]
fn a_method_is_for_the_users_of_its_directories() {
    World::run(|world| {
        let (_directory, table) = Which::File.start(world, &[Person::new("alice", ALICE)]);
        let method = "[[method]]\nname = \"totp\"\ndirectories = [\"corp\"]\n";
        let _otpd = world.otpd(&(table + method));
        stack(world);
        let token = harness::otpd::enrol("alice", &[]);
        let refused =
            otpctl_with(&["token", "add", "bob", "--no-confirm", "--output", "/run/e2e/bob"], b"");
        assert_ne!(refused.code(), 0);
        assert!(
            refused.stderr.contains("is for users of corp, where bob is not known"),
            "{}",
            refused.stderr
        );

        let mut host = world.host();
        let granted = log_in(&mut host, Login::new("login", "alice"), |_| token.code());
        assert_eq!(granted.code(), code::SUCCESS, "{}", granted.transcript);
        super::write_file(&[Person::new("bob", BOB)]);
        std::thread::sleep(std::time::Duration::from_millis(20));
        let later = log_in(&mut host, Login::new("login", "alice"), |_| token.code());
        assert_eq!(later.code(), REFUSED);
        assert!(last_detail("alice").contains("its directories do not know the user"));
    });
}

/// Each contact comes from whatever attribute is named.
#[test]
fn l02_any_attribute_may_hold_the_number() {
    World::run(|world| {
        let mut alice = Person::new("alice", BOB);
        alice.mail = ALICE.to_owned();
        let (_directory, table) = Which::OpenLdap.start(world, &[alice]);
        let table = table.replace("mobile = \"mobile\"\nmail = \"mail\"", "mobile = \"mail\"");
        let gateway = world.gateway();
        let _otpd = world.otpd(&configuration(&table, &gateway));
        stack(world);
        let granted = enter(&mut world.host(), "alice", &gateway, 1);
        assert_eq!(granted.code(), code::SUCCESS, "{}", granted.transcript);
        assert_eq!(gateway.messages()[0].to, ALICE);
    });
}

/// What belongs to a token is in our store alone: not in the directory, and not in a home.
#[test]
fn u13_tokens_are_in_no_directory_and_in_no_home() {
    World::run(|world| {
        let slapd = world.slapd(Kind::OpenLdap, &[Person::new("alice", ALICE)]);
        let table = slapd.directory("corp", "openldap");
        let method = "[[method]]\nname = \"totp\"\ndirectories = [\"corp\"]\n";
        let _otpd = world.otpd(&(table + method));
        stack(world);
        let homes = || std::fs::read_dir("/home/alice").unwrap().count();
        let before = (slapd.contents(), homes());
        let token = harness::otpd::enrol("alice", &[]);
        let granted = log_in(&mut world.host(), Login::new("login", "alice"), |_| token.code());
        assert_eq!(granted.code(), code::SUCCESS, "{}", granted.transcript);
        assert_eq!((slapd.contents(), homes()), before);
    });
}

/// Tokens of users of every kind of directory are managed with the same verbs.
#[test]
fn u14_users_of_every_directory_are_managed_alike() {
    for which in
        [Which::ActiveDirectory, Which::Postgresql, Which::Sqlite, Which::Sssd, Which::File]
    {
        World::run(|world| {
            let (_directory, table) = which.start(world, &[Person::new("alice", ALICE)]);
            let method = "[[method]]\nname = \"totp\"\ndirectories = [\"corp\"]\n";
            let _otpd = world.otpd(&(table + method));
            stack(world);
            let (token, mut host) = (harness::otpd::enrol("alice", &[]), world.host());
            let mut log_in = |code: String| {
                log_in(&mut host, Login::new("login", "alice"), |_| code.clone()).code()
            };
            assert_eq!(log_in(token.code()), code::SUCCESS, "{which:?}");
            let id = harness::otpd::items(&["token", "list", "alice"])[0]["id"].clone();
            let id = id.as_str().unwrap();
            otpctl_with(&["token", "disable", id, "--reason", "lost"], b"").ok();
            assert_eq!(log_in(token.code()), REFUSED, "{which:?}");
            otpctl_with(&["token", "enable", id], b"").ok();
            otpctl_with(&["token", "remove", id, "--yes"], b"").ok();
            assert!(harness::otpd::items(&["token", "list", "alice"]).is_empty());
        });
    }
}
