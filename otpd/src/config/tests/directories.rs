//! `[directory.NAME]`: every kind of it.

use super::*;
use crate::directory::{
    composite::Kind,
    ldap::{Groups, schema::Schema},
    sql::{Database, Server},
};

/// The directory that is not "local".
fn kind(config: &Config) -> &Kind {
    let mut others = config.directories.all.iter().filter(|one| one.name != "local");
    &others.next().unwrap().kind
}

fn ldap(config: &Config) -> &crate::directory::ldap::Settings {
    match kind(config) {
        Kind::Ldap(settings, _) => settings,
        other => panic!("{other:?}"),
    }
}

fn server(config: &Config) -> &Server {
    match kind(config) {
        Kind::Sql(settings, _) => match &settings.database {
            Database::Postgresql(server) => server,
            Database::Sqlite(path) => panic!("{path:?}"),
        },
        other => panic!("{other:?}"),
    }
}

fn timeout(config: &Config) -> String {
    match kind(config) {
        Kind::Ldap(settings, _) => show(settings.timeout),
        Kind::Sssd(settings, _) => show(settings.timeout),
        Kind::Sql(settings, _) => show(settings.timeout),
        other => panic!("{other:?}"),
    }
}

fn keeping(config: &Config) -> String {
    match kind(config) {
        Kind::Ldap(_, keeping) | Kind::Sssd(_, keeping) | Kind::Sql(_, keeping) => {
            format!("{} {:?}", keeping.age_ms, keeping.outage_ms)
        }
        other => panic!("{other:?}"),
    }
}

const LDAP: &str = "[directory.corp]\ntype = \"ldap\"\nurl = \"ldap://ldap.example\"\ntls = \"none\"\nbase = \"dc=example\"";
const AD: &str = "[directory.corp]\ntype = \"ldap\"\nurl = \"ldap://ldap.example\"\ntls = \"none\"\nbase = \"dc=example\"\nschema = \"active-directory\"";
const SSSD: &str = "[directory.corp]\ntype = \"sssd\"";
const SQL: &str = "[directory.corp]\ntype = \"sql\"\nengine = \"postgresql\"\nhost = \"/run/postgresql\"\ndatabase = \"d\"\nuser = \"u\"\nquery = \"SELECT $1 AS mail\"";
const ATTRIBUTE: &str = "the name of an attribute: letters, digits and '-'";
const TEXT: &str = "a text of 1 to 1024 bytes without control characters";

