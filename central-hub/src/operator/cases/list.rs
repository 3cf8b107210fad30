//! Links and cases in pages.

use hub_rules::finding::FindingId;
use hub_rules::policy::{Policy, Severity};
use hub_store::model::FindingFilter;
use hub_store::{NationalStore, StoreError};
use serde::Serialize;

use crate::operator::records::FindingReport;
use crate::operator::rfc3339;

/// A page of links and cases.
#[derive(Debug, Serialize)]
pub struct FindingsReport {
    /// In the order of their ids.
    pub findings: Vec<ListedFinding>,
    /// Where the next page begins; `None` on the last one.
    pub next: Option<FindingId>,
}

/// A link or a case in a list.
#[derive(Debug, Serialize)]
pub struct ListedFinding {
    /// The finding.
    #[serde(flatten)]
    pub finding: FindingReport,
    /// How grave it is.
    pub severity: Severity,
    /// When it last changed.
    pub changed_at: Option<String>,
}

/// Reads a page.
///
/// # Errors
/// The store cannot be read.
pub async fn list<S: NationalStore>(
    store: &S,
    policy: &Policy,
    mut filter: FindingFilter,
) -> Result<FindingsReport, StoreError> {
    let limit = filter.limit;
    filter.limit += 1;
    let mut rows = store.findings(filter).await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|row| row.finding.id);
    let listed = rows.into_iter().map(|row| ListedFinding {
        severity: policy.severity(row.finding.rule),
        finding: FindingReport::from(row.finding),
        changed_at: rfc3339(Some(row.changed_ms)),
    });
    Ok(FindingsReport { findings: listed.collect(), next })
}
