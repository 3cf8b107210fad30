//! The store on PostgreSQL against the suite that every store must pass, and what only a server can do to it.

mod cluster;

use cluster::Database;
use hub_store::conformance;
use hub_store::postgres::Postgres;
use hub_store::{Registry as _, StoreError};

/// Seeds of the order checks; `make sim` runs more through `HOTICH_SEEDS`.
const SEEDS: u64 = 25;

fn seeds() -> std::ops::Range<u64> {
    let wanted = std::env::var("HOTICH_SEEDS").ok().and_then(|seeds| seeds.parse().ok());
    0..wanted.unwrap_or(SEEDS)
}

/// A store in which nothing ever happened, in the same database.
async fn emptied(database: &Database, store: &Postgres) {
    store.reset().await.expect("forgets");
    let sql = "DELETE FROM province; DELETE FROM notice; DELETE FROM holding; DELETE FROM holding_checkpoint";
    database.client().await.batch_execute(sql).await.expect("forgets");
}

#[tokio::test(flavor = "multi_thread")]
async fn any_order_gives_one_nation() {
    let database = Database::create().await;
    let store = database.store().await;
    for seed in seeds() {
        emptied(&database, &store).await;
        conformance::any_order_gives_one_nation(seed, &store).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn notices_are_told_once() {
    let database = Database::create().await;
    let store = database.store().await;
    for seed in seeds().take(12) {
        emptied(&database, &store).await;
        conformance::notices_are_told_once(seed, &store).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_give_every_record_in_force() {
    let database = Database::create().await;
    let store = database.store().await;
    for seed in seeds().take(12) {
        emptied(&database, &store).await;
        conformance::pages_give_every_record_in_force(seed, &store).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sums_follow_what_is_heard() {
    let database = Database::create().await;
    let store = database.store().await;
    for seed in seeds().take(12) {
        emptied(&database, &store).await;
        conformance::sums_follow_what_is_heard(seed, &store).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_row_is_mended() {
    let database = Database::create().await;
    let store = database.store().await;
    for seed in seeds().take(12) {
        emptied(&database, &store).await;
        conformance::a_lost_row_is_mended(seed, &store).await;
    }
}

macro_rules! journal_checks {
    ($($name:ident)+) => {
        $(#[tokio::test]
        async fn $name() {
            let database = Database::create().await;
            conformance::$name(&database.store().await).await;
        })+
    };
}

journal_checks! {
    resyncs_move_from_state_to_state
    the_journal_gives_back_what_it_took
    cursors_move_with_the_journal
    an_incarnation_that_was_given_up_does_not_come_back
    the_first_incarnation_stands
    outrun_frames_are_not_taken
    acts_are_chained
    answers_are_named_in_the_ledger
    a_nation_that_came_back_is_another_one
    a_new_key_retires_the_old_one
    the_last_role_stands
    a_deed_is_done_under_the_roles_it_was_decided_under
    of_two_who_take_each_others_role_one_does
}

#[tokio::test(flavor = "multi_thread")]
async fn many_hubs_may_open_a_fresh_database_at_once() {
    let database = Database::create().await;
    let opened =
        futures::future::join_all((0..16).map(|_| async { Postgres::open(&database.store_url()).await.map(drop) }));
    for opened in opened.await {
        opened.expect("one makes the tables, the others find them");
    }
}

async fn check_refused(url: &str, expected: &str) {
    let url = url.parse().expect("a URL");
    match Postgres::open(&url).await {
        Err(StoreError::Unusable { reason, place }) => {
            assert!(reason.contains(expected), "{reason}");
            assert!(!place.contains('@'), "{place} shows a user");
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("{expected}: was opened"),
    }
}

#[tokio::test]
async fn a_server_that_cannot_be_used_is_refused_by_name() {
    let database = Database::create().await;
    let url = database.url();
    check_refused("postgres://hotich@127.0.0.1:1/nation", "no PostgreSQL server answers there").await;
    check_refused(&format!("{url}_absent"), "createdb").await;
    let (_, host) = url.rsplit_once('@').expect("user and password");
    check_refused(&format!("postgres://hotich:wrong@{host}"), "password").await;
    check_refused(&format!("{url}?sslmode=verify-full"), "TLS").await;
}

#[tokio::test]
async fn a_foreign_database_and_a_newer_schema_are_refused_by_name() {
    let (foreign, newer) = (Database::create().await, Database::create().await);
    foreign.client().await.batch_execute("CREATE TABLE theirs (x integer)").await.expect("creates");
    check_refused(&foreign.url(), "another program").await;
    let absent = Postgres::open_existing(&newer.store_url()).await.err().expect("no store yet").to_string();
    assert!(absent.contains("central-hub serve"), "{absent}");
    drop(newer.store().await);
    newer.client().await.batch_execute("UPDATE hotich_schema SET version = 99").await.expect("writes");
    check_refused(&newer.url(), "newer than this program knows").await;
}

#[tokio::test]
async fn a_read_only_server_is_looked_at_and_not_served_from() {
    let database = Database::create().await;
    drop(database.store().await);
    let client = database.client().await;
    let name = database.name();
    client.batch_execute(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on")).await.expect("sets");
    let refused = Postgres::open(&database.store_url()).await.err().expect("cannot be served from");
    assert!(matches!(refused, StoreError::ReadOnly { .. }), "{refused}");
    let store = Postgres::open_existing(&database.store_url()).await.expect("can be looked at");
    assert_eq!(store.digests().await.expect("reads").watermark, hub_store::model::Watermark::default());
}
