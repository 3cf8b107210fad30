//! Comparisons over the real stream: each way in which a province and the nation can come to differ is found, repaired
//! and gone, with both national stores.

#![allow(clippy::unwrap_used)]

#[path = "../store/tests/cluster/mod.rs"]
mod cluster;
mod pair;

use central_hub::operator::resync;
use central_hub::rebuild;
use cluster::Database;
use hub_rules::policy::Policy;
use hub_store::NationalStore;
use hub_store::sqlite::Sqlite;
use pair::Pair;
use registry_schema::holdings::SKETCH_CELLS;
use registry_schema::ids::RecordKey;

/// A national store that a test can do harm to.
enum Harm {
    File(tempfile::TempDir),
    Server(Box<Database>),
}

impl Harm {
    async fn sql(&self, sql: &str) {
        match self {
            Self::File(folder) => {
                let connection = rusqlite::Connection::open(folder.path().join("national.db")).unwrap();
                connection.busy_timeout(std::time::Duration::from_secs(20)).unwrap();
                connection.execute_batch(sql).unwrap();
            }
            Self::Server(database) => database.client().await.batch_execute(sql).await.unwrap(),
        }
    }
}

/// The same scenario with both stores.
macro_rules! with_both_stores {
    ($($name:ident)+) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                let folder = tempfile::tempdir().unwrap();
                let store = super::Sqlite::open(&folder.path().join("national.db")).unwrap();
                super::$name(super::Pair::new(store).await, super::Harm::File(folder)).await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                let database = super::Database::create().await;
                let store = database.store().await;
                super::$name(super::Pair::new(store).await, super::Harm::Server(Box::new(database))).await;
            })+
        }
    };
}

with_both_stores! {
    equal_sides_need_one_round_trip
    what_the_nation_lost_is_sent_again
    a_row_altered_in_the_nation_is_found_and_mended
    who_came_while_a_row_was_missing_is_judged_with_it
    a_lost_row_that_was_overtaken_is_told_with_the_remedy
    a_row_altered_in_the_province_is_found_and_mended
    what_only_the_nation_has_is_set_aside_and_released
    a_loss_of_most_waits_for_a_second_operator
    a_restored_store_gets_back_what_it_lost_and_keeps_what_it_wrote
    a_root_that_differs_begins_a_comparison_by_itself
}

async fn equal_sides_need_one_round_trip<S: NationalStore + Clone + 'static>(pair: Pair<S>, _harm: Harm) {
    pair.births(0..300);
    pair.settle().await;
    let view = pair.resync(|_| {}).await;
    let found = &view.resync.report;
    assert_eq!(view.resync.state.name(), "done");
    assert_eq!((found.altered, found.only_here, found.only_there, found.rows_read), (0, 0, 0, 0));
    assert!(found.bytes <= 256 && found.round_trips == 1, "{found:?}");
    let agree = pair.store.agreements().await.unwrap()[&pair.origin()];
    assert!(agree.agree, "the root of the last frame is the hub's own");
    let filtered = pair.resync(|wish| (wish.year, wish.dry_run) = (Some(1999), true)).await;
    assert_eq!(filtered.resync.state.name(), "done");
    assert_eq!(filtered.resync.report.rows_read, 300, "of one year only, every state is looked at");
}

async fn what_the_nation_lost_is_sent_again<S: NationalStore + Clone + 'static>(pair: Pair<S>, harm: Harm) {
    pair.births(0..400);
    pair.settle().await;
    harm.sql("DELETE FROM record WHERE record_id <= 20").await;
    pair.store.rebuild_holding(pair.origin()).await.unwrap();
    let dry = pair.resync(|wish| wish.dry_run = true).await;
    assert_eq!((dry.resync.state.name(), dry.resync.report.only_here), ("done", 20));
    let other_year = pair.resync(|wish| (wish.year, wish.dry_run) = (Some(2014), true)).await;
    assert_eq!(other_year.resync.report.only_here, 0, "births 1 to 20 are of 1990 to 2010");
    let view = pair.resync(|_| {}).await;
    let found = &view.resync.report;
    assert_eq!((found.only_here, found.altered, found.repaired), (20, 0, 20));
    assert!(found.round_trips <= 3, "{found:?}");
    pair.check_equal().await;
}

