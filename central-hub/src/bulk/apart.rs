//! Threads that give way: whoever judges a nation at once has time, and whoever registers a birth meanwhile has not.

use std::panic::resume_unwind;
use std::thread::{Builder, JoinHandle};

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::BulkError;

/// How much the threads give way, of 19: a tenth of a processor is left to them while others want all of it.
const NICENESS: i32 = 10;

/// The calling thread gives way from now on, and so do those that it starts.
fn give_way() {
    // A system that does not allow it is as it was before.
    let _ = rustix::process::nice(NICENESS);
}

/// Carries out what keeps processors busy on threads of its own, with this runtime for whatever must be waited for.
///
/// # Errors
/// There are no more threads.
pub(crate) fn apart<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Result<JoinHandle<T>, BulkError> {
    let runtime = Handle::current();
    begun(move || in_a_pool(|| runtime.block_on(work)))
}

/// Has threads of its own for whatever is shared out: made here, so that they give way as the calling one does.
fn in_a_pool<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    match rayon::ThreadPoolBuilder::new().build() {
        Ok(pool) => pool.install(work),
        Err(_) => work(),
    }
}

fn begun<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<JoinHandle<T>, BulkError> {
    let begin = move || {
        give_way();
        work()
    };
    Builder::new().name("bulk".to_owned()).spawn(begin).map_err(BulkError::NoThread)
}

/// Runs what keeps one processor busy on a thread of its own.
pub(super) async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BulkError> + Send + 'static,
) -> Result<T, BulkError> {
    let (done, answer) = oneshot::channel();
    // Whoever asked may have gone.
    let thread = begun(move || drop(done.send(work())))?;
    match answer.await {
        Ok(done) => done,
        // It ended without an answer: it panicked.
        Err(_) => match thread.join() {
            Err(panic) => resume_unwind(panic),
            Ok(()) => Err(BulkError::Interrupted),
        },
    }
}

/// The same, for work that is shared out to every processor.
pub(super) async fn on_threads<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BulkError> + Send + 'static,
) -> Result<T, BulkError> {
    on_a_thread(|| in_a_pool(work)).await
}

#[cfg(test)]
mod tests {
    use rayon::prelude::*;

    use super::*;

    /// Of the calling thread.
    fn niceness() -> i32 {
        rustix::process::nice(0).unwrap()
    }

    #[tokio::test]
    async fn work_apart_gives_way_and_nobody_else_does() {
        let before = niceness();
        let work = async {
            let pool: Vec<i32> = (0..64).into_par_iter().map(|_| niceness()).collect();
            let alone = on_a_thread(|| Ok(niceness())).await.unwrap();
            let waited = tokio::spawn(async { niceness() }).await.unwrap();
            (pool, alone, waited)
        };
        let work = apart(work).unwrap();
        while !work.is_finished() {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        let (pool, alone, waited) = work.join().unwrap();
        let gives_way = |found: i32| found > before || before == 19;
        assert!(pool.into_iter().chain([alone]).all(gives_way));
        assert_eq!((waited, niceness()), (before, before), "the runtime's own threads do not");
    }

    #[tokio::test]
    #[should_panic(expected = "a mistake of ours")]
    async fn a_panic_of_a_thread_is_not_lost() {
        let _ = on_a_thread::<()>(|| panic!("a mistake of ours")).await;
    }
}
