//! The trait that every national store implements, in six parts; the last are [`Ledger`] and [`Lineage`].

use std::collections::BTreeMap;
use std::future::Future;

use hub_rules::finding::FindingId;
use hub_rules::verdict::Verdict;
use hub_rules::{Context, Node, Plan, Request, State};
use registry_schema::digest::Hash256;
use registry_schema::holdings::{Bucket, Holding, HoldingsKey};
use registry_schema::ids::{Epoch, Origin, PersonId, RecordId, RecordKey};

use crate::error::StoreError;
use crate::holdings::{Agreement, Fence, Recount, Resync, ResyncState};
use crate::ledger::Ledger;
use crate::lineage::Lineage;
use crate::model::{
    Append, Appended, Applied, Cursor, DigestView, EntryRow, FindingCounts, FindingFilter, FindingRow, JournalEntry,
    JournalId, NoticeRow, PersonView, Province, Queue, RecordCounts, RecordView,
};
use crate::postgres::Aside;

/// What a store answers.
pub type Answer<T> = Result<T, StoreError>;

/// What arrived, from whom, and how far.
pub trait Journal: Send + Sync {
    /// Journals entries in order, moves the cursors, and names the verdicts among them in the ledger, in one transaction
    /// that is on disk when this returns.
    fn append(&self, entries: Vec<Append>) -> impl Future<Output = Answer<Vec<Appended>>> + Send;
    /// The entries of a queue behind `after`, in order, up to about `bytes_max` bytes (at least one if there is one).
    fn next(
        &self,
        queue: Queue,
        after: JournalId,
        bytes_max: usize,
    ) -> impl Future<Output = Answer<Vec<JournalEntry>>> + Send;
    /// How far each lane of a province was journaled and applied.
    fn cursors(&self, origin: Origin) -> impl Future<Output = Answer<Vec<Cursor>>> + Send;
    /// Enrols a province, or gives an enrolled one a new token and forgets its epoch.
    fn enrol(&self, province: Province, now_ms: i64) -> impl Future<Output = Answer<()>> + Send;
    /// Every enrolled province.
    fn provinces(&self) -> impl Future<Output = Answer<Vec<Province>>> + Send;
    /// Notes that an enrolled province was heard of, and its epoch at its first session; answers the epoch that stands,
    /// which is another one when another store of the province came first.
    fn seen(
        &self,
        origin: Origin,
        epoch: Epoch,
        agent_version: String,
        now_ms: i64,
    ) -> impl Future<Output = Answer<Epoch>> + Send;
}

/// What the judgement established.
pub trait Registry: Send + Sync {
    /// Takes the right to judge, or keeps it: the term in which this process judges, or `None` while another process has
    /// it. A new term says that others may have judged meanwhile. A store of one process has one term.
    fn lead(&self) -> impl Future<Output = Answer<Option<u64>>> + Send {
        async { Ok(Some(0)) }
    }
    /// Loads what a request asks for into a context.
    fn load(&self, request: Request, context: Context) -> impl Future<Output = Answer<Context>> + Send;
    /// Carries out a plan and moves the watermark, in one transaction.
    fn commit(&self, plan: Plan, applied: Applied) -> impl Future<Output = Answer<()>> + Send;
    /// The sums, and how far they speak.
    fn digests(&self) -> impl Future<Output = Answer<DigestView>> + Send;
    /// A record with its past.
    fn record(&self, key: RecordKey) -> impl Future<Output = Answer<Option<RecordView>>> + Send;
    /// The present states of records in force behind `after`, by key, at most `limit`: how the whole registry is read.
    fn entries(&self, after: Option<RecordKey>, limit: usize) -> impl Future<Output = Answer<Vec<EntryRow>>> + Send;
    /// A person, by id or by a participant.
    fn person(&self, which: Result<PersonId, Node>) -> impl Future<Output = Answer<Option<PersonView>>> + Send;
    /// Numbers of records.
    fn counts(&self) -> impl Future<Output = Answer<RecordCounts>> + Send;
    /// Words for a province behind `after`, at most `limit`.
    fn notices(&self, origin: Origin, after: u64, limit: usize) -> impl Future<Output = Answer<Vec<NoticeRow>>> + Send;
    /// What the registry was judged under; `None` where it was not noted.
    fn judged_under(&self) -> impl Future<Output = Answer<Option<String>>> + Send;
    /// Notes what the registry is judged under from now on.
    fn judge_under(&self, ruling: String) -> impl Future<Output = Answer<()>> + Send;
    /// Forgets everything but the journal, so that it is judged anew from its first entry.
    fn reset(&self) -> impl Future<Output = Answer<()>> + Send;
    /// Begins an empty registry beside this one, for whoever judges. `None` where a store cannot have two.
    fn aside(&self) -> impl Future<Output = Answer<Option<Aside>>> + Send {
        async { Ok(None) }
    }
}

