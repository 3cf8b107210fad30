//! The import of backlogs: files of old entries become entries of the store, each row once, however often it comes.
//!
//! A file is read in bounded memory, row by row; a row becomes a draft by the file's plan; a valid draft becomes an
//! entry, sealed at once, unless its fingerprint stands in the ledger; every other row goes into the reject file with
//! its reasons. Rows are settled in short transactions that also note how far the import has come, so an import that
//! was cut short at any moment goes on behind the last settled row when the same command runs again.

mod error;
mod report;
mod row;
mod csv_source;
mod unpacked;
mod workbook;
mod mapping;
mod plan;
mod decoding;
mod fingerprint;
mod ledger;
mod rejects;
mod walk;

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::{Path, PathBuf};

pub use error::ImportError;
pub use report::{Decoded, ImportReport, Progress, Sample};

use calamine::Reader as _;
use jiff::Timestamp;
use registry_schema::field::{Attribute, Field};
use registry_schema::kind::Kind;
use registry_schema::mapping::{LegacyText, Mapping, MappingError};
use sha2::{Digest as _, Sha256};

use csv_source::{CsvFormat, CsvSource};
use decoding::Decoding;
use plan::FilePlan;
use rejects::Rejects;
use row::{Row, RowSource};
use walk::Walk;

use crate::store::Store;

/// The largest CSV file, in bytes.
const FILE_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;
/// Rows in which the headings are looked for: a workbook may have a title above its table.
const HEADING_ROWS_MAX: usize = 20;

/// What to import, and how.
pub struct ImportRequest<'a> {
    /// The workbook (XLSX) or CSV file.
    pub path: PathBuf,
    /// The kind of its entries, when the headings do not tell.
    pub kind: Option<Kind>,
    /// The mapping file, for columns that are neither the Ministry's nor named like fields.
    pub mapping: Option<PathBuf>,
    /// The reject file; by default beside the file, with `.rejects.csv` added to its name.
    pub rejects: Option<PathBuf>,
    /// The registering office of rows that name none; comes before a constant of the mapping.
    pub authority: Option<String>,
    /// Whether to judge every row and write nothing.
    pub dry_run: bool,
    /// Part and number of parts, `(1, 3)` for the first of three: each row belongs to one part.
    pub split: Option<(u32, u32)>,
    /// The wall clock.
    pub now: &'a dyn Fn() -> Timestamp,
}

/// Imports a file into the store; every entry is sealed when it is committed.
///
/// # Errors
/// What stopped the import; rows that were settled stay settled, and the same request goes on behind them.
pub fn import(
    store: &mut Store,
    request: &ImportRequest<'_>,
    progress: &mut dyn FnMut(&Progress),
) -> Result<ImportReport, ImportError> {
    let mapping = request.mapping.as_deref().map(mapping::load).transpose()?;
    let mapping = mapping.as_ref();
    if let (Some(kind), Some(mapping)) = (request.kind, mapping)
        && kind != mapping.kind
    {
        return Err(columns_error(&request.path, format!("the mapping is for a {}, --kind says {kind}", mapping.kind)));
    }
    if request.split.is_some_and(|(_, of)| of == 0) {
        return Err(columns_error(
            &request.path,
            "no file has zero parts; write --split 1/3 for the first of three".into(),
        ));
    }
    let unreadable = |source| ImportError::Unreadable { path: request.path.clone(), source };
    let mut file = File::open(&request.path).map_err(unreadable)?;
    let is_workbook = is_workbook(&mut file, &request.path)?;
    let max = if is_workbook { workbook::WORKBOOK_BYTES_MAX } else { FILE_BYTES_MAX };
    if file.metadata().map_err(unreadable)?.len() > max {
        return Err(ImportError::TooLarge { path: request.path.clone(), max, unit: "bytes" });
    }
    let sha256 = hash(&mut file).map_err(unreadable)?;
    let mut run = Run { store, request, mapping, sha256, progress };
    if is_workbook {
        return run.workbook(file);
    }
    let format = CsvFormat {
        delimiter: mapping.map(|mapping| mapping.delimiter),
        encoding: mapping.map_or(encoding_rs::UTF_8, |mapping| mapping.encoding),
    };
    let open = |file| CsvSource::open(&request.path, file, format).map_err(unreadable);
    let mut source = open(file.try_clone().map_err(unreadable)?)?;
    let decoding = run.decoding(&mut source)?.ok_or_else(|| columns_error(&request.path, NO_HEADINGS.into()))?;
    source = open(file)?;
    let delimiter = source.delimiter();
    run.walk(&mut source, decoding, delimiter, &[])
}

const NO_HEADINGS: &str = "the first rows have no headings of the Ministry's layouts or of fields, or no rows at all; give \
                           a mapping file with --mapping";

