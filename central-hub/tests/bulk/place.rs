//! What was built takes the place of what stood: by whoever judges only, with its readers and indexes, and it leaves nothing
//! behind.

use std::sync::Arc;
use std::time::Duration;

use central_hub::bulk::{BulkError, Watch};
use central_hub::rebuild;
use central_hub::reconcile::Reconciler;
use hub_rules::islands::Cut;
use hub_store::conformance::World;
use hub_store::postgres::Postgres;
use hub_store::{Registry as _, StoreError};
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;

use crate::{Nation, PATIENCE_SECONDS, country};

#[tokio::test(flavor = "multi_thread")]
async fn who_no_longer_judges_takes_no_place() {
    let nation = Nation::of(&World::new(3).arrivals).await;
    let built = nation.build(Cut::default(), CancellationToken::new()).await.expect("builds");
    let client = nation.database.client().await;
    client.batch_execute("UPDATE judge SET term = term + 1").await.expect("another hub sits down");
    let refused = built.aside.take_place(&built.applied, "policy:other").await.map(drop);
    assert!(matches!(refused, Err(StoreError::Busy { .. })), "{refused:?}");
    assert!(nation.rows().await[1].is_empty(), "nothing was judged where the registry stands");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_cleared_away_is_dropped_by_the_next_judge_and_the_next_bulk() {
    let nation = Nation::of(&World::new(3).arrivals).await;
    for _ in 0..2 {
        let built = nation.build(Cut::default(), CancellationToken::new()).await.expect("builds");
        drop(built.aside.take_place(&built.applied, "policy:other").await.expect("takes its place"));
        assert_eq!(nation.schemas().await, 2);
    }
    let client = nation.database.client().await;
    let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                  WHERE datname = current_database() AND pid <> pg_backend_pid()";
    client.execute(others, &[]).await.expect("the judge's connections end");
    let next = Postgres::open(&nation.database.store_url()).await.expect("opens");
    assert!(next.lead().await.expect("asks").is_some());
    assert_eq!(nation.schemas().await, 1, "what another one builds is its own affair");
}

/// A reader keeps what stood from being cleared away, while a second long backlog waits.
#[tokio::test(flavor = "multi_thread")]
async fn the_next_bulk_waits_until_what_stood_is_cleared_away() {
    const TABLE: &str = "SELECT 'record'::regclass::oid::bigint";
    const HOLD: &str = "BEGIN; LOCK TABLE hotich_aside.province IN ACCESS SHARE MODE; SAVEPOINT building;
                        LOCK TABLE hotich_aside.record IN ACCESS EXCLUSIVE MODE";
    const BUILDS: &str = "SELECT 1 FROM pg_locks WHERE relation = 'hotich_aside.record'::regclass AND NOT granted";
    // Of every province.
    let (early, late): (Vec<_>, Vec<_>) = country().into_iter().enumerate().partition(|(at, _)| at % 3 == 0);
    let [early, late] = [early, late].map(|part| part.into_iter().map(|(_, arrival)| arrival).collect::<Vec<_>>());
    let nation = Nation::of(&early).await;
    let (client, reader) = (nation.database.client().await, nation.database.client().await);
    let stands = async || client.query_one(TABLE, &[]).await.expect("asks").get::<_, i64>(0);
    let ((_journaled, hears), (applied, mut told)) = (watch::channel(0), broadcast::channel(1));
    let stop = CancellationToken::new();
    let reconciler = Reconciler::new(nation.store.clone()).await.expect("starts").in_bulk_from(100);
    let running = tokio::spawn(reconciler.run(hears, applied, stop.clone()));
    let mut is_judged = async || {
        let in_time = tokio::time::timeout(Duration::from_secs(PATIENCE_SECONDS), told.recv()).await;
        in_time.expect("in time").expect("judges");
    };
    while reader.batch_execute(HOLD).await.is_err() {
        reader.batch_execute("ROLLBACK").await.expect("nothing is built yet");
    }
    while reader.query(BUILDS, &[]).await.expect("asks").is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    nation.hear(&late).await;
    // Until the reconciler looks again at what waits.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    reader.batch_execute("ROLLBACK TO building").await.expect("lets it build");
    is_judged().await;
    let first = stands().await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!nation.is_judged().await, "the rest was judged in batches");
    reader.batch_execute("COMMIT").await.expect("has read");
    is_judged().await;
    assert_ne!(stands().await, first, "the rest was judged in batches");
    stop.cancel();
    running.await.expect("ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_judge_may_build_and_look() {
    let nation = Nation::of(&country()).await;
    nation.judge_day_by_day().await;
    let stands = nation.rows().await;
    let visitor = Postgres::open(&nation.database.store_url()).await.expect("opens");
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let watch = Watch { progress: &|_, _| {}, stop: CancellationToken::new() };
    let report = rebuild::verify_in_bulk(&visitor, &Arc::default(), scratch.path(), &watch).await.expect("builds");
    assert!(report.expect("a server can have two registries").equal);
    let refused = rebuild::apply_in_bulk(&visitor, &Arc::default(), scratch.path(), &watch).await;
    assert!(matches!(refused, Err(BulkError::Store(StoreError::Busy { .. }))), "{refused:?}");
    assert_eq!(nation.rows().await, stands);
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_keep_what_they_were_granted() {
    let nation = Nation::of(&World::new(4).arrivals).await;
    let client = nation.database.client().await;
    let role = format!("reader_{}", nation.database.name());
    client.batch_execute(&format!("CREATE ROLE {role}; GRANT SELECT ON record TO {role}")).await.expect("grants");
    nation.judge_in_bulk(Cut::default()).await;
    let sql = "SELECT has_table_privilege($1, 'record', 'SELECT'), has_table_privilege($1, 'record', 'DELETE')";
    let row = client.query_one(sql, &[&role]).await.expect("asks");
    client.batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await.expect("drops");
    assert_eq!((row.get::<_, bool>(0), row.get::<_, bool>(1)), (true, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_took_its_place_is_found_by_the_same_indexes() {
    let nation = Nation::of(&World::new(4).arrivals).await;
    let client = nation.database.client().await;
    let indexes = async || -> Vec<String> {
        let sql = "SELECT indexdef FROM pg_indexes WHERE schemaname = current_schema() ORDER BY 1";
        client.query(sql, &[]).await.expect("reads").iter().map(|row| row.get(0)).collect()
    };
    let before = indexes().await;
    assert!(before.iter().any(|index| index.contains("member_by_person")), "{before:?}");
    nation.judge_in_bulk(Cut::default()).await;
    assert_eq!(indexes().await, before);
}
