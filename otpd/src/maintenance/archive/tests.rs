use proptest::prelude::*;

use super::*;

const KEY: &[u8] = b"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";

fn archive(image: &[u8], key: Option<&[u8]>) -> Archive {
    let header =
        Header { store: "00ff".repeat(8), made_ms: 1_767_225_600_000, schema: 5, key_version: 2 };
    Archive { header, key: key.map(|key| Zeroizing::new(key.to_vec())), image: image.to_vec() }
}

fn pair() -> (Reader, Opener) {
    let identity = x25519::Identity::generate();
    (Reader::Recipients(vec![identity.to_public()]), Opener::Identities(vec![identity]))
}

fn sealed(archive: &Archive, reader: Reader) -> Vec<u8> {
    let mut file = Vec::new();
    archive.seal(reader, &mut file).unwrap();
    file
}

/// Encrypts anything at all.
fn encrypted(plain: &[u8], reader: Reader) -> Vec<u8> {
    let Reader::Recipients(recipients) = reader else { panic!("recipients") };
    let encryptor = Encryptor::with_recipients(recipients.iter().map(|one| one as _)).unwrap();
    let mut file = Vec::new();
    let mut out = encryptor.wrap_output(&mut file).unwrap();
    out.write_all(plain).unwrap();
    out.finish().unwrap();
    file
}

fn refusal(file: &[u8], opener: &Opener) -> Refusal {
    Archive::open(file, opener).map(|_| ()).expect_err("refused")
}

#[test]
fn it_comes_back_as_it_was() {
    for image in [&b""[..], b"\n", b"SQLite format 3\0\n\n", &[7; 200_000]] {
        for key in [None, Some(KEY)] {
            let (reader, opener) = pair();
            let archive = archive(image, key);
            let opened = Archive::open(&sealed(&archive, reader), &opener).unwrap();
            assert_eq!(opened.header, archive.header);
            assert_eq!(opened.key.as_deref().map(Vec::as_slice), key);
            assert_eq!(opened.image, image);
        }
    }
}

#[test]
fn what_is_inside_can_be_read_without_otpd() {
    let (reader, opener) = pair();
    let file = sealed(&archive(b"image", Some(KEY)), reader);
    let Opener::Identities(identities) = opener else { unreachable!() };
    let mut plain = String::new();
    let decryptor = Decryptor::new(file.as_slice()).unwrap();
    let mut reader = decryptor.decrypt(identities.iter().map(|one| one as _)).unwrap();
    reader.read_to_string(&mut plain).unwrap();
    let key = str::from_utf8(KEY).unwrap();
    let header = r#"{"store":"00ff00ff00ff00ff00ff00ff00ff00ff","made_ms":1767225600000,"schema":5,"key_version":2}"#;
    assert_eq!(plain, format!("otpd backup 1\n{header}\n{key}image"));
}

/// A passphrase takes its time, so all of it is one test.
#[test]
fn a_passphrase_opens_what_it_closed_and_nothing_else_does() {
    let passphrase = "pässphrase of several words";
    let reader = Reader::passphrase(passphrase.as_bytes()).unwrap();
    let file = sealed(&archive(b"image", None), reader);
    assert!(file.starts_with(b"age-encryption.org/v1\n-> scrypt "));
    let opener = |text: &str| Opener::passphrase(text.as_bytes()).unwrap();
    assert_eq!(Archive::open(&file, &opener(passphrase)).unwrap().image, b"image");
    assert_eq!(refusal(&file, &opener("another one")), Refusal::WrongPassphrase);
    assert_eq!(refusal(&file, &pair().1), Refusal::NeedsPassphrase);
    let hungry = String::from_utf8_lossy(&file[..80]).replace(" 18\n", " 21\n").into_bytes();
    let hungry = [&hungry, &file[80..]].concat();
    assert_eq!(refusal(&hungry, &opener(passphrase)), Refusal::TooMuchWork(21));
    assert_eq!(Reader::passphrase(b"\xff").map(|_| ()), Err(Refusal::NoText));
    let (other, _) = pair();
    assert_eq!(
        refusal(&sealed(&archive(b"image", None), other), &opener(passphrase)),
        Refusal::NeedsIdentity
    );
}

#[test]
fn identities_are_read_as_age_keygen_writes_them() {
    use age::secrecy::ExposeSecret;
    let identity = x25519::Identity::generate();
    let (public, secret) = (identity.to_public().to_string(), identity.to_string());
    let secret = secret.expose_secret();
    let file = format!("# created: today\r\n# public key: {public}\r\n\r\n{secret}\r\n");
    let opener = Opener::identities(file.as_bytes()).unwrap();
    let reader = Reader::recipients(std::slice::from_ref(&public)).unwrap();
    assert!(Archive::open(&sealed(&archive(b"", None), reader), &opener).is_ok());
    for bad in ["", "# nothing", &public, "AGE-SECRET-KEY-1", &secret[..secret.len() - 1], "\u{0}"]
    {
        assert_eq!(Opener::identities(bad.as_bytes()).map(|_| ()), Err(Refusal::NoIdentity));
    }
    let half = format!("{secret}\nssh-ed25519 AAAA\n");
    assert_eq!(Opener::identities(half.as_bytes()).map(|_| ()), Err(Refusal::NoIdentity));
}

