//! When the backlog is long, everything is judged anew in bulk, and live entries go on being judged meanwhile.

use std::sync::Arc;

use hub_rules::digests::Section;
use hub_rules::islands::Cut;
use hub_rules::policy::ruling;
use hub_store::model::Watermark;
use hub_store::{NationalStore, StoreError};
use tokio::sync::{broadcast, watch};
use tokio::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

use super::{LIVE, Progress, Reconciler};
use crate::bulk::{self, Built, BulkError, Watch};

/// States that wait in the backlog before bulk is worth its beginning: the daily path judges them in a minute.
pub const BULK_STATES_MIN: u64 = 200_000;
/// Time between two looks at how much waits.
const LOOK: Duration = Duration::from_secs(10);
/// Time before bulk is tried again after it failed, as for want of space.
const RETRY: Duration = Duration::from_secs(600);

impl<S: NationalStore + Clone + 'static> Reconciler<S> {
    /// Whether more waits than was ever judged, and it is much: then judging all of it anew is the shorter way, and
    /// however often that happens, no entry is judged in bulk more than twice on average.
    pub(super) async fn is_bulk_due(&mut self) -> Result<bool, StoreError> {
        if self.bulk_states_min == u64::MAX || self.next_look.is_some_and(|next| Instant::now() < next) {
            return Ok(false);
        }
        self.next_look = Some(Instant::now() + LOOK);
        if !self.leads().await? {
            return Ok(false);
        }
        let judged = self.store.digests().await?.digests.section(Section::States).count().cast_unsigned();
        let mut waiting = 0;
        for province in self.store.provinces().await? {
            let cursors = self.store.cursors(province.origin).await?;
            waiting += cursors.iter().map(|cursor| cursor.seq.0.saturating_sub(cursor.applied.0)).sum::<u64>();
        }
        Ok(waiting >= self.bulk_states_min && waiting >= judged)
    }

    /// Judges the whole journal in bulk beside the registry that stands, and live entries in that one until then.
    pub(super) async fn judge_in_bulk(
        &mut self,
        journaled: &mut watch::Receiver<u64>,
        applied: &broadcast::Sender<()>,
        stop: &CancellationToken,
    ) {
        tracing::info!("a long backlog is judged in bulk; live entries go on meanwhile");
        let build = build(self.store.clone(), Arc::clone(&self.policy), stop.clone());
        let building = tokio::spawn(build);
        while !building.is_finished() {
            let step = self.step_live().await;
            self.after(step, (journaled, applied, stop)).await;
        }
        let placed = match building.await {
            Ok(Ok(Some(built))) => self.place(built).await,
            Ok(Ok(None)) => {
                self.bulk_states_min = u64::MAX;
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
            Err(error) => {
                tracing::warn!(%error, "the backlog is judged one batch after the other instead");
                self.next_look = Some(Instant::now() + RETRY);
            }
        }
    }

    /// Puts what was built in the place of what stands.
    async fn place(&mut self, mut built: Built) -> Result<u64, BulkError> {
        built.catch_up(&self.store, &self.policy, self.judged.live).await?;
        let states = built.states;
        built.aside.take_place(&built.applied, &ruling(&self.policy)).await?;
        self.judged = self.store.digests().await?.watermark;
        self.ahead = None;
        Ok(states)
    }

    /// Judges the next live entries.
    async fn step_live(&mut self) -> Result<Option<Progress>, StoreError> {
        if !self.leads().await? {
            return Ok(None);
        }
        match self.read(LIVE, self.judged.live).await? {
            Some(live) => self.judge(live).await.map(Some),
            None => Ok(None),
        }
    }
}

async fn build<S: NationalStore>(
    store: S,
    policy: Arc<hub_rules::policy::Policy>,
    stop: CancellationToken,
) -> Result<Option<Built>, BulkError> {
    let scratch = tempfile::tempdir()?;
    let progress = &|step: bulk::Step, done| tracing::debug!(step = step.name(), done, "bulk");
    bulk::build(&store, &policy, (Watermark::END, Cut::default()), scratch.path(), &Watch { progress, stop }).await
}