/// One request with what was found out about its file.
struct Run<'a> {
    store: &'a mut Store,
    request: &'a ImportRequest<'a>,
    mapping: Option<&'a Mapping>,
    sha256: [u8; 32],
    progress: &'a mut dyn FnMut(&Progress),
}

/// A plan, the last row that was read for it, and whether that row is an entry and not the headings.
type Planned = (FilePlan, Row, bool);

impl Run<'_> {
    /// Imports the first sheet whose headings are known.
    fn workbook(&mut self, file: File) -> Result<ImportReport, ImportError> {
        let path = &self.request.path;
        let mut workbook = workbook::open(path, BufReader::new(file))?;
        let sheets = workbook.sheet_names();
        let mut refused = None;
        for sheet in &sheets {
            let Some(mut rows) = workbook::SheetRows::open(path, &mut workbook, sheet)? else { continue };
            match self.decoding(&mut rows) {
                Ok(None) => {}
                Ok(Some(decoding)) => {
                    drop(rows);
                    let Some(mut rows) = workbook::SheetRows::open(path, &mut workbook, sheet)? else { continue };
                    let others: Vec<_> = sheets.iter().filter(|other| *other != sheet).cloned().collect();
                    let delimiter = self.mapping.map_or(b',', |mapping| mapping.delimiter);
                    return self.walk(&mut rows, decoding, delimiter, &others);
                }
                Err(error @ ImportError::Columns { .. }) => refused = refused.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        Err(refused.unwrap_or_else(|| columns_error(path, NO_HEADINGS.into())))
    }

    /// Reads rows until one of them tells the columns; `None` when none does.
    fn plan(&self, source: &mut dyn RowSource) -> Result<Option<Planned>, ImportError> {
        let refuse = |error: MappingError| columns_error(&self.request.path, error.to_string());
        let mut row = Row::default();
        let mut message = None;
        for _ in 0..HEADING_ROWS_MAX {
            if !source.next_row(&mut row)? {
                break;
            }
            let Some(mapping) = self.mapping else {
                match FilePlan::from_headings(self.request.kind, &row).map_err(refuse)? {
                    Some(plan) => return Ok(Some((plan, row, false))),
                    None => continue,
                }
            };
            match FilePlan::from_mapping(mapping, &row) {
                Ok(plan) => {
                    let is_entry = !mapping.has_header && !plan.is_reject_file;
                    return Ok(Some((plan, row, is_entry)));
                }
                // A sheet may have a title above its headings; the first row of a CSV file is final.
                Err(found) if source.leaves_out_blanks() => message = message.or(Some(found)),
                Err(found) => return Err(refuse(found)),
            }
        }
        message.map_or(Ok(None), |message| Err(refuse(message)))
    }

    /// The first pass over a file: what its text was written in; `None` when no row tells the columns.
    fn decoding(&self, source: &mut dyn RowSource) -> Result<Option<Decoding>, ImportError> {
        let Some((plan, row, is_entry)) = self.plan(source)? else { return Ok(None) };
        // A reject file was decoded when it was written, and is mended in Unicode.
        let is_settled = plan.is_reject_file || self.is_finished()?;
        Ok(Some(match self.mapping.map_or(LegacyText::Auto, |mapping| mapping.legacy_text) {
            _ if is_settled => Decoding::default(),
            LegacyText::Keep => Decoding::default(),
            LegacyText::Decode(legacy) => Decoding::always(&plan, legacy),
            LegacyText::Auto => Decoding::vote(&plan, source, row, is_entry)?,
        }))
    }

    /// Whether every row of the file is an entry already.
    fn is_finished(&self) -> Result<bool, ImportError> {
        let known = ledger::load(&self.store.connection, &part_sha256(&self.sha256, self.request.split))?;
        Ok(!self.request.dry_run && known.is_some_and(|known| known.is_finished && known.rows_rejected == 0))
    }

    /// The second pass.
    fn walk(
        &mut self,
        source: &mut dyn RowSource,
        decoding: Decoding,
        delimiter: u8,
        other_sheets: &[String],
    ) -> Result<ImportReport, ImportError> {
        let request = self.request;
        let planned = self.plan(source)?.ok_or_else(|| columns_error(&request.path, NO_HEADINGS.into()))?;
        let (mut plan, row, is_entry) = planned;
        if let Some(authority) = &request.authority {
            plan.set_default(Field::entry(Attribute::Authority), authority);
        }
        let path = request.rejects.clone().unwrap_or_else(|| default_rejects(&request.path));
        let rejects = Rejects::new(path, &plan.headings, delimiter);
        let mut report = ImportReport::new(request.path.clone(), plan.kind(), request.dry_run);
        report.ignored_columns = plan.ignored().to_vec();
        if !other_sheets.is_empty() {
            report.warnings.push(format!("only one sheet was read; not read: {}", other_sheets.join(", ")));
        }
        let import = if request.dry_run { None } else { Some(self.begin(&plan, &rejects, &mut report)?) };
        if import.is_some_and(|import| import.is_finished) {
            return Ok(report);
        }
        let mut walk = Walk::new(&plan, self.sha256, rejects, report, &mut *self.progress, request.now);
        walk.split = request.split;
        walk.import = import.map(|import| import.id);
        walk.decoding = decoding;
        let reject_file = walk.rejects.path().to_owned();
        let mut report = walk.run(self.store, source, row, is_entry)?;
        if let Some(import) = import {
            ledger::finish(&self.store.connection, import.id, &time(request))?;
            let has_rejects = report.rejected > 0 || import.rows_rejected > 0;
            report.reject_file = has_rejects.then_some(reject_file);
        }
        Ok(report)
    }

    /// Where this import stands: new, to be resumed, to be tried again for its rejected rows, or finished.
    fn begin(
        &self,
        plan: &FilePlan,
        rejects: &Rejects,
        report: &mut ImportReport,
    ) -> Result<ledger::Import, ImportError> {
        let sha256 = part_sha256(&self.sha256, self.request.split);
        let known = ledger::load(&self.store.connection, &sha256)?;
        if let Some(known) = known.filter(|known| known.kind != plan.kind() && known.rows_imported > 0) {
            let message = format!("it was imported as {} before, and cannot be {} as well", known.kind, plan.kind());
            return Err(columns_error(&self.request.path, message));
        }
        match known {
            Some(known) if known.is_finished && known.rows_rejected == 0 => {
                (report.rows, report.absorbed) = (known.rows_done, part_rows(known.rows_done, self.request.split));
                report.other_parts = report.rows - report.absorbed;
                return Ok(known);
            }
            Some(known) if !known.is_finished && known.kind == plan.kind() => {
                report.resumed_at = known.rows_done;
                return Ok(known);
            }
            _ => {}
        }
        if let Some(aside) = rejects.set_aside()? {
            report.warnings.push(format!("an earlier reject file is now {}", aside.display()));
        }
        if let Some(known) = known {
            // Some rows were rejected: the mapping, the options or the rules may have been mended since.
            ledger::restart(&self.store.connection, known.id, plan.kind())?;
            return Ok(ledger::Import { rows_done: 0, rows_rejected: 0, is_finished: false, ..known });
        }
        let name = self.request.path.file_name().unwrap_or(self.request.path.as_os_str()).to_string_lossy();
        ledger::begin(&self.store.connection, &sha256, &name, plan.kind(), &time(self.request))
    }
}

/// The time of a request as the store writes it: RFC 3339, UTC.
fn time(request: &ImportRequest<'_>) -> String {
    (request.now)().round(jiff::Unit::Second).unwrap_or_default().to_string()
}

/// Whether the file is a workbook, by its first bytes or its name.
fn is_workbook(file: &mut File, path: &Path) -> Result<bool, ImportError> {
    let mut start = Vec::new();
    let read = file.take(8).read_to_end(&mut start);
    read.map_err(|source| ImportError::Unreadable { path: path.to_owned(), source })?;
    if start.starts_with(b"\xd0\xcf\x11\xe0") {
        let message = "it is an old or a password-protected Excel file; save it as .xlsx without a password";
        return Err(columns_error(path, message.into()));
    }
    let is_named_so = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("xlsx"));
    Ok(is_named_so || start.starts_with(b"PK\x03\x04"))
}

