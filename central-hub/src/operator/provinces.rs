//! How each province stands: what was received, applied, and what waits.

use std::collections::BTreeMap;

use hub_rules::reading::Standing;
use hub_store::model::{Cursor, Province};
use hub_store::{NationalStore, StoreError};
use registry_schema::ids::{Lane, Origin};
use registry_schema::place::{Gazetteer, ProvinceCode};
use serde::Serialize;

use super::rfc3339;
use crate::identity::Token;

/// Every province.
#[derive(Debug, Serialize)]
pub struct ProvincesReport {
    /// In the order of their numbers.
    pub provinces: Vec<ProvinceReport>,
}

/// One province.
#[derive(Debug, Serialize)]
pub struct ProvinceReport {
    /// Code and edition.
    pub province: Origin,
    /// Its name.
    pub name: String,
    /// When its agent last began a session.
    pub last_seen: Option<String>,
    /// The release of its agent.
    pub agent_version: Option<String>,
    /// Changes received.
    pub received: u64,
    /// Changes applied.
    pub applied: u64,
    /// Changes received and not applied.
    pub waiting: u64,
    /// How long the last received change has waited at most; `None` when nothing waits.
    pub oldest_waiting_seconds: Option<i64>,
    /// Records that are registered.
    pub records: i64,
    /// Records that were rejected.
    pub rejected: i64,
    /// Whether the province and the nation held the same when that was last compared; `None` before.
    pub roots_agree: Option<bool>,
    /// When that was.
    pub roots_compared_at: Option<String>,
    /// The lanes.
    pub lanes: Vec<LaneReport>,
}

/// One lane of a province.
#[derive(Debug, Serialize)]
pub struct LaneReport {
    /// The lane.
    pub lane: Lane,
    /// Changes received.
    pub received: u64,
    /// Changes applied.
    pub applied: u64,
    /// When the last change was received.
    pub received_at: Option<String>,
    /// When the last change was applied.
    pub applied_at: Option<String>,
}

/// Reports on every province.
///
/// # Errors
/// The store cannot be read.
pub async fn provinces<S: NationalStore>(store: &S, now_ms: i64) -> Result<ProvincesReport, StoreError> {
    let counts = store.counts().await?;
    let mut by_province: BTreeMap<(Origin, bool), i64> = BTreeMap::new();
    for ((origin, _, standing), count) in counts {
        *by_province.entry((origin, standing == Standing::Rejected)).or_default() += count;
    }
    let agreements = store.agreements().await?;
    let mut provinces = Vec::new();
    for province in store.provinces().await? {
        let cursors = store.cursors(province.origin).await?;
        let count = |rejected| by_province.get(&(province.origin, rejected)).copied().unwrap_or_default();
        let mut report = report(&province, &cursors, count(false), count(true), now_ms);
        if let Some(agreement) = agreements.get(&province.origin) {
            report.roots_agree = Some(agreement.agree);
            report.roots_compared_at = rfc3339(Some(agreement.compared_ms));
        }
        provinces.push(report);
    }
    Ok(ProvincesReport { provinces })
}

fn report(province: &Province, cursors: &[Cursor], records: i64, rejected: i64, now_ms: i64) -> ProvinceReport {
    let waits = |cursor: &&Cursor| cursor.applied < cursor.seq;
    let since = |cursor: &Cursor| (now_ms - cursor.applied_ms.unwrap_or(cursor.received_ms)).max(0) / 1000;
    let lanes: Vec<LaneReport> = cursors
        .iter()
        .map(|cursor| LaneReport {
            lane: cursor.lane,
            received: cursor.seq.0,
            applied: cursor.applied.0,
            received_at: rfc3339(Some(cursor.received_ms)),
            applied_at: rfc3339(cursor.applied_ms),
        })
        .collect();
    let received = lanes.iter().map(|lane| lane.received).sum();
    let applied = lanes.iter().map(|lane| lane.applied).sum();
    ProvinceReport {
        province: province.origin,
        name: province.name.clone(),
        last_seen: rfc3339(province.last_seen_ms),
        agent_version: province.agent_version.clone(),
        received,
        applied,
        waiting: received - applied,
        oldest_waiting_seconds: cursors.iter().filter(waits).map(since).max(),
        records,
        rejected,
        roots_agree: None,
        roots_compared_at: None,
        lanes,
    }
}

/// Enrols a province (again): gives it a token and forgets the epoch of its store.
///
/// # Errors
/// The store cannot be written.
pub async fn enrol<S: NationalStore>(
    store: &S,
    origin: Origin,
    name: Option<String>,
    token: &Token,
    now_ms: i64,
) -> Result<String, StoreError> {
    let code = ProvinceCode::new(origin.code()).ok();
    let known = code.and_then(|code| Gazetteer::builtin().province(origin.edition(), code));
    let name = name.or_else(|| known.map(|province| province.name.clone())).unwrap_or_else(|| origin.to_string());
    let province = Province {
        origin,
        name: name.clone(),
        token_hash: token.hash(),
        epoch: None,
        last_seen_ms: None,
        agent_version: None,
    };
    store.enrol(province, now_ms).await?;
    Ok(name)
}
