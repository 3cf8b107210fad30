//! Several hubs on one database, connections that end in the middle, and answers that are lost.

mod cluster;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use cluster::Database;
use hub_rules::Plan;
use hub_rules::node::{Membership, Node};
use hub_store::conformance::{self, Schedule, World};
use hub_store::model::{Appended, Applied, JournalId, Queue};
use hub_store::postgres::Postgres;
use hub_store::{Journal as _, Registry as _, StoreError};
use registry_schema::field::Role;
use registry_schema::ids::{PersonId, RecordId, RecordKey};
use tokio::time::sleep;

const SEATS: &str = "SELECT count(pg_terminate_backend(pid)) FROM pg_locks
     WHERE locktype = 'advisory' AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
const EVERYBODY: &str = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid()";

fn applied(journal: i64) -> Applied {
    Applied { queue: Queue::Live, journal: JournalId(journal), lanes: BTreeMap::new(), now_ms: 0 }
}

async fn commit(store: &Postgres, journal: i64) -> Result<(), StoreError> {
    store.commit(Plan::default(), applied(journal)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_hub_judges_and_another_takes_over() {
    let database = Database::create().await;
    let first = database.store().await;
    let second = Postgres::open(&database.store_url()).await.expect("a second hub");
    commit(&first, 1).await.expect("the first one judges");
    assert_eq!(second.lead().await.expect("asks"), None);
    assert!(matches!(commit(&second, 2).await, Err(StoreError::Busy { .. })), "a hub that does not judge commits");
    assert!(matches!(second.reset().await, Err(StoreError::Busy { .. })), "a hub that does not judge resets");
    drop(first);
    comes_to_lead(&second).await;
    commit(&second, 3).await.expect("the second one judges");
}

/// Waits until the store judges: a session that ends holds its seat a moment longer.
async fn comes_to_lead(store: &Postgres) {
    for _ in 0..100 {
        if store.lead().await.expect("asks").is_some() {
            return;
        }
        sleep(Duration::from_millis(50)).await;
    }
    panic!("nobody judges");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_was_replaced_commits_nothing() {
    let database = Database::create().await;
    let first = database.store().await;
    let second = Postgres::open(&database.store_url()).await.expect("a second hub");
    database.client().await.query_one(SEATS, &[]).await.expect("ends the first one's seat");
    comes_to_lead(&second).await;
    commit(&second, 7).await.expect("judges");
    let refused = commit(&first, 9).await.expect_err("the first one does not know yet");
    assert!(matches!(refused, StoreError::Busy { .. }), "{refused}");
    assert_eq!(first.digests().await.expect("reads").watermark.live, JournalId(7));
    assert_eq!(first.lead().await.expect("asks"), None);
}

/// A first try adds what the plan calls new without looking; where that stands already, the next try looks.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_plan_calls_new_may_stand_already() {
    let database = Database::create().await;
    let store = database.store().await;
    let key = RecordKey { origin: conformance::origin(), id: RecordId::from_number(1).expect("an identifier") };
    let (child, mother) = (Node::new(key, Role::Child), Node::new(key, Role::Mother));
    let among = |cluster| Membership { cluster, person: PersonId(cluster) };
    let joins = |members: &[(Node, i64)]| Plan {
        members_added: members.iter().map(|(node, cluster)| (*node, among(*cluster))).collect(),
        keys_added: members.iter().map(|(node, _)| (5, *node)).collect(),
        ..Plan::default()
    };
    store.commit(joins(&[(child, 7)]), applied(1)).await.expect("commits");
    store.commit(joins(&[(child, 8), (mother, 9)]), applied(2)).await.expect("commits what stands in part");
    let client = database.client().await;
    let rows = async |sql| client.query(sql, &[]).await.expect("reads");
    let members = rows("SELECT cluster, person FROM member ORDER BY role").await;
    let members: Vec<(i64, i64)> = members.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(members, [(8, 8), (9, 9)]);
    assert_eq!(rows("SELECT 1 FROM block WHERE block = 5").await.len(), 2);
}

/// Ends every connection to a database again and again until told to stop; answers how many it ended.
fn terminate_all(database: &Database, stop: &Arc<AtomicBool>) -> (tokio::task::JoinHandle<()>, Arc<AtomicU32>) {
    let (url, stop, ended) = (database.url(), Arc::clone(stop), Arc::new(AtomicU32::new(0)));
    let count = Arc::clone(&ended);
    let task = tokio::spawn(async move {
        let client = cluster::client(&url).await;
        while !stop.load(Ordering::Relaxed) {
            sleep(Duration::from_millis(rand::random_range(40..120))).await;
            let row = client.query_one(EVERYBODY, &[]).await.expect("ends connections");
            count.fetch_add(u32::try_from(row.get::<_, i64>(0)).expect("few"), Ordering::Relaxed);
        }
    });
    (task, ended)
}

/// How often connections must have ended before a test believes that it went on regardless.
const ENOUGH: u32 = 6;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_judged_while_connections_end_is_judged_once() {
    let database = Database::create().await;
    let store = database.store().await;
    let stop = Arc::new(AtomicBool::new(false));
    let (task, ended) = terminate_all(&database, &stop);
    let mut schedule = Schedule::new();
    // Worlds, one after the other, of the same provinces: one nation.
    for seed in 0.. {
        let batches = World::new(seed).schedule();
        conformance::play_from(&store, schedule.len(), &batches).await;
        schedule.extend(batches);
        if seed >= 11 && (task.is_finished() || ended.load(Ordering::Relaxed) >= ENOUGH) {
            break;
        }
    }
    let expected = conformance::play_in_memory(&schedule);
    assert_eq!(store.digests().await.expect("reads").digests, expected.digests);
    stop.store(true, Ordering::Relaxed);
    task.await.expect("ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_journaled_while_connections_end_stands_once() {
    let database = Database::create().await;
    let store = database.store().await;
    let stop = Arc::new(AtomicBool::new(false));
    let (task, ended) = terminate_all(&database, &stop);
    let mut taken = 0;
    while taken < 300 || (!task.is_finished() && ended.load(Ordering::Relaxed) < ENOUGH) {
        let appended = store.append(vec![conformance::big_frame(taken)]).await.expect("appends");
        taken += 1;
        let id = JournalId(i64::try_from(taken).expect("few"));
        assert_eq!(appended, [Appended::At(id)], "every frame stands once, and in order");
    }
    stop.store(true, Ordering::Relaxed);
    task.await.expect("ends");
    assert_eq!(store.cursors(conformance::origin()).await.expect("reads")[0].seq.0, taken);
}

#[tokio::test(flavor = "multi_thread")]
async fn hubs_that_append_at_once_give_one_order() {
    let database = Database::create().await;
    let hubs = [database.store().await, Postgres::open(&database.store_url()).await.expect("a second hub")];
    let append = |hub: Postgres| async move {
        let mut ids = Vec::new();
        while ids.len() < 40 {
            let taken = hub.cursors(conformance::origin()).await.expect("reads").first().map_or(0, |at| at.seq.0);
            if let [Appended::At(id)] = hub.append(vec![conformance::big_frame(taken)]).await.expect("appends")[..] {
                ids.push(id.0);
            }
        }
        ids
    };
    let (one, other) = tokio::join!(tokio::spawn(append(hubs[0].clone())), tokio::spawn(append(hubs[1].clone())));
    let mut ids = [one.expect("ends"), other.expect("ends")].concat();
    ids.sort_unstable();
    assert_eq!(ids, (1..=80).collect::<Vec<i64>>(), "numbers without gaps");
}
