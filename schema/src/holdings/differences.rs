//! What a decoding found.

use std::collections::BTreeMap;

use super::item::Item;
use crate::ids::RecordId;

/// Every state that is in one of two holdings only, in the order of records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Differences {
    /// States that the local holding has and the other has not.
    pub only_here: Vec<Item>,
    /// States that the other holding has and the local one has not.
    pub only_there: Vec<Item>,
}

/// How one record differs; states are named by the prefixes of their tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// Both holdings have the record, in different states.
    Altered {
        /// The state in the local holding.
        here: u64,
        /// The state in the other.
        there: u64,
    },
    /// Only the local holding has the record, in this state.
    OnlyHere(u64),
    /// Only the other holding has the record, in this state.
    OnlyThere(u64),
}

impl Differences {
    /// Whether the two holdings are equal.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.only_here.is_empty() && self.only_there.is_empty()
    }

    /// The same by record: an altered record is a state here and another one there.
    #[must_use]
    pub fn by_record(&self) -> BTreeMap<RecordId, Difference> {
        let here = self.only_here.iter().map(|item| (item.record, Difference::OnlyHere(item.prefix)));
        let mut records: BTreeMap<_, _> = here.collect();
        for item in &self.only_there {
            let difference = records.entry(item.record).or_insert(Difference::OnlyThere(item.prefix));
            if let Difference::OnlyHere(here) = *difference {
                *difference = Difference::Altered { here, there: item.prefix };
            }
        }
        records
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_altered_record_is_one_state_here_and_one_there() {
        let item = |record, prefix| Item { record: RecordId::from_number(record).unwrap(), prefix };
        let differences =
            Differences { only_here: vec![item(1, 10), item(2, 20)], only_there: vec![item(2, 21), item(3, 30)] };
        let found: Vec<_> = differences.by_record().into_iter().map(|(id, found)| (id.number(), found)).collect();
        let altered = Difference::Altered { here: 20, there: 21 };
        assert_eq!(found, [(1, Difference::OnlyHere(10)), (2, altered), (3, Difference::OnlyThere(30))]);
    }
}
