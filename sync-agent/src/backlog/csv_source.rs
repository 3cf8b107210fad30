//! Rows of a CSV file, in any encoding, with a bound on what one row may take.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::{Path, PathBuf};

use csv_core::ReadRecordResult;
use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8};

use super::error::ImportError;
use super::row::{COLUMNS_MAX, Flaw, ROW_BYTES_MAX, Row, RowSource};

/// Bytes read at once; also how much of a file is looked at to find its delimiter.
const READ_BYTES: usize = 64 * 1024;
/// The delimiters tried when no mapping names one.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// How the text of a file is to be read.
#[derive(Clone, Copy)]
pub(super) struct CsvFormat {
    /// The byte between cells; `None` to find it in the first lines.
    pub(super) delimiter: Option<u8>,
    /// The encoding, unless a byte order mark says otherwise.
    pub(super) encoding: &'static Encoding,
}

/// The rows of a CSV file. A row that is too long is cut and noted; the rows behind it are read as usual.
pub(super) struct CsvSource {
    path: PathBuf,
    input: Box<dyn BufRead>,
    parser: csv_core::Reader,
    delimiter: u8,
    encoding: &'static Encoding,
    encoding_name: &'static str,
    lines: LineCounter,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl CsvSource {
    /// Starts at the first row of `file`.
    pub(super) fn open(path: &Path, mut file: File, format: CsvFormat) -> io::Result<Self> {
        file.rewind()?;
        Self::over(path, BufReader::with_capacity(READ_BYTES, file), format)
    }

    /// Starts at the first row of what comes from anywhere.
    pub(super) fn over(path: &Path, mut input: impl BufRead + 'static, format: CsvFormat) -> io::Result<Self> {
        let (mut encoding, mark_bytes) = Encoding::for_bom(input.fill_buf()?).unwrap_or((format.encoding, 0));
        input.consume(mark_bytes);
        let encoding_name = encoding.name();
        let mut input: Box<dyn BufRead> = Box::new(input);
        if !encoding.is_ascii_compatible() {
            // Delimiters can be found byte by byte only where ASCII bytes mean ASCII.
            let decoded = Transcoder { input, decoder: Some(encoding.new_decoder_without_bom_handling()) };
            input = Box::new(BufReader::with_capacity(READ_BYTES, decoded));
            encoding = UTF_8;
        }
        let delimiter = match format.delimiter {
            Some(delimiter) => delimiter,
            None => likely_delimiter(input.fill_buf()?),
        };
        Ok(Self {
            path: path.to_owned(),
            input,
            parser: csv_core::ReaderBuilder::new().delimiter(delimiter).build(),
            delimiter,
            encoding,
            encoding_name,
            lines: LineCounter { line: 1, after_return: false },
            bytes: vec![0; ROW_BYTES_MAX],
            ends: vec![0; COLUMNS_MAX],
        })
    }

    /// The byte between cells.
    pub(super) const fn delimiter(&self) -> u8 {
        self.delimiter
    }

    /// Passes over line ends, so that the next byte is the first of a row; `false` at the end of the file.
    fn skip_line_ends(&mut self) -> io::Result<bool> {
        loop {
            let buffer = self.input.fill_buf()?;
            let count = buffer.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            if count == 0 {
                return Ok(!buffer.is_empty());
            }
            self.lines.pass(&buffer[..count]);
            self.input.consume(count);
        }
    }

    /// Reads one record; how many cells were kept, and whether some text was not.
    fn read_record(&mut self) -> io::Result<Option<(usize, bool)>> {
        let (mut text, mut cells, mut is_cut) = (0, 0, false);
        let (mut spare_bytes, mut spare_ends) = ([0; 4096], [0; 64]);
        loop {
            let buffer = self.input.fill_buf()?;
            let (result, read, written, ended) = if is_cut {
                self.parser.read_record(buffer, &mut spare_bytes, &mut spare_ends)
            } else {
                self.parser.read_record(buffer, &mut self.bytes[text..], &mut self.ends[cells..])
            };
            self.lines.pass(&buffer[..read]);
            self.input.consume(read);
            if !is_cut {
                (text, cells) = (text + written, cells + ended);
            }
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull if is_cut => {}
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                    is_cut = true;
                    if cells < COLUMNS_MAX {
                        self.ends[cells] = text;
                        cells += 1;
                    }
                }
                ReadRecordResult::Record => return Ok(Some((cells, is_cut))),
                ReadRecordResult::End => return Ok(None),
            }
        }
    }

    fn decode_into(&self, cells: usize, row: &mut Row) {
        let mut start = 0;
        for (index, end) in self.ends[..cells].iter().enumerate() {
            let bytes = &self.bytes[start..*end];
            let column = index + 1;
            let encoding = self.encoding_name;
            match self.encoding.decode_without_bom_handling_and_without_replacement(bytes) {
                Some(text) => {
                    if !bytes.is_ascii() && self.encoding.is_single_byte() && std::str::from_utf8(bytes).is_ok() {
                        row.note(Flaw::LooksUtf8 { column, encoding });
                    }
                    if text.contains(char::REPLACEMENT_CHARACTER) {
                        row.note(Flaw::Undecodable { column, encoding });
                    }
                    row.push(&text);
                }
                None => {
                    row.note(Flaw::Undecodable { column, encoding });
                    row.push(&self.encoding.decode_without_bom_handling(bytes).0);
                }
            }
            start = *end;
        }
    }
}

