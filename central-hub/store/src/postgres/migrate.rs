//! Bringing a database to the newest schema, one hub at a time.

use registry_schema::sql;

use super::codec;
use super::error::{Fault, Outcome};
use super::pool::{Connection, Settings};
use crate::error::StoreError;

/// The oldest server whose SQL this is.
const SERVER_VERSION_MIN: i32 = 150_000;
/// The advisory lock under which schemas are changed: "hoti" and 1.
const LOCK: &str = "SELECT pg_advisory_xact_lock(1752134761, 1)";

/// Looks at the server and brings the database to the newest schema. Refuses foreign databases, newer schemas and
/// servers that are too old; creates tables only where they may be created.
pub(super) async fn migrate(settings: &Settings, create: bool) -> Outcome<()> {
    let connection = settings.connect().await?;
    let unusable = |reason: String| Fault::Said(StoreError::Unusable { place: settings.place.clone(), reason });
    let row = one(
        &connection,
        "SELECT current_setting('server_version_num')::integer, current_setting('transaction_read_only')::boolean,
           current_setting('server_encoding')",
    )
    .await?;
    let (server, read_only) = (codec::get::<i32>(&row, 0)?, codec::get(&row, 1)?);
    let encoding = codec::get::<&str>(&row, 2)?;
    if server < SERVER_VERSION_MIN {
        let (is, least) = (server / 10_000, SERVER_VERSION_MIN / 10_000);
        return Err(unusable(format!("the server is PostgreSQL {is}; this program needs {least} or later")));
    }
    if encoding != "UTF8" {
        return Err(unusable(format!("the database is in {encoding}; create one with `createdb --encoding UTF8`")));
    }
    let known = i32::try_from(sql::NATIONAL_POSTGRES.len()).unwrap_or(i32::MAX);
    if version(&connection).await?.map_err(&unusable)? == known {
        return if read_only && create { Err(read_only_error(settings)) } else { Ok(()) };
    }
    if !create {
        return Err(unusable(
            "there is no store of this release here; `central-hub serve --store postgres://...` makes one".to_owned(),
        ));
    }
    if read_only {
        return Err(read_only_error(settings));
    }
    connection.batch("BEGIN").await?;
    connection.batch(LOCK).await?;
    // Another hub may have been quicker.
    let version = version(&connection).await?.map_err(&unusable)?;
    for migration in &sql::NATIONAL_POSTGRES[usize::try_from(version).unwrap_or_default()..] {
        connection.batch(migration).await?;
    }
    connection
        .batch(&format!(
            "CREATE TABLE IF NOT EXISTS hotich_schema (one smallint PRIMARY KEY CHECK (one = 1), version integer NOT NULL);
             INSERT INTO hotich_schema VALUES (1, {known}) ON CONFLICT (one) DO UPDATE SET version = {known};
             COMMIT"
        ))
        .await
}

fn read_only_error(settings: &Settings) -> Fault {
    Fault::Said(StoreError::ReadOnly { place: settings.place.clone() })
}

/// The version of the schema, 0 for an empty one; or why it cannot be used.
async fn version(connection: &Connection) -> Outcome<Result<i32, String>> {
    let row = one(
        connection,
        "SELECT to_regclass('hotich_schema') IS NOT NULL,
           EXISTS (SELECT 1 FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p'))",
    )
    .await?;
    let (ours, taken) = (codec::get(&row, 0)?, codec::get(&row, 1)?);
    let version = match (ours, taken) {
        (true, _) => codec::get(&one(connection, "SELECT version FROM hotich_schema").await?, 0)?,
        (false, false) => 0,
        (false, true) => {
            return Ok(Err("this is the database of another program; name another one".to_owned()));
        }
    };
    let known = i32::try_from(sql::NATIONAL_POSTGRES.len()).unwrap_or(i32::MAX);
    if version > known {
        return Ok(Err(format!("schema {version} is newer than this program knows ({known}); upgrade it")));
    }
    Ok(Ok(version))
}

async fn one(connection: &Connection, sql: &str) -> Outcome<tokio_postgres::Row> {
    connection.query_once(sql, &[]).await?.pop().ok_or(Fault::Damaged("the schema"))
}
