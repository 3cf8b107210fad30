//! The same difference with negentropy 0.5, whose items are a number and 32 bytes.

use negentropy::{Id, Negentropy, NegentropyStorageVector};
use registry_schema::digest::hash_parts;

/// What it took.
pub(crate) struct Cost {
    pub(crate) bytes: u64,
    pub(crate) round_trips: u64,
}

/// Reconciles two sets of so many items, of which some are altered.
pub(crate) fn reconcile(items: u32, altered: u32) -> anyhow::Result<Cost> {
    let (here, there) = (storage(items, 0)?, storage(items, altered)?);
    let mut agent = Negentropy::borrowed(&here, 0)?;
    let mut hub = Negentropy::borrowed(&there, 0)?;
    let mut message = agent.initiate()?;
    let mut cost = Cost { bytes: 0, round_trips: 0 };
    loop {
        let answer = hub.reconcile(&message)?;
        cost.bytes += (message.len() + answer.len()) as u64;
        cost.round_trips += 1;
        match agent.reconcile_with_ids(&answer, &mut Vec::new(), &mut Vec::new())? {
            Some(next) => message = next,
            None => return Ok(cost),
        }
    }
}

fn storage(items: u32, altered: u32) -> anyhow::Result<NegentropyStorageVector> {
    let mut storage = NegentropyStorageVector::new();
    for item in 0..items {
        // Altered items are spread evenly.
        let is_altered = altered > 0 && item % (items / altered) == 0 && item / (items / altered) < altered;
        let hash = hash_parts("bench", &[&item.to_be_bytes(), &[u8::from(is_altered)]]);
        storage.insert(u64::from(item), Id::from_byte_array(hash.0))?;
    }
    storage.seal()?;
    Ok(storage)
}