async fn a_row_altered_in_the_nation_is_found_and_mended<S: NationalStore + Clone + 'static>(
    pair: Pair<S>,
    harm: Harm,
) {
    pair.births(0..200);
    pair.settle().await;
    let before = pair.store.digests().await.unwrap();
    harm.sql("UPDATE record SET canonical = (SELECT canonical FROM record WHERE record_id = 9) WHERE record_id = 8")
        .await;
    harm.sql("DELETE FROM record WHERE record_id = 11").await;
    let view = pair.resync(|_| {}).await;
    assert_eq!(view.resync.report.damaged_at_centre, 0, "kept sums cannot see it");
    let view = pair.resync(|wish| wish.deep = true).await;
    let found = &view.resync.report;
    assert_eq!((found.damaged_at_centre, found.repaired), (2, 2), "{found:?}");
    pair.check_equal().await;
    assert_eq!(pair.store.digests().await.unwrap().digests, before.digests, "no sum has moved");
}

async fn who_came_while_a_row_was_missing_is_judged_with_it<S: NationalStore + Clone + 'static>(
    pair: Pair<S>,
    harm: Harm,
) {
    // Births of one year are of one day and one name: two of them are one child, registered twice.
    pair.births(0..20);
    pair.settle().await;
    harm.sql("DELETE FROM record WHERE record_id = 5").await;
    harm.sql("UPDATE record SET canonical = (SELECT canonical FROM record WHERE record_id = 9) WHERE record_id = 8")
        .await;
    pair.births(25..40);
    pair.settle().await;
    let found = pair.resync(|wish| wish.deep = true).await.resync.report;
    assert_eq!((found.damaged_at_centre, found.repaired), (2, 2), "{found:?}");
    pair.check_equal().await;
    let scratch = tempfile::tempdir().unwrap();
    let anew = rebuild::verify(&pair.store, &Default::default(), scratch.path(), |_| {}).await.unwrap();
    assert!(anew.equal, "{anew:?}");
    let lists = pair.store.resyncs(None, 9).await.unwrap();
    assert!(lists.iter().all(|resync| resync.damaged.is_empty()), "what is mended waits no more");
}

async fn a_lost_row_that_was_overtaken_is_told_with_the_remedy<S: NationalStore + Clone + 'static>(
    mut pair: Pair<S>,
    harm: Harm,
) {
    pair.births(0..20);
    pair.settle().await;
    harm.sql("DELETE FROM record WHERE record_id IN (5, 9)").await;
    pair.clerk().execute("UPDATE births SET child_name = 'Nguyễn Văn Ân' WHERE record_id = 5", ()).unwrap();
    pair.settle().await;
    let found = pair.resync(|wish| wish.deep = true).await.resync.report;
    assert_eq!((found.damaged_at_centre, found.repaired), (2, 1), "the other one is mended: {found:?}");
    assert!(found.detail.starts_with("1 rows") && found.detail.contains("rebuild --apply"), "{found:?}");
    pair.settle().await;
    pair.stop_agent().await;
    pair.stop_hub().await;
    let roots = async || {
        let counted = pair.store.recount(pair.origin(), SKETCH_CELLS, Vec::new(), true).await.unwrap().unwrap();
        (counted.kept.root(), counted.holding.root())
    };
    let (kept, counted) = roots().await;
    assert_ne!(kept, counted, "the sums know a state that no row has");
    wait_for(&pair, 9).await;
    rebuild::apply(pair.store.clone(), Policy::default(), |_| {}).await.unwrap();
    assert_eq!(roots().await, (counted, counted));
    let scratch = tempfile::tempdir().unwrap();
    let anew = rebuild::verify(&pair.store, &Default::default(), scratch.path(), |_| {}).await.unwrap();
    assert!(anew.equal, "{anew:?}");
}

