//! Rows of the nation that a deep comparison found lost or altered are written again when their province sends the very
//! state that the sums know, and whoever was judged without them is judged again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hub_rules::policy::Policy;
use hub_rules::{Batch, State};
use hub_store::holdings::Resync;
use hub_store::model::{Applied, JournalId};
use hub_store::{NationalStore, StoreError};
use registry_schema::digest::content_hash;
use registry_schema::ids::{Lane, Origin, RecordId, RecordKey};

/// Comparisons of a province that are looked through for rows to mend.
const RECENT: usize = 8;

/// Mends what a batch brings back, in a commit of its own before the batch is judged; to the batch these states are known.
pub(super) async fn mend<S: NationalStore>(
    store: &S,
    policy: &Arc<Policy>,
    batch: &Batch,
    applied: &Applied,
) -> Result<(), StoreError> {
    let repairs = applied.lanes.keys().filter(|(_, lane)| *lane == Lane::Repair);
    for origin in repairs.map(|(origin, _)| *origin).collect::<BTreeSet<Origin>>() {
        let mut waiting = store.resyncs(Some(origin), RECENT).await?;
        waiting.retain(|resync| !resync.damaged.is_empty());
        if waiting.is_empty() {
            continue;
        }
        let mending = brought_back(store, origin, &waiting, batch).await?;
        if mending.mended().len() > 0 {
            fail::fail_point!("hub.mend.before");
            let aside = Applied { journal: JournalId::default(), lanes: BTreeMap::new(), ..applied.clone() };
            super::judge_batch(store, policy, &mending, aside).await?;
            fail::fail_point!("hub.mend.after");
            forget(store, waiting, &mending).await?;
        }
    }
    Ok(())
}

/// The states of a batch that mend a row, but for rows that have moved on since they were found damaged.
async fn brought_back<S: NationalStore>(
    store: &S,
    origin: Origin,
    waiting: &[Resync],
    batch: &Batch,
) -> Result<Batch, StoreError> {
    let Some(fence) = store.fence(origin).await? else { return Ok(Batch::default()) };
    let damaged: BTreeSet<(RecordId, u64)> = waiting.iter().flat_map(|resync| resync.damaged.iter().copied()).collect();
    let is_damaged = |key: RecordKey, state: &State| {
        let tag = fence.key.tag(key, state.version, state.clock, &state.content_hash);
        key.origin == origin && damaged.contains(&(key.id, tag.prefix()))
    };
    let found = batch.mending(is_damaged);
    let ids = found.mended().map(|(key, _)| key.id).collect();
    let standing: BTreeMap<RecordId, State> = store.held_states(origin, ids).await?.into_iter().collect();
    let moved_on = |key: RecordKey, state: &State| {
        let standing = standing.get(&key.id).filter(|held| held.content_hash == content_hash(&held.canonical));
        standing.is_some_and(|held| held.rank() > state.rank())
    };
    Ok(batch.mending(|key, state| is_damaged(key, state) && !moved_on(key, state)))
}

/// What is mended waits no more.
async fn forget<S: NationalStore>(store: &S, waiting: Vec<Resync>, mending: &Batch) -> Result<(), StoreError> {
    let mended: BTreeSet<RecordId> = mending.mended().map(|(key, _)| key.id).collect();
    for mut resync in waiting {
        let state = resync.state;
        resync.damaged.retain(|(id, _)| !mended.contains(id));
        store.put_resync(resync, Some(state)).await?;
    }
    Ok(())
}
