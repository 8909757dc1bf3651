//! Users who came from a backup, or from another program.

use otp_core::{code::Digits, import::admit_recovery, restore::restored, throttle::Pace};

use super::*;

#[tokio::test]
async fn a_counter_from_a_backup_needs_two_codes_and_the_record_says_so() {
    let world = World::new("");
    let app = world.active("alice", "hotp").await;
    let now_ms = world.engine.now_ms();
    let config = world.engine.config();
    let restore = move |work: &mut crate::store::Work<'_>| {
        let account = work.account.as_mut().unwrap();
        restored(account, &|method| config.config.windows(method), false, now_ms);
    };
    world.engine.transact("alice", restore).await.unwrap();
    let owed = async || {
        let (tokens, _) = world.engine.tokens(TokenFilter::default()).await.unwrap();
        tokens.into_iter().next().unwrap().rejoin
    };
    assert_eq!(owed().await.as_deref(), Some("due"));
    assert!(!world.granted("alice", &app.code(10)).await, "skipped");
    assert!(!world.granted("alice", &app.code(15)).await);
    assert_eq!(owed().await.as_deref(), Some("half"));
    assert!(world.granted("alice", &app.code(16)).await);
    assert_eq!(owed().await, None);
    assert!(world.granted("alice", &app.code(17)).await);
    assert_eq!(world.results().await, ["replay", "wrong", "ok", "ok"]);
    let records = world.engine.audit(AuditFilter::default()).await.unwrap();
    let told: Vec<_> = records
        .iter()
        .filter(|record| record.event == "login")
        .map(|record| record.detail.as_deref())
        .collect();
    let skipped = "from before the restore, or skipped by it";
    assert_eq!(told, [Some(skipped), Some("first of two codes"), None, None]);
}

#[tokio::test]
async fn a_scratch_code_opens_one_login() {
    let world = World::new("");
    world.active("alice", "totp").await;
    let key = Arc::clone(&world.engine.recovery_key);
    let import = move |work: &mut crate::store::Work<'_>| {
        let codes = [Digits::from_ascii(b"12345678").unwrap()];
        admit_recovery(work.account.as_mut().unwrap(), &codes, &key)
    };
    assert_eq!(world.engine.transact("alice", import).await.unwrap(), 1);
    assert!(!world.granted("alice", b"87654321").await);
    assert!(world.granted("alice", b"12345678").await);
    assert!(!world.granted("alice", b"12345678").await);
    assert_eq!(world.results().await, ["wrong", "ok", "malformed"]);
}

#[tokio::test]
async fn a_pace_is_kept_until_an_administrator_unlocks() {
    let world = World::new("");
    let app = world.active("alice", "hotp").await;
    let limit = |work: &mut crate::store::Work<'_>| {
        work.account.as_mut().unwrap().pace = Some(Pace::new(1, 60_000));
    };
    world.engine.transact("alice", limit).await.unwrap();
    assert!(world.granted("alice", &app.code(0)).await);
    assert!(!world.granted("alice", &app.code(1)).await);
    world.engine.unlock(&root(), "alice").await.unwrap();
    assert!(world.granted("alice", &app.code(1)).await);
    world.clock.advance(60_000);
    assert!(world.granted("alice", &app.code(2)).await);
    assert_eq!(world.results().await, ["ok", "locked", "ok", "ok"]);
}
