//! Pouring rows into tables that nobody sees yet, by COPY.

use std::pin::{Pin, pin};

use hub_rules::islands::{Settled, is_crowd};
use hub_rules::node::Node;
use hub_rules::plan::{PastRow, RecordRow};
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};

use super::codec::origin_number;
use super::error::Outcome;
use super::pages::{self, Paging, Stand};
use super::pool::Connection;

/// Records' present states.
pub(super) async fn records(connection: &Connection, settled: &[Settled]) -> Outcome<()> {
    const SQL: &str = "COPY record (origin, record_id, kind, standing, version, clock, content_hash, canonical)
         FROM STDIN (FORMAT binary)";
    const TYPES: [Type; 8] =
        [Type::INT2, Type::INT8, Type::INT2, Type::INT2, Type::INT8, Type::INT8, Type::BYTEA, Type::BYTEA];
    let mut copy = pin!(connection.copy_in(SQL, &TYPES).await?);
    for record in settled {
        let RecordRow { key, kind, standing, state } = &record.present;
        let by: [&(dyn ToSql + Sync); 8] = [
            &origin_number(key.origin),
            &key.id.number(),
            &i16::from(*kind),
            &i16::from(standing.number()),
            &i64::from(state.version.0),
            &state.clock.number().cast_signed(),
            &&state.content_hash.0[..],
            &&state.canonical[..],
        ];
        copy.as_mut().write(&by).await?;
    }
    finish(copy).await
}

/// All their other states.
pub(super) async fn past(connection: &Connection, settled: &[Settled]) -> Outcome<()> {
    const SQL: &str = "COPY past (origin, record_id, version, clock, content_hash, canonical, valid)
         FROM STDIN (FORMAT binary)";
    const TYPES: [Type; 7] = [Type::INT2, Type::INT8, Type::INT8, Type::INT8, Type::BYTEA, Type::BYTEA, Type::BOOL];
    let rows: Vec<&PastRow> = settled.iter().flat_map(|record| &record.past).collect();
    if rows.is_empty() {
        return Ok(());
    }
    let mut copy = pin!(connection.copy_in(SQL, &TYPES).await?);
    for PastRow { key, state, valid } in rows {
        let by: [&(dyn ToSql + Sync); 7] = [
            &origin_number(key.origin),
            &key.id.number(),
            &i64::from(state.version.0),
            &state.clock.number().cast_signed(),
            &&state.content_hash.0[..],
            &&state.canonical[..],
            valid,
        ];
        copy.as_mut().write(&by).await?;
    }
    finish(copy).await
}

/// Pages of everybody who does not stand in a crowd.
pub(super) async fn pages(connection: &Connection, paging: Paging, stands: &[Stand]) -> Outcome<()> {
    const SQL: &str = "COPY block_page (page, stands) FROM STDIN (FORMAT binary)";
    let mut copy = pin!(connection.copy_in(SQL, &[Type::INT8, Type::BYTEA]).await?);
    for of_page in stands.chunk_by(|one, other| paging.page(one.0) == paging.page(other.0)) {
        let bytes = pages::encode(blocks(of_page).filter(|block| !is_crowd(block.len())).flatten());
        if !bytes.is_empty() {
            copy.as_mut().write(&[&paging.page(of_page[0].0), &bytes]).await?;
        }
    }
    finish(copy).await
}

/// Rows of everybody who does.
pub(super) async fn crowds(connection: &Connection, stands: &[Stand]) -> Outcome<()> {
    const SQL: &str = "COPY block (block, origin, record_id, role) FROM STDIN (FORMAT binary)";
    const TYPES: [Type; 4] = [Type::INT8, Type::INT2, Type::INT8, Type::INT2];
    let crowds: Vec<&Stand> = blocks(stands).filter(|block| is_crowd(block.len())).flatten().collect();
    if crowds.is_empty() {
        return Ok(());
    }
    let mut copy = pin!(connection.copy_in(SQL, &TYPES).await?);
    for (block, Node { key, role }) in crowds {
        let by: [&(dyn ToSql + Sync); 4] =
            [block, &origin_number(key.origin), &key.id.number(), &i16::from(role.code())];
        copy.as_mut().write(&by).await?;
    }
    finish(copy).await
}

/// Stands by block.
fn blocks(stands: &[Stand]) -> impl Iterator<Item = &[Stand]> {
    stands.chunk_by(|one, other| one.0 == other.0)
}

async fn finish(copy: Pin<&mut BinaryCopyInWriter>) -> Outcome<()> {
    Ok(copy.finish().await.map(drop)?)
}
