//! otpd.toml(5) has every key of the program and of the example with its default, and no other.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

const MANUAL: &str = include_str!("../../../../packaging/man/otpd.toml.5");
const EXAMPLE: &str = include_str!("../../../../packaging/otpd.toml.example");

/// A heading of the manual, the headings whose keys may be there as well, and files that end in
/// such a table and together know all of its keys.
type Row = (&'static str, &'static [&'static str], &'static [&'static str]);

const HTTP: &str = "[provider.sms.NAME], type = \"http\"";
const MAIL: &str = "[provider.email.NAME], type = \"smtp\"";
const PROVIDER: &str = "[provider.sms.NAME], [provider.email.NAME]";
const DIRECTORY: &str = "[directory.NAME]";

const ROWS: [Row; 30] = [
    ("[daemon]", &[], &["[daemon]"]),
    ("[bus]", &[], &["[bus]"]),
    ("[store]", &[], &["[store]"]),
    ("[keys]", &[], &["[keys]"]),
    ("[lockout]", &[], &["[lockout]"]),
    ("[limits]", &[], &["[limits]"]),
    (
        "[[method]]",
        &[],
        &[
            METHOD,
            HOTP,
            "[provider.sms.a]\ntype = \"modemmanager\"\n[[method]]\nname = \"m\"\ntype = \"sms\"",
        ],
    ),
    ("[enrolment]", &[], &["[enrolment]"]),
    ("[sharing]", &[], &["[sharing]"]),
    ("[sharing.on]", &[], &["[sharing.on]"]),
    ("[issued]", &[], &["[issued]"]),
    ("[clients]", &[], &["[clients]"]),
    ("[[policy]]", &[], &[POLICY]),
    ("[policy.match]", &[], &[MATCH]),
    ("[directory.local]", &[DIRECTORY], &["[directory.local]"]),
    (
        "[directory.NAME], type = \"file\"",
        &[DIRECTORY],
        &["[directory.d]\ntype = \"file\"\npath = \"/p\""],
    ),
    ("[directory.NAME], type = \"sssd\"", &[DIRECTORY], &["[directory.d]\ntype = \"sssd\""]),
    (
        "[directory.NAME], type = \"ldap\"",
        &[DIRECTORY],
        &[
            "[directory.d]\ntype = \"ldap\"\nurl = \"ldap://h\"\nbase = \"dc=h\"\noutage = \"cache\"",
            "[directory.d]\ntype = \"ldap\"\nurl = \"ldap://h\"\nbase = \"dc=h\"\n\
             bind_dn = \"cn=o\"\npassword = \"p\"\ngroup_base = \"dc=h\"",
        ],
    ),
    (
        "[directory.NAME], type = \"sql\"",
        &[DIRECTORY],
        &[
            "[directory.d]\ntype = \"sql\"\nengine = \"postgresql\"\nhost = \"h\"\n\
             database = \"d\"\nuser = \"u\"\nquery = \"SELECT $1\"",
            "[directory.d]\ntype = \"sql\"\nengine = \"sqlite\"\npath = \"/p\"\n\
             query = \"SELECT ?1\"",
        ],
    ),
    ("[prompt.SERVICE]", &[], &["[prompt.sshd]"]),
    ("[template]", &[], &["[template]"]),
    ("[budget]", &[], &["[budget]"]),
    (
        HTTP,
        &[PROVIDER],
        &[
            "[provider.sms.p]\ntype = \"http\"\nurl = \"http://h/{phone}/{text}\"",
            "[provider.sms.p]\ntype = \"http\"\nurl = \"http://h/\"\nbody = \"json\"\njson = \"{}\"\n\
             auth = \"basic\"\nuser = \"u\"\npassword = \"p\"\nnumber = \"national\"\n\
             country = \"49\"\ncertificate = \"/c\"\nkey = \"/k\"",
            "[provider.sms.p]\ntype = \"http\"\nurl = \"http://h/\"\nbody = \"raw\"\n\
             raw = \"{phone}{text}\"\nauth = \"bearer\"\ntoken = \"t\"\nnumber = \"regex\"\n\
             number_search = \"4\"",
            "[provider.sms.p]\ntype = \"http\"\nurl = \"http://h/{phone}/{text}\"\nauth = \"header\"\n\
             auth_name = \"X\"\nauth_value = \"v\"",
            "[provider.sms.p]\ntype = \"http\"\nurl = \"http://h/\"\ntext_key = \"t\"\n\
             phone_key = \"p\"\nauth = \"aws_sigv4\"\nregion = \"r\"\naccess_key = \"a\"\n\
             secret_key = \"s\"",
            "[provider.sms.p]\ntype = \"http\"\nurl = \"http://h/{phone}/{text}\"\n\
             auth = \"program\"\nprogram = \"/bin/sh\"",
        ],
    ),
    (
        "[provider.sms.NAME], type = \"smpp\"",
        &[PROVIDER],
        &[
            "[provider.sms.p]\ntype = \"smpp\"\nserver = \"h\"\nsystem_id = \"i\"",
            "[provider.sms.p]\ntype = \"smpp\"\nserver = \"h\"\nsystem_id = \"i\"\ntls = true\n\
             certificate = \"/c\"\nkey = \"/k\"",
        ],
    ),
    (
        "[provider.sms.NAME], type = \"smtp\"",
        &[PROVIDER, MAIL],
        &["[provider.sms.p]\ntype = \"smtp\"\nserver = \"h\"\nfrom = \"a@b\"\nto = \"{phone}@b\""],
    ),
    (
        "[provider.sms.NAME], type = \"modemmanager\"",
        &[PROVIDER],
        &["[provider.sms.p]\ntype = \"modemmanager\""],
    ),
    (
        "[provider.sms.NAME], type = \"gnokii\"",
        &[PROVIDER],
        &["[provider.sms.p]\ntype = \"gnokii\"\nconfig = \"/c\""],
    ),
    (
        "[provider.sms.NAME], type = \"exec\"",
        &[PROVIDER],
        &["[provider.sms.p]\ntype = \"exec\"\npath = \"/bin/sh\""],
    ),
    (MAIL, &[PROVIDER], &["[provider.email.p]\ntype = \"smtp\"\nserver = \"h\"\nfrom = \"a@b\""]),
    (
        "[provider.email.NAME], type = \"sendmail\"",
        &[PROVIDER],
        &["[provider.email.p]\ntype = \"sendmail\"\nfrom = \"a@b\""],
    ),
];

/// Tables among the keys.
const TABLES: [&str; 6] = ["match", "on", "en", "de", "fr", "es"];

/// The keys below each heading, with their defaults.
fn written() -> BTreeMap<String, BTreeMap<String, Option<String>>> {
    let plain = |text: &str| text.replace("\\(dq", "\"").replace("\\-", "-");
    let headings = MANUAL.split("\n.SS ").skip(1).map(|part| {
        let (heading, rest) = part.split_once('\n').unwrap();
        let (rest, _) = rest.split_once("\n.SH ").unwrap_or((rest, ""));
        let lines: Vec<_> = rest.lines().collect();
        let tags = lines.windows(2).filter(|pair| matches!(pair[0], ".TP" | ".TQ")).map(|pair| {
            if let Some(key) = pair[1].strip_prefix(".B ") {
                return (key.to_owned(), None);
            }
            let (key, default) = pair[1].strip_prefix(".BR ").unwrap().split_once(' ').unwrap();
            let default = plain(default.trim_matches('"'));
            (key.to_owned(), Some(default.strip_prefix(" = ").unwrap().to_owned()))
        });
        (plain(heading.trim_matches('"')), tags.collect())
    });
    headings.collect()
}

/// What the program would have taken in place of a key that it does not know.
fn allowed(file: &str) -> BTreeSet<String> {
    let message = refused(&format!("{file}\nno_such_key = 1"));
    let (_, keys) = message.split_once("allowed here are ").unwrap_or_else(|| panic!("{message}"));
    keys.split(", ").filter(|key| !TABLES.contains(key)).map(str::to_owned).collect()
}

#[test]
fn the_manual_has_every_key_and_no_other() {
    let written = written();
    let mut found = BTreeMap::new();
    for (heading, common, files) in ROWS {
        let known: BTreeSet<_> = files.iter().flat_map(|file| allowed(file)).collect();
        let mut here: BTreeSet<_> = written[heading].keys().cloned().collect();
        for heading in common {
            let shared: BTreeSet<_> = written[*heading].keys().cloned().collect();
            let shared: BTreeSet<_> = shared.intersection(&known).cloned().collect();
            here.extend(shared.iter().cloned());
            found.entry(*heading).or_insert_with(BTreeSet::new).extend(shared);
        }
        assert_eq!(here, known, "{heading}");
        found.entry(heading).or_default().extend(here);
    }
    for (heading, keys) in &written {
        let known = found.get(heading.as_str());
        let known = known.unwrap_or_else(|| panic!("no such table: {heading}"));
        assert!(keys.keys().all(|key| known.contains(key)), "{heading}: {keys:?}");
    }
    for table in allowed("") {
        let begins = |heading: &String| heading.trim_start_matches('[').starts_with(&table);
        assert!(written.keys().any(begins), "no heading for {table}");
    }
}

/// To say a default changes nothing.
#[test]
fn the_manual_has_the_defaults() {
    let written = written();
    let mut compared = 0;
    for (heading, common, files) in ROWS {
        let shared = common.iter().flat_map(|heading| &written[*heading]);
        for (key, default) in written[heading].iter().chain(shared) {
            let Some(default) = default else { continue };
            let said = format!("\n{key} = ");
            let takes = |file: &&&str| allowed(file).contains(key) && !file.contains(&said);
            let Some(file) = files.iter().find(takes) else { continue };
            let (without, with) = (load(file), load(&format!("{file}{said}{default}")));
            // A program need not be on the machine that builds: then both name the same one.
            assert!(without.is_ok() || key == "path" || without == with, "{heading} {key}");
            assert!(without == with, "{heading}: {key} = {default} changes something");
            compared += 1;
        }
    }
    assert!(compared > 90, "{compared}");
}

#[test]
fn the_manual_has_every_key_of_the_example() {
    let written = written();
    let (mut compared, mut place) = (0, String::new());
    let said: Vec<_> = EXAMPLE.lines().map(|line| line.trim_start_matches(['#', ' '])).collect();
    for (at, line) in said.iter().enumerate() {
        // An empty line ends a table; what follows is about others.
        if line.is_empty() {
            place.clear();
        }
        if let Some((table, _)) = line.strip_prefix('[').and_then(|table| table.split_once(']')) {
            place = heading(table, said.get(at + 1).copied().unwrap_or_default());
            continue;
        }
        let Some((key, _)) = line.split_once(" = ") else { continue };
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if place.is_empty() || !key.chars().all(plain) || TABLES.contains(&key) {
            continue;
        }
        let row = ROWS.iter().find(|(heading, ..)| *heading == place);
        let (heading, common, _) = row.unwrap_or_else(|| panic!("no heading: {place}"));
        let known = |heading: &&str| written[*heading].contains_key(key);
        assert!(known(heading) || common.iter().any(known), "{heading}: {line}");
        compared += 1;
    }
    assert!(compared > 200, "{compared}");
}

/// The heading of a table of the example, which is followed by its type where there are several.
fn heading(table: &str, next: &str) -> String {
    let parts: Vec<_> = table.trim_start_matches('[').split('.').collect();
    let kind = next.split('#').next().unwrap_or_default().trim();
    match parts.as_slice() {
        ["directory", "local"] | ["sharing", _] | ["policy", _] => format!("[{table}]"),
        ["directory", _] => format!("[directory.NAME], {kind}"),
        ["provider", medium, _] => format!("[provider.{medium}.NAME], {kind}"),
        ["prompt", ..] => "[prompt.SERVICE]".to_owned(),
        ["template", ..] => "[template]".to_owned(),
        _ if table.starts_with('[') => format!("[{table}]]"),
        _ => format!("[{table}]"),
    }
}

#[test]
fn the_examples_of_the_manual_are_read() {
    let (_, part) = MANUAL.split_once(".SH EXAMPLES\n").unwrap();
    let (part, _) = part.split_once("\n.SH ").unwrap();
    let part = part.replace("\\(dq", "\"").replace("\\-", "-");
    let files: Vec<_> = part.split(".nf\n").skip(1).collect();
    for file in &files {
        let (file, _) = file.split_once("\n.fi").unwrap();
        let loaded = Folder::new(file).load().unwrap();
        assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    }
    assert_eq!(files.len(), 2);
}
