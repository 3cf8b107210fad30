//! The programs on their hosts, each started again by whatever starts services there.

use std::sync::Arc;
use std::time::Duration;

use central_hub::config::Quota;
use central_hub::door::Entrance;
use central_hub::serve::{self, Settings};
use central_hub::surroundings::{Surroundings, Thinking};
use hub_rules::policy::Policy;
use hub_store::sqlite::Sqlite;
use sync_agent::config::{Access, Config, Layer};
use sync_agent::daemon;
use sync_agent::store::{Store, StoreError, StoreHandle};
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::clock::{self, CENTRE, PROVINCES_MS};
use super::passes::InClear;
use super::stage::{AGENTS, HUBS, Program, Stage};
use super::wire::{Hall, connector};

/// How often a host looks whether its program is to run.
const LOOK: Duration = Duration::from_millis(50);
/// How long a service stays down that ended by itself.
const SERVICE_PAUSE: Duration = Duration::from_millis(500);
/// Pages that a disk has room for which is not full.
const PAGES_MANY: u32 = 1_000_000;

/// A host of a hub.
pub(crate) async fn hub(stage: Arc<Stage>, hub: usize) -> turmoil::Result {
    loop {
        let Some(stop) = stage.hub(hub, begin) else {
            sleep(LOOK).await;
            continue;
        };
        stage.note("hub", format_args!("{} begins", HUBS[hub]));
        let served = serve(&stage, stop).await;
        stage.hub(hub, |program| program.stop = None);
        stage.note("hub", format_args!("{} ended: {}", HUBS[hub], words(served)));
        sleep(SERVICE_PAUSE).await;
    }
}

/// Notes that a program begins, if it is to run.
fn begin(program: &mut Program) -> Option<CancellationToken> {
    program.is_wanted.then(|| program.stop.insert(CancellationToken::new()).clone())
}

async fn serve(stage: &Arc<Stage>, stop: CancellationToken) -> anyhow::Result<()> {
    let store = Sqlite::inline(&stage.national(), &stage.disk(CENTRE))?;
    let hall = Hall::open(Arc::clone(stage)).await?;
    let (_quota, quota) = watch::channel(Quota::default());
    let surroundings = Surroundings { wall_ms: clock::centre_ms, random: clock::chance, thinking: Thinking::Inline };
    let entrance = if stage.shows_certificates { Entrance::Other(Arc::new(InClear)) } else { Entrance::Loopback };
    let settings = Settings { entrance, quota, policy: Policy::default(), surroundings };
    let full = async {
        let mut left = None;
        loop {
            let now = stage.disk_state(CENTRE, |disk| disk.pages_left);
            if std::mem::replace(&mut left, now) != now {
                let pages = now.map_or(PAGES_MANY, |left| pages(&stage.national()) + left);
                store.limit_pages(pages).await?;
            }
            sleep(LOOK).await;
        }
    };
    tokio::select! {
        biased;
        served = serve::serve_at(store.clone(), hall, settings, stop) => served,
        failed = full => failed,
    }
}

/// A host of an agent.
pub(crate) async fn agent(stage: Arc<Stage>, agent: usize) -> turmoil::Result {
    loop {
        let Some(stop) = stage.agent(agent, begin) else {
            sleep(LOOK).await;
            continue;
        };
        stage.note("agent", format_args!("{} begins", AGENTS[agent]));
        let ran = run(&stage, agent, stop).await;
        stage.agent(agent, |program| program.stop = None);
        if let Err(error @ (StoreError::Damaged(_) | StoreError::SchemaDiffers(_))) = &ran {
            stage.fail(format!("{}: {error}", AGENTS[agent]));
        }
        stage.note("agent", format_args!("{} ended: {}", AGENTS[agent], words(ran)));
        sleep(SERVICE_PAUSE).await;
    }
}

async fn run(stage: &Arc<Stage>, agent: usize, stop: CancellationToken) -> Result<(), StoreError> {
    let machine = agent + 1;
    let handle = StoreHandle::inline(Store::open(&stage.provincial(agent))?, stage.disk(machine));
    let surroundings = daemon::Surroundings {
        connect: connector(Arc::clone(stage), agent),
        wall_ms: PROVINCES_MS[agent],
        seed: stage.line(agent, |line| rand::RngCore::next_u64(&mut line.chance)),
    };
    let config = config(stage, agent);
    let full = async {
        let mut left = None;
        loop {
            let now = stage.disk_state(machine, |disk| disk.pages_left);
            if std::mem::replace(&mut left, now) != now {
                let pages = now.map_or(PAGES_MANY, |left| pages(&stage.provincial(agent)) + left);
                let limit =
                    move |store: &mut Store| Ok(store.connection().pragma_update(None, "max_page_count", pages)?);
                handle.call(limit).await?;
            }
            sleep(LOOK).await;
        }
    };
    tokio::select! {
        biased;
        ran = daemon::run(handle.clone(), &config, surroundings, stop) => ran,
        failed = full => failed,
    }
}

/// How an agent is configured: it looks seldom and seals few changes at once, so that many batches are open at the same
/// time and few steps are idle.
fn config(stage: &Stage, agent: usize) -> Config {
    let layer = Layer {
        store: Some(stage.provincial(agent)),
        province: Some(stage.origin(agent)),
        hub: Some("http://127.0.0.1:7400".to_owned()),
        token_file: Some(stage.file("token")),
        poll_ms: Some(100),
        reconnect_ms_min: Some(200),
        reconnect_ms_max: Some(2_000),
        ..Layer::default()
    };
    let mut config = layer.finish().unwrap();
    config.pace.seal_batch_changes = 6;
    if stage.shows_certificates {
        config.access = Access::Identity(stage.identity(agent).path().to_owned());
    }
    config
}

fn pages(path: &std::path::Path) -> u32 {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap()
}

fn words<E: std::fmt::Display>(result: Result<(), E>) -> String {
    result.map_or_else(|error| error.to_string(), |()| "told to stop".to_owned())
}
