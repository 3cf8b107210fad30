//! The daemon against a small hub in this process: whatever the network does, every committed state arrives once.

#![allow(clippy::unwrap_used, missing_docs)]

mod hub;

use std::path::PathBuf;
use std::time::Duration;

use hub::{Hub, PROVINCE, TOKEN};
use registry_schema::canonical;
use registry_schema::field::{Attribute, Field};
use registry_schema::ids::{Epoch, Lane, Seq};
use registry_schema::kind::Kind;
use rusqlite::Connection;
use sync_agent::backlog::{ImportRequest, import};
use sync_agent::config::{Config, Layer};
use sync_agent::daemon::{self, Surroundings};
use sync_agent::status::{self, Status};
use sync_agent::store::state::{ConnectionState, Incarnation};
use sync_agent::store::{self, Store, StoreError, StoreHandle};
use sync_agent::uplink::over_tcp;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A store with a daemon that can be started and stopped.
struct Province {
    folder: tempfile::TempDir,
    config: Config,
}

struct Running {
    stop: CancellationToken,
    task: JoinHandle<Result<(), StoreError>>,
}

impl Province {
    fn new(hub: &str) -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let token_file = folder.path().join("token");
        std::fs::write(&token_file, TOKEN).unwrap();
        std::fs::set_permissions(&token_file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let layer = Layer {
            store: Some(folder.path().join("province.db")),
            province: Some(PROVINCE.parse().unwrap()),
            hub: Some(hub.to_owned()),
            token_file: Some(token_file),
            poll_ms: Some(2),
            reconnect_ms_min: Some(10),
            reconnect_ms_max: Some(40),
            ..Layer::default()
        };
        let config = layer.finish().unwrap();
        store::init(&config.store, Incarnation { origin: config.province, epoch: Epoch(7) }).unwrap();
        Self { folder, config }
    }

    fn run(&self) -> Running {
        let (handle, _thread) = StoreHandle::threaded(Store::open(&self.config.store).unwrap()).unwrap();
        let surroundings = Surroundings { connect: over_tcp(), wall_ms: || 1_800_000_000_000, seed: 1 };
        let stop = CancellationToken::new();
        let (config, child) = (self.config.clone(), stop.clone());
        let task = tokio::spawn(async move { daemon::run(handle, &config, surroundings, child).await });
        Running { stop, task }
    }

    fn writer(&self) -> Connection {
        let connection = Connection::open(&self.config.store).unwrap();
        connection.busy_timeout(PATIENCE).unwrap();
        connection
    }

    fn status(&self) -> Status {
        status::read(&self.config.store, 0).unwrap()
    }