#[test]
fn ldap_keys() {
    let key = |name, read, default, takes, refuses, allowed| Key {
        before: LDAP,
        name,
        read,
        default,
        takes,
        refuses,
        allowed,
    };
    let keys = [
        key(
            "directory.corp.scope",
            |config: &Config| show(ldap(config).depth),
            "Subtree",
            &[("\"subtree\"", "Subtree"), ("\"one\"", "One")],
            &["\"base\"", "\"\"", "1"],
            "\"subtree\", \"one\"",
        ),
        key(
            "directory.corp.schema",
            |config| show(ldap(config).schema),
            "Generic",
            &[("\"openldap\"", "OpenLdap"), ("\"active-directory\"", "ActiveDirectory")],
            &["\"Active Directory\"", "\"ad\"", "true"],
            "\"generic\", \"openldap\", \"active-directory\"",
        ),
        key(
            "directory.corp.filter",
            |config| ldap(config).filter.clone(),
            "(uid={user})",
            &[(
                "\"(&(a=b)(|(mail={user}@x)(cn={user})))\"",
                "(&(a=b)(|(mail={user}@x)(cn={user})))",
            )],
            &[
                "\"(uid=alice)\"",
                "\"(uid={user}\"",
                "\"uid={user})\"",
                "\"(uid={name})\"",
                "\"{user}\"",
                "\"\"",
            ],
            "a filter (RFC 4515) with {user}",
        ),
        key(
            "directory.corp.mobile",
            |config| show(&ldap(config).mobile),
            "None",
            &[
                ("\"telephoneNumber\"", "Some(\"telephoneNumber\")"),
                ("\"x-phone;lang-de\"", "Some(\"x-phone;lang-de\")"),
            ],
            &["\"\"", "\"*\"", "\"1.2.3\"", "\"a b\"", "\"mobile)(uid=*\"", "1"],
            ATTRIBUTE,
        ),
        key(
            "directory.corp.mail",
            |config| show(&ldap(config).mail),
            "None",
            &[("\"mail\"", "Some(\"mail\")")],
            &["\"+\"", "true"],
            ATTRIBUTE,
        ),
        key(
            "directory.corp.name",
            |config| show(&ldap(config).name),
            "None",
            &[("\"uid\"", "Some(\"uid\")")],
            &["\"\""],
            ATTRIBUTE,
        ),
        key(
            "directory.corp.groups",
            |config| show(&ldap(config).groups),
            "None",
            &[("\"memberOf\"", "Some(Attribute(\"memberOf\"))")],
            &["\"\"", "[\"memberOf\"]"],
            ATTRIBUTE,
        ),
        key(
            "directory.corp.timeout",
            timeout,
            "5s",
            &[("\"100ms\"", "100ms"), ("\"8s\"", "8s")],
            &["\"99ms\"", "\"9s\"", "\"0s\"", "5"],
            "\"100ms\" to \"8s\", UNIT",
        ),
        key(
            "directory.corp.cache",
            keeping,
            "300000 None",
            &[("\"1s\"", "1000 None"), ("\"1h\"", "3600000 None")],
            &["\"999ms\"", "\"61m\"", "\"0s\"", "0"],
            "\"1s\" to \"1h\", UNIT",
        ),
        key(
            "directory.corp.outage",
            keeping,
            "300000 None",
            &[("\"deny\"", "300000 None"), ("\"cache\"", "300000 Some(86400000)")],
            &["\"allow\"", "\"ignore\"", "false"],
            "\"deny\", \"cache\"",
        ),
    ];
    keys.iter().for_each(check_below);
    check_below(&Key {
        before: "[directory.corp]\ntype = \"ldap\"\nurl = \"ldap://l\"\ntls = \"none\"\nbase = \"d\"\noutage = \"cache\"",
        name: "directory.corp.cache_outage",
        read: keeping,
        default: "300000 Some(86400000)",
        takes: &[("\"5m\"", "300000 Some(300000)"), ("\"30d\"", "300000 Some(2592000000)")],
        refuses: &["\"4m\"", "\"31d\"", "\"0s\""],
        allowed: "\"5m\" to \"30d\", UNIT",
    });
}

#[test]
fn a_schema_sets_what_nobody_says() {
    let config = load(AD).unwrap();
    let settings = ldap(&config);
    assert_eq!(
        settings.filter,
        "(&(objectCategory=person)(objectClass=user)(sAMAccountName={user}))"
    );
    assert_eq!(settings.name.as_deref(), Some("sAMAccountName"));
    assert_eq!(settings.groups, Some(Groups::Attribute("memberOf".to_owned())));
    let own = format!("{AD}\nfilter = \"(cn={{user}})\"\nname = \"cn\"\ngroup_base = \"ou=g\"");
    let config = load(&own).unwrap();
    let settings = ldap(&config);
    assert_eq!((settings.filter.as_str(), settings.name.as_deref()), ("(cn={user})", Some("cn")));
    let Some(Groups::Search { base, filter, name }) = &settings.groups else { panic!() };
    assert_eq!((base.as_str(), name.as_str()), ("ou=g", "cn"));
    assert_eq!(filter, "(&(objectClass=posixGroup)(memberUid={user}))");
    for (schema, tells) in
        [(Schema::Generic, false), (Schema::OpenLdap, true), (Schema::ActiveDirectory, true)]
    {
        assert_eq!(schema.tells_state(), tells);
    }
}

