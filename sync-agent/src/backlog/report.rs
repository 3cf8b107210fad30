//! What an import did, for people and for `--output json`.

use std::path::PathBuf;

use registry_schema::kind::Kind;
use registry_schema::text::legacy::Legacy;
use serde::Serialize;

/// The most rejected rows that a report shows; the reject file has all of them.
pub(super) const SAMPLES_MAX: usize = 20;

/// What one run did: `resumed_at + imported + absorbed + rejected + other_parts` is `rows`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImportReport {
    /// The file.
    pub file: PathBuf,
    /// The kind of its entries.
    pub kind: Kind,
    /// Rows of the file that are settled now; blank rows do not count.
    pub rows: u64,
    /// Rows that became new entries in this run.
    pub imported: u64,
    /// Rows that stood in the store already.
    pub absorbed: u64,
    /// Rows that went into the reject file.
    pub rejected: u64,
    /// Rows that belong to other parts of a split import.
    pub other_parts: u64,
    /// Rows that an earlier run of the same import had settled.
    pub resumed_at: u64,
    /// The file of rejected rows, when it has any.
    pub reject_file: Option<PathBuf>,
    /// Columns that were not read, because no field has their heading.
    pub ignored_columns: Vec<String>,
    /// Rows of this run that were written in letters from before Unicode.
    pub decoded: Vec<Decoded>,
    /// What the operator should look at.
    pub warnings: Vec<String>,
    /// The first rejected rows and their reasons.
    pub samples: Vec<Sample>,
    /// Whether nothing was written.
    pub dry_run: bool,
}

/// Rows that were written in one form and decoded from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Decoded {
    /// The form.
    pub legacy: Legacy,
    /// How many rows.
    pub rows: u64,
    /// Of how many books; zero where the file was looked at as a whole.
    pub books: u64,
}

/// One rejected row; its content stays in the reject file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sample {
    /// Where the row starts in the file, counted from 1.
    pub line: u64,
    /// The reasons in English.
    pub english: String,
    /// The reasons in Vietnamese.
    pub vietnamese: String,
}

/// How far an import has come; given after every batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Rows settled, those of earlier runs included.
    pub rows: u64,
    /// Rows that became new entries in this run.
    pub imported: u64,
    /// Rows that stood in the store already.
    pub absorbed: u64,
    /// Rows that went into the reject file.
    pub rejected: u64,
}

impl ImportReport {
    /// The report of a run that has done nothing yet.
    pub(super) fn new(file: PathBuf, kind: Kind, dry_run: bool) -> Self {
        Self {
            file,
            kind,
            rows: 0,
            imported: 0,
            absorbed: 0,
            rejected: 0,
            other_parts: 0,
            resumed_at: 0,
            reject_file: None,
            ignored_columns: Vec::new(),
            decoded: Vec::new(),
            warnings: Vec::new(),
            samples: Vec::new(),
            dry_run,
        }
    }

    /// Takes in what was decoded, for programs and in words.
    pub(super) fn note_decoded(&mut self, decoded: Vec<Decoded>) {
        let plural = |count: u64, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        for Decoded { legacy, rows, books } in &decoded {
            let of = if *books == 0 { String::new() } else { format!(" of {}", plural(*books, "book")) };
            let was = if *rows == 1 { "was" } else { "were" };
            let name = legacy.name().to_uppercase();
            self.warnings.push(format!("{}{of} {was} written in {name} and decoded", plural(*rows, "row")));
        }
        self.decoded = decoded;
    }

    /// How far the run has come.
    pub(super) const fn progress(&self) -> Progress {
        Progress { rows: self.rows, imported: self.imported, absorbed: self.absorbed, rejected: self.rejected }
    }
}