/// As if a row were to be mended by the very state that stands there: the repair is in the journal already.
async fn wait_for<S: NationalStore + Clone + 'static>(pair: &Pair<S>, number: i64) {
    let (origin, fence) = (pair.origin(), pair.store.fence(pair.origin()).await.unwrap().unwrap());
    let (id, state) = pair.store.held_states(origin, vec![id(number)]).await.unwrap().remove(0);
    let tag = fence.key.tag(RecordKey { origin, id }, state.version, state.clock, &state.content_hash);
    let mut resync = pair.store.resyncs(Some(origin), 1).await.unwrap().remove(0);
    let from = resync.state;
    resync.damaged = vec![(id, tag.prefix())];
    assert!(pair.store.put_resync(resync, Some(from)).await.unwrap());
}

async fn a_row_altered_in_the_province_is_found_and_mended<S: NationalStore + Clone + 'static>(
    pair: Pair<S>,
    _harm: Harm,
) {
    pair.births(0..200);
    pair.settle().await;
    pair.harm_province(
        "UPDATE births SET child_name = 'Nguyfn Văn An' WHERE record_id = 7; DELETE FROM births WHERE record_id = 8;
         INSERT INTO births (record_id, number, registration_date, authority, child_name) VALUES
             (9999, '1', '01.01.2000', '01.00001', 'Lê Thị Hoa')",
    );
    let view = pair.resync(|wish| wish.deep = true).await;
    assert_eq!(view.resync.report.damaged_in_province, 3, "{:?}", view.resync.report);
    assert_eq!(pair.number("SELECT count(*) FROM births WHERE child_name = 'Nguyễn Văn An'"), 200);
    assert_eq!(pair.number("SELECT count(*) FROM quarantine WHERE reason = 'damaged'"), 2);
    pair.settle().await;
    let states = pair.store.held_states(pair.origin(), vec![id(9_999), id(7)]).await.unwrap();
    assert_eq!(states.len(), 2, "a row that nobody logged was sent");
    pair.check_equal().await;
}

async fn what_only_the_nation_has_is_set_aside_and_released<S: NationalStore + Clone + 'static>(
    mut pair: Pair<S>,
    _harm: Harm,
) {
    pair.births(0..50);
    pair.settle().await;
    pair.stop_agent().await;
    // A store that never had the entry, but stands where its lanes do.
    pair.harm_province(
        "DELETE FROM births WHERE record_id = 5; DELETE FROM holding;
         UPDATE change_log SET record_id = -5 WHERE record_id = 5;
         UPDATE change_log SET settled = 2, lane = NULL WHERE record_id = -5;
         UPDATE change_log SET settled = 0, lane = 1 WHERE record_id = -5",
    );
    pair.start_agent().await;
    let view = pair.resync(|_| {}).await;
    let found = &view.resync.report;
    assert_eq!((found.only_there, found.quarantined, found.restored), (1, 1, 0), "{found:?}");
    assert_eq!(pair.number("SELECT count(*) FROM births WHERE record_id = 5"), 0, "a person decides");
    pair.stop_agent().await;
    let mut store = sync_agent::store::Store::open(pair.store_path()).unwrap();
    let waiting = sync_agent::resync::quarantined(store.connection()).unwrap();
    assert_eq!((waiting[0].record_id, waiting[0].reason.as_str()), (5, "unknown"));
    assert!(sync_agent::resync::release(&mut store, waiting[0].id, 1).unwrap());
    assert!(!sync_agent::resync::release(&mut store, waiting[0].id, 1).unwrap(), "once");
    drop(store);
    assert_eq!(pair.number("SELECT count(*) FROM births WHERE record_id = 5 AND child_name = 'Nguyễn Văn An'"), 1);
    pair.start_agent().await;
    let view = pair.resync(|_| {}).await;
    assert_eq!(view.resync.report.only_there, 0);
    pair.clerk().execute("UPDATE births SET note = 'x' WHERE record_id = 5", ()).unwrap();
    pair.settle().await;
    let states = pair.store.held_states(pair.origin(), vec![id(5)]).await.unwrap();
    assert_eq!(states[0].1.version.0, 2, "its versions go on");
}

