//! The recipes that are shipped, and the providers of the example.

use std::collections::BTreeMap;

use super::*;

/// Programs that a machine that builds need not have.
const PROGRAMS: [&str; 3] = ["/usr/bin/gnokii", "/usr/local/sbin/send-sms", "/usr/sbin/sendmail"];

#[test]
fn every_recipe_is_one_provider_that_is_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/recipes");
    let mut kinds = BTreeMap::new();
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        let mut text = std::fs::read_to_string(&path).unwrap();
        for program in PROGRAMS {
            text = text.replace(program, "/bin/sh");
        }
        text.push_str("[budget]\ncountries = [\"+49\"]\n");
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let loaded = Folder::new(&text).load().unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(loaded.warnings.is_empty(), "{name}: {:?}", loaded.warnings);
        let [(id, provider)] = loaded.config.providers.as_slice() else { panic!("{name}") };
        kinds.insert(name, format!("{} {}", id.medium.name(), provider.kind()));
    }
    let expected = [
        ("aws-sns", "sms http"),
        ("clickatell-http", "sms http"),
        ("clickatell-one", "sms http"),
        ("exec", "sms exec"),
        ("gnokii", "sms gnokii"),
        ("kannel", "sms http"),
        ("modemmanager", "sms modemmanager"),
        ("sendmail", "email sendmail"),
        ("sipgate", "sms http"),
        ("smpp", "sms smpp"),
        ("smtp", "email smtp"),
        ("smtp-gateway", "sms smtp"),
        ("twilio", "sms http"),
        ("vonage", "sms http"),
    ];
    assert_eq!(kinds, expected.map(|(name, kind)| (name.to_owned(), kind.to_owned())).into());
}

/// What the example shows of providers are the defaults, too, but for what must be said.
#[test]
fn the_example_file_holds_the_defaults_of_providers() {
    let example = include_str!("../../../../packaging/otpd.toml.example");
    let mail = "server = \"mail.example.com\"\nfrom = \"a@b\"\nhello = \"host.example.com\"\n";
    for (table, kind, needed) in [
        (
            "provider.sms.main",
            "http",
            "url = \"http://h/\"\ntext_key = \"t\"\nphone_key = \"p\"\nuser = \"u\"\npassword = \"p\"\n",
        ),
        (
            "provider.sms.smsc",
            "smpp",
            "server = \"s\"\ntls = true\nsystem_id = \"i\"\nsource_addr = \"Acme\"\n",
        ),
        ("provider.sms.relay", "smtp", &format!("{mail}to = \"{{phone}}@b\"\n")),
        ("provider.sms.modem", "modemmanager", ""),
        ("provider.sms.gnokii", "gnokii", "path = \"/bin/sh\"\nconfig = \"/c\"\n"),
        ("provider.sms.own", "exec", "path = \"/bin/sh\"\n"),
        ("provider.email.main", "smtp", mail),
        ("provider.email.local", "sendmail", "path = \"/bin/sh\"\nfrom = \"a@b\"\nhello = \"h\"\n"),
    ] {
        let config = load(&format!("[{table}]\ntype = \"{kind}\"\n{needed}")).unwrap();
        let (_, shown) = example.split_once(&format!("[{table}]")).unwrap();
        let (shown, _) = shown.split_once("\n\n").unwrap_or((shown, ""));
        let given: Vec<_> = needed.lines().filter_map(|line| line.split(" =").next()).collect();
        let mut compared = 0;
        for default in config.shown_providers.lines() {
            let Some((key, _)) = default.split_once(" = ") else { continue };
            let said = |line: &str| line.trim_start_matches(['#', ' ']).to_owned();
            let line = shown.lines().map(said).find(|line| line.starts_with(&format!("{key} =")));
            if let Some(line) = line.filter(|_| !given.contains(&key)) {
                assert!(line.starts_with(default), "{table}: {line}: the default is {default}");
                compared += 1;
            }
        }
        assert!(compared > 1, "{table}");
    }
}
