//! How fast the nation takes in and judges entries on a store, beside the bound of the same disk.
//!
//! The bound is what SQLite does with the very same canonical bytes when nobody asks what they mean: one narrow table,
//! one primary key, the same durability, the same rows in a transaction.

mod growth;
mod load;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use central_hub::bulk::{Step, Watch};
use central_hub::open::StoreUrl;
use central_hub::rebuild;
use central_hub::reconcile::Reconciler;
use clap::Parser;
use hub_store::model::Append;
use hub_store::{AnyStore, Holdings as _, Journal as _, Registry as _};
use registry_schema::holdings::HoldingsKey;
use registry_schema::ids::Origin;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

/// What the hub itself runs with.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Measures journaling and judging on a fresh store beside the bound.
#[derive(Debug, Parser)]
#[command(after_help = "Example:\n  bench-judge --entries 100000 --out target/bench/judge.json")]
struct Arguments {
    /// About how many entries to judge
    #[arg(long, default_value_t = 100_000)]
    entries: u32,
    /// Of how many provinces
    #[arg(long, default_value_t = 10)]
    provinces: u8,
    /// A fresh store on a server, as postgres://USER@HOST/DATABASE [default: an embedded one]
    #[arg(long, value_name = "URL", conflicts_with = "keep")]
    store: Option<StoreUrl>,
    /// Judges everything once more by the bulk path, on a server only
    #[arg(long, requires = "store")]
    bulk: bool,
    /// Judges by the bulk path alone
    #[arg(long, requires = "store", conflicts_with = "bulk")]
    only_bulk: bool,
    /// Judges a nation that grows in so many steps, instead, to three times its size with each
    #[arg(long, value_name = "STEPS", requires = "store", conflicts_with_all = ["bulk", "only_bulk", "rows", "keep"])]
    growth: Option<usize>,
    /// Draws how it grew here
    #[arg(long, value_name = "FILE", requires = "growth")]
    plot: Option<PathBuf>,
    /// Keeps what resync compares of every province, as with agents that have connected
    #[arg(long)]
    holdings: bool,
    /// Keeps the bare table of the bound here, for other loaders
    #[arg(long, value_name = "FILE")]
    rows: Option<PathBuf>,
    /// Where the report goes
    #[arg(long, default_value = "target/bench/judge.json")]
    out: PathBuf,
    /// Keeps the judged store here, for `central-hub evaluate`; the truth is that of `fixtures generate` with seed 1, as
    /// many people and provinces
    #[arg(long)]
    keep: Option<PathBuf>,
}

/// What was measured, in records a second unless the name says otherwise.
#[derive(Debug, Default, Serialize)]
struct Report {
    entries: usize,
    bound_insert_rps: f64,
    journaled_rps: f64,
    reconciled_rps: f64,
    reconciled_to_bound: f64,
    /// By the bulk path, from the first byte of the journal to the registry in its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    bulk_rps: Option<f64>,
    /// Seconds of each of its steps.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    bulk_seconds: BTreeMap<&'static str, f64>,
    /// Rates of each fifth of the entries.
    reconciled_fifths_rps: Vec<f64>,
    growth_ratio: f64,
    /// Rates at growing sizes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    growth: Vec<growth::Point>,
    /// Of the embedded store's file.
    #[serde(skip_serializing_if = "Option::is_none")]
    store_bytes_per_entry: Option<f64>,
}

/// Frames of one journal commit.
const COMMIT_FRAMES: usize = 8;
/// Parts of the growth curve.
const PARTS: usize = 5;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let (mut report, scratch) = (Report::default(), tempfile::tempdir()?);
    let rows = arguments.rows.clone().unwrap_or_else(|| scratch.path().join("bound.db"));
    let (mut frames, mut bound) = (Vec::new(), Duration::ZERO);
    for country in load::countries(arguments.entries, arguments.provinces) {
        let states = load::states(&country)?;
        report.entries += states.len();
        // A nation that grows is compared with itself.
        if arguments.growth.is_none() {
            bound += load::bound(&rows, &states)?;
        }
        frames.extend(load::frames(&states)?);
    }
    if !bound.is_zero() {
        report.bound_insert_rps = report.entries as f64 / bound.as_secs_f64();
    }
    // The store will want the room.
    drop(scratch);
    let folder = tempfile::tempdir()?;
    let embedded = || StoreUrl::Sqlite(arguments.keep.clone().unwrap_or_else(|| folder.path().join("national.db")));
    let url = arguments.store.clone().unwrap_or_else(embedded);
    measure(&url, frames, &arguments, &mut report).await?;
    print(&report, &arguments.out)
}