    async fn until(&self, what: &str, is_so: impl Fn(&Status) -> bool) -> Status {
        let waited = tokio::time::timeout(PATIENCE, async {
            loop {
                let status = self.status();
                if is_so(&status) {
                    return status;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        waited.await.unwrap_or_else(|_| panic!("{what} never came: {:?}", self.status()))
    }
}

impl Running {
    async fn stop(self) -> Duration {
        let started = std::time::Instant::now();
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, self.task).await.unwrap().unwrap().unwrap();
        started.elapsed()
    }
}

fn is_settled(status: &Status) -> bool {
    let all_applied = status.lanes.iter().all(|lane| lane.sealed == lane.applied);
    status.unsealed == 0 && all_applied
}

const IMPORT: &str = "INSERT INTO imports (import_id, file_sha256, file_name, kind, started_at)
                      VALUES (1, x'00', 'a.csv', 'birth', '2026-01-01T00:00:00Z');";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_arrives_once_although_the_stream_breaks_again_and_again() {
    let hub = Hub::start(|faults| faults.cut_after_frames = Some(3)).await;
    let province = Province::new(&hub.address);
    let writer = province.writer();
    writer.execute_batch(IMPORT).unwrap();
    let running = province.run();
    for round in 0..30 {
        let sql = "INSERT INTO births (record_id, number, import_id) VALUES (?1, ?2, ?3)";
        for at in 0..10 {
            let id = round * 10 + at + 1;
            writer.execute(sql, (id, format!("n{id}"), (at % 2 == 0).then_some(1))).unwrap();
        }
        writer.execute("UPDATE births SET page = ?1 WHERE record_id <= ?1", [round]).unwrap();
        // Two lanes with news at each of ten such points make twenty frames or more.
        if round % 3 == 2 {
            province.until("the changes so far", is_settled).await;
        }
    }
    let logged: u64 =
        writer.query_row("SELECT count(*) FROM change_log", (), |row| row.get::<_, i64>(0)).unwrap() as u64;
    province.until("the last change", is_settled).await;
    running.stop().await;

    let journal = hub.journal();
    assert!(journal.streams > 5, "{} streams: the cuts did not happen", journal.streams);
    assert_eq!(journal.changes.len() as u64, logged);
    let mut versions = std::collections::BTreeMap::new();
    for (_, change) in &journal.changes {
        let version: &mut Vec<u32> = versions.entry(change.record_id).or_default();
        version.push(change.version.0);
    }
    assert_eq!(versions.len(), 300);
    for (record_id, versions) in versions {
        assert!(versions.iter().copied().eq(1..=versions.len() as u32), "record {record_id}: {versions:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_import_has_sealed_is_sent_by_the_daemon_that_runs_beside_it() {
    let hub = Hub::start(|_| {}).await;
    let province = Province::new(&hub.address);
    let running = province.run();
    province.until("a stream", |status| status.connection.state == ConnectionState::Connected).await;
    let path = province.folder.path().join("deaths.csv");
    std::fs::write(&path, "authority,deceased_name\n01.00001,Lê An\n01.00001,Trần Ba\n").unwrap();
    let request = ImportRequest {
        path,
        kind: Some(Kind::Death),
        mapping: None,
        rejects: None,
        authority: None,
        dry_run: false,
        split: None,
        now: &|| "2026-01-01T00:00:00Z".parse().unwrap(),
    };
    let report = import(&mut Store::open(&province.config.store).unwrap(), &request, &mut |_| ()).unwrap();
    assert_eq!(report.imported, 2);
    assert_eq!(province.status().unsealed, 0);
    province.until("what was imported", |status| status.lanes.iter().any(|lane| lane.applied == 2)).await;
    running.stop().await;
    assert_eq!(hub.journal().changes.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_centre_answers_stands_beside_the_entry_also_after_a_restart() {
    let hub = Hub::start(|_| {}).await;
    let province = Province::new(&hub.address);
    let writer = province.writer();
    writer.execute_batch("INSERT INTO births (record_id, number) VALUES (5, 'a'), (6, 'b')").unwrap();
    let running = province.run();
    province.until("both notices", |status| status.notices.get("linked") == Some(&2)).await;
    assert_eq!(province.until("connection", is_settled).await.connection.state, ConnectionState::Connected);
    let state: String =
        writer.query_row("SELECT state FROM entry_states WHERE record_id = 6", (), |row| row.get(0)).unwrap();
    assert_eq!(state, "linked");
    assert!(running.stop().await < Duration::from_secs(4));
    assert_eq!(province.status().connection.state, ConnectionState::Stopped);

    writer.execute_batch("UPDATE births SET number = 'c' WHERE record_id = 5").unwrap();
    let running = province.run();
    province.until("the correction", is_settled).await;
    running.stop().await;
    let journal = hub.journal();
    let numbers: Vec<_> = journal.changes.iter().map(|(_, change)| number(&change.canonical)).collect();
    assert_eq!(numbers, ["a", "b", "c"]);
    assert_eq!(journal.notice_positions, [0, 2], "each stream began behind the notices that were stored");
}

fn number(canonical: &[u8]) -> String {
    canonical::decode(canonical).unwrap().0.get(Field::entry(Attribute::Number)).unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clerks_are_served_while_a_backlog_streams() {
    let hub = Hub::start(|faults| faults.pause_per_frame = Duration::from_millis(40)).await;
    let province = Province::new(&hub.address);
    let writer = province.writer();
    writer.execute_batch(IMPORT).unwrap();
    writer
        .execute_batch(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)
             INSERT INTO births (record_id, number, import_id) SELECT i, 'old', 1 FROM n;
             INSERT INTO deaths (record_id, number) VALUES (99999, 'now')",
        )
        .unwrap();
    let running = province.run();
    let status = province.until("the clerk's entry", |status| status.lanes[0].applied == 1).await;
    let backlog = &status.lanes[2];
    assert!(backlog.applied < 20_000, "the clerk waited behind {} old entries", backlog.applied);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_centre_with_another_history_stops_the_sending_and_says_so() {
    let hub = Hub::start(|faults| faults.foreign_history = true).await;
    let province = Province::new(&hub.address);
    province.writer().execute_batch("INSERT INTO births (record_id, number) VALUES (5, 'a')").unwrap();
    let running = province.run();
    let status = province.until("the fork", |status| status.connection.state == ConnectionState::Forked).await;
    let error = status.connection.error.unwrap();
    assert!(error.contains("lane live") && error.contains("ask the centre's operator"), "{error}");
    running.stop().await;
    assert_eq!(hub.journal().changes, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_names_the_remedy_and_sealing_goes_on() {
    let hub = Hub::start(|faults| faults.token = Some("another".to_owned())).await;
    let province = Province::new(&hub.address);
    let running = province.run();
    let status = province.until("the refusal", |status| status.connection.error.is_some()).await;
    let error = status.connection.error.unwrap();
    assert!(error.contains("check token_file") && !error.contains(TOKEN), "{error}");
    province.writer().execute_batch("INSERT INTO births (record_id, number) VALUES (5, 'a')").unwrap();
    province.until("the sealing", |status| status.lanes[0].sealed == 1).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_centre_that_comes_back_is_found_again() {
    let gone = Hub::start(|_| {}).await.stop();
    let province = Province::new(&gone);
    province.writer().execute_batch("INSERT INTO births (record_id, number) VALUES (5, 'a')").unwrap();
    let running = province.run();
    let status = province.until("the failure", |status| status.connection.error.is_some()).await;
    assert!(status.connection.error.unwrap().contains("cannot be reached"));
    let hub = Hub::start_at(&gone).await;
    province.until("the change", is_settled).await;
    running.stop().await;
    assert_eq!(hub.journal().cursors[&Lane::Live].seq, Seq(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_of_another_province_is_not_sent() {
    let mut province = Province::new("http://127.0.0.1:1");
    province.config.province = "02@2008".parse().unwrap();
    let result = province.run().task.await.unwrap();
    assert!(matches!(result, Err(StoreError::OtherProvince { .. })));
    let path: PathBuf = province.folder.path().join("province.db");
    assert_eq!(status::read(&path, 0).unwrap().province.to_string(), PROVINCE);
}
