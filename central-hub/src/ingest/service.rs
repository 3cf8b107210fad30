//! The gRPC service that provincial agents call.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use futures::Stream;
use hub_store::NationalStore;
use registry_proto::v1::{StreamRequest, StreamResponse, sync_service_server::SyncService};
use registry_schema::ids::Origin;
use tokio::sync::{broadcast, mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use super::evidence::{Evidence, Keys};
use super::session::Session;
use super::writer::JournalWriter;
use crate::admission::Admission;
use crate::config::Quota;
use crate::door::{Peer, Who};
use crate::identity::Roll;
use crate::surroundings::Surroundings;

/// Messages that may wait for a slow province before its session waits too.
const OUTBOX_MESSAGES_MAX: usize = 64;

/// What all sessions share.
pub struct Hub<S> {
    /// The national store.
    pub store: S,
    /// The enrolled provinces.
    pub roll: Roll,
    /// The way into the journal.
    pub journal: JournalWriter,
    /// Hears of commits of the reconciler; sessions hear in the order in which they began to wait.
    pub applied: broadcast::Receiver<()>,
    /// What one province may send.
    pub quota: watch::Receiver<Quota>,
    /// With what the hub signs and issues.
    pub keys: Keys,
    /// The time and chance.
    pub surroundings: Surroundings,
    /// Ends every session.
    pub stop: CancellationToken,
    sessions: Mutex<BTreeMap<Origin, Admitted>>,
}

/// The session of a province that is allowed to go on, and the quotas that outlive it.
struct Admitted {
    session: CancellationToken,
    admission: Admission,
}

impl<S> Hub<S> {
    /// Puts the rooms together.
    pub fn new(
        store: S,
        journal: JournalWriter,
        applied: broadcast::Receiver<()>,
        quota: watch::Receiver<Quota>,
        keys: Keys,
        surroundings: Surroundings,
        stop: CancellationToken,
    ) -> Self {
        let (roll, sessions) = (Roll::default(), Mutex::default());
        Self { store, roll, journal, applied, quota, keys, surroundings, stop, sessions }
    }

    /// Puts changed quotas in force, also for sessions that are open; ends with the hub.
    pub async fn follow_quota(self: Arc<Self>) {
        let mut changes = self.quota.clone();
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                changed = changes.changed() => if changed.is_err() { return },
            }
            let quota = *changes.borrow_and_update();
            let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
            sessions.values().for_each(|admitted| admitted.admission.change(quota));
        }
    }

    /// The wall clock in Unix milliseconds.
    pub(super) fn now_ms(&self) -> i64 {
        (self.surroundings.wall_ms)()
    }

    /// Makes a new session the only one of its province: an older one is told to end.
    fn admit(&self, origin: Origin) -> (CancellationToken, Admission) {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let session = self.stop.child_token();
        let fresh = || Admission::new(*self.quota.borrow());
        let admission = sessions.get(&origin).map_or_else(fresh, |admitted| admitted.admission.clone());
        let admitted = Admitted { session: session.clone(), admission: admission.clone() };
        if let Some(older) = sessions.insert(origin, admitted) {
            older.session.cancel();
        }
        (session, admission)
    }
}

/// The service over a shared hub.
pub struct Ingest<S>(pub Arc<Hub<S>>);

#[tonic::async_trait]
impl<S: NationalStore + 'static> SyncService for Ingest<S> {
    type StreamStream = Pin<Box<dyn Stream<Item = Result<StreamResponse, Status>> + Send>>;

    async fn stream(&self, request: Request<Streaming<StreamRequest>>) -> Result<Response<Self::StreamStream>, Status> {
        let (hub, peer) = (Arc::clone(&self.0), peer(&request)?);
        let provinces = hub.store.provinces().await.map_err(|error| {
            tracing::error!(%error, "the roll of provinces cannot be read");
            Status::unavailable("the centre's store cannot be read at the moment; try again")
        })?;
        hub.roll.replace(provinces);
        let recognised = match &peer.who {
            Who::Local => hub.roll.authenticate(request.metadata()),
            Who::Bearer(certificate) => hub.roll.recognise(&certificate.bearer),
            Who::Unknown => Err(Status::unauthenticated("a certificate must be shown; enrol first")),
        };
        let province = recognised.inspect_err(|status| {
            tracing::warn!(reason = status.message(), address = %peer.address, "a caller was refused");
        })?;
        let evidence = Evidence::load(&hub.store, &hub.keys, &province, &peer).await?;
        let (session, admission) = hub.admit(province.origin);
        let (outbox, messages) = mpsc::channel(OUTBOX_MESSAGES_MAX);
        let session = Session::new(hub, province, admission, (session, peer), evidence, outbox);
        tokio::spawn(session.run(request.into_inner()));
        Ok(Response::new(Box::pin(ReceiverStream::new(messages))))
    }
}

/// Who sent a request.
pub(super) fn peer<T>(request: &Request<T>) -> Result<Peer, Status> {
    let peer = request.extensions().get::<Peer>().cloned();
    peer.ok_or_else(|| Status::internal("a request came by no connection"))
}
