use super::*;
use crate::doctor::check::Severity;

#[test]
fn units_that_do_not_start_are_told() {
    let units = |socket: [&str; 3], service: [&str; 3]| {
        let unit = |id: &str, [load, file, active]: [&str; 3]| {
            format!("Id={id}\nLoadState={load}\nUnitFileState={file}\nActiveState={active}\n")
        };
        let text = [unit("otpd.socket", socket), unit("otpd.service", service)].join("\n");
        of_units(&text).into_iter().map(|f| format!("{} {}", f.check, f.found)).collect::<Vec<_>>()
    };
    let well = ["loaded", "enabled", "active"];
    for (socket, service, told) in [
        (well, well, ""),
        (well, ["loaded", "disabled", "inactive"], ""),
        (
            ["loaded", "enabled", "inactive"],
            ["loaded", "enabled", "inactive"],
            " neither unit is active",
        ),
        (
            ["loaded", "disabled", "active"],
            ["loaded", "disabled", "active"],
            " neither unit is enabled",
        ),
        (["masked", "masked", "inactive"], well, " otpd.socket is masked"),
        (well, ["loaded", "enabled", "failed"], " otpd.service has failed"),
        (["not-found", "", "inactive"], well, " otpd.socket is not installed"),
    ] {
        let expected = if told.is_empty() { vec![] } else { vec![format!("otpd-unit{told}")] };
        assert_eq!(units(socket, service), expected, "{socket:?} {service:?}");
    }
}

#[test]
fn people_without_a_token_or_recovery_codes_are_told() {
    let user = |name: &str, usable, recovery| UserDocument {
        user: name.into(),
        usable,
        recovery,
        ..UserDocument::default()
    };
    let admins = ["alice".to_owned(), "bob".to_owned()];
    let tell = |users: &[UserDocument], configuration: &str| {
        let configuration: Configuration = toml::from_str(configuration).unwrap();
        let found = people(users, &admins, &["sudo"], Some(&configuration));
        found.into_iter().map(|f| format!("{} {}", f.check, f.found)).collect::<Vec<_>>()
    };
    assert_eq!(tell(&[], ""), ["users-none sudo asks for a code, and nobody has a token"]);
    assert_eq!(
        tell(&[user("alice", 1, 0), user("bob", 0, 3)], ""),
        ["users-admin no token: bob", "users-recovery no recovery codes: alice"]
    );
    assert_eq!(tell(&[user("alice", 1, 9), user("bob", 1, 1)], ""), [""; 0]);
    let lenient = "[[policy]]\nname = \"p\"\nunenrolled = \"enrol\"\n";
    assert_eq!(tell(&[], lenient), [""; 0]);
    assert_eq!(people(&[], &admins, &[], None), []);
}

#[test]
fn policies_for_everybody_are_told() {
    let tell = |text: &str| {
        let configuration: Configuration = toml::from_str(text).unwrap();
        policies(&configuration).into_iter().map(|f| (f.severity, f.check)).collect::<Vec<_>>()
    };
    let policy = |factor: &str, rest: &str| {
        format!("[[policy]]\nname = \"p\"\nfactor = \"{factor}\"\n{rest}")
    };
    assert_eq!(tell(&policy("skip", "")), [(Severity::Warning, "policy-skip")]);
    assert_eq!(tell(&policy("deny", "")), [(Severity::Lockout, "policy-deny")]);
    assert_eq!(tell(&policy("deny", "match = { user = [\"a\"] }")), []);
    assert_eq!(tell(&policy("require", "")), []);
}

#[test]
fn a_warning_of_the_daemon_keeps_its_place() {
    let finding =
        warning("/etc/otpd/otpd.toml:10:1: policy \"sk\" is never reached: \"ig\" is before it");
    assert_eq!((finding.check, finding.line), ("otpd-config-warning", Some(10)));
    assert_eq!(finding.found, "policy \"sk\" is never reached: \"ig\" is before it");
    assert_eq!(warning("no place").found, "no place");
}
