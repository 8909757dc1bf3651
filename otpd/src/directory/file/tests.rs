use std::{fs, os::unix::fs::PermissionsExt};

use super::*;

struct Folder {
    file: File,
    path: PathBuf,
    _folder: tempfile::TempDir,
}

impl Folder {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("people");
        let settings = Settings { path: path.clone(), country: Some("49".to_owned()) };
        let folder = Self { file: File::new("d", settings), path, _folder: folder };
        folder.write(text);
        folder
    }

    fn write(&self, text: &str) {
        fs::write(&self.path, text).unwrap();
        fs::set_permissions(&self.path, fs::Permissions::from_mode(0o640)).unwrap();
    }

    fn ask(&self, name: &str) -> Result<Option<Record>, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let answer = runtime.block_on(self.file.look_up(name));
        answer.map_err(|error| error.0.replace(self.path.to_str().unwrap(), "FILE"))
    }
}

#[test]
fn a_line_tells_numbers_addresses_groups_and_the_state() {
    let folder = Folder::new(
        "# people\n\nalice:0170 1234581:alice@example.com:staff, wheel:\n bob : : : :disabled\n\
         carol::::expired\n*::::active\n",
    );
    let alice = folder.ask("alice").unwrap().unwrap();
    assert_eq!(alice.contacts.mobile.unwrap().as_str(), "+491701234581");
    assert_eq!(alice.contacts.mail.unwrap().as_str(), "alice@example.com");
    assert_eq!(alice.groups, ["staff", "wheel"]);
    for (name, state) in
        [("alice", "active"), ("bob", "disabled"), ("carol", "expired"), ("*", "active")]
    {
        assert_eq!(folder.ask(name).unwrap().unwrap().standing(0).name(), state, "{name}");
    }
    for nobody in ["", "Alice", "# people", "dave", "al*"] {
        assert_eq!(folder.ask(nobody), Ok(None), "{nobody}");
    }
}

#[test]
fn a_line_that_is_wrong_is_named_and_nothing_of_the_file_counts() {
    for (line, why) in [
        ("bob", "1 fields: allowed are 5, name:mobile:mail:groups:state"),
        ("bob:::::", "6 fields: allowed are 5, name:mobile:mail:groups:state"),
        (":::: ", "name: "),
        ("-b::::", "name: "),
        ("bob:CALL-ME:::", "mobile: no telephone number with its country"),
        ("bob::a@b@c::", "mail: no mail address"),
        ("bob::::Active", "state: allowed are active, disabled, expired and nothing"),
        ("alice::::", "alice is there twice"),
    ] {
        let folder = Folder::new(&format!("alice::::\n\n{line}\n"));
        let error = folder.ask("alice").unwrap_err();
        assert!(error.starts_with(&format!("FILE:3: {why}")), "{line}: {error}");
    }
}

#[test]
fn a_change_counts_at_once() {
    let folder = Folder::new("alice::::\n");
    assert!(folder.ask("alice").unwrap().is_some());
    folder.write("bob::::\n");
    assert_eq!(folder.ask("alice"), Ok(None));
    assert!(folder.ask("bob").unwrap().is_some());
    folder.write("bob:::\n");
    assert!(folder.ask("bob").unwrap_err().starts_with("FILE:1: 4 fields"));
    folder.write("bob::::\n");
    assert!(folder.ask("bob").unwrap().is_some());
    fs::remove_file(&folder.path).unwrap();
    assert!(folder.ask("bob").unwrap_err().starts_with("FILE: cannot be read"));
}

#[test]
fn a_file_that_others_may_change_is_not_believed() {
    let folder = Folder::new("alice::::\n");
    for mode in [0o660, 0o602, 0o666] {
        fs::set_permissions(&folder.path, fs::Permissions::from_mode(mode)).unwrap();
        let error = folder.ask("alice").unwrap_err();
        assert!(error.contains("is writable by its group or by others"), "{error}");
    }
    fs::remove_file(&folder.path).unwrap();
    fs::create_dir(&folder.path).unwrap();
    assert_eq!(folder.ask("alice"), Err("FILE: is not a regular file".to_owned()));
}
