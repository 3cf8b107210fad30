//! The kept sums: what a commit adds to them, and how they are read.

use std::collections::BTreeMap;

use futures::try_join;
use hub_rules::Plan;
use hub_rules::plan::{HeldBefore, HeldMove};
use registry_schema::digest::SetSum;
use registry_schema::holdings::{Buckets, Delta, HOLDINGS_VERSION, Held, Holding, HoldingsKey, Sketch};
use registry_schema::ids::{Origin, RecordKey};
use tokio_postgres::Row;

use super::super::codec::{self, columns, get, hash, origin_number};
use super::super::error::{Fault, Outcome};
use super::super::pool::Connection;
use super::super::statements;
use crate::holdings::{TAIL_ITEMS_MAX, delta};

/// What a commit must know of the holdings that it moves.
pub(in super::super) struct Known {
    rows: BTreeMap<Origin, HoldingRow>,
    before: BTreeMap<RecordKey, Held>,
}

pub(super) struct HoldingRow {
    pub(super) key: HoldingsKey,
    pub(super) sum: SetSum,
    tail_no: i64,
    tail_items: i64,
}

impl HoldingRow {
    const fn is_full(&self) -> bool {
        self.tail_items > TAIL_ITEMS_MAX
    }
}

/// Reads what a plan moves; in the judge's transaction, behind its fence.
pub(in super::super) async fn read(connection: &Connection, plan: &Plan) -> Outcome<Known> {
    let mut origins: Vec<Origin> = plan.held.iter().map(|moved| moved.key.origin).collect();
    origins.sort_unstable();
    origins.dedup();
    let (rows, before) = try_join!(read_rows(connection, &origins), befores(connection, &plan.held))?;
    Ok(Known { rows, before })
}

/// Folds the deltas of holdings that have too many of them, in the judge's transaction, before more are written.
pub(in super::super) async fn fold(connection: &Connection, known: &Known) -> Outcome<()> {
    for (origin, row) in known.rows.iter().filter(|(_, row)| row.is_full()) {
        let folded = read_holding(connection, *origin, &row.key).await?;
        store(connection, *origin, &folded).await?;
    }
    Ok(())
}

/// Writes the roots, and a delta for everything else.
pub(in super::super) async fn write(connection: &Connection, plan: &Plan, known: &Known) -> Outcome<()> {
    let (mut origins, mut sums, mut counts) = (Vec::new(), Vec::new(), Vec::new());
    let (mut numbers, mut items, mut deltas) = (Vec::new(), Vec::new(), Vec::new());
    for (origin, row) in &known.rows {
        let delta = delta(&row.key, *origin, &plan.held, &known.before);
        let mut sum = row.sum;
        sum.merge(delta.root());
        let before = if row.is_full() { 0 } else { row.tail_items };
        let tail_items = before + i64::try_from(delta.items()).unwrap_or(i64::MAX);
        origins.push(origin_number(*origin));
        sums.push(sum.to_bytes().to_vec());
        counts.push(sum.count());
        numbers.push(row.tail_no + 1);
        items.push(tail_items);
        deltas.push(delta.encode());
    }
    let any = !origins.is_empty();
    try_join!(
        connection.query_if(any, statements::HOLDING_PUT, [&origins, &sums, &counts, &numbers, &items]),
        connection.query_if(any, statements::HOLDING_TAIL_ADD, [&origins, &numbers, &deltas]),
    )?;
    Ok(())
}

/// Forgets what was heard, inside a transaction; the keys stay.
pub(in super::super) async fn reset(connection: &Connection) -> Outcome<()> {
    for row in connection.query_once("SELECT origin FROM holding", &[]).await? {
        store(connection, codec::origin(&row, 0)?, &Holding::default()).await?;
    }
    Ok(())
}

