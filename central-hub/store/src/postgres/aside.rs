//! A registry that is built beside the one that stands, and takes its place in one transaction.
//!
//! It has a schema of its own with the very same tables, made by the very same migrations, so every statement of the
//! registry works in it. What is known of a record alone is poured in by COPY before its index is there; what the
//! judgement finds is committed like any plan. Until it takes its place nobody sees it; one that was interrupted is
//! dropped when the next one begins.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::try_join;
use hub_rules::islands::Settled;
use registry_schema::holdings::{Holding, HoldingsKey, SKETCH_CELLS};
use registry_schema::ids::Origin;
use registry_schema::sql;
use tokio::sync::Mutex;

use super::codec::{self, get, text};
use super::commit::watermark;
use super::error::{Fault, Outcome};
use super::holdings::{make_from_rows, read_keys, store};
use super::pages::{Paging, Stand};
use super::pool::{Connection, Pool, Settings};
use super::seat::{OLD, Seat};
use super::{Postgres, pour, statements};
use crate::error::StoreError;
use crate::model::Applied;
use crate::national::{Answer, Registry as _};

/// The schema in which it is built.
const ASIDE: &str = "hotich_aside";
/// Tables that are not judged from the journal: they stay where they are, and the registry aside has none of them.
const EVIDENCE: [&str; 9] =
    ["journal", "journal_head", "cursor", "resync", "act", "signer", "grants", "nation", "nation_end"];
/// What is appended to its namesake, with the provinces' places in it, and what says in which term it is built.
#[cfg(test)]
const OWN: [&str; 3] = ["notice", "province", "judge"];
/// What takes the place of its namesake.
const JUDGED: [&str; 18] = [
    "watermark",
    "record",
    "past",
    "block",
    "block_page",
    "block_paging",
    "void_block",
    "member",
    "finding",
    "finding_record",
    "verdict",
    "verdict_record",
    "digest",
    "tally",
    "ruling",
    "holding",
    "holding_checkpoint",
    "holding_tail",
];
/// Bytes that the server sorts in memory while it makes an index.
const INDEX_MEMORY: &str = "512MB";
/// Where the registry stands, and whether its tables are spread over machines.
const WHERE_IT_STANDS: &str =
    "SELECT quote_ident(current_schema()), EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus')";
/// The lock of whoever builds aside: "hoti" and 3.
const LOCK: &str = "SELECT pg_try_advisory_lock(1752134761, 3)";
/// How long taking the place waits for those who read, in milliseconds.
const PLACE_TIMEOUT_MS: u32 = 60_000;

/// A registry beside the one that stands.
pub struct Aside {
    registry: Postgres,
    home: String,
    /// The term in which this process judges where the registry stands; who does not judge there may build and look.
    term: Option<i64>,
    holdings: BTreeMap<Origin, (HoldingsKey, Holding)>,
    paging: Paging,
}

impl Aside {
    /// Begins one, empty. `None` where the server spreads tables over machines: those were placed by hand.
    pub(super) async fn begin(beside: &Postgres) -> Answer<Option<Self>> {
        let place = beside.pool.settings().place.clone();
        let term = beside.lead().await?.map(u64::cast_signed);
        let settings = beside.pool.settings().clone();
        let begun = begin(settings, term.unwrap_or_default()).await;
        let Some(Begun { home, settings, builder, keys }) = begun.map_err(|fault| fault.into_store_error(&place))?
        else {
            return Ok(None);
        };
        let seat = Arc::new(Mutex::new(Seat::Taken(builder, term.unwrap_or_default())));
        let registry = Postgres { pool: Arc::new(Pool::new(settings)), seat };
        let holdings = keys.into_iter().map(|(origin, key)| (origin, (key, Holding::with_cells(SKETCH_CELLS))));
        Ok(Some(Self { registry, home, term, holdings: holdings.collect(), paging: Paging::of(0) }))
    }

