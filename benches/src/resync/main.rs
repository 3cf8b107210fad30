//! What it costs to find every difference between a province's store and its national copy, over the real stream,
//! beside range-based reconciliation (negentropy) of the same two sets.

mod peer;
mod world;

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context as _;
use clap::Parser;
use serde::Serialize;

use world::World;

/// Measures comparisons with some numbers of altered records.
#[derive(Debug, Parser)]
#[command(after_help = "Example:\n  bench-resync --entries 1000000 --out target/bench/resync.json")]
struct Arguments {
    /// Entries of the province
    #[arg(long, default_value_t = 1_000_000)]
    entries: u32,
    /// Comparisons for each number of altered records
    #[arg(long, default_value_t = 5)]
    runs: u32,
    /// Where the report goes
    #[arg(long, default_value = "target/bench/resync.json")]
    out: PathBuf,
}

#[derive(Debug, Serialize)]
struct Report {
    entries: u32,
    /// From the operator's word until the latest states of [`REPAIRED`] records stand in the nation again; the worst run.
    repaired_milliseconds: u64,
    altered: Vec<Row>,
}

/// One number of altered records; bytes are those of the messages, both ways.
#[derive(Debug, Serialize)]
struct Row {
    altered: u32,
    bytes_mean: u64,
    bytes_max: u64,
    round_trips_max: u64,
    agent_rows_read_max: u64,
    milliseconds_mean: u64,
    negentropy_bytes: u64,
    negentropy_round_trips: u64,
}

/// Records whose repair is timed.
const REPAIRED: u32 = 100;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let world = World::new(arguments.entries).await?;
    let mut report = Report { entries: arguments.entries, repaired_milliseconds: 0, altered: Vec::new() };
    for run in 0..arguments.runs {
        let took = u64::try_from(world.repair(REPAIRED, run).await?.as_millis())?;
        report.repaired_milliseconds = report.repaired_milliseconds.max(took);
    }
    for altered in [0, 10, 100, 1_000, 10_000].into_iter().filter(|altered| *altered <= arguments.entries / 2) {
        let (mut found, mut milliseconds) = (Vec::new(), 0);
        for run in 0..arguments.runs {
            world.alter(altered, run).await?;
            let began = Instant::now();
            found.push(world.compare(altered).await?);
            milliseconds += u64::try_from(began.elapsed().as_millis())?;
            world.undo(altered, run).await?;
        }
        let most = |of: fn(&hub_store::holdings::ResyncReport) -> u64| found.iter().map(of).max().unwrap_or_default();
        let peer = peer::reconcile(arguments.entries, altered)?;
        report.altered.push(Row {
            altered,
            bytes_mean: found.iter().map(|found| found.bytes).sum::<u64>() / u64::from(arguments.runs),
            bytes_max: most(|found| found.bytes),
            round_trips_max: most(|found| found.round_trips),
            agent_rows_read_max: most(|found| found.rows_read),
            milliseconds_mean: milliseconds / u64::from(arguments.runs),
            negentropy_bytes: peer.bytes,
            negentropy_round_trips: peer.round_trips,
        });
    }
    let json = serde_json::to_string_pretty(&report)?;
    if let Some(folder) = arguments.out.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(&arguments.out, &json).with_context(|| format!("{}: cannot be written", arguments.out.display()))?;
    Ok(writeln!(std::io::stdout(), "{json}")?)
}
