//! Comparisons while clerks write, and while either side is cut off or crashes at any moment: nothing was harmed, so no
//! comparison may find a difference, and none may be begun because a root differs.
//!
//! Either side runs in a runtime of its own; a crash drops that runtime with everything that is under way in it. Some
//! schedules are in the ordinary tests; `make resync-crashes RESYNC_SEEDS=1000` plays more, with more changes in flight.

#![allow(clippy::unwrap_used, reason = "a test ends where its world fails")]

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use central_hub::clock::now_ms;
use central_hub::config::Quota;
use central_hub::identity::Token;
use central_hub::operator::provinces;
use central_hub::operator::resync::{self, Wish};
use central_hub::serve;
use hub_rules::policy::Policy;
use hub_store::Journal as _;
use hub_store::sqlite::Sqlite;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use registry_schema::ids::Epoch;
use rusqlite::Connection;
use sync_agent::config::{Access, Config, Layer};
use sync_agent::daemon::{self, Surroundings};
use sync_agent::status;
use sync_agent::store::state::Incarnation;
use sync_agent::store::{self, Store, StoreHandle};
use sync_agent::uplink::over_tcp;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Schedules of the ordinary run.
const ORDINARY_SCHEDULES: u64 = 30;
/// Schedules that are played at the same time: each waits more than it works.
const WORLDS_AT_ONCE: usize = 4;
/// Changes of one schedule in the ordinary run, and in a longer one.
const CHANGES: [u32; 2] = [250, 5_000];
/// Things that happen in one schedule.
const ACTIONS: u32 = 14;
/// How long a world may take to come to rest, and a runtime to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// One side, in a runtime of its own that a crash drops.
struct Side<S> {
    runtime: Runtime,
    /// What it does; it never ends by itself.
    work: JoinHandle<()>,
    /// Its store, or the thread that has it.
    store: S,
}

impl<S> Side<S> {
    fn new(store: S, work: impl Future<Output = ()> + Send + 'static) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let work = runtime.spawn(work);
        Self { runtime, work, store }
    }

    fn is_gone(&self) -> bool {
        self.work.is_finished()
    }

    /// Drops the runtime with everything that is under way in it; answers what has the store.
    fn crash(self) -> S {
        let began = Instant::now();
        self.runtime.shutdown_timeout(PATIENCE);
        assert!(began.elapsed() < PATIENCE, "a runtime goes on after its end");
        self.store
    }
}

struct World {
    folder: tempfile::TempDir,
    config: Config,
    address: SocketAddr,
    random: StdRng,
    operators: Runtime,
    hub: Option<Side<Sqlite>>,
    agent: Option<Side<std::thread::JoinHandle<()>>>,
    written: u32,
    /// Crashes and cuts so far.
    falls: u32,
}

