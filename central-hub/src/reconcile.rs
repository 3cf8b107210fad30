//! The reconciler: takes the journal in order, gathers a context, lets the rules decide, and commits the plan.

mod long;
mod mending;

use std::collections::BTreeMap;
use std::sync::Arc;

use hub_rules::plan::Tally;
use hub_rules::policy::Policy;
use hub_rules::{Batch, Context, Inquiry};
use hub_store::model::{Applied, JournalBody, JournalEntry, JournalId, Queue, Watermark};
use hub_store::{NationalStore, StoreError};
use registry_schema::ids::{Epoch, Lane, Origin, Seq};
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;
use tokio::time::{Duration, Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::arrivals::arrivals;
use crate::clock::now_ms;
use crate::surroundings::Surroundings;
pub use long::BULK_STATES_MIN;
use long::{Course, Outlook};

/// What is judged together at most, when there is that much.
#[derive(Clone, Copy)]
struct Portion {
    queue: Queue,
    bytes_max: usize,
    /// Changes after which no further journal entry is taken: bytes say little, since a book of like entries shrinks to a
    /// tenth of others.
    changes_max: usize,
}

/// Live entries: a batch stays far below the patience of a clerk.
const LIVE: Portion = Portion { queue: Queue::Live, bytes_max: 128 * 1024, changes_max: 2_000 };
/// Backlog while nobody waits.
const BACKLOG: Portion = Portion { queue: Queue::Backlog, bytes_max: 256 * 1024, changes_max: 2_000 };
/// Backlog while clerks are at work: an entry of theirs waits for one batch at most, some tens of milliseconds.
const BACKLOG_BESIDE_LIVE: Portion = Portion { queue: Queue::Backlog, bytes_max: 32 * 1024, changes_max: 200 };
/// How long after a live entry the next one is expected.
const CLERKS_AT_WORK: Duration = Duration::from_secs(5);
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
    /// When a live entry was judged last.
    live_seen: Option<Instant>,
    /// How the backlog is judged, and why.
    outlook: Outlook,
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
        Ok(Self {
            store,
            policy: Arc::default(),
            surroundings: Surroundings::default(),
            judged,
            term: None,
            ahead: None,
            live_seen: None,
            outlook: Outlook::in_bulk_from(BULK_STATES_MIN),
        })
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

    /// The same reconciler, which takes the bulk path when so many states wait.
    #[must_use]
    pub fn in_bulk_from(self, states: u64) -> Self {
        Self { outlook: Outlook::in_bulk_from(states), ..self }
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
        if let Some(live) = self.read(LIVE, self.judged.live).await? {
            return self.judge(live).await.map(Some);
        }
        let clerks_are_at_work = self.live_seen.is_some_and(|seen| seen.elapsed() < CLERKS_AT_WORK);
        let portion = if clerks_are_at_work { BACKLOG_BESIDE_LIVE } else { BACKLOG };
        let after = self.judged.backlog;
        let backlog = match self.ahead.take().filter(|ahead| ahead.after == after) {
            Some(mut ahead) => (&mut ahead.read).await.unwrap_or(Ok(None))?,
            None => None,
        };
        let backlog = match backlog {
            Some(backlog) => backlog,
            None => match self.read(portion, after).await? {
                Some(backlog) => backlog,
                None => return Ok(None),
            },
        };
        let after = backlog.applied.journal;
        self.ahead = Some(Ahead { after, read: tokio::spawn(self.read(portion, after)) });
        self.judge(backlog).await.map(Some)
    }

    fn read(
        &self,
        portion: Portion,
        after: JournalId,
    ) -> impl Future<Output = Result<Option<Read>, StoreError>> + Send + use<S> {
        read(self.store.clone(), self.surroundings, portion, after)
    }

    async fn judge(&mut self, read: Read) -> Result<Progress, StoreError> {
        let (queue, last) = (read.applied.queue, read.applied.journal);
        mending::mend(&self.store, &self.policy, &read.batch, &read.applied).await?;
        let tally = judge_batch(&self.store, &self.policy, &read.batch, read.applied).await?;
        match queue {
            Queue::Live => (self.judged.live, self.live_seen) = (last, Some(Instant::now())),
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
            let step = match self.course().await {
                Ok(Course::Daily) => self.step().await,
                Ok(Course::Later) => self.step_live().await,
                Ok(Course::Bulk) => {
                    self.judge_in_bulk(&mut journaled, &applied, &stop).await;
                    continue;
                }
                Err(error) => Err(error),
            };
            self.after(step, (&mut journaled, &applied, &stop)).await;
        }
    }

    /// Tells of a step, or waits for more to judge.
    async fn after(
        &self,
        step: Result<Option<Progress>, StoreError>,
        (journaled, applied, stop): (&mut watch::Receiver<u64>, &broadcast::Sender<()>, &CancellationToken),
    ) {
        match step {
            Ok(Some(Progress { tally, entries })) => {
                let Tally { states, resent, rejected, .. } = tally;
                tracing::debug!(entries, states, resent, rejected, "judged");
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
    let (batch, applied, _) = gather_batch(queue, entries, (usize::MAX, now_ms()));
    judge_batch(store, policy, &batch, applied).await
}

/// The same on a registry that no queue of the journal moves yet.
///
/// # Errors
/// The store cannot be read or written; nothing was changed then.
pub async fn judge_on<S: NationalStore>(
    registry: &S,
    policy: &Arc<Policy>,
    queue: Queue,
    entries: &[JournalEntry],
) -> Result<Tally, StoreError> {
    let (batch, applied, _) = gather_batch(queue, entries, (usize::MAX, now_ms()));
    let applied = Applied { journal: JournalId::default(), lanes: BTreeMap::new(), ..applied };
    judge_batch(registry, policy, &batch, applied).await
}

async fn judge_batch<S: NationalStore>(
    store: &S,
    policy: &Arc<Policy>,
    batch: &Batch,
    applied: Applied,
) -> Result<Tally, StoreError> {
    let mut inquiry = Inquiry::of(batch);
    let context = inquire(store, &mut inquiry, Context::under(Arc::clone(policy))).await?;
    let plan = inquiry.decide(&context);
    let tally = plan.tally;
    store.commit(plan, applied).await?;
    Ok(tally)
}

/// Takes the next entries of a queue and reads them on a thread that may be busy; `None` at the end of the journal.
async fn read<S: NationalStore>(
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

/// Loads what a batch reaches, on top of what the context holds already.
///
/// # Errors
/// The store cannot be read.
pub async fn gather<S: NationalStore>(store: &S, batch: &Batch, context: Context) -> Result<Context, StoreError> {
    inquire(store, &mut Inquiry::of(batch), context).await
}

/// The same for a batch that is to be judged.
///
/// # Errors
/// The store cannot be read.
pub async fn inquire<S: NationalStore>(
    store: &S,
    inquiry: &mut Inquiry<'_>,
    mut context: Context,
) -> Result<Context, StoreError> {
    loop {
        let request = inquiry.missing(&context);
        if request.is_empty() {
            return Ok(context);
        }
        context = store.load(request, context).await?;
    }
}

/// Reads journal entries up to the one that fills a batch; how many were taken.
fn gather_batch(
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
