//! The comparisons of one session: offers what the hub holds, answers the province's questions, and notes what came of
//! it. Whether both sides hold the same is also looked at with every frame whose root can be compared.

use std::collections::VecDeque;
use std::sync::Arc;

use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture};
use hub_store::holdings::{Agreement, Fence, Resync, ResyncReport, ResyncState};
use hub_store::{NationalStore, StoreError};
use prost::Message as _;
use registry_proto::frame::Opened;
use registry_proto::resync::{BLOCK_CELLS_MAX, Places, RECORDS_ASKED_MAX, STATES_BYTES_MAX, buckets_in};
use registry_proto::v1::{self, ResyncPhase, StreamResponse, resync_ask::Question};
use registry_schema::digest::Hash256;
use registry_schema::holdings::{CELLS_MAX, Holding};
use registry_schema::ids::{Epoch, Origin, RecordId};
use tokio::time::{Duration, Instant};

use super::service::Hub;
use crate::resync::{self, Prepared};

/// Roots of frames that wait to be compared: a frame that was not applied to its end until so many followed never is.
const ROOTS_WAITING_MAX: usize = 64;
/// Questions that a province may ask in one comparison: a hundred thousand records by states take some fifty.
const QUESTIONS_MAX: u64 = 512;
/// Finer comparisons within one: each reads the rows of the corners in question.
const WIDE_MAX: u64 = 8;
/// How often a session looks for comparisons that were asked for.
const LOOK_INTERVAL: Duration = Duration::from_millis(400);
/// How often an agreement that lasts is written down.
const NOTE_INTERVAL: Duration = Duration::from_secs(60);
/// Characters that are kept of what a province says about a comparison.
const DETAIL_CHARS_MAX: usize = 200;
/// Comparisons of a province that are looked through for the open ones.
const OPEN_MAX: usize = 8;

type Preparing = BoxFuture<'static, Result<Option<Prepared>, StoreError>>;

/// The comparisons of one session.
pub(super) struct Comparing<S> {
    hub: Arc<Hub<S>>,
    origin: Origin,
    epoch: Epoch,
    /// Where the frames of the session have led, and the roots that they brought.
    arrived: Places,
    roots: VecDeque<(Places, Hash256)>,
    noted: Option<(bool, Instant)>,
    looked: Option<Instant>,
    preparing: FuturesUnordered<Preparing>,
    current: Option<Current>,
}

struct Current {
    resync: Resync,
    holding: Holding,
    wide: u64,
}

