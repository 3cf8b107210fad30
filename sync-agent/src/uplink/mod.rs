//! The way to the centre: one stream at a time, opened again for as long as the daemon runs.

mod inbox;
mod link;
mod receipts;
mod session;

use std::collections::BTreeMap;
use std::time::Duration;

use registry_proto::v1::GoodbyeReason;
use registry_schema::ids::{Lane, Seq};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use link::{Connect, over_tcp};
pub(crate) use link::{Reach, reach};
pub use receipts::KeptReceipt;

use crate::config::{Access, Config};
use crate::error_chain::words;
use crate::pace::Pace;
use crate::store::state::{self, ConnectionReport, ConnectionState, Incarnation};
use crate::store::{Store, StoreError, StoreHandle};
use session::Session;

/// How often the end of a stream is tried to be written down while another program holds the store; each attempt waits
/// for a moment by itself.
const REPORT_ATTEMPTS: usize = 4;

/// The last sealed change of every lane.
pub type Heads = BTreeMap<Lane, Seq>;

/// Keeps a stream to the centre open, and everything that the centre says in the store.
pub struct Uplink {
    /// The store.
    pub store: StoreHandle,
    /// Whose store it is.
    pub incarnation: Incarnation,
    /// Where the centre listens.
    pub hub: String,
    /// By what the centre knows the agent; read anew for every stream.
    pub access: Access,
    /// Makes the connections.
    pub connect: Connect,
    /// The wall clock in Unix milliseconds; it stamps, it never decides.
    pub wall_ms: fn() -> u64,
    /// When to try again.
    pub pace: Pace,
    /// How far the store is sealed.
    pub heads: watch::Receiver<Heads>,
    /// Ends the uplink gracefully.
    pub stop: CancellationToken,
}

/// Why a stream ended.
#[derive(Debug)]
enum Ending {
    /// The daemon stops.
    Stopped,
    /// The connection failed, or one side broke the protocol.
    Lost(String),
    /// The centre does not let this agent in.
    Refused(String),
    /// The centre holds another history of this store.
    Forked(String),
    /// The centre said goodbye.
    Goodbye { reason: GoodbyeReason, detail: String, retry_after: Duration },
    /// The store failed.
    Store(StoreError),
}

impl From<StoreError> for Ending {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Uplink {
    /// Everything the uplink needs from the configuration, the rest from the surroundings.
    #[must_use]
    pub fn new(
        store: StoreHandle,
        incarnation: Incarnation,
        config: &Config,
        surroundings: &crate::daemon::Surroundings,
        heads: watch::Receiver<Heads>,
        stop: CancellationToken,
    ) -> Self {
        Self {
            store,
            incarnation,
            hub: config.hub.clone(),
            access: config.access.clone(),
            connect: surroundings.connect.clone(),
            wall_ms: surroundings.wall_ms,
            pace: Pace::new(&config.pace, surroundings.seed),
            heads,
            stop,
        }
    }

    /// Sends until the daemon stops.
    ///
    /// # Errors
    /// The store failed in a way that waiting does not mend.
    pub async fn run(mut self) -> Result<(), StoreError> {
        loop {
            let (state, error, wait) = match Session::run(&mut self).await {
                Ending::Store(error) if !error.passes() => {
                    self.report(ConnectionState::Disconnected, Some(words(&error))).await;
                    return Err(error);
                }
                ending => self.settle(ending),
            };
            match &error {
                Some(error) => tracing::warn!(error, wait_ms = wait.as_millis(), "no stream to the centre"),
                None => tracing::info!("the stream to the centre is closed"),
            }
            self.report(state, error).await;
            tokio::select! {
                biased;
                () = self.stop.cancelled() => break,
                () = tokio::time::sleep(wait) => {}
            }
        }
        self.report(ConnectionState::Stopped, None).await;
        Ok(())
    }

    /// What an ending means for the operator, and how long to wait after it.
    fn settle(&mut self, ending: Ending) -> (ConnectionState, Option<String>, Duration) {
        use ConnectionState::{Disconnected, Forked, Stopped};
        match ending {
            Ending::Stopped => (Stopped, None, Duration::ZERO),
            Ending::Lost(error) => (Disconnected, Some(error), self.pace.after_failure()),
            Ending::Store(error) => (Disconnected, Some(words(&error)), self.pace.after_failure()),
            Ending::Refused(error) => (Disconnected, Some(error), self.pace.after_refusal()),
            Ending::Forked(error) => (Forked, Some(forked(&error)), self.pace.after_refusal()),
            Ending::Goodbye { reason, detail, retry_after } => self.settle_goodbye(reason, &detail, retry_after),
        }
    }

    fn settle_goodbye(
        &mut self,
        reason: GoodbyeReason,
        detail: &str,
        retry_after: Duration,
    ) -> (ConnectionState, Option<String>, Duration) {
        let name = reason.as_str_name().trim_start_matches("GOODBYE_REASON_").to_lowercase();
        let error = format!("the centre ended the stream ({name}): {detail}");
        match reason {
            GoodbyeReason::Forked | GoodbyeReason::WrongEpoch => {
                (ConnectionState::Forked, Some(forked(detail)), self.pace.after_refusal())
            }
            GoodbyeReason::Unspecified
            | GoodbyeReason::ShuttingDown
            | GoodbyeReason::Overloaded
            | GoodbyeReason::StoreFull => {
                (ConnectionState::Disconnected, Some(error), self.pace.after_pause(retry_after))
            }
            GoodbyeReason::UnknownProvince
            | GoodbyeReason::Superseded
            | GoodbyeReason::Protocol
            | GoodbyeReason::Revoked
            | GoodbyeReason::Unsupported => {
                (ConnectionState::Disconnected, Some(error), self.pace.after_refusal().max(retry_after))
            }
        }
    }

    /// Writes down how the daemon stands, for `status`.
    async fn report(&self, state: ConnectionState, error: Option<String>) {
        let report = ConnectionReport { state, since_ms: (self.wall_ms)(), error };
        for _ in 0..REPORT_ATTEMPTS {
            let report = report.clone();
            let write = move |store: &mut Store| state::set_connection_report(store.connection(), &report);
            match self.store.call(write).await {
                Err(StoreError::Locked) => {}
                Err(error) => return tracing::debug!(%error, "the connection's state is not written down"),
                Ok(()) => return,
            }
        }
    }
}

fn forked(detail: &str) -> String {
    format!(
        "the centre holds another history of this store ({detail}). The store was restored from a backup, copied, or \
         enrolled anew. Nothing is sent and nothing is lost; ask the centre's operator to enrol this store again"
    )
}