async fn a_loss_of_most_waits_for_a_second_operator<S: NationalStore + Clone + 'static>(pair: Pair<S>, harm: Harm) {
    pair.births(0..5_000);
    pair.settle().await;
    harm.sql("DELETE FROM record WHERE record_id > 600").await;
    pair.store.rebuild_holding(pair.origin()).await.unwrap();
    let view = pair.resync(|_| {}).await;
    let (id, found) = (view.resync.id, &view.resync.report);
    assert_eq!((view.resync.state.name(), found.only_here, found.repaired), ("waiting_approval", 4_400, 0));
    let refused = resync::approve(&pair.store, id, "Lan", pair::now_ms()).await.unwrap_err();
    assert!(matches!(refused, resync::WishError::SameOperator(_)));
    resync::approve(&pair.store, id, "minh", pair::now_ms()).await.unwrap();
    let view = pair.rest(id).await;
    assert_eq!((view.resync.state.name(), view.resync.report.repaired), ("done", 4_400));
    pair.check_equal().await;
    let over = resync::cancel(&pair.store, id, pair::now_ms()).await.unwrap_err();
    assert!(matches!(over, resync::WishError::Stands { .. }));
}

async fn a_restored_store_gets_back_what_it_lost_and_keeps_what_it_wrote<S: NationalStore + Clone + 'static>(
    mut pair: Pair<S>,
    _harm: Harm,
) {
    pair.births(0..100);
    pair.settle().await;
    let backup = pair.backup();
    pair.births(100..130);
    let update = |note: &str, ids: &str| {
        pair.clerk().execute(&format!("UPDATE births SET note = '{note}' WHERE record_id IN ({ids})"), ()).unwrap();
    };
    update("after the backup", "1, 2, 3");
    pair.settle().await;
    pair.stop_agent().await;
    pair.restore(&backup);
    // Clerks go on before anybody notices.
    pair.clerk().execute("UPDATE births SET note = 'written again' WHERE record_id = 1", ()).unwrap();
    pair.births(200..205);
    pair.start_agent().await;
    let told = || sync_agent::status::read(pair.store_path(), 0).unwrap().connection;
    pair.wait("the agent is told", async || told().error.is_some_and(|error| error.contains("enrol"))).await;
    pair.stop_agent().await;
    sync_agent::store::take_new_epoch(pair.store_path(), registry_schema::ids::Epoch(8)).unwrap();
    pair.enrol().await;
    pair.start_agent().await;
    pair.wait("the hub compares by itself", async || {
        pair.unasked().await.is_some_and(|view| !view.resync.state.is_open())
    })
    .await;
    let view = pair.unasked().await.unwrap();
    assert_eq!(view.resync.state.name(), "done", "{view:?}");
    assert_eq!(pair.number("SELECT count(*) FROM births"), 135, "{:?}", view.resync.report);
    assert_eq!(
        pair.number("SELECT count(*) FROM births WHERE note = 'after the backup'"),
        2,
        "the lost states are back"
    );
    assert_eq!(pair.number("SELECT count(*) FROM births WHERE note = 'written again'"), 1, "the later one stands");
    pair.check_equal().await;
    pair.clerk().execute("UPDATE births SET note = 'and on' WHERE record_id = 110", ()).unwrap();
    pair.settle().await;
    let states = pair.store.held_states(pair.origin(), vec![id(110)]).await.unwrap();
    assert_eq!(states[0].1.version.0, 2, "a lost entry that came back goes on");
    pair.check_equal().await;
}

async fn a_root_that_differs_begins_a_comparison_by_itself<S: NationalStore + Clone + 'static>(
    pair: Pair<S>,
    harm: Harm,
) {
    pair.births(0..100);
    pair.settle().await;
    harm.sql("DELETE FROM record WHERE record_id = 4").await;
    pair.store.rebuild_holding(pair.origin()).await.unwrap();
    pair.births(100..101);
    pair.settle().await;
    pair.wait("the hub notices", async || pair.unasked().await.is_some_and(|view| !view.resync.state.is_open())).await;
    let view = pair.unasked().await.unwrap();
    assert_eq!((view.resync.state.name(), view.resync.report.repaired), ("done", 1), "{view:?}");
    pair.births(101..102);
    pair.settle().await;
    pair.wait("the roots agree again", async || pair.store.agreements().await.unwrap()[&pair.origin()].agree).await;
    pair.check_equal().await;
}

fn id(number: i64) -> registry_schema::ids::RecordId {
    registry_schema::ids::RecordId::from_number(number).unwrap()
}
