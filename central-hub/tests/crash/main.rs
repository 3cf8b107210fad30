//! Programs are killed at random and at every failpoint while clerks write: nothing acknowledged is lost, nothing is doubled,
//! and the nation is what a hub makes of the same provinces that nobody ever killed.

mod books;
mod clerks;
#[path = "../../store/tests/cluster/mod.rs"]
mod cluster;
#[allow(dead_code, reason = "each test of real programs uses a part of it")]
#[path = "../nation/mod.rs"]
mod nation;
mod points;
mod run;

use std::collections::{BTreeMap, BTreeSet};

use rand::seq::SliceRandom as _;
use serde_json::json;

use points::POINTS;
use run::{Report, Run};

/// Kills of an ordinary run: each failpoint once, and a random one after every three. `make crash` makes more of them.
const KILLS: usize = 35;
/// Kills of one nation: a longer story goes on in another one, so that each is looked at whole after every so many.
const KILLS_PER_NATION_MAX: usize = 100;
/// Kills of a nation on a server, beside the others where `HOTICH_POSTGRES` names one: each failpoint of the hub once.
const KILLS_ON_SERVER: usize = 20;
/// Nations that live at the same time.
const NATIONS_AT_ONCE: usize = 2;
/// Every so many kills one comes at a random moment.
const RANDOM_EVERY: usize = 4;
/// States that are written for each kill at least, so that there is something to lose.
const STATES_PER_KILL_MIN: usize = 5;

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn every_failpoint_is_in_the_table() {
    let table: BTreeSet<String> = POINTS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(table, points::in_sources());
}

#[test]
fn whoever_is_killed_nothing_is_lost_and_nothing_is_doubled() {
    let (kills, seed) = (number("HOTICH_KILLS", KILLS), number("HOTICH_SEED", 1) as u64);
    let share = |done: usize| ((kills - done).min(KILLS_PER_NATION_MAX), false);
    let mut shares: Vec<(usize, bool)> = (0..kills).step_by(KILLS_PER_NATION_MAX).map(share).collect();
    let has_server = std::env::var("HOTICH_POSTGRES").is_ok();
    let on_server = if has_server { (kills / KILLS_PER_NATION_MAX).max(1) } else { 0 };
    shares.extend(std::iter::repeat_n((KILLS_ON_SERVER, true), on_server));
    let mut reports = Vec::new();
    for (round, shares) in shares.chunks(NATIONS_AT_ONCE).enumerate() {
        let first = seed + (round * NATIONS_AT_ONCE) as u64;
        reports.extend(std::thread::scope(|scope| {
            let nations: Vec<_> =
                (first..).zip(shares).map(|(seed, share)| scope.spawn(move || live(seed, *share))).collect();
            nations.into_iter().map(|nation| nation.join().ok()).collect::<Vec<_>>()
        }));
    }
    let passed: Vec<&Report> = reports.iter().flatten().collect();
    let hits = write(&passed, reports.len() - passed.len());
    assert_eq!(passed.len(), reports.len(), "what the others say stands above");
    let missed: Vec<_> = POINTS.iter().filter(|(name, _)| !hits.contains_key(name)).collect();
    assert!(kills < KILLS || missed.is_empty(), "no kill hit {missed:?}");
}

/// One nation, in which so many programs are killed.
fn live(seed: u64, (kills, on_server): (usize, bool)) -> Report {
    let mut run = Run::begin(seed, on_server);
    let mut waiting = Vec::new();
    for kill in 1..=kills {
        if waiting.is_empty() {
            waiting = if on_server { points::on_server() } else { POINTS.to_vec() };
            waiting.shuffle(&mut run.chance);
        }
        match kill % RANDOM_EVERY {
            0 => run.kill_at_random(),
            _ => run.kill_at(waiting.pop().expect("it was filled")),
        }
    }
    let report = run.end();
    assert!(report.states >= kills * STATES_PER_KILL_MIN, "{report:?}");
    let missed: Vec<_> = points::on_server().into_iter().filter(|(name, _)| !report.hits.contains_key(name)).collect();
    assert!(!on_server || missed.is_empty(), "on a server no kill hit {missed:?}");
    report
}

/// Keeps the report beside other reports of this machine; how often each failpoint ended a program.
fn write(passed: &[&Report], failed: usize) -> BTreeMap<&'static str, usize> {
    let mut hits = BTreeMap::new();
    passed.iter().flat_map(|report| &report.hits).for_each(|(name, times)| *hits.entry(*name).or_default() += times);
    let sum = |of: fn(&Report) -> usize| passed.iter().map(|report| of(report)).sum::<usize>();
    let report = json!({
        "nations": { "passed": passed.len(), "failed": failed },
        "on_server": passed.iter().filter(|report| report.on_server).count(),
        "kills": sum(|report| report.kills), "states": sum(|report| report.states),
        "failpoints": { "all": POINTS.len(), "hit": hits.len() }, "hits": hits, "each": passed,
    });
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let folder = root.join("target/crash");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("report.json"), format!("{report:#}\n")).expect("a report");
    hits
}
