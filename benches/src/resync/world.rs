//! A province with many entries, the nation that has all of them, and both programs' daemons in this process.

use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use central_hub::clock::now_ms;
use central_hub::config::Quota;
use central_hub::identity::Token;
use central_hub::operator::{provinces, resync};
use central_hub::serve;
use hub_store::Holdings as _;
use hub_store::holdings::{ResyncReport, ResyncState};
use hub_store::sqlite::Sqlite;
use registry_schema::holdings::HoldingsKey;
use registry_schema::ids::{Epoch, Origin};
use rusqlite::Connection;
use sync_agent::config::{Access, Config, Layer};
use sync_agent::daemon::{self, Surroundings};
use sync_agent::store::state::Incarnation;
use sync_agent::store::{self, Store, StoreHandle};
use sync_agent::uplink::over_tcp;
use tokio::net::TcpListener;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

const PROVINCE: &str = "01@2008";
/// Changes of one transaction of sealing.
const SEAL_CHANGES: usize = 10_000;
/// How often an end is looked for; it is part of what is measured.
const LOOK: Duration = Duration::from_millis(5);

/// How long a repair may take before the measurement is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// See the module.
pub(crate) struct World {
    folder: tempfile::TempDir,
    store: Sqlite,
    origin: Origin,
    entries: u32,
    stop: CancellationToken,
}

