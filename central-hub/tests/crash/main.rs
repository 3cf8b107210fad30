//! Programs are killed at random and at every failpoint while clerks write: nothing acknowledged is lost, nothing is doubled,
//! and the nation is what a hub makes of the same provinces that nobody ever killed.

mod clerks;
#[allow(dead_code, reason = "each test of real programs uses a part of it")]
#[path = "../nation/mod.rs"]
mod nation;
mod points;
mod run;

use std::collections::BTreeSet;

use rand::seq::SliceRandom as _;

use points::POINTS;
use run::Run;

/// Kills of an ordinary run: each failpoint once, and a random one after every three. `make crash` makes more of them.
const KILLS: usize = 35;
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
    let (kills, seed) = (number("HOTICH_KILLS", KILLS), number("HOTICH_SEED", 1));
    let mut run = Run::begin(seed as u64);
    let mut waiting = Vec::new();
    for kill in 1..=kills {
        if waiting.is_empty() {
            waiting = POINTS.to_vec();
            waiting.shuffle(&mut run.chance);
        }
        match kill % RANDOM_EVERY {
            0 => run.kill_at_random(),
            _ => run.kill_at(waiting.pop().expect("it was filled")),
        }
    }
    let report = run.end();
    assert!(report.states >= kills * STATES_PER_KILL_MIN, "{report:?}");
    let missed: Vec<_> = POINTS.iter().filter(|(name, _)| !report.hits.contains_key(*name)).collect();
    assert!(kills < KILLS || missed.is_empty(), "no kill hit {missed:?}");
}
