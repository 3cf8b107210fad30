//! The truth: who is who, as somebody who knows it wrote it down.

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use hub_rules::node::Node;
use registry_schema::field::Role;
use registry_schema::ids::RecordKey;
use serde::Serialize;
use thiserror::Error;

use super::names::Names;
use super::sample::{Sample, UNKNOWN, is_principal};

/// A truth that cannot be used.
#[derive(Debug, Error)]
pub enum TruthError {
    /// The file cannot be read.
    #[error("{path}: the truth cannot be read")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line is no line of a table.
    #[error("{path}, line {line}: {what}; a truth is a CSV file in UTF-8 with the columns record_id,role,person_id")]
    Line {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: u64,
        /// What is wrong there.
        what: String,
    },
    /// No line fits the records.
    #[error("{path}: none of the {rows} lines speaks of a participant of these records; {first}")]
    Nothing {
        /// Which file.
        path: PathBuf,
        /// How many lines it has.
        rows: u64,
        /// Why the first one does not.
        first: String,
    },
}

/// How a truth fits the participants of a set.
#[derive(Debug, Clone, Default, Serialize)]
pub struct TruthReport {
    /// Lines, or rows with a truth beside them.
    pub rows: u64,
    /// Persons.
    pub persons: u64,
    /// Lines about records that are not in the set: rejected, withdrawn, or of another set.
    pub unknown_records: u64,
    /// Lines with a role that is not known, or that the record does not have.
    pub unknown_roles: u64,
    /// Lines that name another person than a line before them; the first stands.
    pub contradictions: u64,
    /// The first line that was passed over, and why.
    pub first_passed_over: Option<String>,
    /// Those whom entries are about and of whom the truth says nothing; no pair of theirs is counted.
    pub without_truth: u64,
}

/// Gives numbers to persons as they are named.
#[derive(Debug, Default)]
pub struct Persons(HashMap<Box<str>, u32>);

impl Persons {
    /// The number of a person: the same for the same name.
    pub fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.0.get(name) {
            return *number;
        }
        let number = self.0.len() as u32;
        self.0.insert(name.into(), number);
        number
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.0.len() as u64
    }

    /// Whether nobody was named yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Reads a truth into a sample.
///
/// # Errors
/// The file is no such table, or none of its lines fits.
pub fn read(path: &Path, names: &Names, sample: &mut Sample) -> Result<TruthReport, TruthError> {
    let unreadable = |source| TruthError::Unreadable { path: path.to_owned(), source };
    read_from(std::fs::File::open(path).map_err(unreadable)?, path, names, sample)
}

fn read_from(input: impl Read, path: &Path, names: &Names, sample: &mut Sample) -> Result<TruthReport, TruthError> {
    let wrong = |line, what| TruthError::Line { path: path.to_owned(), line, what };
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_reader(input);
    let headings = reader.headers().map_err(|error| wrong(1, error.to_string()))?.clone();
    let columns = Columns::of(&headings).map_err(|what| wrong(1, what))?;
    let (mut report, mut persons) = (TruthReport::default(), Persons::default());
    let mut row = csv::StringRecord::new();
    loop {
        let line = reader.position().line();
        if !reader.read_record(&mut row).map_err(|error| wrong(line, error.to_string()))? {
            break;
        }
        let line = row.position().map_or(line, csv::Position::line);
        report.rows += 1;
        let (Some(record), Some(person)) = (row.get(columns.record), row.get(columns.person)) else {
            return Err(wrong(line, format!("it has {} cells, fewer than the headings", row.len())));
        };
        if record.is_empty() || person.is_empty() {
            return Err(wrong(line, "a record_id or a person_id is empty".to_owned()));
        }
        let role = columns.role.map(|role| row.get(role).unwrap_or_default());
        let number = persons.number(person);
        report.note(line, record, find(names, sample, record, role), number, sample);
    }
    report.finish(sample, &persons);
    if report.rows == report.unknown_records + report.unknown_roles {
        let first = report.first_passed_over.unwrap_or_else(|| "it has headings only".to_owned());
        return Err(TruthError::Nothing { path: path.to_owned(), rows: report.rows, first });
    }
    Ok(report)
}

struct Columns {
    record: usize,
    role: Option<usize>,
    person: usize,
}

impl Columns {
    fn of(headings: &csv::StringRecord) -> Result<Self, String> {
        let place = |name: &str| headings.iter().position(|heading| heading.trim_start_matches('\u{feff}') == name);
        let needed = |name: &str| {
            let found = || headings.iter().collect::<Vec<_>>().join(" | ");
            place(name).ok_or_else(|| format!("the column {name} is missing; headings found: {}", found()))
        };
        Ok(Self { record: needed("record_id")?, role: place("role"), person: needed("person_id")? })
    }
}

/// Why a line speaks of nobody in the set.
enum Absent {
    Record,
    Role(String),
}

fn find(names: &Names, sample: &Sample, record: &str, role: Option<&str>) -> Result<u32, Absent> {
    let key = names.key(record).ok_or(Absent::Record)?;
    let nodes = sample.of_record(key);
    if nodes.is_empty() {
        return Err(Absent::Record);
    }
    let role = match role.filter(|role| !role.is_empty()) {
        Some(name) => role_of(name).ok_or_else(|| Absent::Role(format!("the role {name} is not known")))?,
        None => only_principal(nodes).ok_or_else(|| Absent::Role("a marriage needs a role".to_owned()))?,
    };
    let absent = || Absent::Role(format!("the record has no {}", role.name()));
    sample.place(Node::new(key, role)).ok_or_else(absent)
}

