//! Starting and stopping the daemon.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Layer, Quota};
use crate::exit::Exit;
use crate::open::StoreUrl;
use crate::serve::{self, Settings};
use crate::surroundings::Surroundings;
use crate::telemetry;

/// Serves until SIGTERM or SIGINT; SIGHUP reads the quotas anew.
pub(super) async fn run(store: &StoreUrl, file: Option<&Path>, flags: Layer) -> anyhow::Result<Exit> {
    let config = Config::load(file, flags.clone())?;
    let entrance = config.entrance()?;
    telemetry::init(&config.log, config.log_format)?;
    let store = store.open(true).await?;
    let listener = TcpListener::bind(config.listen).await.with_context(|| {
        format!("{}: cannot listen there; another program may hold the port, see --listen", config.listen)
    })?;
    let stop = CancellationToken::new();
    stop_on_signal(stop.clone())?;
    let quota = follow_quota(config.quota, file.map(Path::to_owned), flags)?;
    tracing::info!(listen = %listener.local_addr()?, tls = config.pki.is_some(), "the hub serves");
    let (policy, surroundings) = (config.policy, Surroundings::default());
    serve::serve_at(store, listener, Settings { entrance, quota, policy, surroundings }, stop).await?;
    tracing::info!("the hub has stopped");
    Ok(Exit::Success)
}

/// The quotas, which follow the configuration at each SIGHUP; a configuration with a mistake changes nothing.
fn follow_quota(quota: Quota, file: Option<PathBuf>, flags: Layer) -> anyhow::Result<watch::Receiver<Quota>> {
    let (sender, receiver) = watch::channel(quota);
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            match Config::load(file.as_deref(), flags.clone()) {
                Ok(config) => {
                    tracing::info!(quota = ?config.quota, "quotas were read anew");
                    sender.send_replace(config.quota);
                }
                Err(error) => tracing::error!(%error, "the earlier quotas stay in force"),
            }
        }
    });
    Ok(receiver)
}

fn stop_on_signal(stop: CancellationToken) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("told to stop");
        stop.cancel();
    });
    Ok(())
}
