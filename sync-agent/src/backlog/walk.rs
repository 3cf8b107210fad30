//! The way of every row: read, judged, and settled batch by batch behind the rows of earlier runs.

use jiff::Timestamp;
use registry_schema::draft::Draft;
use registry_schema::ids::RecordId;
use registry_schema::record::Record;
use registry_schema::violation::Violation;

use super::decoding::Decoding;
use super::error::ImportError;
use super::fingerprint::Occurrences;
use super::ledger::{self, Batch, Entry, Ledger};
use super::plan::FilePlan;
use super::rejects::{REASONS_JOINT, Rejects};
use super::report::{ImportReport, Progress, SAMPLES_MAX, Sample};
use super::row::{Flaw, Row, RowSource};
use crate::store::Store;

/// The most rows of a file. Keys of rows past 2^20 run on into another file's range, which is checked; four times that
/// bounds the memory for counting equal rows.
pub(super) const ROWS_MAX: u64 = 4 * 1024 * 1024;
/// One row in so many that cannot be decoded makes a warning: the encoding is likely wrong.
const UNDECODABLE_SHARE: u64 = 10;

/// One pass over a file: every row of this part is imported, absorbed or rejected, in order.
pub(super) struct Walk<'a> {
    pub(super) plan: &'a FilePlan,
    pub(super) file_sha256: [u8; 32],
    /// Part and number of parts.
    pub(super) split: Option<(u32, u32)>,
    /// The import to move forward; `None` for a dry run.
    pub(super) import: Option<i64>,
    /// The most rows; [`ROWS_MAX`] but in tests.
    pub(super) rows_max: u64,
    pub(super) decoding: Decoding,
    pub(super) rejects: Rejects,
    pub(super) report: ImportReport,
    pub(super) progress: &'a mut dyn FnMut(&Progress),
    now: &'a dyn Fn() -> Timestamp,
    occurrences: Occurrences,
    undecodable: Option<(u64, Flaw)>,
}

impl<'a> Walk<'a> {
    /// A pass that has read nothing yet; `report.resumed_at` rows are settled.
    pub(super) fn new(
        plan: &'a FilePlan,
        file_sha256: [u8; 32],
        rejects: Rejects,
        report: ImportReport,
        progress: &'a mut dyn FnMut(&Progress),
        now: &'a dyn Fn() -> Timestamp,
    ) -> Self {
        let occurrences = Occurrences::default();
        let (split, import, rows_max, decoding) = (None, None, ROWS_MAX, Decoding::default());
        let undecodable = None;
        Self {
            plan,
            file_sha256,
            split,
            import,
            rows_max,
            decoding,
            rejects,
            report,
            progress,
            now,
            occurrences,
            undecodable,
        }
    }

    /// Walks from `row`, when it is already read, to the end of the file.
    pub(super) fn run(
        mut self,
        store: &mut Store,
        source: &mut dyn RowSource,
        mut row: Row,
        mut is_read: bool,
    ) -> Result<ImportReport, ImportError> {
        let ledger = Ledger::new(self.plan.kind());
        let mut batch = Batch::default();
        loop {
            if !is_read && !source.next_row(&mut row)? {
                break;
            }
            is_read = false;
            self.plan.check_width(&mut row, source.leaves_out_blanks());
            self.take(&mut row, &mut batch)?;
            if batch.is_full() {
                self.settle(store, &ledger, &mut batch)?;
            }
        }
        self.settle(store, &ledger, &mut batch)?;
        self.warn();
        self.report.note_decoded(self.decoding.counted());
        Ok(self.report)
    }

    fn take(&mut self, row: &mut Row, batch: &mut Batch) -> Result<(), ImportError> {
        let index = batch.rows_done;
        if index >= self.rows_max {
            return Err(ImportError::TooLarge { path: self.report.file.clone(), max: self.rows_max, unit: "rows" });
        }
        batch.rows_done += 1;
        let is_settled = index < self.report.resumed_at;
        let is_other = self.split.is_some_and(|(part, of)| index % u64::from(of) != u64::from(part % of));
        self.decoding.decode(row, !is_settled && !is_other);
        if is_settled || is_other {
            self.report.other_parts += u64::from(is_other && !is_settled);
            self.pass(row);
            return if batch.rows_done == self.report.resumed_at { self.rejects.resume(row.line) } else { Ok(()) };
        }
        match judge(self.plan, row) {
            Ok(draft) => {
                let fingerprint = self.occurrences.fingerprint(&draft);
                let record_id = RecordId::imported(&self.file_sha256, index);
                batch.bytes += row.bytes();
                batch.entries.push(Entry { record_id, draft, fingerprint });
                Ok(())
            }
            Err([english, vietnamese]) => {
                batch.rejected += 1;
                self.reject(row, english, vietnamese)
            }
        }
    }

    /// Counts a row that is not imported in this run, so that equal rows behind it get their right number.
    fn pass(&mut self, row: &Row) {
        if row.flaw.is_none() {
            let (draft, violations) = self.plan.draft(row);
            if violations.is_empty() {
                self.occurrences.fingerprint(&draft);
            }
        }
    }

