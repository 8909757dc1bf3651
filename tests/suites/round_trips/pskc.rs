//! PSKC that Debian's `pskctool` and python3-pskc have written, and what they read of ours.

use std::fs;

use harness::{
    Token, World,
    authenticators::python,
    crowd,
    otpd::otpctl_with,
    process::{command, run},
};

use super::{Trip, counts, import, known_already, present};

const FILE: &str = "/run/e2e/tokens.xml";
const SECRET: &str = "/run/e2e/file-key";
const PASSWORD: &str = "a passphrase for files";
/// 32 hexadecimal digits.
const SHARED: &str = "00112233445566778899aabbccddeeff";

/// Writes two tokens, a counter's and one of time. Arguments: how they are encrypted, with what,
/// their users, the time now in seconds. The keys in base32 come on the standard input.
const WRITE: &str = r#"
import sys, base64, pskc
way, word, counted, timed, now = sys.argv[1:]
keys = [base64.b32decode(line.strip()) for line in sys.stdin]
out = pskc.PSKC()
hotp = 'urn:ietf:params:xml:ns:keyprov:pskc:'
out.add_key(id='1', serial='A1', manufacturer='Acme', secret=keys[0], algorithm=hotp + 'hotp',
            counter=7, response_length=8, response_encoding='DECIMAL', key_userid=counted)
out.add_key(id='2', serial='A2', manufacturer='Acme', secret=keys[1], algorithm=hotp + 'totp',
            time_interval=30, response_length=6, response_encoding='DECIMAL', key_userid=timed)
if way == 'password':
    out.encryption.setup_pbkdf2(word.encode(), iterations=20000)
elif way != 'plain':
    out.encryption.setup_preshared_key(key=bytes.fromhex(word), algorithm=way)
if way != 'plain':
    out.mac.setup()
out.write(sys.stdout)
"#;
/// Reads tokens; arguments: the file, a word. Prints user, key, length and counter.
const READ: &str = r#"
import sys, base64, pskc
file, word = sys.argv[1:]
found = pskc.PSKC(file)
if len(word) == 32:
    found.encryption.key = bytes.fromhex(word)
else:
    found.encryption.derive_key(word.encode())
for key in found.keys:
    assert key.check()
    secret = base64.b32encode(key.secret).decode().rstrip('=')
    print(key.key_userid or key.device_userid, secret, key.response_length, key.counter)
"#;

fn tokens() -> [Token; 2] {
    let mut counted = Token::of_key("hotp", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    counted.digits = 8;
    [counted, Token::of_key("totp", "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U")]
}

fn word(text: &str) {
    fs::write(SECRET, text).unwrap();
}

/// What is next is accepted; of a token of time all codes count as used that were shown so far.
#[test]
fn tokens_of_every_protection_are_taken_over() {
    World::run(|world| {
        let mut trip = Trip::new(world);
        let [counted, timed] = tokens();
        for (n, (way, given)) in [
            ("plain", ""),
            ("password", PASSWORD),
            ("aes128-cbc", SHARED),
            ("aes256-cbc", &*SHARED.repeat(2)),
        ]
        .into_iter()
        .enumerate()
        {
            let users = [crowd(2 * n), crowd(2 * n + 1)];
            let keys = format!("{}\n{}\n", counted.secret, timed.secret);
            let text = python(WRITE, &[way, given, &users[0], &users[1], ""], keys.as_bytes());
            assert_eq!(text.contains("PlainValue>MTIz"), way == "plain", "{text}");
            fs::write(FILE, text).unwrap();
            let mut arguments = vec![FILE];
            if way == "plain" {
                sign();
            } else {
                let refused = otpctl_with(&["import", FILE], b"");
                assert_eq!(refused.code(), 1, "{way}: {refused:?}");
                word("another word");
                let refused = otpctl_with(&["import", FILE, "--key-file", SECRET], b"");
                assert_eq!(refused.code(), 1, "{way}: {refused:?}");
                word(given);
                arguments.extend(["--key-file", SECRET]);
            }
            let before = present();
            assert_eq!(counts(&import(&arguments)), (2, 0, 0), "{way}");
            trip.refused(&users[0], &counted.at(6), "a code before the counter");
            trip.good_once(&users[0], &counted.at(7), "the next code");
            trip.refused(&users[1], &timed.at(before), "a code that may have been used");
            trip.good_once(&users[1], &timed.at(before + 4), "a later code");
            known_already(&import(&arguments), 2);
        }
        trip.leaves_no_trace(world, [counted, timed].iter());
    });
}

/// Has pskctool write the file anew, with a signature.
fn sign() {
    let (key, certificate) = ("/run/e2e/sign.key", "/run/e2e/sign.crt");
    let mut openssl = command("openssl");
    openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=x"]);
    run(openssl.args(["-keyout", key, "-out", certificate]), b"").ok();
    let mut pskctool = command("pskctool");
    pskctool.args(["--sign", "--sign-key", key, "--sign-crt", certificate, FILE]);
    let signed = run(&mut pskctool, b"").ok();
    assert!(signed.contains("<Signature"), "{signed}");
    fs::write(FILE, signed).unwrap();
}

/// What otpctl exports is good PSKC, opens with the word it was made with and with no other, and is
/// known when it comes back.
#[test]
fn what_is_exported_is_read_elsewhere() {
    World::run(|world| {
        let mut trip = Trip::new(world);
        let keys = tokens();
        let text = python(
            WRITE,
            &["plain", "", "alice", "bob", ""],
            format!("{}\n{}\n", keys[0].secret, keys[1].secret).as_bytes(),
        );
        fs::write(FILE, text).unwrap();
        assert_eq!(counts(&import(&[FILE])), (2, 0, 0));
        trip.used("here", "alice", &keys[0].at(9));
        for (n, given) in [PASSWORD, SHARED].into_iter().enumerate() {
            word(given);
            let out = format!("/run/e2e/out-{n}.xml");
            let arguments = ["export", "--all", "--format", "pskc", "--output", &out, "--yes"];
            otpctl_with(&[&arguments[..], &["--key-file", SECRET]].concat(), b"").ok();
            let mut pskctool = command("pskctool");
            let valid = run(pskctool.args(["--validate", &out]), b"").ok();
            assert!(valid.contains("OK"), "{valid}");
            let mut read: Vec<_> =
                python(READ, &[&out, given], b"").lines().map(str::to_owned).collect();
            read.sort();
            assert_eq!(
                read,
                [
                    format!("UID=alice {} 8 10", keys[0].secret),
                    format!("UID=bob {} 6 None", keys[1].secret)
                ]
            );
            known_already(&import(&[&out, "--key-file", SECRET]), 2);
        }
    });
}