pub(super) async fn read_rows(connection: &Connection, origins: &[Origin]) -> Outcome<BTreeMap<Origin, HoldingRow>> {
    let numbers: Vec<i16> = origins.iter().copied().map(origin_number).collect();
    let rows = connection.query_if(!numbers.is_empty(), statements::HOLDINGS, [&numbers]).await?;
    let row = |row: &Row| {
        let key = get::<&[u8]>(row, 1)?.try_into().map_err(|_| Fault::Damaged("the key of a holding"))?;
        let holding = HoldingRow {
            key: HoldingsKey::from_bytes(key),
            sum: SetSum::from_parts(&hash(row, 2)?.0, get(row, 3)?),
            tail_no: get(row, 4)?,
            tail_items: get(row, 5)?,
        };
        Ok((codec::origin(row, 0)?, holding))
    };
    rows.iter().map(row).collect()
}

/// The states that the moves begin from. Those that are in the past are read there for their bytes.
async fn befores(connection: &Connection, moves: &[HeldMove]) -> Outcome<BTreeMap<RecordKey, Held>> {
    let mut befores = BTreeMap::new();
    let (mut keys, mut versions, mut clocks, mut hashes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for moved in moves {
        match &moved.before {
            None => {}
            Some(HeldBefore::Present(held)) => drop(befores.insert(moved.key, *held)),
            Some(HeldBefore::Past((version, clock, content))) => {
                keys.push(moved.key);
                versions.push(i64::from(version.0));
                clocks.push(clock.number().cast_signed());
                hashes.push(content.0.to_vec());
            }
        }
    }
    let (origins, ids) = columns(&keys);
    let by: [&(dyn tokio_postgres::types::ToSql + Sync); 5] = [&origins, &ids, &versions, &clocks, &hashes];
    for row in connection.query_if(!keys.is_empty(), statements::PAST_STATES, by).await? {
        befores.insert(codec::key(&row, 0)?, codec::state(&row, 2)?.held());
    }
    Ok(befores)
}

/// The checkpoint with every delta since.
pub(super) async fn read_holding(connection: &Connection, origin: Origin, key: &HoldingsKey) -> Outcome<Holding> {
    let number = origin_number(origin);
    let checkpoint = connection.query("SELECT buckets, sketch FROM holding_checkpoint WHERE origin = $1", [&number]);
    let row = checkpoint.await?.pop().ok_or(Fault::Damaged("the sums of a holding"))?;
    let unread = |_| Fault::Damaged("the sums of a holding");
    let buckets = Buckets::decode(get(&row, 0)?).map_err(unread)?;
    let sketch = Sketch::decode(get(&row, 1)?).map_err(unread)?;
    let mut holding = Holding { buckets, sketch };
    for row in connection.query("SELECT delta FROM holding_tail WHERE origin = $1 ORDER BY tail_no", [&number]).await? {
        let delta = Delta::decode(get(&row, 0)?).map_err(|_| Fault::Damaged("a delta of a holding"))?;
        holding.apply(key, &delta);
    }
    Ok(holding)
}

/// Writes a whole holding; nothing is left of the deltas.
pub(in super::super) async fn store(connection: &Connection, origin: Origin, holding: &Holding) -> Outcome<()> {
    let (number, root) = (origin_number(origin), holding.root());
    let version = i16::from(HOLDINGS_VERSION);
    let (buckets, sketch, sum) = (holding.buckets.encode(), holding.sketch.encode(), root.to_bytes().to_vec());
    connection.query("DELETE FROM holding_tail WHERE origin = $1", [&number]).await?;
    connection
        .query(
            "INSERT INTO holding_checkpoint (origin, buckets, sketch) VALUES ($1, $2, $3)
             ON CONFLICT (origin) DO UPDATE SET buckets = excluded.buckets, sketch = excluded.sketch",
            [&number, &buckets, &sketch],
        )
        .await?;
    connection
        .query(
            "UPDATE holding SET sum = $2, count = $3, tail_items = 0, digest_version = $4 WHERE origin = $1",
            [&number, &sum, &root.count(), &version],
        )
        .await
        .map(drop)
}