impl World {
    /// Both stores with so many entries, and both daemons connected.
    pub(crate) async fn new(entries: u32) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let layer = Layer {
            store: Some(folder.path().join("province.db")),
            province: Some(PROVINCE.parse().ok().context("a province")?),
            hub: Some(format!("http://{}", listener.local_addr()?)),
            token_file: Some(folder.path().join("token")),
            ..Layer::default()
        };
        let config = layer.finish()?;
        let origin = config.province;
        store::init(&config.store, Incarnation { origin, epoch: Epoch(7) })?;
        province(&config, entries)?;
        let store = Sqlite::open(&folder.path().join("national.db"))?;
        let token = Token::new([7; 32]);
        provinces::enrol(&store, origin, None, &token, now_ms()).await?;
        let Access::Token(file) = &config.access else { anyhow::bail!("this agent is let in by its token") };
        std::fs::write(file, token.expose())?;
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600))?;
        let world = Self { folder, store, origin, entries, stop: CancellationToken::new() };
        world.sql(&nation(&config, origin))?;
        world.store.holdings_key(origin, HoldingsKey::from_bytes([3; 32])).await?;
        let (quota, policy) = (Quota::default(), hub_rules::policy::Policy::default());
        tokio::spawn(serve::serve(world.store.clone(), listener, quota, policy, world.stop.clone()));
        let (handle, _thread) = StoreHandle::threaded(Store::open(&config.store)?)?;
        let wall_ms = || now_ms().cast_unsigned();
        let surroundings = Surroundings { connect: over_tcp(), wall_ms, seed: 1 };
        let stop = world.stop.clone();
        tokio::spawn(async move { daemon::run(handle, &config, surroundings, stop).await });
        world.compare(0).await?;
        Ok(world)
    }

    /// Some records in another state at the nation, spread over all; each run takes others.
    pub(crate) async fn alter(&self, records: u32, run: u32) -> anyhow::Result<()> {
        self.shift(records, run, 1).await
    }

    /// Takes that back.
    pub(crate) async fn undo(&self, records: u32, run: u32) -> anyhow::Result<()> {
        self.shift(records, run, -1).await
    }

    async fn shift(&self, records: u32, run: u32, by: i32) -> anyhow::Result<()> {
        if records == 0 {
            return Ok(());
        }
        let step = self.entries / records;
        self.sql(&format!(
            "UPDATE record SET clock = clock + {by} WHERE (record_id - 1) % {step} = {run} % {step}
             AND (record_id - 1) / {step} < {records}"
        ))?;
        Ok(self.store.rebuild_holding(self.origin).await?)
    }

    /// Loses the latest states of some records at the nation, and has them brought again; how long that takes from the
    /// operator's word until the nation has judged them.
    pub(crate) async fn repair(&self, records: u32, run: u32) -> anyhow::Result<Duration> {
        let before = self.clocks(records, run)?;
        self.shift(records, run, -1).await?;
        ensure!(self.clocks(records, run)? != before, "nothing was lost");
        let began = Instant::now();
        let found = self.resync(false).await?;
        ensure!(found.altered == u64::from(records), "{found:?} instead of {records}");
        while self.clocks(records, run)? != before {
            ensure!(began.elapsed() < PATIENCE, "not everything was brought again");
            sleep(LOOK).await;
        }
        let took = began.elapsed();
        self.compare(0).await?;
        Ok(took)
    }

    /// What the clocks of those records come to, folded so that the sum has room.
    fn clocks(&self, records: u32, run: u32) -> anyhow::Result<i64> {
        let step = self.entries / records;
        let ids: Vec<String> = (0..records).map(|at| (at * step + run % step + 1).to_string()).collect();
        let sql = format!(
            "SELECT sum(clock % 1000000007) FROM record WHERE origin = {} AND record_id IN ({})",
            self.origin.number(),
            ids.join(", ")
        );
        Ok(self.connect()?.query_row(&sql, [], |row| row.get(0))?)
    }

    /// Compares, and checks that so many records were found to differ.
    pub(crate) async fn compare(&self, altered: u32) -> anyhow::Result<ResyncReport> {
        let report = self.resync(true).await?;
        ensure!(report.altered == u64::from(altered), "{report:?} instead of {altered}");
        Ok(report)
    }

    async fn resync(&self, dry_run: bool) -> anyhow::Result<ResyncReport> {
        let wish = resync::Wish {
            origin: self.origin,
            kind: None,
            year: None,
            deep: false,
            dry_run,
            operator: "bench".to_owned(),
            reason: "bench".to_owned(),
        };
        let id = resync::start(&self.store, wish, now_ms(), rand::random()).await?.resync.id;
        loop {
            let view = resync::show(&self.store, id).await?.resync;
            match view.state {
                ResyncState::Offered | ResyncState::Running => sleep(LOOK).await,
                ResyncState::Done => return Ok(view.report),
                state => anyhow::bail!("the comparison is {}: {}", state.name(), view.report.detail),
            }
        }
    }

    fn sql(&self, sql: &str) -> anyhow::Result<()> {
        Ok(self.connect()?.execute_batch(sql)?)
    }

    fn connect(&self) -> anyhow::Result<Connection> {
        let connection = Connection::open(self.folder.path().join("national.db"))?;
        connection.busy_timeout(Duration::from_secs(60))?;
        Ok(connection)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Births as a clerk's program writes them, sealed.
fn province(config: &Config, entries: u32) -> anyhow::Result<()> {
    let mut store = Store::open(&config.store)?;
    store.connection().execute_batch(&format!(
        "PRAGMA synchronous = OFF;
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {entries})
         INSERT INTO births (record_id, number, book, registration_date, authority, child_name, child_sex,
             child_birth_date, mother_name)
         SELECT i, i % 400 + 1, printf('%02d/%d', i / 400 % 90, 1960 + i % 60), printf('05.06.%d', 1960 + i % 60),
             '01.00001', 'Nguyễn Văn ' || char(65 + i % 26), '1', printf('01.06.%d', 1960 + i % 60), 'Lê Thị Mai'
         FROM n"
    ))?;
    while store.seal(SEAL_CHANGES, now_ms().cast_unsigned())?.more {}
    Ok(())
}

/// The nation as it is once everything was applied; what it makes of the entries is no matter here.
fn nation(config: &Config, origin: Origin) -> String {
    format!(
        "PRAGMA synchronous = OFF; ATTACH '{1}' AS province;
         INSERT INTO record (origin, record_id, kind, standing, version, clock, content_hash, canonical)
             SELECT {0}, record_id, 1, 1, version, clock, content_hash, canonical FROM province.change_log
             ORDER BY record_id;
         INSERT INTO cursor (origin, lane, epoch, seq, chain, received_ms, applied_seq)
             SELECT {0}, lane, 7, sealed_seq, sealed_chain, 0, sealed_seq FROM province.lanes;
         UPDATE main.province SET epoch = 7",
        origin.number(),
        config.store.display(),
    )
}
