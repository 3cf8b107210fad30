//! A set from elsewhere: the rows of a file become records by a mapping, each row one record.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hub_rules::matching::PRINCIPALS;
use hub_rules::node::Node;
use registry_schema::field::{Attribute, Field, Role};
use registry_schema::ids::RecordKey;
use registry_schema::layout;
use registry_schema::mapping::{ColumnName, EvaluateColumns, Mapping, MappingError, Plan};
use registry_schema::record::Record;
use serde::Serialize;
use thiserror::Error;

use super::lenient::{self, Changes, NO_NAME};
use super::names::{self, Names};
use super::rows::Rows;
use super::sample::{Sample, is_principal};
use super::spelling::Spelling;
use super::truth::Persons;

/// A set from elsewhere that cannot be read.
#[derive(Debug, Error)]
pub enum OutsideError {
    /// A file cannot be read.
    #[error("{path}: the file cannot be read")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The mapping is wrong, or does not fit the file.
    #[error("{path}: {source}")]
    Mapping {
        /// The mapping, or the file that it does not fit.
        path: PathBuf,
        /// What is wrong, and the remedy.
        source: MappingError,
    },
    /// A row is no row.
    #[error("{path}, line {line}: {what}; check the delimiter and the encoding in the mapping")]
    Row {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1; 0 when it is not known.
        line: u64,
        /// What is wrong there.
        what: String,
    },
    /// Two rows have one name.
    #[error("{path}: two rows are called {name}; name another column as record_id under [evaluate], or leave it out")]
    SameName {
        /// Which file.
        path: PathBuf,
        /// The name.
        name: String,
    },
}

/// How the rows of a file were read.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Reading {
    /// Rows.
    pub rows: u64,
    /// Rows in which somebody whom the entry is about has no name: they are compared by everything else.
    pub unnamed: u64,
    /// Rows that were restored from a form before Unicode, by form.
    pub restored: BTreeMap<&'static str, u64>,
    /// Fields that were mended or left out, by field.
    pub changes: Changes,
    /// Columns that the mapping does not use.
    pub ignored_columns: Vec<String>,
}

/// A set from elsewhere, without its records: these were handed on while it was read.
pub struct Outside {
    /// Its participants.
    pub sample: Sample,
    /// What its rows are called.
    pub names: Names,
    /// The person whom each row is truly about, where a column tells.
    pub truths: Vec<(RecordKey, u32)>,
    /// Those persons.
    pub persons: Persons,
    /// How it was read.
    pub reading: Reading,
}

/// Reads a mapping.
///
/// # Errors
/// It cannot be read, or is wrong.
pub fn mapping(path: &Path) -> Result<Mapping, OutsideError> {
    let text =
        std::fs::read_to_string(path).map_err(|source| OutsideError::Unreadable { path: path.to_owned(), source })?;
    Mapping::parse(&text).map_err(|source| OutsideError::Mapping { path: path.to_owned(), source })
}

/// Reads every row of a file, and hands on the records that they make. The file is read twice: the names and places of
/// each group of rows say first in which form they were written.
///
/// # Errors
/// The file cannot be read, or does not fit its mapping.
pub fn read(
    path: &Path,
    mapping: &Mapping,
    mut take: impl FnMut(RecordKey, &Record),
    mut progress: impl FnMut(u64),
) -> Result<Outside, OutsideError> {
    let spelling = spelling(path, mapping)?;
    let (mut rows, headings) = Rows::open(path, mapping)?;
    let mut door = Door::new(mapping, &headings, spelling).map_err(|source| unfit(path, source))?;
    let mut cells = Vec::new();
    while rows.next(mapping, &mut cells)? {
        door.enter(&mut cells, &mut take);
        progress(door.reading.rows);
    }
    let same = |[name, _]: [Box<str>; 2]| OutsideError::SameName { path: path.to_owned(), name: name.into() };
    let names = Names::of_rows(door.called).map_err(same)?;
    let (truths, persons, reading) = (door.truths, door.persons, door.reading);
    Ok(Outside { sample: Sample::new(door.nodes), names, truths, persons, reading })
}

fn unfit(path: &Path, source: MappingError) -> OutsideError {
    OutsideError::Mapping { path: path.to_owned(), source }
}

/// Hears every row, so that each group of them can say in which form it was written.
fn spelling(path: &Path, mapping: &Mapping) -> Result<Spelling, OutsideError> {
    let (mut rows, headings) = Rows::open(path, mapping)?;
    let columns = Columns::of(mapping.evaluate.as_ref(), &headings).map_err(|source| unfit(path, source))?;
    let mut spelling = Spelling::new(mapping, &headings).map_err(|source| unfit(path, source))?;
    let mut cells = Vec::new();
    while rows.next(mapping, &mut cells)? {
        spelling.hear(&columns.group(&cells), &cells);
    }
    Ok(spelling)
}

