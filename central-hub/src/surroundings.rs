//! What the daemon is told from outside: the time, chance, and where to think. A simulation brings its own.

use std::panic::resume_unwind;

use tokio::task::spawn_blocking;

use crate::clock;

/// The machine's own by default.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings {
    /// The wall clock in Unix milliseconds; it stamps, and says when a certificate ends. It decides nothing else.
    pub wall_ms: fn() -> i64,
    /// What nobody can guess, for keys and for numbers that must differ.
    pub random: fn() -> [u8; 32],
    /// Where work is done that keeps a processor busy.
    pub thinking: Thinking,
}

/// Where work is done that keeps a processor busy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thinking {
    /// On threads of its own, so that nobody waits for it.
    Threads,
    /// At once and where it comes up, so that every run goes the same way.
    Inline,
}

impl Default for Surroundings {
    fn default() -> Self {
        Self { wall_ms: clock::now_ms, random: rand::random, thinking: Thinking::Threads }
    }
}

impl Surroundings {
    /// A number that nobody can guess.
    #[must_use]
    pub fn number(&self) -> u64 {
        let bytes = (self.random)();
        bytes.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
    }

    /// Does some work; `None` when the runtime ends before it is done.
    pub async fn think<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        match self.thinking {
            Thinking::Inline => Some(work()),
            Thinking::Threads => match spawn_blocking(work).await {
                Ok(done) => Some(done),
                Err(failed) if failed.is_panic() => resume_unwind(failed.into_panic()),
                Err(_) => None,
            },
        }
    }
}
