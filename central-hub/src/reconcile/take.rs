//! Taking entries from the journal: how much at a time, and what they say.

use std::collections::BTreeMap;

use hub_rules::Batch;
use hub_store::model::{Applied, JournalBody, JournalEntry, JournalId, Queue};
use hub_store::{NationalStore, StoreError};
use registry_schema::ids::{Epoch, Lane, Origin, Seq};

use crate::arrivals::arrivals;
use crate::surroundings::Surroundings;

/// What is judged together at most, when there is that much.
#[derive(Clone, Copy)]
pub(super) struct Portion {
    pub(super) queue: Queue,
    bytes_max: usize,
    /// Changes after which no further journal entry is taken: bytes say little, since a book of like entries shrinks to a
    /// tenth of others.
    changes_max: usize,
}

/// Live entries: a batch stays far below the patience of a clerk.
pub(super) const LIVE: Portion = Portion { queue: Queue::Live, bytes_max: 128 * 1024, changes_max: 2_000 };
/// Backlog while nobody waits.
pub(super) const BACKLOG: Portion = Portion { queue: Queue::Backlog, bytes_max: 256 * 1024, changes_max: 2_000 };
/// Backlog while clerks are at work: an entry of theirs waits for one batch at most, some tens of milliseconds.
pub(super) const BACKLOG_BESIDE_LIVE: Portion =
    Portion { queue: Queue::Backlog, bytes_max: 32 * 1024, changes_max: 200 };

/// Journal entries of one queue, opened and read.
pub(super) struct Read {
    pub(super) batch: Batch,
    pub(super) applied: Applied,
    pub(super) entries: usize,
}

/// Takes the next entries of a queue and reads them on a thread that may be busy; `None` at the end of the journal.
pub(super) async fn read<S: NationalStore>(
    store: S,
    surroundings: Surroundings,
    portion: Portion,
    after: JournalId,
) -> Result<Option<Read>, StoreError> {
    let Portion { queue, bytes_max, changes_max } = portion;
    let entries = store.next(queue, after, bytes_max).await?;
    if entries.is_empty() {
        return Ok(None);
    }
    let now_ms = (surroundings.wall_ms)();
    let gathered = surroundings.think(move || gather_batch(queue, &entries, (changes_max, now_ms))).await;
    Ok(gathered.map(|(batch, applied, entries)| Read { batch, applied, entries }))
}

/// Reads journal entries up to the one that fills a batch; how many were taken.
pub(super) fn gather_batch(
    queue: Queue,
    entries: &[JournalEntry],
    (changes_max, now_ms): (usize, i64),
) -> (Batch, Applied, usize) {
    let (mut batch, mut changes, mut taken) = (Batch::default(), 0, 0);
    let mut lanes: BTreeMap<(Origin, Lane), (Epoch, Seq)> = BTreeMap::new();
    for entry in entries {
        if changes >= changes_max {
            break;
        }
        taken += 1;
        match arrivals(entry) {
            Ok(arrivals) => {
                changes += arrivals.len();
                arrivals.into_iter().for_each(|arrival| batch.push(arrival));
            }
            Err(reason) => tracing::error!(journal = entry.id.0, reason, "a damaged journal entry was passed over"),
        }
        if let JournalBody::Frame { origin, epoch, lane, last_seq, .. } = &entry.body {
            lanes.insert((*origin, *lane), (*epoch, *last_seq));
        }
    }
    let journal = entries[..taken].last().map(|entry| entry.id).unwrap_or_default();
    (batch, Applied { queue, journal, lanes, now_ms }, taken)
}
