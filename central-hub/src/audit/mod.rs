//! Audit: whether journal and ledger still are what came in and what was done.
//!
//! Walks every lane of every province from its first frame: each frame must open (CRC, bounds, hashes), continue the
//! chain of the one before, end in the chain that was noted when it came, and be signed by a key that its province had
//! when it came. Each lane must reach the place that was acknowledged. The acts of operators must continue one another;
//! each answer in the journal must be one that the ledger names, and each that it names must be there; nobody may have a
//! role, and no key be believed, that no act gave. What cannot even be read is one more defect, and the audit goes on.

mod lanes;
mod ledger;

use hub_store::model::{JournalBody, JournalEntry, JournalId, Queue};
use hub_store::{NationalStore, StoreError};
use registry_schema::ids::{Lane, Origin};
use serde::Serialize;

use lanes::Lanes;
use ledger::Acts;

/// Bytes of journal that are read at once.
const AUDIT_BATCH_BYTES: usize = 4 * 1024 * 1024;
/// The most defects that a report names: whoever has more restores a backup.
pub const DEFECTS_MAX: usize = 100;

/// What is read of the provinces.
const PROVINCES: &str = "the list of provinces";
/// What is read of a province's keys.
const KEYS: &str = "its keys";

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
    /// Frames whose signature was verified.
    pub signed: u64,
    /// Frames of provinces that had no key when they came.
    pub unsigned: u64,
    /// Acts of operators that were walked.
    pub acts: u64,
    /// The hash of the last of them; noted elsewhere, it shows later that none was cut off.
    pub acts_head: Option<String>,
    /// Whether everything is as it came.
    pub intact: bool,
    /// What is not, in the order in which it was found; at most [`DEFECTS_MAX`].
    pub defects: Vec<Defect>,
}

/// Something that is not as it came.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Defect {
    /// The journal entry; 0 for the end of a lane and for the ledger of operators.
    pub journal_id: i64,
    /// Whose lane.
    pub province: Option<Origin>,
    /// Which lane.
    pub lane: Option<Lane>,
    /// What is wrong.
    pub reason: String,
}

impl AuditReport {
    /// Notes a defect of the ledger or of what belongs to it.
    fn blame(&mut self, province: Option<Origin>, reason: String) {
        self.blame_entry(0, province, None, reason);
    }

    fn blame_entry(&mut self, journal_id: i64, province: Option<Origin>, lane: Option<Lane>, reason: String) {
        let defect = Defect { journal_id, province, lane, reason };
        // What two checks read and cannot is one defect.
        if self.defects.len() < DEFECTS_MAX && !self.defects.contains(&defect) {
            self.defects.push(defect);
        }
    }

    /// What was read; rows that do not hold what this program wrote there are a defect, and `None`.
    fn read<T>(
        &mut self,
        province: Option<Origin>,
        whose: &str,
        answer: Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(StoreError::Damaged { what, .. }) => {
                self.blame(province, format!("{whose} cannot be read: {what} is damaged"));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// Walks the whole journal and the whole ledger, while the hub goes on: what comes meanwhile is no defect.
///
/// # Errors
/// The store does not answer. A row of it that cannot be read is a defect.
pub async fn audit<S: NationalStore>(store: &S, mut progress: impl FnMut(u64)) -> Result<AuditReport, StoreError> {
    let mut report = AuditReport::default();
    let (mut lanes, mut acts) = (Lanes::default(), Acts::default());
    // An answer and its act are written together, so each that the ledger names by now is in the journal by now.
    acts.walk(store, &mut report).await?;
    let promised = acts.answers.clone();
    lanes.note_ends(store, &mut report).await?;
    for queue in Queue::ALL {
        let mut after = JournalId::default();
        loop {
            let entries = store.next(queue, after, AUDIT_BATCH_BYTES).await;
            let behind = format!("the journal behind entry {}", after.0);
            let entries = report.read(None, &behind, entries)?.unwrap_or_default();
            let Some(last) = entries.last() else { break };
            after = last.id;
            fail::fail_point!("hub.audit");
            for entry in &entries {
                see(store, entry, &mut lanes, &mut acts, &mut report).await?;
            }
            progress(report.journal_entries);
        }
    }
    lanes.check_ends(&mut report);
    // Those whose act came after the journal's entry was read are named by now.
    acts.walk(store, &mut report).await?;
    acts.check_answers(&promised, &mut report);
    acts.check_keys(store, &lanes.origins(), &mut report).await?;
    acts.check_roles(store, &mut report).await?;
    report.lanes = lanes.count();
    report.intact = report.defects.is_empty();
    Ok(report)
}

async fn see<S: NationalStore>(
    store: &S,
    entry: &JournalEntry,
    lanes: &mut Lanes,
    acts: &mut Acts,
    report: &mut AuditReport,
) -> Result<(), StoreError> {
    report.journal_entries += 1;
    match &entry.body {
        JournalBody::Verdict(verdict) => {
            report.verdicts += 1;
            acts.journaled.entry(verdict.id()).or_insert(entry.id);
        }
        JournalBody::Damaged(what) => report.blame_entry(entry.id.0, None, None, format!("{what} cannot be read")),
        JournalBody::Frame { origin, lane, .. } => {
            if let Err(reason) = lanes.see(store, entry, report).await? {
                report.blame_entry(entry.id.0, Some(*origin), Some(*lane), reason);
            }
        }
    }
    Ok(())
}
