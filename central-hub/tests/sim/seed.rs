//! One seed from its first step to the verdict of the oracle.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use central_hub::identity::Token;
use central_hub::operator::provinces;
use futures::FutureExt as _;
use hub_store::Holdings as _;
use hub_store::holdings::ResyncState;
use hub_store::sqlite::Sqlite;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use registry_schema::ids::{Epoch, Origin};
use sync_agent::status;
use sync_agent::store;
use sync_agent::store::state::{ConnectionState, Incarnation};
use tempfile::TempDir;

use super::oracle;
use super::passes::Identity;
use super::plan::Plan;
use super::stage::{AGENTS, prompt_disk, store_name};
use super::world::{TOKEN, World};

/// How long a mended nation may take to come to rest, in simulated milliseconds.
const REST_MS_MAX: i64 = 240_000;
/// How often it is looked at.
const LOOK_MS: i64 = 500;
/// How often a comparison is asked for again that came to nothing.
const COMPARISONS_MAX: usize = 4;
const PROVINCES: [&str; 3] = ["01@2008", "40@2008", "79@2008"];

/// What came of one run.
pub(crate) struct Outcome {
    pub(crate) hash: u64,
    pub(crate) failure: Option<String>,
    pub(crate) simulated_ms: i64,
    pub(crate) counts: std::collections::BTreeMap<&'static str, u64>,
    pub(crate) lines: Vec<String>,
}

/// Runs a seed; looks at the end only where asked to, since the hash of a second run says that it ended alike.
pub(crate) fn run(fresh: &Fresh, seed: u64, judges: bool, keeps_lines: bool) -> Outcome {
    align_task_ids();
    let mut chance = ChaCha8Rng::seed_from_u64(seed ^ 0x00c0_ffee);
    let folder = scratch();
    let origins: Vec<Origin> =
        PROVINCES.iter().take(chance.random_range(2..=PROVINCES.len())).map(|name| name.parse().unwrap()).collect();
    fresh.lay_out(folder.path(), origins.len());
    let shows_certificates = shows_certificates(seed);
    let mut world = World::new(folder.path(), &origins, seed, shows_certificates, keeps_lines);
    let mut plan = Plan::draw(&mut chance, origins.len());
    if shows_certificates {
        plan.forget(&mut chance, origins.len());
        world.certify(seed);
    }
    world.live(plan);
    world.mend();
    come_to_rest(&mut world);
    if judges
        && world.stage.failure().is_none()
        && let Err(what) = oracle::check(&mut world)
    {
        world.stage.fail(what);
    }
    let (hash, counts, lines) =
        world.stage.events(|events| (events.hash(), events.counts().clone(), events.lines().to_vec()));
    Outcome { hash, failure: world.stage.failure(), simulated_ms: world.now_ms(), counts, lines }
}

/// In two seeds of five the agents come with certificates, in the others with a token. Those with a story from before there
/// were certificates are among the others, where nothing is drawn for them.
const fn shows_certificates(seed: u64) -> bool {
    matches!(seed % 5, 0 | 4)
}

/// Waits until everything is applied and known, compares every province with the nation, and waits again.
fn come_to_rest(world: &mut World<'_>) {
    wait(world, stirring);
    for agent in 0..world.provinces {
        let deep = world.chance.random();
        world.compare(agent, deep);
    }
    for _ in 0..COMPARISONS_MAX {
        wait(world, |world| comparing(world).or_else(|| stirring(world)));
        let failed: Vec<usize> =
            (0..world.provinces).filter(|agent| last(world, *agent) != ResyncState::Done).collect();
        if failed.is_empty() || world.stage.failure().is_some() {
            return;
        }
        failed.into_iter().for_each(|agent| world.compare(agent, false));
    }
    world.stage.fail("a comparison comes to nothing again and again".to_owned());
}

