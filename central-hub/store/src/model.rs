//! The plain values that go into a store and come out of it.

use std::collections::BTreeMap;

use hub_rules::digests::Digests;
use hub_rules::finding::{Certainty, Finding, Rule};
use hub_rules::reading::Standing;
use hub_rules::verdict::Verdict;
use hub_rules::{Membership, Node, State};
use registry_schema::digest::Hash256;
use registry_schema::ids::{Epoch, Lane, Origin, PersonId, RecordId, RecordKey, Seq};
use registry_schema::kind::Kind;

/// The place of an entry in the journal, in the order of commits; 0 is before the first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JournalId(pub i64);

/// Which entries of the journal are judged before which.
///
/// Live changes, repairs and verdicts do not wait behind the backlog. That one queue overtakes the other is harmless:
/// the registry does not depend on the order of arrivals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Queue {
    /// Judged first.
    Live,
    /// Takes what time is left.
    Backlog,
}

impl Queue {
    /// Both queues, in the order of service.
    pub const ALL: [Self; 2] = [Self::Live, Self::Backlog];

    /// The queue of a lane.
    #[must_use]
    pub const fn of(lane: Lane) -> Self {
        match lane {
            Lane::Live | Lane::Repair => Self::Live,
            Lane::Backlog => Self::Backlog,
        }
    }

    /// The stored number.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Live => 1,
            Self::Backlog => 2,
        }
    }
}

/// How far each queue was judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Watermark {
    /// The last entry judged of [`Queue::Live`].
    pub live: JournalId,
    /// The last entry judged of [`Queue::Backlog`].
    pub backlog: JournalId,
}

impl Watermark {
    /// Behind whatever the journal holds.
    pub const END: Self = Self { live: JournalId(i64::MAX), backlog: JournalId(i64::MAX) };

    /// The last entry judged of a queue.
    #[must_use]
    pub const fn of(&self, queue: Queue) -> JournalId {
        match queue {
            Queue::Live => self.live,
            Queue::Backlog => self.backlog,
        }
    }
}

/// Something to be journaled.
#[derive(Debug, Clone)]
pub enum Append {
    /// A frame that continues a lane of a province.
    Frame(FrameEntry),
    /// An operator's verdict.
    Verdict {
        /// The verdict.
        verdict: Verdict,
        /// Unix milliseconds.
        received_ms: i64,
    },
}

impl Append {
    /// The verdict, and when it came.
    #[must_use]
    pub const fn verdict(&self) -> Option<(&Verdict, i64)> {
        match self {
            Self::Verdict { verdict, received_ms } => Some((verdict, *received_ms)),
            Self::Frame(_) => None,
        }
    }
}

/// A frame with what the journal must know of it.
#[derive(Debug, Clone)]
pub struct FrameEntry {
    /// Whose frame.
    pub origin: Origin,
    /// The incarnation of the province's store.
    pub epoch: Epoch,
    /// The lane.
    pub lane: Lane,
    /// Its first change.
    pub first_seq: Seq,
    /// Its last change.
    pub last_seq: Seq,
    /// The lane's chain before it.
    pub previous_chain: Hash256,
    /// The lane's chain after it.
    pub chain: Hash256,
    /// Unix milliseconds.
    pub received_ms: i64,
    /// The frame as it came.
    pub bytes: Vec<u8>,
}

/// What became of an entry that was to be journaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It stands in the journal.
    At(JournalId),
    /// It does not continue its lane: another session went on in the meantime. Nothing was written.
    Outrun,
}

/// How far a lane was journaled and applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The lane.
    pub lane: Lane,
    /// The incarnation of the province's store.
    pub epoch: Epoch,
    /// The last change journaled.
    pub seq: Seq,
    /// The chain after it.
    pub chain: Hash256,
    /// The last change applied.
    pub applied: Seq,
    /// When the last change was journaled, in Unix milliseconds.
    pub received_ms: i64,
    /// When the last change was applied.
    pub applied_ms: Option<i64>,
}

/// An entry of the journal.
#[derive(Debug, Clone)]
pub struct JournalEntry {
    /// Its place.
    pub id: JournalId,
    /// What it holds.
    pub body: JournalBody,
    /// When it came, in Unix milliseconds.
    pub received_ms: i64,
}

