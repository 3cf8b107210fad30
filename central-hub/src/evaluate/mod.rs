//! The judge of the judge: how well a set is linked whose truth is known.
//!
//! Records come from the [`registry`] or from [`outside`], the [`truth`] says who is who, and what was found is
//! measured ([`measure`], [`curve`], [`worst`]) and told ([`report`], [`chart`], [`clusters`]). [`explain`] says of two
//! participants why.

pub mod names;
pub mod sample;
pub mod registry;
mod rows;
mod spelling;
pub mod lenient;
pub mod outside;
pub mod truth;
pub mod link;
pub mod measure;
pub mod curve;
pub mod worst;
pub mod explain;
pub mod report;
pub mod chart;
pub mod clusters;

use std::time::Instant;

use hub_rules::bulk::Linker;

use curve::Curve;
use explain::Explanation;
use names::Names;
use report::{Measured, Report, Worst, WorstPair};
use sample::{Links, Sample};
use truth::TruthReport;
use worst::Wrong;

/// A set with its truth, whose records a linker has.
pub struct Subject {
    /// Its participants.
    pub sample: Sample,
    /// What its records are called.
    pub names: Names,
    /// How the truth fits.
    pub truth: TruthReport,
    /// How it was read, when it comes from elsewhere.
    pub reading: Option<outside::Reading>,
    /// Its records.
    pub records: u64,
}

/// What an evaluation gives: the report, the curve to be drawn, and who was found to be whom.
pub struct Evaluation {
    /// The report.
    pub report: Report,
    /// The curve.
    pub curve: Curve,
    /// What was found.
    pub links: Links,
}

/// Links a set and measures what was found; shows the worst errors of both kinds, at most `worst` each.
pub fn evaluate(
    subject: &Subject,
    linker: &Linker,
    worst: usize,
    began: Instant,
    progress: impl FnMut(usize, usize),
) -> Evaluation {
    let linking = Instant::now();
    let links = Links::of(&subject.sample, &linker.link(progress));
    let link_seconds = linking.elapsed().as_secs_f64();
    let measured = Measured::of(&subject.sample, &links);
    let worst = Worst {
        false_pairs: told(subject, linker, worst::false_pairs(&subject.sample, &links, worst)),
        missed_pairs: told(subject, linker, worst::missed_pairs(&subject.sample, &links, worst)),
    };
    let (measure, headline) = measured.headline();
    let report = Report {
        measure,
        precision: headline.pairs.precision,
        recall: headline.pairs.recall,
        f1: headline.pairs.f1,
        cluster_precision: headline.clusters.precision,
        cluster_recall: headline.clusters.recall,
        cluster_f1: headline.clusters.f1,
        review_pairs: headline.review_pairs,
        candidates_per_record: measure::ratio(links.candidates, subject.records),
        seconds: began.elapsed().as_secs_f64(),
        link_seconds,
        peak_mb: peak_mb(),
        records: subject.records,
        participants: subject.sample.nodes().len() as u64,
        edition: linker.edition().name().to_owned(),
        curve: measured.curve.at_whole_bits(),
        entries: measured.entries,
        entries_by_kind: measured.entries_by_kind,
        persons: measured.persons,
        by_roles: measured.by_roles,
        parents: measured.parents,
        missed: measured.missed,
        worst,
        truth: subject.truth.clone(),
        reading: subject.reading.clone(),
    };
    Evaluation { report, curve: measured.curve, links }
}

fn told(subject: &Subject, linker: &Linker, wrong: Vec<Wrong>) -> Vec<WorstPair> {
    let node = |place: u32| subject.sample.nodes()[place as usize];
    let told = wrong.into_iter().map(|wrong| {
        let mut pair = Explanation::of(linker, &subject.names, node(wrong.a), node(wrong.b));
        // What came of the pair in its set says more than where its sum alone would land.
        pair.zone = wrong.score.map(|(_, zone)| zone).or(pair.zone);
        WorstPair { error: wrong.error, pair }
    });
    told.collect()
}

/// The most memory that this process took, in MB; Linux alone tells.
fn peak_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024.0 / 1e6)
}
