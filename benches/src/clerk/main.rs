//! A clerk who registers a birth every now and then while a backlog streams, and watches until the nation has it.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::Parser;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::Serialize;

/// Measures how long a clerk's entry takes from its commit to the words `applied`.
#[derive(Debug, Parser)]
struct Arguments {
    /// The provincial store
    #[arg(long)]
    store: PathBuf,
    /// The office under which births are registered, as PP.CCCCC
    #[arg(long)]
    office: String,
    /// Stops when this file is there
    #[arg(long)]
    until: PathBuf,
    /// Milliseconds between two births
    #[arg(long, default_value_t = 100)]
    every_ms: u64,
}

/// Time from a clerk's commit to the registry, in milliseconds.
#[derive(Debug, Serialize)]
struct Report {
    live_entries: usize,
    live_p50_ms: f64,
    live_p99_ms: f64,
    live_max_ms: f64,
    /// The worst of each second since the first entry, in milliseconds: what the nation does then shows here.
    live_worst_of_seconds_ms: Vec<u64>,
}

/// How often the store is looked at: a clerk's screen does so a hundred times less.
const LOOK: Duration = Duration::from_millis(1);
/// How long an entry may take before the measurement is given up.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a statement waits for the agent's transaction.
const BUSY: Duration = Duration::from_secs(30);

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let store = Connection::open(&arguments.store)?;
    store.busy_timeout(BUSY)?;
    store.execute_batch("PRAGMA synchronous = FULL")?;
    let (mut taken, mut worst_of_seconds, begin) = (Vec::new(), Vec::new(), Instant::now());
    while !arguments.until.exists() {
        let second = usize::try_from(begin.elapsed().as_secs())?;
        let took = register(&store, &arguments.office, taken.len())?;
        taken.push(took);
        worst_of_seconds.resize(worst_of_seconds.len().max(second + 1), 0);
        worst_of_seconds[second] = worst_of_seconds[second].max(u64::try_from(took.as_millis())?);
        std::thread::sleep(Duration::from_millis(arguments.every_ms));
    }
    taken.sort_unstable();
    let report = Report {
        live_entries: taken.len(),
        live_p50_ms: at(&taken, 50),
        live_p99_ms: at(&taken, 99),
        live_max_ms: at(&taken, 100),
        live_worst_of_seconds_ms: worst_of_seconds,
    };
    writeln!(std::io::stdout(), "{}", serde_json::to_string_pretty(&report)?)?;
    Ok(())
}

/// Registers a birth and waits until the nation has it; how long that took from the commit.
fn register(store: &Connection, office: &str, number: usize) -> anyhow::Result<Duration> {
    let record: i64 = store.query_row(
        "INSERT INTO births (number, book, registration_date, registration_type, authority, child_name, child_sex,
           child_birth_date, mother_name)
         VALUES (?1, '1/2026', '02.01.2026', '1', ?2, 'Nguyễn Văn ' || ?3, '1', ?4, 'Lê Thị ' || ?3) RETURNING record_id",
        params![(number + 1).to_string(), office, name(number), format!("{:02}.{:02}.2025", number % 28 + 1, number / 28 % 12 + 1)],
        |row| row.get(0),
    )?;
    let committed = Instant::now();
    while !is_applied(store, record)? {
        ensure!(committed.elapsed() < PATIENCE, "a birth was not applied within {PATIENCE:?}");
        std::thread::sleep(LOOK);
    }
    Ok(committed.elapsed())
}

/// A name of its own for each child: a syllable for each digit.
fn name(number: usize) -> String {
    const DIGITS: [&str; 10] = ["An", "Bình", "Cường", "Dũng", "Giang", "Hải", "Khánh", "Lâm", "Minh", "Nam"];
    let digits = number.to_string();
    let syllables: Vec<&str> = digits.bytes().map(|digit| DIGITS[usize::from(digit - b'0')]).collect();
    syllables.join(" ")
}

fn is_applied(store: &Connection, record: i64) -> anyhow::Result<bool> {
    let mut look = store.prepare_cached("SELECT state FROM entry_states WHERE record_id = ?1")?;
    let state: Option<String> = look.query_row([record], |row| row.get(0)).optional()?;
    let state = state.context("the entry is gone")?;
    ensure!(state != "rejected", "the nation refused a birth");
    Ok(!["waiting", "sealed", "received"].contains(&state.as_str()))
}

/// A percentile of sorted times, in milliseconds.
fn at(sorted: &[Duration], percent: usize) -> f64 {
    let place = (sorted.len() * percent).div_ceil(100).clamp(1, sorted.len().max(1)) - 1;
    sorted.get(place).map_or(0.0, |time| time.as_secs_f64() * 1_000.0)
}