    /// The store whose registry it is: what is loaded and committed there is aside.
    #[must_use]
    pub const fn registry(&self) -> &Postgres {
        &self.registry
    }

    /// Pours in what is known of records alone. Each record comes once.
    ///
    /// # Errors
    /// The server cannot be written; a part may have been poured, and the registry must be begun anew.
    pub async fn pour(&mut self, settled: &[Settled]) -> Answer<()> {
        for record in settled {
            if let Some((key, holding)) = self.holdings.get_mut(&record.present.key.origin) {
                holding.add(key, record.present.key, &record.held);
            }
        }
        let pool = &self.registry.pool;
        try_join!(
            pool.run(|connection, tries| async move { once(tries, pour::records(&connection, settled)).await }),
            pool.run(|connection, tries| async move { once(tries, pour::past(&connection, settled)).await }),
        )?;
        Ok(())
    }

    /// Says how many participants will stand in blocks altogether, before any is poured in.
    pub fn expect_stands(&mut self, stands: u64) {
        self.paging = Paging::of(stands);
    }

    /// Pours in who stands in which block: everybody in blocks with the same [`high_byte`](super::high_byte), in the order of
    /// blocks, each once.
    ///
    /// # Errors
    /// As [`Aside::pour`].
    pub async fn pour_stands(&self, stands: &[Stand]) -> Answer<()> {
        let (pool, paging) = (&self.registry.pool, self.paging);
        try_join!(
            pool.run(|connection, tries| async move { once(tries, pour::pages(&connection, paging, stands)).await }),
            pool.run(|connection, tries| async move { once(tries, pour::crowds(&connection, stands)).await }),
        )?;
        Ok(())
    }

    /// Makes records findable, once all of them were poured in.
    ///
    /// # Errors
    /// The server cannot be written.
    pub async fn make_findable(&self) -> Answer<()> {
        self.long(
            "ALTER TABLE record ADD PRIMARY KEY (origin, record_id);
             ALTER TABLE past ADD PRIMARY KEY (origin, record_id, version, clock, content_hash)",
        )
        .await
    }

    /// Writes what is known at the end: the blocks in which too many stand, the sums of each province, and the indexes of
    /// the blocks and of persons, by which nobody looks while it is built.
    ///
    /// # Errors
    /// The server cannot be written.
    pub async fn finish(&self, voids: &[i64]) -> Answer<()> {
        let (holdings, shift) = (&self.holdings, self.paging.shift);
        let written = self.registry.pool.run(|connection, _| async move {
            connection.batch("BEGIN").await?;
            connection.query_if(!voids.is_empty(), statements::VOID_ADD, [&voids]).await?;
            connection.query("UPDATE block_paging SET shift = $1 WHERE one = 1", [&shift]).await?;
            for (origin, (_, holding)) in holdings {
                store(&connection, *origin, holding).await?;
            }
            connection.batch("COMMIT").await
        });
        written.await?;
        self.long(
            "ALTER TABLE block ADD PRIMARY KEY (block, origin, record_id, role);
             ALTER TABLE block_page ADD PRIMARY KEY (page);
             CREATE INDEX member_by_person ON member (person);
             ANALYZE",
        )
        .await
    }

    /// Puts this registry in the place of the one that stands, with how far each queue is judged and under what. Answers
    /// with what is to be cleared away then: removing the files of a nation takes a while, and nobody should wait for it.
    ///
    /// # Errors
    /// Another process judges now, or readers do not end; the one that stands stays then.
    pub async fn take_place(self, applied: &[Applied], ruling: &str) -> Answer<Remains> {
        let place = &self.registry.pool.settings().place;
        let term = self.term.ok_or_else(|| StoreError::Busy { place: place.clone() })?;
        match take_place(&self, term, applied, ruling).await {
            Ok(()) => Ok(Remains(self)),
            Err(fault) => Err(fault.into_store_error(place)),
        }
    }

