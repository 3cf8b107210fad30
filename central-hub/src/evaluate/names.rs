//! What the records of a set are called where it comes from.

use registry_schema::digest::hash63;
use registry_schema::ids::{Origin, RecordId, RecordKey};
use registry_schema::place::Edition;

/// The names of the records of a set; each name belongs to one record.
#[derive(Debug, Clone, Default)]
pub enum Names {
    /// Records of the nation, which are called by their keys.
    #[default]
    Keys,
    /// Rows of a file from elsewhere, sorted by key.
    Rows(Vec<(RecordKey, Box<str>)>),
}

/// The key of a row from elsewhere: a hash of its name, so that the order of the rows decides nothing.
///
/// # Panics
/// It does not: province 01 is in every edition.
#[must_use]
pub fn key_of(name: &str) -> RecordKey {
    let origin = Origin::new(Edition::E2008, 1).expect("01 is a code of two digits");
    let number = hash63("hotich evaluate 1", &[name.as_bytes()]).max(1);
    RecordKey { origin, id: RecordId::from_number(number).expect("it is at least 1") }
}

impl Names {
    /// The names of rows; an error names two rows that cannot be told apart.
    ///
    /// # Errors
    /// The two names, which are mostly one name.
    pub fn of_rows(mut rows: Vec<(RecordKey, Box<str>)>) -> Result<Self, [Box<str>; 2]> {
        rows.sort_unstable();
        match rows.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            Some(pair) => Err([pair[0].1.clone(), pair[1].1.clone()]),
            None => Ok(Self::Rows(rows)),
        }
    }

    /// The record with this name; one that is not of the set may have a key all the same.
    #[must_use]
    pub fn key(&self, name: &str) -> Option<RecordKey> {
        match self {
            Self::Keys => name.parse().ok(),
            Self::Rows(_) => Some(key_of(name.trim())),
        }
    }

    /// What a record is called.
    #[must_use]
    pub fn name(&self, key: RecordKey) -> String {
        match self {
            Self::Keys => key.to_string(),
            Self::Rows(rows) => {
                let place = rows.binary_search_by_key(&key, |row| row.0);
                place.map_or_else(|_| key.to_string(), |place| rows[place].1.to_string())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_row_keeps_its_name() {
        let rows = ["rec-1-org", "rec-1-dup-0"].map(|name| (key_of(name), name.into()));
        let names = Names::of_rows(rows.to_vec()).unwrap();
        for name in ["rec-1-org", "rec-1-dup-0"] {
            assert_eq!(names.name(names.key(name).unwrap()), name);
        }
        assert_eq!(Names::Keys.name(Names::Keys.key("79@2008/7").unwrap()), "79@2008/7");
    }

    #[test]
    fn one_name_of_two_rows_is_found() {
        let rows = ["7", "8", "7"].map(|name| (key_of(name), name.into()));
        assert_eq!(Names::of_rows(rows.to_vec()).unwrap_err(), ["7".into(), "7".into()]);
    }
}
