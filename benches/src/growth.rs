//! How the rates change while a nation grows: to three times its size again and again, each time judged in bulk, and after
//! each a sample of further entries judged one batch after the other.
//!
//! Provinces join one after the other. If all grew together, the rates would show how the lives of their people fill up:
//! the more entries of one person there are, the more of them a further one reaches. For the same reason each sample is
//! from the middle of the books of a province of its own, whose first half is judged before.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;
use central_hub::drawing::{Panel, legend, sheet};
use central_hub::reconcile::Reconciler;
use hub_store::model::Append;
use hub_store::{AnyStore, Journal as _};
use registry_schema::ids::Origin;
use serde::Serialize;

use crate::{COMMIT_FRAMES, bulk, origin, rate};

/// States of each sample: some seconds of work.
const SAMPLE_STATES: u64 = 20_000;
/// How many times as large a nation is as the one before.
const GROWTH: usize = 3;
/// Width and height of the drawing, in pixels.
const SIZE: (f64, f64) = (640.0, 420.0);
const BULK: &str = "#1f5fbf";
const DAILY: &str = "#c4520a";

/// What was measured at one size.
#[derive(Debug, Serialize)]
pub(crate) struct Point {
    /// Entries in the nation.
    pub(crate) entries: u64,
    /// Entries a second, all of them in bulk.
    pub(crate) bulk_rps: f64,
    /// Entries a second of the sample.
    pub(crate) daily_rps: f64,
    /// Seconds of each step of bulk.
    pub(crate) bulk_seconds: BTreeMap<&'static str, f64>,
}

/// Grows a fresh store to all frames in so many steps.
pub(crate) async fn measure(store: &AnyStore, frames: Vec<Append>, steps: usize) -> anyhow::Result<Vec<Point>> {
    let mut provinces: BTreeMap<Option<Origin>, Vec<Append>> = BTreeMap::new();
    frames.into_iter().for_each(|frame| provinces.entry(origin(&frame)).or_default().push(frame));
    let mut provinces: Vec<Vec<Append>> = provinces.into_values().collect();
    anyhow::ensure!(provinces.len() > steps, "{steps} steps want more than {steps} provinces");
    let newcomers = provinces.split_off(provinces.len() - steps);
    let mut others: Vec<Append> = provinces.into_iter().flatten().collect();
    let (mut points, mut entries, mut joined) = (Vec::new(), 0, 0);
    for (end, mut newcomer) in ends(others.len(), steps).into_iter().zip(newcomers) {
        let second_half = newcomer.split_off(newcomer.len() / 2);
        entries += append(store, others.drain(..end - joined)).await? + append(store, newcomer).await?;
        joined = end;
        let in_bulk = bulk(store).await?;
        anyhow::ensure!(in_bulk.states == entries, "{} states were judged of {entries}", in_bulk.states);
        let sampled = append(store, sample(second_half)).await?;
        let mut reconciler = Reconciler::new(store.clone()).await?;
        let began = Instant::now();
        while reconciler.step().await?.is_some() {}
        let daily_rps = rate(usize::try_from(sampled)?, began);
        let bulk_rps = in_bulk.states as f64 / in_bulk.elapsed.as_secs_f64();
        points.push(Point { entries, bulk_rps, daily_rps, bulk_seconds: in_bulk.seconds });
        tell(points.last().context("a point was measured")?)?;
        entries += sampled;
    }
    Ok(points)
}

/// How much of a whole there is after each step.
fn ends(whole: usize, steps: usize) -> Vec<usize> {
    let mut ends: Vec<usize> = std::iter::successors(Some(whole), |end| Some(end / GROWTH)).take(steps).collect();
    ends.reverse();
    ends
}

/// Draws both rates over the size.
pub(crate) fn draw(points: &[Point], path: &Path) -> anyhow::Result<()> {
    let most = |of: fn(&Point) -> f64| points.iter().map(of).fold(f64::MIN_POSITIVE, f64::max);
    let (entries, rate) =
        (|point: &Point| point.entries as f64 / 1e6, |point: &Point| point.bulk_rps.max(point.daily_rps));
    let panel = Panel {
        left: 84.0,
        top: 64.0,
        width: 520.0,
        height: 290.0,
        x: (0.0, most(entries)),
        y: (0.0, most(rate) * 1.1),
    };
    let text = sheet("Entries judged in a second, by the size of the nation", SIZE, |out| {
        panel.axes(out, "million entries", "entries a second");
        for (colour, of) in [(BULK, (|point| point.bulk_rps) as fn(&Point) -> f64), (DAILY, |point| point.daily_rps)] {
            panel.line(out, points.iter().map(|point| (entries(point), of(point))), colour);
            points.iter().for_each(|point| panel.dot(out, (entries(point), of(point)), colour));
        }
        legend(out, panel.left + 8.0, 50.0, &[("in bulk", BULK), ("in batches", DAILY)]);
    });
    std::fs::write(path, text).with_context(|| format!("{}: cannot be written", path.display()))
}

/// The frames of a sample.
fn sample(mut frames: Vec<Append>) -> Vec<Append> {
    let mut held = 0;
    let is_enough = |frame: &Append| {
        let before = held;
        held += states(frame);
        before >= SAMPLE_STATES
    };
    let enough = frames.iter().position(is_enough).unwrap_or(frames.len());
    frames.truncate(enough);
    frames
}

fn states(entry: &Append) -> u64 {
    match entry {
        Append::Frame(frame) => frame.last_seq.0 - frame.first_seq.0 + 1,
        _ => 0,
    }
}

/// Journals frames, whose memory the store will want.
async fn append(store: &AnyStore, frames: impl IntoIterator<Item = Append>) -> anyhow::Result<u64> {
    let (mut frames, mut appended) = (frames.into_iter(), 0);
    loop {
        let commit: Vec<Append> = frames.by_ref().take(COMMIT_FRAMES).collect();
        if commit.is_empty() {
            return Ok(appended);
        }
        appended += commit.iter().map(states).sum::<u64>();
        store.append(commit).await?;
    }
}

/// A size takes minutes.
fn tell(point: &Point) -> anyhow::Result<()> {
    let Point { entries, bulk_rps, daily_rps, .. } = point;
    writeln!(std::io::stderr(), "{entries} entries: {bulk_rps:.0}/s in bulk, {daily_rps:.0}/s in batches")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::ends;

    #[test]
    fn a_nation_is_three_times_as_large_after_each_step_and_whole_after_the_last() {
        assert_eq!(ends(9_001, 3), [1_000, 3_000, 9_001]);
        assert_eq!(ends(7, 1), [7]);
    }
}
