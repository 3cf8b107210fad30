//! Commands about what the registry is judged under, and about how much of it is there.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use hub_rules::policy::Policy;
use hub_store::AnyStore;
use tokio_util::sync::CancellationToken;

use super::arguments::{CompletenessArguments, Output};
use super::{commands, output};
use crate::bulk::{Step, Watch};
use crate::config::{Config, Layer};
use crate::exit::Exit;
use crate::operator::completeness::{self, BooksFilter, CompletenessReport};
use crate::operator::rules::{self, RulesReport};
use crate::{rebuild, ruling, spreadsheet};

/// The policy of a configuration file; the default one without a file.
pub(super) fn policy(config: Option<&Path>) -> anyhow::Result<Policy> {
    Ok(Config::load(config, Layer::default())?.policy)
}

/// Lists the rules.
pub(super) fn rules(config: Option<&Path>, format: Output) -> anyhow::Result<Exit> {
    let report = rules::rules(&policy(config)?);
    if format == Output::Csv {
        let rows = report
            .rules
            .iter()
            .map(|rule| [rule.rule.name(), rule.severity.name(), rule.treatment.name(), rule.basis].map(str::to_owned));
        return csv(["rule", "severity", "treatment", "basis"], rows);
    }
    commands::print(format, &report, rules_table)
}

fn rules_table(report: &RulesReport) -> anyhow::Result<()> {
    let mut rows = output::table(&["rule", "severity", "treatment", "", "answers", "because"], 6);
    for rule in &report.rules {
        let answers: Vec<&str> = rule.answers.iter().map(|answer| answer.name()).collect();
        let changed = if rule.by_default { "" } else { "changed" };
        let (severity, treatment) = (rule.severity.name(), rule.treatment.name());
        rows.add_row([rule.rule.name(), severity, treatment, changed, &answers.join(" "), rule.basis]);
    }
    output::line(&format!("{rows}\njudged under {}", report.ruling))
}

/// Tells which numbers are missing in the books.
pub(super) async fn completeness(
    store: &AnyStore,
    arguments: &CompletenessArguments,
    format: Output,
) -> anyhow::Result<Exit> {
    let CompletenessArguments { province, kind, year, all } = *arguments;
    let filter = BooksFilter { province, kind, year, complete_too: all };
    let progress = |records| output::progress(&format!("completeness: {records} records"));
    let report = completeness::completeness(store, filter, progress).await?;
    output::progress_done();
    if format == Output::Csv {
        return csv(BOOK_HEADINGS, book_rows(&report));
    }
    commands::print(format, &report, books_table)
}

const BOOK_HEADINGS: [&str; 9] =
    ["province", "office", "kind", "year", "greatest", "present", "missing", "repeated", "gaps"];

fn book_rows(report: &CompletenessReport) -> impl Iterator<Item = [String; 9]> {
    report.books.iter().map(|book| {
        [
            book.province.to_string(),
            book.office.clone(),
            book.kind.to_string(),
            book.year.to_string(),
            book.greatest.to_string(),
            book.present.to_string(),
            book.missing.to_string(),
            book.repeated.to_string(),
            book.gaps_in_words(),
        ]
    })
}

fn books_table(report: &CompletenessReport) -> anyhow::Result<()> {
    let mut rows = output::table(&BOOK_HEADINGS, BOOK_HEADINGS.len());
    book_rows(report).for_each(|row| {
        rows.add_row(row);
    });
    if !report.books.is_empty() {
        output::line(&rows.to_string())?;
    }
    let (books, missing, uncounted) = (report.books_counted, report.missing, report.uncounted);
    output::line(&format!("{books} books, {missing} numbers missing, {uncounted} entries without a place in a book"))
}

/// Prints rows as comma-separated values (RFC 4180).
fn csv<const COLUMNS: usize>(
    headings: [&str; COLUMNS],
    rows: impl Iterator<Item = [String; COLUMNS]>,
) -> anyhow::Result<Exit> {
    output::line(&headings.join(","))?;
    let quoted = |value: &String| {
        let value = spreadsheet::guarded(value);
        let plain = !value.contains([',', '"', '\n', '\r']);
        if plain { value.into_owned() } else { format!("\"{}\"", value.replace('"', "\"\"")) }
    };
    for row in rows {
        output::line(&row.iter().map(quoted).collect::<Vec<_>>().join(","))?;
    }
    Ok(Exit::Success)
}

/// Makes the registry anew beside the one that stands, and compares.
pub(super) async fn verify(store: &AnyStore, config: Option<&Path>, format: Output) -> anyhow::Result<Exit> {
    let policy = Arc::new(policy(config)?);
    ruling::check(store, &policy).await?;
    let scratch = scratch()?;
    let in_bulk = rebuild::verify_in_bulk(store, &policy, scratch.path(), &watch()).await?;
    let report = match in_bulk {
        Some(report) => report,
        None => {
            rebuild::verify(store, &policy, scratch.path(), |entries| {
                output::progress(&format!("rebuild: {entries} journal entries"));
            })
            .await?
        }
    };
    output::progress_done();
    let equal = report.equal;
    commands::print(format, &report, |report| {
        output::line(&format!("as it stands {}\nmade anew    {}", report.national_digest, report.rebuild_digest))?;
        let verdict =
            if report.equal { "equal".to_owned() } else { format!("DIFFERENT in {}", report.differing.join(", ")) };
        output::line(&format!("{verdict}: {} journal entries, {} states", report.journal_entries, report.states))
    })?;
    Ok(if equal { Exit::Success } else { Exit::Failure })
}

/// Makes the registry anew in the place of the one that stands.
pub(super) async fn apply(store: AnyStore, config: Option<&Path>) -> anyhow::Result<Exit> {
    let policy = Arc::new(policy(config)?);
    let scratch = scratch()?;
    if rebuild::apply_in_bulk(&store, &policy, scratch.path(), &watch()).await?.is_none() {
        let policy = Policy::clone(&policy);
        rebuild::apply(store, policy, |entries| output::progress(&format!("rebuild: {entries} journal entries")))
            .await?;
    }
    output::progress_done();
    output::line("the registry was made anew from the journal")?;
    Ok(Exit::Success)
}

fn scratch() -> anyhow::Result<tempfile::TempDir> {
    tempfile::tempdir().context("no scratch folder for the rebuild; set TMPDIR to one with space")
}

/// Shows how far the bulk path is, and stops it at Ctrl-C.
fn watch() -> Watch<'static> {
    let stop = CancellationToken::new();
    let told = stop.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            told.cancel();
        }
    });
    let progress = &|step: Step, done| output::progress(&format!("rebuild: {} {done}", step.name()));
    Watch { progress, stop }
}