#[test]
fn keys_of_sssd_and_sql() {
    for key in [
        Key {
            before: SSSD,
            name: "directory.corp.groups",
            read: |config| match kind(config) {
                Kind::Sssd(settings, _) => show(settings.groups),
                other => panic!("{other:?}"),
            },
            default: "false",
            takes: &[("true", "true")],
            refuses: &["\"yes\"", "1"],
            allowed: "true and false",
        },
        Key {
            before: SSSD,
            name: "directory.corp.timeout",
            read: timeout,
            default: "5s",
            takes: &[("\"1s\"", "1s")],
            refuses: &["\"10s\""],
            allowed: "\"100ms\" to \"8s\", UNIT",
        },
        Key {
            before: SQL,
            name: "directory.corp.port",
            read: |config| show(server(config).port),
            default: "5432",
            takes: &[("1", "1"), ("65535", "65535")],
            refuses: &["0", "65536", "\"5432\""],
            allowed: "1 to 65535",
        },
        Key {
            before: SQL,
            name: "directory.corp.cache",
            read: keeping,
            default: "300000 None",
            takes: &[("\"2s\"", "2000 None")],
            refuses: &["\"2h\""],
            allowed: "\"1s\" to \"1h\", UNIT",
        },
    ] {
        check_below(&key);
    }
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    let kinds = "\"passwd\", \"file\", \"sssd\", \"ldap\", \"sql\"";
    let url = "\"ldap://HOST\" and \"ldaps://HOST\", with \":PORT\" where it is another";
    let query = "a query with $1 in place of the name, and no other parameter";
    let absolute = "an absolute path of a file, without \"..\"";
    for (text, message) in [
        ("[directory.x]\ntype = \"nis\"".to_owned(), format!("2:8: directory.x.type = \"nis\": allowed are {kinds}")),
        ("[directory.local]\ntype = \"ldap\"".to_owned(), "2:8: directory.local.type = \"ldap\": allowed are \"passwd\"".to_owned()),
        ("[directory.x]\ntype = \"ldap\"".to_owned(), format!("1:12: directory.x.url is missing: allowed are {url}")),
        ("[directory.x]\ntype = \"ldap\"\nurl = \"http://x\"".to_owned(), format!("3:7: directory.x.url = \"http://x\": allowed are {url}")),
        ("[directory.x]\ntype = \"ldap\"\nurl = \"ldap://x/dc=y\"".to_owned(), format!("3:7: directory.x.url = \"ldap://x/dc=y\": allowed are {url}")),
        ("[directory.x]\ntype = \"ldap\"\nurl = \"ldaps://x\"\ntls = \"none\"".to_owned(), "3:7: directory.x.url is ldaps:// and tls is \"none\": allowed is one of both".to_owned()),
        ("[directory.x]\ntype = \"ldap\"\nurl = \"ldap://x\"\ntls = \"none\"".to_owned(), format!("1:12: directory.x.base is missing: allowed are {TEXT}")),
        (format!("{LDAP}\nbind_dn = \"cn=a\""), "1:12: directory.corp.password is missing: allowed are a text, { file = \"/…\" } and { credential = \"…\" }".to_owned()),
        (format!("{LDAP}\nbind_dn = \"cn=a\"\npassword = \"\""), "1:12: directory.corp.password is missing: allowed are a text, { file = \"/…\" } and { credential = \"…\" }".to_owned()),
        (format!("{LDAP}\ngroup_base = \"d\"\ngroup_filter = \"(a=b)\""), "7:16: directory.corp.group_filter = \"(a=b)\": allowed are a filter (RFC 4515) with {user} or {dn}".to_owned()),
        ("[directory.x]\ntype = \"sql\"".to_owned(), "1:12: directory.x.engine is missing: allowed are \"postgresql\", \"sqlite\"".to_owned()),
        ("[directory.x]\ntype = \"sql\"\nengine = \"sqlite\"".to_owned(), format!("1:12: directory.x.path is missing: allowed are {absolute}")),
        ("[directory.x]\ntype = \"file\"\npath = \"people\"".to_owned(), format!("3:8: directory.x.path = \"people\": allowed are {absolute}")),
        (SQL.replace("$1 AS mail", "1"), format!("7:9: directory.corp.query = \"SELECT 1\": allowed are {query}")),
        (SQL.replace("$1", "'$1'"), format!("7:9: directory.corp.query = \"SELECT '$1' AS mail\": allowed are {query}")),
        (format!("{SQL}\ncolour = 1"), "8:1: directory.corp.colour is not a known key: allowed here are type, engine, host, port, database, user, password, query, country, timeout, cache, outage".to_owned()),
        ("[directory.\"a b\"]\ntype = \"passwd\"".to_owned(), "1:12: directory.\"a b\": allowed is 1 to 64 of the characters a-z, A-Z, 0-9, '.', '_' and '-', not starting with '-' or '.'".to_owned()),
        (format!("{}\nca = \"/nonexistent\"", LDAP.replace("tls = \"none\"\n", "")), "1:12: directory.corp: /nonexistent: cannot be read: No such file or directory (os error 2)".to_owned()),
    ] {
        assert_eq!(refused(&text), format!("DIR/otpd.toml:{message}"), "{text}");
    }
}

