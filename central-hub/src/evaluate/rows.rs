//! The rows of a CSV file, whatever it was written in.

use std::fs::File;
use std::io::{BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use registry_schema::mapping::Mapping;
use registry_schema::text;

use super::outside::OutsideError;

/// The rows of a file as text, one after another. Bytes that mean nothing in the file's encoding become U+FFFD.
pub(super) struct Rows {
    path: PathBuf,
    reader: csv::Reader<Box<dyn Read>>,
    decode: Option<fn(&[u8], &Mapping) -> String>,
    row: csv::ByteRecord,
}

impl Rows {
    /// The rows of a file that is read as its mapping says, and its headings: the numbers of the columns, from 1, where
    /// it has none.
    pub(super) fn open(path: &Path, mapping: &Mapping) -> Result<(Self, Vec<String>), OutsideError> {
        let unreadable = |source| OutsideError::Unreadable { path: path.to_owned(), source };
        let mut file = File::open(path).map_err(unreadable)?;
        let mut decode: Option<fn(&[u8], &Mapping) -> String> =
            Some(|bytes, mapping| mapping.encoding.decode_without_bom_handling(bytes).0.into_owned());
        let input: Box<dyn Read> = if mapping.encoding.is_ascii_compatible() {
            Box::new(BufReader::with_capacity(READ_BYTES, file))
        } else {
            // Delimiters can be found byte by byte only where ASCII bytes mean ASCII, so such a file is decoded whole.
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).map_err(unreadable)?;
            decode = None;
            Box::new(Cursor::new(mapping.encoding.decode(&bytes).0.into_owned()))
        };
        let mut builder = csv::ReaderBuilder::new();
        builder.delimiter(mapping.delimiter).has_headers(mapping.has_header).flexible(true);
        let mut rows =
            Self { path: path.to_owned(), reader: builder.from_reader(input), decode, row: csv::ByteRecord::new() };
        let first = rows.reader.byte_headers().map_err(|error| broken(path, &error))?.clone();
        let headings = if mapping.has_header {
            let read = |cell: &[u8]| text::tidy(rows.text(cell, mapping).trim_start_matches('\u{feff}'));
            first.iter().map(read).collect()
        } else {
            (1..=first.len()).map(|number| number.to_string()).collect()
        };
        Ok((rows, headings))
    }

    /// Reads the next row into `cells`; `false` at the end of the file.
    pub(super) fn next(&mut self, mapping: &Mapping, cells: &mut Vec<String>) -> Result<bool, OutsideError> {
        if !self.reader.read_byte_record(&mut self.row).map_err(|error| broken(&self.path, &error))? {
            return Ok(false);
        }
        cells.clear();
        cells.extend(self.row.iter().map(|cell| self.text(cell, mapping)));
        Ok(true)
    }

    fn text(&self, cell: &[u8], mapping: &Mapping) -> String {
        match (std::str::from_utf8(cell), self.decode) {
            (Ok(text), _) if text.is_ascii() => text.to_owned(),
            (_, Some(decode)) => decode(cell, mapping),
            (_, None) => String::from_utf8_lossy(cell).into_owned(),
        }
    }
}

/// Bytes read at once.
const READ_BYTES: usize = 256 * 1024;

fn broken(path: &Path, error: &csv::Error) -> OutsideError {
    let line = error.position().map_or(0, csv::Position::line);
    OutsideError::Row { path: path.to_owned(), line, what: error.to_string() }
}
