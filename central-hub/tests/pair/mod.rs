//! One hub and one agent in this process, on a real stream between them, and hands to do harm to both stores.

#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its part; a test ends where its world fails")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use central_hub::config::Quota;
use central_hub::identity::Token;
use central_hub::operator::provinces;
use central_hub::operator::resync::{self, ResyncView, Wish};
use central_hub::serve;
use hub_rules::policy::Policy;
use hub_store::NationalStore;
use registry_schema::ids::{Epoch, Origin};
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use sync_agent::config::{Access, Config, Layer};
use sync_agent::daemon::{self, Surroundings};
use sync_agent::status;
use sync_agent::store::state::Incarnation;
use sync_agent::store::{self, Store, StoreError, StoreHandle};
use sync_agent::uplink::over_tcp;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long a test waits for what takes milliseconds on an idle machine.
const PATIENCE: Duration = Duration::from_secs(20);
pub(crate) const PROVINCE: &str = "01@2008";

/// A hub over a store, and an agent.
pub(crate) struct Pair<S> {
    pub(crate) store: S,
    pub(crate) folder: tempfile::TempDir,
    config: Config,
    hub_stop: CancellationToken,
    hub: Option<JoinHandle<()>>,
    agent: Option<(CancellationToken, JoinHandle<Result<(), StoreError>>)>,
}

