//! The journal writer: gathers frames of all sessions and commits them together, live ones first.

use hub_store::model::{Append, Appended, FrameEntry, Queue};
use hub_store::{NationalStore, StoreError};
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

/// Frames that may wait for the writer; sessions wait when it is full, and so do their provinces.
const QUEUE_FRAMES_MAX: usize = 256;
/// Bytes of frames that may wait in each queue, in kibibytes: enough for some transactions, whatever frames hold.
const QUEUE_KIBIBYTES_MAX: u32 = 32 * 1024;
/// Frames of one transaction.
const COMMIT_FRAMES_MAX: usize = 64;
/// Bytes of one transaction: a commit takes tens of milliseconds at most.
const COMMIT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Why a frame was not journaled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Another session of the province went on in the meantime.
    Outrun,
    /// The store cannot take it now; trying again later may help.
    Store(String),
}

struct Waiting {
    entry: FrameEntry,
    reply: oneshot::Sender<Result<(), Refusal>>,
    /// Its share of what may wait; free again once it is committed.
    share: Option<OwnedSemaphorePermit>,
}

/// A handle to the journal writer.
#[derive(Clone)]
pub struct JournalWriter {
    live: Way,
    backlog: Way,
}

/// The way into one queue.
#[derive(Clone)]
struct Way {
    queue: mpsc::Sender<Waiting>,
    room: Arc<Semaphore>,
}

impl JournalWriter {
    /// Starts the writer. `journaled` is told of every commit. The writer ends with its last handle.
    pub fn start<S: NationalStore + 'static>(store: S, journaled: watch::Sender<u64>) -> Self {
        let (live, mut live_queue) = mpsc::channel(QUEUE_FRAMES_MAX);
        let (backlog, mut backlog_queue) = mpsc::channel(QUEUE_FRAMES_MAX);
        tokio::spawn(async move {
            loop {
                let waiting: Option<Waiting> = tokio::select! {
                    biased;
                    Some(waiting) = live_queue.recv() => Some(waiting),
                    Some(waiting) = backlog_queue.recv() => Some(waiting),
                    else => None,
                };
                let Some(first) = waiting else { return };
                let group = gather(first, &mut live_queue, &mut backlog_queue);
                commit(&store, group).await;
                journaled.send_modify(|commits| *commits += 1);
            }
        });
        let way = |queue| Way { queue, room: Arc::new(Semaphore::new(QUEUE_KIBIBYTES_MAX as usize)) };
        Self { live: way(live), backlog: way(backlog) }
    }

    /// Hands over a frame; the receiver hears when it is on disk.
    pub async fn append(&self, entry: FrameEntry) -> oneshot::Receiver<Result<(), Refusal>> {
        let (reply, answer) = oneshot::channel();
        let way = if Queue::of(entry.lane) == Queue::Live { &self.live } else { &self.backlog };
        let kibibytes = u32::try_from(entry.bytes.len() / 1024 + 1).unwrap_or(u32::MAX).min(QUEUE_KIBIBYTES_MAX);
        let share = Arc::clone(&way.room).acquire_many_owned(kibibytes).await.ok();
        // A writer that has ended drops the reply, which the caller sees.
        let _ = way.queue.send(Waiting { entry, reply, share }).await;
        answer
    }
}

/// What goes into one transaction: what is waiting, live frames before backlog frames, within the bounds.
fn gather(first: Waiting, live: &mut mpsc::Receiver<Waiting>, backlog: &mut mpsc::Receiver<Waiting>) -> Vec<Waiting> {
    let mut bytes = first.entry.bytes.len();
    let mut group = vec![first];
    while group.len() < COMMIT_FRAMES_MAX && bytes < COMMIT_BYTES_MAX {
        let Ok(waiting) = live.try_recv().or_else(|_| backlog.try_recv()) else { break };
        bytes += waiting.entry.bytes.len();
        group.push(waiting);
    }
    group
}

async fn commit<S: NationalStore>(store: &S, group: Vec<Waiting>) {
    let mut shares = Vec::with_capacity(group.len());
    let (entries, replies): (Vec<_>, Vec<_>) = group
        .into_iter()
        .map(|waiting| {
            shares.push(waiting.share);
            (Append::Frame(waiting.entry), waiting.reply)
        })
        .unzip();
    match store.append(entries).await {
        Ok(appended) => {
            for (reply, appended) in replies.into_iter().zip(appended) {
                let _ = reply.send(match appended {
                    Appended::At(_) => Ok(()),
                    Appended::Outrun => Err(Refusal::Outrun),
                });
            }
        }
        Err(error) => {
            tracing::error!(%error, frames = replies.len(), "frames were not journaled; their provinces keep them");
            let refusal = refusal(&error);
            replies.into_iter().for_each(|reply| drop(reply.send(Err(refusal.clone()))));
        }
    }
}

fn refusal(error: &StoreError) -> Refusal {
    Refusal::Store(match error {
        StoreError::Full { .. } => "the centre's disk is full; its operators must free space".to_owned(),
        _ => "the centre's store cannot be written at the moment".to_owned(),
    })
}
