//! Printing: JSON for programs, tables for people.

use std::io::{IsTerminal as _, Write as _, stderr, stdout};

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use crate::operator::digest::DigestReport;
use crate::operator::person::PersonReport;
use crate::operator::provinces::ProvincesReport;
use crate::operator::records::{FindingReport, RecordReport};
use crate::operator::stats::StatsReport;

/// Prints a value as JSON.
pub(super) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    line(&serde_json::to_string_pretty(value)?)
}

/// Prints a line.
pub(super) fn line(text: &str) -> anyhow::Result<()> {
    match writeln!(stdout(), "{text}") {
        // Whoever reads has read enough, as in `central-hub cases list | head`.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}

/// Prints an error with everything behind it.
pub(super) fn complain(error: &anyhow::Error) {
    let _ = writeln!(stderr(), "error: {error:#}");
}

/// Prints a notice for whoever sits in front of the terminal.
pub(super) fn notice(text: &str) {
    let _ = writeln!(stderr(), "{text}");
}

/// A line of progress that replaces itself on a terminal, and is silent elsewhere.
pub(super) fn progress(text: &str) {
    if stderr().is_terminal() {
        let _ = write!(stderr(), "\r\x1b[K{text}");
        let _ = stderr().flush();
    }
}

/// Ends a line of progress.
pub(super) fn progress_done() {
    progress("");
}

pub(super) fn table(headings: &[&str], right_from: usize) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(headings.to_vec());
    for column in table.column_iter_mut().skip(right_from) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

pub(super) fn provinces(report: &ProvincesReport) -> anyhow::Result<()> {
    let headings = [
        "province",
        "name",
        "last seen",
        "both sides",
        "received",
        "applied",
        "waiting",
        "oldest",
        "records",
        "rejected",
    ];
    let mut rows = table(&headings, 4);
    for province in &report.provinces {
        rows.add_row([
            province.province.to_string(),
            province.name.clone(),
            province.last_seen.clone().unwrap_or_else(|| "never".to_owned()),
            province.roots_agree.map_or("-", |agree| if agree { "agree" } else { "DIFFER" }).to_owned(),
            province.received.to_string(),
            province.applied.to_string(),
            province.waiting.to_string(),
            province.oldest_waiting_seconds.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds} s")),
            province.records.to_string(),
            province.rejected.to_string(),
        ]);
    }
    line(&rows.to_string())
}

pub(super) fn stats(report: &StatsReport) -> anyhow::Result<()> {
    let mut rows = table(&["", ""], 1);
    let mut add = |name: String, value: String| {
        rows.add_row([name, value]);
    };
    add("records known".to_owned(), report.records.to_string());
    add("  registered".to_owned(), report.registered.to_string());
    add("    in force".to_owned(), report.active.to_string());
    add("    withdrawn".to_owned(), report.cancelled.to_string());
    add("  rejected".to_owned(), report.rejected.to_string());
    for (kind, count) in &report.by_kind {
        add(format!("  {kind}"), count.to_string());
    }
    add("changes received".to_owned(), report.received.to_string());
    add("  applied".to_owned(), report.applied.to_string());
    add("  waiting".to_owned(), report.waiting.to_string());
    for (title, counts) in
        [("linked", &report.links), ("open case", &report.cases_open), ("answered case", &report.cases_answered)]
    {
        counts.iter().for_each(|(rule, count)| add(format!("{title}: {rule}"), count.to_string()));
    }
    add("verdicts".to_owned(), report.verdicts.to_string());
    line(&format!("{rows}\nnational digest {}", report.national_digest))
}

pub(super) fn state(finding: &FindingReport) -> String {
    match (finding.answer, finding.open, finding.certainty) {
        (Some(answer), ..) => format!("answered {}", answer.name()),
        (None, true, _) => "open".to_owned(),
        (None, false, _) => "link".to_owned(),
    }
}

pub(super) fn records(finding: &FindingReport) -> String {
    finding.records.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

pub(super) fn record(report: &RecordReport) -> anyhow::Result<()> {
    let kind = report.kind.map_or("unknown kind", registry_schema::kind::Kind::name);
    line(&format!("{}  {kind}  {}", report.record, report.standing.name()))?;
    if let Some(key) = &report.natural_key {
        line(&format!("in the books: {key}"))?;
    }
    let mut fields = table(&["field", "value"], 2);
    for field in &report.fields {
        fields.add_row([field.field.as_str(), field.value.as_str()]);
    }
    line(&fields.to_string())?;
    for violation in &report.violations {
        line(&format!("not valid: {} / {}", violation.english, violation.vietnamese))?;
    }
    for version in &report.versions {
        let at = version.sealed_at.as_deref().unwrap_or_default();
        let valid = if version.valid { "" } else { "  not valid" };
        let present = if version.present { "  present" } else { "" };
        line(&format!("version {}  {at}  {}{valid}{present}", version.version, version.content_hash))?;
    }
    for participant in &report.participants {
        line(&format!("{} is {}", participant.role, participant.person))?;
    }
    for finding in &report.findings {
        line(&format!("{}  {}  {}  {}", finding.id, finding.rule.name(), state(finding), records(finding)))?;
    }
    Ok(())
}

pub(super) fn person(report: &PersonReport) -> anyhow::Result<()> {
    line(&format!("{}  {}", report.person, report.civil_status.name()))?;
    let mut life = table(&["date", "event", "with", "records"], 4);
    for event in &report.life {
        let date = event.date.as_deref().unwrap_or("?");
        let spouse = event.spouse.map(|spouse| spouse.to_string()).unwrap_or_default();
        let records: Vec<String> = event.records.iter().map(ToString::to_string).collect();
        life.add_row([date, event.event.name(), &spouse, &records.join(" ")]);
    }
    line(&format!("{life}\n"))?;
    let mut rows = table(&["date", "entry", "as", "name", "record"], 5);
    for entry in &report.entries {
        let date = entry.date.as_deref().unwrap_or("?");
        rows.add_row([date, entry.kind.name(), &entry.role, &entry.name, &entry.record.to_string()]);
    }
    line(&rows.to_string())
}

pub(super) fn digest(report: &DigestReport) -> anyhow::Result<()> {
    line(&format!("national digest {}", report.national_digest))?;
    let mut rows = table(&["section", "rows", "sum"], 3);
    for (name, section) in &report.sections {
        rows.add_row([(*name).to_owned(), section.count.to_string(), section.sum.clone()]);
    }
    line(&rows.to_string())?;
    if report.waiting > 0 {
        notice(&format!("{} changes were received and are not judged yet", report.waiting));
    }
    Ok(())
}
