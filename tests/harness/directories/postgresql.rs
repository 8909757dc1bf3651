//! PostgreSQL.

use std::{fs, process::Stdio};

use nix::sys::signal::Signal;

use super::Person;
use crate::{
    counterparts::{
        await_port,
        certificates::{Certificate, Flaw},
        folder, free_port,
    },
    process::{Process, command, run},
};

/// Who asks.
pub const READER: &str = "otpd";
/// With this password.
pub const SECRET: &str = "sql-Secret-99";
/// What is asked.
pub const QUERY: &str = "SELECT mobile, mail, groups, state FROM people WHERE login = $1";

/// A running PostgreSQL; ends when dropped.
pub struct Postgresql {
    process: Option<Process>,
    folder: String,
    certificate: Certificate,
    port: u16,
}

impl Postgresql {
    /// Starts one in which these people are, and `many` more.
    pub(crate) fn start(flaw: Flaw, people: &[Person], many: usize) -> Self {
        let (folder, certificate) = (folder("postgresql"), Certificate::new(flaw));
        for (from, name) in
            [(&certificate.certificate, "server.crt"), (&certificate.key, "server.key")]
        {
            fs::copy(from, format!("{folder}/{name}")).unwrap();
        }
        fs::set_permissions(
            format!("{folder}/server.key"),
            std::os::unix::fs::PermissionsExt::from_mode(0o600),
        )
        .unwrap();
        run(command("chown").args(["-R", "postgres", &folder]), b"").ok();
        let data = format!("{folder}/data");
        run(
            &mut as_postgres("initdb", &["-D", &data, "-A", "trust", "--no-sync", "-E", "UTF8"]),
            b"",
        )
        .ok();
        let hba = format!(
            "local all postgres trust\nhostssl all {READER} 127.0.0.1/32 scram-sha-256\nhost all all all reject\n"
        );
        fs::write(format!("{data}/pg_hba.conf"), hba).unwrap();
        let mut server = Self { process: None, folder, certificate, port: free_port() };
        server.restart();
        server.execute(&tables(people, many));
        server
    }

    /// Starts it again after [`Postgresql::stop`].
    pub fn restart(&mut self) {
        let (folder, port) = (&self.folder, self.port);
        let settings = [
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={port}"),
            format!("unix_socket_directories={folder}"),
            "ssl=on".to_owned(),
            format!("ssl_cert_file={folder}/server.crt"),
            format!("ssl_key_file={folder}/server.key"),
            "fsync=off".to_owned(),
            "log_statement=all".to_owned(),
        ];
        let data = format!("{folder}/data");
        let mut postgres = as_postgres("postgres", &["-D", &data]);
        for setting in &settings {
            postgres.args(["-c", setting]);
        }
        let log = fs::File::options().create(true).append(true).open(self.log_file()).unwrap();
        self.process = Some(Process::start(postgres.stdout(Stdio::null()).stderr(log)));
        await_port("PostgreSQL", port);
        crate::process::until("PostgreSQL takes statements", || {
            run(&mut self.psql(), b"SELECT 1").status.success()
        });
    }

    fn log_file(&self) -> String {
        format!("{}/log", self.folder)
    }

    /// What it logged: every statement.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// Ends it, and every process of it.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.signal(Signal::SIGQUIT);
            process.wait(crate::process::SOON);
        }
    }

    fn psql(&self) -> std::process::Command {
        let (folder, port) = (&self.folder, self.port.to_string());
        as_postgres("psql", &["-q", "-v", "ON_ERROR_STOP=1", "-h", folder, "-p", &port])
    }

    /// Runs statements as the superuser.
    pub fn execute(&self, statements: &str) {
        run(&mut self.psql(), statements.as_bytes()).ok();
    }

    /// The table of a directory that asks it; further keys may follow.
    pub fn directory(&self, name: &str, query: &str) -> String {
        let (port, authority) = (self.port, &self.certificate.authority);
        format!(
            "[directory.{name}]\ntype = \"sql\"\nengine = \"postgresql\"\nhost = \"localhost\"\nport = {port}\ndatabase = \"postgres\"\nuser = {READER:?}\npassword = {SECRET:?}\nca = {authority:?}\nquery = {query:?}\n"
        )
    }
}

impl Drop for Postgresql {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A program of the newest installed version, as its user.
fn as_postgres(program: &str, arguments: &[&str]) -> std::process::Command {
    let versions = fs::read_dir("/usr/lib/postgresql").expect("cannot run here: no PostgreSQL");
    let newest = versions.flatten().map(|entry| entry.path()).max().expect("a version");
    let path = newest.join("bin").join(program);
    let mut command = command("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(path);
    command.args(arguments);
    command
}

/// Quotes a text, for the tests' own tables.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The tables of PostgreSQL and of SQLite: `people`, and one that must stay.
fn tables(people: &[Person], many: usize) -> String {
    let rows: Vec<_> = people
        .iter()
        .map(|person| {
            let groups: Vec<_> = person.groups.iter().map(|group| quoted(group)).collect();
            let fields = [&person.name, &person.mobile, &person.mail].map(|text| quoted(text));
            let (fields, groups) = (fields.join(", "), groups.join(", "));
            format!("({fields}, ARRAY[{groups}]::text[], {})", quoted(&person.state))
        })
        .collect();
    let rows = if rows.is_empty() {
        String::new()
    } else {
        format!("INSERT INTO people VALUES {};\n", rows.join(", "))
    };
    format!(
        "SET standard_conforming_strings = on;\nCREATE TABLE people (login text PRIMARY KEY, mobile text, mail text, groups text[], state text);\n{rows}\
         INSERT INTO people SELECT 'person' || n, '+4917' || lpad(n::text, 8, '0'), NULL, NULL, NULL FROM generate_series(0, {many} - 1) n;\n\
         CREATE ROLE {READER} LOGIN PASSWORD '{SECRET}';\nGRANT SELECT, DELETE ON people TO {READER};\n"
    )
}
