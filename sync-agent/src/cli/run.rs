//! `sync-agent run`: the daemon in the foreground, as service managers want it.

use std::io::Write as _;
use std::time::Duration;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::error::CliError;
use super::{ConfigFile, wall_ms};
use crate::config::{Access, Config, Layer};
use crate::credentials::Folder;
use crate::daemon::{self, Surroundings};
use crate::identity::Token;
use crate::store::{Store, StoreError, StoreHandle, StoreLock};
use crate::{telemetry, uplink};

pub(super) const EXAMPLES: &str = "\
Examples:
  sync-agent run --config /etc/hotich/agent.toml
  HOTICH_LOG=sync_agent=debug sync-agent run --log-format json

A flag stands above its environment variable, and that above the configuration file.";

/// How long the daemon may take to stop before it is ended all the same; nothing is lost then.
const STOP_WAIT_MAX: Duration = Duration::from_secs(4);
/// Threads for the network and the making of frames; the store has its own.
const WORKER_THREADS: usize = 2;

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    file: ConfigFile,
    #[command(flatten)]
    settings: Layer,
}

impl RunArgs {
    fn config(self) -> Result<Config, CliError> {
        let file = self.file.read()?;
        Ok(self.settings.over(file).finish()?)
    }
}

pub(super) fn show_config(args: RunArgs) -> Result<(), CliError> {
    let config = args.config()?;
    std::io::stdout().lock().write_all(config.to_toml().as_bytes())?;
    Ok(())
}

pub(super) fn run(args: RunArgs) -> Result<(), CliError> {
    let config = args.config()?;
    telemetry::init(&config.log)?;
    // Wrong files are found at once, not at the first stream.
    match &config.access {
        Access::Identity(folder) => drop(Folder::new(folder).load()?),
        Access::Token(file) => drop(Token::load(file)?),
    }
    let lock = StoreLock::take(&config.store)?;
    let store = opened(|| Store::open(&config.store))?;
    let failed = |source| CliError::System { what: "starting the runtime", source };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKER_THREADS)
        .enable_all()
        .build()
        .map_err(failed)?;
    let (handle, thread) = StoreHandle::threaded(store)?;
    let result = runtime.block_on(work(handle, &config));
    runtime.shutdown_timeout(Duration::from_millis(200));
    if result.is_ok() {
        // The thread ends with its last handle; a panic in it was reported when it happened.
        let _ = thread.join();
    }
    drop(lock);
    Ok(result?)
}

/// The store, as soon as no other program holds it: each try waits for some seconds by itself.
fn opened(mut open: impl FnMut() -> Result<Store, StoreError>) -> Result<Store, StoreError> {
    loop {
        match open() {
            Err(error @ StoreError::Locked) => tracing::warn!(%error, "the agent cannot start yet"),
            opened => return opened,
        }
    }
}

async fn work(store: StoreHandle, config: &Config) -> Result<(), StoreError> {
    let surroundings = Surroundings { connect: uplink::over_tcp(), wall_ms, seed: rand::random() };
    let stop = CancellationToken::new();
    tracing::info!(province = %config.province, hub = config.hub, "the agent runs");
    let daemon = daemon::run(store, config, surroundings, stop.clone());
    tokio::pin!(daemon);
    tokio::select! {
        result = &mut daemon => return result,
        result = stop_signal() => result?,
    }
    tracing::info!("the agent stops");
    stop.cancel();
    if let Ok(result) = tokio::time::timeout(STOP_WAIT_MAX, &mut daemon).await {
        return result;
    }
    tracing::warn!("the agent stops without the centre's last words; they are said again at the next start");
    Ok(())
}

/// Waits for SIGTERM or SIGINT.
async fn stop_signal() -> Result<(), StoreError> {
    let failed = |source| StoreError::File { what: "listening for signals".to_owned(), source };
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::store::tests::scratch;

    #[test]
    fn a_store_that_is_held_is_tried_again_and_what_takes_a_person_is_not() {
        let (_folder, store) = scratch();
        let mut tries = vec![Ok(store), Err(StoreError::Locked), Err(StoreError::Locked)];
        opened(|| tries.pop().unwrap()).unwrap();
        let mut tries = vec![Err(StoreError::Full)];
        assert!(matches!(opened(|| tries.pop().unwrap()), Err(StoreError::Full)));
    }
}
