//! Methods that change below their tokens, and names that change below their accounts.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

const ACME: &str = "[[method]]\nname = \"acme\"\ndirectories = [\"local\"]\n";

/// What a change of the files makes of the engine.
fn configure(world: &World, text: &str) {
    write_configuration(&world.folder.path().join("otpd.toml"), text);
    world.engine.reload().unwrap();
}

async fn enrols(world: &World, method: &str) -> Result<(), Error> {
    let options = EnrolOptions { method: Some(method.into()), ..EnrolOptions::default() };
    let enrolled = world.engine.enrol(&root(), Authority::Administrator, "bob", options).await;
    enrolled.map(drop)
}

#[tokio::test]
async fn u12_a_changed_method_keeps_its_tokens_and_its_windows_count_at_once() {
    let world = World::new(ACME);
    let app = world.active("alice", "acme").await;
    let step = world.now_step();
    assert!(world.granted("alice", &app.code(step)).await);
    let changed = "digits = 8\nalgorithm = \"sha512\"\ntime_step = \"60s\"\nkey_size = 64\n";
    configure(&world, &format!("{ACME}{changed}"));
    world.clock.advance(30_000);
    assert!(world.granted("alice", &app.code(step + 1)).await, "as it was enrolled");
    let new = EnrolOptions { method: Some("acme".into()), ..EnrolOptions::default() };
    let (_, uri) = world.engine.enrol(&root(), Authority::Administrator, "bob", new).await.unwrap();
    let parsed = uri::parse(std::str::from_utf8(&uri).unwrap()).unwrap();
    assert_eq!((parsed.digits, parsed.algorithm), (8, Algorithm::Sha512), "new ones are as it is");

    configure(&world, &format!("{ACME}window_before = 3\nwindow_after = 2\n"));
    assert!(world.granted("alice", &app.code(step + 3)).await, "two steps ahead");
    configure(&world, &format!("{ACME}window_before = 0\n"));
    world.clock.advance(150_000);
    assert!(!world.granted("alice", &app.code(step + 5)).await, "one step behind");
    assert!(world.granted("alice", &app.code(step + 6)).await);
}

#[tokio::test]
async fn u16_a_disabled_method_is_accepted_and_enrolled_by_nobody() {
    let world = World::new(ACME);
    let app = world.active("alice", "acme").await;
    let step = world.now_step();
    configure(&world, &format!("{ACME}enabled = false\n"));
    assert!(!world.granted("alice", &app.code(step)).await);
    assert_eq!(world.results().await, ["disabled"]);
    let refused = enrols(&world, "acme").await.unwrap_err();
    let told = "method \"acme\" is disabled; `otpctl method enable acme`".to_owned();
    assert_eq!(refused, Error::Forbidden(told));
    configure(&world, ACME);
    assert!(world.granted("alice", &app.code(step)).await, "the code was not used up");
    configure(&world, "");
    world.clock.advance(30_000);
    assert!(!world.granted("alice", &app.code(step + 1)).await, "removed");
    assert_eq!(world.results().await.last().unwrap(), "disabled");
}

#[tokio::test]
async fn u02_a_method_that_is_unlinked_is_accepted_and_enrolled_by_nobody() {
    let world = World::new(ACME);
    let app = world.active("alice", "acme").await;
    configure(&world, "[[method]]\nname = \"acme\"\n");
    assert!(!world.granted("alice", &app.code(world.now_step())).await);
    assert!(matches!(enrols(&world, "acme").await, Err(Error::Forbidden(_))));
    configure(&world, ACME);
    assert!(world.granted("alice", &app.code(world.now_step())).await);
}

#[tokio::test]
async fn u09_a_step_that_has_not_begun_is_nobodys() {
    let world = World::new(&format!("{ACME}t0 = \"36000d\"\n"));
    assert!(matches!(enrols(&world, "acme").await, Err(Error::InvalidArgument(_))));
}

