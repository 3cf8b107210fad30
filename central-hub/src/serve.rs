//! The daemon: listener, journal writer and reconciler around one store.

use std::sync::Arc;

use hub_rules::policy::Policy;
use hub_store::NationalStore;
use registry_proto::MESSAGE_BYTES_MAX;
use registry_proto::v1::enrolment_service_server::EnrolmentServiceServer;
use registry_proto::v1::sync_service_server::SyncServiceServer;
use tokio::sync::{broadcast, watch};
use tokio::time::Duration;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;

use crate::config::Quota;
use crate::door::{self, Entrance, Listener, Paced};
use crate::ingest::{Enrolment, Hub, Ingest, JournalWriter, Keys};
use crate::reconcile::Reconciler;
use crate::ruling;
use crate::surroundings::Surroundings;

/// Time between two HTTP/2 pings on an idle connection, in seconds.
const KEEPALIVE_SECONDS: u64 = 10;
/// How long a ping may stay unanswered, in seconds, before the connection is given up.
const KEEPALIVE_TIMEOUT_SECONDS: u64 = 10;
/// Streams of one connection: an agent has one.
const STREAMS_MAX: u32 = 4;
/// How long open streams may take to end after the word to stop, in seconds.
const DRAIN_SECONDS: u64 = 3;

/// Requests that were reset before they were looked at, of one connection; more end the connection (CVE-2023-44487).
const RESETS_WAITING_MAX: usize = 20;
/// Requests of one connection that the hub itself reset and the caller does not know of yet.
const RESETS_OWN_MAX: usize = 64;
/// Bytes of the headers of a request: a token and the names of gRPC.
const HEADER_BYTES_MAX: u32 = 8 * 1024;
/// Bytes of an enrolment: a certificate request and two keys.
const ENROLMENT_BYTES_MAX: usize = 64 * 1024;

/// What the daemon is told beside its store and its listener.
pub struct Settings {
    /// What stands at the door.
    pub entrance: Entrance,
    /// What one province may send; changes are in force at once.
    pub quota: watch::Receiver<Quota>,
    /// What becomes of findings.
    pub policy: Policy,
    /// The time, chance, and where to think.
    pub surroundings: Surroundings,
}

/// Serves programs of this machine without TLS until told to stop.
///
/// # Errors
/// As [`serve_at`].
pub async fn serve<S: NationalStore + Clone + 'static>(
    store: S,
    listener: impl Listener,
    quota: Quota,
    policy: Policy,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let (_never, quota) = watch::channel(quota);
    let (entrance, surroundings) = (Entrance::Loopback, Surroundings::default());
    serve_at(store, listener, Settings { entrance, quota, policy, surroundings }, stop).await
}

/// Serves until told to stop. The reconciler finishes its batch; what was not judged waits in the journal.
///
/// # Errors
/// The certificates cannot be used, the registry was judged under another ruling, the store cannot be read, or the
/// listener fails.
pub async fn serve_at<S: NationalStore + Clone + 'static>(
    store: S,
    listener: impl Listener,
    settings: Settings,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let Settings { entrance, quota, policy, surroundings } = settings;
    let (journaled_tx, journaled) = watch::channel(0);
    let (applied_tx, applied) = broadcast::channel(1);
    ruling::settle(&store, &policy).await?;
    let reconciler = Reconciler::new(store.clone()).await?.under(policy).within(surroundings);
    let keys = Keys::of(&entrance)?;
    let visits = door::open(listener, entrance, surroundings.wall_ms, stop.clone())?;
    let judging = tokio::spawn(reconciler.run(journaled, applied_tx, stop.clone()));
    let journal = JournalWriter::start(store.clone(), journaled_tx);
    let hub = Arc::new(Hub::new(store, journal, applied, quota, keys, surroundings, stop.clone()));
    tokio::spawn(Arc::clone(&hub).follow_quota());
    let enrolment = EnrolmentServiceServer::new(Enrolment(Arc::clone(&hub)))
        .max_decoding_message_size(ENROLMENT_BYTES_MAX)
        .max_encoding_message_size(ENROLMENT_BYTES_MAX);
    let sync = SyncServiceServer::new(Ingest(hub))
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    let server = Server::builder()
        .http2_keepalive_interval(Some(Duration::from_secs(KEEPALIVE_SECONDS)))
        .http2_keepalive_timeout(Some(Duration::from_secs(KEEPALIVE_TIMEOUT_SECONDS)))
        .http2_max_pending_accept_reset_streams(Some(RESETS_WAITING_MAX))
        .http2_max_local_error_reset_streams(Some(RESETS_OWN_MAX))
        .http2_max_header_list_size(HEADER_BYTES_MAX)
        .max_concurrent_streams(STREAMS_MAX)
        .add_service(Paced(enrolment))
        .add_service(Paced(sync))
        .serve_with_incoming_shutdown(visits, stop.clone().cancelled_owned());
    let drained = async {
        stop.cancelled().await;
        tokio::time::sleep(Duration::from_secs(DRAIN_SECONDS)).await;
    };
    tokio::select! {
        biased;
        result = server => result?,
        () = drained => tracing::warn!("some streams did not end in time; closing them"),
    }
    stop.cancel();
    judging.await?;
    Ok(())
}
