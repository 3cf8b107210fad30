//! Hostile bytes for the readers under an import: rows, their plan and their judgement, without files and without a store,
//! so that millions of inputs take minutes. Whole imports are in `tests/hostile.rs`.

#[path = "../../../../proto/tests/dice/mod.rs"]
mod dice;

use std::io::Cursor;

use super::super::walk::judge;
use super::*;

/// What readers of CSV look for.
const WORDS: [&[u8]; 14] = [
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
    b"31.02.2020",
    b"9999999999999999999999",
    "Nguy\u{1ec5}n\u{301}\u{202e}".as_bytes(),
];
const CSV: &str = "number,registration_date,authority,deceased_name,deceased_birth_date,event_date\n\
    1,05.03.1999,01.00001,Lê An,01.02.1930,03.03.1999\n2,05.03.1999,01.00001,\"Trần, Bình\",1930,never\n";

/// Reads and judges every row; whether one of them is an entry.
fn has_an_entry(bytes: &[u8], encoding: &'static encoding_rs::Encoding) -> bool {
    let format = CsvFormat { delimiter: None, encoding };
    let mut source = CsvSource::over(Path::new("a.csv"), Cursor::new(bytes.to_vec()), format).unwrap();
    let (mut row, mut plan, mut found) = (Row::default(), None, false);
    while source.next_row(&mut row).unwrap() {
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
    found
}

#[test]
fn rows_of_hostile_csv_are_entries_or_have_a_reason() {
    dice::check(&[CSV.into()], &WORDS, |bytes| has_an_entry(bytes, encoding_rs::UTF_8));
}

#[test]
fn rows_in_hostile_encodings_are_entries_or_have_a_reason() {
    let utf16: Vec<u8> = [0xfeff].into_iter().chain(CSV.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let ascii = CSV.replace('ê', "e").into_bytes();
    dice::check(&[ascii, utf16], &WORDS, |bytes| has_an_entry(bytes, encoding_rs::WINDOWS_1258));
}
