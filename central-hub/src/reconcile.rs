//! The reconciler: takes the journal in order, gathers a context, lets the rules decide, and commits the plan.

use std::collections::BTreeMap;
use std::sync::Arc;

use hub_rules::plan::Tally;
use hub_rules::policy::Policy;
use hub_rules::{Batch, Context, decide, missing};
use hub_store::model::{Applied, JournalBody, JournalEntry, JournalId, Queue, Watermark};
use hub_store::{NationalStore, StoreError};
use registry_schema::ids::{Epoch, Lane, Origin, Seq};
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;
use tokio::time::{Duration, sleep};
use tokio_util::sync::CancellationToken;

use crate::arrivals::arrivals;
use crate::clock::now_ms;
use crate::surroundings::Surroundings;

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
    surroundings: Surroundings,
    judged: Watermark,
    /// In which term `judged` was read.
    term: Option<u64>,
    /// The next batch of backlog, which is read while the store is busy with the one before.
    ahead: Option<Ahead>,
}

/// A batch of backlog that is being read.
struct Ahead {
    /// The entry of the journal behind which it begins.
    after: JournalId,
    read: JoinHandle<Result<Option<Read>, StoreError>>,
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.read.abort();
    }
}

/// Journal entries of one queue, opened and read.
struct Read {
    batch: Batch,
    applied: Applied,
    entries: usize,
}

/// What one step did.
#[derive(Debug, Clone, Copy, Default)]
pub struct Progress {
    /// How the arrivals were taken.
    pub tally: Tally,
    /// Entries of the journal.
    pub entries: usize,
}

impl<S: NationalStore + Clone + 'static> Reconciler<S> {
    /// A reconciler that goes on where the store's watermark is, under the default policy.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn new(store: S) -> Result<Self, StoreError> {
        let judged = store.digests().await?.watermark;
        let (policy, surroundings) = Default::default();
        Ok(Self { store, policy, surroundings, judged, term: None, ahead: None })
    }

    /// The same reconciler under another policy.
    #[must_use]
    pub fn under(self, policy: Policy) -> Self {
        Self { policy: Arc::new(policy), ..self }
    }

    /// The same reconciler, told the time from outside.
    #[must_use]
    pub fn within(self, surroundings: Surroundings) -> Self {
        Self { surroundings, ..self }
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
        if let Some(live) = self.read(Queue::Live, self.judged.live).await? {
            return self.judge(live).await.map(Some);
        }
        let after = self.judged.backlog;
        let backlog = match self.ahead.take().filter(|ahead| ahead.after == after) {
            Some(mut ahead) => (&mut ahead.read).await.unwrap_or(Ok(None))?,
            None => None,
        };
        let backlog = match backlog {
            Some(backlog) => backlog,
            None => match self.read(Queue::Backlog, after).await? {
                Some(backlog) => backlog,
                None => return Ok(None),
            },
        };
        let after = backlog.applied.journal;
        self.ahead = Some(Ahead { after, read: tokio::spawn(self.read(Queue::Backlog, after)) });
        self.judge(backlog).await.map(Some)
    }

    fn read(
        &self,
        queue: Queue,
        after: JournalId,
    ) -> impl Future<Output = Result<Option<Read>, StoreError>> + Send + use<S> {
        read(self.store.clone(), self.surroundings, queue, after)
    }

    async fn judge(&mut self, read: Read) -> Result<Progress, StoreError> {
        let (queue, last) = (read.applied.queue, read.applied.journal);
        let tally = judge_batch(&self.store, &self.policy, &read.batch, read.applied).await?;
        match queue {
            Queue::Live => self.judged.live = last,
            Queue::Backlog => self.judged.backlog = last,
        }
        Ok(Progress { tally, entries: read.entries })
    }

    /// Whether this hub judges. One that takes over goes on where the other one was.
    async fn leads(&mut self) -> Result<bool, StoreError> {
        let term = self.store.lead().await?;
        if term.is_some() && term != self.term {
            self.judged = self.store.digests().await?.watermark;
            self.ahead = None;
            tracing::info!(term, "this hub judges");
        }
        self.term = term;
        Ok(term.is_some())
    }

    /// Judges until told to stop. `journaled` wakes it, `applied` hears of every commit.
    pub async fn run(
        mut self,
        mut journaled: watch::Receiver<u64>,
        applied: broadcast::Sender<()>,
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
                    // Nobody hears it while no province is connected.
                    let _ = applied.send(());
                }
                Ok(None) => {
                    tokio::select! {
                        biased;
                        _ = journaled.changed() => {}
                        () = sleep(Duration::from_millis(IDLE_MS)) => {}
                        () = stop.cancelled() => {}
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "the journal waits to be judged; trying again");
                    tokio::select! {
                        biased;
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
    let (batch, applied) = gather_batch(queue, entries, now_ms());
    judge_batch(store, policy, &batch, applied).await
}

async fn judge_batch<S: NationalStore>(
    store: &S,
    policy: &Arc<Policy>,
    batch: &Batch,
    applied: Applied,
) -> Result<Tally, StoreError> {
    let context = gather(store, batch, Context::under(Arc::clone(policy))).await?;
    let plan = decide(&context, batch);
    let tally = plan.tally;
    store.commit(plan, applied).await?;
    Ok(tally)
}

/// Takes the next entries of a queue and reads them on a thread that may be busy; `None` at the end of the journal.
async fn read<S: NationalStore>(
    store: S,
    surroundings: Surroundings,
    queue: Queue,
    after: JournalId,
) -> Result<Option<Read>, StoreError> {
    let bytes_max = match queue {
        Queue::Live => LIVE_BATCH_BYTES,
        Queue::Backlog => BACKLOG_BATCH_BYTES,
    };
    let entries = store.next(queue, after, bytes_max).await?;
    if entries.is_empty() {
        return Ok(None);
    }
    let count = entries.len();
    let now_ms = (surroundings.wall_ms)();
    let gathered = surroundings.think(move || gather_batch(queue, &entries, now_ms)).await;
    Ok(gathered.map(|(batch, applied)| Read { batch, applied, entries: count }))
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

fn gather_batch(queue: Queue, entries: &[JournalEntry], now_ms: i64) -> (Batch, Applied) {
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
    (batch, Applied { queue, journal, lanes, now_ms })
}
