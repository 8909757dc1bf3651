//! What a configuration of Gluu's says, as `[[method]]`.

use super::*;

#[test]
fn g06_the_type_is_one_of_a_few_words_in_lower_case() {
    for kind in ["TOTP", "Hotp", "", "oath", "totp "] {
        let text = format!("{METHOD}\ntype = \"{kind}\"");
        let allowed = "\"totp\", \"hotp\", \"sms\", \"email\"";
        let start = format!("DIR/otpd.toml:3:8: method.type = \"{kind}\": allowed are ");
        let refusal = refused(&text);
        assert!(refusal.starts_with(&start) && refusal.contains(allowed), "{refusal}");
    }
    let missing = load(METHOD).unwrap();
    assert_eq!(new_method(&missing).factor, Factor::Totp { t0_ms: 0, period_ms: 30_000 });
    let unknown = "[[policy]]\nname = \"p\"\nunenrolled = \"enrol\"\nenrol = [\"otp\"]";
    assert!(refused(unknown).starts_with("DIR/otpd.toml:4:10: policy.enrol = \"otp\""));
}

#[test]
fn g08_the_parameters_of_its_file_are_keys_of_a_method_and_our_defaults() {
    let text = "[[method]]\nname = \"h\"\ntype = \"hotp\"\nkey_size = 20\ndigits = 6\nlook_ahead = 10\n\
        [[method]]\nname = \"t\"\ntype = \"totp\"\nkey_size = 20\ndigits = 6\ntime_step = \"30s\"\n\
        algorithm = \"sha1\"\n";
    let config = load(text).unwrap();
    for (name, built_in) in [("h", "hotp"), ("t", "totp")] {
        let (method, built_in) = (config.method(name).unwrap(), config.method(built_in).unwrap());
        let said =
            |method: &Method| (method.factor, method.algorithm, method.digits, method.key_size);
        assert_eq!(said(method), said(built_in));
        assert_eq!(method.windows.look_ahead, built_in.windows.look_ahead);
    }
    for (wrong, place) in [
        ("algorithm = \"sha3\"", "DIR/otpd.toml:3:13"),
        ("time_step = 30", "DIR/otpd.toml:3:13"),
        ("keyLength = ", "DIR/otpd.toml:3:13"),
        ("hmacShaAlgorithm = \"sha1\"", "DIR/otpd.toml:3:1"),
    ] {
        let refusal = refused(&format!("{METHOD}\n{wrong}\n"));
        assert!(refusal.starts_with(place), "{wrong}: {refusal}");
    }
}
