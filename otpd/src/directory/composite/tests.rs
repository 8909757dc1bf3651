use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use super::*;
use crate::clock::ManualClock;

/// Directories that are files, in order.
struct World {
    directories: Directories,
    folder: tempfile::TempDir,
}

const NOW_MS: i64 = 1_767_225_600_000;

fn one(folder: &tempfile::TempDir, name: &str) -> One {
    let path = folder.path().join(name);
    let kind = Kind::File(file::Settings { path, country: None });
    One { name: name.to_owned(), kind }
}

fn local() -> One {
    One { name: LOCAL.to_owned(), kind: Kind::Passwd(Gecos::default()) }
}

fn settings(folder: &tempfile::TempDir, names: &[&str]) -> Settings {
    let mut all = vec![local()];
    all.extend(names.iter().map(|name| one(folder, name)));
    Settings { all, bus: String::new() }
}

fn world(files: &[(&str, &str)]) -> World {
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<_> = files.iter().map(|(name, _)| *name).collect();
    let clock = Arc::new(ManualClock::at(NOW_MS));
    let directories = Directories::new(&settings(&folder, &names), clock).unwrap();
    let world = World { directories, folder };
    files.iter().for_each(|(name, text)| world.write(name, text));
    world
}

impl World {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn told(&self, name: &str, wanted: &Wanted) -> Result<Told, String> {
        let told = run(self.directories.told(name, wanted));
        told.map_err(|error| error.0.replace(self.folder.path().to_str().unwrap(), "DIR"))
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

fn contacts(channels: &[Channel]) -> Wanted {
    Wanted { contacts: channels.iter().copied().collect(), ..Wanted::default() }
}

const BOTH: [Channel; 2] = [Channel::Sms, Channel::Email];
const A: &str = "alice:+491701234581:::\nbob:::g1:\n";
const B: &str = "alice:+491701234582:alice@example.com:g2:\nbob:+491701234583:::disabled\n";

#[test]
fn the_first_that_has_a_contact_counts() {
    let world = world(&[("a", A), ("b", B)]);
    let told = world.told("alice", &contacts(&BOTH)).unwrap();
    assert_eq!(told.contacts.mobile.unwrap().as_str(), "+491701234581");
    assert_eq!(told.contacts.mail.unwrap().as_str(), "alice@example.com");
    let told = world.told("bob", &contacts(&BOTH)).unwrap();
    assert_eq!(told.contacts.mobile.unwrap().as_str(), "+491701234583");
    assert_eq!((told.refused, told.contacts.mail), (None, None), "nobody asked for the state");
    let told = world.told("alice", &contacts(&[Channel::Email])).unwrap();
    assert_eq!(told.contacts.mobile, None, "nobody asked for it");
    assert_eq!(world.told("carol", &contacts(&BOTH)), Ok(Told::default()));
}

#[test]
fn a_directory_that_fails_matters_only_to_what_might_come_from_it() {
    let world = world(&[("a", A), ("b", "broken\n")]);
    assert!(world.told("alice", &contacts(&[Channel::Sms])).is_ok(), "the first has it");
    for wanted in [
        contacts(&BOTH),
        Wanted { state: true, ..Wanted::default() },
        Wanted { members: [String::from("b")].into(), ..Wanted::default() },
    ] {
        let error = world.told("alice", &wanted).unwrap_err();
        assert!(error.starts_with("directory b: DIR/b:1: 1 fields"), "{wanted:?}: {error}");
    }
    let members = Wanted { members: [String::from("a")].into(), ..Wanted::default() };
    assert!(world.told("alice", &members).is_ok(), "it was not asked");
    let world = self::world(&[("a", "broken\n"), ("b", B)]);
    world.told("alice", &contacts(&[Channel::Sms])).unwrap_err();
}

#[test]
fn an_account_that_one_calls_disabled_or_expired_is_refused() {
    let world = world(&[("a", A), ("b", B)]);
    let state = Wanted { state: true, ..Wanted::default() };
    assert_eq!(world.told("alice", &state).unwrap().refused, None);
    let refused = Some(("b".to_owned(), Standing::Disabled));
    assert_eq!(world.told("bob", &state).unwrap().refused, refused);
    world.write("a", "bob::::expired\n");
    let refused = Some(("a".to_owned(), Standing::Expired));
    assert_eq!(world.told("bob", &state).unwrap().refused, refused);
    assert_eq!(world.told("carol", &state).unwrap().refused, None);
}

#[test]
fn who_knows_a_name_is_told_of_those_that_were_asked() {
    let world = world(&[("a", A), ("b", "alice::::\n")]);
    let members = |asked: &[&str], name: &str| {
        let members = asked.iter().map(ToString::to_string).collect();
        let told = world.told(name, &Wanted { members, ..Wanted::default() }).unwrap();
        told.members.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(members(&["a", "b"], "alice"), ["a", "b"]);
    assert_eq!(members(&["a", "b"], "bob"), ["a"]);
    assert_eq!(members(&["b"], "bob"), Vec::<String>::new());
    assert_eq!(members(&["local", "a"], "root"), ["local"]);
}

#[test]
fn groups_are_those_of_all() {
    let world = world(&[("a", "root:::x,y:\n"), ("b", "root:::z,x:\n")]);
    let groups = run(world.directories.groups("root")).unwrap().unwrap();
    for group in ["root", "x", "y", "z"] {
        assert_eq!(groups.iter().filter(|name| *name == group).count(), 1, "{group}: {groups:?}");
    }
    assert_eq!(run(world.directories.groups("nobody-of-that-name")), Ok(None));
    world.write("b", "broken\n");
    run(world.directories.groups("root")).unwrap_err();
}

#[test]
fn a_reload_keeps_what_has_not_changed() {
    let world = world(&[("a", A), ("b", "broken\n")]);
    world.told("alice", &contacts(&BOTH)).unwrap_err();
    let failing = || {
        let all = world.directories.list().into_iter();
        all.map(|listed| (listed.name, listed.failure.is_some())).collect::<Vec<_>>()
    };
    let b = ("b".to_owned(), true);
    assert_eq!(failing(), [("local".to_owned(), false), ("a".to_owned(), false), b.clone()]);
    world.directories.configure(&settings(&world.folder, &["b", "c"])).unwrap();
    assert_eq!(failing(), [("local".to_owned(), false), b, ("c".to_owned(), false)]);
    let mut other = settings(&world.folder, &["b"]);
    other.bus = "unix:path=/x".to_owned();
    world.directories.configure(&other).unwrap();
    assert_eq!(failing(), [("local".to_owned(), false), ("b".to_owned(), false)]);
}

#[test]
fn a_test_names_problems_and_what_is_known() {
    let world = world(&[("a", A), ("b", "broken\n")]);
    let test = |directory: &str, user: Option<&str>| run(world.directories.test(directory, user));
    assert_eq!(test("c", None), None);
    assert_eq!(test("a", None), Some(Tested::default()));
    assert!(test("a", Some("bob")).unwrap().found.unwrap().is_some());
    assert_eq!(test("a", Some("carol")).unwrap().found, Some(None));
    let broken = test("b", Some("bob")).unwrap();
    assert_eq!((broken.problems.len(), broken.found), (1, None));
    let root = test(LOCAL, Some("root")).unwrap().found.unwrap().unwrap();
    assert!(root.groups.contains(&"root".to_owned()));
}
