//! Order independence: any order, duplication and cut of the same arrivals gives the same nation.

use std::collections::{BTreeMap, BTreeSet};

use hub_rules::finding::Finding;
use hub_rules::memory::Memory;
use hub_rules::reading::Reading;
use hub_rules::words::words;
use registry_schema::ids::RecordId;

use super::{World, play, play_in_memory};
use crate::model::{FindingFilter, Province};
use crate::national::NationalStore;

/// The store gives the digest and the findings that memory gives for everything at once, whatever the schedule.
///
/// # Panics
/// It does not.
pub async fn any_order_gives_one_nation<S: NationalStore>(seed: u64, store: &S) {
    let mut world = World::new(seed);
    let expected = play_in_memory(&world.at_once());
    let schedule = world.schedule();
    let shuffled = play_in_memory(&schedule);
    assert_eq!(difference(&expected, &shuffled), "", "seed {seed}, in memory");
    assert_eq!(shuffled.digests, expected.digests, "seed {seed}, in memory");
    play(store, &schedule).await;
    let digests = store.digests().await.expect("digests").digests;
    assert_eq!(digests, expected.digests, "seed {seed}, in the store");
    let rows = store.findings(FindingFilter::default()).await.expect("findings");
    let found: Vec<Finding> = rows.into_iter().map(|row| row.finding).collect();
    let wanted: Vec<Finding> = expected.findings.values().cloned().collect();
    assert_eq!(found, wanted, "seed {seed}, findings of the store");
}

/// Pages of any size give every record in force once, in the order of keys.
///
/// # Panics
/// They do not.
pub async fn pages_give_every_record_in_force<S: NationalStore>(seed: u64, store: &S) {
    let mut world = World::new(seed);
    play(store, &world.schedule()).await;
    let memory = play_in_memory(&world.at_once());
    let in_force = memory.records.into_iter().filter(|(key, state)| {
        let reading = Reading::of(*key, state.clone());
        reading.in_force().is_some()
    });
    let expected: Vec<_> = in_force.collect();
    for limit in [1, 3, usize::MAX] {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = store.entries(after, limit).await.expect("a page");
            assert!(page.len() <= limit, "seed {seed}: a page of more than {limit}");
            let Some((last, _)) = page.last() else { break };
            after = Some(*last);
            found.extend(page);
        }
        assert_eq!(found, expected, "seed {seed}, pages of {limit}");
    }
}

/// What two nations differ in, in words.
fn difference(one: &Memory, other: &Memory) -> String {
    let findings = |memory: &Memory| -> BTreeSet<String> {
        memory.findings.values().map(|finding| format!("{finding:?}")).collect()
    };
    let members = |memory: &Memory| -> BTreeSet<String> {
        memory.members.iter().map(|(node, membership)| format!("{node} {membership:?}")).collect()
    };
    let (a, b) = (findings(one), findings(other));
    let (c, d) = (members(one), members(other));
    let lines: Vec<String> =
        a.symmetric_difference(&b).chain(c.symmetric_difference(&d)).map(ToString::to_string).collect();
    lines.join("\n")
}

/// The last word about every subject is the same in any order, and each word is written once.
///
/// # Panics
/// It is not.
pub async fn notices_are_told_once<S: NationalStore>(seed: u64, store: &S) {
    let mut world = World::new(seed);
    let schedule = world.schedule();
    let origins: BTreeSet<_> = world
        .arrivals
        .iter()
        .filter_map(|arrival| if let hub_rules::Arrival::State(key, _) = arrival { Some(key.origin) } else { None })
        .collect();
    for origin in &origins {
        let province = Province {
            origin: *origin,
            name: origin.to_string(),
            token_hash: registry_schema::digest::Hash256([0; 32]),
            epoch: None,
            last_seen_ms: None,
            agent_version: None,
        };
        store.enrol(province, 0).await.expect("enrols");
    }
    play(store, &schedule).await;
    let expected = play_in_memory(&world.at_once());
    for origin in &origins {
        let mut last: BTreeMap<(RecordId, String), String> = BTreeMap::new();
        for (at, notice) in store.notices(*origin, 0, usize::MAX).await.expect("notices").into_iter().enumerate() {
            assert_eq!(notice.seq, at as u64 + 1, "seed {seed}: notices are numbered without gaps");
            last.insert((notice.record, notice.subject), notice.outcome);
        }
        last.retain(|_, outcome| outcome != "accepted" && outcome != "closed");
        let mut wanted: BTreeMap<(RecordId, String), String> = BTreeMap::new();
        for notice in expected.notices.iter().filter(|notice| notice.key.origin == *origin) {
            let words = words(&notice.word);
            wanted.insert((notice.key.id, words.subject), words.outcome.to_owned());
        }
        wanted.retain(|_, outcome| outcome != "accepted" && outcome != "closed");
        assert_eq!(last, wanted, "seed {seed}, last words to {origin}");
    }
}
