//! The store as the daemon's tasks see it: one call at a time, and never on a thread that serves the network.

use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use super::{Store, StoreError};

/// Calls that wait for the store: a handful of tasks each wait for one answer at a time.
const CALLS_WAITING_MAX: usize = 16;

/// How long a simulated disk takes: awaited before each call and after it.
pub type Disk = Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

type Call = Box<dyn FnOnce(&mut Store) + Send>;

/// A store that every task may call; calls are carried out one after another, in the order in which they came.
#[derive(Clone)]
pub struct StoreHandle {
    way: Way,
}

#[derive(Clone)]
enum Way {
    Thread(mpsc::Sender<Call>),
    Inline(Arc<Mutex<Store>>, Disk),
}

impl StoreHandle {
    /// A store on a thread of its own. The thread ends, and closes the file, when the last handle is gone.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub fn threaded(mut store: Store) -> Result<(Self, std::thread::JoinHandle<()>), StoreError> {
        let (calls, mut waiting) = mpsc::channel::<Call>(CALLS_WAITING_MAX);
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || {
                while let Some(call) = waiting.blocking_recv() {
                    call(&mut store);
                }
            })
            .map_err(|source| StoreError::File { what: "starting the thread of the store".to_owned(), source })?;
        Ok((Self { way: Way::Thread(calls) }, thread))
    }

    /// A store that is called on the caller's own thread, on a disk that takes as long as `disk` says: for simulations,
    /// where threads would not be repeatable.
    #[must_use]
    pub fn inline(store: Store, disk: Disk) -> Self {
        Self { way: Way::Inline(Arc::new(Mutex::new(store)), disk) }
    }

    /// Calls the store and waits for the answer.
    ///
    /// # Errors
    /// What the call answers, or [`StoreError::Closed`] when the store's thread has ended.
    pub async fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce(&mut Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        match &self.way {
            Way::Inline(store, disk) => {
                disk().await;
                let answer = call(&mut *store.lock().map_err(|_| StoreError::Closed)?);
                disk().await;
                answer
            }
            Way::Thread(calls) => {
                let (answer, answered) = oneshot::channel();
                let carried = Box::new(move |store: &mut Store| drop(answer.send(call(store))));
                calls.send(carried).await.map_err(|_| StoreError::Closed)?;
                answered.await.map_err(|_| StoreError::Closed)?
            }
        }
    }

    /// Carries out work that takes a while and has a connection of its own, so that no call waits for it.
    ///
    /// # Errors
    /// What the work answers, or [`StoreError::Closed`] when the daemon ends meanwhile.
    pub async fn beside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        match &self.way {
            Way::Inline(..) => work(),
            Way::Thread(_) => tokio::task::spawn_blocking(work).await.map_err(|_| StoreError::Closed)?,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::store::tests::scratch;

    async fn check(handle: &StoreHandle) {
        let origin = handle.call(|store| Ok(store.incarnation().origin)).await.unwrap();
        assert_eq!(origin.to_string(), "01@2008");
        let refused = handle.call(|_| Err::<(), _>(StoreError::Locked)).await;
        assert!(matches!(refused, Err(StoreError::Locked)));
    }

    #[tokio::test]
    async fn both_ways_to_a_store_answer_alike() {
        let (_folder, store) = scratch();
        let disk: Disk = Arc::new(|| Box::pin(async {}));
        check(&StoreHandle::inline(store, disk)).await;
        let (_folder, store) = scratch();
        let (handle, thread) = StoreHandle::threaded(store).unwrap();
        check(&handle).await;
        drop(handle);
        thread.join().unwrap();
    }
}
