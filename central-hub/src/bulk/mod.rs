//! The bulk path: a whole nation judged at once, aside of the registry that stands.
//!
//! The judgement is a function of the set of arrivals, so whoever has all of them may choose their order. Five steps, each
//! one pass over files of a scratch folder, and memory for eight bytes a record beside a bounded part of the rest:
//!
//! 1. **gather**: the journal is read once and its states are dealt out by record;
//! 2. **settle**: each record with all its states; what is known of it alone is poured into the store, indexes last;
//! 3. **deal**: who stands together in a block is sought by sorting, and poured as it is sorted; too large blocks are void,
//!    whoever is plainly like nobody there is left out, and records are dealt into batches of islands that mostly concern
//!    themselves;
//! 4. **judge**: the same `decide` as ever, batch by batch. A batch knows beforehand who stands beside it, so the store is
//!    asked only for the few neighbours in batches before it;
//! 5. **finish**: the remaining indexes and sums.
//!
//! The result is the state that the daily path reaches, which tests compare row by row.

mod apart;
mod spool;
mod items;
mod gather;
mod settle;
mod deal;
mod judge;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use hub_rules::islands::Cut;
use hub_rules::policy::{Policy, ruling};
use hub_store::model::{Applied, JournalId, Queue, Watermark};
use hub_store::postgres::{Aside, Remains};
use hub_store::{NationalStore, StoreError};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::reconcile::judge_on;
use crate::resync::forget_damage;
pub(crate) use apart::apart;

/// Bytes of journal that are judged together to catch up.
const CATCH_UP_BYTES: usize = 256 * 1024;

/// Why a registry was not built.
#[derive(Debug, Error)]
pub enum BulkError {
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The scratch folder cannot be used: it needs about a kilobyte and a half for each entry.
    #[error("the scratch folder: {0}; it needs about 1.5 kB an entry, and TMPDIR names another one")]
    Scratch(#[from] std::io::Error),
    /// The system has no thread left.
    #[error("no thread can be begun: {0}; this user's limit of processes is where to look")]
    NoThread(std::io::Error),
    /// There are more records than one process can number.
    #[error("more than 2,147,483,647 records cannot be judged at once; the daily path has no such bound")]
    TooMany,
    /// Whoever waited for it waits no more.
    #[error("interrupted; nothing was changed")]
    Interrupted,
}

/// Where the work is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Reading the journal.
    Gather,
    /// Each record for itself.
    Settle,
    /// Who concerns whom.
    Deal,
    /// Who is who, and what contradicts what.
    Judge,
    /// Indexes and sums.
    Finish,
}

impl Step {
    /// The name in reports of progress.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gather => "gathering",
            Self::Settle => "settling",
            Self::Deal => "dealing",
            Self::Judge => "judging",
            Self::Finish => "finishing",
        }
    }
}

/// How far the work is, and when to stop it.
pub struct Watch<'w> {
    /// Hears of each step and of the records done in it.
    pub progress: &'w (dyn Fn(Step, u64) + Send + Sync),
    /// Ends the work between two pieces.
    pub stop: CancellationToken,
}

impl Watch<'_> {
    /// Tells how far a step is.
    fn tell(&self, step: Step, records: u64) -> Result<(), BulkError> {
        if self.stop.is_cancelled() {
            return Err(BulkError::Interrupted);
        }
        (self.progress)(step, records);
        Ok(())
    }
}

/// A registry that was built aside.
pub struct Built {
    /// It.
    pub aside: Aside,
    /// How far each queue of the journal is judged in it.
    pub applied: Vec<Applied>,
    /// Entries of the journal.
    pub journal_entries: u64,
    /// States of records.
    pub states: u64,
    /// Records.
    pub records: u64,
}

/// Judges the journal up to a watermark from its first entry, aside of the registry that stands. `None` where the store
/// cannot have two registries.
///
/// # Errors
/// The store or the scratch folder cannot be used, or the work was interrupted. What stands is untouched.
pub async fn build<S: NationalStore>(
    store: &S,
    policy: &Arc<Policy>,
    (end, cut): (Watermark, Cut),
    scratch: &Path,
    watch: &Watch<'_>,
) -> Result<Option<Built>, BulkError> {
    let Some(mut aside) = store.aside().await? else { return Ok(None) };
    let gathered = gather::gather(store, end, scratch, watch).await?;
    let spoken_of: BTreeSet<_> = gathered.verdicts.iter().flat_map(|verdict| verdict.records.clone()).collect();
    let settled = settle::settle(gathered.states, (spoken_of, cut), &mut aside, scratch, watch).await?;
    let records = settled.records;
    watch.tell(Step::Deal, 0)?;
    let dealt = deal::deal(settled, gathered.verdicts, &mut aside, scratch).await?;
    watch.tell(Step::Deal, records)?;
    let voids = judge::judge(aside.registry(), policy, dealt, watch).await?;
    watch.tell(Step::Finish, records)?;
    aside.finish(&voids).await?;
    Ok(Some(Built {
        aside,
        applied: gathered.applied,
        journal_entries: gathered.entries,
        states: gathered.count,
        records,
    }))
}

impl Built {
    /// Judges what was judged of the live queue where the registry stands, while this one was built: the provinces have
    /// heard of it.
    ///
    /// # Errors
    /// The store cannot be used.
    pub async fn catch_up<S: NationalStore>(
        &mut self,
        store: &S,
        policy: &Arc<Policy>,
        until: JournalId,
    ) -> Result<(), BulkError> {
        let Some(applied) = self.applied.iter_mut().find(|applied| applied.queue == Queue::Live) else { return Ok(()) };
        while applied.journal < until {
            let mut entries = store.next(Queue::Live, applied.journal, CATCH_UP_BYTES).await?;
            entries.retain(|entry| entry.id <= until);
            let Some(last) = entries.last().map(|entry| entry.id) else { break };
            entries.iter().for_each(|entry| gather::note(&mut applied.lanes, entry));
            judge_on(self.aside.registry(), policy, Queue::Live, &entries).await?;
            applied.journal = last;
        }
        Ok(())
    }

    /// Puts it in the place of the registry that stands; how many states were judged, and what is to be cleared away.
    ///
    /// # Errors
    /// The store cannot be used.
    pub(crate) async fn take_place<S: NationalStore>(
        self,
        store: &S,
        policy: &Arc<Policy>,
    ) -> Result<(u64, Remains), BulkError> {
        forget_damage(store).await?;
        let remains = self.aside.take_place(&self.applied, &ruling(policy)).await?;
        forget_damage(store).await?;
        Ok((self.states, remains))
    }
}
