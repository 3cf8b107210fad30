//! The incarnations of the nation in SQLite.

use registry_schema::ids::Origin;
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use super::Sqlite;
use crate::lineage::{Heard, Lineage, common};
use crate::national::Answer;

impl Lineage for Sqlite {
    async fn resume(&self, origin: Origin, heard: Heard, fresh: u64) -> Answer<Heard> {
        self.writer.run(move |connection| resume(connection, origin, heard, fresh)).await
    }

    async fn begin_again(&self, nation: u64, now_ms: i64) -> Answer<()> {
        self.writer.run(move |connection| begin_again(connection, nation, now_ms)).await
    }
}

fn resume(connection: &mut Connection, origin: Origin, heard: Heard, fresh: u64) -> rusqlite::Result<Heard> {
    let present = "SELECT id FROM nation ORDER BY number DESC LIMIT 1";
    let read = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0).map(i64::cast_unsigned);
    let nation = match connection.prepare_cached(present)?.query_row((), read).optional()? {
        Some(nation) => nation,
        None => {
            let sql = "INSERT OR IGNORE INTO nation (number, id, began_ms) VALUES (1, ?1, 0)";
            connection.execute(sql, [fresh.cast_signed()])?;
            connection.query_row(present, (), read)?
        }
    };
    let said = connection
        .prepare_cached("SELECT notice_seq FROM province WHERE origin = ?1")?
        .query_row([origin.number()], read)
        .optional()?;
    let mut ends = connection.prepare_cached(
        "SELECT nation.id, nation_end.notice_seq FROM nation JOIN nation_end USING (number) WHERE origin = ?1",
    )?;
    let ended = ends
        .query_map([origin.number()], |row| {
            Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get::<_, i64>(1)?.cast_unsigned()))
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(Heard { nation, position: common(heard, nation, said.unwrap_or_default(), &ended) })
}

/// Ends the present incarnation and begins another.
pub(super) fn begin_again(connection: &mut Connection, nation: u64, now_ms: i64) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute(
        "INSERT INTO nation_end (number, origin, notice_seq)
         SELECT (SELECT max(number) FROM nation), origin, notice_seq FROM province
         WHERE EXISTS (SELECT 1 FROM nation)",
        (),
    )?;
    transaction.execute(
        "INSERT INTO nation (number, id, began_ms) SELECT coalesce(max(number), 0) + 1, ?1, ?2 FROM nation",
        params![nation.cast_signed(), now_ms],
    )?;
    transaction.commit()
}