impl World {
    fn new(seed: u64) -> Self {
        // Memory, where there is some: what is durable and what is not is another test's question.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let layer = Layer {
            store: Some(folder.path().join("province.db")),
            province: Some("01@2008".parse().unwrap()),
            hub: Some(format!("http://{address}")),
            token_file: Some(folder.path().join("token")),
            poll_ms: Some(2),
            reconnect_ms_min: Some(10),
            reconnect_ms_max: Some(50),
            ..Layer::default()
        };
        let config = layer.finish().unwrap();
        store::init(&config.store, Incarnation { origin: config.province, epoch: Epoch(7) }).unwrap();
        let operators = Builder::new_current_thread().enable_all().build().unwrap();
        let random = StdRng::seed_from_u64(seed);
        let mut world =
            Self { folder, config, address, random, operators, hub: None, agent: None, written: 0, falls: 0 };
        world.start_hub();
        world.enrol();
        world.start_agent();
        world
    }

    fn enrol(&self) {
        let token = Token::new([1; 32]);
        let Access::Token(file) = &self.config.access else { panic!("this agent is let in by its token") };
        self.operators.block_on(provinces::enrol(self.store(), self.config.province, None, &token, 0)).unwrap();
        std::fs::write(file, token.expose()).unwrap();
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn store(&self) -> &Sqlite {
        &self.hub.as_ref().unwrap().store
    }

    fn start_hub(&mut self) {
        let store = Sqlite::open(&self.folder.path().join("national.db")).unwrap();
        let (address, served) = (self.address, store.clone());
        self.hub = Some(Side::new(store, async move {
            let listener = TcpListener::bind(address).await.expect("the hub's port is free");
            let never = CancellationToken::new();
            serve::serve(served, listener, Quota::default(), Policy::default(), never).await.expect("the hub serves");
        }));
    }

    /// As with the agent: an answer of the store says that what was begun before is done.
    fn crash_hub(&mut self) {
        self.falls += 1;
        let store = self.hub.take().unwrap().crash();
        self.operators.block_on(store.cursors(self.config.province)).unwrap();
        drop(store);
        self.start_hub();
    }

    fn start_agent(&mut self) {
        let (config, seed) = (self.config.clone(), self.random.random());
        let store = Store::open(&config.store).expect("the agent opens its store");
        let (handle, thread) = StoreHandle::threaded(store).unwrap();
        self.agent = Some(Side::new(thread, async move {
            let surroundings = Surroundings { connect: over_tcp(), wall_ms: || now_ms().cast_unsigned(), seed };
            daemon::run(handle, &config, surroundings, CancellationToken::new()).await.expect("the agent runs");
        }));
    }

    /// Nobody outlives a process: what its thread had begun ends before the next one begins.
    fn crash_agent(&mut self) {
        self.falls += 1;
        self.agent.take().unwrap().crash().join().unwrap();
        self.start_agent();
    }

    fn clerk(&self) -> Connection {
        let connection = Connection::open(&self.config.store).unwrap();
        connection.busy_timeout(PATIENCE).unwrap();
        connection
    }

    fn write(&mut self, births: u32) {
        let mut connection = self.clerk();
        let transaction = connection.transaction().unwrap();
        for number in self.written..self.written + births {
            let sql =
                "INSERT INTO births (record_id, number, book, registration_date, authority, child_name, child_sex,
                           child_birth_date) VALUES (?1, ?1, '01/2015', ?2, '01.00001', 'Nguyễn Văn An', '1', ?3)";
            let year = 1960 + number % 60;
            let dates = (number + 1, format!("05.06.{year}"), format!("01.06.{year}"));
            transaction.execute(sql, dates).unwrap();
        }
        transaction.commit().unwrap();
        self.written += births;
    }

    /// Corrections and withdrawals of some entries, also of those that are under way.
    fn correct(&mut self) {
        let (from, step) = (self.random.random_range(0..7), self.random.random_range(7..40));
        let note = self.random.random::<u32>();
        let connection = self.clerk();
        let sql = "UPDATE births SET note = ?1 WHERE record_id % ?2 = ?3";
        connection.execute(sql, (note.to_string(), step, from)).unwrap();
        connection.execute("UPDATE births SET status = 'cancelled' WHERE record_id = ?1", [note % 50]).unwrap();
    }

    fn compare(&mut self, deep: bool) {
        let wish = Wish {
            origin: self.config.province,
            kind: None,
            year: None,
            deep,
            dry_run: self.random.random(),
            operator: "lan".to_owned(),
            reason: "a test".to_owned(),
        };
        let chance = self.random.random();
        // One that is under way already is as good.
        let _ = self.operators.block_on(resync::start(self.store(), wish, now_ms(), chance));
    }

    fn act(&mut self, births: u32) {
        match self.random.random_range(0..10) {
            0..=2 => self.write(births),
            3 => self.correct(),
            4..=5 => {
                let deep = self.random.random_range(0..4) == 0;
                self.compare(deep);
            }
            6..=7 => self.crash_agent(),
            8 => self.crash_hub(),
            _ => std::thread::sleep(Duration::from_millis(self.random.random_range(1..30))),
        }
        std::thread::sleep(Duration::from_millis(self.random.random_range(0..6)));
    }

    /// Waits until everything is applied and no comparison is under way.
    fn settle(&self, seed: u64) {
        let began = Instant::now();
        loop {
            assert!(!self.hub.as_ref().unwrap().is_gone(), "seed {seed}: the hub ended by itself");
            assert!(!self.agent.as_ref().unwrap().is_gone(), "seed {seed}: the agent ended by itself");
            let status = status::read(&self.config.store, 0).unwrap();
            let is_applied = status.unsealed == 0 && status.lanes.iter().all(|lane| lane.sealed == lane.applied);
            let views = self.operators.block_on(resync::list(self.store(), None)).unwrap();
            if is_applied && views.iter().all(|view| !view.resync.state.is_open()) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "seed {seed} does not come to rest: {status:?}");
            std::thread::sleep(Duration::from_millis(3));
        }
    }

    /// Every comparison found both sides equal, and nobody but the operator began one; how many there were.
    fn check(&self, seed: u64) -> usize {
        let views = self.operators.block_on(resync::list(self.store(), None)).unwrap();
        for view in &views {
            let (resync, found) = (&view.resync, &view.resync.report);
            let differ = found.altered + found.only_here + found.only_there;
            let damaged = found.damaged_at_centre + found.damaged_in_province;
            assert_eq!((differ, damaged, found.quarantined), (0, 0, 0), "seed {seed}: {resync:?}");
            assert_ne!(resync.who, "hub", "seed {seed}: a root differed: {resync:?}");
        }
        views.len()
    }
}

