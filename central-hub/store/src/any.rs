//! A store of either kind, for programs that learn at run time which one it is.

use std::collections::BTreeMap;

use hub_rules::finding::FindingId;
use hub_rules::verdict::Verdict;
use hub_rules::{Context, Node, Plan, Request, State};
use registry_schema::digest::Hash256;
use registry_schema::holdings::{Bucket, Holding, HoldingsKey};
use registry_schema::ids::{Epoch, Origin, PersonId, RecordId, RecordKey};

use crate::holdings::{Agreement, Fence, Recount, Resync, ResyncState};
use crate::ledger::{Act, ActRow, Deed, Grant, Ledger, Signer};
use crate::lineage::{Heard, Lineage};
use crate::model::{
    Append, Appended, Applied, Cursor, DigestView, EntryRow, FindingCounts, FindingFilter, FindingRow, JournalEntry,
    JournalId, NoticeRow, PersonView, Province, Queue, RecordCounts, RecordView,
};
use crate::national::{Answer, Cases, Holdings, Journal, Registry};
use crate::postgres::{Aside, Postgres};
use crate::sqlite::Sqlite;

/// One of the national stores. Cloning gives another handle to the same one.
#[derive(Clone)]
pub enum AnyStore {
    /// The embedded one.
    Sqlite(Sqlite),
    /// The one on a server.
    Postgres(Postgres),
}

/// Each verb is the verb of the store that is there.
macro_rules! delegate {
    ($(fn $verb:ident($($argument:ident: $type:ty),*) -> $answer:ty;)+) => {
        $(async fn $verb(&self, $($argument: $type),*) -> Answer<$answer> {
            match self {
                Self::Sqlite(store) => store.$verb($($argument),*).await,
                Self::Postgres(store) => store.$verb($($argument),*).await,
            }
        })+
    };
}

impl Journal for AnyStore {
    delegate! {
        fn append(entries: Vec<Append>) -> Vec<Appended>;
        fn next(queue: Queue, after: JournalId, bytes_max: usize) -> Vec<JournalEntry>;
        fn cursors(origin: Origin) -> Vec<Cursor>;
        fn enrol(province: Province, now_ms: i64) -> ();
        fn provinces() -> Vec<Province>;
        fn seen(origin: Origin, epoch: Epoch, agent_version: String, now_ms: i64) -> Epoch;
    }
}

impl Registry for AnyStore {
    delegate! {
        fn lead() -> Option<u64>;
        fn load(request: Request, context: Context) -> Context;
        fn commit(plan: Plan, applied: Applied) -> ();
        fn digests() -> DigestView;
        fn record(key: RecordKey) -> Option<RecordView>;
        fn entries(after: Option<RecordKey>, limit: usize) -> Vec<EntryRow>;
        fn person(which: Result<PersonId, Node>) -> Option<PersonView>;
        fn counts() -> RecordCounts;
        fn notices(origin: Origin, after: u64, limit: usize) -> Vec<NoticeRow>;
        fn judged_under() -> Option<String>;
        fn judge_under(ruling: String) -> ();
        fn reset() -> ();
        fn aside() -> Option<Aside>;
    }
}

impl Cases for AnyStore {
    delegate! {
        fn findings(filter: FindingFilter) -> Vec<FindingRow>;
        fn finding(id: FindingId) -> Option<FindingRow>;
        fn finding_counts() -> FindingCounts;
        fn verdicts(case: FindingId) -> Vec<Verdict>;
        fn verdicts_with(reason_prefix: String, after: Option<Hash256>, limit: usize) -> Vec<Verdict>;
    }
}

impl Holdings for AnyStore {
    delegate! {
        fn holdings_key(origin: Origin, fresh: HoldingsKey) -> HoldingsKey;
        fn fence(origin: Origin) -> Option<Fence>;
        fn holding(origin: Origin) -> Option<(Fence, Holding)>;
        fn recount(origin: Origin, cells: usize, of: Vec<Bucket>, rehash: bool) -> Option<Recount>;
        fn rebuild_holding(origin: Origin) -> ();
        fn held_states(origin: Origin, records: Vec<RecordId>) -> Vec<(RecordId, State)>;
        fn note_agreement(origin: Origin, agreement: Agreement) -> ();
        fn agreements() -> BTreeMap<Origin, Agreement>;
        fn put_resync(resync: Resync, from: Option<ResyncState>) -> bool;
        fn resyncs(origin: Option<Origin>, limit: usize) -> Vec<Resync>;
    }
}

impl Ledger for AnyStore {
    delegate! {
        fn note(act: Act) -> ActRow;
        fn acts(after: u64, limit: usize) -> Vec<ActRow>;
        fn trust(signer: Signer) -> ();
        fn signers(origin: Origin) -> Vec<Signer>;
        fn perform(deed: Deed) -> bool;
        fn grants() -> Vec<Grant>;
    }
}

impl Lineage for AnyStore {
    delegate! {
        fn resume(origin: Origin, heard: Heard, fresh: u64) -> Heard;
        fn begin_again(nation: u64, now_ms: i64) -> ();
    }
}