#[tokio::test]
async fn u17_tokens_are_listed_by_user_and_method() {
    let world = World::new(ACME);
    let (acme, counter) =
        (world.active("alice", "acme").await, world.active("alice", "hotp").await);
    world.active("bob", "acme").await;
    let list = async |user: Option<&str>, method: &str| {
        let (user, method) = (user.map(str::to_owned), Some(method.to_owned()));
        let filter = TokenFilter { user, method, ..TokenFilter::default() };
        let (items, total) = world.engine.tokens(filter).await.unwrap();
        assert_eq!(items.len() as u64, total);
        items.into_iter().map(|token| token.id).collect::<Vec<_>>()
    };
    assert_eq!(list(Some("alice"), "acme").await, [acme.id.as_str()]);
    assert_eq!(list(Some("alice"), "hotp").await, [counter.id.as_str()]);
    assert_eq!(list(None, "acme").await.len(), 2);
    assert_eq!(list(Some("alice"), "totp").await, [""; 0], "none is no error");
    let none = ChangeOptions::default();
    let root = root();
    let revoke = |id: &str| {
        let (engine, id, none) = (Arc::clone(&world.engine), id.to_owned(), none.clone());
        let root = root.clone();
        async move { engine.revoke(&root, Authority::Administrator, "alice", &id, none).await }
    };
    assert_eq!(revoke(&acme.id).await, Ok(()));
    assert!(revoke(&acme.id).await.is_err(), "there is none any more");
    assert_eq!(world.engine.owner(&acme.id).await, Err(Error::UnknownToken));
}

/// A directory in which alice's name is given to others; 0 is nobody.
struct Renamed(AtomicU32);

impl Directory for Renamed {
    fn by_name<'a>(&'a self, name: &'a str) -> Pending<'a, Result<Option<Entry>, DirectoryError>> {
        let uid = self.0.load(Ordering::SeqCst);
        Box::pin(async move {
            if uid == u32::MAX {
                return Err(DirectoryError("down".to_owned()));
            }
            let entry = Entry { name: name.to_owned(), uid, contacts: Contacts::default() };
            Ok((name == "alice" && uid != 0).then_some(entry))
        })
    }

    fn groups<'a>(
        &'a self,
        _name: &'a str,
    ) -> Pending<'a, Result<Option<Vec<String>>, DirectoryError>> {
        Box::pin(async { Ok(None) })
    }
}

#[tokio::test]
async fn u13_a_name_that_is_given_to_somebody_else_does_not_take_the_tokens_along() {
    let world = World::new("");
    let directory = Arc::new(Renamed(AtomicU32::new(ALICE)));
    let World { engine, clock, folder } = world;
    drop(engine);
    let world = World::open(folder, clock, Arc::<Renamed>::clone(&directory) as _);
    let app = world.active("alice", "hotp").await;
    assert!(world.granted("alice", &app.code(0)).await);

    directory.0.store(1005, Ordering::SeqCst);
    assert!(!world.granted("alice", &app.code(1)).await, "another person");
    let last = world.engine.audit(AuditFilter::default()).await.unwrap().pop().unwrap();
    assert_eq!((last.result.as_str(), last.failures), ("denied", Some(0)), "nothing is charged");
    let why = "the name was user id 1000's at enrolment and is user id 1005's now; \
               `otpctl user reset alice` removes what it had, \
               `otpctl user set alice uid=1005` keeps it for the same person";
    assert_eq!(last.detail.as_deref(), Some(why));
    let options = EnrolOptions { method: Some("totp".into()), ..EnrolOptions::default() };
    let enrolled =
        world.engine.enrol(&root(), Authority::Administrator, "alice", options.clone()).await;
    assert_eq!(enrolled.unwrap_err(), Error::WrongState(why.to_owned()), "no old and new together");
    let contact =
        otp_ipc::ContactOptions { mail: Some("a@b.example".into()), ..Default::default() };
    let set = world.engine.set_contact(&root(), "alice", contact).await;
    assert_eq!(set, Err(Error::WrongState(why.to_owned())));

    directory.0.store(0, Ordering::SeqCst);
    assert!(!world.granted("alice", &app.code(1)).await, "nobody is called so");
    directory.0.store(u32::MAX, Ordering::SeqCst);
    let down = world.login("alice", &app.code(1)).await;
    assert!(matches!(down, Err(Error::Unavailable(_))), "nobody is let in on a guess: {down:?}");
    directory.0.store(ALICE, Ordering::SeqCst);
    assert!(world.granted("alice", &app.code(1)).await, "the same person, and the code is unused");

    let is = |uid| otp_ipc::ContactOptions { uid: Some(uid), ..Default::default() };
    directory.0.store(1006, Ordering::SeqCst);
    let not = world.engine.set_contact(&root(), "alice", is(1005)).await;
    assert_eq!(not, Err(Error::InvalidArgument("uid: the user's is 1006".into())), "mistyped");
    world.engine.set_contact(&root(), "alice", is(1006)).await.unwrap();
    assert!(world.granted("alice", &app.code(2)).await, "the same person with another user id");

    directory.0.store(1005, Ordering::SeqCst);
    world.engine.reset(&root(), "alice").await.unwrap();
    let new = world.active("alice", "hotp").await;
    assert!(!world.granted("alice", &app.code(3)).await);
    assert!(world.granted("alice", &new.code(0)).await);
}
