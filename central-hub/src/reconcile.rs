//! The reconciler: takes the journal in order, gathers a context, lets the rules decide, and commits the plan.

use std::collections::BTreeMap;
use std::sync::Arc;

use hub_rules::plan::Tally;
use hub_rules::policy::Policy;
use hub_rules::{Batch, Context, decide, missing};
use hub_store::model::{Applied, JournalBody, JournalEntry, Queue, Watermark};
use hub_store::{NationalStore, StoreError};
use registry_schema::ids::{Epoch, Lane, Origin, Seq};
use tokio::sync::watch;
use tokio::time::{Duration, sleep};
use tokio_util::sync::CancellationToken;

use crate::arrivals::arrivals;
use crate::clock::now_ms;

/// Bytes of live journal that are judged together: a batch stays far below the patience of a clerk.
const LIVE_BATCH_BYTES: usize = 128 * 1024;
/// Bytes of backlog journal that are judged together: about two thousand entries, so that live ones wait briefly.
const BACKLOG_BATCH_BYTES: usize = 256 * 1024;
/// How long an idle reconciler sleeps when nobody wakes it: verdicts of other processes are seen after this long.
const IDLE_MS: u64 = 200;
/// How long the reconciler waits after the store refused something that may pass.
const RETRY_MS: u64 = 1_000;

/// Judges the journal as it grows.
pub struct Reconciler<S> {
    store: S,
    policy: Arc<Policy>,
    judged: Watermark,
    /// In which term `judged` was read.
    term: Option<u64>,
}

/// What one step did.
#[derive(Debug, Clone, Copy, Default)]
pub struct Progress {
    /// How the arrivals were taken.
    pub tally: Tally,
    /// Entries of the journal.
    pub entries: usize,
}

impl<S: NationalStore> Reconciler<S> {
    /// A reconciler that goes on where the store's watermark is, under the default policy.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn new(store: S) -> Result<Self, StoreError> {
        let judged = store.digests().await?.watermark;
        Ok(Self { store, policy: Arc::default(), judged, term: None })
    }

    /// The same reconciler under another policy.
    #[must_use]
    pub fn under(self, policy: Policy) -> Self {
        Self { policy: Arc::new(policy), ..self }
    }

    /// Judges the next batch: live entries first, else backlog. `None` when the journal is judged to its end, and while
    /// another hub judges.
    ///
    /// # Errors
    /// The store cannot be read or written; nothing was judged then.
    pub async fn step(&mut self) -> Result<Option<Progress>, StoreError> {
        if !self.leads().await? {
            return Ok(None);
        }
        for (queue, bytes) in [(Queue::Live, LIVE_BATCH_BYTES), (Queue::Backlog, BACKLOG_BATCH_BYTES)] {
            let entries = self.store.next(queue, self.judged.of(queue), bytes).await?;
            if let Some(last) = entries.last().map(|entry| entry.id) {
                let tally = judge(&self.store, &self.policy, queue, &entries).await?;
                match queue {
                    Queue::Live => self.judged.live = last,
                    Queue::Backlog => self.judged.backlog = last,
                }
                return Ok(Some(Progress { tally, entries: entries.len() }));
            }
        }
        Ok(None)
    }

    /// Whether this hub judges. One that takes over goes on where the other one was.
    async fn leads(&mut self) -> Result<bool, StoreError> {
        let term = self.store.lead().await?;
        if term.is_some() && term != self.term {
            self.judged = self.store.digests().await?.watermark;
            tracing::info!(term, "this hub judges");
        }
        self.term = term;
        Ok(term.is_some())
    }

    /// Judges until told to stop. `journaled` wakes it, `applied` hears of every commit.
    pub async fn run(
        mut self,
        mut journaled: watch::Receiver<u64>,
        applied: watch::Sender<u64>,
        stop: CancellationToken,
    ) {
        while !stop.is_cancelled() {
            match self.step().await {
                Ok(Some(progress)) => {
                    let tally = progress.tally;
                    tracing::debug!(
                        entries = progress.entries,
                        states = tally.states,
                        resent = tally.resent,
                        rejected = tally.rejected,
                        "judged"
                    );
                    applied.send_modify(|commits| *commits += 1);
                }
                Ok(None) => {
                    tokio::select! {
                        _ = journaled.changed() => {}
                        () = sleep(Duration::from_millis(IDLE_MS)) => {}
                        () = stop.cancelled() => {}
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "the journal waits to be judged; trying again");
                    tokio::select! {
                        () = sleep(Duration::from_millis(RETRY_MS)) => {}
                        () = stop.cancelled() => {}
                    }
                }
            }
        }
    }
}

/// Loads, decides and commits one batch of journal entries under a policy.
///
/// # Errors
/// The store cannot be read or written; nothing was changed then.
pub async fn judge<S: NationalStore>(
    store: &S,
    policy: &Arc<Policy>,
    queue: Queue,
    entries: &[JournalEntry],
) -> Result<Tally, StoreError> {
    let (batch, applied) = gather_batch(queue, entries);
    let context = gather(store, &batch, Context::under(Arc::clone(policy))).await?;
    let plan = decide(&context, &batch);
    let tally = plan.tally;
    store.commit(plan, applied).await?;
    Ok(tally)
}

/// Loads what a batch reaches, on top of what the context holds already.
///
/// # Errors
/// The store cannot be read.
pub async fn gather<S: NationalStore>(store: &S, batch: &Batch, mut context: Context) -> Result<Context, StoreError> {
    loop {
        let request = missing(&context, batch);
        if request.is_empty() {
            return Ok(context);
        }
        context = store.load(request, context).await?;
    }
}

fn gather_batch(queue: Queue, entries: &[JournalEntry]) -> (Batch, Applied) {
    let mut batch = Batch::default();
    let mut lanes: BTreeMap<(Origin, Lane), (Epoch, Seq)> = BTreeMap::new();
    for entry in entries {
        match arrivals(entry) {
            Ok(arrivals) => arrivals.into_iter().for_each(|arrival| batch.push(arrival)),
            Err(reason) => tracing::error!(journal = entry.id.0, reason, "a damaged journal entry was passed over"),
        }
        if let JournalBody::Frame { origin, epoch, lane, last_seq, .. } = &entry.body {
            lanes.insert((*origin, *lane), (*epoch, *last_seq));
        }
    }
    let journal = entries.last().map(|entry| entry.id).unwrap_or_default();
    (batch, Applied { queue, journal, lanes, now_ms: now_ms() })
}