/// Where rows become records.
struct Door<'m> {
    mapping: &'m Mapping,
    plan: Plan,
    columns: Columns,
    spelling: Spelling,
    nodes: Vec<Node>,
    called: Vec<(RecordKey, Box<str>)>,
    truths: Vec<(RecordKey, u32)>,
    persons: Persons,
    reading: Reading,
}

impl<'m> Door<'m> {
    fn new(mapping: &'m Mapping, headings: &[String], spelling: Spelling) -> Result<Self, MappingError> {
        let mut plan = Plan::from_mapping(mapping, headings)?;
        let authority = Field::entry(Attribute::Authority);
        if !mapping.constants.contains_key(&authority) {
            plan.set_default(authority, lenient::AUTHORITY);
        }
        let columns = Columns::of(mapping.evaluate.as_ref(), headings)?;
        let reading = Reading { ignored_columns: columns.unused(&plan, headings), ..Reading::default() };
        let (nodes, called, truths) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { mapping, plan, columns, spelling, nodes, called, truths, persons: Persons::default(), reading })
    }

    fn enter(&mut self, cells: &mut [String], take: &mut impl FnMut(RecordKey, &Record)) {
        self.reading.rows += 1;
        let key = self.call(cells);
        if let Some(legacy) = self.spelling.of(&self.columns.group(cells)) {
            self.spelling.restore(legacy, cells);
            *self.reading.restored.entry(legacy.name()).or_default() += 1;
        }
        let (draft, broken_dates) = self.plan.draft(|place| cells.get(place).map_or("", String::as_str));
        match lenient::record(draft, &broken_dates, &mut self.reading.changes) {
            Some(record) => {
                let nameless =
                    |role: &Role| record.participant(*role).is_some_and(|it| it.name.as_written() == NO_NAME);
                self.reading.unnamed += u64::from(PRINCIPALS.iter().any(nameless));
                self.nodes.extend(record.participants().map(|participant| Node::new(key, participant.role)));
                take(key, &record);
            }
            None => {
                let roles = layout::roles(self.mapping.kind).iter().filter(|role| is_principal(**role));
                self.nodes.extend(roles.map(|role| Node::new(key, *role)));
            }
        }
    }

    /// Gives the row its key, and notes whom it is truly about.
    fn call(&mut self, cells: &[String]) -> RecordKey {
        let cell = |place: Option<usize>| {
            let text = place.and_then(|place| cells.get(place)).map(|text| text.trim());
            text.filter(|text| !text.is_empty())
        };
        let name = cell(self.columns.record_id);
        let name = name.map_or_else(|| format!("row {}", self.reading.rows), str::to_owned);
        let key = names::key_of(&name);
        self.called.push((key, name.into_boxed_str()));
        if let Some(truth) = cell(self.columns.truth) {
            self.truths.push((key, self.persons.number(truth)));
        }
        key
    }
}

/// Where the columns stand that only an evaluation reads.
#[derive(Debug, Default)]
struct Columns {
    record_id: Option<usize>,
    truth: Option<usize>,
    group: Vec<usize>,
}

impl Columns {
    fn of(evaluate: Option<&EvaluateColumns>, headings: &[String]) -> Result<Self, MappingError> {
        let Some(evaluate) = evaluate else { return Ok(Self::default()) };
        let place = |column: &Option<ColumnName>| column.as_ref().map(|column| column.place(headings)).transpose();
        Ok(Self {
            record_id: place(&evaluate.record_id)?,
            truth: place(&evaluate.truth)?,
            group: evaluate.group.iter().map(|column| column.place(headings)).collect::<Result<_, _>>()?,
        })
    }

    /// What the group of a row is called: the cells that name it, apart by a character that no cell has.
    fn group(&self, cells: &[String]) -> String {
        let cells = self.group.iter().map(|place| cells.get(*place).map_or("", String::as_str));
        cells.collect::<Vec<_>>().join("\u{1f}")
    }

    fn unused(&self, plan: &Plan, headings: &[String]) -> Vec<String> {
        let used: Vec<usize> = [self.record_id, self.truth].into_iter().flatten().chain(self.group.clone()).collect();
        let is_used = |heading: &String| used.iter().any(|place| headings[*place] == *heading);
        plan.ignored().iter().filter(|heading| !is_used(heading)).cloned().collect()
    }
}
