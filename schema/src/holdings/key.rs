//! The secret of a province's summaries, and what is computed with it.

use std::fmt;

use super::item::{Indexes, Item};
use crate::clock::Hlc;
use crate::digest::{Hash256, hash_parts};
use crate::ids::{RecordKey, Version};

/// Says which key made a summary, without telling the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub [u8; 8]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// 32 secret bytes of one province, known to its agent and to the hub; never printed.
///
/// Without the key nobody can write records whose tags cancel out in a sum or crowd the cells of a sketch.
#[derive(Clone, PartialEq, Eq)]
pub struct HoldingsKey([u8; 32]);

impl HoldingsKey {
    /// The key with these secret bytes, which must come from a cryptographic generator.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The secret bytes, for the store that keeps them and the session that hands them over.
    #[must_use]
    pub const fn secret_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The public name of the key.
    #[must_use]
    pub fn id(&self) -> KeyId {
        let hash = hash_parts("hotich holdings key id 1", &[&self.0]);
        KeyId(hash.0[..8].try_into().expect("a hash has more than eight bytes"))
    }

    /// The tag of one state of a record.
    ///
    /// The clock is part of it, because of two states with one version the later stands; the status is part of the
    /// content.
    #[must_use]
    pub fn tag(&self, record: RecordKey, version: Version, clock: Hlc, content: &Hash256) -> Tag {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(b"hotich holdings tag 1");
        hasher.update(&record.origin.number().to_be_bytes());
        hasher.update(&record.id.number().to_be_bytes());
        hasher.update(&version.0.to_be_bytes());
        hasher.update(&clock.number().to_be_bytes());
        hasher.update(&content.0);
        Tag(Hash256(*hasher.finalize().as_bytes()))
    }

    /// What tells an item from a mixture of items, and which cells hold it.
    #[must_use]
    pub fn code(&self, item: Item) -> Code {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(b"hotich holdings item 1");
        hasher.update(&item.record.number().to_be_bytes());
        hasher.update(&item.prefix.to_be_bytes());
        let hash = *hasher.finalize().as_bytes();
        let [check @ .., _, _, _, _] = first_eight(&hash);
        Code { check: u32::from_be_bytes(check), seed: u64::from_be_bytes(first_eight(&hash[8..])) }
    }
}

impl fmt::Debug for HoldingsKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HoldingsKey({})", self.id())
    }
}

/// The keyed hash that stands for one state of a record in every summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub Hash256);

impl Tag {
    /// The part of the tag that travels in items.
    #[must_use]
    pub fn prefix(&self) -> u64 {
        u64::from_be_bytes(first_eight(&self.0.0))
    }
}

/// The keyed hash of an item: the check that cells sum up, and the seed of its sequence of cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    pub(super) check: u32,
    seed: u64,
}

impl Code {
    /// The cells that hold the item, in ascending order.
    #[must_use]
    pub const fn indexes(self) -> Indexes {
        Indexes::new(self.seed)
    }
}

fn first_eight(bytes: &[u8]) -> [u8; 8] {
    bytes[..8].try_into().expect("eight bytes of a longer hash")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::digest::content_hash;
    use crate::ids::RecordId;

    fn tag(id: i64, version: u32, clock: u64, content: &[u8]) -> Tag {
        let record = RecordKey { origin: "01@2008".parse().unwrap(), id: RecordId::from_number(id).unwrap() };
        let key = HoldingsKey::from_bytes([7; 32]);
        key.tag(record, Version(version), Hlc::from_number(clock), &content_hash(content))
    }

    #[test]
    fn golden_values_stay_what_they_are() {
        let key = HoldingsKey::from_bytes([7; 32]);
        let tag = tag(42, 3, 7, b"canonical");
        assert_eq!(tag.0.to_string(), "9df3495a2d1240572e3d658c15a16fb3dba99e59bc06f30fecc6f15f2745e9f0");
        assert_eq!(key.id().to_string(), "612f06d9e3a58822");
        let code = key.code(Item::new(RecordId::from_number(42).unwrap(), &tag));
        assert_eq!((code.check, code.seed), (1_010_362_357, 3_943_073_559_687_225_393));
    }

    #[test]
    fn every_part_of_a_state_is_in_its_tag() {
        let others = [tag(2, 1, 1, b"a"), tag(1, 2, 1, b"a"), tag(1, 1, 2, b"a"), tag(1, 1, 1, b"b")];
        assert!(others.iter().all(|other| *other != tag(1, 1, 1, b"a")));
    }

    #[test]
    fn a_key_does_not_print_its_secret() {
        let key = HoldingsKey::from_bytes([0xab; 32]);
        assert_eq!(format!("{key:?}"), format!("HoldingsKey({})", key.id()));
        assert!(!format!("{key:?}").contains("abab"));
    }
}
