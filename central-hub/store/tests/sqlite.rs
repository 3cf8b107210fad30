//! The embedded store against the suite that every store must pass.

use hub_store::conformance;
use hub_store::sqlite::Sqlite;
use hub_store::{Journal as _, StoreError};

/// Seeds of the order checks; `make sim` runs more through `HOTICH_SEEDS`.
const SEEDS: u64 = 300;

fn seeds() -> std::ops::Range<u64> {
    let wanted = std::env::var("HOTICH_SEEDS").ok().and_then(|seeds| seeds.parse().ok());
    0..wanted.unwrap_or(SEEDS)
}

fn fresh() -> (tempfile::TempDir, Sqlite) {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let store = Sqlite::open(&folder.path().join("national.db")).expect("a fresh store");
    (folder, store)
}

#[tokio::test(flavor = "multi_thread")]
async fn any_order_gives_one_nation() {
    for seed in seeds() {
        let (_folder, store) = fresh();
        conformance::any_order_gives_one_nation(seed, &store).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn notices_are_told_once() {
    for seed in seeds().take(60) {
        let (_folder, store) = fresh();
        conformance::notices_are_told_once(seed, &store).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_give_every_record_in_force() {
    for seed in seeds().take(60) {
        let (_folder, store) = fresh();
        conformance::pages_give_every_record_in_force(seed, &store).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sums_follow_what_is_heard() {
    for seed in seeds().take(60) {
        let (_folder, store) = fresh();
        conformance::sums_follow_what_is_heard(seed, &store).await;
    }
}

#[tokio::test]
async fn a_lost_row_is_mended() {
    for seed in seeds().take(60) {
        conformance::a_lost_row_is_mended(seed, &fresh().1).await;
    }
}

#[tokio::test]
async fn resyncs_move_from_state_to_state() {
    conformance::resyncs_move_from_state_to_state(&fresh().1).await;
}

#[tokio::test]
async fn the_ledger_keeps_what_it_took() {
    conformance::acts_are_chained(&fresh().1).await;
    conformance::answers_are_named_in_the_ledger(&fresh().1).await;
    conformance::a_new_key_retires_the_old_one(&fresh().1).await;
    conformance::the_last_role_stands(&fresh().1).await;
    conformance::a_deed_is_done_under_the_roles_it_was_decided_under(&fresh().1).await;
    conformance::of_two_who_take_each_others_role_one_does(&fresh().1).await;
}

#[tokio::test]
async fn a_nation_that_came_back_is_another_one() {
    conformance::a_nation_that_came_back_is_another_one(&fresh().1).await;
}

#[tokio::test]
async fn the_journal_gives_back_what_it_took() {
    conformance::the_journal_gives_back_what_it_took(&fresh().1).await;
}

#[tokio::test]
async fn cursors_move_with_the_journal() {
    conformance::cursors_move_with_the_journal(&fresh().1).await;
}

#[tokio::test]
async fn an_incarnation_that_was_given_up_does_not_come_back() {
    conformance::an_incarnation_that_was_given_up_does_not_come_back(&fresh().1).await;
}

#[tokio::test]
async fn the_first_incarnation_stands() {
    conformance::the_first_incarnation_stands(&fresh().1).await;
}

#[tokio::test]
async fn outrun_frames_are_not_taken() {
    conformance::outrun_frames_are_not_taken(&fresh().1).await;
}

#[test]
fn many_programs_may_open_a_fresh_store_at_once() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let path = folder.path().join("national.db");
    let open = || Sqlite::open(&path).map(drop).map_err(|error| error.to_string());
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(open)).collect();
        threads.into_iter().for_each(|thread| assert_eq!(thread.join().expect("ends"), Ok(())));
    });
}

#[tokio::test]
async fn a_foreign_database_and_a_newer_schema_are_refused_by_name() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let path = folder.path().join("other.db");
    let other = rusqlite::Connection::open(&path).expect("opens");
    other.execute_batch("CREATE TABLE theirs (x)").expect("creates");
    check_refused(&path, "another program");
    std::fs::write(&path, b"this is a text file, not a database at all, however long it may be").expect("writes");
    check_refused(&path, "not a database");
    let newer = folder.path().join("newer.db");
    drop(Sqlite::open(&newer).expect("a fresh store"));
    let connection = rusqlite::Connection::open(&newer).expect("opens");
    connection.pragma_update(None, "user_version", 99).expect("writes");
    check_refused(&newer, "newer than this program knows");
}

fn check_refused(path: &std::path::Path, expected: &str) {
    match Sqlite::open(path) {
        Err(StoreError::Unusable { reason, .. }) => assert!(reason.contains(expected), "{reason}"),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("{} was opened", path.display()),
    }
}

#[tokio::test]
async fn a_full_disk_refuses_and_loses_nothing() {
    let (_folder, store) = fresh();
    store.limit_pages(60).await.expect("limits");
    let mut taken = 0;
    let refused = loop {
        match store.append(vec![conformance::big_frame(taken)]).await {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
        assert!(taken < 100, "the limit was not reached");
    };
    assert!(matches!(refused, StoreError::Full { .. }), "{refused}");
    assert!(refused.to_string().contains("free space"), "{refused}");
    let cursor = store.cursors(conformance::origin()).await.expect("reads")[0];
    assert_eq!(cursor.seq.0, taken, "what was acknowledged is there, and no more");
    store.limit_pages(10_000).await.expect("limits");
    store.append(vec![conformance::big_frame(taken)]).await.expect("goes on once there is space");
}
