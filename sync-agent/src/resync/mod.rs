//! Finds and mends every difference between this store and its national copy, while clerks go on and changes are sent.
//!
//! The centre names a place of the lanes and what it holds there; [`registry_proto::resync`] finds out what differs. What
//! only this store has, or has newer, is sent again in lane `repair`. What the centre has newer is written into the
//! registers as it was sealed. What this store never had is set aside for a person. Nothing is ever deleted.

mod repair;
mod scrub;
mod quarantine;

use std::collections::BTreeSet;

use registry_proto::frame::Change;
use registry_proto::resync::{Comparison, Offer, RECORDS_ASKED_MAX, Said, Step};
use registry_proto::v1::{self, ResyncPhase, StreamRequest, resync_ask::Question};
use registry_schema::holdings::{Block, Buckets, Differences, Holding, HoldingsKey, SKETCH_CELLS};
use registry_schema::ids::{Origin, RecordId};

use crate::holdings::{self, Kept};
use crate::store::{Store, StoreError, StoreHandle, open_read_only, state};

pub use quarantine::{Quarantined, quarantined, release};
pub use scrub::{Scrub, Verified, verify};

/// Records that one call of the store takes care of, so that sealing and sending wait for milliseconds.
const RECORDS_PER_CALL: usize = 1_000;

/// The comparison of one stream, if there is one.
#[derive(Default)]
pub(crate) struct Resync {
    comparison: Option<Comparison>,
    report: v1::ResyncReport,
    /// Records whose states are to be asked for, and those that were.
    to_ask: Vec<RecordId>,
    asked: BTreeSet<RecordId>,
    is_partial: bool,
}

/// What the work needs besides what is said.
pub(crate) struct Desk<'a> {
    pub(crate) store: &'a StoreHandle,
    pub(crate) now_ms: u64,
}

impl Resync {
    /// Takes a message of the centre; answers what to say.
    pub(crate) async fn take(&mut self, desk: Desk<'_>, said: Said) -> Result<Vec<StreamRequest>, StoreError> {
        match said {
            Said::Offer(offer) => self.offered(&desk, offer).await,
            Said::Block(id, block) => self.block(&desk, id, &block).await,
            Said::Buckets(id, buckets) => self.buckets(&desk, id, &buckets).await,
            Said::States(id, states, is_last) => self.states(&desk, id, states, is_last).await,
        }
    }

    async fn offered(&mut self, desk: &Desk<'_>, offer: Offer) -> Result<Vec<StreamRequest>, StoreError> {
        let goes_on = self.comparison.as_ref().is_some_and(|comparison| comparison.offer().id == offer.id);
        if !goes_on {
            *self = Self { report: v1::ResyncReport { resync_id: offer.id, ..Default::default() }, ..Self::default() };
            if offer.deep {
                let mends = !offer.dry_run;
                let scrub = scrub::scrub(desk.store, mends, desk.now_ms).await?;
                self.report.rows_read += scrub.rows;
                self.report.damaged = scrub.damaged();
            }
            if !offer.dry_run {
                self.report.repaired += resend(desk, offer.wanted.clone()).await?;
            }
        }
        let asked = offer.clone();
        let own = desk.store.call(move |store| own_holding(store, &asked)).await?;
        let (key, holding) = match own {
            Own::Refused(why) => return Ok(self.ended(ResyncPhase::Failed, why)),
            Own::Here(key, holding) => (key, holding),
            Own::InRows(key, origin, path) => {
                let asked = offer.clone();
                let counted = desk.store.beside(move || {
                    let (connection, _) = open_read_only(&path)?;
                    let counted = holdings::count(&connection, origin, &key, &asked.applied, asked.cells, &asked.of)?;
                    Ok((key, counted))
                });
                let (key, counted) = counted.await?;
                self.report.rows_read += counted.rows;
                (key, counted.holding)
            }
        };
        let (comparison, step) = Comparison::begin(offer, key, holding);
        self.comparison = Some(comparison);
        self.step(desk, step).await
    }