impl<S: NationalStore + Clone + 'static> Pair<S> {
    /// A hub that serves, an enrolled province, and its agent that runs.
    pub(crate) async fn new(store: S) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let hub = format!("http://{}", listener.local_addr().unwrap());
        let hub_stop = CancellationToken::new();
        let quota = Quota::default();
        let serving = serve::serve(store.clone(), listener, quota, Policy::default(), hub_stop.clone());
        let task = Some(tokio::spawn(async move { serving.await.unwrap() }));
        let folder = tempfile::tempdir().unwrap();
        let layer = Layer {
            store: Some(folder.path().join("province.db")),
            province: Some(PROVINCE.parse().unwrap()),
            hub: Some(hub),
            token_file: Some(folder.path().join("token")),
            poll_ms: Some(2),
            reconnect_ms_min: Some(10),
            reconnect_ms_max: Some(100),
            ..Layer::default()
        };
        let config = layer.finish().unwrap();
        store::init(&config.store, Incarnation { origin: config.province, epoch: Epoch(7) }).unwrap();
        let mut pair = Self { store, folder, config, hub_stop, hub: task, agent: None };
        pair.enrol().await;
        pair.start_agent().await;
        pair
    }

    pub(crate) fn origin(&self) -> Origin {
        self.config.province
    }

    /// Enrols the province (again) and gives its agent the token.
    pub(crate) async fn enrol(&self) {
        let token = Token::new(rand::random());
        provinces::enrol(&self.store, self.origin(), None, &token, 0).await.unwrap();
        let Access::Token(file) = &self.config.access else { panic!("this agent is let in by its token") };
        std::fs::write(file, token.expose()).unwrap();
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    pub(crate) async fn start_agent(&mut self) {
        let stop = CancellationToken::new();
        let (config, stopped) = (self.config.clone(), stop.clone());
        let surroundings = Surroundings { connect: over_tcp(), wall_ms, seed: 1 };
        let task = tokio::spawn(async move {
            let (handle, thread) = StoreHandle::threaded(Store::open(&config.store)?)?;
            let result = daemon::run(handle, &config, surroundings, stopped).await;
            tokio::task::spawn_blocking(move || thread.join().unwrap()).await.unwrap();
            result
        });
        self.agent = Some((stop, task));
    }

    pub(crate) async fn stop_hub(&mut self) {
        self.hub_stop.cancel();
        self.hub.take().unwrap().await.unwrap();
    }

    pub(crate) async fn stop_agent(&mut self) {
        let (stop, task) = self.agent.take().unwrap();
        stop.cancel();
        task.await.unwrap().unwrap();
    }

    /// Waits until everything is applied and the agent knows it.
    pub(crate) async fn settle(&self) {
        let settled = || {
            let status = status::read(&self.config.store, wall_ms()).unwrap();
            status.unsealed == 0 && status.lanes.iter().all(|lane| lane.sealed == lane.applied)
        };
        self.wait("everything is applied", async || settled()).await;
    }

    pub(crate) async fn wait(&self, what: &str, mut done: impl AsyncFnMut() -> bool) {
        let began = Instant::now();
        while !done().await {
            if self.agent.as_ref().is_some_and(|(_, task)| task.is_finished()) {
                panic!("the agent has ended: {:?}", Store::open(&self.config.store).err());
            }
            assert!(
                began.elapsed() < PATIENCE,
                "waited in vain until {what}: {:?}",
                status::read(&self.config.store, 0)
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Births with some dates, as a clerk's program writes them.
    pub(crate) fn births(&self, numbers: std::ops::Range<u32>) {
        let mut connection = self.clerk();
        let transaction = connection.transaction().unwrap();
        for number in numbers {
            let sql =
                "INSERT INTO births (record_id, number, book, registration_date, authority, child_name, child_sex,
                           child_birth_date) VALUES (?1, ?2, '01/2015', ?3, '01.00001', 'Nguyễn Văn An', '1', ?4)";
            let year = 1990 + number % 25;
            let (registered, born) = (format!("05.06.{year}"), format!("01.06.{year}"));
            transaction.execute(sql, (i64::from(number) + 1, number.to_string(), registered, born)).unwrap();
        }
        transaction.commit().unwrap();
    }

    /// The connection of a clerk's program.
    pub(crate) fn clerk(&self) -> Connection {
        let connection = Connection::open(&self.config.store).unwrap();
        connection.busy_timeout(PATIENCE).unwrap();
        connection
    }

    /// SQL that goes round the triggers of the provincial store.
    pub(crate) fn harm_province(&self, sql: &str) {
        let connection = self.clerk();
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false).unwrap();
        connection.execute_batch(sql).unwrap();
    }

    /// One number out of the provincial store.
    pub(crate) fn number(&self, sql: &str) -> i64 {
        self.clerk().query_row(sql, (), |row| row.get(0)).unwrap()
    }

    pub(crate) fn store_path(&self) -> &Path {
        &self.config.store
    }

    /// A copy of the provincial store as it is on disk.
    pub(crate) fn backup(&self) -> PathBuf {
        let path = self.folder.path().join("backup.db");
        self.clerk().execute("VACUUM INTO ?1", [path.display().to_string()]).unwrap();
        path
    }

    /// Puts a copy in the place of the store, as an administrator would; the agent is stopped.
    pub(crate) fn restore(&self, backup: &Path) {
        for suffix in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{suffix}", self.config.store.display()));
        }
        std::fs::copy(backup, &self.config.store).unwrap();
    }

    /// Asks for a comparison and waits for where it comes to rest.
    pub(crate) async fn resync(&self, change: impl FnOnce(&mut Wish)) -> ResyncView {
        let mut wish = Wish {
            origin: self.origin(),
            kind: None,
            year: None,
            deep: false,
            dry_run: false,
            operator: "lan".to_owned(),
            reason: "a test".to_owned(),
        };
        change(&mut wish);
        let begun = resync::start(&self.store, wish, now_ms(), rand::random()).await.unwrap();
        self.rest(begun.resync.id).await
    }

    /// Waits until a comparison waits for nobody but a person.
    pub(crate) async fn rest(&self, id: i64) -> ResyncView {
        let name = |view: &ResyncView| view.resync.state.name();
        let rests = |view: &ResyncView| !["offered", "running"].contains(&name(view));
        self.wait("the comparison ends", async || rests(&resync::show(&self.store, id).await.unwrap())).await;
        resync::show(&self.store, id).await.unwrap()
    }

    /// The last comparison that the hub began by itself.
    pub(crate) async fn unasked(&self) -> Option<ResyncView> {
        let list = resync::list(&self.store, None).await.unwrap();
        list.into_iter().find(|view| view.resync.who == "hub")
    }

    /// Both sides hold the same, as a comparison and a look at every row find.
    pub(crate) async fn check_equal(&self) {
        self.settle().await;
        let view = self.resync(|wish| wish.deep = true).await;
        let found = &view.resync.report;
        assert_eq!(view.resync.state.name(), "done", "{found:?}");
        let differ = found.altered + found.only_here + found.only_there;
        assert_eq!((differ, found.damaged_at_centre, found.damaged_in_province), (0, 0, 0), "{found:?}");
    }
}

impl<S> Drop for Pair<S> {
    fn drop(&mut self) {
        self.hub_stop.cancel();
        if let Some((stop, _)) = &self.agent {
            stop.cancel();
        }
    }
}

pub(crate) fn now_ms() -> i64 {
    central_hub::clock::now_ms()
}

fn wall_ms() -> u64 {
    now_ms().cast_unsigned()
}
