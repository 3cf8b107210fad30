//! The mapping file: which column of an outside file holds which field of an entry.

mod door;
mod plan;

pub use plan::Plan;

use std::collections::BTreeMap;

use encoding_rs::Encoding;
use serde::Deserialize;

use crate::date::DatePattern;
use crate::field::Field;
use crate::kind::Kind;
use crate::text;
use crate::text::legacy::Legacy;

/// A mapping whose fields all belong to its kind and whose patterns and labels all mean something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// The kind of the entries.
    pub kind: Kind,
    /// The byte between cells; unused for workbooks.
    pub delimiter: u8,
    /// The encoding of the text; unused for workbooks.
    pub encoding: &'static Encoding,
    /// The form of the letters inside that encoding.
    pub legacy_text: LegacyText,
    /// Whether the first row has headings.
    pub has_header: bool,
    /// What makes the text of each field.
    pub columns: BTreeMap<Field, Vec<Piece>>,
    /// What a field says where its columns say nothing.
    pub constants: BTreeMap<Field, String>,
    /// What the file's codes are called here.
    pub values: BTreeMap<Field, BTreeMap<String, String>>,
    /// How the file writes dates.
    pub date_pattern: Option<DatePattern>,
    /// How it writes the dates of some fields.
    pub date_patterns: BTreeMap<Field, DatePattern>,
    /// What the file knows beside the entries, for measuring how well they are matched; an import has no use for it.
    pub evaluate: Option<EvaluateColumns>,
}

/// What is done about text in letters from before Unicode.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LegacyText {
    /// Each book or file is decoded from the form that a vote of its texts finds, if any.
    #[default]
    Auto,
    /// Text stays as it is.
    Keep,
    /// All text was written in this form.
    Decode(Legacy),
}

/// A piece of a field's text. Literal text stands only between cells that say something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// The cell of a column.
    Column(ColumnName),
    /// Text as it stands in the mapping.
    Literal(String),
}

/// A column, by its heading or by its place counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "a heading in quotation marks or the number of a column")]
pub enum ColumnName {
    /// Counted from 1.
    Place(usize),
    /// As it stands in the heading row.
    Heading(String),
}

/// The table `[evaluate]`: columns of a data set whose truth is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EvaluateColumns {
    /// The name of the row in its data set.
    pub record_id: Option<ColumnName>,
    /// The person whom the row is truly about.
    pub truth: Option<ColumnName>,
    /// What together names the book or batch that the row belongs to.
    pub group: Vec<ColumnName>,
}

/// What is wrong in a mapping or between it and a file: the place, what was found, and the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct MappingError(String);

impl Mapping {
    /// Reads a mapping, or says on which line it is wrong and how to mend it.
    pub fn parse(text: &str) -> Result<Self, MappingError> {
        door::read(text).map_err(MappingError)
    }
}

impl ColumnName {
    /// Where the column stands among the headings of a file, counted from 0. Headings are compared without regard to
    /// case; an error says what was found instead.
    pub fn place(&self, headings: &[String]) -> Result<usize, MappingError> {
        let found = match self {
            Self::Place(number) if (1..=headings.len()).contains(number) => Ok(number - 1),
            Self::Place(number) => {
                Err(format!("there is no column {number}; the first row has {}; check the delimiter", headings.len()))
            }
            Self::Heading(name) => {
                let wanted = text::tidy(name).to_lowercase();
                let mut places = (0..headings.len()).filter(|place| headings[*place].to_lowercase() == wanted);
                match (places.next(), places.next()) {
                    (Some(place), None) => Ok(place),
                    (Some(_), Some(_)) => {
                        Err(format!("the heading {name} stands twice; name the column by its number"))
                    }
                    (None, _) => Err(format!(
                        "no column has the heading {name}; headings found: {}; correct the mapping or its delimiter",
                        headings.join(" | ")
                    )),
                }
            }
        };
        found.map_err(MappingError)
    }
}
