//! Files from anybody: whatever a delivery or its mapping holds, the import answers, never panics, and what it did not
//! take is in the reject file.
//!
//! Workbooks are spoiled in two ways: as bytes, where hardly anything gets past the zip's own checks, and part by part
//! before they are packed, which is how a clever attacker would do it. `make fuzz` runs all of it for longer.

#![allow(clippy::unwrap_used)]

#[path = "../../proto/tests/dice/mod.rs"]
mod dice;

use std::io::{Cursor, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Once;

use registry_schema::kind::Kind;
use rusqlite::Connection;
use rust_xlsxwriter::Workbook;
use sync_agent::backlog::{ImportError, ImportReport, ImportRequest, import};
use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

/// What readers of CSV look for, and what spreadsheets, databases and shells would.
const CSV_WORDS: [&[u8]; 20] = [
    b"\"",
    b"\"\"",
    b"\",\"",
    b"\r\n",
    b"\r",
    b";",
    b"\t",
    b"\0",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"=1+1",
    b"'=1",
    b"31.02.2020",
    b"00.00.0000",
    b"9999999999999999999999",
    b"number,registration_date,authority,deceased_name,line,reasons_en,reasons_vi\n",
    b"');DROP TABLE deaths;--",
    "Nguyễn".as_bytes(),
    "Nguy\u{1ec5}n\u{301}\u{202e}".as_bytes(),
];
/// What readers of workbooks look for.
const XML_WORDS: [&[u8]; 20] = [
    b"<",
    b">",
    b"</c>",
    b"<row r=\"1\">",
    b"<row r=\"4294967296\">",
    b" r=\"XFD1048576\"",
    b" r=\"A0\"",
    b" r=\"\"",
    b" t=\"s\"",
    b" t=\"inlineStr\"",
    b" t=\"e\"",
    b"<v>-1</v>",
    b"<v>1e308</v>",
    b"<v>99999999999</v>",
    b"&amp;",
    b"&#x110000;",
    b"<!DOCTYPE a [<!ENTITY b \"b\">]>",
    b"<![CDATA[",
    b"<si><t>",
    b"count=\"4294967295\"",
];
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
/// The sheet of the good workbook.
const SHEET: &str = "xl/worksheets/sheet1.xml";
const CSV: &str = "number,registration_date,authority,deceased_name,deceased_birth_date,event_date\n\
    1,05.03.1999,01.00001,Lê An,01.02.1930,03.03.1999\n2,05.03.1999,01.00001,\"Trần, Bình\",1930,never\n";
const DELIVERED: &str = "NO;NOM;PRENOMS;SEXE;NAISSANCE\n1;LE;AN;M;01/02/1930\n2;TRAN;;F;00/05/1931\n";
const MAPPING: &str = "kind = \"death\"\ndelimiter = \";\"\ndate_pattern = \"dd/mm/yyyy\"\n[columns]\nnumber = \"NO\"\n\
    deceased_name = [\"NOM\", \"PRENOMS\"]\ndeceased_birth_date = \"NAISSANCE\"\ndeceased_sex = \"SEXE\"\n\
    [constants]\nauthority = \"HANOI\"\n[values.deceased_sex]\nM = \"1\"\nF = \"2\"\n";

/// A province's store, and files for it in memory where there is a file system for that.
struct Desk {
    folder: TempDir,
    store: Connection,
    imports: u32,
}

/// The reader of workbooks panics over many of these files, which the import catches: nobody needs to read of it.
fn hush_the_reader() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if panic.location().is_none_or(|place| !place.file().contains("calamine")) {
                usual(panic);
            }
        }));
    });
}

impl Desk {
    fn new() -> Self {
        hush_the_reader();
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let store = Connection::open(folder.path().join("province.db")).unwrap();
        store.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;").unwrap();
        store.execute_batch(registry_schema::sql::PROVINCE[0]).unwrap();
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
            now: &|| "2026-01-01T00:00:00Z".to_owned(),
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

fn workbook() -> Vec<u8> {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    for (row, line) in (0..).zip(CSV.lines()) {
        for (column, cell) in (0..).zip(line.split(',')) {
            match cell.parse::<u16>() {
                Ok(number) => sheet.write_number(row, column, number).unwrap(),
                Err(_) => sheet.write_string(row, column, cell).unwrap(),
            };
        }
    }
    workbook.save_to_buffer().unwrap()
}

/// The parts of a workbook, by name.
fn parts(workbook: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = ZipArchive::new(Cursor::new(workbook)).unwrap();
    (0..archive.len())
        .map(|at| {
            let mut part = archive.by_index(at).unwrap();
            let mut content = Vec::new();
            part.read_to_end(&mut content).unwrap();
            (part.name().unwrap().into_owned(), content)
        })
        .collect()
}

fn packed<'a>(parts: impl Iterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in parts {
        let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        writer.start_file(name, stored).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
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
    dice::check(&[workbook()], &XML_WORDS, |bytes| {
        let path = desk.file("a.xlsx", bytes);
        desk.import(&path, None).is_ok_and(|report| report.imported + report.absorbed > 0)
    });
}

#[test]
fn workbooks_of_spoiled_parts_are_taken_or_refused() {
    let (mut desk, parts) = (Desk::new(), parts(&workbook()));
    let (mut good, mut tried) = (0, 0);
    for (name, content) in &parts {
        let of_part = dice::feed(std::slice::from_ref(content), &XML_WORDS, |spoiled| {
            let all = parts
                .iter()
                .map(|(other, content)| (other.as_str(), if other == name { spoiled } else { content.as_slice() }));
            let path = desk.file("a.xlsx", &packed(all));
            desk.import(&path, None).is_ok_and(|report| report.imported + report.absorbed > 0)
        });
        (good, tried) = (good + of_part.0, tried + of_part.1);
    }
    assert!(good > 0 && good < tried, "{good} of {tried} were read");
}

/// Imports a good workbook in whose sheet one piece of XML is another.
fn import_with(from: &str, to: &str) -> Result<ImportReport, ImportError> {
    let mut desk = Desk::new();
    let parts = parts(&workbook());
    let spoiled: Vec<(&str, Vec<u8>)> = parts
        .iter()
        .map(|(name, content)| match name.as_str() {
            SHEET => {
                let text = str::from_utf8(content).unwrap();
                assert!(text.contains(from), "{from} in {text}");
                (SHEET, text.replacen(from, to, 1).into_bytes())
            }
            other => (other, content.clone()),
        })
        .collect();
    let path = desk.file("a.xlsx", &packed(spoiled.iter().map(|(name, content)| (*name, content.as_slice()))));
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
    assert_eq!(import_with("A1:G3", "A1:G3").unwrap().rows, 2);
    check("ref=\"A1:G3\"", "ref=\"G3:A1\"", "sheet Sheet1");
    check("ref=\"A1:G3\"", "ref=\"A1:AAAAAAAAAAAA3\"", "sheet Sheet1");
    check("r=\"B2\"", "r=\"AAAAAAAA2\"", "behind row 1");
    check("r=\"A3\"", "r=\"A9999999999\"", "behind row 1");
    check("<row r=\"3\"", "<row r=\"4294967296\"", "behind row 1");
}
