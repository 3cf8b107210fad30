//! The door: who may connect, how many at once, and for how long.
//!
//! Nobody waits here for free: a handshake, the first bytes and the first request each have their time, and every count
//! has its bound. A connection ends when its certificate is revoked or expires, and at the latest after some hours, so
//! that whoever comes back is looked at anew.

mod listener;
mod handshake;
mod visit;
mod visitors;
mod tls;
mod watch;
mod pace;

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::{Duration, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

use crate::pki::{Certificate, Folder, PkiError};
pub use handshake::{Handshake, Shaken};
pub use listener::{Listener, Wire};
pub use pace::Paced;
pub use visit::{Ending, Peer, Visit, Who};
use visitors::Visitors;
use watch::Keys;

/// How long a handshake may take: a few round trips over the worst line.
const HANDSHAKE_WAIT_MAX: Duration = Duration::from_secs(10);
/// How long the first bytes of HTTP/2 may take after the handshake.
const PREFACE_WAIT_MAX: Duration = Duration::from_secs(5);
/// Connections that may wait for the server; the accepting waits when it is full.
const VISITS_WAITING_MAX: usize = 64;
/// How long to wait when no connection can be accepted, for want of file descriptors most often.
const TROUBLE_WAIT: Duration = Duration::from_millis(100);

/// What stands at the door.
pub enum Entrance {
    /// Nothing: for programs of this machine, and only where somebody asked for it.
    Loopback,
    /// TLS with the keys and certificates of a folder, read anew whenever they change.
    Tls(Folder),
    /// A handshake of a network that has no TLS of its own, as a simulated one.
    Other(Arc<dyn Handshake>),
}

/// Accepts connections until told to stop.
///
/// # Errors
/// The certificates cannot be used.
pub fn open<L: Listener>(
    listener: L,
    entrance: Entrance,
    wall_ms: fn() -> i64,
    stop: CancellationToken,
) -> Result<ReceiverStream<std::io::Result<Visit>>, PkiError> {
    let visitors = Arc::new(Visitors::default());
    let handshake: Option<Arc<dyn Handshake>> = match entrance {
        Entrance::Loopback => None,
        Entrance::Tls(folder) => {
            let keys = Arc::new(Keys::load(folder, wall_ms())?);
            tokio::spawn(Arc::clone(&keys).watch(Arc::clone(&visitors), stop.clone()));
            Some(keys)
        }
        Entrance::Other(handshake) => Some(handshake),
    };
    let (sender, visits) = mpsc::channel(VISITS_WAITING_MAX);
    let door = Door { handshake, visitors, wall_ms, sender };
    tokio::spawn(door.accept(listener, stop));
    Ok(ReceiverStream::new(visits))
}

struct Door {
    /// Without one, every caller is a program of this machine.
    handshake: Option<Arc<dyn Handshake>>,
    visitors: Arc<Visitors>,
    wall_ms: fn() -> i64,
    sender: mpsc::Sender<std::io::Result<Visit>>,
}

impl Door {
    async fn accept(self, listener: impl Listener, stop: CancellationToken) {
        let door = Arc::new(self);
        loop {
            let accepted = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = door.sender.closed() => return,
                accepted = listener.accept() => accepted,
            };
            let Ok((stream, address)) = accepted else {
                tokio::time::sleep(TROUBLE_WAIT).await;
                continue;
            };
            let Some(seat) = door.visitors.seat(address) else {
                tracing::debug!(%address, "a caller was turned away: too many connections, or too fast");
                continue;
            };
            let door = Arc::clone(&door);
            tokio::spawn(async move {
                // Handshakes do not wait for one another: whoever is silent in one holds a seat and nothing else.
                match door.admit(stream, seat).await {
                    Ok(visit) => drop(door.sender.send(Ok(visit)).await),
                    Err(reason) => tracing::warn!(%address, reason, "a caller was refused at the door"),
                }
            });
        }
    }

    /// Who has come; the reason when they may not come in.
    async fn admit(&self, stream: impl Wire, seat: visitors::Seat) -> Result<Visit, String> {
        let stream: Box<dyn Wire> = Box::new(stream);
        let (wire, who) = match &self.handshake {
            None => (stream, Who::Local),
            Some(handshake) => {
                let shaken = timeout(HANDSHAKE_WAIT_MAX, handshake.shake(stream)).await;
                let shaken = shaken.map_err(|_| "the handshake took too long")?.map_err(|error| error.to_string())?;
                (shaken.wire, who(shaken.certificate.as_deref(), (self.wall_ms)())?)
            }
        };
        let mut visit = self.visitors.receive(wire, who, seat, self.wall_ms);
        // Whoever was revoked during the handshake came in by the old list.
        if let Some(handshake) = &self.handshake {
            self.visitors.end_revoked(&handshake.revoked());
        }
        let preface = timeout(PREFACE_WAIT_MAX, visit.read_preface()).await;
        preface.map_err(|_| "the first bytes took too long")?.map_err(|error| error.to_string())?;
        Ok(visit)
    }
}

/// Whom a certificate names that counts now: it may have ended while its handshake went on, and the hub has one clock.
fn who(certificate: Option<&[u8]>, now_ms: i64) -> Result<Who, String> {
    let Some(der) = certificate else { return Ok(Who::Unknown) };
    let certificate = Certificate::parse(der).map_err(|what| format!("its certificate cannot be used: {what}"))?;
    if !certificate.is_in_force(now_ms) {
        return Err("its certificate is not in force by this machine's clock".to_owned());
    }
    Ok(Who::Bearer(Arc::new(certificate)))
}
