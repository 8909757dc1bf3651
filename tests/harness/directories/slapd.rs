//! OpenLDAP's slapd, with entries as OpenLDAP or as Active Directory has them.

use std::{fmt::Write as _, fs, process::Stdio};

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

/// Where people are.
pub const BASE: &str = "ou=people,dc=example,dc=org";
/// Where groups are.
pub const GROUPS: &str = "ou=groups,dc=example,dc=org";
/// Who may read.
pub const READER: &str = "cn=otpd,dc=example,dc=org";
/// With this password.
pub const SECRET: &str = "ldap-Secret-88";

/// What Active Directory has and OpenLDAP does not, as far as it matters.
const AD_SCHEMA: &str = "attributetype ( 1.2.840.113556.1.4.221 NAME 'sAMAccountName' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.8 NAME 'userAccountControl' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.159 NAME 'accountExpires' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.782 NAME 'objectCategory' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.2.102 NAME 'memberOf' EQUALITY distinguishedNameMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.12 )
attributetype ( 1.2.840.113556.1.4.1983 NAME 'supportedCapabilities' EQUALITY objectIdentifierMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.38 )
objectclass ( 1.2.840.113556.1.5.9 NAME 'user' SUP inetOrgPerson STRUCTURAL MAY ( sAMAccountName $ userAccountControl $ accountExpires $ objectCategory $ memberOf ) )
";
/// What Active Directory says of itself.
const AD_ROOT: &str = "dn:\nsupportedCapabilities: 1.2.840.113556.1.4.800\n";

/// What entries look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// RFC 2307 and inetOrgPerson.
    OpenLdap,
    /// sAMAccountName, userAccountControl, memberOf.
    ActiveDirectory,
}

/// A running slapd; ends when dropped.
pub struct Slapd {
    process: Option<Process>,
    folder: String,
    certificate: Certificate,
    port: u16,
    tls_port: u16,
}

impl Slapd {
    /// Starts one in which these people are.
    pub(crate) fn start(kind: Kind, flaw: Flaw, people: &[Person]) -> Self {
        let (folder, certificate) = (folder("slapd"), Certificate::new(flaw));
        let file = |name: &str, text: &str| {
            fs::write(format!("{folder}/{name}"), text).unwrap();
        };
        fs::create_dir(format!("{folder}/db")).unwrap();
        let ad = kind == Kind::ActiveDirectory;
        file("ad.schema", AD_SCHEMA);
        file("root.ldif", AD_ROOT);
        file("slapd.conf", &configuration(&folder, &certificate, ad));
        file("people.ldif", &ldif(ad, people));
        let conf = format!("{folder}/slapd.conf");
        let ldif = format!("{folder}/people.ldif");
        run(command("slapadd").args(["-q", "-f", &conf, "-l", &ldif]), b"").ok();
        let (port, tls_port) = (free_port(), free_port());
        let mut slapd = Self { process: None, folder, certificate, port, tls_port };
        slapd.restart();
        slapd
    }

    /// Starts it again after [`Slapd::stop`].
    pub fn restart(&mut self) {
        let (port, tls_port) = (self.port, self.tls_port);
        let listen = format!("ldap://127.0.0.1:{port}/ ldaps://127.0.0.1:{tls_port}/");
        let conf = format!("{}/slapd.conf", self.folder);
        let mut slapd = command("slapd");
        slapd.args(["-d", "0", "-f", &conf, "-h", &listen]).stderr(Stdio::null());
        self.process = Some(Process::start(&mut slapd));
        await_port("slapd", port);
    }

    /// Ends it.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// It is there and does nothing.
    pub fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Ends [`Slapd::freeze`].
    pub fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        self.process.as_ref().expect("slapd runs").signal(signal);
    }

    /// The table of a directory that asks it, with StartTLS; further keys may follow.
    pub fn directory(&self, name: &str, schema: &str) -> String {
        let port = self.port;
        self.table(name, schema, &format!("ldap://localhost:{port}"))
    }

    /// The same over LDAPS.
    pub fn directory_over_tls(&self, name: &str, schema: &str) -> String {
        let port = self.tls_port;
        self.table(name, schema, &format!("ldaps://localhost:{port}"))
    }

    fn table(&self, name: &str, schema: &str, url: &str) -> String {
        let authority = &self.certificate.authority;
        format!(
            "[directory.{name}]\ntype = \"ldap\"\nurl = {url:?}\nca = {authority:?}\nbind_dn = {READER:?}\npassword = {SECRET:?}\nbase = {BASE:?}\nschema = {schema:?}\nmobile = \"mobile\"\nmail = \"mail\"\n"
        )
    }

    /// Its port without TLS from the first byte.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Everything that it holds, as LDIF.
    pub fn contents(&self) -> String {
        let conf = format!("{}/slapd.conf", self.folder);
        run(command("slapcat").args(["-f", &conf]), b"").ok()
    }
}

