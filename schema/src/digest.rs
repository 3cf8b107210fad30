//! Hashes of changes, the chain of a lane, and sums that do not depend on order.
//!
//! Every hash starts with a domain string and every part has a fixed length or a length in front, so no two different
//! inputs share their bytes.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::clock::Hlc;
use crate::ids::{Epoch, Lane, Origin, RecordKey, Version};

/// A SHA-256 value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash256(pub [u8; 32]);

impl Hash256 {
    /// The hash with these bytes; `None` unless there are exactly 32.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Hash256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Hash256 {
    type Err = NoHash;

    /// Reads what `Display` writes: 64 hexadecimal digits, in either case.
    fn from_str(text: &str) -> Result<Self, NoHash> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return Err(NoHash);
        }
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).ok_or(NoHash);
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(Self(bytes))
    }
}

/// The text is no hash or key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("64 hexadecimal digits are expected")]
pub struct NoHash;

impl fmt::Debug for Hash256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// SHA-256 of one state's canonical bytes.
#[must_use]
pub fn content_hash(canonical: &[u8]) -> Hash256 {
    Hash256(Sha256::digest(canonical).into())
}

/// The hash that stands for one change: whose record, which state, when, and what it says.
#[must_use]
pub fn change_hash(key: RecordKey, version: Version, clock: Hlc, content: &Hash256) -> Hash256 {
    let mut hasher = Sha256::new();
    hasher.update(b"hotich change 1");
    hasher.update(key.origin.number().to_be_bytes());
    hasher.update(key.id.number().to_be_bytes());
    hasher.update(version.0.to_be_bytes());
    hasher.update(clock.number().to_be_bytes());
    hasher.update(content.0);
    Hash256(hasher.finalize().into())
}

/// The chain of a lane before its first change.
#[must_use]
pub fn chain_start(origin: Origin, epoch: Epoch, lane: Lane) -> Hash256 {
    let mut hasher = Sha256::new();
    hasher.update(b"hotich chain start 1");
    hasher.update(origin.number().to_be_bytes());
    hasher.update(epoch.0.to_be_bytes());
    hasher.update([lane.number()]);
    Hash256(hasher.finalize().into())
}

/// The chain of a lane after one more change. It runs over changes, not frames, so frames may be cut anew at any time.
#[must_use]
pub fn chain_next(previous: &Hash256, change: &Hash256) -> Hash256 {
    let mut hasher = Sha256::new();
    hasher.update(b"hotich chain 1");
    hasher.update(previous.0);
    hasher.update(change.0);
    Hash256(hasher.finalize().into())
}

/// A stable 63-bit hash of some parts, for block keys and derived identities; the same on every machine for ever.
#[must_use]
pub fn hash63(domain: &str, parts: &[&[u8]]) -> i64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hash_parts(domain, parts).0[..8]);
    (u64::from_be_bytes(bytes) >> 1).cast_signed()
}

/// A stable 256-bit hash of some parts.
#[must_use]
pub fn hash_parts(domain: &str, parts: &[&[u8]]) -> Hash256 {
    /// What is shorter is laid out in one piece, whose hash costs half: nearly every block key.
    const PIECE_BYTES: usize = 128;
    let all = || std::iter::once(domain.as_bytes()).chain(parts.iter().copied());
    if all().map(|part| part.len() + 8).sum::<usize>() > PIECE_BYTES {
        let mut hasher = blake3::Hasher::new();
        for part in all() {
            hasher.update(&(part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        return Hash256(*hasher.finalize().as_bytes());
    }
    let (mut piece, mut end) = ([0; PIECE_BYTES], 0);
    for part in all() {
        let (begin, text) = (end, end + 8);
        end = text + part.len();
        piece[begin..text].copy_from_slice(&(part.len() as u64).to_be_bytes());
        piece[text..end].copy_from_slice(part);
    }
    Hash256(*blake3::hash(&piece[..end]).as_bytes())
}

/// A sum of hashes modulo 2^256 with a count: the same for the same set in any order, and each item can be taken out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SetSum {
    limbs: [u64; 4],
    count: i64,
}

impl SetSum {
    /// The sum with this stored form (32 little-endian bytes) and count.
    #[must_use]
    pub fn from_parts(bytes: &[u8; 32], count: i64) -> Self {
        let mut limbs = [0; 4];
        for (limb, chunk) in limbs.iter_mut().zip(bytes.chunks_exact(8)) {
            *limb = u64::from_le_bytes(chunk.try_into().expect("chunks of eight bytes"));
        }
        Self { limbs, count }
    }

    /// The stored form: 32 little-endian bytes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (chunk, limb) in bytes.chunks_exact_mut(8).zip(self.limbs) {
            chunk.copy_from_slice(&limb.to_le_bytes());
        }
        bytes
    }

    /// How many items are in the sum.
    #[must_use]
    pub const fn count(self) -> i64 {
        self.count
    }

    /// Puts an item in.
    pub fn add(&mut self, item: &Hash256) {
        self.merge(Self::from_parts(&item.0, 1));
    }

    /// Takes an item out.
    pub fn remove(&mut self, item: &Hash256) {
        let mut negative = Self::from_parts(&item.0, 0).limbs.map(|limb| !limb);
        let mut carry = true;
        for limb in &mut negative {
            (*limb, carry) = limb.overflowing_add(u64::from(carry));
        }
        self.merge(Self { limbs: negative, count: -1 });
    }

    /// Adds another sum, item by item.
    pub fn merge(&mut self, other: Self) {
        let mut carry = false;
        for (limb, more) in self.limbs.iter_mut().zip(other.limbs) {
            let (sum, first) = limb.overflowing_add(more);
            let (sum, second) = sum.overflowing_add(u64::from(carry));
            *limb = sum;
            carry = first | second;
        }
        self.count += other.count;
    }
}

