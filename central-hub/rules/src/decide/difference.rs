//! Step four: what differs from before becomes the plan.

use std::collections::{BTreeMap, BTreeSet};

use registry_schema::ids::RecordKey;
use rustc_hash::FxHashMap;

use super::judge::Judged;
use super::merge::{Merged, MergedRecord};
use super::reach::Reach;
use crate::context::Context;
use crate::digests::{Section, finding_row, member_row, record_row, state_row, verdict_row};
use crate::finding::{Finding, FindingId};
use crate::node::{Membership, Node};
use crate::plan::{FoundWord, HeldBefore, HeldMove, Notice, PastRow, Plan, RecordRow, Word};
use crate::reading::Reading;

pub(super) fn plan(context: &Context, merged: &Merged<'_>, reach: &Reach<'_>, judged: &Judged) -> Plan {
    let mut plan = Plan::default();
    plan.tally.resent = merged.resent;
    for (key, record) in &merged.records {
        states(&mut plan, *key, record);
        entry_notice(&mut plan, *key, record);
        held(&mut plan, context, *key, record);
        if !record.unchanged {
            present(&mut plan, context, *key, record);
        }
    }
    plan.records.extend(merged.mended.iter().map(|(key, reading)| row(*key, reading)));
    (plan.voids_added, plan.voids_removed) = reach.crowds.moves();
    members(&mut plan, context, reach, judged);
    findings(&mut plan, context, reach, judged);
    for (id, verdict) in &merged.verdicts {
        plan.tally.verdicts += 1;
        plan.digests.add(Section::Verdicts, &verdict_row(verdict));
        debug_assert_eq!(*id, verdict.id());
        plan.verdicts.push(verdict.clone());
    }
    plan
}

fn states(plan: &mut Plan, key: RecordKey, record: &MergedRecord<'_>) {
    for reading in &record.arrived {
        plan.tally.states += 1;
        plan.tally.rejected += u64::from(!reading.is_valid());
        plan.digests.add(Section::States, &state_row(key, &reading.state, reading.is_valid()));
        if reading.rank() != record.present.rank() {
            plan.past.push(PastRow { key, state: reading.state.clone(), valid: reading.is_valid() });
        }
    }
}

/// The present state takes the place of the one before, which moves to the past.
fn present(plan: &mut Plan, context: &Context, key: RecordKey, record: &MergedRecord<'_>) {
    let before = context.entries.get(&key).map(|stored| &stored.present);
    let after = record.present;
    if let Some(before) = before {
        plan.digests.remove(Section::Records, &record_row(key, &before.state, before.standing()));
        *plan.counts.entry((key.origin, before.kind_code(), before.standing())).or_default() -= 1;
        plan.past.push(PastRow { key, state: before.state.clone(), valid: before.is_valid() });
    }
    plan.digests.add(Section::Records, &record_row(key, &after.state, after.standing()));
    *plan.counts.entry((key.origin, after.kind_code(), after.standing())).or_default() += 1;
    let block_keys = |reading: Option<&Reading>| -> BTreeSet<(i64, Node)> {
        reading.into_iter().flat_map(|reading| reading.blocks().iter().copied()).collect()
    };
    let (old, new) = (block_keys(before), block_keys(Some(after)));
    plan.keys_removed.extend(old.difference(&new));
    plan.keys_added.extend(new.difference(&old));
    plan.records.push(row(key, after));
}

fn row(key: RecordKey, present: &Reading) -> RecordRow {
    RecordRow { key, kind: present.kind_code(), standing: present.standing(), state: present.state.clone() }
}

/// A province hears of its latest state only: rejected, or accepted after a rejection. Silence means accepted.
fn entry_notice(plan: &mut Plan, key: RecordKey, record: &MergedRecord<'_>) {
    let latest = record.arrived.iter().max_by_key(|reading| reading.state.rank()).expect("something arrived");
    if record.latest_before.is_some_and(|(rank, _)| rank > latest.state.rank()) {
        return;
    }
    let word = match (&latest.content, record.latest_before) {
        (Err(violations), _) => Word::Rejected(violations.clone()),
        (Ok(_), Some((_, false))) => Word::Accepted,
        (Ok(_), _) => return,
    };
    plan.notices.push(Notice { key, word });
}

/// The greatest state of the record, when it is among those that arrived.
fn held(plan: &mut Plan, context: &Context, key: RecordKey, record: &MergedRecord) {
    let latest = record.arrived.iter().max_by_key(|reading| reading.state.rank()).expect("something arrived");
    let rank_before = record.latest_before.map(|(rank, _)| rank);
    if rank_before.is_some_and(|rank| rank > latest.state.rank()) {
        return;
    }
    let present = context.entries.get(&key).map(|stored| &stored.present.state);
    let before = rank_before.map(|rank| match present.filter(|present| present.rank() == rank) {
        Some(present) => HeldBefore::Present(present.held()),
        None => HeldBefore::Past(rank),
    });
    plan.held.push(HeldMove { key, before, after: latest.state.held() });
}

fn members(plan: &mut Plan, context: &Context, reach: &Reach<'_>, judged: &Judged) {
    let after: FxHashMap<Node, Membership> = judged.clusters.iter().flat_map(|cluster| cluster.memberships()).collect();
    let mut everybody: Vec<Node> = reach.everybody().collect();
    everybody.sort_unstable();
    for node in everybody {
        let (old, new) = (context.membership(node), after.get(&node).copied());
        if old == new {
            continue;
        }
        if let Some(old) = old {
            plan.digests.remove(Section::Members, &member_row(node, old));
        }
        match new {
            Some(new) => {
                plan.digests.add(Section::Members, &member_row(node, new));
                let list = if old.is_some() { &mut plan.members_moved } else { &mut plan.members_added };
                list.push((node, new));
            }
            None => plan.members_removed.push(node),
        }
    }
}

fn findings(plan: &mut Plan, context: &Context, reach: &Reach<'_>, judged: &Judged) {
    let scopes = reach.scopes.iter().filter_map(|scope| context.findings.get(scope));
    let before: BTreeMap<FindingId, &Finding> = scopes.flatten().map(|finding| (finding.id, finding)).collect();
    for (id, old) in &before {
        if !judged.findings.contains_key(id) {
            plan.digests.remove(Section::Findings, &finding_row(old));
            plan.findings_removed.push(*id);
            closed(plan, old);
        }
    }
    for (id, new) in &judged.findings {
        let old = before.get(id);
        if old.is_some_and(|old| *old == new) {
            continue;
        }
        if let Some(old) = old {
            plan.digests.remove(Section::Findings, &finding_row(old));
        }
        plan.digests.add(Section::Findings, &finding_row(new));
        plan.findings_put.push(new.clone());
        if !old.is_some_and(|old| says_the_same(old, new)) {
            found(plan, new);
        }
    }
}

/// Whether a province would read the same words: where a finding was made is no concern of theirs.
fn says_the_same(old: &Finding, new: &Finding) -> bool {
    old == &Finding { scope: old.scope, ..new.clone() }
}

fn closed(plan: &mut Plan, finding: &Finding) {
    for key in &finding.records {
        let word = Word::Closed { id: finding.id, rule: finding.rule, others: finding.others(*key) };
        plan.notices.push(Notice { key: *key, word });
    }
}

fn found(plan: &mut Plan, finding: &Finding) {
    for key in &finding.records {
        let word = Word::Found(FoundWord::about(finding, *key));
        plan.notices.push(Notice { key: *key, word });
    }
}
