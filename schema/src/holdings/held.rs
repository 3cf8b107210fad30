//! The name of a state in a holding, and what moves a holding from one moment to another.

use super::buckets::{Bucket, Buckets};
use super::item::Item;
use super::key::HoldingsKey;
use super::sketch::Sketch;
use super::wire::{self, HoldingsError, Reader};
use crate::canonical;
use crate::clock::Hlc;
use crate::date::PartialDate;
use crate::digest::{Hash256, SetSum};
use crate::field::{Attribute, Field, Role};
use crate::ids::{RecordId, RecordKey, Version};
use crate::kind::Kind;

/// The most items of one encoded delta: a reader takes no memory for more. A batch of the judgement has some thousands.
const DELTA_ITEMS_MAX: usize = 1 << 20;
/// Where the year of an entry is looked for: the registration first, then the event.
const DATES: [Field; 3] = [
    Field::entry(Attribute::RegistrationDate),
    Field::entry(Attribute::EventDate),
    Field::new(Role::Child, Attribute::BirthDate),
];

impl Bucket {
    /// The bucket of a state, from its canonical bytes alone: the year of the registration where it is known, else that
    /// of the event, else 0. Bytes that cannot be read stand among the births of an unknown year.
    #[must_use]
    pub fn of(canonical: &[u8]) -> Self {
        let kind = canonical.get(1).and_then(|code| Kind::from_code(*code)).unwrap_or(Kind::Birth);
        let year = |field| {
            let text = canonical::peek(canonical, field)?;
            PartialDate::parse(text).ok().map(PartialDate::year)
        };
        Self::new(kind, DATES.into_iter().find_map(year).unwrap_or(0))
    }
}

/// Names one state of a record: of all states of a record the greatest by (version, clock, content) is the held one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Held {
    /// Counted by the province from 1.
    pub version: Version,
    /// When the province sealed it.
    pub clock: Hlc,
    /// SHA-256 of its canonical bytes.
    pub content: Hash256,
    /// Where it is summed.
    pub bucket: Bucket,
}

impl Held {
    /// Where the state stands among the states of its record.
    #[must_use]
    pub const fn rank(&self) -> (Version, Hlc, Hash256) {
        (self.version, self.clock, self.content)
    }

    /// The item of this state of a record.
    #[must_use]
    pub fn item(&self, key: &HoldingsKey, record: RecordKey) -> Item {
        Item::new(record.id, &key.tag(record, self.version, self.clock, &self.content))
    }
}

/// What leads from one holding to another; deltas may be applied in any order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delta {
    buckets: Buckets,
    removed: Vec<Item>,
    added: Vec<Item>,
}

impl Delta {
    /// Puts the state `after` of a record in the place of the state `before`.
    pub fn swap(&mut self, key: &HoldingsKey, record: RecordKey, before: Option<&Held>, after: Option<&Held>) {
        if before == after {
            return;
        }
        if let Some(held) = before {
            let tag = key.tag(record, held.version, held.clock, &held.content);
            self.buckets.remove(held.bucket, &tag);
            self.removed.push(Item::new(record.id, &tag));
        }
        if let Some(held) = after {
            let tag = key.tag(record, held.version, held.clock, &held.content);
            self.buckets.add(held.bucket, &tag);
            self.added.push(Item::new(record.id, &tag));
        }
    }

    /// What it adds to the root.
    #[must_use]
    pub fn root(&self) -> SetSum {
        self.buckets.root()
    }

    /// How many items it moves.
    #[must_use]
    pub const fn items(&self) -> usize {
        self.removed.len() + self.added.len()
    }

    /// The one byte form: the buckets with their length, then both lists of items with their lengths.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let buckets = self.buckets.encode();
        let mut bytes = Vec::with_capacity(16 + buckets.len() + self.items() * 16);
        bytes.push(super::HOLDINGS_VERSION);
        wire::put_unsigned(&mut bytes, buckets.len() as u64);
        bytes.extend(buckets);
        for items in [&self.removed, &self.added] {
            wire::put_unsigned(&mut bytes, items.len() as u64);
            for item in items {
                bytes.extend(item.record.number().to_be_bytes());
                bytes.extend(item.prefix.to_be_bytes());
            }
        }
        bytes
    }

    /// Reads the byte form back.
    ///
    /// # Errors
    /// Bytes of another release, or that are not in the one form.
    pub fn decode(bytes: &[u8]) -> Result<Self, HoldingsError> {
        let mut reader = Reader::open(bytes)?;
        let length = reader.count(bytes.len(), "buckets longer than the delta")?;
        let buckets = Buckets::decode(reader.slice(length)?)?;
        let mut lists = [Vec::new(), Vec::new()];
        for list in &mut lists {
            for _ in 0..reader.count(DELTA_ITEMS_MAX, "too many items")? {
                let record = RecordId::from_number(i64::from_be_bytes(reader.array()?));
                let record = record.ok_or_else(|| reader.malformed("no record key"))?;
                list.push(Item { record, prefix: u64::from_be_bytes(reader.array()?) });
            }
        }
        reader.finish()?;
        let [removed, added] = lists;
        Ok(Self { buckets, removed, added })
    }
}

