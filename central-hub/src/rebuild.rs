//! Rebuild: the registry once more, from the journal alone.

use std::path::Path;
use std::sync::Arc;

use hub_rules::islands::Cut;
use hub_rules::policy::{Policy, ruling};
use hub_store::model::{DigestView, JournalId, Queue, Watermark};
use hub_store::sqlite::Sqlite;
use hub_store::{NationalStore, Registry as _, StoreError};
use serde::Serialize;

use crate::bulk::{self, Built, BulkError, Watch};
use crate::reconcile::{Reconciler, judge};
use crate::resync::forget_damage;

/// Bytes of journal that are judged together. Not the sizes of the daemon, so a rebuild also proves that the cut of
/// batches does not matter.
const REBUILD_BATCH_BYTES: usize = 1024 * 1024;

/// What a rebuild found.
#[derive(Debug, Clone, Serialize)]
pub struct RebuildReport {
    /// The digest of the registry as it stands.
    pub national_digest: String,
    /// The digest of the registry made anew from the same journal entries.
    pub rebuild_digest: String,
    /// Whether they are equal.
    pub equal: bool,
    /// Sections that differ.
    pub differing: Vec<&'static str>,
    /// Journal entries that were judged.
    pub journal_entries: u64,
    /// States of records that were judged.
    pub states: u64,
}

/// Makes the registry anew under a policy in a scratch file and compares it with the one that stands. The hub may go on meanwhile:
/// the comparison speaks of the journal up to where it was judged at the start.
///
/// # Errors
/// The store or the scratch folder cannot be used.
pub async fn verify<S: NationalStore>(
    store: &S,
    policy: &Arc<Policy>,
    scratch: &Path,
    mut progress: impl FnMut(u64),
) -> Result<RebuildReport, StoreError> {
    let stands = store.digests().await?;
    let anew = Sqlite::open(&scratch.join("rebuild.db"))?;
    let (mut journal_entries, mut states) = (0, 0);
    // The backlog first, although the daemon judges live entries first: one more proof that order does not matter.
    for queue in [Queue::Backlog, Queue::Live] {
        let end = stands.watermark.of(queue);
        let mut after = JournalId::default();
        while after < end {
            let mut entries = store.next(queue, after, REBUILD_BATCH_BYTES).await?;
            entries.retain(|entry| entry.id <= end);
            let Some(last) = entries.last().map(|entry| entry.id) else { break };
            states += judge(&anew, policy, queue, &entries).await?.states;
            journal_entries += entries.len() as u64;
            after = last;
            progress(journal_entries);
        }
    }
    Ok(compare(&stands, &anew.digests().await?, journal_entries, states))
}

/// The same by the bulk path, aside in the store itself. `None` where the store cannot have two registries.
///
/// # Errors
/// Another process judges, the store or the scratch folder cannot be used, or the work was interrupted.
pub async fn verify_in_bulk<S: NationalStore>(
    store: &S,
    policy: &Arc<Policy>,
    scratch: &Path,
    watch: &Watch<'_>,
) -> Result<Option<RebuildReport>, BulkError> {
    let stands = store.digests().await?;
    let Some(built) = bulk::build(store, policy, (stands.watermark, Cut::default()), scratch, watch).await? else {
        return Ok(None);
    };
    let Built { aside, journal_entries, states, .. } = built;
    let anew = aside.registry().digests().await?;
    aside.abandon().await?;
    Ok(Some(compare(&stands, &anew, journal_entries, states)))
}

/// Judges the whole journal by the bulk path and puts the result in the place of the registry that stands. `None` where
/// the store cannot have two registries.
///
/// # Errors
/// As [`verify_in_bulk`]; what stands is untouched then.
pub async fn apply_in_bulk<S: NationalStore>(
    store: &S,
    policy: &Arc<Policy>,
    scratch: &Path,
    watch: &Watch<'_>,
) -> Result<Option<u64>, BulkError> {
    if store.lead().await?.is_none() {
        return Err(StoreError::Busy { place: "the judge's seat".to_owned() }.into());
    }
    let Some(built) = bulk::build(store, policy, (Watermark::END, Cut::default()), scratch, watch).await? else {
        return Ok(None);
    };
    let (states, remains) = built.take_place(store, policy).await?;
    remains.clear().await?;
    Ok(Some(states))
}

fn compare(stands: &DigestView, anew: &DigestView, journal_entries: u64, states: u64) -> RebuildReport {
    let pairs = stands.digests.iter().zip(anew.digests.iter());
    let differing = pairs.filter(|(one, other)| one.1 != other.1).map(|(one, _)| one.0.name()).collect();
    let (national, rebuilt) = (stands.digests.national(), anew.digests.national());
    RebuildReport {
        national_digest: national.to_string(),
        rebuild_digest: rebuilt.to_string(),
        equal: national == rebuilt,
        differing,
        journal_entries,
        states,
    }
}

/// Forgets the registry that stands and judges the journal from its first entry under a policy. Interrupted, it goes on when the hub
/// is started again.
///
/// # Errors
/// The store cannot be used.
pub async fn apply<S: NationalStore + Clone + 'static>(
    store: S,
    policy: Policy,
    mut progress: impl FnMut(u64),
) -> Result<(), StoreError> {
    forget_damage(&store).await?;
    store.reset().await?;
    store.judge_under(ruling(&policy)).await?;
    let mut reconciler = Reconciler::new(store).await?.under(policy);
    let mut entries = 0;
    while let Some(step) = reconciler.step().await? {
        entries += step.entries as u64;
        progress(entries);
    }
    Ok(())
}
