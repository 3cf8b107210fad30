//! The nation in numbers.

use std::collections::BTreeMap;

use hub_rules::finding::Certainty;
use hub_rules::reading::Standing;
use hub_store::{NationalStore, StoreError};
use registry_schema::kind::Kind;
use serde::Serialize;

use super::digest;

/// The nation in numbers.
#[derive(Debug, Default, Serialize)]
pub struct StatsReport {
    /// Distinct records known.
    pub records: i64,
    /// Those of them that have a valid state: in force or withdrawn.
    pub registered: i64,
    /// In force.
    pub active: i64,
    /// Withdrawn.
    pub cancelled: i64,
    /// Without any valid state.
    pub rejected: i64,
    /// Registered records by kind.
    pub by_kind: BTreeMap<&'static str, i64>,
    /// Changes received.
    pub received: u64,
    /// Changes applied.
    pub applied: u64,
    /// Changes received and not applied.
    pub waiting: u64,
    /// Links by rule.
    pub links: BTreeMap<&'static str, u64>,
    /// Open cases by rule.
    pub cases_open: BTreeMap<&'static str, u64>,
    /// Answered cases by rule.
    pub cases_answered: BTreeMap<&'static str, u64>,
    /// Verdicts of operators.
    pub verdicts: i64,
    /// The national digest.
    pub national_digest: String,
}

/// Counts everything.
///
/// # Errors
/// The store cannot be read.
pub async fn stats<S: NationalStore>(store: &S) -> Result<StatsReport, StoreError> {
    let mut report = StatsReport::default();
    for ((_, kind, standing), count) in store.counts().await? {
        report.records += count;
        match standing {
            Standing::Active => report.active += count,
            Standing::Cancelled => report.cancelled += count,
            Standing::Rejected => report.rejected += count,
        }
        if let Some(kind) = Kind::from_code(kind).filter(|_| standing != Standing::Rejected) {
            *report.by_kind.entry(kind.name()).or_default() += count;
        }
    }
    report.registered = report.active + report.cancelled;
    for ((certainty, rule, open), count) in store.finding_counts().await? {
        let by_rule = match (certainty, open) {
            (Certainty::Link, _) => &mut report.links,
            (Certainty::Case, true) => &mut report.cases_open,
            (Certainty::Case, false) => &mut report.cases_answered,
        };
        *by_rule.entry(rule.name()).or_default() += count;
    }
    (report.received, report.applied) = digest::progress(store).await?;
    report.waiting = report.received - report.applied;
    let digests = store.digests().await?.digests;
    report.verdicts = digests.section(hub_rules::digests::Section::Verdicts).count();
    report.national_digest = digests.national().to_string();
    Ok(report)
}
