//! In which form each group of rows was written, by a vote of its names and places.

use std::borrow::Cow;
use std::collections::BTreeMap;

use registry_schema::field::Attribute;
use registry_schema::mapping::{Mapping, MappingError, Piece};
use registry_schema::text::legacy::{Legacy, Teller, Vote, decode};

/// The form of every group of a file; the cells that it is about are those of names and places.
#[derive(Debug, Default)]
pub(super) struct Spelling {
    places: Vec<usize>,
    teller: Teller,
    file: Vote,
    groups: BTreeMap<String, Vote>,
}

impl Spelling {
    /// Nothing was heard yet. An error names a column that the file does not have.
    pub(super) fn new(mapping: &Mapping, headings: &[String]) -> Result<Self, MappingError> {
        let columns = mapping.columns.iter().filter(|(field, _)| field.attribute().is_some_and(is_text));
        let mut places = Vec::new();
        for piece in columns.flat_map(|(_, pieces)| pieces) {
            if let Piece::Column(column) = piece {
                places.push(column.place(headings)?);
            }
        }
        places.sort_unstable();
        places.dedup();
        Ok(Self { places, ..Self::default() })
    }

    /// Hears a row of a group.
    pub(super) fn hear(&mut self, group: &str, cells: &[String]) {
        if !self.groups.contains_key(group) {
            self.groups.insert(group.to_owned(), Vote::default());
        }
        let Some(votes) = self.groups.get_mut(group) else { return };
        let mut vote = Vote::default();
        for cell in self.places.iter().filter_map(|place| cells.get(*place)) {
            self.teller.count(cell, &mut vote);
        }
        votes.absorb(&vote);
        self.file.absorb(&vote);
    }

    /// The form in which a group was written, once every row was heard.
    pub(super) fn of(&self, group: &str) -> Option<Legacy> {
        self.groups.get(group)?.decide_within(&self.file)
    }

    /// Restores the names and places of a row.
    pub(super) fn restore(&self, legacy: Legacy, cells: &mut [String]) {
        for place in &self.places {
            let Some(cell) = cells.get_mut(*place) else { continue };
            if let Cow::Owned(restored) = decode(cell, legacy) {
                *cell = restored;
            }
        }
    }
}

/// Whether an attribute holds words of Vietnamese.
const fn is_text(attribute: Attribute) -> bool {
    matches!(attribute, Attribute::Name | Attribute::Origin | Attribute::Residence | Attribute::EventPlace)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn each_group_is_restored_by_its_own_vote() {
        let mapping = Mapping::parse("kind = \"birth\"\n[columns]\nchild_name = \"name\"\nnumber = \"no\"\n").unwrap();
        let mut spelling = Spelling::new(&mapping, &["no".to_owned(), "name".to_owned()]).unwrap();
        let row = |name: &str| vec!["NguyÔn 7".to_owned(), name.to_owned()];
        spelling.hear("abc", &row("NguyÔn V¨n Hïng"));
        spelling.hear("vni", &row("Nguyeãn Vaên Huøng"));
        spelling.hear("unicode", &row("Nguyễn Văn Hùng"));
        assert_eq!(spelling.of("abc"), Some(Legacy::Tcvn3));
        assert_eq!(spelling.of("vni"), Some(Legacy::Vni));
        assert_eq!((spelling.of("unicode"), spelling.of("nobody")), (None, None));
        let mut cells = row("TrÇn ThÞ Hoa");
        spelling.restore(Legacy::Tcvn3, &mut cells);
        assert_eq!(cells, ["NguyÔn 7", "Trần Thị Hoa"]);
    }
}