fn configuration(folder: &str, certificate: &Certificate, ad: bool) -> String {
    let mut text = String::new();
    for schema in ["core", "cosine", "inetorgperson", "nis"] {
        writeln!(text, "include /etc/ldap/schema/{schema}.schema").unwrap();
    }
    if ad {
        writeln!(text, "include {folder}/ad.schema\nrootDSE {folder}/root.ldif").unwrap();
    }
    let Certificate { authority, certificate, key } = certificate;
    write!(
        text,
        "modulepath /usr/lib/ldap\nmoduleload back_mdb\nmoduleload ppolicy\npidfile {folder}/pid\n\
         security simple_bind=112\n\
         TLSCACertificateFile {authority}\nTLSCertificateFile {certificate}\nTLSCertificateKeyFile {key}\n\
         access to dn.base=\"\" by * read\naccess to dn.base=\"cn=Subschema\" by * read\n\
         database mdb\nsuffix \"dc=example,dc=org\"\nrootdn \"cn=admin,dc=example,dc=org\"\nrootpw root\n\
         directory {folder}/db\nmaxsize 1073741824\nindex objectClass,uid,memberUid eq\n"
    )
    .unwrap();
    if ad {
        text += "index sAMAccountName eq\n";
    }
    writeln!(text, "access to * by dn.exact=\"{READER}\" read by anonymous auth by * none")
        .unwrap();
    text
}

fn ldif(ad: bool, people: &[Person]) -> String {
    let mut text = format!(
        "dn: dc=example,dc=org\nobjectClass: organization\nobjectClass: dcObject\no: Example\ndc: example\n\n\
         dn: {READER}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: otpd\nuserPassword: {SECRET}\n\n\
         dn: {BASE}\nobjectClass: organizationalUnit\nou: people\n\n\
         dn: {GROUPS}\nobjectClass: organizationalUnit\nou: groups\n\n"
    );
    for (n, person) in people.iter().enumerate() {
        // A name may have any characters; the entry is named by a number.
        write!(text, "dn: employeeNumber={n},{BASE}\nemployeeNumber: {n}\ncn: {n}\nsn: {n}\n")
            .unwrap();
        text += if ad {
            "objectClass: user\n"
        } else {
            "objectClass: inetOrgPerson\nobjectClass: posixAccount\nobjectClass: shadowAccount\n"
        };
        if ad {
            text += &line("sAMAccountName", &person.name);
            text += "objectCategory: person\n";
            let disabled = person.state == "disabled";
            writeln!(text, "userAccountControl: {}", if disabled { 514 } else { 512 }).unwrap();
            let expired = person.state == "expired";
            // 2020-01-01 in units of 100 ns since 1601, or never.
            let end = if expired { 132_223_104_000_000_000 } else { i64::MAX };
            writeln!(text, "accountExpires: {end}").unwrap();
            for group in &person.groups {
                writeln!(text, "memberOf: CN={group},{GROUPS}").unwrap();
            }
        } else {
            text += &line("uid", &person.name);
            writeln!(text, "uidNumber: {n}\ngidNumber: {n}\nhomeDirectory: /").unwrap();
            match person.state.as_str() {
                "disabled" => text += "pwdAccountLockedTime: 000001010000Z\n",
                "expired" => text += "shadowExpire: 18262\n",
                _ => {}
            }
        }
        if !person.mobile.is_empty() {
            text += &line("mobile", &person.mobile);
        }
        if !person.mail.is_empty() {
            text += &line("mail", &person.mail);
        }
        text += "\n";
    }
    let mut number = people.len();
    for person in people.iter().filter(|_| !ad) {
        for group in &person.groups {
            number += 1;
            write!(text, "dn: cn={group},{GROUPS}\nobjectClass: posixGroup\ncn: {group}\ngidNumber: {number}\n").unwrap();
            text += &line("memberUid", &person.name);
            text += "\n";
        }
    }
    text
}

/// A line of LDIF with any value, in base64 by way of the tool that everybody has.
fn line(attribute: &str, value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '@' | '.');
    if value.chars().all(plain) {
        return format!("{attribute}: {value}\n");
    }
    let encoded = run(command("base64").arg("-w0"), value.as_bytes()).ok();
    format!("{attribute}:: {encoded}\n")
}
