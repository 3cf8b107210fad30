//! Audit: whether the journal still is what came in.
//!
//! Walks every lane of every province from its first frame: each frame must open (CRC, bounds, hashes), continue the
//! chain of the one before, end in the chain that was noted when it came, and be signed by a key that its province had
//! when it came. Each lane must reach the place that was acknowledged. The acts of operators must continue one another,
//! too.

use std::collections::BTreeMap;

use hub_store::ledger::{Act, Signer, Verb};
use hub_store::model::{JournalBody, JournalEntry, JournalId, Queue};
use hub_store::{NationalStore, StoreError};
use prost::Message as _;
use registry_proto::position::Cursor;
use registry_proto::signature::PublicKey;
use registry_proto::{frame, v1};
use registry_schema::ids::{Lane, Origin, Seq};
use serde::Serialize;

/// Bytes of journal that are read at once.
const AUDIT_BATCH_BYTES: usize = 4 * 1024 * 1024;

/// Acts of operators that are read at once.
const ACTS_AT_ONCE: usize = 1_000;

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
    /// What is not, in the order of the journal; at most [`DEFECTS_MAX`].
    pub defects: Vec<Defect>,
}

/// The most defects that a report names: whoever has more restores a backup.
pub const DEFECTS_MAX: usize = 100;

/// Something that is not as it came.
#[derive(Debug, Serialize)]
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

/// Walks the whole journal.
///
/// # Errors
/// The store cannot be read.
pub async fn audit<S: NationalStore>(store: &S, mut progress: impl FnMut(u64)) -> Result<AuditReport, StoreError> {
    let mut walk = Walk::default();
    let mut acknowledged = Vec::new();
    for province in store.provinces().await? {
        let origin = province.origin;
        walk.signers.insert(origin, store.signers(origin).await?);
        acknowledged.extend(store.cursors(origin).await?.into_iter().map(|cursor| (origin, cursor)));
    }
    for queue in Queue::ALL {
        let mut after = JournalId::default();
        loop {
            let entries = store.next(queue, after, AUDIT_BATCH_BYTES).await?;
            let Some(last) = entries.last() else { break };
            after = last.id;
            fail::fail_point!("hub.audit");
            entries.iter().for_each(|entry| walk.see(entry));
            progress(walk.report.journal_entries);
        }
    }
    acknowledged.iter().for_each(|(origin, cursor)| walk.see_end(*origin, cursor));
    walk_acts(store, &mut walk).await?;
    walk.report.lanes = walk.lanes.len();
    walk.report.intact = walk.report.defects.is_empty();
    Ok(walk.report)
}

/// Walks the ledger of operators, up to the first act that is not as it was.
async fn walk_acts<S: NationalStore>(store: &S, walk: &mut Walk) -> Result<(), StoreError> {
    let mut last = None;
    loop {
        let page = store.acts(walk.report.acts, ACTS_AT_ONCE).await?;
        if page.is_empty() {
            return Ok(());
        }
        for row in page {
            let report = &mut walk.report;
            if let Err(reason) = row.check(last) {
                report.defects.push(Defect { journal_id: 0, province: None, lane: None, reason });
                return Ok(());
            }
            report.acts = row.seq;
            report.acts_head = Some(row.hash.to_string());
            walk.see_key(&row.act);
            last = Some((row.seq, row.hash));
        }
    }
}

#[derive(Default)]
struct Walk {
    report: AuditReport,
    signers: BTreeMap<Origin, Vec<Signer>>,
    lanes: BTreeMap<(Origin, Lane), Cursor>,
}

impl Walk {
    fn see(&mut self, entry: &JournalEntry) {
        self.report.journal_entries += 1;
        match &entry.body {
            JournalBody::Verdict(_) => self.report.verdicts += 1,
            JournalBody::Frame { origin, epoch, lane, last_seq, chain, bytes } => {
                let place = Cursor { epoch: *epoch, lane: *lane, seq: *last_seq, chain: *chain };
                if let Err(reason) = self.see_frame(*origin, place, bytes, entry.received_ms)
                    && self.report.defects.len() < DEFECTS_MAX
                {
                    let (province, lane) = (Some(*origin), Some(*lane));
                    self.report.defects.push(Defect { journal_id: entry.id.0, province, lane, reason });
                }
            }
        }
    }

    fn see_frame(&mut self, origin: Origin, noted: Cursor, bytes: &[u8], received_ms: i64) -> Result<(), String> {
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
        if *lane != noted {
            return Err("its place or its chain is not the one that was noted when it came".to_owned());
        }
        self.see_signature(origin, &frame, received_ms)
    }

    /// A lane goes at least as far as it was acknowledged when the walk began: else its end was cut off.
    fn see_end(&mut self, origin: Origin, acknowledged: &hub_store::model::Cursor) {
        let lane = acknowledged.lane;
        let end = self.lanes.get(&(origin, lane)).filter(|end| end.epoch == acknowledged.epoch);
        let seq = end.map_or(Seq(0), |end| end.seq);
        let is_other = end.is_some_and(|end| end.seq == acknowledged.seq && end.chain != acknowledged.chain);
        if seq < acknowledged.seq || is_other {
            let reason = format!("the journal ends at change {seq}, and {} was acknowledged", acknowledged.seq);
            self.report.defects.push(Defect { journal_id: 0, province: Some(origin), lane: Some(lane), reason });
        }
    }

    /// A key that the ledger names is among those of its province: else somebody took it away, and with it the evidence.
    fn see_key(&mut self, act: &Act) {
        let mut words = act.object.split(' ');
        let (Verb::Enrol | Verb::Trust, Some(origin), Some("key"), Some(key)) =
            (act.verb, words.next(), words.next(), words.next())
        else {
            return;
        };
        let Ok(origin) = origin.parse::<Origin>() else { return };
        let signers = self.signers.get(&origin).map(Vec::as_slice).unwrap_or_default();
        if !signers.iter().any(|signer| signer.public_key.to_string() == key) {
            let reason = format!("the key {key} was believed once, and is gone");
            self.report.defects.push(Defect { journal_id: 0, province: Some(origin), lane: None, reason });
        }
    }

    /// A frame is signed by a key that its province had when it came; a province that never had one signs nothing.
    fn see_signature(&mut self, origin: Origin, frame: &v1::Frame, received_ms: i64) -> Result<(), String> {
        let had = |signer: &&Signer| {
            signer.enrolled_ms <= received_ms && signer.retired_ms.is_none_or(|retired_ms| received_ms <= retired_ms)
        };
        let signers = self.signers.get(&origin).map(Vec::as_slice).unwrap_or_default();
        let verified =
            signers.iter().filter(had).map(|signer| PublicKey(signer.public_key.0).verify_frame(origin, frame));
        match verified.reduce(|one, other| one.or(other)) {
            None if frame.signature.is_empty() => self.report.unsigned += 1,
            None => return Err("it is signed, and no key of its province is known".to_owned()),
            Some(Ok(())) => self.report.signed += 1,
            Some(Err(error)) => return Err(error.to_string()),
        }
        Ok(())
    }
}
