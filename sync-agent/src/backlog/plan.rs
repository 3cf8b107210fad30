//! The columns of one delivered file: what its rows mean, and what a reject file added to them.

use std::collections::BTreeSet;

use registry_schema::draft::Draft;
use registry_schema::field::Field;
use registry_schema::kind::Kind;
use registry_schema::mapping::{Mapping, MappingError, Plan};
use registry_schema::text;
use registry_schema::violation::Violation;

use super::rejects::{EXTRA_HEADINGS, unguarded};
use super::row::{Flaw, Row};

/// The plan of a file with the shape of its rows.
#[derive(Debug)]
pub(super) struct FilePlan {
    /// The headings as delivered, without those that a reject file adds.
    pub(super) headings: Vec<String>,
    /// Whether the file is a reject file that was mended.
    pub(super) is_reject_file: bool,
    plan: Plan,
}

impl FilePlan {
    /// The plan of a file with a mapping, from its first row; an error says what is missing and what was found.
    pub(super) fn from_mapping(mapping: &Mapping, first: &Row) -> Result<Self, MappingError> {
        let (mut headings, is_reject_file) = headings(first);
        if !mapping.has_header && !is_reject_file {
            headings = (1..=first.len()).map(|number| number.to_string()).collect();
        }
        let plan = Plan::from_mapping(mapping, &headings)?;
        Ok(Self { headings, is_reject_file, plan })
    }

    /// The plan of a file whose headings are the Ministry's or the names of fields; `None` when this is not such a
    /// row, an error when several kinds could be meant.
    pub(super) fn from_headings(kind: Option<Kind>, row: &Row) -> Result<Option<Self>, MappingError> {
        let (headings, is_reject_file) = headings(row);
        let plan = Plan::from_headings(kind, &headings)?;
        Ok(plan.map(|plan| Self { headings, is_reject_file, plan }))
    }

    /// The kind of the entries.
    pub(super) const fn kind(&self) -> Kind {
        self.plan.kind()
    }

    /// Headings that no field has.
    pub(super) fn ignored(&self) -> &[String] {
        self.plan.ignored()
    }

    /// The columns that a field is made of, counted from 0.
    pub(super) fn places(&self, field: Field) -> impl Iterator<Item = usize> {
        self.plan.places(field)
    }

    /// The columns that hold text and nothing else, counted from 0.
    pub(super) fn text_places(&self) -> BTreeSet<usize> {
        self.plan.text_places()
    }

    /// Sets what a field says where the row says nothing.
    pub(super) fn set_default(&mut self, field: Field, value: &str) {
        self.plan.set_default(field, value);
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
        (0..cells).map(self.cell(row))
    }

    /// The draft that a row makes, and the dates in it that do not follow their pattern.
    pub(super) fn draft(&self, row: &Row) -> (Draft, Vec<Violation>) {
        self.plan.draft(self.cell(row))
    }

    fn cell<'a>(&self, row: &'a Row) -> impl Fn(usize) -> &'a str + use<'a> {
        let is_reject_file = self.is_reject_file;
        move |place| if is_reject_file { unguarded(row.cell(place)) } else { row.cell(place) }
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
