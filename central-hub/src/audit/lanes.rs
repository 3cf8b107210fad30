//! The lanes of the provinces: each frame continues the one before, and is signed.

use std::collections::{BTreeMap, BTreeSet};

use hub_store::ledger::Signer;
use hub_store::model::{Cursor as Acknowledged, JournalBody, JournalEntry};
use hub_store::{NationalStore, StoreError};
use prost::Message as _;
use registry_proto::position::Cursor;
use registry_proto::signature::PublicKey;
use registry_proto::{frame, v1};
use registry_schema::ids::{Lane, Origin, Seq};

use super::{AuditReport, KEYS, PROVINCES};

/// What a frame should be and is not; the words for a report.
type Judged<T> = Result<T, String>;

/// Where the walk stands in each lane, and by whose keys frames may be signed.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    walked: BTreeMap<(Origin, Lane), Cursor>,
    /// How far each lane was acknowledged when the walk began.
    acknowledged: Vec<(Origin, Acknowledged)>,
    /// The keys of provinces; `None` where they cannot be read, which is noted once and not of every frame.
    signers: BTreeMap<Origin, Option<Vec<Signer>>>,
}

impl Lanes {
    /// Notes how far each lane was acknowledged.
    pub(super) async fn note_ends<S: NationalStore>(
        &mut self,
        store: &S,
        report: &mut AuditReport,
    ) -> Result<(), StoreError> {
        for province in report.read(None, PROVINCES, store.provinces().await)?.unwrap_or_default() {
            let (origin, cursors) = (province.origin, store.cursors(province.origin).await);
            let cursors = report.read(Some(origin), "how far its lanes were acknowledged", cursors)?;
            self.acknowledged.extend(cursors.into_iter().flatten().map(|cursor| (origin, cursor)));
        }
        Ok(())
    }

    /// Looks at the next frame of the journal.
    pub(super) async fn see<S: NationalStore>(
        &mut self,
        store: &S,
        entry: &JournalEntry,
        report: &mut AuditReport,
    ) -> Result<Judged<()>, StoreError> {
        let JournalBody::Frame { origin, epoch, lane, last_seq, chain, bytes } = &entry.body else { return Ok(Ok(())) };
        let noted = Cursor { epoch: *epoch, lane: *lane, seq: *last_seq, chain: *chain };
        let frame = match self.continues(*origin, noted, bytes, report) {
            Ok(frame) => frame,
            Err(reason) => return Ok(Err(reason)),
        };
        let mut signed = self.is_signed(*origin, &frame, entry.received_ms);
        if signed.is_err() {
            // A province may have been enrolled, or have got another key, since its keys were looked up.
            let signers = store.signers(*origin).await;
            self.signers.insert(*origin, report.read(Some(*origin), KEYS, signers)?);
            signed = self.is_signed(*origin, &frame, entry.received_ms);
        }
        Ok(signed.map(|signed| match signed {
            Some(true) => report.signed += 1,
            Some(false) => report.unsigned += 1,
            None => {}
        }))
    }

    /// Whether a frame opens, continues its lane, and ends where it was noted to end when it came.
    fn continues(
        &mut self,
        origin: Origin,
        noted: Cursor,
        bytes: &[u8],
        report: &mut AuditReport,
    ) -> Judged<v1::Frame> {
        let frame = v1::Frame::decode(bytes).map_err(|error| format!("the frame cannot be read: {error}"))?;
        let opened = frame::open(origin, &frame).map_err(|error| error.to_string())?;
        report.changes += opened.changes.len() as u64;
        let start = Cursor::start(origin, opened.epoch, opened.lane);
        let lane = self.walked.entry((origin, opened.lane)).or_insert(start);
        if lane.epoch != opened.epoch {
            *lane = start;
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
        Ok(frame)
    }

    /// Whether a frame is signed by a key that its province had when it came; one that never had a key signs nothing.
    /// `None` where nobody can tell.
    fn is_signed(&self, origin: Origin, frame: &v1::Frame, received_ms: i64) -> Judged<Option<bool>> {
        // Nobody's keys were looked up yet: that is no proof that there are none.
        let Some(signers) = self.signers.get(&origin) else { return Err(String::new()) };
        let Some(signers) = signers else { return Ok(None) };
        let had = |signer: &&Signer| {
            signer.enrolled_ms <= received_ms && signer.retired_ms.is_none_or(|retired_ms| received_ms <= retired_ms)
        };
        let verified =
            signers.iter().filter(had).map(|signer| PublicKey(signer.public_key.0).verify_frame(origin, frame));
        match verified.reduce(|one, other| one.or(other)) {
            None if frame.signature.is_empty() => Ok(Some(false)),
            None => Err("it is signed, and no key of its province is known".to_owned()),
            Some(Ok(())) => Ok(Some(true)),
            Some(Err(error)) => Err(error.to_string()),
        }
    }

    /// A lane goes at least as far as it was acknowledged when the walk began: else its end was cut off.
    pub(super) fn check_ends(&self, report: &mut AuditReport) {
        for (origin, acknowledged) in &self.acknowledged {
            let lane = acknowledged.lane;
            let end = self.walked.get(&(*origin, lane)).filter(|end| end.epoch == acknowledged.epoch);
            let seq = end.map_or(Seq(0), |end| end.seq);
            let is_other = end.is_some_and(|end| end.seq == acknowledged.seq && end.chain != acknowledged.chain);
            if seq < acknowledged.seq || is_other {
                let reason = format!("the journal ends at change {seq}, and {} was acknowledged", acknowledged.seq);
                report.blame_entry(0, Some(*origin), Some(lane), reason);
            }
        }
    }

    /// Whose lanes were walked.
    pub(super) fn origins(&self) -> BTreeSet<Origin> {
        self.walked.keys().map(|(origin, _)| *origin).collect()
    }

    /// How many lanes were walked.
    pub(super) fn count(&self) -> usize {
        self.walked.len()
    }
}