    fn reject(&mut self, row: &Row, english: String, vietnamese: String) -> Result<(), ImportError> {
        if let Some(flaw @ (Flaw::Undecodable { .. } | Flaw::LooksUtf8 { .. })) = row.flaw {
            self.undecodable.get_or_insert((0, flaw)).0 += 1;
        }
        if self.import.is_some() {
            self.rejects.append(self.plan.delivered(row), row.line, [&english, &vietnamese])?;
        }
        if self.report.samples.len() < SAMPLES_MAX {
            self.report.samples.push(Sample { line: row.line, english, vietnamese });
        }
        Ok(())
    }

    /// Makes a batch durable: first the reject file, then the store, so that a row that is settled is in one of them.
    fn settle(&mut self, store: &mut Store, ledger: &Ledger, batch: &mut Batch) -> Result<(), ImportError> {
        self.rejects.sync()?;
        match self.import {
            Some(import) => {
                let outcome = ledger.settle(store, import, batch, self.now_ms())?;
                self.report.imported += outcome.imported;
                self.report.absorbed += outcome.absorbed;
            }
            None => {
                for entry in &batch.entries {
                    let is_known = ledger::is_known(&store.connection, &entry.fingerprint)?;
                    self.report.absorbed += u64::from(is_known);
                    self.report.imported += u64::from(!is_known);
                }
            }
        }
        self.report.rejected += batch.rejected;
        self.report.rows = batch.rows_done;
        *batch = Batch { rows_done: batch.rows_done, ..Batch::default() };
        (self.progress)(&self.report.progress());
        // Nothing is locked now, so a clerk's program that waits can write before the next batch.
        std::thread::yield_now();
        Ok(())
    }

    fn now_ms(&self) -> u64 {
        u64::try_from((self.now)().as_millisecond()).unwrap_or_default()
    }

    fn warn(&mut self) {
        let rows = self.report.rows - self.report.resumed_at - self.report.other_parts;
        if let Some((count, flaw)) = self.undecodable.filter(|(count, _)| count * UNDECODABLE_SHARE >= rows) {
            let text = format!("{count} of {rows} rows cannot be read in this encoding; the first: {}", flaw.english());
            self.report.warnings.push(text);
        }
    }
}

/// The draft of a valid row, or the reasons in English and Vietnamese.
pub(super) fn judge(plan: &FilePlan, row: &Row) -> Result<Draft, [String; 2]> {
    if let Some(flaw) = row.flaw {
        return Err([flaw.english(), flaw.vietnamese()]);
    }
    let (draft, mut violations) = plan.draft(row);
    if let Err(found) = Record::validate(&draft) {
        let is_new = |violation: &Violation| violations.iter().all(|known| known.field != violation.field);
        let found: Vec<_> = found.into_iter().filter(is_new).collect();
        violations.extend(found);
    }
    if violations.is_empty() {
        return Ok(draft);
    }
    let joined = |words: fn(&Violation) -> String| violations.iter().map(words).collect::<Vec<_>>().join(REASONS_JOINT);
    Err([joined(Violation::english), joined(Violation::vietnamese)])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use registry_schema::kind::Kind;

    use super::*;
    use crate::store::tests::scratch;

    /// A file of so many rows, each like the others.
    struct Rows(u64);

    impl RowSource for Rows {
        fn next_row(&mut self, row: &mut Row) -> Result<bool, ImportError> {
            row.clear();
            row.push("01.00001");
            row.push("Lê An");
            self.0 = self.0.saturating_sub(1);
            Ok(self.0 > 0)
        }

        fn leaves_out_blanks(&self) -> bool {
            false
        }
    }

    /// Walks over a file of so many rows, of which three are taken.
    fn walk(rows: u64) -> Result<ImportReport, ImportError> {
        let (folder, mut store) = scratch();
        let mut headings = Row::default();
        headings.push("authority");
        headings.push("deceased_name");
        let plan = FilePlan::from_headings(Some(Kind::Death), &headings).unwrap().unwrap();
        let rejects = Rejects::new(folder.path().join("rejects.csv"), &plan.headings, b',');
        let report = ImportReport::new("a.csv".into(), Kind::Death, true);
        let mut progress = |_: &Progress| ();
        let mut walk = Walk::new(&plan, [0; 32], rejects, report, &mut progress, &|| Timestamp::UNIX_EPOCH);
        assert_eq!(walk.rows_max, ROWS_MAX);
        walk.rows_max = 3;
        walk.run(&mut store, &mut Rows(rows + 1), Row::default(), false)
    }

    #[test]
    fn a_file_of_too_many_rows_is_refused_with_the_bound() {
        assert_eq!(walk(3).unwrap().rows, 3);
        let refused = walk(4).err().unwrap().to_string();
        assert!(refused.contains("more than 3 rows; split it"), "{refused}");
    }
}
