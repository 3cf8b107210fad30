//! The reject file: rows that could not become entries, as delivered, with the reasons; mended, it is imported again.
//!
//! It is CSV in UTF-8 with a byte order mark, so that a spreadsheet shows it as it is and an import reads it whatever
//! encoding the mapping names. Text in letters from before Unicode stands in it decoded, and is not decoded again. Cells
//! that a spreadsheet would run as a formula have an apostrophe in front, which the import of a reject file takes away
//! again.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::error::ImportError;

/// The headings of what a reject file adds to the delivered columns.
pub(super) const EXTRA_HEADINGS: [&str; 3] = ["line", "reasons_en", "reasons_vi"];
/// Joins the reasons of one row.
pub(super) const REASONS_JOINT: &str = "; ";
/// Says that the file is UTF-8, to spreadsheets and to the import.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
/// How many earlier reject files of one name are kept.
const KEPT_MAX: u32 = 1_000;

/// The reject file of one import: rows up to the last [`Rejects::sync`] survive a power cut, and no row stands twice.
pub(super) struct Rejects {
    path: PathBuf,
    headings: Vec<String>,
    delimiter: u8,
    writer: Option<csv::Writer<BufWriter<File>>>,
    is_dirty: bool,
}

impl Rejects {
    /// A reject file that is created with its first row.
    pub(super) fn new(path: PathBuf, headings: &[String], delimiter: u8) -> Self {
        Self { path, headings: headings.to_vec(), delimiter, writer: None, is_dirty: false }
    }

    /// Where the reject file is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps an older reject file under another name, since somebody may be mending it; returns that name.
    pub(super) fn set_aside(&self) -> Result<Option<PathBuf>, ImportError> {
        if !self.path.try_exists().map_err(|error| self.error(error))? {
            return Ok(None);
        }
        let name = |number| {
            let mut name = self.path.clone().into_os_string();
            name.push(format!(".old-{number}"));
            PathBuf::from(name)
        };
        let free = (1..=KEPT_MAX).map(name).find(|path| !path.exists());
        let free = free.ok_or_else(|| self.error(io::ErrorKind::AlreadyExists.into()))?;
        std::fs::rename(&self.path, &free).map_err(|error| self.error(error))?;
        Ok(Some(free))
    }

    /// Drops the rows behind line `line_last` of the delivered file: a run that was cut short wrote them, and they come
    /// again.
    pub(super) fn resume(&mut self, line_last: u64) -> Result<(), ImportError> {
        let opened = OpenOptions::new().read(true).write(true).open(&self.path);
        let mut file = match opened {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened.map_err(|error| self.error(error))?,
        };
        let end = self.end_of(&mut file, line_last).map_err(|error| self.error(error))?;
        file.set_len(end).and_then(|()| file.seek(SeekFrom::Start(end))).map_err(|error| self.error(error))?;
        if end > 0 {
            self.writer = Some(self.writer_of(file));
        }
        Ok(())
    }

