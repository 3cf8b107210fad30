//! Keys and certificates that change while the hub runs.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use tokio::time::{Duration, Instant, sleep};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::tls::{self, Made};
use super::visitors::Visitors;
use crate::clock::now_ms;
use crate::pki::{Authority, Folder, PkiError};

/// How often the folder is looked at: a revocation is in force within a second.
const LOOK: Duration = Duration::from_millis(500);
/// The files that handshakes depend on.
const WATCHED: [&str; 4] = ["ca.pem", "hub.pem", "hub.key", "crl.pem"];

/// What is used for handshakes now.
pub(super) struct Keys {
    folder: Folder,
    made: RwLock<Made>,
}

/// What tells one state of the folder from another.
#[derive(PartialEq, Eq)]
struct Look {
    files: Vec<Option<(SystemTime, u64)>>,
}

impl Keys {
    /// Reads the folder.
    pub(super) fn load(folder: Folder, now_ms: i64) -> Result<Self, PkiError> {
        renew_revocations(&folder, now_ms);
        let made = RwLock::new(tls::make(&folder)?);
        Ok(Self { folder, made })
    }

    /// For the next handshake.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let expects_somebody = Authority::expects_somebody(&self.folder, now_ms());
        let made = self.made.read().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(Arc::clone(if expects_somebody { &made.expecting } else { &made.config }))
    }

    /// The certificates that were revoked.
    pub(super) fn revoked(&self) -> BTreeSet<String> {
        self.made.read().unwrap_or_else(PoisonError::into_inner).revoked.clone()
    }

    /// Follows the folder until told to stop. Files that cannot be used change nothing, and are looked at again.
    pub(super) async fn watch(self: Arc<Self>, visitors: Arc<Visitors>, stop: CancellationToken) {
        let mut seen = None;
        let mut complained = false;
        let interval = Authority::open(&self.folder).ok().map(|authority| authority.revocation_interval());
        let mut renewed = Instant::now();
        while !stop.is_cancelled() {
            if interval.is_some_and(|interval| renewed.elapsed() >= interval) {
                renew_revocations(&self.folder, now_ms());
                renewed = Instant::now();
            }
            let look = self.look();
            if seen.as_ref() != Some(&look) {
                match tls::make(&self.folder) {
                    Ok(made) => {
                        let revoked = made.revoked.clone();
                        *self.made.write().unwrap_or_else(PoisonError::into_inner) = made;
                        visitors.end_revoked(&revoked);
                        if seen.replace(look).is_some() {
                            tracing::info!(revoked = revoked.len(), "certificates were read anew");
                        }
                        complained = false;
                    }
                    Err(error) if !complained => {
                        tracing::error!(%error, "changed certificates cannot be used; the earlier ones stay in force");
                        complained = true;
                    }
                    Err(_) => {}
                }
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = sleep(LOOK) => {}
            }
        }
    }

    fn look(&self) -> Look {
        let look = |name: &&str| {
            let metadata = std::fs::metadata(self.folder.file(name)).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        };
        Look { files: WATCHED.iter().map(look).collect() }
    }
}

/// A revocation list that is too old lets nobody in; where the authority's key is at hand, the hub makes the next one.
fn renew_revocations(folder: &Folder, now_ms: i64) {
    if let Ok(authority) = Authority::open(folder)
        && let Err(error) = authority.renew_revocations(now_ms)
    {
        tracing::error!(%error, "the revocation list cannot be made anew");
    }
}
