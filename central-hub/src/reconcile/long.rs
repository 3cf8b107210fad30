//! When the backlog is long, everything is judged anew in bulk, and live entries go on being judged meanwhile.

use std::sync::Arc;

use hub_rules::digests::Section;
use hub_rules::islands::Cut;
use hub_store::model::Watermark;
use hub_store::{NationalStore, StoreError};
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;
use tokio::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

use super::take::LIVE;
use super::{Progress, Reconciler};
use crate::bulk::{self, Built, BulkError, Watch};

/// States that wait in the backlog before bulk is worth its beginning: the daily path judges them in a minute.
pub const BULK_STATES_MIN: u64 = 200_000;
/// States that come in a second in a flood: several times what the daily path judges beside them.
const FLOOD_STATES_PER_SECOND: u64 = 20_000;
/// States that are judged in a second in whatever batches.
const LITTLE_STATES: u64 = 2_000;
/// How long a flood may keep the backlog waiting. A hundred million states need more, and are then judged in two parts.
const FLOOD_PATIENCE: Duration = Duration::from_secs(1_800);
/// Time between two looks at what waits.
const LOOK: Duration = Duration::from_secs(1);
/// Time before bulk is tried again after it failed, as for want of space.
const RETRY: Duration = Duration::from_secs(600);

/// How the backlog is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Course {
    /// One batch after the other.
    #[default]
    Daily,
    /// Not now: so much comes that the processors are better left to what takes it in, and bulk is near.
    Later,
    /// All at once.
    Bulk,
}

/// What was seen of the backlog.
#[derive(Debug, Default)]
pub(super) struct Outlook {
    /// How many states must wait for the bulk path; `None` where the store has none.
    bulk_states_min: Option<u64>,
    next_look: Option<Instant>,
    last: Option<Look>,
    /// Since when states come as a flood.
    flood_since: Option<Instant>,
    course: Course,
}

/// What one look saw.
#[derive(Debug)]
struct Look {
    at: Instant,
    /// States in the journal.
    journaled: u64,
    /// Those of them that are not judged.
    waiting: u64,
}

impl Outlook {
    pub(super) fn in_bulk_from(states: u64) -> Self {
        Self { bulk_states_min: Some(states), ..Self::default() }
    }

    /// Takes the course that fits so many states in the journal, judged and not. More waits than was ever judged, and it
    /// is much: then judging all of it anew is the shorter way, and however often that happens, no state is judged in bulk
    /// more than twice on average.
    fn take(&mut self, now: Instant, (journaled, waiting, judged): (u64, u64, u64)) -> Course {
        let last = self.last.replace(Look { at: now, journaled, waiting });
        let rate = last.map_or(0.0, |last| {
            journaled.saturating_sub(last.journaled) as f64 / (now - last.at).as_secs_f64().max(LOOK.as_secs_f64())
        });
        self.flood_since = (rate >= FLOOD_STATES_PER_SECOND as f64).then(|| self.flood_since.unwrap_or(now));
        self.course = match self.bulk_states_min {
            None => Course::Daily,
            Some(_) if self.flood_since.is_some_and(|since| now - since < FLOOD_PATIENCE) => Course::Later,
            Some(least) if waiting >= least && waiting >= judged => Course::Bulk,
            Some(_) => Course::Daily,
        };
        self.course
    }

    /// Whether so little waited at the last look that large batches gain nothing. Whatever begins to come after it may have
    /// clerks in its midst, who would wait for one.
    pub(super) fn little_waits(&self) -> bool {
        self.last.as_ref().is_some_and(|last| last.waiting <= LITTLE_STATES)
    }
}

impl<S: NationalStore + Clone + 'static> Reconciler<S> {
    /// How the backlog is to be judged now.
    pub(super) async fn course(&mut self) -> Result<Course, StoreError> {
        let now = Instant::now();
        if self.outlook.next_look.is_some_and(|next| now < next) {
            return Ok(self.outlook.course);
        }
        self.outlook.next_look = Some(now + LOOK);
        if !self.leads().await? {
            return Ok(Course::Daily);
        }
        let judged = self.store.digests().await?.digests.section(Section::States).count().cast_unsigned();
        let (mut journaled, mut waiting) = (0, 0);
        for province in self.store.provinces().await? {
            for cursor in self.store.cursors(province.origin).await? {
                journaled += cursor.seq.0;
                waiting += cursor.seq.0.saturating_sub(cursor.applied.0);
            }
        }
        Ok(self.outlook.take(now, (journaled, waiting, judged)))
    }

    /// Judges the whole journal in bulk beside the registry that stands, and live entries in that one until then.
    pub(super) async fn judge_in_bulk(
        &mut self,
        journaled: &mut watch::Receiver<u64>,
        applied: &broadcast::Sender<()>,
        stop: &CancellationToken,
    ) {
        match self.finish().await {
            Ok(None) => {}
            begun => return self.after(begun, (journaled, applied, stop)).await,
        }
        tracing::info!("a long backlog is judged in bulk; live entries go on meanwhile");
        let build = build(self.store.clone(), Arc::clone(&self.policy), self.clearing.take(), stop.clone());
        let building = match bulk::apart(build) {
            Ok(building) => building,
            Err(error) => return self.put_off(&error),
        };
        while !building.is_finished() {
            let step = self.step_live().await;
            self.after(step, (journaled, applied, stop)).await;
        }
        self.outlook.course = Course::Daily;
        let placed = match building.join() {
            Ok(Ok(Some(built))) => self.place(built).await,
            Ok(Ok(None)) => {
                self.outlook = Outlook::default();
                return;
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Err(BulkError::Interrupted),
        };
        match placed {
            Ok(states) => {
                tracing::info!(states, "the backlog was judged in bulk");
                let _ = applied.send(());
            }
            Err(BulkError::Interrupted) if stop.is_cancelled() => {}
            Err(error) => self.put_off(&error),
        }
    }

    /// Bulk failed, and is tried again later.
    fn put_off(&mut self, error: &BulkError) {
        tracing::warn!(%error, "the backlog is judged one batch after the other instead");
        self.outlook.course = Course::Daily;
        self.outlook.next_look = Some(Instant::now() + RETRY);
    }

    /// Puts what was built in the place of what stands.
    async fn place(&mut self, mut built: Built) -> Result<u64, BulkError> {
        built.catch_up(&self.store, &self.policy, self.judged.live).await?;
        let (states, remains) = built.take_place(&self.store, &self.policy).await?;
        self.clearing = Some(tokio::spawn(async move {
            if let Err(error) = remains.clear().await {
                tracing::warn!(%error, "the registry that stood before is not cleared away; the next judge does it");
            }
        }));
        self.judged = self.store.digests().await?.watermark;
        self.ahead = None;
        Ok(states)
    }

    /// Judges the next live entries, when the backlog that was begun is carried out.
    pub(super) async fn step_live(&mut self) -> Result<Option<Progress>, StoreError> {
        if !self.leads().await? {
            return Ok(None);
        }
        if let Some(backlog) = self.finish().await? {
            return Ok(Some(backlog));
        }
        match self.read(LIVE, self.judged.live).await? {
            Some(live) => self.judge_live(live).await.map(Some),
            None => Ok(None),
        }
    }
}

