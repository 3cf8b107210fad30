//! Step one: the journal is read once, and its states are dealt out so that those of one record lie together.

use std::collections::BTreeMap;
use std::path::Path;

use hub_rules::Arrival;
use hub_rules::verdict::Verdict;
use hub_store::Journal;
use hub_store::model::{Applied, JournalBody, JournalEntry, JournalId, Queue, Watermark};
use registry_schema::digest::Hash256;
use registry_schema::ids::{Epoch, Lane, Origin, RecordKey, Seq};
use tokio::sync::mpsc;

use super::apart::on_a_thread;
use super::items::Arrived;
use super::spool::{PARTS, Spool, Spooled};
use super::{BulkError, Step, Watch};
use crate::arrivals::arrivals;
use crate::clock::now_ms;

/// Bytes of journal that are read together.
const READ_BYTES: usize = 4 * 1024 * 1024;

/// What arrived.
pub(super) struct Gathered {
    /// Every state, those of one record in one part.
    pub(super) states: Spooled<Arrived>,
    /// How many states.
    pub(super) count: u64,
    /// Every verdict once.
    pub(super) verdicts: Vec<Verdict>,
    /// How far each queue goes.
    pub(super) applied: Vec<Applied>,
    /// Entries of the journal.
    pub(super) entries: u64,
}

pub(super) async fn gather<S: Journal>(
    store: &S,
    end: Watermark,
    scratch: &Path,
    watch: &Watch<'_>,
) -> Result<Gathered, BulkError> {
    let (pages, taken) = mpsc::channel(2);
    let spool = Spool::create(scratch, "states")?;
    let sorter = tokio::spawn(on_a_thread(move || sort(taken, spool)));
    let (mut applied, mut read) = (Vec::new(), 0);
    for queue in [Queue::Backlog, Queue::Live] {
        let (mut after, mut lanes) = (JournalId::default(), BTreeMap::new());
        while after < end.of(queue) {
            let mut entries = store.next(queue, after, READ_BYTES).await?;
            entries.retain(|entry| entry.id <= end.of(queue));
            let Some(last) = entries.last().map(|entry| entry.id) else { break };
            after = last;
            read += entries.len() as u64;
            entries.iter().for_each(|entry| note(&mut lanes, entry));
            watch.tell(Step::Gather, read)?;
            if pages.send(entries).await.is_err() {
                break;
            }
        }
        applied.push(Applied { queue, journal: after, lanes, now_ms: now_ms() });
    }
    drop(pages);
    let (states, count, verdicts) = sorter.await.map_err(|_| BulkError::Interrupted)??;
    Ok(Gathered { states, count, verdicts, applied, entries: read })
}

pub(super) fn note(lanes: &mut BTreeMap<(Origin, Lane), (Epoch, Seq)>, entry: &JournalEntry) {
    if let JournalBody::Frame { origin, epoch, lane, last_seq, .. } = &entry.body {
        lanes.insert((*origin, *lane), (*epoch, *last_seq));
    }
}

type Sorted = (Spooled<Arrived>, u64, Vec<Verdict>);

fn sort(mut taken: mpsc::Receiver<Vec<JournalEntry>>, mut spool: Spool<Arrived>) -> Result<Sorted, BulkError> {
    let (mut count, mut verdicts) = (0, BTreeMap::<Hash256, Verdict>::new());
    while let Some(entries) = taken.blocking_recv() {
        for entry in entries {
            let arrivals = arrivals(&entry).unwrap_or_else(|reason| {
                tracing::error!(journal = entry.id.0, reason, "a damaged journal entry was passed over");
                Vec::new()
            });
            for arrival in arrivals {
                match arrival {
                    Arrival::State(key, state) => {
                        count += 1;
                        spool.put(part(key), &Arrived { key, state })?;
                    }
                    Arrival::Verdict(verdict) => drop(verdicts.insert(verdict.id(), verdict)),
                }
            }
        }
    }
    Ok((spool.finish()?, count, verdicts.into_values().collect()))
}

/// The part in which a record's states lie: the high bits of a product, since keys of imported rows count up.
fn part(key: RecordKey) -> usize {
    let number = key.id.number().cast_unsigned() ^ (u64::from(key.origin.number()) << 48);
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    usize::try_from(mixed >> 32).unwrap_or_default() % PARTS
}
