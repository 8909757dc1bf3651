use std::fs;

use nix::unistd::geteuid;

use super::*;

const TEXT: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F\n";

fn write(path: &Path, text: &[u8], mode: u32) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn refusal(credentials: Option<&Path>, file: &Path) -> String {
    match Keyring::load(credentials, file, geteuid().as_raw()) {
        Ok(_) => panic!("accepted"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn keys_differ_by_purpose_and_depend_on_nothing_but_the_key() {
    let directory = tempfile::tempdir().unwrap();
    let (file, credential) = (directory.path().join("kek"), directory.path().join(CREDENTIAL));
    write(&file, TEXT.as_bytes(), 0o400);
    let owner = geteuid().as_raw();
    let from_file = Keyring::load(Some(directory.path()), &file, owner).unwrap();
    let from_file = from_file.get(Role::Present).unwrap();
    write(&credential, TEXT.as_bytes(), 0o440);
    let nowhere = Path::new("/nonexistent");
    let from_credential = Keyring::load(Some(directory.path()), nowhere, owner).unwrap();
    let from_credential = from_credential.get(Role::Present).unwrap();
    assert!(from_file.source().contains("key file"));
    assert!(from_credential.source().contains("credential"));
    // Computed with Python's hmac from RFC 5869's definition.
    assert_eq!(
        HEXLOWER.encode(from_file.seal()),
        "21055aad01916289c8785fadbf9beb12886ff36a830c80d4b75386adeca1cbc1"
    );
    let all = [from_file.seal(), from_file.record(), from_file.recovery()];
    for (i, key) in all.iter().enumerate() {
        assert!(all.iter().skip(i + 1).all(|other| other != key));
    }
    assert_eq!(from_file.record(), from_credential.record());
}

#[test]
fn only_exact_content_is_a_key() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("kek");
    let digits = TEXT.trim_end();
    for text in [
        String::new(),
        "\n".into(),
        digits.into(),
        format!("{digits}\r\n"),
        format!("{digits}\n\n"),
        format!(" {digits}\n"),
        format!("{}\n", &digits[1..]),
        format!("{}\n", &digits[2..]),
        format!("{digits}00\n"),
        format!("{}zz\n", &digits[2..]),
    ] {
        write(&file, text.as_bytes(), 0o600);
        assert!(refusal(None, &file).contains("64 hexadecimal digits"), "{text:?}");
    }
}

#[test]
fn rights_kind_and_absence() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("kek");
    assert!(refusal(None, &file).contains("restore the key from its backup"));
    for mode in [0o440, 0o404, 0o620, 0o602, 0o644, 0o777] {
        write(&file, TEXT.as_bytes(), mode);
        assert!(refusal(None, &file).contains("its mode is"), "{mode:o}");
    }
    write(&file, TEXT.as_bytes(), 0o400);
    let link = directory.path().join("link");
    std::os::unix::fs::symlink(&file, &link).unwrap();
    assert!(refusal(None, &link).contains("symbolic link"));
    assert!(refusal(None, directory.path()).contains("not a regular file"));
    let fifo = directory.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRUSR).unwrap();
    assert!(refusal(None, &fifo).contains("not a regular file"));
}

#[test]
fn a_bad_credential_is_not_passed_over_for_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("kek");
    write(&file, TEXT.as_bytes(), 0o400);
    write(&directory.path().join(CREDENTIAL), b"garbage\n", 0o400);
    assert!(refusal(Some(directory.path()), &file).contains("64 hexadecimal digits"));
    for mode in [0o444, 0o460, 0o420] {
        write(&directory.path().join(CREDENTIAL), TEXT.as_bytes(), mode);
        assert!(refusal(Some(directory.path()), &file).contains("its mode is"), "{mode:o}");
    }
}

#[test]
fn a_foreign_owner_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("kek");
    write(&file, TEXT.as_bytes(), 0o400);
    if !geteuid().is_root() {
        return; // Only root can give a file away; the build machines run this as root too.
    }
    std::os::unix::fs::chown(&file, Some(65534), None).unwrap();
    assert!(refusal(None, &file).contains("must belong to root"));
}

#[test]
fn a_made_key_reads_back() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("kek");
    let (written, made) = Keys::create(&file).unwrap();
    written.persist_noclobber(&file).unwrap();
    let read = Keyring::load(None, &file, geteuid().as_raw()).unwrap();
    assert!(made.same(read.get(Role::Present).unwrap()));
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o400);
    let (_again, other) = Keys::create(&file).unwrap();
    assert!(!made.same(&other));
}