impl<S: NationalStore + 'static> Comparing<S> {
    pub(super) fn new(hub: Arc<Hub<S>>, origin: Origin, epoch: Epoch, arrived: Places) -> Self {
        Self {
            hub,
            origin,
            epoch,
            arrived,
            roots: VecDeque::new(),
            noted: None,
            looked: None,
            preparing: FuturesUnordered::new(),
            current: None,
        }
    }

    /// The incarnation of the province's store.
    pub(super) const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// A frame is the next one of its lane: remembers its root.
    pub(super) fn arrived(&mut self, opened: &Opened, root: &[u8]) {
        self.arrived.insert(opened.lane, opened.last_seq);
        if let Some(root) = Hash256::from_slice(root) {
            self.roots.push_back((self.arrived.clone(), root));
            if self.roots.len() > ROOTS_WAITING_MAX {
                self.roots.pop_front();
            }
        }
    }

    /// Frames were lost on the way: what their successors say does not fit any more.
    pub(super) fn resent(&mut self) {
        self.roots.clear();
    }

    /// Compares the root of the frame that ends where everything is applied now.
    pub(super) async fn agreement(&mut self, fence: &Fence) -> Result<v1::Agreement, StoreError> {
        let at = resync::applied(fence, self.epoch);
        let Some(found) = self.roots.iter().position(|(places, _)| *places == at) else {
            return Ok(v1::Agreement::Unspecified);
        };
        let (_, root) = self.roots.drain(..=found).next_back().expect("the one that was found");
        let agree = root.0 == fence.root.to_bytes();
        let lasts = self.noted.is_some_and(|(noted, since)| noted == agree && since.elapsed() < NOTE_INTERVAL);
        if !lasts {
            self.noted = Some((agree, Instant::now()));
            self.hub.store.note_agreement(self.origin, Agreement { agree, compared_ms: self.hub.now_ms() }).await?;
        }
        if agree {
            return Ok(v1::Agreement::Equal);
        }
        let why = "the root of a frame is not the hub's own";
        resync::begin_unasked(&self.hub.store, self.origin, why, self.hub.surroundings).await?;
        Ok(v1::Agreement::Differs)
    }

    /// Takes up what was asked for. What another session had begun begins anew.
    pub(super) async fn look(&mut self) -> Result<(), StoreError> {
        if !self.preparing.is_empty() || self.looked.is_some_and(|looked| looked.elapsed() < LOOK_INTERVAL) {
            return Ok(());
        }
        self.looked = Some(Instant::now());
        let open = self.hub.store.resyncs(Some(self.origin), OPEN_MAX).await?;
        if let Some(current) = &self.current {
            if !open.iter().any(|resync| resync.id == current.resync.id && resync.state == ResyncState::Running) {
                self.current = None;
            }
            return Ok(());
        }
        let waits = |resync: &Resync| matches!(resync.state, ResyncState::Offered | ResyncState::Running);
        let Some(mut resync) = open.into_iter().rev().find(waits) else { return Ok(()) };
        let from = std::mem::replace(&mut resync.state, ResyncState::Running);
        resync.changed_ms = self.hub.now_ms();
        if self.hub.store.put_resync(resync.clone(), Some(from)).await? {
            fail::fail_point!("hub.resync.running");
            let (hub, epoch) = (Arc::clone(&self.hub), self.epoch);
            self.preparing.push(async move { resync::prepare(&hub.store, resync, epoch).await }.boxed());
        }
        Ok(())
    }

    /// Waits for what is being prepared; for ever when nothing is.
    pub(super) async fn prepared(&mut self) -> Result<Option<Prepared>, StoreError> {
        match self.preparing.next().await {
            Some(prepared) => prepared,
            None => std::future::pending().await,
        }
    }

    /// Offers what was prepared. Which rows wait to be mended is written down first, for whoever judges what mends them.
    pub(super) async fn offer(&mut self, prepared: Prepared) -> Result<Vec<StreamResponse>, StoreError> {
        let Prepared { mut resync, holding, offer, damaged } = prepared;
        let message = v1::ResyncOffer::from(&offer);
        resync.report.bytes += message.encoded_len() as u64;
        resync.report.round_trips += 1;
        if !damaged.is_empty() && !resync.dry_run {
            resync.damaged = damaged.iter().map(|(id, prefix)| (*id, *prefix)).collect();
            self.hub.store.put_resync(resync.clone(), Some(ResyncState::Running)).await?;
        }
        let wide = self.current.take().map_or(0, |current| current.wide);
        self.current = Some(Current { resync, holding, wide });
        Ok(vec![message.into()])
    }

    /// Answers a question of the province; one about a comparison that is over has no answer.
    pub(super) async fn asked(&mut self, ask: v1::ResyncAsk) -> Result<Vec<StreamResponse>, StoreError> {
        let asked = ask.encoded_len() as u64;
        let Some(current) = self.current.as_mut().filter(|current| current.resync.id.cast_unsigned() == ask.resync_id)
        else {
            return Ok(Vec::new());
        };
        current.resync.report.bytes += asked;
        current.resync.report.round_trips += 1;
        if current.resync.report.round_trips > QUESTIONS_MAX || current.wide > WIDE_MAX {
            return self.failed("the province asks without end").await;
        }
        let id = ask.resync_id;
        let answers: Vec<StreamResponse> = match ask.question {
            Some(Question::Cells(cells)) => {
                let (start, end) = (cells.start as usize, cells.end as usize);
                let sketch = &current.holding.sketch;
                let block = match start {
                    0 => sketch.opening(),
                    _ => sketch.block(start..end.min(start.saturating_add(BLOCK_CELLS_MAX))),
                };
                vec![v1::ResyncBlock { resync_id: id, block: block.encode() }.into()]
            }
            Some(Question::Buckets(_)) => {
                vec![v1::ResyncBuckets { resync_id: id, buckets: current.holding.buckets.encode() }.into()]
            }
            Some(Question::Wide(wide)) => {
                current.wide += 1;
                let Ok(of) = buckets_in(&wide.of, "ResyncWide.of") else {
                    return self.failed("the province asks for corners that are none").await;
                };
                let (hub, resync, epoch) = (Arc::clone(&self.hub), current.resync.clone(), self.epoch);
                let cells = (wide.cells as usize).min(CELLS_MAX);
                self.preparing
                    .push(async move { resync::prepare_wide(&hub.store, resync, epoch, cells, of).await }.boxed());
                Vec::new()
            }
            Some(Question::Records(records)) => states(&self.hub.store, self.origin, id, &records.record_ids).await?,
            None => return self.failed("the province asks what this release does not know").await,
        };
        current.resync.report.bytes += answers.iter().map(|answer| answer.encoded_len() as u64).sum::<u64>();
        Ok(answers)
    }

    /// Writes down what came of a comparison.
    pub(super) async fn reported(&mut self, report: v1::ResyncReport) -> Result<(), StoreError> {
        let is_current = |current: &mut Current| current.resync.id.cast_unsigned() == report.resync_id;
        let Some(mut current) = self.current.take_if(is_current) else { return Ok(()) };
        let resync = &mut current.resync;
        add(&mut resync.report, &report);
        resync.state = match report.phase() {
            ResyncPhase::Equal => ResyncState::Done,
            ResyncPhase::Repaired if report.more => ResyncState::Offered,
            ResyncPhase::Repaired => ResyncState::Done,
            ResyncPhase::Found if resync.dry_run => ResyncState::Done,
            ResyncPhase::Found => ResyncState::WaitingApproval,
            ResyncPhase::Failed | ResyncPhase::Unspecified => ResyncState::Failed,
        };
        resync.changed_ms = self.hub.now_ms();
        tracing::info!(
            province = %self.origin, id = resync.id, state = resync.state.name(), altered = resync.report.altered,
            only_here = resync.report.only_here, only_there = resync.report.only_there, "a comparison ended"
        );
        fail::fail_point!("hub.resync.ended");
        self.hub.store.put_resync(current.resync, Some(ResyncState::Running)).await.map(drop)
    }

    async fn failed(&mut self, why: &str) -> Result<Vec<StreamResponse>, StoreError> {
        if let Some(Current { mut resync, .. }) = self.current.take() {
            (resync.state, resync.report.detail, resync.changed_ms) =
                (ResyncState::Failed, why.to_owned(), self.hub.now_ms());
            self.hub.store.put_resync(resync, Some(ResyncState::Running)).await?;
        }
        Ok(Vec::new())
    }
}

