//! How a session ends, and what the province is told.

use hub_store::{NationalStore, StoreError};
use registry_proto::v1;
use registry_schema::ids::Origin;

use super::service::Hub;
use crate::door::Ending;
use crate::resync;

/// When a province that was turned away may come back, in milliseconds.
pub(super) const RETRY_MS: u64 = 5_000;
/// When a province whose connection was old may come back, in milliseconds.
const AGAIN_MS: u64 = 100;

/// What ends a session.
pub(super) enum End {
    /// The province hung up.
    HungUp,
    /// Said to the province before the stream closes.
    Goodbye(v1::Goodbye),
}

/// The connection's own end.
pub(super) fn sent_away(ending: Ending) -> End {
    match ending {
        Ending::Revoked => goodbye(v1::GoodbyeReason::Revoked, "the certificate of this agent was revoked", RETRY_MS),
        Ending::Expired => {
            goodbye(v1::GoodbyeReason::ShuttingDown, "the certificate of this connection has expired", AGAIN_MS)
        }
        Ending::Aged => goodbye(v1::GoodbyeReason::ShuttingDown, "connections are made anew now and then", AGAIN_MS),
    }
}

/// Says why, and for how long to stay away.
pub(super) fn goodbye(reason: v1::GoodbyeReason, detail: &str, retry_after_ms: u64) -> End {
    End::Goodbye(v1::Goodbye { reason: reason.into(), detail: detail.to_owned(), retry_after_ms })
}

/// The store failed; the province comes again.
pub(super) fn unavailable(error: &StoreError) -> End {
    tracing::error!(%error, "a session ends because the store failed");
    goodbye(v1::GoodbyeReason::Overloaded, "the centre's store cannot be used at the moment", RETRY_MS)
}

/// Sees to it that the operators can read that histories differ.
pub(super) async fn dispute<S: NationalStore>(hub: &Hub<S>, origin: Origin, goodbye: &v1::Goodbye) {
    if !matches!(goodbye.reason(), v1::GoodbyeReason::Forked | v1::GoodbyeReason::WrongEpoch) {
        return;
    }
    if let Err(error) = resync::dispute(&hub.store, origin, &goodbye.detail, hub.surroundings).await {
        tracing::error!(%error, province = %origin, "that histories differ is not written down");
    }
}