/// An identity file taken for the public key is near at hand: its secret goes to no message.
#[test]
fn what_is_no_recipient_is_told_by_its_place_and_never_shown() {
    use age::secrecy::ExposeSecret;
    let identity = x25519::Identity::generate();
    let (public, secret) = (identity.to_public().to_string(), identity.to_string());
    let secret = secret.expose_secret();
    let mistyped = format!("{public}x");
    for (bad, refused) in [
        ("", Refusal::NoRecipient(2)),
        ("age1", Refusal::NoRecipient(2)),
        (mistyped.as_str(), Refusal::NoRecipient(2)),
        ("ssh-ed25519 AAAA", Refusal::NoRecipient(2)),
        (secret, Refusal::SecretRecipient(2)),
        (&secret.to_lowercase(), Refusal::SecretRecipient(2)),
        (&secret[..40], Refusal::SecretRecipient(2)),
    ] {
        let found = Reader::recipients(&[public.clone(), bad.to_owned()]).map(|_| ()).unwrap_err();
        assert_eq!(found, refused);
        assert!(bad.len() < 5 || !found.to_string().contains(bad), "{found}");
    }
}

/// Every length and every byte: nothing is taken that is not whole and as it was.
#[test]
fn cut_off_changed_or_longer_it_is_refused() {
    let (reader, opener) = pair();
    let file = sealed(&archive(&[7; 150], Some(KEY)), reader);
    for length in 0..file.len() {
        let refused = refusal(&file[..length], &opener);
        assert!(matches!(refused, Refusal::NotAge | Refusal::Damaged), "{length}: {refused}");
    }
    for at in 0..file.len() {
        for bit in [0, 5, 7] {
            let mut changed = file.clone();
            changed[at] ^= 1 << bit;
            assert!(Archive::open(&changed, &opener).is_err(), "byte {at}, bit {bit}");
        }
    }
    for more in [&b"\0"[..], b"\n", &[0; 16], &file] {
        assert_eq!(refusal(&[&file, more].concat(), &opener), Refusal::Damaged);
    }
}

/// The same where chunks of age's, 64 KiB, end.
#[test]
fn cut_off_between_two_chunks_it_is_refused() {
    const CHUNK: usize = 64 * 1024 + 16;
    for size in [64 * 1024, 128 * 1024] {
        let (reader, opener) = pair();
        let before = sealed(&archive(b"", None), pair().0).len();
        let lines = "otpd backup 1\n".len() + 2;
        let header = serde_json::to_vec(&archive(b"", None).header).unwrap().len();
        let file = sealed(&archive(&vec![7; size - lines - header], None), reader);
        let start = file.len() - size / (64 * 1024) * CHUNK;
        assert!(start < before);
        assert!(Archive::open(&file, &opener).is_ok());
        for chunks in 0..size / (64 * 1024) {
            for more in [0, 1, 15, 16, 17] {
                let cut = &file[..start + chunks * CHUNK + more];
                assert_eq!(refusal(cut, &opener), Refusal::Damaged, "{size} {chunks} {more}");
            }
        }
        let last = &file[file.len() - CHUNK..];
        assert_eq!(refusal(&[&file, last].concat(), &opener), Refusal::Damaged);
    }
}

#[test]
fn for_others_it_is_closed() {
    let ((reader, _), (_, other)) = (pair(), pair());
    assert_eq!(refusal(&sealed(&archive(b"", None), reader), &other), Refusal::OtherIdentity);
}

#[test]
fn what_is_encrypted_and_no_backup_is_told_from_a_newer_one() {
    let header = serde_json::to_string(&archive(b"", None).header).unwrap();
    let long = "x".repeat(2000);
    for (plain, refused) in [
        (String::new(), Refusal::NoBackup),
        ("otpd backup 1".into(), Refusal::NoBackup),
        ("otpd backup 1\n".into(), Refusal::NoBackup),
        (format!("otpd backup 1\n{header}"), Refusal::NoBackup),
        (format!("otpd backup 1\n{header}\n"), Refusal::NoBackup),
        (format!("otpd backup 1\n{header}\nkey"), Refusal::NoBackup),
        ("otpd backup 1\n{}\n\n".into(), Refusal::NoBackup),
        (format!("otpd backup 1\n{}\n\n", header.replace("made", "more")), Refusal::NoBackup),
        (format!("otpd backup 1 \n{header}\n\n"), Refusal::NoBackup),
        (format!("otpd backup \n{header}\n\n"), Refusal::NoBackup),
        (format!("Otpd backup 1\n{header}\n\n"), Refusal::NoBackup),
        (format!("otpd backup 1\n{long}\n\n"), Refusal::NoBackup),
        ("otpd backup 2\nanything".into(), Refusal::Newer),
        ("otpd backup 10\n".into(), Refusal::Newer),
    ] {
        let (reader, opener) = pair();
        assert_eq!(refusal(&encrypted(plain.as_bytes(), reader), &opener), refused, "{plain:?}");
    }
    let (_, opener) = pair();
    for file in [&b""[..], b"age-encryption.org/v2\n", b"-----BEGIN AGE ENCRYPTED FILE-----\n"] {
        assert_eq!(refusal(file, &opener), Refusal::NotAge);
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(rest in proptest::collection::vec(any::<u8>(), 0..400)) {
        let (reader, opener) = pair();
        let _ = Archive::open(&[AGE, &rest].concat(), &opener);
        let _ = Archive::open(&[AGE, b"-> X25519 ", &rest].concat(), &opener);
        let _ = Archive::open(&encrypted(&rest, reader), &opener);
        let _ = Archive::parse(&[b"otpd backup 1\n", rest.as_slice()].concat());
        let _ = Opener::identities(&rest);
    }
}
