//! Rows of a worksheet, read cell by cell so that memory does not grow with the workbook's rows.
//!
//! The library that reads workbooks trusts what they say of themselves: a reference to column AAAAAAAA, or a sheet that
//! ends before it begins, makes it panic (built with checks, as it is here also in releases). Such a workbook is damaged,
//! and nothing else stops.

use std::io::{Read, Seek};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use calamine::{Cell, DataRef, ExcelDateTime, Reader as _, Xlsx, XlsxCellReader, XlsxError};
use thiserror::Error;

use super::error::ImportError;
use super::row::{COLUMNS_MAX, Flaw, Row, RowSource};
use super::unpacked;

/// The largest workbook, in bytes: several times a full sheet of the widest layout.
pub(super) const WORKBOOK_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// An open workbook, in a file or elsewhere.
pub(super) type Workbook<R> = Xlsx<R>;

/// What a call of the reader came to, when it was not read.
#[derive(Debug, Error)]
enum Unread {
    /// The reader says why.
    #[error(transparent)]
    Said(#[from] XlsxError),
    /// It panicked. What it had to say may be a part of the file, so nothing of it is repeated.
    #[error("the reader of workbooks gives up over it")]
    GaveUp,
}

/// Asks the reader, whose panic is one more thing that may be wrong with the file. After one it is not asked again.
fn ask<T>(reader: impl FnOnce() -> Result<T, XlsxError>) -> Result<T, Unread> {
    match catch_unwind(AssertUnwindSafe(reader)) {
        Ok(answer) => Ok(answer?),
        Err(_panic) => Err(Unread::GaveUp),
    }
}

/// Opens a workbook whose parts unpack to a bounded size, as was measured and not as they declare.
pub(super) fn open<R: Read + Seek>(path: &Path, mut file: R) -> Result<Workbook<R>, ImportError> {
    unpacked::check(path, &mut file)?;
    file.rewind().map_err(|source| ImportError::Unreadable { path: path.to_owned(), source })?;
    ask(|| Xlsx::new(file)).map_err(|error| damaged(path, error))
}

/// The rows of one sheet.
pub(super) struct SheetRows<'a, R: Read + Seek> {
    path: PathBuf,
    sheet: String,
    cells: XlsxCellReader<'a, R>,
    ahead: Option<Cell<DataRef<'a>>>,
    is_ended: bool,
    row_last: u64,
    scratch: String,
}

impl<'a, R: Read + Seek> SheetRows<'a, R> {
    /// Starts at the first row of a sheet; `None` when the name is that of a chart.
    pub(super) fn open(path: &Path, workbook: &'a mut Workbook<R>, sheet: &str) -> Result<Option<Self>, ImportError> {
        let cells = match ask(|| workbook.worksheet_cells_reader(sheet)) {
            Ok(cells) => cells,
            Err(Unread::Said(XlsxError::NotAWorksheet(_))) => return Ok(None),
            Err(error) => return Err(damaged(path, format_args!("sheet {sheet}: {error}"))),
        };
        let (path, sheet) = (path.to_owned(), sheet.to_owned());
        Ok(Some(Self { path, sheet, cells, ahead: None, is_ended: false, row_last: 0, scratch: String::new() }))
    }

    fn next_cell(&mut self) -> Result<Option<Cell<DataRef<'a>>>, ImportError> {
        if let Some(cell) = self.ahead.take() {
            return Ok(Some(cell));
        }
        if self.is_ended {
            return Ok(None);
        }
        let cell = ask(|| self.cells.next_cell());
        // Behind its end, and behind what it gave up over, the reader must not be asked again.
        self.is_ended = !matches!(cell, Ok(Some(_)));
        cell.map_err(|error| self.damaged(&error.to_string()))
    }

    fn damaged(&self, what: &str) -> ImportError {
        damaged(&self.path, format_args!("sheet {}, behind row {}: {what}", self.sheet, self.row_last))
    }

    /// Adds a cell in its column; the columns before it that were left out are blank, and those past the bound unread.
    fn put(&mut self, row: &mut Row, column: usize, value: &DataRef<'_>) -> Result<(), ImportError> {
        if matches!(value, DataRef::Empty) || column >= COLUMNS_MAX {
            return Ok(());
        }
        if column < row.len() {
            return Err(self.damaged("cells out of order"));
        }
        while row.len() < column {
            row.push("");
        }
        if matches!(value, DataRef::Error(_)) {
            row.note(Flaw::FormulaError { column: column + 1 });
        }
        row.push(text_of(value, &mut self.scratch));
        Ok(())
    }
}

