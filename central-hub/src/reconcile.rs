//! The reconciler: takes the journal in order, gathers a context, lets the rules decide, and commits the plan.

mod long;
mod mending;
mod take;

use std::collections::BTreeMap;
use std::sync::Arc;

use hub_rules::plan::Tally;
use hub_rules::policy::Policy;
use hub_rules::{Batch, Context, Inquiry};
use hub_store::model::{Applied, JournalEntry, JournalId, Queue, Watermark};
use hub_store::{NationalStore, StoreError};
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;
use tokio::time::{Duration, Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::clock::now_ms;
use crate::surroundings::Surroundings;
use crate::underway::{self, Underway};
pub use long::BULK_STATES_MIN;
use long::{Course, Outlook};
use take::{BACKLOG, BACKLOG_BESIDE_LIVE, LIVE, Portion, Read, gather_batch};

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
    /// The batch of backlog before that one, while its plan is being carried out.
    begun: Option<Begun>,
    /// When a live entry was judged last.
    live_seen: Option<Instant>,
    /// How the backlog is judged, and why.
    outlook: Outlook,
    /// The registry that stood before, while it is cleared away.
    clearing: Option<JoinHandle<()>>,
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

/// A batch of backlog whose plan is being carried out.
struct Begun {
    /// `None` when that had to be waited for already.
    plan: Option<Underway>,
    last: JournalId,
    progress: Progress,
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
            begun: None,
            live_seen: None,
            outlook: Outlook::in_bulk_from(BULK_STATES_MIN),
            clearing: None,
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

    /// Judges until a batch is judged and carried out: live entries first, else backlog. `None` when the journal is judged to
    /// its end, and while another hub judges.
    ///
    /// # Errors
    /// The store cannot be read or written; what is not carried out is judged again.
    pub async fn step(&mut self) -> Result<Option<Progress>, StoreError> {
        if !self.leads().await? {
            return Ok(None);
        }
        loop {
            if let Some(live) = self.read(LIVE, self.judged.live).await? {
                return match self.finish().await? {
                    Some(backlog) => Ok(Some(backlog)),
                    None => self.judge_live(live).await.map(Some),
                };
            }
            let Some(backlog) = self.next_backlog().await? else { return self.finish().await };
            if let Some(before) = self.begin(backlog).await? {
                return Ok(Some(before));
            }
        }
    }

    /// The next batch of backlog, while the one behind it begins to be read.
    async fn next_backlog(&mut self) -> Result<Option<Read>, StoreError> {
        let clerks_are_at_work = self.live_seen.is_some_and(|seen| seen.elapsed() < CLERKS_AT_WORK);
        let is_careful = clerks_are_at_work || self.outlook.little_waits();
        let portion = if is_careful { BACKLOG_BESIDE_LIVE } else { BACKLOG };
        let after = self.begun.as_ref().map_or(self.judged.backlog, |begun| begun.last);
        let read_ahead = match self.ahead.take().filter(|ahead| ahead.after == after) {
            Some(mut ahead) => (&mut ahead.read).await.unwrap_or(Ok(None))?,
            None => None,
        };
        let backlog = match read_ahead {
            Some(backlog) => Some(backlog),
            None => self.read(portion, after).await?,
        };
        if let Some(backlog) = &backlog {
            let after = backlog.applied.journal;
            self.ahead = Some(Ahead { after, read: tokio::spawn(self.read(portion, after)) });
        }
        Ok(backlog)
    }

    fn read(
        &self,
        portion: Portion,
        after: JournalId,
    ) -> impl Future<Output = Result<Option<Read>, StoreError>> + Send + use<S> {
        take::read(self.store.clone(), self.surroundings, portion, after)
    }

    /// Judges live entries and carries out what follows from them at once: somebody waits.
    async fn judge_live(&mut self, Read { batch, applied, entries }: Read) -> Result<Progress, StoreError> {
        let last = applied.journal;
        mending::mend(&self.store, &self.policy, &batch, &applied).await?;
        let tally = judge_batch(&self.store, &self.policy, &batch, applied).await?;
        (self.judged.live, self.live_seen) = (last, Some(Instant::now()));
        Ok(Progress { tally, entries })
    }

    /// Judges a batch of backlog and begins to carry out its plan. Answers with the batch before it, which is carried out by
    /// then.
    async fn begin(&mut self, Read { batch, applied, entries }: Read) -> Result<Option<Progress>, StoreError> {
        let (mut inquiry, context) = (Inquiry::of(&batch), Context::under(Arc::clone(&self.policy)));
        let mut before = self.begun.as_mut().and_then(|begun| begun.plan.take());
        let inquired = underway::inquire(&self.store, &mut inquiry, context, &mut before).await;
        let context = match inquired {
            Ok(context) => context,
            Err(error) => return Err(self.lose_track(before, error).await),
        };
        let plan = inquiry.decide(&context);
        if let Some(begun) = &mut self.begun {
            begun.plan = before;
        }
        let carried_out = self.finish().await?;
        let progress = Progress { tally: plan.tally, entries };
        let last = applied.journal;
        let plan = Some(Underway::begin(self.store.clone(), plan, applied, &context));
        self.begun = Some(Begun { plan, last, progress });
        Ok(carried_out)
    }

    /// Waits for the batch of backlog that was begun; what it did.
    async fn finish(&mut self) -> Result<Option<Progress>, StoreError> {
        let Some(Begun { plan, last, progress }) = self.begun.take() else { return Ok(None) };
        if let Some(mut plan) = plan
            && let Err(error) = plan.carried_out().await
        {
            return Err(self.lose_track(None, error).await);
        }
        self.judged.backlog = last;
        Ok(Some(progress))
    }

    /// It is not known how far the store is: waits until nothing is underway, and reads it before the next step.
    async fn lose_track(&mut self, plan: Option<Underway>, error: StoreError) -> StoreError {
        if let Some(mut plan) = plan {
            // Whether it was carried out is seen in the store.
            let _ = plan.carried_out().await;
        }
        (self.begun, self.ahead, self.term) = (None, None, None);
        error
    }

    /// Whether this hub judges. One that takes over goes on where the other one was.
    async fn leads(&mut self) -> Result<bool, StoreError> {
        let term = self.store.lead().await?;
        if term != self.term {
            // What was underway in another term is carried out or refused; the store knows.
            drop(self.finish().await);
            self.ahead = None;
        }
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
        // Whatever becomes of it, the store knows.
        drop(self.finish().await);
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
    let context = underway::inquire(store, &mut inquiry, Context::under(Arc::clone(policy)), &mut None).await?;
    let plan = inquiry.decide(&context);
    let tally = plan.tally;
    store.commit(plan, applied).await?;
    Ok(tally)
}

/// Loads what a batch reaches, on top of what the context holds already.
///
/// # Errors
/// The store cannot be read.
pub async fn gather<S: NationalStore>(store: &S, batch: &Batch, context: Context) -> Result<Context, StoreError> {
    underway::inquire(store, &mut Inquiry::of(batch), context, &mut None).await
}
