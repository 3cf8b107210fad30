//! How the cells of a row become a draft: the columns of one file, resolved once.

use std::collections::{BTreeMap, BTreeSet};

use super::{ColumnName, Mapping, MappingError, Piece};
use crate::date::{DateError, DatePattern};
use crate::draft::Draft;
use crate::field::{Attribute, Field};
use crate::kind::Kind;
use crate::layout;
use crate::violation::Violation;

/// Headings in one row that make it a heading row: a title above the table has one cell.
const KNOWN_HEADINGS_MIN: usize = 2;

/// Which cells of a row make which field; every place lies inside the heading row.
#[derive(Debug)]
pub struct Plan {
    kind: Kind,
    ignored: Vec<String>,
    columns: Vec<PlannedColumn>,
    constants: Vec<(Field, String)>,
}

#[derive(Debug)]
struct PlannedColumn {
    field: Field,
    pieces: Vec<PlannedPiece>,
    pattern: Option<DatePattern>,
    values: BTreeMap<String, String>,
}

#[derive(Debug)]
enum PlannedPiece {
    Cell(usize),
    Literal(String),
}

impl Plan {
    /// The plan of a file with a mapping and these headings; an error says what is missing and what was found. A file
    /// without headings gets the numbers of its columns, from 1, in their place.
    pub fn from_mapping(mapping: &Mapping, headings: &[String]) -> Result<Self, MappingError> {
        let mut columns = Vec::with_capacity(mapping.columns.len());
        for (field, pieces) in &mapping.columns {
            let pieces = pieces.iter().map(|piece| planned(piece, headings)).collect::<Result<_, _>>()?;
            let pattern = mapping.date_patterns.get(field).or(mapping.date_pattern.as_ref());
            columns.push(PlannedColumn {
                field: *field,
                pieces,
                pattern: pattern.filter(|_| is_date(*field)).cloned(),
                values: mapping.values.get(field).cloned().unwrap_or_default(),
            });
        }
        let constants = mapping.constants.iter().map(|(field, value)| (*field, value.clone())).collect();
        Ok(Self::new(mapping.kind, headings, columns, constants))
    }

    /// The plan of a file whose headings are the Ministry's or the names of fields; `None` when these are not such
    /// headings, an error when several kinds could be meant.
    pub fn from_headings(kind: Option<Kind>, headings: &[String]) -> Result<Option<Self>, MappingError> {
        let resolve = |kind: Kind| -> Vec<(Field, usize)> {
            let known = |(place, heading): (usize, &String)| Some((field_of(kind, heading)?, place));
            headings.iter().enumerate().filter_map(known).collect()
        };
        let mut found: Vec<_> = Kind::ALL.into_iter().map(|kind| (kind, resolve(kind))).collect();
        found.retain(|(of, fields)| fields.len() >= KNOWN_HEADINGS_MIN && kind.is_none_or(|kind| kind == *of));
        let best = found.iter().map(|(_, fields)| fields.len()).max().unwrap_or(0);
        found.retain(|(_, fields)| fields.len() == best);
        if found.len() > 1 {
            return Err(MappingError("the headings fit several kinds; give --kind birth, marriage or death".into()));
        }
        let Some((kind, fields)) = found.pop() else { return Ok(None) };
        let mut columns: BTreeMap<Field, PlannedColumn> = BTreeMap::new();
        for (field, place) in fields {
            let pieces = vec![PlannedPiece::Cell(place)];
            let column = PlannedColumn { field, pieces, pattern: None, values: BTreeMap::new() };
            if columns.insert(field, column).is_some() {
                return Err(MappingError(format!("two columns hold the {}; remove one", field.english())));
            }
        }
        Ok(Some(Self::new(kind, headings, columns.into_values().collect(), Vec::new())))
    }

    fn new(kind: Kind, headings: &[String], columns: Vec<PlannedColumn>, constants: Vec<(Field, String)>) -> Self {
        let uses = |piece: &PlannedPiece, place| matches!(piece, PlannedPiece::Cell(used) if *used == place);
        let is_used = |place| columns.iter().any(|column| column.pieces.iter().any(|piece| uses(piece, place)));
        let ignored = headings.iter().enumerate().filter(|(place, _)| !is_used(*place));
        let ignored = ignored.map(|(place, heading)| match heading.as_str() {
            "" => format!("column {}", place + 1),
            heading => heading.to_owned(),
        });
        let ignored = ignored.collect();
        Self { kind, ignored, columns, constants }
    }

