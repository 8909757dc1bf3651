//! Directories of people: real servers, real logins, and each of them down, slow, false or full.

mod certificates;
mod hostile;
mod logins;
mod many;
mod outage;
mod schema;

use std::fs;

use harness::{
    Counterpart, Host, Login, MODULE, World,
    counterparts::{certificates::Flaw, gateway::Gateway},
    directories::{
        Person,
        infopipe::Infopipe,
        postgresql::{Postgresql, QUERY},
        slapd::{Kind, Slapd},
    },
    otpd::{audit, otpctl_with},
    pam::code,
    process::{Output, command, run},
};

use crate::delivery::{DIGITS, enrolling, log_in};

/// Where SQLite's file and the text file are.
const FILE: &str = "/etc/otpd/people";

/// A directory that runs.
pub(crate) enum Running {
    Ldap(Slapd),
    Postgresql(Postgresql),
    Sssd(Infopipe),
    File,
}

/// Every kind of directory, as its test is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    OpenLdap,
    OpenLdapOverTls,
    ActiveDirectory,
    Postgresql,
    Sqlite,
    Sssd,
    File,
}

impl Which {
    /// Starts it with these people; returns it and the table `[directory.corp]`.
    pub(crate) fn start(self, world: &World, people: &[Person]) -> (Running, String) {
        match self {
            Self::OpenLdap | Self::OpenLdapOverTls => {
                let slapd = world.slapd(Kind::OpenLdap, people);
                let groups = format!("group_base = {:?}\n", harness::directories::slapd::GROUPS);
                let table = match self {
                    Self::OpenLdap => slapd.directory("corp", "openldap"),
                    _ => slapd.directory_over_tls("corp", "openldap"),
                };
                (Running::Ldap(slapd), table + &groups)
            }
            Self::ActiveDirectory => {
                let slapd = world.slapd(Kind::ActiveDirectory, people);
                let table = slapd.directory("corp", "active-directory");
                (Running::Ldap(slapd), table)
            }
            Self::Postgresql => {
                let server = world.postgresql(Flaw::None, people, 0);
                let table = server.directory("corp", QUERY);
                (Running::Postgresql(server), table)
            }
            Self::Sqlite => {
                sqlite(people, 0);
                (Running::File, sqlite_table())
            }
            Self::Sssd => {
                let pipe = world.infopipe(people);
                let table = "[directory.corp]\ntype = \"sssd\"\nmobile = \"mobile\"\nmail = \"mail\"\ngroups = true\n";
                (Running::Sssd(pipe), table.to_owned())
            }
            Self::File => {
                write_file(people);
                (Running::File, format!("[directory.corp]\ntype = \"file\"\npath = {FILE:?}\n"))
            }
        }
    }

    pub(crate) fn tells_state(self) -> bool {
        self != Self::Sssd
    }
}

fn sqlite_table() -> String {
    let query = QUERY.replace("$1", "?1");
    format!(
        "[directory.corp]\ntype = \"sql\"\nengine = \"sqlite\"\npath = {FILE:?}\nquery = {query:?}\n"
    )
}

/// A SQLite file with these people and `many` more, made by Python's SQLite.
fn sqlite(people: &[Person], many: usize) {
    let rows: Vec<_> = people
        .iter()
        .map(|p| serde_json::json!([p.name, p.mobile, p.mail, p.groups.join(","), p.state]))
        .collect();
    let script = "import json, sqlite3, sys\n\
        db = sqlite3.connect(sys.argv[1])\n\
        db.execute('CREATE TABLE people (login TEXT PRIMARY KEY, mobile, mail, groups, state)')\n\
        db.executemany('INSERT INTO people VALUES (?,?,?,?,?)', json.load(sys.stdin))\n\
        many = ((f'person{n}', f'+4917{n:08}') for n in range(int(sys.argv[2])))\n\
        db.executemany('INSERT INTO people VALUES (?,?,NULL,NULL,NULL)', many)\n\
        db.commit()\n";
    let input = serde_json::to_vec(&rows).unwrap();
    run(command("python3").args(["-c", script, FILE, &many.to_string()]), &input).ok();
}

fn write_file(people: &[Person]) {
    let line = |p: &Person| {
        format!("{}:{}:{}:{}:{}\n", p.name, p.mobile, p.mail, p.groups.join(","), p.state)
    };
    let text: String = people.iter().map(line).collect();
    fs::write(FILE, "# name:mobile:mail:groups:state\n".to_owned() + &text).unwrap();
}

/// Adds accounts to the private machine's password file, without a password.
pub(crate) fn accounts(names: &[&str]) {
    let mut passwd = fs::read_to_string("/etc/passwd").unwrap();
    for (n, name) in names.iter().enumerate() {
        let uid = 63_000 + n;
        passwd += &format!("{name}:x:{uid}:{uid}::/nonexistent:/bin/sh\n");
    }
    fs::write("/etc/passwd", passwd).unwrap();
}

/// `otpctl directory test corp USER`, as JSON.
pub(crate) fn test(user: &str) -> Output {
    otpctl_with(&["--json", "directory", "test", "corp", user], b"")
}

/// A machine whose logins at `login` send a code by SMS to whoever has no token.
pub(crate) fn configuration(table: &str, gateway: &Gateway) -> String {
    table.to_owned() + &gateway.provider("main") + &enrolling(&["sms"])
}

/// A stack of the module alone.
pub(crate) fn stack(world: &World) {
    world.stack("login", &[&format!("required {MODULE}")]);
}

/// Logs in with the n-th code that the gateway gets.
pub(crate) fn enter(host: &mut Host, user: &str, gateway: &Gateway, n: usize) -> harness::Outcome {
    log_in(host, Login::new("login", user), |_| gateway.await_message(n).code(DIGITS))
}

/// The detail of the last record of a user.
pub(crate) fn last_detail(user: &str) -> String {
    let record = audit(user).pop().expect("a record");
    record["detail"].as_str().unwrap_or_default().to_owned()
}

/// What a login is that no code can help.
pub(crate) const REFUSED: i32 = code::AUTH_ERR;
