//! Carrying out a plan to the letter, with the watermark, in one transaction of two round trips.
//!
//! The first trip fences, reads what must be added to, and writes all that needs no answer; the second one writes what
//! did, and commits.

use std::collections::BTreeMap;

use futures::try_join;
use hub_rules::Plan;
use hub_rules::digests::Section;
use hub_rules::finding::FindingId;
use hub_rules::node::{Membership, Node};
use hub_rules::plan::{Notice, PastRow, RecordRow, Word};
use hub_rules::words::words;
use registry_schema::digest::{Hash256, SetSum};
use registry_schema::ids::{Origin, RecordKey};
use tokio_postgres::Row;

use super::codec::{self, columns, get, hash, json, node_columns, origin_number, text};
use super::error::{Fault, Outcome};
use super::pool::Connection;
use super::{holdings, pages, statements};
use crate::model::Applied;

/// What became of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Committed {
    /// It was carried out, now or by an earlier try whose answer was lost.
    Done,
    /// Another process judges now; nothing was changed.
    Fenced,
}

/// Commits a plan and how far it goes, in the judge's term. The commit's own number tells whether an earlier try of the
/// same commit was done. A first try takes the plan's word for it that a block key or a member is new, which saves
/// looking; where the plan is wrong, the next try looks.
pub(super) async fn commit(
    connection: &Connection,
    (term, commit_id): (i64, i64),
    is_first: bool,
    plan: &Plan,
    applied: &Applied,
) -> Outcome<Committed> {
    let begin = statements::begin_change();
    let told = tell(&plan.notices);
    let ((), fence, sums, numbers, held, (), pages, (), gone, ()) = try_join!(
        connection.batch(&begin),
        connection.query(statements::FENCE, [&term, &commit_id]),
        connection.query(statements::SUMS, []),
        numbers(connection, &told),
        holdings::read(connection, plan),
        records(connection, plan),
        blocks(connection, plan, is_first),
        members(connection, plan, is_first),
        findings(connection, plan, applied.now_ms),
        verdicts(connection, plan),
    )?;
    if fence.is_empty() {
        let judge = connection.query(statements::JUDGE, []).await?;
        connection.batch("ROLLBACK").await?;
        let last = judge.first().map(|row| get::<i64>(row, 1)).transpose()?;
        return Ok(if last == Some(commit_id) { Committed::Done } else { Committed::Fenced });
    }
    holdings::fold(connection, &held).await?;
    fail::fail_point!("hub.plan.before");
    let ((), (), (), (), (), (), ()) = try_join!(
        holdings::write(connection, plan, &held),
        pages::leave(connection, &pages, &plan.keys_removed),
        forget(connection, &gone),
        sum_up(connection, plan, &sums),
        say(connection, &told, &numbers, applied.now_ms),
        watermark(connection, applied),
        connection.batch("COMMIT"),
    )?;
    fail::fail_point!("hub.plan.after");
    Ok(Committed::Done)
}

/// The last of each key counts, and rows come in the order of keys.
fn by_key<K: Ord, V>(rows: impl Iterator<Item = (K, V)>) -> BTreeMap<K, V> {
    rows.collect()
}

async fn records(connection: &Connection, plan: &Plan) -> Outcome<()> {
    let mut past: Vec<&PastRow> = plan.past.iter().collect();
    past.sort_unstable_by_key(|row| (row.key, row.state.rank()));
    let (past_origins, past_ids) = columns(past.iter().map(|row| &row.key));
    let versions: Vec<i64> = past.iter().map(|row| i64::from(row.state.version.0)).collect();
    let clocks: Vec<i64> = past.iter().map(|row| row.state.clock.number().cast_signed()).collect();
    let hashes: Vec<&[u8]> = past.iter().map(|row| &row.state.content_hash.0[..]).collect();
    let canonical: Vec<&[u8]> = past.iter().map(|row| &row.state.canonical[..]).collect();
    let valid: Vec<bool> = past.iter().map(|row| row.valid).collect();
    try_join!(
        connection.query_if(
            !past.is_empty(),
            statements::PAST_ADD,
            [&past_origins, &past_ids, &versions, &clocks, &hashes, &canonical, &valid]
        ),
        present(connection, &plan.records)
    )?;
    Ok(())
}

