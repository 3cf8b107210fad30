//! How the cells of a row become a draft: the columns of one file, resolved once.

use std::collections::BTreeMap;

use registry_schema::date::{DateError, DatePattern};
use registry_schema::draft::Draft;
use registry_schema::field::{Attribute, Field};
use registry_schema::kind::Kind;
use registry_schema::layout;
use registry_schema::text;
use registry_schema::violation::Violation;

use super::mapping::{ColumnName, Mapping};
use super::rejects::{EXTRA_HEADINGS, unguarded};
use super::row::{Flaw, Row};

/// Headings in one row that make it a heading row: a title above the table has one cell.
const KNOWN_HEADINGS_MIN: usize = 2;

/// Which cells of a row make which field; every place lies inside the heading row.
#[derive(Debug)]
pub(super) struct Plan {
    /// The kind of the entries.
    pub(super) kind: Kind,
    /// The headings as delivered, without those that a reject file adds.
    pub(super) headings: Vec<String>,
    /// Headings that no field has.
    pub(super) ignored: Vec<String>,
    /// Whether the file is a reject file that was mended.
    pub(super) is_reject_file: bool,
    columns: Vec<PlannedColumn>,
    constants: Vec<(Field, String)>,
}

#[derive(Debug)]
struct PlannedColumn {
    field: Field,
    places: Vec<usize>,
    pattern: Option<DatePattern>,
    values: BTreeMap<String, String>,
}

impl Plan {
    /// The plan of a file with a mapping, from its first row; an error says what is missing and what was found.
    pub(super) fn from_mapping(mapping: &Mapping, first: &Row) -> Result<Self, String> {
        let (mut headings, is_reject_file) = headings(first);
        if !mapping.has_header && !is_reject_file {
            headings = (1..=first.len()).map(|number| number.to_string()).collect();
        }
        let mut columns = Vec::with_capacity(mapping.columns.len());
        for (field, names) in &mapping.columns {
            let places = names.iter().map(|name| place(name, &headings)).collect::<Result<_, _>>()?;
            let pattern = mapping.date_patterns.get(field).or(mapping.date_pattern.as_ref());
            columns.push(PlannedColumn {
                field: *field,
                places,
                pattern: pattern.filter(|_| is_date(*field)).cloned(),
                values: mapping.values.get(field).cloned().unwrap_or_default(),
            });
        }
        let constants = mapping.constants.iter().map(|(field, value)| (*field, value.clone())).collect();
        Ok(Self::new(mapping.kind, headings, is_reject_file, columns, constants))
    }

    /// The plan of a file whose headings are the Ministry's or the names of fields; `None` when this is not such a
    /// row, an error when several kinds could be meant.
    pub(super) fn from_headings(kind: Option<Kind>, row: &Row) -> Result<Option<Self>, String> {
        let (headings, is_reject_file) = headings(row);
        let resolve = |kind: Kind| -> Vec<(Field, usize)> {
            let known = |(place, heading): (usize, &String)| Some((field_of(kind, heading)?, place));
            headings.iter().enumerate().filter_map(known).collect()
        };
        let mut found: Vec<_> = Kind::ALL.into_iter().map(|kind| (kind, resolve(kind))).collect();
        found.retain(|(of, fields)| fields.len() >= KNOWN_HEADINGS_MIN && kind.is_none_or(|kind| kind == *of));
        let best = found.iter().map(|(_, fields)| fields.len()).max().unwrap_or(0);
        found.retain(|(_, fields)| fields.len() == best);
        if found.len() > 1 {
            return Err("the headings fit several kinds; give --kind birth, marriage or death".into());
        }
        let Some((kind, fields)) = found.pop() else { return Ok(None) };
        let mut columns: BTreeMap<Field, PlannedColumn> = BTreeMap::new();
        for (field, place) in fields {
            let column = PlannedColumn { field, places: vec![place], pattern: None, values: BTreeMap::new() };
            if columns.insert(field, column).is_some() {
                return Err(format!("two columns hold the {}; remove one", field.english()));
            }
        }
        Ok(Some(Self::new(kind, headings, is_reject_file, columns.into_values().collect(), Vec::new())))
    }

