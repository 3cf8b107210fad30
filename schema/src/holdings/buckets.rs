//! Sums of tags by kind and year: whether two holdings are equal, and in which corner they are not.

use std::collections::BTreeMap;
use std::ops::{AddAssign, SubAssign};

use super::HOLDINGS_VERSION;
use super::key::Tag;
use super::wire::{self, HoldingsError, Reader};
use crate::digest::{Hash256, SetSum};
use crate::kind::Kind;

/// The first year with a bucket of its own.
const YEAR_MIN: i16 = 1800;
/// The last year with a bucket of its own.
const YEAR_MAX: i16 = 2199;
/// The most buckets there can be: each kind in each year, and each kind in an unknown year.
pub const BUCKETS_MAX: usize = Kind::ALL.len() * ((YEAR_MAX - YEAR_MIN) as usize + 2);

/// The bounded corner of a holding in which a record is summed: a kind, and a year of four centuries or 0 for any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket {
    kind: Kind,
    year: i16,
}

impl Bucket {
    /// The bucket of a kind and year; unknown years and years outside 1800 to 2199 share year 0.
    #[must_use]
    pub const fn new(kind: Kind, year: i16) -> Self {
        if year < YEAR_MIN || year > YEAR_MAX { Self { kind, year: 0 } } else { Self { kind, year } }
    }

    /// The kind of its records.
    #[must_use]
    pub const fn kind(self) -> Kind {
        self.kind
    }

    /// The year of its records, 0 when unknown or far away.
    #[must_use]
    pub const fn year(self) -> i16 {
        self.year
    }
}

/// A sum of tags for each bucket that is not empty: equal for equal holdings, in whatever order they came about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Buckets(BTreeMap<Bucket, SetSum>);

impl Buckets {
    /// Puts the tag of a record's state in.
    pub fn add(&mut self, bucket: Bucket, tag: &Tag) {
        self.change(bucket, |sum| *sum = plus(*sum, one(tag)));
    }

    /// Takes the tag of a record's state out.
    pub fn remove(&mut self, bucket: Bucket, tag: &Tag) {
        self.change(bucket, |sum| *sum = minus(*sum, one(tag)));
    }

    /// The sum of one bucket.
    #[must_use]
    pub fn get(&self, bucket: Bucket) -> SetSum {
        self.0.get(&bucket).copied().unwrap_or_default()
    }

    /// Every bucket that is not empty, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Bucket, SetSum)> + '_ {
        self.0.iter().map(|(bucket, sum)| (*bucket, *sum))
    }

    /// The sum and count of all tags: two holdings with equal roots hold the same states.
    #[must_use]
    pub fn root(&self) -> SetSum {
        self.0.values().fold(SetSum::default(), |root, sum| plus(root, *sum))
    }

    /// The buckets in which two holdings differ, in order.
    #[must_use]
    pub fn differing(&self, other: &Self) -> Vec<Bucket> {
        let mut difference = self.clone();
        difference -= other;
        difference.0.into_keys().collect()
    }

    /// The one byte form: version, number of buckets, then for each in order kind, year, count and sum.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(4 + self.0.len() * 39);
        bytes.push(HOLDINGS_VERSION);
        wire::put_unsigned(&mut bytes, self.0.len() as u64);
        for (bucket, sum) in &self.0 {
            bytes.push(bucket.kind.code());
            bytes.extend(bucket.year.to_be_bytes());
            wire::put_signed(&mut bytes, sum.count());
            bytes.extend(sum.to_bytes());
        }
        bytes
    }

    /// Reads the byte form back; refuses every other sequence of bytes.
    ///
    /// # Errors
    /// Bytes of another release, or that are not in the one form.
    pub fn decode(bytes: &[u8]) -> Result<Self, HoldingsError> {
        let mut reader = Reader::open(bytes)?;
        let mut buckets = Self::default();
        for _ in 0..reader.count(BUCKETS_MAX, "too many buckets")? {
            let [kind] = reader.array()?;
            let kind = Kind::from_code(kind).ok_or(HoldingsError::UnknownKind(kind))?;
            let year = i16::from_be_bytes(reader.array()?);
            let bucket = Bucket::new(kind, year);
            if bucket.year != year || buckets.0.last_key_value().is_some_and(|(last, _)| *last >= bucket) {
                return Err(reader.malformed("buckets out of order"));
            }
            let count = reader.signed()?;
            let sum = SetSum::from_parts(&reader.array()?, count);
            if sum == SetSum::default() {
                return Err(reader.malformed("an empty bucket"));
            }
            buckets.0.insert(bucket, sum);
        }
        reader.finish()?;
        Ok(buckets)
    }

    /// Changes one sum; a bucket that becomes empty vanishes.
    fn change(&mut self, bucket: Bucket, change: impl FnOnce(&mut SetSum)) {
        let sum = self.0.entry(bucket).or_default();
        change(sum);
        if *sum == SetSum::default() {
            self.0.remove(&bucket);
        }
    }
}

impl AddAssign<&Self> for Buckets {
    fn add_assign(&mut self, other: &Self) {
        other.iter().for_each(|(bucket, more)| self.change(bucket, |sum| *sum = plus(*sum, more)));
    }
}

impl SubAssign<&Self> for Buckets {
    fn sub_assign(&mut self, other: &Self) {
        other.iter().for_each(|(bucket, less)| self.change(bucket, |sum| *sum = minus(*sum, less)));
    }
}

/// The sum of one tag.
fn one(tag: &Tag) -> SetSum {
    SetSum::from_parts(&tag.0.0, 1)
}

