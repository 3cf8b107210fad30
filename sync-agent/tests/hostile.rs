//! Files from anybody: whatever a delivery or its mapping holds, the import answers, never panics, and what it did not
//! take is in the reject file.
//!
//! Workbooks are spoiled in two ways: as bytes, where hardly anything gets past the zip's own checks, and part by part
//! before they are packed, which is how a clever attacker would do it. `make fuzz` runs all of it for longer.

#![allow(clippy::unwrap_used)]

#[path = "../../proto/tests/dice/mod.rs"]
mod dice;
mod delivery;

use std::path::{Path, PathBuf};

use delivery::{CSV, CSV_WORDS, SHEET, WORKBOOK, XML_WORDS, contents, hush_the_reader, workbook_with, workbooks};
use registry_schema::ids::Epoch;
use registry_schema::kind::Kind;
use sync_agent::backlog::{ImportError, ImportReport, ImportRequest, import};
use sync_agent::store::state::Incarnation;
use sync_agent::store::{Store, init};
use tempfile::TempDir;

/// What readers of mappings look for.
const TOML_WORDS: [&[u8]; 14] = [
    b"\n[",
    b"= \"",
    b"[[",
    b"]",
    b"{",
    b"}",
    b"\"{",
    b"}\"",
    b"kind = \"death\"",
    b"[values.deceased_sex]",
    b"encoding = \"tcvn3\"",
    b"date_pattern = \"dd/mm/yyyy\"",
    b"\\u0000",
    b"99999999999999999999",
];
const DELIVERED: &str = "NO;NOM;PRENOMS;SEXE;NAISSANCE\n1;LE;AN;M;01/02/1930\n2;TRAN;;F;00/05/1931\n";
const MAPPING: &str = "kind = \"death\"\ndelimiter = \";\"\ndate_pattern = \"dd/mm/yyyy\"\n[columns]\nnumber = \"NO\"\n\
    deceased_name = [\"NOM\", \"PRENOMS\"]\ndeceased_birth_date = \"NAISSANCE\"\ndeceased_sex = \"SEXE\"\n\
    [constants]\nauthority = \"HANOI\"\n[values.deceased_sex]\nM = \"1\"\nF = \"2\"\n";

/// A province's store, and files for it in memory where there is a file system for that.
struct Desk {
    folder: TempDir,
    store: Store,
    imports: u32,
}

impl Desk {
    fn new() -> Self {
        hush_the_reader();
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let path = folder.path().join("province.db");
        init(&path, Incarnation { origin: "01@2008".parse().unwrap(), epoch: Epoch(7) }).unwrap();
        let mut store = Store::open(&path).unwrap();
        store.connection().pragma_update(None, "synchronous", "OFF").unwrap();
        Self { folder, store, imports: 0 }
    }

    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Imports a file: each row is imported, absorbed or rejected. One in sixteen is written, the others are judged.
    fn import(&mut self, path: &Path, mapping: Option<PathBuf>) -> Result<ImportReport, ImportError> {
        self.imports += 1;
        let request = ImportRequest {
            path: path.to_owned(),
            kind: mapping.is_none().then_some(Kind::Death),
            mapping,
            rejects: Some(self.folder.path().join("rejects.csv")),
            authority: None,
            dry_run: !self.imports.is_multiple_of(16),
            split: None,
            now: &|| "2026-01-01T00:00:00Z".parse().unwrap(),
        };
        let report = import(&mut self.store, &request, &mut |_| ())?;
        assert_eq!(report.imported + report.absorbed + report.rejected, report.rows, "no row is lost");
        if self.imports.is_multiple_of(1024) {
            // The store and its earlier reject files would grow for ever.
            *self = Self { imports: self.imports, ..Self::new() };
        }
        Ok(report)
    }
}

#[test]
fn spoiled_csv_is_taken_row_by_row_or_refused() {
    let mut desk = Desk::new();
    dice::check(&[CSV.into()], &CSV_WORDS, |bytes| {
        let path = desk.file("a.csv", bytes);
        desk.import(&path, None).is_ok_and(|report| report.imported + report.absorbed > 0)
    });
}

#[test]
fn spoiled_csv_of_another_layout_is_taken_row_by_row_or_refused() {
    let mut desk = Desk::new();
    dice::check(&[DELIVERED.into()], &CSV_WORDS, |bytes| {
        let (path, mapping) = (desk.file("a.csv", bytes), desk.file("a.toml", MAPPING.as_bytes()));
        desk.import(&path, Some(mapping)).is_ok_and(|report| report.imported + report.absorbed > 0)
    });
}

#[test]
fn spoiled_mappings_are_followed_or_refused() {
    let mut desk = Desk::new();
    dice::check(&[MAPPING.into()], &TOML_WORDS, |bytes| {
        let (path, mapping) = (desk.file("a.csv", DELIVERED.as_bytes()), desk.file("a.toml", bytes));
        desk.import(&path, Some(mapping)).is_ok_and(|report| report.imported + report.absorbed > 0)
    });
}

#[test]
fn spoiled_workbooks_are_taken_or_refused() {
    let mut desk = Desk::new();
    dice::check(&workbooks(), &XML_WORDS, |bytes| {
        let path = desk.file("a.xlsx", bytes);
        desk.import(&path, None).is_ok_and(|report| report.imported + report.absorbed > 0)
    });
}

#[test]
fn workbooks_of_spoiled_parts_are_taken_or_refused() {
    let mut desk = Desk::new();
    dice::check_each(&contents(), &XML_WORDS, |which, spoiled| {
        let path = desk.file("a.xlsx", &workbook_with(which, spoiled));
        desk.import(&path, None).is_ok_and(|report| report.imported + report.absorbed > 0)
    });
}

/// Imports the good workbook in whose sheet one piece of XML is another.
fn import_with(from: &str, to: &str) -> Result<ImportReport, ImportError> {
    let mut desk = Desk::new();
    let (name, sheet) = WORKBOOK[0];
    assert!(name == SHEET && sheet.contains(from), "{from} in {sheet}");
    let path = desk.file("a.xlsx", &workbook_with(0, sheet.replacen(from, to, 1).as_bytes()));
    desk.import(&path, None)
}

#[test]
fn what_the_reader_of_workbooks_gives_up_over_is_damage_with_its_place() {
    let check = |from: &str, to: &str, place: &str| {
        let error = import_with(from, to).unwrap_err();
        assert!(matches!(error, ImportError::Damaged { .. }), "{to}: {error}");
        let words = error.to_string();
        for part in ["a.xlsx", "gives up", "delivered again", place] {
            assert!(words.contains(part), "{to}: {words}");
        }
    };
    assert_eq!(import_with("A1:F3", "A1:F3").unwrap().rows, 2);
    check("ref=\"A1:F3\"", "ref=\"F3:A1\"", "sheet a");
    check("ref=\"A1:F3\"", "ref=\"A1:AAAAAAAAAAAA3\"", "sheet a");
    check("r=\"B2\"", "r=\"AAAAAAAA2\"", "behind row 1");
    check("r=\"A3\"", "r=\"A9999999999\"", "behind row 1");
    check("<row r=\"3\"", "<row r=\"4294967296\"", "behind row 1");
}