    /// Appends a row with the line where it stands and the reasons.
    pub(super) fn append<'a>(
        &mut self,
        mut cells: impl Iterator<Item = &'a str>,
        line: u64,
        reasons: [&str; 2],
    ) -> Result<(), ImportError> {
        let writer = match self.writer.take() {
            Some(writer) => writer,
            None => self.create().map_err(|error| self.error(error))?,
        };
        let writer = self.writer.insert(writer);
        let mut scratch = String::new();
        let line = line.to_string();
        let written = cells
            .try_for_each(|cell| writer.write_field(guarded(cell, &mut scratch)))
            .and_then(|()| writer.write_record([line.as_str(), reasons[0], reasons[1]]));
        self.is_dirty = true;
        written.map_err(|error| self.error(error.into()))
    }

    /// Makes every appended row durable.
    pub(super) fn sync(&mut self) -> Result<(), ImportError> {
        if let Some(writer) = self.writer.as_mut().filter(|_| self.is_dirty) {
            let synced = writer.flush().and_then(|()| writer.get_ref().get_ref().sync_data());
            synced.map_err(|error| self.error(error))?;
            self.is_dirty = false;
        }
        Ok(())
    }

    fn create(&self) -> io::Result<csv::Writer<BufWriter<File>>> {
        let mut file = File::create(&self.path)?;
        file.write_all(BYTE_ORDER_MARK)?;
        if let Some(folder) = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            // The name of a new file is durable only with its folder.
            File::open(folder)?.sync_all()?;
        }
        let mut writer = self.writer_of(file);
        let mut scratch = String::new();
        for heading in &self.headings {
            writer.write_field(guarded(heading, &mut scratch))?;
        }
        writer.write_record(EXTRA_HEADINGS)?;
        Ok(writer)
    }

    fn writer_of(&self, file: File) -> csv::Writer<BufWriter<File>> {
        let mut builder = csv::WriterBuilder::new();
        builder.delimiter(self.delimiter).flexible(true).from_writer(BufWriter::new(file))
    }

    /// Where the first row behind line `line_last` starts, or a row that was not written whole.
    fn end_of(&self, file: &mut File, line_last: u64) -> io::Result<u64> {
        let mut input = BufReader::new(file);
        let mut mark = [0; BYTE_ORDER_MARK.len()];
        if input.read_exact(&mut mark).is_err() || mark != BYTE_ORDER_MARK {
            return Ok(0);
        }
        let mut builder = csv::ReaderBuilder::new();
        let mut reader = builder.delimiter(self.delimiter).has_headers(false).flexible(true).from_reader(input);
        let mut record = csv::ByteRecord::new();
        let width = self.headings.len() + EXTRA_HEADINGS.len();
        let mut is_heading = true;
        let mut end = 0;
        while reader.read_byte_record(&mut record)? {
            let line = record.len().checked_sub(EXTRA_HEADINGS.len()).and_then(|place| record.get(place));
            let line = line.and_then(|line| std::str::from_utf8(line).ok()?.parse::<u64>().ok());
            let is_kept = if is_heading { record.len() == width } else { line.is_some_and(|line| line <= line_last) };
            if !is_kept {
                break;
            }
            is_heading = false;
            end = reader.position().byte();
        }
        Ok(if end == 0 { 0 } else { end + BYTE_ORDER_MARK.len() as u64 })
    }

    fn error(&self, source: io::Error) -> ImportError {
        ImportError::Rejects { path: self.path.clone(), source }
    }
}

/// The cell as it stands in a reject file; [`unguarded`] inverts it.
fn guarded<'a>(cell: &'a str, scratch: &'a mut String) -> &'a str {
    if !is_formula(cell) {
        return cell;
    }
    scratch.clear();
    scratch.push('\'');
    scratch.push_str(cell);
    scratch
}

/// The cell as it was delivered.
pub(super) fn unguarded(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(delivered) if is_formula(delivered) => delivered,
        _ => cell,
    }
}

/// Whether a spreadsheet may take the cell for a formula, or has apostrophes before one.
fn is_formula(cell: &str) -> bool {
    cell.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn text_of(path: &Path) -> String {
        std::fs::read_to_string(path).unwrap().trim_start_matches('\u{feff}').to_owned()
    }

    #[test]
    fn rows_behind_the_last_settled_one_are_dropped_and_old_files_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("book.csv.rejects.csv");
        let new = || Rejects::new(path.clone(), &["a".to_owned(), "b".to_owned()], b';');
        let mut rejects = new();
        for line in [2, 5, 9] {
            rejects.append(["=1", "x\ny;z"].into_iter(), line, ["no", "không"]).unwrap();
        }
        rejects.sync().unwrap();
        let whole = text_of(&path);
        assert!(whole.starts_with("a;b;line;reasons_en;reasons_vi\n'=1;\"x\ny;z\";2;no;không\n"), "{whole}");
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"torn;\"ro").unwrap();
        let mut rejects = new();
        rejects.resume(5).unwrap();
        rejects.append(["=1", "x\ny;z"].into_iter(), 9, ["no", "không"]).unwrap();
        rejects.sync().unwrap();
        assert_eq!(text_of(&path), whole);
        let aside = new().set_aside().unwrap().unwrap();
        assert_eq!(text_of(&aside), whole);
        assert_eq!(new().set_aside().unwrap(), None);
    }

    proptest! {
        #[test]
        fn a_guard_is_taken_away_again(cell in "['=+@a-]{0,5}|\\PC{0,6}") {
            let mut scratch = String::new();
            let shown = guarded(&cell, &mut scratch);
            prop_assert!(!shown.starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠']));
            prop_assert_eq!(unguarded(shown), cell.as_str());
        }
    }
}