impl fmt::Display for SetSum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_bytes().iter().rev().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;
    use crate::ids::RecordId;

    #[test]
    fn a_hash_is_read_as_it_is_written_and_nothing_else_is() {
        let hash = content_hash(b"x");
        let text = hash.to_string();
        assert_eq!(text.parse(), Ok(hash));
        assert_eq!(text.to_uppercase().parse(), Ok(hash));
        for bad in ["", &text[1..], &format!("{text}0"), &text.replacen(&text[..2], "+f", 1), &"é".repeat(32)] {
            assert_eq!(bad.parse::<Hash256>(), Err(NoHash), "{bad}");
        }
    }

    #[test]
    fn golden_hashes_stay_what_they_are() {
        let key = RecordKey { origin: "01@2008".parse().unwrap(), id: RecordId::from_number(42).unwrap() };
        let change = change_hash(key, Version(3), Hlc::from_number(7), &content_hash(b"canonical"));
        let start = chain_start(key.origin, Epoch(9), Lane::Backlog);
        assert_eq!(change.to_string(), "1d7898a397c9ff62ff12c1ac18688dbda15d2e2dee1695dc664ca9263653841d");
        assert_eq!(
            chain_next(&start, &change).to_string(),
            "59a0f665b655416fcc50499d222e4483a43b0fe28e018b39f8203ff107b592cf"
        );
        assert_eq!(hash63("test", &[b"ab", b"c"]), 4_103_877_267_186_608_741);
    }

    #[test]
    fn parts_are_kept_apart() {
        assert_ne!(hash63("test", &[b"ab", b"c"]), hash63("test", &[b"a", b"bc"]));
    }

    proptest! {
        #[test]
        fn parts_have_one_hash_however_they_are_laid_out(parts in prop::collection::vec(any::<Vec<u8>>(), 0..4)) {
            let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
            let framed = |part: &&[u8]| [&(part.len() as u64).to_be_bytes()[..], part].concat();
            let bytes: Vec<u8> = std::iter::once(&&b"test"[..]).chain(&parts).flat_map(framed).collect();
            prop_assert_eq!(hash_parts("test", &parts), Hash256(*blake3::hash(&bytes).as_bytes()));
        }

        #[test]
        fn a_sum_knows_no_order_and_forgets_what_is_taken_out(
            items in prop::collection::vec(any::<[u8; 32]>(), 0..20), cut in 0_usize..20,
        ) {
            let sum = |items: &mut dyn Iterator<Item = &[u8; 32]>| {
                let mut sum = SetSum::default();
                items.for_each(|item| sum.add(&Hash256(*item)));
                sum
            };
            let mut all = sum(&mut items.iter().rev());
            prop_assert_eq!(all, sum(&mut items.iter()));
            prop_assert_eq!(SetSum::from_parts(&all.to_bytes(), all.count()), all);
            let cut = cut.min(items.len());
            items[cut..].iter().for_each(|item| all.remove(&Hash256(*item)));
            prop_assert_eq!(all, sum(&mut items[..cut].iter()));
        }
    }
}
