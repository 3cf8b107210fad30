//! What connections come from, and what carries their bytes.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

/// Bytes both ways.
pub trait Wire: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Wire for T {}

/// A bound socket; a simulation brings its own network.
pub trait Listener: Send + Sync + 'static {
    /// What carries the bytes of a connection.
    type Stream: Wire;

    /// Waits for the next connection, and says where it comes from.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>> + Send;
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, address) = Self::accept(self).await?;
        // Frames are written whole; waiting for more would only delay the acknowledgements.
        let _ = stream.set_nodelay(true);
        Ok((stream, address))
    }
}