/// The sum of two sums. Counts wrap, because those of a peer may be anything.
fn plus(a: SetSum, b: SetSum) -> SetSum {
    let mut sum = SetSum::from_parts(&a.to_bytes(), 0);
    sum.add(&Hash256(b.to_bytes()));
    SetSum::from_parts(&sum.to_bytes(), a.count().wrapping_add(b.count()))
}

/// The difference of two sums. Counts wrap, because those of a peer may be anything.
fn minus(a: SetSum, b: SetSum) -> SetSum {
    let mut difference = SetSum::from_parts(&a.to_bytes(), 0);
    difference.remove(&Hash256(b.to_bytes()));
    SetSum::from_parts(&difference.to_bytes(), a.count().wrapping_sub(b.count()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn entry() -> impl Strategy<Value = (Bucket, Tag)> {
        let year = prop_oneof![Just(0_i16), 1990_i16..1994, any::<i16>()];
        (0_usize..3, year, any::<[u8; 32]>())
            .prop_map(|(kind, year, tag)| (Bucket::new(Kind::ALL[kind], year), Tag(Hash256(tag))))
    }

    fn holding<'a>(entries: impl IntoIterator<Item = &'a (Bucket, Tag)>) -> Buckets {
        let mut buckets = Buckets::default();
        entries.into_iter().for_each(|(bucket, tag)| buckets.add(*bucket, tag));
        buckets
    }

    proptest! {
        #[test]
        fn buckets_are_linear_and_know_no_order(entries in prop::collection::vec(entry(), 0..20), cut in 0_usize..20) {
            let cut = cut.min(entries.len());
            let whole = holding(&entries);
            prop_assert_eq!(&whole, &holding(entries.iter().rev()));
            let (left, right) = (holding(&entries[..cut]), holding(&entries[cut..]));
            let mut sum = left.clone();
            sum += &right;
            prop_assert_eq!(sum.encode(), whole.encode());
            prop_assert_eq!(sum.root(), whole.root());
            sum -= &right;
            prop_assert_eq!(&sum, &left);
            entries[..cut].iter().for_each(|(bucket, tag)| sum.remove(*bucket, tag));
            prop_assert_eq!(sum, Buckets::default());
        }

        #[test]
        fn the_byte_form_is_read_back(entries in prop::collection::vec(entry(), 0..20), flip: prop::sample::Index) {
            let buckets = holding(&entries);
            let mut bytes = buckets.encode();
            prop_assert_eq!(&Buckets::decode(&bytes).unwrap(), &buckets);
            let at = flip.index(bytes.len());
            bytes[at] ^= 1;
            // What still can be read means something else and has only this form.
            if let Ok(other) = Buckets::decode(&bytes) {
                prop_assert_ne!(&other, &buckets);
                prop_assert_eq!(other.encode(), bytes);
            }
        }

        #[test]
        fn bytes_of_any_kind_are_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let bytes: Vec<u8> = std::iter::once(HOLDINGS_VERSION).chain(bytes).collect();
            if let Ok(buckets) = Buckets::decode(&bytes) {
                let _wraps = buckets.root();
                prop_assert_eq!(buckets.encode(), bytes);
            }
        }
    }

    #[test]
    fn the_differing_buckets_are_named() {
        let tag = |byte| Tag(Hash256([byte; 32]));
        let [births, deaths, unknown] =
            [(Kind::Birth, 1990), (Kind::Death, 1990), (Kind::Birth, 0)].map(|(kind, year)| Bucket::new(kind, year));
        let here = holding(&[(births, tag(1)), (deaths, tag(2)), (unknown, tag(3))]);
        let there = holding(&[(births, tag(1)), (deaths, tag(4))]);
        assert_eq!(here.differing(&there), [unknown, deaths]);
        assert_eq!(there.differing(&here), [unknown, deaths]);
        assert_eq!(here.differing(&here), []);
        assert_eq!((here.get(births), here.get(unknown).count()), (there.get(births), 1));
        assert_ne!(here.root(), there.root());
    }

    #[test]
    fn counts_of_a_hostile_peer_wrap() {
        let mut bytes = vec![HOLDINGS_VERSION, 2];
        for kind in [1, 2] {
            bytes.extend([kind, 0, 0]);
            wire::put_signed(&mut bytes, i64::MAX);
            bytes.extend([1; 32]);
        }
        let mut hostile = Buckets::decode(&bytes).unwrap();
        assert_eq!(hostile.root().count(), -2);
        hostile += &hostile.clone();
        assert_eq!(hostile.root().count(), -4);
    }

    #[test]
    fn an_empty_bucket_has_no_place_in_the_byte_form() {
        let form = |sum: [u8; 32]| [&[HOLDINGS_VERSION, 1, 1, 0, 0, 0][..], &sum].concat();
        assert!(Buckets::decode(&form([1; 32])).is_ok());
        assert!(matches!(Buckets::decode(&form([0; 32])), Err(HoldingsError::Malformed { .. })));
    }

    #[test]
    fn every_bucket_there_can_be_is_read_back() {
        let all = Kind::ALL.into_iter().flat_map(|kind| (i16::MIN..=i16::MAX).map(move |year| Bucket::new(kind, year)));
        let buckets = holding(&all.map(|bucket| (bucket, Tag(Hash256([1; 32])))).collect::<Vec<_>>());
        assert_eq!(buckets.iter().count(), BUCKETS_MAX);
        assert_eq!(Buckets::decode(&buckets.encode()).unwrap(), buckets);
    }
}
