//! The incarnations of the nation in PostgreSQL.

use registry_schema::ids::Origin;

use super::Postgres;
use super::codec::{origin_number, unsigned};
use super::error::Fault;
use crate::lineage::{Heard, Lineage, common};
use crate::national::Answer;

/// The last word said to a province, and each incarnation, oldest first, with the last word that it left behind.
const READ: &str = "SELECT coalesce((SELECT notice_seq FROM province WHERE origin = $1), 0), nation.id,
           coalesce(nation_end.notice_seq, 0)
     FROM nation LEFT JOIN nation_end ON nation_end.number = nation.number AND nation_end.origin = $1
     ORDER BY nation.number";
const FIRST: &str = "INSERT INTO nation (number, id, began_ms) VALUES (1, $1, 0) ON CONFLICT (number) DO NOTHING";
/// The second try of a transaction whose answer was lost finds the incarnation there already.
const BEGIN_AGAIN: &str = "WITH new AS (
         INSERT INTO nation (number, id, began_ms)
         SELECT coalesce((SELECT max(number) FROM nation), 0) + 1, $1, $2
         WHERE NOT EXISTS (SELECT 1 FROM nation WHERE id = $1)
         RETURNING number)
     INSERT INTO nation_end (number, origin, notice_seq)
     SELECT new.number - 1, province.origin, province.notice_seq FROM new, province WHERE new.number > 1";

impl Lineage for Postgres {
    async fn resume(&self, origin: Origin, heard: Heard, fresh: u64) -> Answer<Heard> {
        let (number, fresh) = (origin_number(origin), fresh.cast_signed());
        let read = self.pool.run(|connection, _| async move {
            let mut rows = connection.query(READ, [&number]).await?;
            if rows.is_empty() {
                connection.query(FIRST, [&fresh]).await?;
                rows = connection.query(READ, [&number]).await?;
            }
            let read = |row| Ok((unsigned(row, 0)?, unsigned(row, 1)?, unsigned(row, 2)?));
            rows.iter().map(read).collect::<Result<Vec<(u64, u64, u64)>, Fault>>()
        });
        let mut ended: Vec<(u64, u64)> = Vec::new();
        let mut present = Heard { nation: 0, position: 0 };
        for (said, nation, end) in read.await? {
            ended.push((nation, end));
            present = Heard { nation, position: said };
        }
        ended.pop();
        Ok(Heard { position: common(heard, present.nation, present.position, &ended), ..present })
    }

    async fn begin_again(&self, nation: u64, now_ms: i64) -> Answer<()> {
        let nation = nation.cast_signed();
        let done = self
            .pool
            .run(|connection, _| async move { connection.query(BEGIN_AGAIN, [&nation, &now_ms]).await.map(drop) });
        done.await
    }
}