/// One province's holding at one moment, in buckets and in cells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holding {
    /// Sums by kind and year.
    pub buckets: Buckets,
    /// Coded cells.
    pub sketch: Sketch,
}

impl Holding {
    /// A holding of nothing with so many cells.
    #[must_use]
    pub fn with_cells(cells: usize) -> Self {
        Self { buckets: Buckets::default(), sketch: Sketch::with_cells(cells) }
    }

    /// Moves to where a delta leads.
    pub fn apply(&mut self, key: &HoldingsKey, delta: &Delta) {
        self.buckets += &delta.buckets;
        delta.removed.iter().for_each(|item| self.sketch.remove(*item, key));
        delta.added.iter().for_each(|item| self.sketch.add(*item, key));
    }

    /// Puts the state of one more record in.
    pub fn add(&mut self, key: &HoldingsKey, record: RecordKey, held: &Held) {
        let tag = key.tag(record, held.version, held.clock, &held.content);
        self.buckets.add(held.bucket, &tag);
        self.sketch.add(Item::new(record.id, &tag), key);
    }

    /// The sum and count of all tags.
    #[must_use]
    pub fn root(&self) -> SetSum {
        self.buckets.root()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;
    use crate::draft::Draft;
    use crate::kind::Status;

    fn check(fields: &[(Field, &str)], kind: Kind, year: i16) {
        let mut draft = Draft::new(kind);
        fields.iter().for_each(|(field, value)| draft.set(*field, value));
        let canonical = canonical::encode(&draft, Status::Active);
        assert_eq!(Bucket::of(&canonical), Bucket::new(kind, year), "{fields:?}");
    }

    #[test]
    fn a_state_is_summed_in_the_year_of_its_registration_or_else_of_its_event() {
        let [registered, event, born] = DATES;
        check(&[(registered, "04.05.1987"), (born, "01.01.1950")], Kind::Birth, 1987);
        check(&[(registered, "unreadable"), (born, "1950")], Kind::Birth, 1950);
        check(&[(event, "03.1999")], Kind::Death, 1999);
        check(&[], Kind::Marriage, 0);
        assert_eq!(Bucket::of(b"nonsense"), Bucket::new(Kind::Birth, 0));
    }

    fn held(number: u32) -> Held {
        let bucket = Bucket::new(Kind::ALL[number as usize % 3], 1990 + (number % 7) as i16);
        Held { version: Version(number), clock: Hlc::from_number(7), content: Hash256([number as u8; 32]), bucket }
    }

    proptest! {
        #[test]
        fn deltas_lead_from_one_holding_to_another_and_back(moves in prop::collection::vec((1_i64..9, 0_u32..5), 0..40)) {
            let key = HoldingsKey::from_bytes([3; 32]);
            let record = |id| RecordKey { origin: "01@2008".parse().unwrap(), id: RecordId::from_number(id).unwrap() };
            let (mut holding, mut stands) = (Holding::default(), std::collections::BTreeMap::new());
            let mut back = Delta::default();
            for (id, version) in moves {
                let after = (version > 0).then(|| held(version));
                let before: Option<Held> = stands.insert(id, after).flatten();
                let mut delta = Delta::default();
                delta.swap(&key, record(id), before.as_ref(), after.as_ref());
                back.swap(&key, record(id), after.as_ref(), before.as_ref());
                prop_assert_eq!(&Delta::decode(&delta.encode()).unwrap(), &delta);
                holding.apply(&key, &delta);
            }
            let mut plain = Holding::default();
            stands.iter().filter_map(|(id, held)| Some((id, (*held)?))).for_each(|(id, held)| plain.add(&key, record(*id), &held));
            prop_assert_eq!(&holding, &plain);
            holding.apply(&key, &back);
            prop_assert_eq!(holding, Holding::default());
        }
    }
}