    /// The kind of the entries.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Headings that no field has.
    #[must_use]
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// The columns that a field is made of, counted from 0.
    pub fn places(&self, field: Field) -> impl Iterator<Item = usize> {
        self.columns.iter().filter(move |column| column.field == field).flat_map(PlannedColumn::places)
    }

    /// The columns that hold text in a human language and nothing else, counted from 0 and in order: those whose letters
    /// may be of a form from before Unicode. A column with a table of values is not among them, since that table speaks
    /// of the cells as they stand.
    #[must_use]
    pub fn text_places(&self) -> BTreeSet<usize> {
        let of = |is_text: bool| -> BTreeSet<usize> {
            let has_text =
                |column: &&PlannedColumn| is_text == (column.values.is_empty() && is_text_field(column.field));
            self.columns.iter().filter(has_text).flat_map(PlannedColumn::places).collect()
        };
        &of(true) - &of(false)
    }

    /// Sets what a field says where the row says nothing.
    pub fn set_default(&mut self, field: Field, value: &str) {
        self.constants.retain(|(of, _)| *of != field);
        self.constants.push((field, value.to_owned()));
    }

    /// The draft that a row makes, and the dates in it that do not follow their pattern. `cell` gives the cell at a
    /// place counted from 0, and nothing past the last one.
    pub fn draft<'a>(&self, cell: impl Fn(usize) -> &'a str) -> (Draft, Vec<Violation>) {
        let (mut draft, mut violations) = (Draft::new(self.kind), Vec::new());
        let mut scratch = String::new();
        for column in &self.columns {
            let text = column.text(&cell, &mut scratch);
            let text = if column.values.is_empty() {
                text
            } else {
                column.values.get(text.trim()).map_or(text, String::as_str)
            };
            match column.pattern.as_ref().map(|pattern| pattern.read(text)) {
                None => draft.set(column.field, text),
                Some(Ok(date)) => draft.set(column.field, &date.to_string()),
                Some(Err(DateError::Empty)) => {}
                Some(Err(error)) => violations.push(Violation::new(column.field, error)),
            }
        }
        for (field, value) in &self.constants {
            if draft.get(*field).is_none() && violations.iter().all(|violation| violation.field != *field) {
                draft.set(*field, value);
            }
        }
        (draft, violations)
    }
}

impl PlannedColumn {
    fn places(&self) -> impl Iterator<Item = usize> {
        self.pieces.iter().filter_map(|piece| match piece {
            PlannedPiece::Cell(place) => Some(*place),
            PlannedPiece::Literal(_) => None,
        })
    }

    /// The text of a field: one cell as it is, or its pieces joined.
    ///
    /// A literal stands between two cells that say something, before the first column when that says something, and
    /// behind the last one together with the literal before it; so a blank cell leaves no double space and no bracket.
    fn text<'s, 'a: 's>(&self, cell: &impl Fn(usize) -> &'a str, scratch: &'s mut String) -> &'s str {
        if let [PlannedPiece::Cell(place)] = self.pieces.as_slice() {
            return cell(*place);
        }
        scratch.clear();
        let mut is_before_any_cell = true;
        let (mut is_closing, mut literal) = (false, "");
        for piece in &self.pieces {
            match piece {
                PlannedPiece::Literal(text) => literal = text,
                PlannedPiece::Cell(place) => {
                    let text = cell(*place).trim();
                    let is_joined = is_before_any_cell || !scratch.is_empty();
                    is_closing = !text.is_empty() && (is_joined || literal.is_empty());
                    if !text.is_empty() {
                        scratch.push_str(if is_joined { literal } else { "" });
                        scratch.push_str(text);
                    }
                    (is_before_any_cell, literal) = (false, "");
                }
            }
        }
        if is_closing {
            scratch.push_str(literal);
        }
        scratch
    }
}

fn planned(piece: &Piece, headings: &[String]) -> Result<PlannedPiece, MappingError> {
    Ok(match piece {
        Piece::Column(name) => PlannedPiece::Cell(ColumnName::place(name, headings)?),
        Piece::Literal(text) => PlannedPiece::Literal(text.clone()),
    })
}

