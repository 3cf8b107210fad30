//! Carrying out a plan to the letter, with the watermark, in one transaction.

use hub_rules::Plan;
use hub_rules::finding::{Finding, FindingId};
use hub_rules::node::Node;
use hub_rules::plan::{Notice, RecordRow, Word};
use hub_rules::words::words;
use registry_schema::digest::SetSum;
use registry_schema::ids::{Origin, RecordKey};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::codec::{damaged, hash, json};
use super::holdings;
use crate::model::Applied;

/// Commits a plan and how far it goes.
pub(super) fn commit(connection: &mut Connection, plan: &Plan, applied: &Applied) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    records(&transaction, plan)?;
    blocks(&transaction, plan)?;
    members(&transaction, plan)?;
    findings(&transaction, plan, applied.now_ms)?;
    verdicts(&transaction, plan)?;
    sums(&transaction, plan)?;
    holdings::commit(&transaction, plan)?;
    for notice in &plan.notices {
        say(&transaction, notice, applied.now_ms)?;
    }
    watermark(&transaction, applied)?;
    fail::fail_point!("hub.plan.before");
    transaction.commit()?;
    fail::fail_point!("hub.plan.after");
    Ok(())
}

fn records(transaction: &Transaction<'_>, plan: &Plan) -> rusqlite::Result<()> {
    let mut past = transaction.prepare_cached(
        "INSERT OR IGNORE INTO past (origin, record_id, version, clock, content_hash, canonical, valid)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for row in &plan.past {
        past.execute(params![
            row.key.origin.number(),
            row.key.id.number(),
            row.state.version.0,
            row.state.clock.number().cast_signed(),
            row.state.content_hash.0,
            &row.state.canonical[..],
            row.valid
        ])?;
    }
    present(transaction, &plan.records)
}

/// Writes records' present states over whatever stands there.
fn present(transaction: &Transaction<'_>, rows: &[RecordRow]) -> rusqlite::Result<()> {
    let mut present = transaction.prepare_cached(
        "INSERT OR REPLACE INTO record (origin, record_id, kind, standing, version, clock, content_hash, canonical)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    for row in rows {
        present.execute(params![
            row.key.origin.number(),
            row.key.id.number(),
            row.kind,
            row.standing.number(),
            row.state.version.0,
            row.state.clock.number().cast_signed(),
            row.state.content_hash.0,
            &row.state.canonical[..]
        ])?;
    }
    Ok(())
}

fn blocks(transaction: &Transaction<'_>, plan: &Plan) -> rusqlite::Result<()> {
    let mut remove = transaction
        .prepare_cached("DELETE FROM block WHERE block = ?1 AND origin = ?2 AND record_id = ?3 AND role = ?4")?;
    for (block, node) in &plan.keys_removed {
        let (origin, id, role) = parts(*node);
        remove.execute(params![block, origin, id, role])?;
    }
    let mut add = transaction
        .prepare_cached("INSERT OR IGNORE INTO block (block, origin, record_id, role) VALUES (?1, ?2, ?3, ?4)")?;
    let mut keys = plan.keys_added.clone();
    keys.sort_unstable();
    for (block, node) in keys {
        let (origin, id, role) = parts(node);
        add.execute(params![block, origin, id, role])?;
    }
    let mut close = transaction.prepare_cached("INSERT OR IGNORE INTO void_block (block) VALUES (?1)")?;
    for block in &plan.voids_added {
        close.execute([block])?;
    }
    let mut open = transaction.prepare_cached("DELETE FROM void_block WHERE block = ?1")?;
    for block in &plan.voids_removed {
        open.execute([block])?;
    }
    Ok(())
}

fn members(transaction: &Transaction<'_>, plan: &Plan) -> rusqlite::Result<()> {
    let mut remove =
        transaction.prepare_cached("DELETE FROM member WHERE origin = ?1 AND record_id = ?2 AND role = ?3")?;
    for node in &plan.members_removed {
        remove.execute(parts(*node))?;
    }
    let mut put = transaction.prepare_cached(
        "INSERT OR REPLACE INTO member (origin, record_id, role, cluster, person) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for (node, membership) in plan.members_put() {
        let (origin, id, role) = parts(*node);
        put.execute(params![origin, id, role, membership.cluster, membership.person.0])?;
    }
    Ok(())
}

fn findings(transaction: &Transaction<'_>, plan: &Plan, now_ms: i64) -> rusqlite::Result<()> {
    for id in &plan.findings_removed {
        forget_finding(transaction, *id)?;
    }
    for finding in &plan.findings_put {
        forget_finding(transaction, finding.id)?;
        write_finding(transaction, finding, now_ms)?;
    }
    Ok(())
}

fn forget_finding(transaction: &Transaction<'_>, id: FindingId) -> rusqlite::Result<()> {
    let records: Option<String> = transaction
        .prepare_cached("DELETE FROM finding WHERE finding_id = ?1 RETURNING records")?
        .query_row([id.0], |row| row.get(0))
        .optional()?;
    let records: Vec<RecordKey> = match records {
        Some(json) => serde_json::from_str(&json).map_err(|_| damaged("the records of a finding"))?,
        None => return Ok(()),
    };
    let mut statement = transaction
        .prepare_cached("DELETE FROM finding_record WHERE origin = ?1 AND record_id = ?2 AND finding_id = ?3")?;
    for key in records {
        statement.execute(params![key.origin.number(), key.id.number(), id.0])?;
    }
    Ok(())
}