impl RowSource for CsvSource {
    fn next_row(&mut self, row: &mut Row) -> Result<bool, ImportError> {
        let unreadable = |path: &Path, source| ImportError::Unreadable { path: path.to_owned(), source };
        loop {
            row.clear();
            if !self.skip_line_ends().map_err(|error| unreadable(&self.path, error))? {
                return Ok(false);
            }
            row.line = self.lines.line;
            let Some((cells, is_cut)) = self.read_record().map_err(|error| unreadable(&self.path, error))? else {
                return Ok(false);
            };
            if is_cut {
                row.flaw = Some(Flaw::TooLong { lines: (self.lines.line - row.line).max(1) });
            }
            self.decode_into(cells, row);
            if !row.is_blank() {
                return Ok(true);
            }
        }
    }

    fn leaves_out_blanks(&self) -> bool {
        false
    }
}

/// Counts lines that end in LF, CR LF or CR.
struct LineCounter {
    line: u64,
    after_return: bool,
}

impl LineCounter {
    fn pass(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.line += u64::from(*byte == b'\r' || (*byte == b'\n' && !self.after_return));
            self.after_return = *byte == b'\r';
        }
    }
}

/// The delimiter that stands most often in the first line that has one: text may hold commas, headings hardly do.
fn likely_delimiter(start: &[u8]) -> u8 {
    let count = |line: &[u8], delimiter: u8| line.iter().filter(|byte| **byte == delimiter).count();
    let likely = |line: &[u8]| DELIMITERS.into_iter().rev().max_by_key(|delimiter| count(line, *delimiter));
    let mut lines = start.split(|byte| matches!(byte, b'\r' | b'\n'));
    let line = lines.find(|line| line.iter().any(|byte| DELIMITERS.contains(byte)));
    line.and_then(likely).unwrap_or(b',')
}

/// Reads another encoding as UTF-8; what cannot be decoded becomes U+FFFD.
struct Transcoder {
    input: Box<dyn BufRead>,
    /// Absent once the end was decoded: a decoder must not be asked again.
    decoder: Option<Decoder>,
}

impl Read for Transcoder {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while let Some(decoder) = &mut self.decoder {
            let buffer = self.input.fill_buf()?;
            let is_last = buffer.is_empty();
            let (result, read, written, _) = decoder.decode_to_utf8(buffer, out, is_last);
            self.input.consume(read);
            if is_last && result == CoderResult::InputEmpty {
                self.decoder = None;
            }
            if written > 0 {
                return Ok(written);
            }
        }
        Ok(0)
    }
}
