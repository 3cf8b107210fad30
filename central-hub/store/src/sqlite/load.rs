//! Answering a request of the judgement: every look-up goes by key.

use hub_rules::node::Node;
use hub_rules::{Context, Request};
use registry_schema::ids::RecordKey;
use rusqlite::{Connection, OptionalExtension, params};

use super::codec::{self, damaged};

/// Loads what is asked for, from one snapshot.
pub(super) fn load(connection: &mut Connection, request: Request, context: &mut Context) -> rusqlite::Result<()> {
    let snapshot = connection.transaction()?;
    for key in &request.records {
        record(&snapshot, *key, request.histories.contains(key), context)?;
    }
    blocks(&snapshot, &request, context)?;
    if request.voids {
        voids(&snapshot, context)?;
    }
    clusters(&snapshot, &request, context)?;
    findings(&snapshot, &request, context)?;
    context.answered(request);
    Ok(())
}

fn record(connection: &Connection, key: RecordKey, history: bool, context: &mut Context) -> rusqlite::Result<()> {
    let by = params![key.origin.number(), key.id.number()];
    let present = connection
        .prepare_cached(
            "SELECT version, clock, content_hash, canonical FROM record WHERE origin = ?1 AND record_id = ?2",
        )?
        .query_row(by, |row| codec::state(row, 0))
        .optional()?;
    if let Some(present) = present {
        context.add_record(key, present);
        if history {
            past(connection, key, context)?;
        }
    }
    let mut statement =
        connection.prepare_cached("SELECT role, cluster, person FROM member WHERE origin = ?1 AND record_id = ?2")?;
    let mut rows = statement.query(by)?;
    while let Some(row) = rows.next()? {
        let role = registry_schema::field::Role::from_code(row.get(0)?).ok_or_else(|| damaged("a role"))?;
        context.add_membership(Node::new(key, role), codec::membership(row, 1)?);
    }
    let mut statement = connection.prepare_cached(
        "SELECT body FROM verdict_record JOIN verdict USING (verdict_id) WHERE origin = ?1 AND record_id = ?2",
    )?;
    let mut rows = statement.query(by)?;
    while let Some(row) = rows.next()? {
        let verdict = serde_json::from_str(row.get_ref(0)?.as_str()?).map_err(|_| damaged("a verdict"))?;
        context.add_verdict(verdict);
    }
    Ok(())
}

fn past(connection: &Connection, key: RecordKey, context: &mut Context) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "SELECT version, clock, content_hash, canonical, valid FROM past WHERE origin = ?1 AND record_id = ?2",
    )?;
    let mut rows = statement.query(params![key.origin.number(), key.id.number()])?;
    while let Some(row) = rows.next()? {
        context.add_past(key, codec::state(row, 0)?.rank(), row.get(4)?);
    }
    Ok(())
}

fn blocks(connection: &Connection, request: &Request, context: &mut Context) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "SELECT origin, record_id, role FROM block WHERE block = ?1 ORDER BY origin, record_id, role LIMIT ?2",
    )?;
    let most = i64::try_from(request.nodes_per_block_max).unwrap_or(i64::MAX);
    for block in &request.blocks {
        let mut rows = statement.query([*block, most])?;
        while let Some(row) = rows.next()? {
            context.add_to_block(*block, codec::node(row, 0)?);
        }
    }
    Ok(())
}

fn voids(connection: &Connection, context: &mut Context) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached("SELECT block FROM void_block")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        context.add_void(row.get(0)?);
    }
    Ok(())
}

fn clusters(connection: &Connection, request: &Request, context: &mut Context) -> rusqlite::Result<()> {
    let mut statement =
        connection.prepare_cached("SELECT origin, record_id, role, cluster, person FROM member WHERE cluster = ?1")?;
    for cluster in &request.clusters {
        let mut rows = statement.query([cluster])?;
        while let Some(row) = rows.next()? {
            context.add_to_cluster(codec::node(row, 0)?, codec::membership(row, 3)?);
        }
    }
    Ok(())
}

fn findings(connection: &Connection, request: &Request, context: &mut Context) -> rusqlite::Result<()> {
    let query = format!("SELECT {} FROM finding WHERE scope = ?1", codec::FINDING_COLUMNS);
    let mut statement = connection.prepare_cached(&query)?;
    for scope in &request.scopes {
        let mut rows = statement.query([scope])?;
        while let Some(row) = rows.next()? {
            context.add_finding(codec::finding(row)?);
        }
    }
    Ok(())
}
