//! Audit: whether the journal still is what came in.
//!
//! Walks every lane of every province from its first frame: each frame must open (CRC, bounds, hashes), continue the
//! chain of the one before, and end in the chain that was noted when it came.

use std::collections::BTreeMap;

use hub_store::model::{JournalBody, JournalEntry, JournalId, Queue};
use hub_store::{NationalStore, StoreError};
use prost::Message as _;
use registry_proto::position::Cursor;
use registry_proto::{frame, v1};
use registry_schema::ids::{Lane, Origin};
use serde::Serialize;

/// Bytes of journal that are read at once.
const AUDIT_BATCH_BYTES: usize = 4 * 1024 * 1024;

/// What an audit found.
#[derive(Debug, Default, Serialize)]
pub struct AuditReport {
    /// Journal entries that were walked.
    pub journal_entries: u64,
    /// Changes in them.
    pub changes: u64,
    /// Verdicts of operators in them.
    pub verdicts: u64,
    /// Lanes that were walked.
    pub lanes: usize,
    /// Whether everything is as it came.
    pub intact: bool,
    /// What is not, in the order of the journal; at most [`DEFECTS_MAX`].
    pub defects: Vec<Defect>,
}

/// The most defects that a report names: whoever has more restores a backup.
pub const DEFECTS_MAX: usize = 100;

/// Something that is not as it came.
#[derive(Debug, Serialize)]
pub struct Defect {
    /// The journal entry.
    pub journal_id: i64,
    /// Whose lane.
    pub province: Option<Origin>,
    /// Which lane.
    pub lane: Option<Lane>,
    /// What is wrong.
    pub reason: String,
}

/// Walks the whole journal.
///
/// # Errors
/// The store cannot be read.
pub async fn audit<S: NationalStore>(store: &S, mut progress: impl FnMut(u64)) -> Result<AuditReport, StoreError> {
    let mut walk = Walk::default();
    for queue in Queue::ALL {
        let mut after = JournalId::default();
        loop {
            let entries = store.next(queue, after, AUDIT_BATCH_BYTES).await?;
            let Some(last) = entries.last() else { break };
            after = last.id;
            entries.iter().for_each(|entry| walk.see(entry));
            progress(walk.report.journal_entries);
        }
    }
    walk.report.lanes = walk.lanes.len();
    walk.report.intact = walk.report.defects.is_empty();
    Ok(walk.report)
}

#[derive(Default)]
struct Walk {
    report: AuditReport,
    lanes: BTreeMap<(Origin, Lane), Cursor>,
}

impl Walk {
    fn see(&mut self, entry: &JournalEntry) {
        self.report.journal_entries += 1;
        match &entry.body {
            JournalBody::Verdict(_) => self.report.verdicts += 1,
            JournalBody::Frame { origin, lane, chain, bytes, .. } => {
                if let Err(reason) = self.see_frame(*origin, *chain, bytes)
                    && self.report.defects.len() < DEFECTS_MAX
                {
                    let (province, lane) = (Some(*origin), Some(*lane));
                    self.report.defects.push(Defect { journal_id: entry.id.0, province, lane, reason });
                }
            }
        }
    }

    fn see_frame(
        &mut self,
        origin: Origin,
        noted: registry_schema::digest::Hash256,
        bytes: &[u8],
    ) -> Result<(), String> {
        let frame = v1::Frame::decode(bytes).map_err(|error| format!("the frame cannot be read: {error}"))?;
        let opened = frame::open(origin, &frame).map_err(|error| error.to_string())?;
        self.report.changes += opened.changes.len() as u64;
        let lane =
            self.lanes.entry((origin, opened.lane)).or_insert_with(|| Cursor::start(origin, opened.epoch, opened.lane));
        if lane.epoch != opened.epoch {
            *lane = Cursor::start(origin, opened.epoch, opened.lane);
        }
        let before = *lane;
        *lane = Cursor { epoch: opened.epoch, lane: opened.lane, seq: opened.last_seq, chain: opened.chain };
        if before.seq.next() != opened.first_seq {
            return Err(format!("changes {} to {} are missing", before.seq.next(), opened.first_seq.0 - 1));
        }
        if before.chain != opened.previous_chain {
            return Err("it does not continue the chain of the frame before".to_owned());
        }
        if opened.chain != noted {
            return Err("its chain is not the one that was noted when it came".to_owned());
        }
        Ok(())
    }
}