    /// Drops it.
    ///
    /// # Errors
    /// The server cannot be written; what is left is dropped when the next one begins.
    pub async fn abandon(self) -> Answer<()> {
        self.long(&format!("DROP SCHEMA {ASIDE} CASCADE")).await
    }

    /// Runs what may take long, on a connection of its own.
    async fn long(&self, sql: &str) -> Answer<()> {
        let settings = self.registry.pool.settings();
        let run = async {
            let connection = settings.connect().await?;
            connection
                .batch(&format!("SET statement_timeout = 0; SET maintenance_work_mem = '{INDEX_MEMORY}'"))
                .await?;
            connection.batch(sql).await
        };
        run.await.map_err(|fault: Fault| fault.into_store_error(&settings.place))
    }
}

/// What is left of a registry whose place was taken. Where nobody clears it away, the next judge does.
#[must_use]
pub struct Remains(Aside);

impl Remains {
    /// Drops it; until then nobody builds another registry aside.
    ///
    /// # Errors
    /// The server cannot be written.
    pub async fn clear(self) -> Answer<()> {
        self.0.long(&format!("DROP SCHEMA IF EXISTS {OLD} CASCADE; DROP SCHEMA IF EXISTS {ASIDE} CASCADE")).await
    }
}

/// What was poured in before an answer was lost may be there or not.
async fn once<T>(tries: u32, work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    if tries > 0 {
        let reason = "the server hung up while the registry was built aside; it is begun anew".to_owned();
        return Err(Fault::Said(StoreError::Unusable { place: "the store".to_owned(), reason }));
    }
    work.await
}

/// A schema that was made, and whom it belongs to.
struct Begun {
    home: String,
    settings: Settings,
    builder: Connection,
    keys: BTreeMap<Origin, HoldingsKey>,
}

/// Makes the schema on a connection that holds the lock of whoever builds.
async fn begin(settings: Settings, term: i64) -> Outcome<Option<Begun>> {
    let looks = settings.connect().await?;
    let row = looks.query_once(WHERE_IT_STANDS, &[]).await?.pop().ok_or(Fault::Damaged("the schema"))?;
    let (home, is_spread): (String, bool) = (get(&row, 0)?, get(&row, 1)?);
    if is_spread {
        return Ok(None);
    }
    let settings = Settings { schema: Some((ASIDE, home.clone())), ..settings };
    let builder = settings.connect().await?;
    let locked = builder.query_once(LOCK, &[]).await?.pop().ok_or(Fault::Damaged("the lock of who builds"))?;
    if !get::<bool>(&locked, 0)? {
        return Err(Fault::Said(StoreError::Busy { place: settings.place.clone() }));
    }
    builder
        .batch(&format!(
            "BEGIN; SET LOCAL statement_timeout = 0;
             DROP SCHEMA IF EXISTS {OLD} CASCADE; DROP SCHEMA IF EXISTS {ASIDE} CASCADE;
             CREATE SCHEMA {ASIDE}; SET LOCAL search_path = {ASIDE}"
        ))
        .await?;
    for migration in sql::NATIONAL_POSTGRES {
        builder.batch(migration).await?;
    }
    let evidence = EVIDENCE.join(", ");
    builder
        .batch(&format!(
            "DROP TABLE {evidence};
             ALTER TABLE record DROP CONSTRAINT record_pkey; ALTER TABLE past DROP CONSTRAINT past_pkey;
             ALTER TABLE block DROP CONSTRAINT block_pkey; ALTER TABLE block_page DROP CONSTRAINT block_page_pkey;
             DROP INDEX member_by_person;
             UPDATE judge SET term = {term};
             INSERT INTO province SELECT * FROM {home}.province; UPDATE province SET notice_seq = 0;
             INSERT INTO holding SELECT * FROM {home}.holding;
             UPDATE holding SET count = 0, tail_no = 0, tail_items = 0, sum = decode(repeat('00', 32), 'hex');
             COMMIT"
        ))
        .await?;
    let keys = read_keys(&builder).await?;
    Ok(Some(Begun { home, settings, builder, keys }))
}