/// Writes records' present states over whatever stands there.
async fn present(connection: &Connection, rows: &[RecordRow]) -> Outcome<()> {
    let rows: BTreeMap<RecordKey, &RecordRow> = by_key(rows.iter().map(|row| (row.key, row)));
    let (origins, ids) = columns(rows.keys());
    let kinds: Vec<i16> = rows.values().map(|row| i16::from(row.kind)).collect();
    let standings: Vec<i16> = rows.values().map(|row| i16::from(row.standing.number())).collect();
    let versions: Vec<i64> = rows.values().map(|row| i64::from(row.state.version.0)).collect();
    let clocks: Vec<i64> = rows.values().map(|row| row.state.clock.number().cast_signed()).collect();
    let hashes: Vec<&[u8]> = rows.values().map(|row| &row.state.content_hash.0[..]).collect();
    let canonical: Vec<&[u8]> = rows.values().map(|row| &row.state.canonical[..]).collect();
    let by: [&(dyn tokio_postgres::types::ToSql + Sync); 8] =
        [&origins, &ids, &kinds, &standings, &versions, &clocks, &hashes, &canonical];
    connection.query_if(!rows.is_empty(), statements::RECORD_PUT, by).await.map(drop)
}

/// Writes who leaves which block and who comes, and answers with the pages of those who leave.
async fn blocks(connection: &Connection, plan: &Plan, is_first: bool) -> Outcome<Vec<Row>> {
    let sorted = |keys: &[(i64, Node)]| {
        let mut keys = keys.to_vec();
        keys.sort_unstable();
        keys.dedup();
        let (origins, ids, roles) = node_columns(keys.iter().map(|(_, node)| *node));
        (keys.into_iter().map(|(block, _)| block).collect::<Vec<i64>>(), origins, ids, roles)
    };
    let (lost, gained) = (sorted(&plan.keys_removed), sorted(&plan.keys_added));
    let add = if is_first { statements::BLOCK_ADD } else { statements::BLOCK_ADD_MISSING };
    let (closed, open) = (&plan.voids_added, &plan.voids_removed);
    let (pages, _, _, _, _) = try_join!(
        connection.query_if(!lost.0.is_empty(), statements::BLOCK_PAGES, [&lost.0]),
        connection.query_if(!lost.0.is_empty(), statements::BLOCK_REMOVE, [&lost.0, &lost.1, &lost.2, &lost.3]),
        connection.query_if(!gained.0.is_empty(), add, [&gained.0, &gained.1, &gained.2, &gained.3]),
        connection.query_if(!closed.is_empty(), statements::VOID_ADD, [closed]),
        connection.query_if(!open.is_empty(), statements::VOID_REMOVE, [open]),
    )?;
    Ok(pages)
}

async fn members(connection: &Connection, plan: &Plan, is_first: bool) -> Outcome<()> {
    let mut alone = plan.members_removed.clone();
    alone.sort_unstable();
    let (alone_origins, alone_ids, alone_roles) = node_columns(alone);
    let columns = |rows: &[(Node, Membership)]| {
        let rows: BTreeMap<Node, Membership> = by_key(rows.iter().copied());
        let (origins, ids, roles) = node_columns(rows.keys().copied());
        let clusters: Vec<i64> = rows.values().map(|membership| membership.cluster).collect();
        let persons: Vec<i64> = rows.values().map(|membership| membership.person.0).collect();
        (origins, ids, roles, clusters, persons)
    };
    let (new, moved) = (columns(&plan.members_added), columns(&plan.members_moved));
    let add = if is_first { statements::MEMBER_ADD } else { statements::MEMBER_PUT };
    try_join!(
        connection.query_if(
            !alone_ids.is_empty(),
            statements::MEMBER_REMOVE,
            [&alone_origins, &alone_ids, &alone_roles]
        ),
        connection.query_if(!new.0.is_empty(), add, [&new.0, &new.1, &new.2, &new.3, &new.4]),
        connection.query_if(
            !moved.0.is_empty(),
            statements::MEMBER_PUT,
            [&moved.0, &moved.1, &moved.2, &moved.3, &moved.4]
        ),
    )?;
    Ok(())
}