fn write_finding(transaction: &Transaction<'_>, finding: &Finding, now_ms: i64) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO finding (finding_id, rule, certainty, scope, records, evidence, answer, chosen, changed_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            finding.id.0,
            finding.rule.name(),
            finding.certainty.number(),
            finding.scope,
            json(&finding.records)?,
            json(&finding.evidence)?,
            finding.answer.map(hub_rules::verdict::Answer::name),
            finding.chosen.map(|key| key.to_string()),
            now_ms
        ])?;
    let mut statement =
        transaction.prepare_cached("INSERT INTO finding_record (origin, record_id, finding_id) VALUES (?1, ?2, ?3)")?;
    for key in &finding.records {
        statement.execute(params![key.origin.number(), key.id.number(), finding.id.0])?;
    }
    Ok(())
}

fn verdicts(transaction: &Transaction<'_>, plan: &Plan) -> rusqlite::Result<()> {
    for verdict in &plan.verdicts {
        let id = verdict.id();
        transaction
            .prepare_cached("INSERT OR IGNORE INTO verdict (verdict_id, case_id, body) VALUES (?1, ?2, ?3)")?
            .execute(params![id.0, verdict.case.0, json(verdict)?])?;
        let mut statement = transaction.prepare_cached(
            "INSERT OR IGNORE INTO verdict_record (origin, record_id, verdict_id) VALUES (?1, ?2, ?3)",
        )?;
        for key in &verdict.records {
            statement.execute(params![key.origin.number(), key.id.number(), id.0])?;
        }
    }
    Ok(())
}

fn sums(transaction: &Transaction<'_>, plan: &Plan) -> rusqlite::Result<()> {
    for (section, change) in plan.digests.iter() {
        let mut sum = section_sum(transaction, section.name())?;
        sum.merge(change);
        transaction
            .prepare_cached("INSERT OR REPLACE INTO digest (section, sum, count) VALUES (?1, ?2, ?3)")?
            .execute(params![section.name(), sum.to_bytes(), sum.count()])?;
    }
    let mut count = transaction.prepare_cached(
        "INSERT INTO tally (origin, kind, standing, count) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (origin, kind, standing) DO UPDATE SET count = count + excluded.count",
    )?;
    for ((origin, kind, standing), change) in &plan.counts {
        count.execute(params![origin.number(), kind, standing.number(), change])?;
    }
    Ok(())
}

/// The stored sum of a section.
pub(super) fn section_sum(connection: &Connection, section: &str) -> rusqlite::Result<SetSum> {
    let row = connection
        .prepare_cached("SELECT sum, count FROM digest WHERE section = ?1")?
        .query_row([section], |row| Ok((hash(row.get_ref(0)?.as_blob()?)?, row.get::<_, i64>(1)?)))
        .optional()?;
    Ok(row.map(|(sum, count)| SetSum::from_parts(&sum.0, count)).unwrap_or_default())
}

/// Writes a notice at the end of its province's queue.
fn say(transaction: &Transaction<'_>, notice: &Notice, now_ms: i64) -> rusqlite::Result<()> {
    let Some(seq) = next_notice(transaction, notice.key.origin)? else { return Ok(()) };
    let words = words(&notice.word);
    let (rule, others, detail) = match &notice.word {
        Word::Accepted => (None, json(&Vec::<RecordKey>::new())?, "{}".to_owned()),
        Word::Rejected(violations) => (None, json(&Vec::<RecordKey>::new())?, json(violations)?),
        Word::Found(found) => (Some(found.rule.name()), json(&found.others)?, json(&found.evidence)?),
        Word::Closed { rule, others, .. } => (Some(rule.name()), json(others)?, "{}".to_owned()),
    };
    transaction
        .prepare_cached(
            "INSERT INTO notice (origin, notice_seq, record_id, subject, outcome, rule, others, english, vietnamese,
             detail, said_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute(params![
            notice.key.origin.number(),
            seq,
            notice.key.id.number(),
            words.subject,
            words.outcome,
            rule,
            others,
            words.english,
            words.vietnamese,
            detail,
            now_ms
        ])?;
    Ok(())
}

/// The next number of a province's queue; `None` for a province that was never enrolled (a scratch registry).
fn next_notice(transaction: &Transaction<'_>, origin: Origin) -> rusqlite::Result<Option<i64>> {
    transaction
        .prepare_cached("UPDATE province SET notice_seq = notice_seq + 1 WHERE origin = ?1 RETURNING notice_seq")?
        .query_row([origin.number()], |row| row.get(0))
        .optional()
}

fn watermark(transaction: &Transaction<'_>, applied: &Applied) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("UPDATE watermark SET journal_id = ?1 WHERE queue = ?2 AND journal_id < ?1")?
        .execute(params![applied.journal.0, applied.queue.number()])?;
    let mut statement = transaction.prepare_cached(
        "UPDATE cursor SET applied_seq = max(applied_seq, ?3), applied_ms = ?4
         WHERE origin = ?1 AND lane = ?2 AND epoch = ?5",
    )?;
    for ((origin, lane), (epoch, seq)) in &applied.lanes {
        statement.execute(params![
            origin.number(),
            lane.number(),
            seq.0.cast_signed(),
            applied.now_ms,
            epoch.0.cast_signed()
        ])?;
    }
    Ok(())
}

fn parts(node: Node) -> (u16, i64, u8) {
    (node.key.origin.number(), node.key.id.number(), node.role.code())
}
