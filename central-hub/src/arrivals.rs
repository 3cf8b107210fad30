//! From an entry of the journal to what the judgement takes.

use hub_rules::{Arrival, State};
use hub_store::model::{JournalBody, JournalEntry};
use prost::Message as _;
use registry_proto::{frame, v1};
use registry_schema::ids::RecordKey;

/// The arrivals of a journal entry.
///
/// # Errors
/// The entry is damaged: what is wrong with it. Such an entry is passed over by the judgement and reported by audit.
pub fn arrivals(entry: &JournalEntry) -> Result<Vec<Arrival>, String> {
    match &entry.body {
        JournalBody::Verdict(verdict) => Ok(vec![Arrival::Verdict(verdict.clone())]),
        JournalBody::Damaged(what) => Err(format!("{what} cannot be read")),
        JournalBody::Frame { origin, chain, bytes, .. } => {
            let frame = v1::Frame::decode(bytes.as_slice()).map_err(|error| error.to_string())?;
            let opened = frame::open(*origin, &frame).map_err(|error| error.to_string())?;
            if opened.chain != *chain {
                return Err("its chain is not the one that was noted when it came".to_owned());
            }
            let state = |change: frame::OpenedChange| {
                let key = RecordKey { origin: *origin, id: change.record_id };
                let (version, clock, content_hash) = (change.version, change.clock, change.content_hash);
                Arrival::State(key, State { version, clock, content_hash, canonical: change.canonical.into() })
            };
            Ok(opened.changes.into_iter().map(state).collect())
        }
    }
}
