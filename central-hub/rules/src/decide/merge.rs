//! Step one: which states are new, and which state of each record is present.

use std::collections::BTreeMap;

use registry_schema::digest::Hash256;
use registry_schema::ids::RecordKey;

use crate::arrival::{Arrival, Rank, State};
use crate::context::Context;
use crate::reading::Reading;
use crate::rule::{correction, resend};
use crate::verdict::Verdict;

/// Arrivals that are judged together, each read once.
#[derive(Debug, Default)]
pub struct Batch {
    pub(super) states: BTreeMap<RecordKey, Vec<Reading>>,
    /// Present states of rows that are brought back; see [`Batch::mending`].
    pub(super) mended: BTreeMap<RecordKey, Reading>,
    verdicts: BTreeMap<Hash256, Verdict>,
    repeated: u64,
}

/// What a batch changes before anything is judged.
#[derive(Debug)]
pub(super) struct Merged<'a> {
    /// Records with new states.
    pub(super) records: BTreeMap<RecordKey, MergedRecord<'a>>,
    /// Present states to write over rows that were lost or altered.
    pub(super) mended: &'a BTreeMap<RecordKey, Reading>,
    /// Verdicts that were not known.
    pub(super) verdicts: BTreeMap<Hash256, Verdict>,
    /// States and verdicts that were known.
    pub(super) resent: u64,
}

/// A record with new states.
#[derive(Debug)]
pub(super) struct MergedRecord<'a> {
    /// The state that is present now.
    pub(super) present: &'a Reading,
    /// Whether it was present before.
    pub(super) unchanged: bool,
    /// Every state that was not known.
    pub(super) arrived: Vec<&'a Reading>,
    /// The rank of the latest state known before, valid or not, and whether it was valid.
    pub(super) latest_before: Option<(Rank, bool)>,
}

impl Batch {
    /// Adds an arrival; one that is in the batch already counts as sent again.
    pub fn push(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::State(key, state) => self.push_state(key, state),
            Arrival::Verdict(verdict) => {
                if self.verdicts.insert(verdict.id(), verdict).is_some() {
                    self.repeated += 1;
                }
            }
        }
    }

    fn push_state(&mut self, key: RecordKey, state: State) {
        let states = self.states.entry(key).or_default();
        let known: Vec<Rank> = states.iter().map(|reading| reading.state.rank()).collect();
        if resend::is_resend(&known, &state) {
            self.repeated += 1;
        } else {
            states.push(Reading::of(key, state));
        }
    }

    /// The records that have states in the batch, with them.
    pub(crate) fn states(&self) -> impl Iterator<Item = (RecordKey, &Vec<Reading>)> {
        self.states.iter().map(|(key, states)| (*key, states))
    }

    /// The verdicts in the batch.
    pub(super) fn verdicts(&self) -> impl Iterator<Item = &Verdict> {
        self.verdicts.values()
    }

    /// Merges the batch with what was known.
    pub(super) fn merge<'a>(&'a self, context: &'a Context) -> Merged<'a> {
        let (records, verdicts, resent) = (BTreeMap::new(), BTreeMap::new(), self.repeated);
        let mut merged = Merged { records, mended: &self.mended, verdicts, resent };
        for (key, states) in &self.states {
            let (record, resent) = merge_record(context, *key, states);
            merged.resent += resent;
            merged.records.extend(record.map(|record| (*key, record)));
        }
        for (id, verdict) in &self.verdicts {
            if context.verdicts.contains_key(id) {
                merged.resent += 1;
            } else {
                merged.verdicts.insert(*id, verdict.clone());
            }
        }
        merged
    }
}

fn merge_record<'a>(context: &'a Context, key: RecordKey, states: &'a [Reading]) -> (Option<MergedRecord<'a>>, u64) {
    let stored = context.entries.get(&key);
    let mut known: Vec<(Rank, bool)> = stored.map(|stored| stored.past.clone()).unwrap_or_default();
    known.extend(stored.map(|stored| (stored.present.state.rank(), stored.present.is_valid())));
    let ranks: Vec<Rank> = known.iter().map(|(rank, _)| *rank).collect();
    let arrived: Vec<&Reading> = states.iter().filter(|reading| !resend::is_resend(&ranks, &reading.state)).collect();
    let resent = (states.len() - arrived.len()) as u64;
    if arrived.is_empty() {
        return (None, resent);
    }
    let before = stored.map(|stored| &stored.present);
    let present = correction::present(before.into_iter().chain(arrived.iter().copied())).expect("something arrived");
    let unchanged = before.is_some_and(|before| before.rank() == present.rank());
    let latest_before = known.into_iter().max_by_key(|(rank, _)| *rank);
    (Some(MergedRecord { present, unchanged, arrived, latest_before }), resent)
}