/// Adds what a province says to what is known of a comparison. Its numbers are anybody's, and its words are shown on the
/// terminals of operators, which obey control characters.
fn add(found: &mut ResyncReport, said: &v1::ResyncReport) {
    let sums = [
        (&mut found.bytes, said.encoded_len() as u64),
        (&mut found.altered, said.altered),
        (&mut found.only_here, said.only_here),
        (&mut found.only_there, said.only_there),
        (&mut found.repaired, said.repaired),
        (&mut found.restored, said.restored),
        (&mut found.quarantined, said.quarantined),
        (&mut found.damaged_in_province, said.damaged),
        (&mut found.rows_read, said.rows_read),
    ];
    for (sum, more) in sums {
        *sum = sum.saturating_add(more);
    }
    if !said.detail.is_empty() {
        found.detail = said.detail.chars().filter(|c| !c.is_control()).take(DETAIL_CHARS_MAX).collect();
    }
}

/// The states that the hub holds of some records, in messages of moderate size.
async fn states<S: NationalStore>(
    store: &S,
    origin: Origin,
    resync_id: u64,
    records: &[u64],
) -> Result<Vec<StreamResponse>, StoreError> {
    let ids = records.iter().take(RECORDS_ASKED_MAX).filter_map(|id| RecordId::from_number(id.cast_signed()));
    let (mut messages, mut bytes) = (Vec::new(), 0);
    let mut states = Vec::new();
    for (id, state) in store.held_states(origin, ids.collect()).await? {
        bytes += state.canonical.len();
        states.push(v1::Change {
            record_id: id.number().cast_unsigned(),
            version: state.version.0,
            clock: state.clock.number(),
            canonical: state.canonical.to_vec(),
        });
        if bytes > STATES_BYTES_MAX {
            bytes = 0;
            messages.push(v1::ResyncStates { resync_id, states: std::mem::take(&mut states), is_last: false }.into());
        }
    }
    messages.push(v1::ResyncStates { resync_id, states, is_last: true }.into());
    Ok(messages)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_province_may_say_any_number_and_no_control_character() {
        let mut found = ResyncReport::default();
        let said = v1::ResyncReport { altered: u64::MAX, detail: "\u{1b}[2Jdone\n".repeat(100), ..Default::default() };
        add(&mut found, &said);
        add(&mut found, &said);
        assert_eq!((found.altered, found.detail.chars().count()), (u64::MAX, DETAIL_CHARS_MAX));
        assert!(found.detail.starts_with("[2Jdone[2J"), "{}", found.detail);
    }
}
