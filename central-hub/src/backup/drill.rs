//! The drill: whether a nation could be brought back, tried out to the end.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use hub_rules::policy::Policy;
use hub_store::NationalStore;
use hub_store::sqlite::Sqlite;
use serde::Serialize;

use super::{BackupError, restore};
use crate::operator::{digest, rfc3339};
use crate::reconcile::Reconciler;
use crate::{audit, rebuild, ruling};

/// What a drill found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct DrillReport {
    /// Whether the nation could be brought back.
    pub recovered: bool,
    /// Why not, in words.
    pub defects: Vec<String>,
    /// Whether the backup itself is damaged.
    pub damaged: bool,
    /// Up to when the nation could be brought back: RFC 3339, UTC.
    pub made_at: Option<String>,
    /// How long ago that was.
    pub age_seconds: u64,
    /// How long it took to bring it back and to prove it.
    pub took_seconds: f64,
    /// Journal entries that had come and were not judged when the backup was made.
    pub tail_entries: u64,
    /// Journal entries that were judged anew.
    pub journal_entries: u64,
    /// States of records in them.
    pub states: u64,
    /// The digest of the registry that was brought back.
    pub national_digest: String,
    /// The digest of the registry made anew from the journal.
    pub rebuild_digest: String,
}

/// Brings a backup back into a scratch folder, judges what waited in its journal, makes the registry anew from the journal
/// and audits it.
///
/// # Errors
/// There is no backup, the scratch folder cannot be written, or the policy is not the one it was judged under. A backup
/// that is damaged is no error: the report says so.
pub async fn drill(
    backup: &Path,
    scratch: &Path,
    policy: &Policy,
    now_ms: i64,
    mut progress: impl FnMut(&str, u64),
) -> Result<DrillReport, BackupError> {
    let begun = Instant::now();
    progress("restored", 0);
    let path = scratch.join("drill.db");
    let manifest = match restore(backup, &path, 1, now_ms).await {
        Err(damaged @ (BackupError::Damaged { .. } | BackupError::Newer { .. })) => {
            let (defects, took_seconds) = (vec![damaged.to_string()], begun.elapsed().as_secs_f64());
            return Ok(DrillReport { damaged: true, defects, took_seconds, ..DrillReport::default() });
        }
        restored => restored?,
    };
    let store = Sqlite::open(&path)?;
    ruling::settle(&store, policy).await?;
    let mut reconciler = Reconciler::new(store.clone()).await?.under(policy.clone());
    let mut tail_entries = 0;
    while let Some(step) = reconciler.step().await? {
        tail_entries += step.entries as u64;
        progress("judged", tail_entries);
    }
    let mut report = prove(&store, policy, scratch, progress).await?;
    report.tail_entries = tail_entries;
    report.date(manifest.made_ms, now_ms);
    report.took_seconds = begun.elapsed().as_secs_f64();
    Ok(report)
}

/// The same for a server that was brought back by its own means. Nothing is written to it, so what waited in its journal
/// goes on waiting.
///
/// # Errors
/// The server or the scratch folder cannot be used, or the policy is not the one it was judged under.
pub async fn drill_server<S: NationalStore>(
    store: &S,
    scratch: &Path,
    policy: &Policy,
    now_ms: i64,
    progress: impl FnMut(&str, u64),
) -> Result<DrillReport, BackupError> {
    let begun = Instant::now();
    ruling::check(store, policy).await?;
    let mut report = prove(store, policy, scratch, progress).await?;
    let (received, applied) = digest::progress(store).await?;
    report.tail_entries = received - applied;
    let mut newest_ms = None;
    for province in store.provinces().await? {
        let cursors = store.cursors(province.origin).await?;
        newest_ms = newest_ms.max(cursors.iter().map(|cursor| cursor.received_ms).max());
    }
    if let Some(newest_ms) = newest_ms {
        report.date(newest_ms, now_ms);
    }
    report.took_seconds = begun.elapsed().as_secs_f64();
    Ok(report)
}

async fn prove<S: NationalStore>(
    store: &S,
    policy: &Policy,
    scratch: &Path,
    mut progress: impl FnMut(&str, u64),
) -> Result<DrillReport, BackupError> {
    let anew =
        rebuild::verify(store, &Arc::new(policy.clone()), scratch, |entries| progress("made anew", entries)).await?;
    let audited = audit::audit(store, |entries| progress("audited", entries)).await?;
    let mut defects = Vec::new();
    if !anew.equal {
        defects.push(format!("the registry is not what its journal says: it differs in {}", anew.differing.join(", ")));
    }
    if let Some(first) = audited.defects.first() {
        defects.push(format!("journal entry {}: {}", first.journal_id, first.reason));
    }
    Ok(DrillReport {
        recovered: defects.is_empty(),
        defects,
        journal_entries: anew.journal_entries,
        states: anew.states,
        national_digest: anew.national_digest,
        rebuild_digest: anew.rebuild_digest,
        ..DrillReport::default()
    })
}

impl DrillReport {
    fn date(&mut self, made_ms: i64, now_ms: i64) {
        self.made_at = rfc3339(Some(made_ms));
        self.age_seconds = u64::try_from((now_ms - made_ms) / 1_000).unwrap_or_default();
    }
}