/// Writes findings, and answers with those that were removed and their records. The records of a finding are in its id,
/// so one that is written over has the same ones.
async fn findings(connection: &Connection, plan: &Plan, now_ms: i64) -> Outcome<Vec<Row>> {
    let put = by_key(plan.findings_put.iter().map(|finding| (finding.id, finding)));
    let gone: Vec<&[u8]> = plan.findings_removed.iter().map(|id| &id.0[..]).collect();
    let ids: Vec<&[u8]> = put.keys().map(|id| &id.0[..]).collect();
    let rules: Vec<&str> = put.values().map(|finding| finding.rule.name()).collect();
    let certainties: Vec<i16> = put.values().map(|finding| i16::from(finding.certainty.number())).collect();
    let scopes: Vec<i64> = put.values().map(|finding| finding.scope).collect();
    let records = put.values().map(|finding| json(&finding.records)).collect::<Outcome<Vec<String>>>()?;
    let evidence = put.values().map(|finding| json(&finding.evidence)).collect::<Outcome<Vec<String>>>()?;
    let answers: Vec<Option<&str>> =
        put.values().map(|finding| finding.answer.map(hub_rules::verdict::Answer::name)).collect();
    let chosen: Vec<Option<String>> = put.values().map(|finding| finding.chosen.map(|key| key.to_string())).collect();
    let of = by_key(put.values().flat_map(|finding| finding.records.iter().map(|key| ((*key, finding.id), ()))));
    let (of_origins, of_ids) = columns(of.keys().map(|(key, _)| key));
    let of_findings: Vec<&[u8]> = of.keys().map(|(_, id)| &id.0[..]).collect();
    let any = !put.is_empty();
    let by: [&(dyn tokio_postgres::types::ToSql + Sync); 9] =
        [&ids, &rules, &certainties, &scopes, &records, &evidence, &answers, &chosen, &now_ms];
    let (gone, _, _) = try_join!(
        connection.query_if(!gone.is_empty(), statements::FINDING_REMOVE, [&gone]),
        connection.query_if(any, statements::FINDING_PUT, by),
        connection.query_if(any, statements::FINDING_RECORD_ADD, [&of_origins, &of_ids, &of_findings]),
    )?;
    Ok(gone)
}

/// Removes the records of findings that are gone.
async fn forget(connection: &Connection, gone: &[Row]) -> Outcome<()> {
    let mut of: Vec<(RecordKey, FindingId)> = Vec::new();
    for row in gone {
        let id = get::<&[u8]>(row, 0)?.try_into().map_err(|_| Fault::Damaged("a finding's id"))?;
        of.extend(codec::keys(get(row, 1)?)?.into_iter().map(|key| (key, FindingId(id))));
    }
    of.sort_unstable();
    let (origins, ids) = columns(of.iter().map(|(key, _)| key));
    let findings: Vec<&[u8]> = of.iter().map(|(_, id)| &id.0[..]).collect();
    let by: [&(dyn tokio_postgres::types::ToSql + Sync); 3] = [&origins, &ids, &findings];
    connection.query_if(!of.is_empty(), statements::FINDING_RECORD_REMOVE, by).await.map(drop)
}

async fn verdicts(connection: &Connection, plan: &Plan) -> Outcome<()> {
    let rows = by_key(plan.verdicts.iter().map(|verdict| (verdict.id(), verdict)));
    let ids: Vec<&[u8]> = rows.keys().map(|id| &id.0[..]).collect();
    let cases: Vec<&[u8]> = rows.values().map(|verdict| &verdict.case.0[..]).collect();
    let bodies = rows.values().map(json).collect::<Outcome<Vec<String>>>()?;
    let of: BTreeMap<(RecordKey, Hash256), ()> =
        by_key(rows.iter().flat_map(|(id, verdict)| verdict.records.iter().map(|key| ((*key, *id), ()))));
    let (of_origins, of_ids) = columns(of.keys().map(|(key, _)| key));
    let of_verdicts: Vec<&[u8]> = of.keys().map(|(_, id)| &id.0[..]).collect();
    let any = !rows.is_empty();
    try_join!(
        connection.query_if(any, statements::VERDICT_ADD, [&ids, &cases, &bodies]),
        connection.query_if(any, statements::VERDICT_RECORD_ADD, [&of_origins, &of_ids, &of_verdicts]),
    )?;
    Ok(())
}

/// The stored sums by section.
pub(super) fn section_sums(rows: &[Row]) -> Outcome<BTreeMap<Section, SetSum>> {
    let sums = rows.iter().map(|row| {
        let section = Section::parse(get(row, 0)?).ok_or(Fault::Damaged("a digest's name"))?;
        Ok((section, SetSum::from_parts(&hash(row, 1)?.0, get(row, 2)?)))
    });
    sums.collect()
}

