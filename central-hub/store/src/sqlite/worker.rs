//! Owns a connection and carries out one piece of work after another.

use std::sync::{Arc, Mutex, mpsc};

use futures::future::BoxFuture;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::codec::store_error;
use crate::error::StoreError;
use crate::national::Answer;

/// Pieces of work that may wait before callers wait too.
const QUEUE_MAX: usize = 64;

/// How long a simulated disk takes: awaited before each piece of work and after it.
pub type Disk = Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

type Work = Box<dyn FnOnce(&mut Connection) + Send>;

/// A handle to whoever does the work.
#[derive(Clone)]
pub(super) struct Worker {
    way: Way,
    place: String,
}

#[derive(Clone)]
enum Way {
    /// A thread, which ends with its last handle.
    Thread(mpsc::SyncSender<Work>),
    /// The caller's own thread.
    Inline(Arc<Mutex<Connection>>, Disk),
}

impl Worker {
    pub(super) fn start(name: &str, mut connection: Connection, place: &str) -> Self {
        let (queue, work) = mpsc::sync_channel::<Work>(QUEUE_MAX);
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || work.into_iter().for_each(|piece| piece(&mut connection)))
            .expect("a process that cannot start two threads cannot serve");
        Self { way: Way::Thread(queue), place: place.to_owned() }
    }

    pub(super) fn inline(connection: Connection, place: &str, disk: &Disk) -> Self {
        Self { way: Way::Inline(Arc::new(Mutex::new(connection)), Arc::clone(disk)), place: place.to_owned() }
    }

    /// Does one piece of work and waits for its answer.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Answer<T> {
        let answer = match &self.way {
            Way::Thread(queue) => {
                let (reply, answer) = oneshot::channel();
                let piece: Work = Box::new(move |connection| {
                    let _ = reply.send(work(connection));
                });
                queue.send(piece).map_err(|_| StoreError::Closed)?;
                answer.await.map_err(|_| StoreError::Closed)?
            }
            Way::Inline(connection, disk) => {
                disk().await;
                let answer = work(&mut *connection.lock().map_err(|_| StoreError::Closed)?);
                disk().await;
                answer
            }
        };
        answer.map_err(|error| store_error(&self.place, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(worker: &Worker) {
        let one: i64 = worker.run(|connection| connection.query_row("SELECT 1", [], |row| row.get(0))).await.unwrap();
        assert_eq!(one, 1);
        let refused = worker.run(|connection| connection.execute_batch("SELECT FROM nowhere")).await;
        assert!(refused.is_err());
    }

    #[tokio::test]
    async fn a_worker_answers_alike_on_a_thread_and_inline() {
        let connection = || Connection::open_in_memory().unwrap();
        check(&Worker::start("worker", connection(), "memory")).await;
        let disk: Disk = Arc::new(|| Box::pin(async {}));
        check(&Worker::inline(connection(), "memory", &disk)).await;
    }
}