async fn take_place(aside: &Aside, term: i64, applied: &[Applied], ruling: &str) -> Outcome<()> {
    let home = &aside.home;
    let connection = aside.registry.pool.settings().connect().await?;
    connection
        .batch(&format!(
            "BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = {PLACE_TIMEOUT_MS};
             SET LOCAL synchronous_commit = on"
        ))
        .await?;
    let fence = format!("UPDATE {home}.judge SET commit_id = 0 WHERE one = 1 AND term = $1 RETURNING term");
    if connection.query_once(&fence, &[&term]).await?.is_empty() {
        return Err(Fault::Said(StoreError::Busy { place: aside.registry.pool.settings().place.clone() }));
    }
    adopt(&connection, home).await?;
    for applied in applied {
        watermark(&connection, applied).await?;
    }
    connection.query("INSERT INTO ruling (one, words) VALUES (1, $1)", [&text(ruling)]).await?;
    let mut moves = grants(&connection, home).await?;
    moves.insert_str(
        0,
        &format!(
            "INSERT INTO {home}.notice (notice_seq, record_id, said_ms, origin, subject, outcome, rule, others, english,
               vietnamese, detail)
             SELECT said.notice_seq + province.notice_seq, record_id, said_ms, origin, subject, outcome, rule, others,
               english, vietnamese, detail
             FROM {ASIDE}.notice AS said JOIN {home}.province USING (origin);
             UPDATE {home}.province AS there SET notice_seq = there.notice_seq + here.notice_seq
             FROM {ASIDE}.province AS here WHERE here.origin = there.origin;
             CREATE SCHEMA {OLD};"
        ),
    );
    for table in JUDGED {
        moves.push_str(&format!(
            "ALTER TABLE {home}.{table} SET SCHEMA {OLD}; ALTER TABLE {ASIDE}.{table} SET SCHEMA {home};"
        ));
    }
    moves.push_str("COMMIT");
    connection.batch(&moves).await
}

/// Takes over the keys of provinces that came while it was built, with sums of what is known of them.
async fn adopt(connection: &Connection, home: &str) -> Outcome<()> {
    let sql = format!(
        "INSERT INTO holding SELECT * FROM {home}.holding WHERE origin NOT IN (SELECT origin FROM holding)
         RETURNING origin"
    );
    for row in connection.query_once(&sql, &[]).await? {
        make_from_rows(connection, codec::origin(&row, 0)?).await?;
    }
    // How the last comparison ended is no judgement.
    connection
        .batch(&format!(
            "UPDATE holding AS here SET compared_ms = there.compared_ms, roots_agree = there.roots_agree
             FROM {home}.holding AS there WHERE there.origin = here.origin"
        ))
        .await
}

/// What others were allowed to do with the tables that stand, as statements about those that take their place.
async fn grants(connection: &Connection, home: &str) -> Outcome<String> {
    const SQL: &str = "SELECT format('GRANT %s ON %I.%I TO %s%s;', privilege_type, $2::text, relname,
           CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
           CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
         FROM pg_class, aclexplode(relacl)
         WHERE relnamespace = $1::text::regnamespace AND relname = ANY ($3::text[]) AND grantee <> relowner";
    let rows = connection.query_once(SQL, &[&home, &ASIDE, &JUDGED.as_slice()]).await?;
    rows.iter().map(|row| get::<String>(row, 0)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn it_is_known_of_every_table_what_becomes_of_it() {
        let made = sql::NATIONAL_POSTGRES.iter().flat_map(|sql| sql.split("CREATE TABLE ").skip(1));
        let made: BTreeSet<&str> = made.filter_map(|rest| rest.split([' ', '(']).next()).collect();
        let known: BTreeSet<&str> = JUDGED.into_iter().chain(EVIDENCE).chain(OWN).collect();
        assert!(made.len() > 20, "the tables were not found: {made:?}");
        assert_eq!(made, known);
    }
}