/// What an entry of the journal holds.
#[derive(Debug, Clone)]
pub enum JournalBody {
    /// A frame of a province.
    Frame {
        /// Whose.
        origin: Origin,
        /// The incarnation of the province's store.
        epoch: Epoch,
        /// The lane.
        lane: Lane,
        /// Its last change.
        last_seq: Seq,
        /// The lane's chain after it, as it was noted when it came.
        chain: Hash256,
        /// The frame as it came.
        bytes: Vec<u8>,
    },
    /// A verdict of an operator.
    Verdict(Verdict),
    /// What this program did not write there, by what it should be; whoever reads on loses nothing but this entry.
    Damaged(&'static str),
}

/// What should stand in a row of the journal that holds no frame.
pub(crate) const FRAME: &str = "a frame of the journal";
/// What should stand in a row of the journal that holds no verdict.
pub(crate) const VERDICT: &str = "an answer of the journal";

/// How far a committed batch went.
#[derive(Debug, Clone)]
pub struct Applied {
    /// The queue that was judged.
    pub queue: Queue,
    /// Its last entry judged.
    pub journal: JournalId,
    /// The last change of each lane, in its incarnation.
    pub lanes: BTreeMap<(Origin, Lane), (Epoch, Seq)>,
    /// When, in Unix milliseconds.
    pub now_ms: i64,
}

/// A province as it is enrolled.
#[derive(Debug, Clone)]
pub struct Province {
    /// Who.
    pub origin: Origin,
    /// Its name.
    pub name: String,
    /// SHA-256 of its token.
    pub token_hash: Hash256,
    /// The incarnation of its store, once it has come.
    pub epoch: Option<Epoch>,
    /// When it was last heard of, in Unix milliseconds.
    pub last_seen_ms: Option<i64>,
    /// The version of its agent.
    pub agent_version: Option<String>,
}

/// A word for a province, as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeRow {
    /// The order of words to this province, from 1.
    pub seq: u64,
    /// The record spoken of.
    pub record: RecordId,
    /// "entry", or the id of a finding.
    pub subject: String,
    /// accepted, rejected, linked, case, resolved or closed.
    pub outcome: String,
    /// The rule, when a finding is spoken of.
    pub rule: Option<String>,
    /// The other records concerned.
    pub others: Vec<RecordKey>,
    /// In English.
    pub english: String,
    /// In Vietnamese.
    pub vietnamese: String,
    /// Violations or evidence as JSON.
    pub detail: String,
}

/// A record as the nation has it, with its past.
#[derive(Debug, Clone)]
pub struct RecordView {
    /// Which record.
    pub key: RecordKey,
    /// How it stands.
    pub standing: Standing,
    /// Its present state.
    pub present: State,
    /// Every other state with its validity, oldest first.
    pub past: Vec<(State, bool)>,
    /// Where its participants belong.
    pub members: Vec<(Node, Membership)>,
    /// Links and cases that concern it.
    pub findings: Vec<Finding>,
}

/// Which findings are asked for: those that meet everything that is set.
#[derive(Debug, Clone, Default)]
pub struct FindingFilter {
    /// Links or cases only.
    pub certainty: Option<Certainty>,
    /// Findings of these rules; empty means of every rule.
    pub rules: Vec<Rule>,
    /// How they stand.
    pub state: Option<FindingState>,
    /// Those that concern one province only.
    pub origin: Option<Origin>,
    /// Those that concern an entry of this kind only.
    pub kind: Option<Kind>,
    /// Those that concern one of these records; empty means any.
    pub records: Vec<RecordKey>,
    /// Those that changed at this time or later, in Unix milliseconds.
    pub since_ms: Option<i64>,
    /// Those whose evidence says all of this, in either language and in any case of letters.
    pub evidence: Vec<String>,
    /// Those behind this id: how pages are turned.
    pub after: Option<hub_rules::finding::FindingId>,
    /// The most to return; 0 means [`PAGE_ROWS_MAX`].
    pub limit: usize,
}

/// How a finding stands with the operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingState {
    /// A case that waits for an operator.
    Open,
    /// An operator's answer stands; the answer may have made a link of a case.
    Answered,
    /// A link.
    Linked,
}

/// The most rows of one answer: a page that fits a screen many times over, and memory once.
pub const PAGE_ROWS_MAX: usize = 10_000;

/// A finding with the time of its last change.
#[derive(Debug, Clone)]
pub struct FindingRow {
    /// The finding.
    pub finding: Finding,
    /// When it last changed, in Unix milliseconds.
    pub changed_ms: i64,
    /// When a province was first told of it, in Unix milliseconds; looked up for single findings only.
    pub first_said_ms: Option<i64>,
}

/// Numbers of findings by certainty, rule, and whether they are open.
pub type FindingCounts = BTreeMap<(Certainty, Rule, bool), u64>;

/// Numbers of records by province, kind code and standing.
pub type RecordCounts = BTreeMap<(Origin, u8, Standing), i64>;

/// The sums of the registry, and the entries of the journal up to which they speak.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestView {
    /// The sums.
    pub digests: Digests,
    /// How far each queue was judged.
    pub watermark: Watermark,
}

/// A record in force with its present state.
pub type EntryRow = (RecordKey, State);

/// The participants of a national person.
pub type PersonView = (PersonId, Vec<Node>);
