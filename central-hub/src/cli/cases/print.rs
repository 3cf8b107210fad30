//! Cases for people.

use hub_rules::Node;

use crate::cli::output::{line, notice, records, state, table};
use crate::operator::cases::{
    BulkReport, CaseReport, Comparison, Effects, FindingChange, FindingsReport, Mark, OptionReport, PeopleChange, Span,
    Stand, Sums,
};

/// Changes of one sort that are told one by one: what fits a screen; JSON has them all.
const CHANGES_SHOWN_MAX: usize = 5;
/// Participants of a person that are named.
const PARTICIPANTS_SHOWN_MAX: usize = 6;

pub(super) fn list(report: &FindingsReport) -> anyhow::Result<()> {
    if report.findings.is_empty() {
        notice("nothing matches");
        return Ok(());
    }
    let mut rows = table(&["id", "rule", "severity", "state", "changed", "records"], 6);
    for listed in &report.findings {
        let finding = &listed.finding;
        rows.add_row([
            finding.id.to_string(),
            finding.rule.name().to_owned(),
            listed.severity.name().to_owned(),
            state(finding),
            listed.changed_at.clone().unwrap_or_default(),
            records(finding),
        ]);
    }
    line(&rows.to_string())?;
    if let Some(next) = report.next {
        notice(&format!("more: --after {next}"));
    }
    Ok(())
}

pub(super) fn case(report: &CaseReport) -> anyhow::Result<()> {
    let finding = &report.finding;
    let severity = report.severity.name();
    line(&format!("{}  {}  {severity}  {}", finding.id, finding.rule.name(), state(finding)))?;
    line(&format!("{}\n{}\n{}", report.english, report.vietnamese, report.basis))?;
    for reason in &finding.evidence {
        line(&format!("  - {} / {}", reason.english, reason.vietnamese))?;
    }
    let opened = report.opened_at.as_ref().map(|at| format!("first told {at}, ")).unwrap_or_default();
    line(&format!("{opened}last changed {}\n", report.changed_at.as_deref().unwrap_or("?")))?;
    entries(report)?;
    line("\nwhat the provinces read:")?;
    for told in &report.told {
        line(&format!("  {}  {}  {} / {}", told.record, told.outcome, told.english, told.vietnamese))?;
    }
    if !report.answers.is_empty() {
        line("\nanswers:")?;
    }
    for answer in &report.answers {
        let record = answer.record.map(|record| format!(" {record}")).unwrap_or_default();
        let at = answer.at.as_deref().unwrap_or_default();
        let waits = if answer.judged { "" } else { "  (waits for the hub)" };
        let (word, operator, reason) = (answer.answer.name(), &answer.operator, &answer.reason);
        line(&format!("  {at}  {word}{record}  by {operator}: {reason}{waits}"))?;
    }
    if !report.options.is_empty() {
        line("\nwhat each answer would do:")?;
    }
    report.options.iter().try_for_each(|option| line(&format!("  {}", told(report, option))))
}

/// The entries side by side.
fn entries(report: &CaseReport) -> anyhow::Result<()> {
    let headings: Vec<String> = report
        .entries
        .iter()
        .map(|entry| {
            let kind = entry.kind.map_or("unknown", registry_schema::kind::Kind::name);
            let standing = entry.standing.map_or("not known", hub_rules::reading::Standing::name);
            format!("{}\n{kind}, {standing}", entry.record)
        })
        .collect();
    let headings: Vec<&str> = ["", "field"].into_iter().chain(headings.iter().map(String::as_str)).collect();
    let mut rows = table(&headings, headings.len());
    for field in &report.fields {
        let mark = match field.mark {
            Mark::Equal => "",
            Mark::Same => "~",
            Mark::Differs => "≠",
            Mark::OneSided => "-",
        };
        rows.add_row([mark.to_owned(), field.field.clone()].into_iter().chain(values(field)).collect::<Vec<_>>());
    }
    line(&rows.to_string())
}

fn values(field: &Comparison) -> Vec<String> {
    if field.diff.is_empty() {
        return field.values.iter().map(|value| value.clone().unwrap_or_default()).collect();
    }
    let piece = |span: &Span| if span.differs { format!("[{}]", span.text) } else { span.text.clone() };
    field.diff.iter().map(|spans| spans.iter().map(piece).collect()).collect()
}

