//! Reports of `evaluate` and `explain` for people.

use crate::cli::output::{line, notice, table};
use crate::evaluate::explain::Explanation;
use crate::evaluate::measure::Rates;
use crate::evaluate::outside::Reading;
use crate::evaluate::report::{Report, Scores, WorstPair};
use crate::evaluate::sample::Zone;
use crate::evaluate::truth::TruthReport;
use crate::evaluate::worst::Error;

/// Prints a report.
pub(super) fn report(report: &Report) -> anyhow::Result<()> {
    let candidates =
        report.candidates_per_record.map_or_else(String::new, |each| format!(", {each:.2} candidates each"));
    let peak = report.peak_mb.map_or_else(String::new, |peak| format!(", {peak:.0} MB"));
    line(&format!(
        "{} records, {} people in them{candidates}; {:.1} s, of which linking {:.1} s{peak}; edition {}",
        report.records, report.participants, report.seconds, report.link_seconds, report.edition
    ))?;
    if let Some(reading) = &report.reading {
        self::reading(reading)?;
    }
    truth(&report.truth)?;
    scores(report)?;
    roles(report)?;
    let missed = &report.missed;
    line(&format!(
        "\ntrue pairs of persons that were missed: {} never compared, {} scored too low, {} in review, {} kept apart",
        missed.not_compared, missed.low, missed.review, missed.kept_apart
    ))?;
    worst("linked, and two people", &report.worst.false_pairs)?;
    worst("one person, and missed", &report.worst.missed_pairs)
}

fn reading(reading: &Reading) -> anyhow::Result<()> {
    if reading.unnamed > 0 {
        notice(&format!(
            "{} of {} rows have no name and are compared by everything else",
            reading.unnamed, reading.rows
        ));
    }
    if !reading.ignored_columns.is_empty() {
        notice(&format!("columns that the mapping does not use: {}", reading.ignored_columns.join(", ")));
    }
    for (form, rows) in &reading.restored {
        line(&format!("{rows} rows were restored from {form}"))?;
    }
    if reading.changes.is_empty() {
        return Ok(());
    }
    let mut rows = table(&["field", "left out", "cleaned", "kept as another paper"], 1);
    for (field, change) in &reading.changes {
        rows.add_row([field.clone(), change.dropped.to_string(), change.cleaned.to_string(), change.moved.to_string()]);
    }
    line(&format!("\n{rows}"))
}

fn truth(truth: &TruthReport) -> anyhow::Result<()> {
    line(&format!("truth: {} lines, {} persons", truth.rows, truth.persons))?;
    let passed_over = [
        (truth.unknown_records, "lines are about records that are not in force"),
        (truth.unknown_roles, "lines name a role that the record does not have"),
        (truth.contradictions, "lines contradict a line before them"),
        (truth.without_truth, "people whom entries are about have no truth and are left out of every count"),
    ];
    for (count, what) in passed_over.into_iter().filter(|(count, _)| *count > 0) {
        notice(&format!("truth: {count} {what}"));
    }
    if let Some(first) = &truth.first_passed_over {
        notice(&format!("truth: passed over first: {first}"));
    }
    Ok(())
}

fn scores(report: &Report) -> anyhow::Result<()> {
    let mut rows = table(
        &[
            "",
            "true pairs",
            "linked",
            "right",
            "precision",
            "recall",
            "F1",
            "in review",
            "with review",
            "clusters P/R/F1",
        ],
        1,
    );
    let mut add = |name: &str, scores: &Scores| {
        let [truly, found, right, precision, recall, f1] = cells(&scores.pairs);
        let clusters = &scores.clusters;
        let clusters = [clusters.precision, clusters.recall, clusters.f1].map(rate).join(" ");
        let review = format!("{} ({} true)", scores.review_pairs, scores.review_right);
        let after = rate(scores.recall_after_review);
        rows.add_row([name.to_owned(), truly, found, right, precision, recall, f1, review, after, clusters]);
    };
    add("entries", &report.entries);
    add("persons", &report.persons);
    add("parents", &report.parents);
    line(&format!("\n{rows}"))
}

fn roles(report: &Report) -> anyhow::Result<()> {
    let mut rows = table(&["", "true pairs", "linked", "right", "precision", "recall", "F1"], 1);
    let kinds = report.entries_by_kind.iter().map(|(kind, rates)| (format!("{kind} entries"), rates));
    let roles = report.by_roles.iter().map(|(roles, rates)| (roles.clone(), rates));
    for (name, rates) in kinds.chain(roles) {
        rows.add_row([name].into_iter().chain(cells(rates)).collect::<Vec<_>>());
    }
    line(&format!("\n{rows}"))
}

fn cells(rates: &Rates) -> [String; 6] {
    let counts = [rates.truly, rates.found, rates.right].map(|count| count.to_string());
    let [truly, found, right] = counts;
    let [precision, recall, f1] = [rates.precision, rates.recall, rates.f1].map(rate);
    [truly, found, right, precision, recall, f1]
}

/// A rate as people read it; a dash where there is nothing to be right about.
fn rate(rate: Option<f64>) -> String {
    rate.map_or_else(|| "–".to_owned(), |rate| format!("{rate:.4}"))
}

fn worst(title: &str, pairs: &[WorstPair]) -> anyhow::Result<()> {
    if pairs.is_empty() {
        return Ok(());
    }
    line(&format!("\n{title}:"))?;
    pairs.iter().try_for_each(|wrong| {
        line(&format!("\n[{}]", error(wrong.error)))?;
        explanation(&wrong.pair)
    })
}

const fn error(error: Error) -> &'static str {
    match error {
        Error::False => "linked",
        Error::KeptApart => "scored high enough, and kept apart",
        Error::Review => "left to a human",
        Error::Low => "scored too low",
        Error::NotCompared => "never compared",
    }
}

/// Prints why two participants are one person or not.
pub(super) fn explanation(explanation: &Explanation) -> anyhow::Result<()> {
    let (Some(bits), Some(zone)) = (explanation.bits, explanation.zone) else {
        return line(&format!("{} and {} cannot be compared", explanation.a, explanation.b));
    };
    let sense = explanation.sense.unwrap_or_default();
    line(&format!("{} and {}, compared as {sense}", explanation.a, explanation.b))?;
    let mut rows = table(&["  bits", "sum", ""], 3);
    for column in rows.column_iter_mut().take(2) {
        column.set_cell_alignment(comfy_table::CellAlignment::Right);
    }
    for counted in &explanation.lines {
        rows.add_row([
            format!("{:+.1}", counted.bits),
            format!("{:+.1}", counted.total),
            format!("{} / {}", counted.english, counted.vietnamese),
        ]);
    }
    line(&rows.to_string())?;
    let lands = match zone {
        Zone::Automatic => "enough to link without asking",
        Zone::Review => "a human is asked",
        Zone::Candidate => "not enough to link, or to ask",
    };
    match &explanation.bar {
        Some(bar) => line(&format!("  {bits:+.1} bits, and never linked: {bar}")),
        None => line(&format!("  {bits:+.1} bits: {lands}")),
    }
}
