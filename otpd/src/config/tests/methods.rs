//! `[[method]]`: Ubisecure's ranges and defaults, links, status, and what one guess is worth.

use otp_core::token::{Algorithm, Factor};

use super::*;

/// A method of which nothing is said but its name.
fn bare() -> Method {
    load(METHOD).unwrap().method("m").unwrap().clone()
}

/// Whether a method with this one key is taken.
fn takes(key: &str, value: &str) -> bool {
    load(&format!("{METHOD}\n{key} = {value}")).is_ok()
}

/// The key takes `least` to `most` and neither what is beyond them nor what is no number.
fn bounds(key: &str, least: i64, most: i64) {
    for number in least..=most {
        assert!(takes(key, &number.to_string()), "{key} = {number}");
    }
    for value in [(least - 1).to_string(), (most + 1).to_string(), "\"x\"".into(), "1.5".into()] {
        assert!(!takes(key, &value), "{key} = {value}");
    }
}

#[test]
fn u01_several_methods_have_names_titles_and_a_status() {
    let config = load(
        "[[method]]\nname = \"acme.totp.1\"\ntitle = \"Acme Authenticator\"\ndirectories = [\"local\"]\n\
         [[method]]\nname = \"acme.totp.2\"\nenabled = false\ndirectories = [\"local\"]\n",
    )
    .unwrap();
    let [first, second] = ["acme.totp.1", "acme.totp.2"].map(|name| config.method(name).unwrap());
    assert_eq!((first.title.as_str(), first.enabled), ("Acme Authenticator", true));
    assert_eq!((second.title.as_str(), second.enabled), ("acme.totp.2", false));
    assert!(config.windows("acme.totp.1").is_some());
    assert!(config.windows("acme.totp.2").is_none(), "disabled: its tokens count as disabled");
    for value in ["1", "\"true\"", "\"disabled\""] {
        assert!(!takes("enabled", value), "{value}");
    }
    let twice = "[[method]]\nname = \"a\"\n[[method]]\nname = \"a\"\n";
    assert!(refused(twice).contains("is taken"), "names are unique");
}

#[test]
fn u02_a_method_that_is_linked_nowhere_is_usable_by_nobody() {
    let linked = |list: &str| load(&format!("{METHOD}\ndirectories = {list}")).unwrap();
    assert!(linked("[\"local\"]").windows("m").is_some());
    assert!(linked("[]").windows("m").is_none());
    assert!(load(METHOD).unwrap().windows("m").is_none(), "nothing is linked by itself");
    assert!(refused(&format!("{METHOD}\ndirectories = [\"ldpa\"]")).contains("\"local\""));
}

#[test]
fn u03_what_is_not_said_is_by_default() {
    let method = bare();
    assert_eq!(method.windows, Windows { before: 1, after: 0, look_ahead: 10 });
    assert_eq!((method.digits, method.algorithm, method.key_size), (6, Algorithm::Sha1, 20));
    assert_eq!(method.factor, Factor::Totp { t0_ms: 0, period_ms: 30_000 });
}

#[test]
fn u04_the_window_before_is_0_to_9_steps() {
    bounds("window_before", 0, 9);
}

#[test]
fn u05_the_window_after_is_0_to_9_steps() {
    bounds("window_after", 0, 9);
}

#[test]
fn u06_a_code_has_4_to_8_digits() {
    bounds("digits", 4, 8);
}

#[test]
fn x02_a_method_has_the_digits_of_every_system_that_has_methods() {
    // Ubisecure 4 to 8, Nevis and FreeIPA 6 to 8, ThinKnx 8.
    bounds("digits", 4, 8);
    assert_eq!(bare().digits, 6);
}

#[test]
fn u07_the_algorithm_is_one_of_three() {
    for (value, taken) in
        [("sha1", true), ("sha256", true), ("sha512", true), ("sha224", false), ("", false)]
    {
        assert_eq!(takes("algorithm", &format!("\"{value}\"")), taken, "{value}");
    }
}

#[test]
fn u08_t0_is_a_time_after_1970_in_any_unit() {
    for (value, milliseconds) in [("0ms", 0), ("1500ms", 1500), ("90s", 90_000), ("2h", 7_200_000)]
    {
        let config = load(&format!("{METHOD}\nt0 = \"{value}\"")).unwrap();
        let factor = config.method("m").unwrap().factor;
        assert_eq!(factor, Factor::Totp { t0_ms: milliseconds, period_ms: 30_000 }, "{value}");
    }
    for value in ["\"-1ms\"", "-1", "0", "\"0\""] {
        assert!(!takes("t0", value), "{value}");
    }
}

#[test]
fn u09_a_step_is_longer_than_nothing_and_t0_is_not_in_the_future() {
    for value in ["\"0ms\"", "\"0s\"", "\"-30s\"", "0", "30", "30000"] {
        assert!(!takes("time_step", value), "{value}");
    }
    let method = Method { factor: Factor::Totp { t0_ms: 5_000, period_ms: 30_000 }, ..bare() };
    assert!(method.not_begun(4_999).unwrap().contains("future"));
    assert_eq!(method.not_begun(5_000), None);
}

#[test]
fn u10_a_key_has_10_to_99_bytes() {
    bounds("key_size", 10, 99);
}

#[test]
fn x01_times_have_their_unit() {
    for value in ["30s", "30000ms", "1m", "1h"] {
        assert!(takes("time_step", &format!("\"{value}\"")), "{value}");
    }
    assert!(!takes("time_step", "\"30\""), "30 what?");
}

#[test]
fn x07_by_default_one_step_before_counts_and_none_after() {
    let Windows { before, after, .. } = default().windows("totp").unwrap();
    assert_eq!((before, after), (1, 0));
}

#[test]
fn each_method_that_is_set_tells_what_a_guess_is_worth() {
    let told = |keys: &str| Folder::new(&format!("{METHOD}\n{keys}")).load().unwrap().notices;
    for (keys, one_in) in [
        ("", 500_000),
        ("digits = 8", 50_000_000),
        ("digits = 4\nwindow_before = 9\nwindow_after = 9", 526),
        ("window_before = 0", 1_000_000),
        ("type = \"hotp\"", 90_909),
        ("type = \"hotp\"\nlook_ahead = 0", 1_000_000),
        ("type = \"sms\"", 1_000_000),
    ] {
        let expected = format!("method \"m\": one guess in {one_in} is right");
        assert_eq!(told(keys), [expected], "{keys}");
    }
    assert_eq!(Folder::new("").load().unwrap().notices, [""; 0], "nothing is set");
    let changed = Folder::new("[[method]]\nname = \"totp\"\n").load().unwrap().notices;
    assert_eq!(changed, ["method \"totp\": one guess in 500000 is right"]);
}

#[test]
fn a_disabled_method_is_warned_of() {
    let warnings = Folder::new(&format!("{METHOD}\nenabled = false")).load().unwrap().warnings;
    assert_eq!(
        warnings,
        ["DIR/otpd.toml:1:1: method \"m\" is disabled, so nobody can use it"],
        "and not of its links besides"
    );
}