    async fn block(&mut self, desk: &Desk<'_>, id: u64, block: &Block) -> Result<Vec<StreamRequest>, StoreError> {
        match self.comparison.as_mut().filter(|comparison| comparison.offer().id == id) {
            Some(comparison) => {
                let step = comparison.block(block);
                self.step(desk, step).await
            }
            None => Ok(Vec::new()),
        }
    }

    async fn buckets(&mut self, desk: &Desk<'_>, id: u64, theirs: &Buckets) -> Result<Vec<StreamRequest>, StoreError> {
        match self.comparison.as_mut().filter(|comparison| comparison.offer().id == id) {
            Some(comparison) => {
                let step = comparison.buckets(theirs);
                self.is_partial |= comparison.is_partial();
                self.step(desk, step).await
            }
            None => Ok(Vec::new()),
        }
    }

    async fn step(&mut self, desk: &Desk<'_>, step: Step) -> Result<Vec<StreamRequest>, StoreError> {
        match step {
            Step::Ask(question) => Ok(vec![self.ask(question)]),
            Step::Equal if self.report.repaired + self.report.damaged > 0 => self.repaired(desk).await,
            Step::Equal => {
                self.settled(desk).await?;
                Ok(self.ended(ResyncPhase::Equal, String::new()))
            }
            Step::Found(differences) => self.found(desk, &differences).await,
            Step::Failed(why) => Ok(self.ended(ResyncPhase::Failed, why)),
        }
    }

    /// Sends again what is the centre's to have, and asks for what may be this store's.
    async fn found(&mut self, desk: &Desk<'_>, found: &Differences) -> Result<Vec<StreamRequest>, StoreError> {
        use registry_schema::holdings::Difference::{Altered, OnlyHere, OnlyThere};
        let records = found.by_record();
        let count = |of: fn(&registry_schema::holdings::Difference) -> bool| {
            records.values().filter(|difference| of(difference)).count() as u64
        };
        self.report.altered = count(|difference| matches!(difference, Altered { .. }));
        self.report.only_here = count(|difference| matches!(difference, OnlyHere(_)));
        self.report.only_there = count(|difference| matches!(difference, OnlyThere(_)));
        self.report.rows_read += self.report.altered + self.report.only_here;
        let offer = self.comparison.as_ref().map(Comparison::offer);
        if offer.is_none_or(|offer| offer.dry_run || records.len() as u64 > offer.repairs_max) {
            return Ok(self.ended(ResyncPhase::Found, String::new()));
        }
        let (mut again, mut altered) = (Vec::new(), Vec::new());
        for (id, difference) in records {
            match difference {
                OnlyHere(_) => again.push(id),
                OnlyThere(_) => self.to_ask.push(id),
                Altered { there, .. } => altered.push((id, there)),
            }
        }
        for some in altered.chunks(RECORDS_PER_CALL) {
            let some = some.to_vec();
            let (older, unknown) = desk.store.call(move |store| repair::part(store, &some)).await?;
            again.extend(older);
            self.to_ask.extend(unknown);
        }
        self.report.repaired += resend(desk, again).await?;
        self.ask_or_end(desk).await
    }

    async fn ask_or_end(&mut self, desk: &Desk<'_>) -> Result<Vec<StreamRequest>, StoreError> {
        if self.to_ask.is_empty() {
            return self.repaired(desk).await;
        }
        let rest = self.to_ask.split_off(self.to_ask.len().min(RECORDS_ASKED_MAX));
        let now = std::mem::replace(&mut self.to_ask, rest);
        let record_ids = now.iter().map(|id| id.number().cast_unsigned()).collect();
        self.asked.extend(now);
        Ok(vec![self.ask(Question::Records(v1::ResyncRecords { record_ids }))])
    }

