//! A wire between hub and server that can be cut.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// Hands bytes on until it is cut.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    cut: Arc<Notify>,
    open: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn start(to: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (cut, open) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
        let (cutting, counting) = (Arc::clone(&cut), Arc::clone(&open));
        let task = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (to, cut, open) = (to.clone(), Arc::clone(&cutting), Arc::clone(&counting));
                tokio::spawn(async move {
                    open.fetch_add(1, Ordering::Relaxed);
                    hand_on(near, &to, &cut).await;
                    open.fetch_sub(1, Ordering::Relaxed);
                });
            }
        });
        Self { address, cut, open, task }
    }

    /// Cuts every connection; answers how many there were.
    pub(crate) fn cut(&self) -> usize {
        self.cut.notify_waiters();
        self.open.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn hand_on(mut near: TcpStream, to: &str, cut: &Notify) {
    let Ok(mut far) = TcpStream::connect(to).await else { return };
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
        () = cut.notified() => {}
    }
}