/// What waits for a human, and what humans said.
pub trait Cases: Send + Sync {
    /// Links and cases, by id.
    fn findings(&self, filter: FindingFilter) -> impl Future<Output = Answer<Vec<FindingRow>>> + Send;
    /// One finding.
    fn finding(&self, id: FindingId) -> impl Future<Output = Answer<Option<FindingRow>>> + Send;
    /// Numbers of findings.
    fn finding_counts(&self) -> impl Future<Output = Answer<FindingCounts>> + Send;
    /// Every verdict about a case, oldest first.
    fn verdicts(&self, case: FindingId) -> impl Future<Output = Answer<Vec<Verdict>>> + Send;
    /// Verdicts whose reason begins so, by id behind `after`, at most `limit`: the answers that were given together.
    fn verdicts_with(
        &self,
        reason_prefix: String,
        after: Option<Hash256>,
        limit: usize,
    ) -> impl Future<Output = Answer<Vec<Verdict>>> + Send;
}

/// What each province holds as far as the nation heard, and the comparisons with what the province has.
pub trait Holdings: Send + Sync {
    /// The key of a province's sums; where there is none yet, the fresh one, and the sums are made from the rows.
    fn holdings_key(&self, origin: Origin, fresh: HoldingsKey) -> impl Future<Output = Answer<HoldingsKey>> + Send;
    /// How far a province is applied, and its root exactly there; `None` before its first session.
    fn fence(&self, origin: Origin) -> impl Future<Output = Answer<Option<Fence>>> + Send;
    /// The same with all sums and cells.
    fn holding(&self, origin: Origin) -> impl Future<Output = Answer<Option<(Fence, Holding)>>> + Send;
    /// A holding counted from the rows, with so many cells, of the buckets that are named or of all. With `rehash` the
    /// bytes of each row count and not the hash beside them.
    fn recount(
        &self,
        origin: Origin,
        cells: usize,
        of: Vec<Bucket>,
        rehash: bool,
    ) -> impl Future<Output = Answer<Option<Recount>>> + Send;
    /// Makes the kept sums anew from the rows.
    fn rebuild_holding(&self, origin: Origin) -> impl Future<Output = Answer<()>> + Send;
    /// The greatest state of each of these records that the nation has.
    fn held_states(
        &self,
        origin: Origin,
        records: Vec<RecordId>,
    ) -> impl Future<Output = Answer<Vec<(RecordId, State)>>> + Send;
    /// Notes how a comparison of roots ended.
    fn note_agreement(&self, origin: Origin, agreement: Agreement) -> impl Future<Output = Answer<()>> + Send;
    /// How the last comparison with each province ended.
    fn agreements(&self) -> impl Future<Output = Answer<BTreeMap<Origin, Agreement>>> + Send;
    /// Writes a comparison down: a new one, or one that was in the state `from` until now. Whether that was so.
    fn put_resync(&self, resync: Resync, from: Option<ResyncState>) -> impl Future<Output = Answer<bool>> + Send;
    /// Comparisons of a province or of all, open ones first, newest first.
    fn resyncs(&self, origin: Option<Origin>, limit: usize) -> impl Future<Output = Answer<Vec<Resync>>> + Send;
}

/// A national store.
pub trait NationalStore: Journal + Registry + Cases + Holdings + Ledger + Lineage {}

impl<T: Journal + Registry + Cases + Holdings + Ledger + Lineage> NationalStore for T {}