    async fn states(
        &mut self,
        desk: &Desk<'_>,
        id: u64,
        states: Vec<Change>,
        is_last: bool,
    ) -> Result<Vec<StreamRequest>, StoreError> {
        if self.comparison.as_ref().is_none_or(|comparison| comparison.offer().id != id) {
            return Ok(Vec::new());
        }
        let mut again = Vec::new();
        let mut states: Vec<Change> = states.into_iter().filter(|state| self.asked.remove(&state.record_id)).collect();
        while !states.is_empty() {
            let some: Vec<Change> = states.drain(..states.len().min(RECORDS_PER_CALL)).collect();
            let now_ms = desk.now_ms;
            let take = move |store: &mut Store| {
                let restoring = state::restoring(store.connection())?;
                repair::take(store, some, restoring, now_ms)
            };
            let taken = desk.store.call(take).await?;
            self.report.restored += taken.restored;
            self.report.quarantined += taken.quarantined;
            again.extend(taken.again);
        }
        self.report.repaired += resend(desk, again).await?;
        if is_last { self.ask_or_end(desk).await } else { Ok(Vec::new()) }
    }

    async fn repaired(&mut self, desk: &Desk<'_>) -> Result<Vec<StreamRequest>, StoreError> {
        self.settled(desk).await?;
        Ok(self.ended(ResyncPhase::Repaired, String::new()))
    }

    /// A whole comparison is over: what a new epoch had lost is back.
    async fn settled(&self, desk: &Desk<'_>) -> Result<(), StoreError> {
        let whole = self.comparison.as_ref().is_some_and(|comparison| {
            let offer = comparison.offer();
            offer.of.is_empty() || !self.is_partial
        });
        if whole {
            desk.store.call(|store| state::set_restoring(store.connection(), false)).await?;
        }
        Ok(())
    }

    fn ask(&self, question: Question) -> StreamRequest {
        v1::ResyncAsk { resync_id: self.report.resync_id, question: Some(question) }.into()
    }

    fn ended(&mut self, phase: ResyncPhase, detail: String) -> Vec<StreamRequest> {
        let report = std::mem::take(&mut self.report);
        let (phase, more) = (phase.into(), self.is_partial);
        let report = v1::ResyncReport { phase, more, detail, ..report };
        *self = Self::default();
        vec![report.into()]
    }
}

enum Own {
    /// The comparison cannot be made; why.
    Refused(String),
    /// The sums that are kept, at the place.
    Here(HoldingsKey, Holding),
    /// The rows of the store in this file must be read.
    InRows(HoldingsKey, Origin, std::path::PathBuf),
}

fn own_holding(store: &mut Store, offer: &Offer) -> Result<Own, StoreError> {
    let incarnation = store.incarnation();
    let Some(key) = store.kept.as_ref().map(|kept: &Kept| kept.key.clone()) else {
        return Ok(Own::Refused("the store keeps no sums yet; try again".to_owned()));
    };
    let sealed = holdings::sealed(store.connection())?;
    let ahead = offer.applied.iter().any(|(lane, seq)| sealed.get(lane).is_none_or(|sealed| seq > sealed));
    if offer.epoch != incarnation.epoch || offer.key != key.id() || ahead {
        return Ok(Own::Refused("the offer is about another history or another key of this store".to_owned()));
    }
    if offer.of.is_empty() && offer.cells <= SKETCH_CELLS {
        let holding = store.holding_at(&offer.applied)?;
        return Ok(Own::Here(key, holding.unwrap_or_default()));
    }
    match store.connection.path().filter(|path| !path.is_empty()) {
        Some(path) => Ok(Own::InRows(key, incarnation.origin, path.into())),
        None => Ok(Own::Refused("the store is no file".to_owned())),
    }
}

/// Logs the present states of these records to be sent once more.
async fn resend(desk: &Desk<'_>, mut records: Vec<RecordId>) -> Result<u64, StoreError> {
    let mut sent = 0;
    while !records.is_empty() {
        let some: Vec<RecordId> = records.drain(..records.len().min(RECORDS_PER_CALL)).collect();
        let now_ms = desk.now_ms;
        sent += desk.store.call(move |store| repair::resend(store, &some, now_ms)).await?;
    }
    Ok(sent)
}