#[test]
fn what_goes_in_clear_is_warned_of_and_secrets_are_masked() {
    let secret = "swordfish-1";
    let text = format!("{LDAP}\nbind_dn = \"cn=a\"\npassword = {secret:?}");
    let loaded = Folder::new(&text).load().unwrap();
    let [warning] = loaded.warnings.as_slice() else { panic!("{:?}", loaded.warnings) };
    assert!(
        warning.starts_with("DIR/otpd.toml:3:7: directory.corp: tls = \"none\": "),
        "{warning}"
    );
    let shown = loaded.config.to_string();
    assert!(!shown.contains(secret) && !format!("{:?}", loaded.config).contains(secret), "{shown}");
    let remote = SQL
        .replace("/run/postgresql", "db.example")
        .replace("database", "tls = \"none\"\ndatabase");
    assert_eq!(Folder::new(&remote).load().unwrap().warnings.len(), 1);
    assert!(Folder::new(SQL).load().unwrap().warnings.is_empty(), "a socket goes nowhere");
    let own = Folder::new(&format!("{AD}\nmobile = \"mobile\"")).load().unwrap().warnings;
    assert!(own[1].contains("Active Directory lets users change their own telephone"), "{own:?}");
}

/// The order is that of the files and not of the names, and what is shown reads as the same.
#[test]
fn directories_keep_their_order() {
    let folder = Folder::new("[directory.z]\ntype = \"passwd\"\n[directory.a]\ntype = \"sssd\"");
    folder.write(
        "otpd.d/1.toml",
        b"[directory.m]\ntype = \"file\"\npath = \"/p\"\n[directory.local]\n",
    );
    folder.write("otpd.d/2.toml", b"[directory.b]\ntype = \"sql\"\nengine = \"sqlite\"\npath = \"/p\"\nquery = \"SELECT ?1 AS mail\"\n");
    let config = folder.load().unwrap().config;
    let names = |config: &Config| -> Vec<_> {
        config.directories.all.iter().map(|one| one.name.clone()).collect()
    };
    assert_eq!(names(&config), ["z", "a", "m", "local", "b"]);
    let again = load(&config.to_string()).unwrap();
    assert_eq!((names(&again), &again), (names(&config), &config));
    let first = load("[directory.z]\ntype = \"sssd\"").unwrap();
    assert_eq!(names(&first), ["local", "z"], "local is the first where nothing is said");
}