    fn new(
        kind: Kind,
        headings: Vec<String>,
        is_reject_file: bool,
        columns: Vec<PlannedColumn>,
        constants: Vec<(Field, String)>,
    ) -> Self {
        let is_used = |place: usize| columns.iter().any(|column| column.places.contains(&place));
        let ignored = headings.iter().enumerate().filter(|(place, _)| !is_used(*place));
        let ignored = ignored.map(|(place, heading)| match heading.as_str() {
            "" => format!("column {}", place + 1),
            heading => heading.to_owned(),
        });
        let ignored = ignored.collect();
        Self { kind, headings, ignored, is_reject_file, columns, constants }
    }

    /// Sets what a field says where the row says nothing.
    pub(super) fn set_default(&mut self, field: Field, value: &str) {
        self.constants.retain(|(of, _)| *of != field);
        self.constants.push((field, value.to_owned()));
    }

    /// Notes a row whose cells may stand in the wrong columns. A workbook names the column of each cell, so there a
    /// missing cell is blank and a cell without a heading is a remark beside the table.
    pub(super) fn check_width(&self, row: &mut Row, leaves_out_blanks: bool) {
        if leaves_out_blanks {
            return;
        }
        let expected = self.headings.len();
        let found = row.len() - if self.is_reject_file { EXTRA_HEADINGS.len().min(row.len()) } else { 0 };
        let is_short = found < expected && !(self.is_reject_file && row.len() >= expected);
        let is_long = found > expected && (expected..row.len()).any(|place| !row.cell(place).is_empty());
        if is_short || is_long {
            row.note(Flaw::CellCount { found, expected });
        }
    }

    /// The cells that were delivered, without what a reject file added.
    pub(super) fn delivered<'a>(&self, row: &'a Row) -> impl Iterator<Item = &'a str> {
        let width = self.headings.len();
        let is_wider = matches!(row.flaw, Some(Flaw::CellCount { found, expected }) if found > expected);
        let cells = if is_wider && !self.is_reject_file { row.len() } else { width };
        let is_reject_file = self.is_reject_file;
        (0..cells).map(move |place| if is_reject_file { unguarded(row.cell(place)) } else { row.cell(place) })
    }

    /// The draft that a row makes, and the dates in it that do not follow their pattern.
    pub(super) fn draft(&self, row: &Row, scratch: &mut String) -> (Draft, Vec<Violation>) {
        let (mut draft, mut violations) = (Draft::new(self.kind), Vec::new());
        for column in &self.columns {
            let text = self.text(column, row, scratch);
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

    /// The text of a field: one cell as it is, several joined by a space.
    fn text<'a>(&self, column: &PlannedColumn, row: &'a Row, scratch: &'a mut String) -> &'a str {
        let cell = |place: usize| if self.is_reject_file { unguarded(row.cell(place)) } else { row.cell(place) };
        if let [place] = column.places.as_slice() {
            return cell(*place);
        }
        scratch.clear();
        for place in &column.places {
            scratch.push(' ');
            scratch.push_str(cell(*place));
        }
        scratch
    }
}

/// The headings of a row and whether a reject file added some to them.
fn headings(row: &Row) -> (Vec<String>, bool) {
    let own = row.len().saturating_sub(EXTRA_HEADINGS.len());
    let is_reject_file = row.cells().skip(own).eq(EXTRA_HEADINGS);
    let mut headings: Vec<_> = row.cells().map(|cell| text::tidy(unguarded(cell))).collect();
    if is_reject_file {
        headings.truncate(own);
    }
    while headings.last().is_some_and(String::is_empty) {
        headings.pop();
    }
    (headings, is_reject_file)
}

fn place(name: &ColumnName, headings: &[String]) -> Result<usize, String> {
    let found = || headings.join(" | ");
    match name {
        ColumnName::Place(number) if *number <= headings.len() => Ok(number - 1),
        ColumnName::Place(number) => {
            Err(format!("there is no column {number}; the first row has {}; check the delimiter", headings.len()))
        }
        ColumnName::Heading(name) => {
            let wanted = text::tidy(name).to_lowercase();
            let mut places = (0..headings.len()).filter(|place| headings[*place].to_lowercase() == wanted);
            match (places.next(), places.next()) {
                (Some(place), None) => Ok(place),
                (Some(_), Some(_)) => Err(format!("the heading {name} stands twice; name the column by its number")),
                (None, _) => Err(format!(
                    "no column has the heading {name}; headings found: {}; correct the mapping or its delimiter",
                    found()
                )),
            }
        }
    }
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
