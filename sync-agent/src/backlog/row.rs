//! One row of a delivered file, before anybody asks what its columns mean.

use super::error::ImportError;

/// The most text of one row, in bytes: 64 fields of the longest text a field may have. A longer row is cut and rejected.
pub(super) const ROW_BYTES_MAX: usize = 256 * 1024;
/// The most columns of a file: several times the widest layout, so that a wide export still fits.
pub(super) const COLUMNS_MAX: usize = 512;

/// A file that gives its rows one after another, in bounded memory.
pub(super) trait RowSource {
    /// Reads the next row that is not blank into `row`; `false` at the end of the file.
    fn next_row(&mut self, row: &mut Row) -> Result<bool, ImportError>;
    /// Whether blank cells at the end of a row are simply missing, as in a workbook.
    fn leaves_out_blanks(&self) -> bool;
}

/// The cells of one row as text, in at most [`ROW_BYTES_MAX`] bytes, and what kept the row from being read whole.
#[derive(Default)]
pub(super) struct Row {
    /// Where the row starts in the file, counted from 1: a line of text or a row of a sheet.
    pub(super) line: u64,
    /// What kept the row from being read as it was meant.
    pub(super) flaw: Option<Flaw>,
    text: String,
    ends: Vec<usize>,
}

/// Why a row cannot be trusted as a whole, whatever its fields say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    /// Bytes that mean nothing in the file's encoding.
    Undecodable { column: usize, encoding: &'static str },
    /// Text that is plainly UTF-8 while the mapping names another encoding.
    LooksUtf8 { column: usize, encoding: &'static str },
    /// More text than [`ROW_BYTES_MAX`]; the rest was not kept.
    TooLong { lines: u64 },
    /// More or fewer cells than headings, so text may stand in the wrong column.
    CellCount { found: usize, expected: usize },
    /// The result of a formula that failed.
    FormulaError { column: usize },
}

impl Row {
    /// Forgets the last row.
    pub(super) fn clear(&mut self) {
        (self.line, self.flaw) = (0, None);
        self.text.clear();
        self.ends.clear();
    }

    /// Adds a cell; text past the bound of a row is left out and noted.
    pub(super) fn push(&mut self, cell: &str) {
        let room = ROW_BYTES_MAX - self.text.len();
        let kept = &cell[..cell.floor_char_boundary(room)];
        if kept.len() < cell.len() {
            self.flaw = Some(Flaw::TooLong { lines: 1 });
        }
        self.text.push_str(kept);
        self.ends.push(self.text.len());
    }

    /// Writes other text into the cells.
    pub(super) fn replace(&mut self, cells: &[String]) {
        self.text.clear();
        self.ends.clear();
        cells.iter().for_each(|cell| self.push(cell));
    }

    /// Notes a flaw unless one was found before.
    pub(super) fn note(&mut self, flaw: Flaw) {
        self.flaw.get_or_insert(flaw);
    }

    /// How many cells there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// How many bytes of text there are.
    pub(super) fn bytes(&self) -> usize {
        self.text.len()
    }

    /// A cell, counted from 0; empty past the last one.
    pub(super) fn cell(&self, index: usize) -> &str {
        let Some(end) = self.ends.get(index) else { return "" };
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start..*end]
    }

    /// Every cell.
    pub(super) fn cells(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|index| self.cell(index))
    }

    /// Whether no cell says anything.
    pub(super) fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }
}

impl Flaw {
    /// One sentence in English.
    pub(super) fn english(self) -> String {
        match self {
            Self::Undecodable { column, encoding } => format!(
                "column {column}: some bytes are not {encoding}; set the option encoding of the mapping to what the file \
                 was written in and import the original file again"
            ),
            Self::LooksUtf8 { column, encoding } => format!(
                "column {column}: the text is UTF-8, not {encoding}; set encoding = \"utf-8\" in the mapping and import \
                 the original file again"
            ),
            Self::TooLong { lines } => format!(
                "the row has more than {ROW_BYTES_MAX} bytes on {lines} line(s) and is cut here; shorten it in the \
                 original file, or close a quotation mark that was left open"
            ),
            Self::CellCount { found, expected } => format!(
                "the row has {found} cells where the headings have {expected}; put text that holds the delimiter in \
                 quotation marks, and fill in missing cells"
            ),
            Self::FormulaError { column } => {
                format!("column {column}: the formula in this cell failed; write its result instead")
            }
        }
    }

    /// One sentence in Vietnamese.
    pub(super) fn vietnamese(self) -> String {
        match self {
            Self::Undecodable { column, encoding } => format!(
                "cột {column}: có byte không đọc được theo bảng mã {encoding}; sửa tùy chọn encoding của tệp ánh xạ \
                 rồi nhập lại tệp gốc"
            ),
            Self::LooksUtf8 { column, encoding } => format!(
                "cột {column}: văn bản là UTF-8, không phải {encoding}; đặt encoding = \"utf-8\" trong tệp ánh xạ rồi \
                 nhập lại tệp gốc"
            ),
            Self::TooLong { lines } => format!(
                "hàng dài quá {ROW_BYTES_MAX} byte trên {lines} dòng nên bị cắt; rút ngắn trong tệp gốc, hoặc đóng dấu \
                 ngoặc kép còn mở"
            ),
            Self::CellCount { found, expected } => format!(
                "hàng có {found} ô trong khi tiêu đề có {expected} ô; đặt văn bản có dấu phân cách trong dấu ngoặc kép \
                 và điền các ô còn thiếu"
            ),
            Self::FormulaError { column } => {
                format!("cột {column}: công thức trong ô bị lỗi; ghi kết quả thay công thức")
            }
        }
    }
}
