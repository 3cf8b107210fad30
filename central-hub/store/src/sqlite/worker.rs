//! A thread that owns a connection and carries out one piece of work after another.

use std::sync::mpsc;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::codec::store_error;
use crate::error::StoreError;
use crate::national::Answer;

/// Pieces of work that may wait before callers wait too.
const QUEUE_MAX: usize = 64;

type Work = Box<dyn FnOnce(&mut Connection) + Send>;

/// A handle to the thread; the thread ends with its last handle.
#[derive(Clone)]
pub(super) struct Worker {
    queue: mpsc::SyncSender<Work>,
    place: String,
}

impl Worker {
    pub(super) fn start(name: &str, mut connection: Connection, place: &str) -> Self {
        let (queue, work) = mpsc::sync_channel::<Work>(QUEUE_MAX);
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || work.into_iter().for_each(|piece| piece(&mut connection)))
            .expect("a process that cannot start two threads cannot serve");
        Self { queue, place: place.to_owned() }
    }

    /// Runs one piece of work on the thread and waits for its answer.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Answer<T> {
        let (reply, answer) = oneshot::channel();
        let piece: Work = Box::new(move |connection| {
            let _ = reply.send(work(connection));
        });
        self.queue.send(piece).map_err(|_| StoreError::Closed)?;
        let answer = answer.await.map_err(|_| StoreError::Closed)?;
        answer.map_err(|error| store_error(&self.place, error))
    }
}