/// Plays one schedule; how often somebody fell, and how many comparisons there were.
fn play(seed: u64, changes: u32) -> (u32, usize) {
    let mut world = World::new(seed);
    let births = changes * 10 / 3 / ACTIONS;
    world.write(births);
    for _ in 0..ACTIONS {
        world.act(births);
    }
    world.settle(seed);
    world.compare(true);
    world.settle(seed);
    let compared = world.check(seed);
    assert_eq!(count(&world.folder.path().join("national.db")), i64::from(world.written), "seed {seed}");
    (world.falls, compared)
}

fn count(national: &Path) -> i64 {
    Connection::open(national).unwrap().query_row("SELECT count(*) FROM record", (), |row| row.get(0)).unwrap()
}

/// Plays schedules, some at a time; what came of those that passed, and the seeds of those that failed.
fn play_all(seeds: std::ops::Range<u64>, changes: u32) -> (Vec<(u32, usize)>, Vec<u64>) {
    let (next, passed, failed) = (AtomicU64::new(seeds.start), Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..WORLDS_AT_ONCE {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    match std::panic::catch_unwind(|| play(seed, changes)) {
                        Ok(played) => passed.lock().unwrap().push(played),
                        Err(_) => failed.lock().unwrap().push(seed),
                    }
                }
            });
        }
    });
    (passed.into_inner().unwrap(), failed.into_inner().unwrap())
}

#[test]
fn no_comparison_finds_a_difference_that_is_not_there() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (long, from) = (number("HOTICH_SEEDS"), number("HOTICH_SEED").unwrap_or(1));
    let (schedules, changes) = (long.unwrap_or(ORDINARY_SCHEDULES), CHANGES[usize::from(long.is_some())]);
    let began = Instant::now();
    let (passed, failed) = play_all(from..from + schedules, changes);
    let (falls, compared) = passed.iter().fold((0, 0), |sum, (falls, compared)| (sum.0 + falls, sum.1 + compared));
    let seconds = began.elapsed().as_secs_f64();
    let report = serde_json::json!({
        "first_seed": from, "passed": passed.len(), "failed": failed.len(), "failed_seeds": failed,
        "changes_in_flight": changes, "falls": falls, "comparisons": compared,
        "seconds": seconds, "schedules_per_second": schedules as f64 / seconds,
    });
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("target/resync-crashes");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("report.json"), format!("{report:#}\n")).unwrap();
    assert!(failed.is_empty(), "{report}");
    assert!(falls > 0 && compared > 0, "{report}");
}
