//! What each province holds as far as the nation heard, and the comparisons that operators asked for: the plain values,
//! and the arithmetic that both stores share.

use std::collections::BTreeMap;

use hub_rules::State;
use hub_rules::plan::HeldMove;
use registry_schema::digest::{SetSum, content_hash};
use registry_schema::holdings::{Bucket, Delta, Held, Holding, HoldingsKey};
use registry_schema::ids::{Origin, RecordId, RecordKey};
use registry_schema::kind::Kind;
use serde::{Deserialize, Serialize};

use crate::model::Cursor;

/// Items of deltas that wait to be folded into the checkpoint: a megabyte beside the 86 kB that a fold writes anew, so
/// that the sums cost a commit less than a hundredth of what its records do.
pub(crate) const TAIL_ITEMS_MAX: i64 = 65_536;
/// Rows of one page of a walk through a province: some megabytes.
pub(crate) const PAGE_ROWS: i64 = 4_000;

/// How far a province's lanes are applied, and the sums exactly there: read in one snapshot.
#[derive(Debug, Clone)]
pub struct Fence {
    /// The cursors of the lanes.
    pub cursors: Vec<Cursor>,
    /// The key of the sums.
    pub key: HoldingsKey,
    /// The sum and number of all tags.
    pub root: SetSum,
}

/// A holding that was made from the rows, with the fence at which it was.
#[derive(Debug, Clone)]
pub struct Recount {
    /// Where.
    pub fence: Fence,
    /// What the rows say.
    pub holding: Holding,
    /// What is kept, of all corners.
    pub kept: Holding,
    /// Rows that were read.
    pub rows: u64,
}

/// How the last comparison of roots with a province ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Agreement {
    /// Whether the roots were equal.
    pub agree: bool,
    /// When, in Unix milliseconds.
    pub compared_ms: i64,
}

/// Where a comparison stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResyncState {
    /// It waits for the province's session.
    Offered,
    /// Both sides compare.
    Running,
    /// It found more than one operator may have repaired.
    WaitingApproval,
    /// It is done.
    Done,
    /// It came to nothing; the report says why.
    Failed,
    /// An operator took it back.
    Cancelled,
}

impl ResyncState {
    /// Whether something is left to do.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Offered | Self::Running | Self::WaitingApproval)
    }

    /// The name in reports and stores.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Offered => "offered",
            Self::Running => "running",
            Self::WaitingApproval => "waiting_approval",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A comparison of a province's store with its national copy: who asked for it, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resync {
    /// Names it: Unix microseconds of its beginning.
    pub id: i64,
    /// The province.
    pub origin: Origin,
    /// Where it stands.
    pub state: ResyncState,
    /// Entries of one kind only.
    pub kind: Option<Kind>,
    /// Entries of one year only.
    pub year: Option<i16>,
    /// Whether both sides look at every row.
    pub deep: bool,
    /// Whether nothing is to be repaired.
    pub dry_run: bool,
    /// Who asked for it.
    pub who: String,
    /// Why.
    pub why: String,
    /// Who else agreed to a large repair.
    pub approver: Option<String>,
    /// What was found and done.
    pub report: ResyncReport,
    /// Rows of the nation that were lost or altered and are not mended yet, by the prefixes of their tags. Until then the
    /// province's answer is no news, but the row itself, whichever session it comes in and whichever hub judges it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub damaged: Vec<(RecordId, u64)>,
    /// When it last moved, in Unix milliseconds.
    pub changed_ms: i64,
}

/// What a comparison found and did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResyncReport {
    /// Records that both sides have, in different states.
    pub altered: u64,
    /// Records that only the province has.
    pub only_here: u64,
    /// Records that only the nation has.
    pub only_there: u64,
    /// Records that the province sends again.
    pub repaired: u64,
    /// Records that the province took from the nation.
    pub restored: u64,
    /// States that the province set aside for a person.
    pub quarantined: u64,
    /// Rows of the nation that were lost or altered in the database.
    pub damaged_at_centre: u64,
    /// Rows of the province that were altered round its triggers.
    pub damaged_in_province: u64,
    /// Bytes of the messages, both ways.
    pub bytes: u64,
    /// Questions of the province and their answers.
    pub round_trips: u64,
    /// Rows of records that the province read.
    pub rows_read: u64,
    /// What there is to say besides.
    pub detail: String,
}

/// The summaries of one province: the moves of a plan as a delta.
pub(crate) fn delta(
    key: &HoldingsKey,
    origin: Origin,
    moves: &[HeldMove],
    before: &BTreeMap<RecordKey, Held>,
) -> Delta {
    let mut delta = Delta::default();
    for moved in moves.iter().filter(|moved| moved.key.origin == origin) {
        delta.swap(key, moved.key, before.get(&moved.key), Some(&moved.after));
    }
    delta
}

/// The greatest state of each record among rows of `record` and `past`.
#[derive(Default)]
pub(crate) struct Greatest(BTreeMap<RecordId, Held>);

impl Greatest {
    /// Notes a row. With `rehash` its bytes count, not the hash beside them.
    pub(crate) fn note(&mut self, record: RecordId, state: &State, rehash: bool) {
        let mut held = state.held();
        if rehash {
            held.content = content_hash(&state.canonical);
        }
        let greatest = self.0.entry(record).or_insert(held);
        if held.rank() > greatest.rank() {
            *greatest = held;
        }
    }

    /// Adds what was noted to a holding, in the given buckets only unless there are none.
    pub(crate) fn add_to(self, holding: &mut Holding, key: &HoldingsKey, origin: Origin, buckets: &[Bucket]) {
        let wanted = |held: &Held| buckets.is_empty() || buckets.contains(&held.bucket);
        for (id, held) in self.0.iter().filter(|(_, held)| wanted(held)) {
            holding.add(key, RecordKey { origin, id: *id }, held);
        }
    }
}
