//! Hostile bytes for the readers under an import: rows, their plan and their judgement, without files and without a store,
//! so that millions of inputs take minutes. Whole imports are in `tests/hostile.rs`.

#[path = "../../../../proto/tests/dice/mod.rs"]
mod dice;
#[path = "../../../tests/delivery/mod.rs"]
mod delivery;

use std::io::Cursor;

use delivery::{CSV, CSV_WORDS, XML_WORDS, contents, hush_the_reader, workbook_with, workbooks};

use super::super::walk::judge;
use super::*;

/// Reads and judges every row of a source; whether one of them is an entry. `None` where it has no headings.
fn has_an_entry(source: &mut dyn RowSource) -> Result<Option<bool>, ImportError> {
    let (mut row, mut plan, mut found) = (Row::default(), None, false);
    while source.next_row(&mut row)? {
        let Some(plan) = &plan else {
            plan = FilePlan::from_headings(Some(Kind::Death), &row).ok().flatten();
            continue;
        };
        plan.check_width(&mut row, source.leaves_out_blanks());
        match judge(plan, &row) {
            Ok(_) => found = true,
            Err([english, vietnamese]) => assert!(!english.is_empty() && !vietnamese.is_empty()),
        }
    }
    Ok(plan.map(|_| found))
}

fn csv_has_an_entry(bytes: &[u8], encoding: &'static encoding_rs::Encoding) -> bool {
    let format = CsvFormat { delimiter: None, encoding };
    let mut source = CsvSource::over(Path::new("a.csv"), Cursor::new(bytes.to_vec()), format).unwrap();
    has_an_entry(&mut source).unwrap() == Some(true)
}

/// Reads the sheets as an import does, up to the first with headings.
fn workbook_has_an_entry(bytes: &[u8]) -> Result<bool, ImportError> {
    let path = Path::new("a.xlsx");
    let mut workbook = workbook::open(path, Cursor::new(bytes))?;
    for sheet in workbook.sheet_names() {
        if let Some(mut rows) = workbook::SheetRows::open(path, &mut workbook, &sheet)?
            && let Some(found) = has_an_entry(&mut rows)?
        {
            return Ok(found);
        }
    }
    Ok(false)
}

#[test]
fn rows_of_hostile_csv_are_entries_or_have_a_reason() {
    dice::check(&[CSV.into()], &CSV_WORDS, |bytes| csv_has_an_entry(bytes, encoding_rs::UTF_8));
}

#[test]
fn rows_in_hostile_encodings_are_entries_or_have_a_reason() {
    let utf16: Vec<u8> = [0xfeff].into_iter().chain(CSV.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let ascii = CSV.replace('ê', "e").into_bytes();
    dice::check(&[ascii, utf16], &CSV_WORDS, |bytes| csv_has_an_entry(bytes, encoding_rs::WINDOWS_1258));
}

#[test]
fn rows_of_hostile_workbooks_are_entries_or_have_a_reason() {
    hush_the_reader();
    dice::check(&workbooks(), &XML_WORDS, |bytes| workbook_has_an_entry(bytes).unwrap_or(false));
}

#[test]
fn rows_of_workbooks_with_a_hostile_part_are_entries_or_have_a_reason() {
    hush_the_reader();
    dice::check_each(&contents(), &XML_WORDS, |which, bytes| {
        workbook_has_an_entry(&workbook_with(which, bytes)).unwrap_or(false)
    });
}
