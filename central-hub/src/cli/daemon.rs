//! Starting and stopping the daemon.

use std::path::Path;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Layer};
use crate::exit::Exit;
use crate::open::StoreUrl;
use crate::{serve, telemetry};

/// Serves until SIGTERM or SIGINT.
pub(super) async fn run(store: &StoreUrl, config: Option<&Path>, flags: Layer) -> anyhow::Result<Exit> {
    let config = Config::load(config, flags)?;
    telemetry::init(&config.log, config.log_format)?;
    let store = store.open(true).await?;
    let listener = TcpListener::bind(config.listen).await.with_context(|| {
        format!("{}: cannot listen there; another program may hold the port, see --listen", config.listen)
    })?;
    let stop = CancellationToken::new();
    stop_on_signal(stop.clone())?;
    tracing::info!(listen = %listener.local_addr()?, "the hub serves");
    serve::serve(store, listener, config.quota, config.policy, stop).await?;
    tracing::info!("the hub has stopped");
    Ok(Exit::Success)
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
