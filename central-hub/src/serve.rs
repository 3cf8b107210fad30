//! The daemon: listener, journal writer and reconciler around one store.

use std::sync::Arc;

use hub_rules::policy::Policy;
use hub_store::NationalStore;
use registry_proto::MESSAGE_BYTES_MAX;
use registry_proto::v1::sync_service_server::SyncServiceServer;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Duration;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;

use crate::config::Quota;
use crate::identity::Roll;
use crate::ingest::{Hub, Ingest, JournalWriter};
use crate::reconcile::Reconciler;
use crate::ruling;

/// Time between two HTTP/2 pings on an idle connection, in seconds.
const KEEPALIVE_SECONDS: u64 = 10;
/// How long a ping may stay unanswered, in seconds, before the connection is given up.
const KEEPALIVE_TIMEOUT_SECONDS: u64 = 10;
/// Streams of one connection: an agent has one.
const STREAMS_MAX: u32 = 4;
/// How long open streams may take to end after the word to stop, in seconds.
const DRAIN_SECONDS: u64 = 3;

/// Serves until told to stop. The reconciler finishes its batch; what was not judged waits in the journal.
///
/// # Errors
/// The registry was judged under another ruling, the store cannot be read, or the listener fails.
pub async fn serve<S: NationalStore + Clone + 'static>(
    store: S,
    listener: TcpListener,
    quota: Quota,
    policy: Policy,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let (journaled_tx, journaled) = watch::channel(0);
    let (applied_tx, applied) = watch::channel(0);
    ruling::settle(&store, &policy).await?;
    let reconciler = Reconciler::new(store.clone()).await?.under(policy);
    let judging = tokio::spawn(reconciler.run(journaled, applied_tx, stop.clone()));
    let journal = JournalWriter::start(store.clone(), journaled_tx);
    let hub = Arc::new(Hub::new(store, Roll::default(), journal, applied, quota, stop.clone()));
    let service = SyncServiceServer::new(Ingest(hub))
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    let server = Server::builder()
        .http2_keepalive_interval(Some(Duration::from_secs(KEEPALIVE_SECONDS)))
        .http2_keepalive_timeout(Some(Duration::from_secs(KEEPALIVE_TIMEOUT_SECONDS)))
        .max_concurrent_streams(STREAMS_MAX)
        .tcp_nodelay(true)
        .add_service(service)
        .serve_with_incoming_shutdown(TcpListenerStream::new(listener), stop.clone().cancelled_owned());
    let drained = async {
        stop.cancelled().await;
        tokio::time::sleep(Duration::from_secs(DRAIN_SECONDS)).await;
    };
    tokio::select! {
        result = server => result?,
        () = drained => tracing::warn!("some streams did not end in time; closing them"),
    }
    stop.cancel();
    judging.await?;
    Ok(())
}
