//! The bytes of a `ChangeBatch`, written and read one change at a time so that nothing is allocated on a stranger's
//! word.

use prost::Message as _;

use super::SealedChange;
use crate::v1;

/// The tag of `ChangeBatch.changes`: field 1, length-delimited.
const CHANGES_TAG: u8 = 1 << 3 | 2;

/// Writes the batch into `raw`, which is cleared first.
pub(super) fn encode(changes: &[SealedChange], raw: &mut Vec<u8>) {
    raw.clear();
    let mut message = v1::Change::default();
    for change in changes {
        message.record_id = change.record_id.number().cast_unsigned();
        message.version = change.version.0;
        message.clock = change.clock.number();
        message.canonical.clear();
        message.canonical.extend_from_slice(&change.canonical);
        raw.push(CHANGES_TAG);
        message.encode_length_delimited(raw).expect("a growing buffer takes every message");
    }
}

/// Reads a batch of exactly `count` changes; the words say why it is none.
pub(super) fn decode(mut raw: &[u8], count: usize) -> Result<Vec<v1::Change>, &'static str> {
    let mut changes = Vec::with_capacity(count);
    while let Some((tag, rest)) = raw.split_first() {
        if *tag != CHANGES_TAG {
            return Err("the payload is no batch of changes");
        }
        if changes.len() == count {
            return Err("the payload holds more changes than announced");
        }
        raw = rest;
        let change = v1::Change::decode_length_delimited(&mut raw);
        changes.push(change.map_err(|_| "a change in the payload cannot be read")?);
    }
    if changes.len() < count {
        return Err("the payload holds fewer changes than announced");
    }
    Ok(changes)
}
