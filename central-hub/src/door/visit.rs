//! One connection that was let in.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::transport::server::Connected;

use super::listener::Wire;
use super::visitors::Seat;
use crate::pki::Certificate;

/// Requests of one connection: an agent makes one or two, and whoever begins them to take them back costs the hub work
/// (CVE-2023-44487).
const REQUESTS_MAX: u32 = 100;
/// How every HTTP/2 connection begins (RFC 9113, 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Who has come.
#[derive(Debug, Clone)]
pub enum Who {
    /// A program of this machine, without TLS.
    Local,
    /// Somebody without a certificate; may enrol and nothing else.
    Unknown,
    /// Whom a genuine certificate names.
    Bearer(Arc<Certificate>),
}

/// Why a connection is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Its certificate was revoked.
    Revoked,
    /// Its certificate has expired.
    Expired,
    /// It is old; whoever comes back is looked at anew.
    Aged,
}

/// What a request knows of its connection.
#[derive(Debug, Clone)]
pub struct Peer {
    /// From where.
    pub address: SocketAddr,
    /// Who.
    pub who: Who,
    /// Says when the connection is to end, and why.
    pub ending: watch::Receiver<Option<Ending>>,
    requests: Arc<AtomicU32>,
    cut: CancellationToken,
}

impl Peer {
    pub(super) fn new(
        address: SocketAddr,
        who: Who,
        ending: watch::Receiver<Option<Ending>>,
        cut: CancellationToken,
    ) -> Self {
        Self { address, who, ending, requests: Arc::default(), cut }
    }

    /// Notes that a request came, so that the connection is not closed as an idle one; one with too many is cut.
    pub(super) fn note_use(&self) {
        if self.requests.fetch_add(1, Ordering::Relaxed) >= REQUESTS_MAX {
            self.cut.cancel();
        }
    }

    pub(super) fn was_used(&self) -> bool {
        self.requests.load(Ordering::Relaxed) > 0
    }

    /// Waits until the connection is to end.
    pub async fn ended(&mut self) -> Ending {
        match self.ending.wait_for(Option::is_some).await.map(|ending| *ending) {
            Ok(Some(ending)) => ending,
            // The connection is gone; nobody is left to be told another reason.
            _ => Ending::Aged,
        }
    }
}

/// A connection that was let in. Its seat is free when it is dropped.
pub struct Visit {
    wire: Box<dyn Wire>,
    peer: Peer,
    /// Bytes of the preface that the server has not read yet.
    preface: &'static [u8],
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    is_cut: CancellationToken,
    _seat: Seat,
}

impl Visit {
    pub(super) fn new(wire: Box<dyn Wire>, peer: Peer, cut: CancellationToken, seat: Seat) -> Self {
        Self { wire, peer, preface: &[], cut: Box::pin(cut.clone().cancelled_owned()), is_cut: cut, _seat: seat }
    }

    /// Reads how HTTP/2 begins: whoever says something else, or nothing, is not worth a server's memory.
    pub(super) async fn read_preface(&mut self) -> io::Result<()> {
        let mut found = [0; PREFACE.len()];
        self.wire.read_exact(&mut found).await?;
        if &found != PREFACE {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "this is not HTTP/2"));
        }
        self.preface = PREFACE;
        Ok(())
    }

    fn check(&self) -> io::Result<()> {
        if self.is_cut.is_cancelled() { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }
}

impl Connected for Visit {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Visit {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.cut.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        if !self.preface.is_empty() {
            let bytes = self.preface.len().min(buffer.remaining());
            buffer.put_slice(&self.preface[..bytes]);
            self.preface = &self.preface[bytes..];
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.wire).poll_read(context, buffer)
    }
}

impl AsyncWrite for Visit {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.wire).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.wire).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.wire.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_shutdown(context)
    }
}