fn field_of(kind: Kind, heading: &str) -> Option<Field> {
    let own = || Field::parse(heading).filter(|field| layout::columns(kind).any(|column| column.field == *field));
    layout::by_ministry_heading(kind, heading).or_else(own)
}

/// Whether a field holds a date, so that date patterns apply to it.
fn is_date(field: Field) -> bool {
    matches!(
        field.attribute(),
        Some(
            Attribute::RegistrationDate
                | Attribute::ForeignDate
                | Attribute::EventDate
                | Attribute::AnnulledOn
                | Attribute::RecognisedOn
                | Attribute::DivorcedOn
                | Attribute::DeclaredDeadOn
                | Attribute::RevokedOn
                | Attribute::NoticeDate
                | Attribute::BirthDate
                | Attribute::PaperDate
        )
    )
}

/// Whether a field holds text, and not a date, a time, a number or a code.
fn is_text_field(field: Field) -> bool {
    let is_number = matches!(
        field.attribute(),
        Some(
            Attribute::Number
                | Attribute::Page
                | Attribute::ForeignNumber
                | Attribute::EventTime
                | Attribute::EventPlaceCode
                | Attribute::NoticeNumber
                | Attribute::Replaces
                | Attribute::SourceReference
                | Attribute::PersonalNumber
                | Attribute::PaperNumber
        )
    );
    !is_number && !is_date(field)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::field::Role;

    /// The name that a template makes of the cells a, b and c.
    #[track_caller]
    fn check(template: &str, cells: [&str; 3], name: Option<&str>) {
        let mapping = format!("kind = \"death\"\n[columns]\ndeceased_name = {template}\n");
        let headings = ["a", "b", "c"].map(str::to_owned);
        let plan = Plan::from_mapping(&Mapping::parse(&mapping).unwrap(), &headings).unwrap();
        let (draft, violations) = plan.draft(|place| cells.get(place).copied().unwrap_or_default());
        assert_eq!(draft.get(Field::new(Role::Deceased, Attribute::Name)), name);
        assert_eq!(violations, []);
    }

    #[test]
    fn cells_are_joined_and_blank_ones_leave_nothing_behind() {
        check("\"{a} {b}\"", ["LE", "AN", "x"], Some("LE AN"));
        check("\"{a}{b}\"", ["L", "E", "x"], Some("LE"));
        check("\"{a} {b} {c}\"", ["LE", " ", "AN"], Some("LE AN"));
        check("\"{a}, {b}\"", ["", "AN", ""], Some("AN"));
        check("\"{a}, {b}\"", ["LE", "", ""], Some("LE"));
        check("\"{c} ({a})\"", ["LE", "", "AN"], Some("AN (LE)"));
        check("\"{c} ({a})\"", ["", "", "AN"], Some("AN"));
        check("\"{c} ({a})\"", ["LE", "", ""], Some("LE"));
        check("\"M. {a} {b}\"", ["LE", "AN", ""], Some("M. LE AN"));
        check("\"M. {a} {b}\"", ["", "", ""], None);
        check("[\"a\", 2, \"C\"]", ["LE", "", "AN"], Some("LE AN"));
        check("\"b\"", ["", " LE  AN ", ""], Some("LE AN"));
    }

    #[test]
    fn columns_of_text_are_told_from_columns_of_dates_numbers_and_codes() {
        let mapping = "kind = \"death\"\n[columns]\ndeceased_name = [1, 2]\nevent_date = 3\nnumber = 4\nbook = [4, 5]\n\
                       deceased_sex = 6\nnote = 7\n[values.deceased_sex]\nF = \"2\"\n";
        let headings: Vec<_> = (1..=8).map(|number| number.to_string()).collect();
        let plan = Plan::from_mapping(&Mapping::parse(mapping).unwrap(), &headings).unwrap();
        assert_eq!(plan.text_places(), BTreeSet::from([0, 1, 4, 6]));
        assert!(plan.places(Field::entry(Attribute::Book)).eq([3, 4]));
    }

    #[test]
    fn a_column_that_is_not_there_is_named_with_those_that_are() {
        let mapping = Mapping::parse("kind = \"death\"\n[columns]\ndeceased_name = \"{a} {d}\"\n").unwrap();
        let error = Plan::from_mapping(&mapping, &["a".to_owned(), "b".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("heading d") && error.contains("a | b"), "{error}");
    }
}