impl<R: Read + Seek> RowSource for SheetRows<'_, R> {
    fn next_row(&mut self, row: &mut Row) -> Result<bool, ImportError> {
        loop {
            row.clear();
            let Some(first) = self.next_cell()? else { return Ok(false) };
            let (index, _) = first.get_position();
            row.line = u64::from(index) + 1;
            if row.line <= self.row_last {
                return Err(self.damaged("rows out of order"));
            }
            self.ahead = Some(first);
            while let Some(cell) = self.next_cell()? {
                let (of, column) = cell.get_position();
                if of != index {
                    self.ahead = Some(cell);
                    break;
                }
                self.put(row, column as usize, cell.get_value())?;
            }
            self.row_last = row.line;
            if !row.is_blank() {
                return Ok(true);
            }
        }
    }

    fn leaves_out_blanks(&self) -> bool {
        true
    }
}

/// A cell as a clerk would have typed it: whole numbers without a point, dates as dd.mm.yyyy, times as hh:mm.
fn text_of<'a>(value: &'a DataRef<'_>, scratch: &'a mut String) -> &'a str {
    *scratch = match value {
        DataRef::String(text) => return text,
        DataRef::SharedString(text) => return text,
        DataRef::Int(number) => number.to_string(),
        DataRef::Float(number) => number.to_string(),
        DataRef::Bool(true) => "1".into(),
        DataRef::Bool(false) => "0".into(),
        DataRef::DateTime(date) => date_text(*date),
        DataRef::DateTimeIso(text) => text.split('T').next().unwrap_or_default().to_owned(),
        DataRef::DurationIso(text) => text.clone(),
        DataRef::Error(error) => error.to_string(),
        DataRef::Empty => String::new(),
    };
    scratch
}

fn date_text(date: ExcelDateTime) -> String {
    let (year, month, day, hour, minute, ..) = date.to_ymd_hms_milli();
    // A number below one has no day in it: it is a time.
    if date.is_duration() || date.as_f64() < 1.0 {
        return format!("{hour:02}:{minute:02}");
    }
    format!("{day:02}.{month:02}.{year:04}")
}

fn damaged(path: &Path, what: impl std::fmt::Display) -> ImportError {
    ImportError::Damaged { path: path.to_owned(), what: what.to_string() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use calamine::ExcelDateTimeType;

    use super::*;

    /// The rows of a sheet of these cells: row, column, text.
    fn rows_of(cells: &[(u32, u16, &str)]) -> Vec<Row> {
        let mut made = rust_xlsxwriter::Workbook::new();
        let sheet = made.add_worksheet();
        for (row, column, text) in cells {
            sheet.write_string(*row, *column, *text).unwrap();
        }
        let path = Path::new("a.xlsx");
        let mut workbook = open(path, std::io::Cursor::new(made.save_to_buffer().unwrap())).unwrap();
        let mut sheet = SheetRows::open(path, &mut workbook, "Sheet1").unwrap().unwrap();
        let mut rows = Vec::new();
        loop {
            let mut row = Row::default();
            if !sheet.next_row(&mut row).unwrap() {
                return rows;
            }
            rows.push(row);
        }
    }

    #[test]
    fn a_row_keeps_to_its_bounds() {
        let (long, last) = ("a".repeat(32_000), COLUMNS_MAX as u16 - 1);
        let cells = [(0, 0, "first"), (0, last, "last"), (0, last + 1, "past the bound"), (2, 0, "behind a gap")];
        let rows = rows_of(&cells);
        assert_eq!(rows.iter().map(|row| (row.line, row.len())).collect::<Vec<_>>(), [(1, COLUMNS_MAX), (3, 1)]);
        assert_eq!(rows[0].cell(COLUMNS_MAX - 1), "last");
        let cells: Vec<(u32, u16, &str)> = (0..20).map(|column| (0, column, long.as_str())).collect();
        let row = &rows_of(&cells)[0];
        assert_eq!(row.bytes(), super::super::row::ROW_BYTES_MAX);
        assert!(matches!(row.flaw, Some(Flaw::TooLong { .. })), "{:?}", row.flaw);
    }

    fn check(value: &DataRef<'_>, text: &str) {
        assert_eq!(text_of(value, &mut String::new()), text, "{value:?}");
    }

    #[test]
    fn cells_read_as_a_clerk_would_have_typed_them() {
        let date = |value| DataRef::DateTime(ExcelDateTime::new(value, ExcelDateTimeType::DateTime, false));
        check(&DataRef::Float(12.0), "12");
        check(&DataRef::Float(79_201_000_123.0), "79201000123");
        check(&DataRef::Float(1.5), "1.5");
        check(&DataRef::Bool(true), "1");
        check(&date(36_925.0), "03.02.2001");
        check(&date(36_925.75), "03.02.2001");
        check(&date(0.75), "18:00");
        check(&DataRef::DateTimeIso("2001-02-03T00:00:00".into()), "2001-02-03");
        check(&DataRef::SharedString(" Hòa "), " Hòa ");
    }
}
