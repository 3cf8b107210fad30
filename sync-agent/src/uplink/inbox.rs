//! What the centre has said and the store has not yet taken in.

use std::collections::BTreeMap;
use std::time::Duration;

use registry_proto::{NOTICES_MAX, v1};
use registry_schema::ids::{Lane, Seq};
use rusqlite::TransactionBehavior;
use tokio::time::Instant;

use super::KeptReceipt;
use crate::store::state::{self, ConnectionReport};
use crate::store::{Store, StoreError};
use crate::{change_log, notices};

/// The least time between two transactions that only move watermarks: under a backlog every frame moves two, and each
/// transaction waits for the disk.
const WATERMARKS_INTERVAL: Duration = Duration::from_millis(20);
/// How long to wait after a failed write, which is most often another program's lock.
const RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// Words of the centre, collected for one transaction. It has room for a bounded number of them: while it is full,
/// nothing more is read from the stream.
#[derive(Debug)]
pub(super) struct Inbox {
    marks: BTreeMap<Lane, (Seq, Seq)>,
    notices: Vec<v1::Notice>,
    receipts: BTreeMap<Lane, KeptReceipt>,
    report: Option<ConnectionReport>,
    due: Option<Instant>,
    written: Instant,
}

impl Inbox {
    pub(super) fn new() -> Self {
        let (marks, receipts) = (BTreeMap::new(), BTreeMap::new());
        Self { marks, notices: Vec::new(), receipts, report: None, due: None, written: Instant::now() }
    }

    /// When the collected words are to be written.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.due
    }

    pub(super) const fn has_room(&self) -> bool {
        self.notices.len() < NOTICES_MAX
    }

    pub(super) fn received(&mut self, lane: Lane, seq: Seq) {
        let mark = self.marks.entry(lane).or_default();
        mark.0 = mark.0.max(seq);
        self.due.get_or_insert(self.written + WATERMARKS_INTERVAL);
    }

    /// A receipt is written with the watermark that it is about.
    pub(super) fn receipted(&mut self, receipt: KeptReceipt) {
        self.receipts.insert(receipt.lane, receipt);
    }

    pub(super) fn applied(&mut self, lane: Lane, seq: Seq) {
        let mark = self.marks.entry(lane).or_default();
        mark.1 = mark.1.max(seq);
        self.due.get_or_insert(self.written + WATERMARKS_INTERVAL);
    }

    /// Notices are written without delay: a clerk waits for them.
    pub(super) fn noticed(&mut self, notices: Vec<v1::Notice>) {
        self.notices.extend(notices);
        self.due = Some(Instant::now());
    }

    /// How the stream stands goes the same way, so that it is written even when the store is busy at first.
    pub(super) fn reported(&mut self, report: ConnectionReport) {
        self.report = Some(report);
        self.due = Some(Instant::now());
    }

    /// Takes everything out, to be written.
    pub(super) fn take(&mut self) -> Self {
        self.due = None;
        std::mem::replace(self, Self { written: Instant::now(), ..Self::new() })
    }

    /// Puts back what could not be written; nothing came in between.
    pub(super) fn put_back(&mut self, words: Self) {
        *self = words;
        self.due = Some(Instant::now() + RETRY_INTERVAL);
    }

    /// Writes everything in one transaction; answers the place that the notices lead to, when there were some.
    pub(super) fn write(&self, store: &mut Store, now_ms: u64) -> Result<Option<u64>, StoreError> {
        let mut receipts = Vec::new();
        for receipt in self.receipts.values() {
            if store.chain_at(receipt.lane, receipt.seq)?.map(|chain| chain.to_string()).as_ref()
                == Some(&receipt.chain)
            {
                receipts.push(receipt);
            } else {
                tracing::error!(lane = %receipt.lane, seq = receipt.seq, "the centre signed another history than this store's");
            }
        }
        let transaction = store.connection().transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (lane, (received, applied)) in &self.marks {
            change_log::advance(&transaction, *lane, *received, *applied)?;
        }
        if let Some(report) = &self.report {
            state::set_connection_report(&transaction, report)?;
        }
        for receipt in receipts {
            receipt.write(&transaction)?;
        }
        let some = !self.notices.is_empty();
        let position = some.then(|| notices::keep(&transaction, &self.notices, now_ms)).transpose()?;
        fail::fail_point!("agent.words.before");
        transaction.commit()?;
        fail::fail_point!("agent.words.after");
        Ok(position)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::store::tests::{NOW_MS, scratch};

    #[tokio::test]
    async fn a_receipt_over_another_history_is_not_kept() {
        let (_folder, mut store) = scratch();
        store.connection().execute_batch("INSERT INTO births (number) VALUES ('1')").unwrap();
        store.seal(1, NOW_MS).unwrap();
        let own = store.chain_at(Lane::Live, 1).unwrap().unwrap().to_string();
        for (chain, is_kept) in [("0".repeat(64), false), (own, true)] {
            let (epoch, signature) = (String::new(), String::new());
            let mut inbox = Inbox::new();
            inbox.receipted(KeptReceipt { lane: Lane::Live, epoch, seq: 1, chain, signed_ms: 0, signature });
            inbox.write(&mut store, NOW_MS).unwrap();
            assert_eq!(KeptReceipt::read(store.connection(), Lane::Live).unwrap().is_some(), is_kept);
        }
    }
}