fn wait(world: &mut World<'_>, stirs: impl Fn(&mut World<'_>) -> Option<String>) {
    let until_ms = world.now_ms() + REST_MS_MAX;
    loop {
        if world.stage.failure().is_some() {
            return;
        }
        world.step();
        if world.now_ms() % LOOK_MS != 0 {
            continue;
        }
        match stirs(world) {
            None => return,
            Some(what) if world.now_ms() > until_ms => world.stage.fail(format!("does not come to rest: {what}")),
            Some(_) => {}
        }
    }
}

/// What is not at rest, in words.
fn stirring(world: &mut World<'_>) -> Option<String> {
    for (agent, name) in AGENTS.iter().enumerate().take(world.provinces) {
        let status = status::read(&world.stage.provincial(agent), 0).unwrap();
        let is_behind = status.lanes.iter().any(|lane| lane.sealed != lane.applied);
        if status.unsealed > 0 || is_behind || status.connection.state != ConnectionState::Connected {
            return Some(format!("{name}: {status:?}"));
        }
    }
    world.unsettled()
}

/// What comparisons are open, in words; agrees to those that wait for it.
fn comparing(world: &mut World<'_>) -> Option<String> {
    world.agree();
    let open = (0..world.provinces).find(|agent| last(world, *agent).is_open());
    open.map(|agent| format!("the comparison with {} is {}", AGENTS[agent], last(world, agent).name()))
}

/// How the last comparison that was asked for stands, or another one that is open.
fn last(world: &World<'_>, agent: usize) -> ResyncState {
    let all = world.desk.resyncs(Some(world.stage.origin(agent)), 100).now_or_never().unwrap().unwrap();
    let open = all.iter().find(|resync| resync.state.is_open());
    let last = open.or_else(|| all.iter().find(|resync| Some(resync.id) == world.compared[agent]));
    last.map_or(ResyncState::Done, |resync| resync.state)
}

/// Tokio drops the tasks of a crashed host in an order that depends on a number that it counts in the whole process:
/// every run begins at the same place of that order.
fn align_task_ids() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        loop {
            let id: u64 = tokio::spawn(async {}).id().to_string().parse().unwrap();
            if id % 64 == 63 {
                return;
            }
        }
    });
}

/// A folder in memory where there is one: what is simulated here is not the disk.
fn scratch() -> TempDir {
    TempDir::with_prefix_in("hotich-sim-", "/dev/shm").or_else(|_| TempDir::new()).unwrap()
}

/// Stores in which nothing happened yet, made once and copied for each run.
pub(crate) struct Fresh(TempDir);

impl Fresh {
    /// Makes them.
    pub(crate) fn new() -> Self {
        let folder = scratch();
        let token = Token::new(TOKEN);
        let path = folder.path().join("national.db");
        let national = Sqlite::inline(&path, &prompt_disk()).unwrap();
        for (agent, name) in PROVINCES.iter().enumerate() {
            let origin: Origin = name.parse().unwrap();
            provinces::enrol(&national, origin, None, &token, 0).now_or_never().unwrap().unwrap();
            let path: PathBuf = folder.path().join(store_name(agent));
            store::init(&path, Incarnation { origin, epoch: Epoch(7 + agent as u64) }).unwrap();
            Identity::of(folder.path(), origin).make();
        }
        drop(national);
        // The last to close was a reader, which leaves what was written in the log beside the file.
        let national = rusqlite::Connection::open(&path).unwrap();
        national.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(())).unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, token.expose()).unwrap();
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
        Self(folder)
    }

    fn lay_out(&self, folder: &Path, provinces: usize) {
        let names = ["national.db", "token"].map(str::to_owned).into_iter().chain((0..provinces).map(store_name));
        for name in names {
            std::fs::copy(self.0.path().join(&name), folder.join(&name)).unwrap();
        }
        for origin in PROVINCES.iter().take(provinces).map(|name| name.parse().unwrap()) {
            Identity::of(self.0.path(), origin).copy(&Identity::of(folder, origin));
        }
    }
}
