//! How it is found out who has come.

use std::collections::BTreeSet;
use std::io;

use futures::future::BoxFuture;

use super::listener::Wire;

/// The first words with a caller. Whoever carries it out vouches that the certificate is genuine and its bearer's own; that
/// it is in force by the hub's clock, now and later, is the door's business. TLS is one; a simulation brings its own.
pub trait Handshake: Send + Sync + 'static {
    /// Speaks with a caller.
    fn shake(&self, wire: Box<dyn Wire>) -> BoxFuture<'_, io::Result<Shaken>>;

    /// The serial numbers of certificates that were taken back.
    fn revoked(&self) -> BTreeSet<String>;
}

/// What came of a handshake.
pub struct Shaken {
    /// What carries the bytes from now on.
    pub wire: Box<dyn Wire>,
    /// The caller's certificate in DER; `None` when none was shown.
    pub certificate: Option<Vec<u8>>,
}