/// Builds aside, when what stood before the last time is cleared away: that needs the same room.
async fn build<S: NationalStore>(
    store: S,
    policy: Arc<hub_rules::policy::Policy>,
    clearing: Option<JoinHandle<()>>,
    stop: CancellationToken,
) -> Result<Option<Built>, BulkError> {
    if let Some(clearing) = clearing {
        // One that panicked leaves its remains to the next builder.
        let _ = clearing.await;
    }
    let scratch = tempfile::tempdir()?;
    let progress = &|step: bulk::Step, done| tracing::debug!(step = step.name(), done, "bulk");
    let watch = Watch { progress, stop };
    let built = bulk::build(&store, &policy, (Watermark::END, Cut::default()), scratch.path(), &watch).await?;
    let Some(mut built) = built else { return Ok(None) };
    // Most of what was judged live meanwhile; what is left keeps clerks waiting.
    let judged = store.digests().await?.watermark.live;
    built.catch_up(&store, &policy, judged).await?;
    Ok(Some(built))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIN: u64 = 1_000;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_flood_is_taken_in_first_and_then_judged_at_once() {
        let (mut outlook, begin) = (Outlook::in_bulk_from(MIN), Instant::now());
        assert_eq!(outlook.take(begin, (0, 0, 0)), Course::Daily);
        assert_eq!(outlook.take(begin + seconds(1), (60_000, 60_000, 0)), Course::Later);
        assert_eq!(outlook.take(begin + seconds(2), (99_000, 99_000, 0)), Course::Later);
        assert_eq!(outlook.take(begin + seconds(3), (99_500, 99_500, 0)), Course::Bulk);
        assert_eq!(outlook.take(begin + seconds(4), (99_500, 0, 99_500)), Course::Daily);
    }

    #[test]
    fn what_begins_to_come_is_judged_in_small_batches_until_it_is_seen_to_be_much() {
        let (mut outlook, begin) = (Outlook::in_bulk_from(MIN), Instant::now());
        assert!(!outlook.little_waits(), "nobody has looked");
        outlook.take(begin, (9_000, LITTLE_STATES, 9_000 - LITTLE_STATES));
        assert!(outlook.little_waits());
        outlook.take(begin + seconds(1), (9_001, LITTLE_STATES + 1, 9_000 - LITTLE_STATES));
        assert!(!outlook.little_waits());
    }

    #[test]
    fn a_flood_that_never_ends_is_not_waited_for() {
        let (mut outlook, begin) = (Outlook::in_bulk_from(MIN), Instant::now());
        let look = |at: u64| (begin + seconds(at), (at * 2 * FLOOD_STATES_PER_SECOND, MIN, 0));
        let looks = (0..FLOOD_PATIENCE.as_secs() + 2).map(look);
        let later =
            looks.map(|(at, seen)| outlook.take(at, seen)).skip(1).take_while(|course| *course == Course::Later);
        assert_eq!(later.count() as u64, FLOOD_PATIENCE.as_secs());
    }

    #[test]
    fn a_little_more_is_judged_as_it_comes() {
        let (mut outlook, begin) = (Outlook::in_bulk_from(MIN), Instant::now());
        assert_eq!(outlook.take(begin, (5_000, MIN, 4_000)), Course::Daily, "most is judged");
        assert_eq!(outlook.take(begin + seconds(1), (5_000, MIN - 1, 0)), Course::Daily, "little waits");
        assert_eq!(outlook.take(begin + seconds(2), (5_000, MIN, MIN)), Course::Bulk);
        assert_eq!(Outlook::default().take(begin, (5_000, 5_000, 0)), Course::Daily, "where there is no bulk path");
    }
}
