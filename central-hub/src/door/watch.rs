//! Keys and certificates that change while the hub runs.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use registry_schema::digest::{Hash256, content_hash};
use tokio::time::{Duration, Instant, sleep};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::handshake::{Handshake, Shaken};
use super::listener::Wire;
use super::tls::{self, Made};
use super::visitors::Visitors;
use crate::clock::now_ms;
use crate::pki::{Authority, Folder, OF_HANDSHAKES, PkiError};

/// How often the folder is looked at: a revocation is in force within a second.
const LOOK: Duration = Duration::from_millis(500);
/// How often it is looked whether the revocation list is to be made anew.
const LIST_LOOK: Duration = Duration::from_secs(60);

/// What is used for handshakes now.
pub(super) struct Keys {
    folder: Folder,
    made: RwLock<Made>,
}

/// What the files hold; times and lengths would not tell two lists from each other that are made within some milliseconds.
type Look = [Option<Hash256>; OF_HANDSHAKES.len()];

impl Keys {
    /// Reads the folder.
    pub(super) fn load(folder: Folder, now_ms: i64) -> Result<Self, PkiError> {
        renew_revocations(&folder, now_ms);
        let made = tls::make(&folder)?;
        if made.revoked.is_none() {
            tracing::warn!("there is no crl.pem: revoked certificates are not noticed");
        }
        Ok(Self { folder, made: RwLock::new(made) })
    }

    /// For the next handshake.
    fn acceptor(&self) -> TlsAcceptor {
        let expects_somebody = Authority::expects_somebody(&self.folder, now_ms());
        let made = self.made.read().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(Arc::clone(if expects_somebody { &made.expecting } else { &made.config }))
    }

    /// Follows the folder until told to stop. Files that cannot be used change nothing, and are looked at again.
    pub(super) async fn watch(self: Arc<Self>, visitors: Arc<Visitors>, stop: CancellationToken) {
        let (mut seen, mut complained) = (None, false);
        let (mut renewed, mut looked) = (Instant::now(), Instant::now());
        while !stop.is_cancelled() {
            if looked.elapsed() >= LIST_LOOK {
                looked = Instant::now();
                if is_due(&self.folder, renewed) && renew_revocations(&self.folder, now_ms()) {
                    renewed = Instant::now();
                }
            }
            let look = self.look();
            if seen.as_ref() != Some(&look) {
                match self.read_anew() {
                    Ok(revoked) => {
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

    /// Puts what the folder holds in force; the certificates that are revoked from now on.
    fn read_anew(&self) -> Result<BTreeSet<String>, PkiError> {
        let fresh = tls::make(&self.folder)?;
        let mut made = self.made.write().unwrap_or_else(PoisonError::into_inner);
        if made.revoked.is_some() && fresh.revoked.is_none() {
            // Whoever replaces a file in two steps must not let in, between them, all who were ever revoked.
            return Err(self.folder.content("crl.pem", "it was here and is gone; put the revocation list back"));
        }
        let revoked = fresh.revoked.clone().unwrap_or_default();
        *made = fresh;
        Ok(revoked)
    }

    fn look(&self) -> Look {
        OF_HANDSHAKES.map(|name| self.folder.read(name).ok().map(|content| content_hash(&content)))
    }
}

impl Handshake for Keys {
    fn shake(&self, wire: Box<dyn Wire>) -> BoxFuture<'_, std::io::Result<Shaken>> {
        let accepting = self.acceptor().accept(wire);
        async move {
            let stream = accepting.await?;
            let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
            let certificate = shown.map(|certificate| certificate.to_vec());
            Ok(Shaken { wire: Box::new(stream), certificate })
        }
        .boxed()
    }

    fn revoked(&self) -> BTreeSet<String> {
        self.made.read().unwrap_or_else(PoisonError::into_inner).revoked.clone().unwrap_or_default()
    }
}

/// Whether the list serves for less than half its time yet. The authority's key may come and go: it is looked for anew.
fn is_due(folder: &Folder, renewed: Instant) -> bool {
    Authority::open(folder).is_ok_and(|authority| renewed.elapsed() >= authority.revocation_interval())
}

/// A revocation list that is too old lets nobody in; where the authority's key is at hand, the hub makes the next one.
/// Whether it did.
fn renew_revocations(folder: &Folder, now_ms: i64) -> bool {
    let Ok(authority) = Authority::open(folder) else { return false };
    let renewed = authority.renew_revocations(now_ms);
    if let Err(error) = &renewed {
        tracing::error!(%error, "the revocation list cannot be made anew; it is tried again in a minute");
    }
    renewed.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::Settings;

    fn keys() -> (tempfile::TempDir, Authority, Keys) {
        let scratch = tempfile::tempdir().unwrap();
        let folder = Folder::new(scratch.path().join("pki"));
        let authority = Authority::init(&folder, &Settings::default(), "test", now_ms()).unwrap();
        let keys = Keys::load(folder, now_ms()).unwrap();
        (scratch, authority, keys)
    }

    #[test]
    fn a_list_that_vanishes_or_is_half_written_leaves_the_earlier_one_in_force() {
        let (_scratch, authority, keys) = keys();
        authority.issue_with_key(&"urn:hotich:province:01@2008".parse().unwrap(), now_ms()).unwrap();
        let serials: BTreeSet<_> = authority.revoke("01@2008", "stolen", now_ms()).unwrap().into_iter().collect();
        assert_eq!(keys.read_anew().unwrap(), serials);
        let place = keys.folder.file("crl.pem");
        let list = std::fs::read(&place).unwrap();
        std::fs::remove_file(&place).unwrap();
        assert!(keys.read_anew().unwrap_err().to_string().contains("crl.pem"));
        std::fs::write(&place, b"").unwrap();
        assert!(keys.read_anew().is_err());
        std::fs::write(&place, &list[..list.len() / 2]).unwrap();
        assert!(keys.read_anew().is_err());
        assert_eq!(keys.revoked(), serials);
        std::fs::write(&place, &list).unwrap();
        assert_eq!(keys.read_anew().unwrap(), serials);
    }

    #[test]
    fn a_list_that_is_replaced_at_once_by_one_as_long_is_seen() {
        let (_scratch, authority, keys) = keys();
        let mut looks = vec![keys.look()];
        for month in 1..20 {
            authority.renew_revocations(now_ms() - month * 30 * 86_400_000).unwrap();
            looks.push(keys.look());
        }
        assert!(looks.iter().enumerate().all(|(at, look)| !looks[..at].contains(look)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_is_due_at_half_its_time_where_the_authoritys_key_is_at_hand() {
        let (_scratch, authority, keys) = keys();
        let began = Instant::now();
        tokio::time::advance(authority.revocation_interval() - Duration::from_secs(1)).await;
        assert!(!is_due(&keys.folder, began));
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(is_due(&keys.folder, began));
        let (key, away) = (keys.folder.file("ca.key"), keys.folder.file("elsewhere"));
        std::fs::rename(&key, &away).unwrap();
        assert!(!is_due(&keys.folder, began) && !renew_revocations(&keys.folder, now_ms()));
        std::fs::rename(&away, &key).unwrap();
        assert!(is_due(&keys.folder, began) && renew_revocations(&keys.folder, now_ms()));
    }
}