async fn sum_up(connection: &Connection, plan: &Plan, stored: &[Row]) -> Outcome<()> {
    let stored = section_sums(stored)?;
    let (mut names, mut sums, mut counts) = (Vec::new(), Vec::new(), Vec::new());
    for (section, change) in plan.digests.iter() {
        let mut sum = stored.get(&section).copied().unwrap_or_default();
        sum.merge(change);
        names.push(section.name());
        sums.push(sum.to_bytes().to_vec());
        counts.push(sum.count());
    }
    let (mut origins, mut kinds, mut standings, mut changes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for ((origin, kind, standing), change) in &plan.counts {
        origins.push(origin_number(*origin));
        kinds.push(i16::from(*kind));
        standings.push(i16::from(standing.number()));
        changes.push(*change);
    }
    try_join!(
        connection.query(statements::SUM_PUT, [&names, &sums, &counts]),
        connection.query_if(!changes.is_empty(), statements::TALLY_ADD, [&origins, &kinds, &standings, &changes]),
    )?;
    Ok(())
}

type Told<'p> = BTreeMap<Origin, Vec<&'p Notice>>;

/// The words for each province, in order.
fn tell(notices: &[Notice]) -> Told<'_> {
    let mut told = Told::new();
    for notice in notices {
        told.entry(notice.key.origin).or_default().push(notice);
    }
    told
}

/// Moves the queues of the provinces on; answers with the number before the first word of each. A province that was
/// never enrolled (a scratch registry) has no queue.
async fn numbers(connection: &Connection, told: &Told<'_>) -> Outcome<BTreeMap<Origin, i64>> {
    let origins: Vec<i16> = told.keys().map(|origin| origin_number(*origin)).collect();
    let words: Vec<i64> = told.values().map(|notices| i64::try_from(notices.len()).unwrap_or(i64::MAX)).collect();
    let rows = connection.query_if(!told.is_empty(), statements::NOTICE_NUMBERS, [&origins, &words]).await?;
    rows.iter().map(|row| Ok((codec::origin(row, 0)?, get(row, 1)?))).collect()
}

/// Writes the words at the ends of the provinces' queues.
async fn say(connection: &Connection, told: &Told<'_>, numbers: &BTreeMap<Origin, i64>, now_ms: i64) -> Outcome<()> {
    let (mut seqs, mut rules, mut keys) = (Vec::new(), Vec::new(), Vec::new());
    let mut texts: [Vec<String>; 6] = Default::default();
    for (origin, before) in numbers {
        for (seq, notice) in (before + 1..).zip(told.get(origin).into_iter().flatten()) {
            let words = words(&notice.word);
            let (rule, others, detail) = match &notice.word {
                Word::Accepted => (None, "[]".to_owned(), "{}".to_owned()),
                Word::Rejected(violations) => (None, "[]".to_owned(), json(violations)?),
                Word::Found(found) => (Some(found.rule.name()), json(&found.others)?, json(&found.evidence)?),
                Word::Closed { rule, others, .. } => (Some(rule.name()), json(others)?, "{}".to_owned()),
            };
            keys.push(notice.key);
            seqs.push(seq);
            rules.push(rule);
            let row = [&words.subject, words.outcome, &others, &words.english, &words.vietnamese, &detail];
            texts.iter_mut().zip(row).for_each(|(column, words)| column.push(text(words)));
        }
    }
    let (origins, ids) = columns(&keys);
    let [subjects, outcomes, others, english, vietnamese, details] = &texts;
    let by: [&(dyn tokio_postgres::types::ToSql + Sync); 11] =
        [&origins, &seqs, &ids, subjects, outcomes, &rules, others, english, vietnamese, details, &now_ms];
    connection.query_if(!keys.is_empty(), statements::NOTICE_ADD, by).await.map(drop)
}

/// Notes how far a queue is judged, and each lane with it.
pub(super) async fn watermark(connection: &Connection, applied: &Applied) -> Outcome<()> {
    let (mut origins, mut lanes, mut epochs, mut seqs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for ((origin, lane), (epoch, seq)) in &applied.lanes {
        origins.push(origin_number(*origin));
        lanes.push(i16::from(lane.number()));
        epochs.push(epoch.0.cast_signed());
        seqs.push(seq.0.cast_signed());
    }
    let queue = i16::from(applied.queue.number());
    try_join!(
        connection.query(statements::WATERMARK_SET, [&queue, &applied.journal.0]),
        connection.query_if(
            !origins.is_empty(),
            statements::CURSOR_APPLIED,
            [&origins, &lanes, &epochs, &seqs, &applied.now_ms]
        ),
    )?;
    Ok(())
}