fn hash(file: &mut File) -> std::io::Result<[u8; 32]> {
    file.rewind()?;
    let mut hasher = Sha256::new();
    std::io::copy(file, &mut hasher)?;
    Ok(hasher.finalize().into())
}

/// How many of the first `rows` rows of a file belong to this part of it.
const fn part_rows(rows: u64, split: Option<(u32, u32)>) -> u64 {
    match split {
        Some((part, of)) if of > 0 => {
            let (part, of) = (part as u64 % of as u64, of as u64);
            rows / of + (rows % of > part) as u64
        }
        _ => rows,
    }
}

/// The identity of an import: the file's hash, and for a part of a file the hash of that with the part, so that
/// another part of the same file is another import.
fn part_sha256(file: &[u8; 32], split: Option<(u32, u32)>) -> [u8; 32] {
    let Some((part, of)) = split else { return *file };
    let hasher = Sha256::new_with_prefix(file);
    hasher.chain_update((part % of).to_be_bytes()).chain_update(of.to_be_bytes()).finalize().into()
}

fn default_rejects(path: &Path) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    name.push(".rejects.csv");
    name.into()
}

fn columns_error(path: &Path, message: String) -> ImportError {
    ImportError::Columns { path: path.to_owned(), message }
}

#[cfg(test)]
mod tests;
