//! `sync-agent import`: takes a file of old entries into the store.

use std::io::{IsTerminal as _, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use registry_schema::kind::Kind;

use super::error::CliError;
use super::print::{grouped, json};
use super::{Output, StoreChoice};
use crate::backlog::{self, ImportReport, ImportRequest, Progress};
use crate::store::Store;

pub(super) const EXAMPLES: &str = "\
Examples:
  sync-agent import births-2009.xlsx --dry-run
  sync-agent import births-2009.xlsx
  sync-agent import old.csv --kind death --mapping old.toml --rejects old-rejects.csv
  sync-agent import large.csv --split 1/3

An import that was cut short goes on where it stopped when the same command runs again. Rows that cannot be taken go
into the reject file with their reasons; mend them there and import that file. The daemon may run meanwhile.";

/// How often progress is shown.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// The workbook (XLSX) or CSV file
    file: PathBuf,
    #[command(flatten)]
    store: StoreChoice,
    /// The kind of the entries (birth, marriage, death, or KS, KH, KT), when the headings do not tell
    #[arg(long, value_parser = parse_kind)]
    kind: Option<Kind>,
    /// A mapping file for columns that are neither the Ministry's nor named like fields
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// The reject file [default: FILE.rejects.csv beside the file]
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// The registering office of rows that name none: PP.CCCCC or its name
    #[arg(long, value_name = "OFFICE")]
    authority: Option<String>,
    /// Judge every row and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Import one part of the file: 1/3 is the first of three parts
    #[arg(long, value_name = "K/N", value_parser = parse_split)]
    split: Option<(u32, u32)>,
    /// How the result is printed
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
}

fn parse_kind(text: &str) -> Result<Kind, String> {
    Kind::parse(text).ok_or_else(|| "give birth, marriage or death".to_owned())
}

fn parse_split(text: &str) -> Result<(u32, u32), String> {
    let parts = text.split_once('/').and_then(|(part, of)| Some((part.parse().ok()?, of.parse().ok()?)));
    parts.filter(|(part, of)| (1..=*of).contains(part)).ok_or_else(|| "give K/N with K from 1 to N".to_owned())
}

pub(super) fn run(args: ImportArgs) -> Result<(), CliError> {
    let mut store = Store::open(&args.store.path()?)?;
    let request = ImportRequest {
        path: args.file,
        kind: args.kind,
        mapping: args.mapping,
        rejects: args.rejects,
        authority: args.authority,
        dry_run: args.dry_run,
        split: args.split,
        now: &jiff::Timestamp::now,
    };
    let mut meter = Meter::new();
    let result = backlog::import(&mut store, &request, &mut |progress| meter.show(progress));
    meter.clear();
    let report = result?;
    match args.output {
        Output::Json => json(&report),
        Output::Table => Ok(table(&mut std::io::stdout().lock(), &report)?),
    }
}

/// A line of progress on a terminal; nothing elsewhere.
struct Meter {
    is_shown: bool,
    shown: Instant,
    begun: Instant,
}

impl Meter {
    fn new() -> Self {
        let now = Instant::now();
        Self { is_shown: std::io::stderr().is_terminal(), shown: now, begun: now }
    }

    fn show(&mut self, progress: &Progress) {
        if !self.is_shown || self.shown.elapsed() < PROGRESS_INTERVAL {
            return;
        }
        self.shown = Instant::now();
        let [rows, rejected] = [progress.rows, progress.rejected].map(grouped);
        let seconds = self.begun.elapsed().as_secs();
        // Progress that cannot be shown is no reason to stop.
        let _ = write!(std::io::stderr(), "\r{rows} rows settled, {rejected} rejected, {seconds} s ");
    }

    fn clear(&self) {
        if self.is_shown {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

fn table(out: &mut impl Write, report: &ImportReport) -> std::io::Result<()> {
    let run = if report.dry_run { "dry run: nothing was written" } else { "imported" };
    writeln!(out, "{}  {} entries, {run}", report.file.display(), report.kind)?;
    for (what, count) in [
        ("rows", report.rows),
        ("new entries", report.imported),
        ("in the store already", report.absorbed),
        ("rejected", report.rejected),
        ("of other parts", report.other_parts),
        ("settled by earlier runs", report.resumed_at),
    ] {
        if count > 0 || what == "rows" {
            writeln!(out, "  {what:24}{:>14}", grouped(count))?;
        }
    }
    for sample in &report.samples {
        writeln!(out, "  line {}: {}", sample.line, sample.english)?;
        writeln!(out, "      {}", sample.vietnamese)?;
    }
    if !report.ignored_columns.is_empty() {
        writeln!(out, "  columns not read: {}", report.ignored_columns.join(", "))?;
    }
    if let Some(path) = &report.reject_file {
        writeln!(out, "  rejected rows are in {}: mend them there and import that file", path.display())?;
    }
    report.warnings.iter().try_for_each(|warning| writeln!(out, "  note: {warning}"))
}