async fn measure(
    url: &StoreUrl,
    frames: Vec<Append>,
    arguments: &Arguments,
    report: &mut Report,
) -> anyhow::Result<()> {
    let store = url.open(true).await?;
    anyhow::ensure!(store.counts().await?.is_empty(), "the store is not fresh");
    if arguments.holdings {
        for origin in frames.iter().filter_map(origin).collect::<BTreeSet<_>>() {
            store.holdings_key(origin, HoldingsKey::from_bytes([7; 32])).await?;
        }
    }
    if let Some(steps) = arguments.growth {
        report.growth = growth::measure(&store, frames, steps).await?;
        let ends = report.growth.first().zip(report.growth.last());
        report.growth_ratio = ends.map_or(0.0, |(first, last)| last.bulk_rps / first.bulk_rps);
        return arguments.plot.as_deref().map_or(Ok(()), |plot| growth::draw(&report.growth, plot));
    }
    let began = Instant::now();
    for commit in frames.chunks(COMMIT_FRAMES) {
        store.append(commit.to_vec()).await?;
    }
    drop(frames);
    report.journaled_rps = rate(report.entries, began);
    if !arguments.only_bulk {
        measure_daily(&store, report).await?;
    }
    if arguments.bulk || arguments.only_bulk {
        measure_bulk(&store, report).await?;
    }
    anyhow::ensure!(store.digests().await?.watermark.backlog.0 > 0, "nothing was judged");
    if let StoreUrl::Sqlite(path) = url {
        report.store_bytes_per_entry = Some(fs::metadata(path)?.len() as f64 / report.entries as f64);
    }
    Ok(())
}

/// Whose a frame is.
fn origin(entry: &Append) -> Option<Origin> {
    match entry {
        Append::Frame(frame) => Some(frame.origin),
        _ => None,
    }
}

async fn measure_daily(store: &AnyStore, report: &mut Report) -> anyhow::Result<()> {
    let mut reconciler = Reconciler::new(store.clone()).await?;
    let began = Instant::now();
    let (mut part, mut judged) = (Instant::now(), 0);
    while let Some(step) = reconciler.step().await? {
        judged += usize::try_from(step.tally.states)?;
        if judged * PARTS >= report.entries * (report.reconciled_fifths_rps.len() + 1) {
            report.reconciled_fifths_rps.push(rate(report.entries / PARTS, part));
            part = Instant::now();
        }
    }
    report.reconciled_rps = rate(report.entries, began);
    report.reconciled_to_bound = report.reconciled_rps / report.bound_insert_rps;
    let fifths = &report.reconciled_fifths_rps;
    report.growth_ratio = fifths.last().zip(fifths.first()).map_or(0.0, |(last, first)| last / first);
    Ok(())
}

/// The whole journal by the bulk path; where the daily path judged it before, both must agree.
async fn measure_bulk(store: &AnyStore, report: &mut Report) -> anyhow::Result<()> {
    let before = store.digests().await?;
    let Bulk { states, elapsed, seconds } = bulk(store).await?;
    anyhow::ensure!(states == report.entries as u64, "not everything was judged: {states}");
    report.bulk_rps = Some(report.entries as f64 / elapsed.as_secs_f64());
    report.bulk_seconds = seconds;
    let after = store.digests().await?;
    let judged_before = before.watermark.backlog.0 > 0;
    anyhow::ensure!(!judged_before || before.digests == after.digests, "the bulk path found another nation");
    Ok(())
}

/// What it took to judge the whole journal in bulk.
struct Bulk {
    states: u64,
    elapsed: Duration,
    /// Seconds of each step.
    seconds: BTreeMap<&'static str, f64>,
}

async fn bulk(store: &AnyStore) -> anyhow::Result<Bulk> {
    let scratch = tempfile::tempdir()?;
    let began = Instant::now();
    let steps: Mutex<BTreeMap<&'static str, f64>> = Mutex::default();
    let last = Mutex::new(began);
    let progress = |step: Step, _| {
        let now = Instant::now();
        let since = std::mem::replace(&mut *last.lock().unwrap_or_else(PoisonError::into_inner), now);
        *steps.lock().unwrap_or_else(PoisonError::into_inner).entry(step.name()).or_default() +=
            (now - since).as_secs_f64();
    };
    let watch = Watch { progress: &progress, stop: CancellationToken::new() };
    let states = rebuild::apply_in_bulk(store, &Arc::default(), scratch.path(), &watch).await?;
    progress(Step::Finish, 0);
    let seconds = steps.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(Bulk { states: states.context("the store has no bulk path")?, elapsed: began.elapsed(), seconds })
}

fn rate(entries: usize, began: Instant) -> f64 {
    entries as f64 / began.elapsed().as_secs_f64()
}

fn print(report: &Report, out: &Path) -> anyhow::Result<()> {
    let json = serde_json::to_string_pretty(report)?;
    if let Some(folder) = out.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(out, &json).with_context(|| format!("{}: cannot be written", out.display()))?;
    writeln!(std::io::stdout(), "{json}")?;
    Ok(())
}