/// The role that a truth names; other tools say groom and bride.
#[must_use]
pub fn role_of(name: &str) -> Option<Role> {
    match name.to_ascii_lowercase().as_str() {
        "groom" => Some(Role::Husband),
        "bride" => Some(Role::Wife),
        name => Role::parse(name),
    }
}

/// The one role whose person a record is about; `None` for a marriage.
#[must_use]
pub fn only_principal(nodes: &[Node]) -> Option<Role> {
    let mut principals = nodes.iter().map(|node| node.role).filter(|role| is_principal(*role));
    principals.next().filter(|_| principals.next().is_none())
}

impl TruthReport {
    fn note(&mut self, line: u64, record: &str, found: Result<u32, Absent>, person: u32, sample: &mut Sample) {
        let what = match found {
            Ok(place) if sample.note(place, person) => return,
            Ok(_) => {
                self.contradictions += 1;
                "it names another person than a line before it".to_owned()
            }
            Err(Absent::Record) => {
                self.unknown_records += 1;
                "there is no such record in force".to_owned()
            }
            Err(Absent::Role(what)) => {
                self.unknown_roles += 1;
                format!("{what}; the roles are child, mother, father, husband, wife and deceased")
            }
        };
        self.first_passed_over.get_or_insert_with(|| format!("line {line} ({record}): {what}"));
    }

    /// Notes truths that stand beside the rows themselves.
    pub fn of_rows(truths: Vec<(RecordKey, u32)>, persons: &Persons, sample: &mut Sample) -> Self {
        let mut report = Self { rows: truths.len() as u64, ..Self::default() };
        for (key, person) in truths {
            let nodes = sample.of_record(key);
            let place = only_principal(nodes).and_then(|role| sample.place(Node::new(key, role)));
            match place {
                Some(place) => report.contradictions += u64::from(!sample.note(place, person)),
                None => report.unknown_roles += 1,
            }
        }
        report.finish(sample, persons);
        report
    }

    fn finish(&mut self, sample: &Sample, persons: &Persons) {
        self.persons = persons.len();
        let known = sample.nodes().iter().zip(sample.truth());
        let unknown = known.filter(|(node, person)| is_principal(node.role) && **person == UNKNOWN);
        self.without_truth = unknown.count() as u64;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::sample::tests::sample;
    use super::*;

    fn read_text(text: &str) -> Result<(TruthReport, Sample), TruthError> {
        let (sample, _) = sample(&["1#child - 0", "1#mother - 1", "2#husband - 2", "2#wife - 3", "3#deceased - 4"]);
        let mut sample = Sample::new(sample.nodes().to_vec());
        let report = read_from(text.as_bytes(), Path::new("truth.csv"), &Names::Keys, &mut sample)?;
        Ok((report, sample))
    }

    #[track_caller]
    fn check(lines: &str, truth: [u32; 5]) {
        let (_, sample) = read_text(lines).unwrap();
        assert_eq!(sample.truth(), truth);
    }

    #[track_caller]
    fn check_error(text: &str, what: &str) {
        let error = read_text(text).unwrap_err().to_string();
        assert!(error.contains("truth.csv") && error.contains(what), "{error}");
    }

    #[test]
    fn persons_are_noted_by_record_and_role() {
        let none = UNKNOWN;
        let text =
            "record_id,role,person_id\n01@2008/1,child,a\n01@2008/2,groom,b\n01@2008/2,Bride,c\n01@2008/3,deceased,a\n";
        check(text, [0, none, 1, 2, 0]);
        check("\u{feff}person_id,record_id\na, 01@2008/1\na,01@2008/3\n", [0, none, none, none, 0]);
    }

    #[test]
    fn lines_that_fit_nothing_are_counted() {
        let text = "record_id,role,person_id\n01@2008/1,child,a\n01@2008/9,child,a\nx,child,a\n01@2008/1,uncle,a\n\
                    01@2008/1,father,a\n01@2008/1,child,b\n01@2008/2,,b\n";
        let (report, _) = read_text(text).unwrap();
        assert_eq!((report.rows, report.persons, report.unknown_records), (7, 2, 2));
        assert_eq!((report.unknown_roles, report.contradictions, report.without_truth), (3, 1, 3));
        let first = report.first_passed_over.unwrap();
        assert_eq!(first, "line 3 (01@2008/9): there is no such record in force");
    }

    #[test]
    fn a_truth_of_something_else_is_refused() {
        check_error(
            "record,person_id\n1,2\n",
            "line 1: the column record_id is missing; headings found: record | person_id",
        );
        check_error("record_id,role\n1,2\n", "person_id is missing");
        check_error("record_id,role,person_id\n01@2008/1,child,\n", "line 2: a record_id or a person_id is empty");
        check_error("record_id,role,person_id\n01@2008/1,child,7\n01@2008/1\n", "line 3: it has 1 cells");
        check_error("record_id,role,person_id\n79@2008/1,child,7\n", "none of the 1 lines");
        check_error("record_id,role,person_id\n", "headings only");
    }
}
