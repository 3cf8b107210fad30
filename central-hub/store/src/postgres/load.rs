//! Answering a request of the judgement: every look-up goes by key, all keys of a kind in one statement, all statements
//! without waiting for each other.

use futures::try_join;
use hub_rules::{Context, Request};
use tokio_postgres::Row;

use super::codec::{self, columns, get};
use super::error::Outcome;
use super::pages::Page;
use super::pool::Connection;
use super::statements;

/// The rows that answer a request.
#[derive(Default)]
pub(super) struct Loaded {
    records: Vec<Row>,
    past: Vec<Row>,
    members: Vec<Row>,
    verdicts: Vec<Row>,
    blocks: Vec<Row>,
    pages: Vec<Row>,
    voids: Vec<Row>,
    clusters: Vec<Row>,
    findings: Vec<Row>,
}

/// Reads what is asked for, from one snapshot.
pub(super) async fn read(connection: &Connection, request: &Request) -> Outcome<Loaded> {
    let (origins, ids) = columns(&request.records);
    let (past_origins, past_ids) = columns(&request.histories);
    let blocks: Vec<i64> = request.blocks.iter().copied().collect();
    let most = i64::try_from(request.nodes_per_block_max).unwrap_or(i64::MAX);
    let clusters: Vec<i64> = request.clusters.iter().copied().collect();
    let scopes: Vec<i64> = request.scopes.iter().copied().collect();
    let (any_record, any_past) = (!ids.is_empty(), !past_ids.is_empty());
    let begin = statements::begin_look();
    let ((), records, past, members, verdicts, blocks, pages, voids, clusters, findings, ()) = try_join!(
        connection.batch(&begin),
        connection.query_if(any_record, statements::RECORDS, [&origins, &ids]),
        connection.query_if(any_past, statements::PAST_RANKS, [&past_origins, &past_ids]),
        connection.query_if(any_record, statements::MEMBERS, [&origins, &ids]),
        connection.query_if(any_record, statements::VERDICTS, [&origins, &ids]),
        connection.query_if(!blocks.is_empty(), statements::BLOCKS, [&blocks, &most]),
        connection.query_if(!blocks.is_empty(), statements::BLOCK_PAGES, [&blocks]),
        connection.query_if(request.voids, statements::VOIDS, []),
        connection.query_if(!clusters.is_empty(), statements::CLUSTERS, [&clusters]),
        connection.query_if(!scopes.is_empty(), statements::FINDINGS, [&scopes]),
        connection.batch("COMMIT"),
    )?;
    Ok(Loaded { records, past, members, verdicts, blocks, pages, voids, clusters, findings })
}

impl Loaded {
    /// Puts everything into the context.
    pub(super) fn tell(&self, request: Request, context: &mut Context) -> Outcome<()> {
        for row in &self.records {
            context.add_record(codec::key(row, 0)?, codec::state(row, 2)?);
        }
        for row in &self.past {
            context.add_past(codec::key(row, 0)?, codec::rank(row, 2)?, get(row, 5)?);
        }
        for row in &self.members {
            context.add_membership(codec::node(row, 0)?, codec::membership(row, 3)?);
        }
        for row in &self.verdicts {
            context.add_verdict(codec::verdict(row)?);
        }
        for row in &self.blocks {
            context.add_to_block(get(row, 0)?, codec::node(row, 1)?);
        }
        for row in &self.pages {
            for (block, node) in Page::read(row)?.of_blocks(&request.blocks)? {
                context.add_to_block(block, node);
            }
        }
        for row in &self.voids {
            context.add_void(get(row, 0)?);
        }
        for row in &self.clusters {
            context.add_to_cluster(codec::node(row, 0)?, codec::membership(row, 3)?);
        }
        for row in &self.findings {
            context.add_finding(codec::finding(row)?);
        }
        context.answered(request);
        Ok(())
    }
}
