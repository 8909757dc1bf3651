//! `[sharing]` and the commands that follow.

use super::*;

fn on(config: &Config) -> String {
    let on = config.sharing.on.iter();
    let told = on.map(|(name, command)| {
        format!("{} {} {:?}", name.name(), command.program.display(), command.arguments)
    });
    told.collect::<Vec<_>>().join("; ")
}

#[test]
fn n15_the_keys_of_sharing() {
    let section = "[sharing]";
    let keys = [
        Key {
            before: section,
            name: "sharing.ttl",
            read: |config| show(config.sharing.ttl_ms),
            default: "300000",
            takes: &[("\"30s\"", "30000"), ("\"1h\"", "3600000")],
            refuses: &["\"0s\"", "\"29s\"", "\"61m\"", "300", "true"],
            allowed: "\"30s\" to \"1h\", UNIT",
        },
        Key {
            before: section,
            name: "sharing.offer",
            read: |config| show(config.sharing.offer_ms),
            default: "604800000",
            takes: &[("\"1h\"", "3600000"), ("\"90d\"", "7776000000")],
            refuses: &["\"0s\"", "\"59m\"", "\"91d\"", "7"],
            allowed: "\"1h\" to \"90d\", UNIT",
        },
        Key {
            before: section,
            name: "sharing.confirm",
            read: |config| show(config.sharing.confirm),
            default: "Code",
            takes: &[("\"code\"", "Code"), ("\"ack\"", "Acknowledgement")],
            refuses: &["\"Code\"", "\"\"", "true"],
            allowed: "\"code\", \"ack\"",
        },
        Key {
            before: section,
            name: "sharing.reshare",
            read: |config| show(config.sharing.reshare),
            default: "true",
            takes: &[("true", "true"), ("false", "false")],
            refuses: &["\"false\"", "0"],
            allowed: "true and false",
        },
        Key {
            before: section,
            name: "sharing.account",
            read: |config| show(config.sharing.account),
            default: "LoginId",
            takes: &[("\"loginid\"", "LoginId"), ("\"email\"", "Email")],
            refuses: &["\"mail\"", "[]"],
            allowed: "\"loginid\", \"email\"",
        },
        Key {
            before: section,
            name: "sharing.tenants",
            read: |config| show(&config.sharing.tenants),
            default: "[]",
            takes: &[("[]", "[]"), ("[\"a b\", \"ü\"]", "[\"a b\", \"ü\"]")],
            refuses: &["\"a\"", "true"],
            allowed: "a list of names of 1 to 128 bytes without control characters",
        },
    ];
    keys.iter().for_each(check);
    for name in ["\"\"", "\" a\"", "\"a\\nb\"", "1"] {
        let message = refused(&format!("[sharing]\ntenants = [\"a\", {name}]"));
        assert!(message.starts_with("DIR/otpd.toml:2:17: sharing.tenants = "), "{message}");
    }
}

#[test]
fn n16_each_transition_has_a_command() {
    let config = load(
        "[sharing.on]\nok = [\"/bin/true\", \"a b\", \"\"]\nfailed = [\"/bin/true\"]\n\
         noCredential = [\"/bin/true\", \"1\"]\nsecretAlreadyShared = [\"/bin/false\"]\n\
         default = [\"/bin/false\", \"x\"]\n",
    );
    let config = config.unwrap();
    assert_eq!(
        on(&config),
        "default /bin/false [\"x\"]; ok /bin/true [\"a b\", \"\"]; failed /bin/true []; \
         noCredential /bin/true [\"1\"]; secretAlreadyShared /bin/false []"
    );
    // What is not mapped is a failure.
    let followed = |transition| config.sharing.follow_up(transition).cloned();
    assert!(followed(Transition::Failed).is_some());
    assert_eq!(followed(Transition::ClientNotFound), followed(Transition::Failed));
    let own = load("[sharing.on]\nfailed = [\"/bin/true\"]\nclientNotFound = [\"/bin/false\"]");
    let own = own.unwrap().sharing;
    assert_eq!(own.follow_up(Transition::ClientNotFound), own.on.get(&Transition::ClientNotFound));
    assert!(own.follow_up(Transition::NoCredential).is_none());
}

#[test]
fn n06_the_former_name_of_the_default_transition_is_taken() {
    let config = load("[sharing.on]\nshowGui = [\"/bin/true\"]").unwrap();
    assert_eq!(on(&config), "default /bin/true []");
    let twice = refused("[sharing.on]\nshowGui = [\"/bin/true\"]\ndefault = [\"/bin/true\"]");
    assert!(twice.contains(":3:11: sharing.on: \"showGui\", \"default\" are one"), "{twice}");
}

#[test]
fn a_command_is_a_file_that_only_root_can_write() {
    for (value, why) in [
        ("[]", "allowed are a list of a program, an absolute path"),
        ("\"/bin/true\"", "allowed are a list of a program"),
        ("[\"true\"]", "allowed are a list of a program"),
        ("[\"/bin/true\", 1]", "allowed are a list of a program"),
        ("[\"/bin/true\", \"a\\u0000b\"]", "allowed are a list of a program"),
        ("[\"/bin/none-of-that-name\"]", "does not exist"),
        ("[\"/etc/passwd\"]", "cannot be executed"),
        ("[\"/etc\"]", "it is not a file"),
    ] {
        let message = refused(&format!("[sharing.on]\nok = {value}"));
        assert!(message.starts_with("DIR/otpd.toml:2:6: sharing.on.ok"), "{message}");
        assert!(message.contains(why), "{value}: {message}");
    }
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("mine");
    std::fs::copy("/bin/true", &program).unwrap();
    std::os::unix::fs::chown(&program, Some(12345), None).unwrap();
    let message = refused(&format!("[sharing.on]\nok = [\"{}\"]", program.display()));
    assert!(message.contains("does not belong to root") || message.contains("written by others"));
    let unknown = refused("[sharing.on]\nokay = [\"/bin/true\"]");
    assert!(unknown.contains("sharing.on.okay is not a known key"), "{unknown}");
}