fn told(report: &CaseReport, option: &OptionReport) -> String {
    let record = option.record.map(|record| format!(" {record}")).unwrap_or_default();
    let effects = &option.effects;
    let mut said = if option.nothing { vec!["nothing changes".to_owned()] } else { changes(report, effects) };
    if !option.nothing && effects.people.is_empty() {
        said.insert(0, "no person changes".to_owned());
    }
    let words = effects.notices.iter().map(|(province, words)| format!("{province} ({words})"));
    let words = words.collect::<Vec<_>>().join(", ");
    if !words.is_empty() {
        said.push(format!("{} to {words}", if option.nothing { "the same words" } else { "words" }));
    }
    format!("{}{record}: {}", option.answer.name(), said.join("; "))
}

fn changes(report: &CaseReport, effects: &Effects) -> Vec<String> {
    let mut said: Vec<String> = effects.people.iter().take(CHANGES_SHOWN_MAX).map(people).collect();
    said.extend(more(effects.people.len(), "changes of persons"));
    let finding = |change: &FindingChange| {
        let stand = |side: &Option<Stand>| match side {
            Some(Stand { state, record: Some(record) }) => format!("{state} {record}"),
            Some(Stand { state, record: None }) => state.clone(),
            None => "nothing".to_owned(),
        };
        let which = if change.id == report.finding.id { "this case".to_owned() } else { other(change) };
        format!("{which}: {} -> {}", stand(&change.before), stand(&change.after))
    };
    said.extend(effects.findings.iter().take(CHANGES_SHOWN_MAX).map(finding));
    said.extend(more(effects.findings.len(), "links and cases"));
    said
}

fn other(change: &FindingChange) -> String {
    let records: Vec<String> = change.records.iter().map(ToString::to_string).collect();
    format!("{} {}", change.rule.name(), records.join(" "))
}

fn more(count: usize, what: &str) -> Option<String> {
    (count > CHANGES_SHOWN_MAX).then(|| format!("and {} more {what}", count - CHANGES_SHOWN_MAX))
}

fn people(change: &PeopleChange) -> String {
    let (before, after) = (change.before.len(), change.after.len());
    let noun = if before == 1 { "person becomes" } else { "people become" };
    format!("{before} {noun} {after} ({} -> {})", groups(&change.before), groups(&change.after))
}

fn groups(groups: &[Vec<Node>]) -> String {
    let one = |group: &Vec<Node>| {
        let mut names: Vec<String> = group.iter().take(PARTICIPANTS_SHOWN_MAX).map(ToString::to_string).collect();
        if group.len() > names.len() {
            names.push(format!("{} more", group.len() - names.len()));
        }
        names.join(" + ")
    };
    groups.iter().take(CHANGES_SHOWN_MAX).map(one).collect::<Vec<_>>().join(" | ")
}

pub(super) fn bulk(report: &BulkReport, command: Option<&str>) -> anyhow::Result<()> {
    let mut rows = table(&["rule", "provinces", "cases"], 2);
    for group in &report.groups {
        let rule = group.rule.map_or("holds no more", hub_rules::finding::Rule::name);
        let provinces: Vec<String> = group.provinces.iter().map(ToString::to_string).collect();
        rows.add_row([rule.to_owned(), provinces.join(" "), group.cases.to_string()]);
    }
    if !report.groups.is_empty() {
        line(&rows.to_string())?;
    }
    for (why, cases) in &report.passed_over {
        line(&format!("passed over {cases}: {why}"))?;
    }
    report.effects.iter().try_for_each(sums)?;
    let (cases, answer) = (report.cases, report.answer.name());
    match (report.given, command) {
        (false, Some(command)) => {
            line(&format!("{cases} cases would be answered {answer}; nothing was changed. To do it:\n  {command}"))
        }
        (false, None) => line("no case would be answered; nothing was changed"),
        (true, _) if report.answer.closes() && cases > 0 => {
            let batch = report.batch;
            let undo = format!("`central-hub cases undo --batch {batch}` takes it back");
            line(&format!("{cases} cases are answered {answer}, batch {batch}; the hub applies it, and {undo}"))
        }
        (true, _) => line(&format!("{cases} cases are answered {answer}; the hub applies it")),
    }
}

fn sums(sums: &Sums) -> anyhow::Result<()> {
    line(&format!("people joined {}, people parted {}", sums.people_joined, sums.people_parted))?;
    for (what, count) in &sums.findings {
        line(&format!("{count} x {what}"))?;
    }
    for (province, words) in &sums.notices {
        line(&format!("{words} words to {province}"))?;
    }
    Ok(())
}
