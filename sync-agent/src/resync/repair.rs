//! What a difference does to the store: an entry is sent again, taken from the centre, or set aside.

use std::collections::BTreeMap;

use registry_proto::frame::Change;
use registry_schema::canonical;
use registry_schema::clock::Hlc;
use registry_schema::digest::content_hash;
use registry_schema::draft::Draft;
use registry_schema::holdings::{Bucket, Held};
use registry_schema::ids::{Lane, RecordId, RecordKey, Seq};
use registry_schema::kind::{Kind, Status};
use registry_schema::layout;
use rusqlite::config::DbConfig;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params, params_from_iter};

use crate::holdings::{self, Kept};
use crate::store::{Store, StoreError, state};

/// What became of states that came from the centre.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) restored: u64,
    pub(super) quarantined: u64,
    /// Entries of which this store has a later state after all.
    pub(super) again: Vec<RecordId>,
}

/// Every sealed change counts.
fn everywhere() -> BTreeMap<Lane, Seq> {
    Lane::ALL.map(|lane| (lane, Seq(i64::MAX.cast_unsigned()))).into()
}

/// Parts altered entries into those of which the centre has an older state of this store, and the others. The centre's
/// states are named by the prefixes of their tags.
pub(super) fn part(
    store: &mut Store,
    altered: &[(RecordId, u64)],
) -> Result<(Vec<RecordId>, Vec<RecordId>), StoreError> {
    let origin = store.incarnation().origin;
    let Some(key) = store.kept.as_ref().map(|kept| kept.key.clone()) else { return Err(StoreError::Closed) };
    let (mut older, mut unknown) = (Vec::new(), Vec::new());
    for (id, prefix) in altered {
        let sql = "SELECT version, clock, content_hash FROM change_log WHERE record_id = ?1 AND seq IS NOT NULL";
        let mut statement = store.connection.prepare_cached(sql)?;
        let mut rows = statement.query([id.number()])?;
        let mut is_own = false;
        while let Some(row) = rows.next()? {
            let content = row.get_ref(2)?.as_blob().ok().and_then(registry_schema::digest::Hash256::from_slice);
            let Some(content) = content else { continue };
            let clock = Hlc::from_number(row.get::<_, i64>(1)?.cast_unsigned());
            let record = RecordKey { origin, id: *id };
            let version = registry_schema::ids::Version(row.get(0)?);
            is_own |= key.tag(record, version, clock, &content).prefix() == *prefix;
        }
        if is_own { older.push(*id) } else { unknown.push(*id) }
    }
    Ok((older, unknown))
}

/// Logs that the present state of these entries is to be sent once more; answers how many there are.
pub(super) fn resend(store: &mut Store, records: &[RecordId], now_ms: u64) -> Result<u64, StoreError> {
    let transaction = store.connection().transaction_with_behavior(TransactionBehavior::Immediate)?;
    let sql = "INSERT INTO change_log (kind, record_id, operation, logged_ms)
               SELECT kind, record_id, 'repair', ?2 FROM change_log WHERE record_id = ?1 AND seq IS NOT NULL
               ORDER BY change_id DESC LIMIT 1";
    let mut sent = 0;
    for id in records {
        sent += transaction.prepare_cached(sql)?.execute(params![id.number(), now_ms.cast_signed()])?;
    }
    fail::fail_point!("agent.resend.before");
    transaction.commit()?;
    fail::fail_point!("agent.resend.after");
    Ok(sent as u64)
}

/// Takes states of the centre in: what is newer here is sent again, what is newer there is written as it was sealed, and
/// what this store never had is set aside, unless it is about to get back what it lost.
pub(super) fn take(store: &mut Store, states: Vec<Change>, restoring: bool, now_ms: u64) -> Result<Taken, StoreError> {
    let mut taken = Taken::default();
    // Should anything fail, the sums are read anew with the next stream.
    let Some(mut kept) = store.kept.take() else { return Err(StoreError::Closed) };
    without_triggers(store, |store| {
        let origin = store.incarnation().origin;
        let transaction = store.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for state in states {
            let own = holdings::greatest(&transaction, state.record_id, &everywhere())?;
            let held = held(&state);
            match own {
                // A clerk is about to change it; the next comparison sees what comes of that.
                _ if is_waiting(&transaction, state.record_id)? => {}
                Some(own) if own.rank() == held.rank() => {}
                Some(own) if own.rank() > held.rank() => taken.again.push(state.record_id),
                None if !restoring => taken.quarantined += set_aside(&transaction, &state, "unknown", now_ms)?,
                own => match canonical::decode(&state.canonical) {
                    Ok(read) => {
                        if own.is_some_and(|own| own.version == held.version) {
                            taken.quarantined += displace(&transaction, state.record_id, now_ms)?;
                        }
                        settle(&transaction, origin, &mut kept, &state, &read, now_ms)?;
                        taken.restored += 1;
                    }
                    Err(_) => taken.quarantined += set_aside(&transaction, &state, "unknown", now_ms)?,
                },
            }
        }
        holdings::save(&transaction, &kept)?;
        transaction.commit()?;
        Ok(())
    })?;
    store.kept = Some(kept);
    Ok(taken)
}

/// Works without the store's triggers, which would take what the centre says for something a clerk did.
pub(super) fn without_triggers<T>(
    store: &mut Store,
    work: impl FnOnce(&mut Store) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    store.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    let result = work(store);
    store.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, true)?;
    result
}

fn held(state: &Change) -> Held {
    let content = content_hash(&state.canonical);
    Held { version: state.version, clock: state.clock, content, bucket: Bucket::of(&state.canonical) }
}

fn is_waiting(connection: &Connection, id: RecordId) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM change_log WHERE record_id = ?1 AND seq IS NULL)";
    Ok(connection.prepare_cached(sql)?.query_row([id.number()], |row| row.get(0))?)
}

/// Sets a state aside for a person; the same state is there once.
pub(super) fn set_aside(connection: &Connection, state: &Change, reason: &str, now_ms: u64) -> Result<u64, StoreError> {
    let sql = "INSERT OR IGNORE INTO quarantine (record_id, reason, version, clock, canonical, put_ms)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let clock = state.clock.number().cast_signed();
    let values =
        params![state.record_id.number(), reason, state.version.0, clock, state.canonical, now_ms.cast_signed()];
    Ok(connection.prepare_cached(sql)?.execute(values)? as u64)
}

/// Sets this store's own last state aside, in whose place the centre's of the same version comes.
fn displace(connection: &Connection, id: RecordId, now_ms: u64) -> Result<u64, StoreError> {
    let sql = "INSERT OR IGNORE INTO quarantine (record_id, reason, version, clock, canonical, put_ms)
               SELECT record_id, 'displaced', version, clock, canonical, ?2 FROM change_log
               WHERE record_id = ?1 AND seq IS NOT NULL ORDER BY change_id DESC LIMIT 1";
    Ok(connection.prepare_cached(sql)?.execute(params![id.number(), now_ms.cast_signed()])? as u64)
}

/// Writes a state of the centre into the registers and into the log, as it was sealed.
fn settle(
    connection: &Connection,
    origin: registry_schema::ids::Origin,
    kept: &mut Kept,
    state: &Change,
    (draft, status): &(Draft, Status),
    now_ms: u64,
) -> Result<(), StoreError> {
    write_row(connection, state.record_id, draft, *status)?;
    holdings::settle(connection, origin, kept, state.record_id, |connection| {
        let sql = "INSERT INTO change_log (kind, record_id, operation, logged_ms, settled, lane, seq, version, clock,
                       content_hash, canonical)
                   VALUES (?1, ?2, 'update', ?3, 1, ?4, 0, ?5, ?6, ?7, ?8)";
        connection.prepare_cached(sql)?.execute(params![
            draft.kind().name(),
            state.record_id.number(),
            now_ms.cast_signed(),
            Lane::Repair.number(),
            state.version.0,
            state.clock.number().cast_signed(),
            content_hash(&state.canonical).as_bytes(),
            state.canonical,
        ])?;
        Ok(())
    })?;
    // What is sealed from now on is later than what came back.
    state::set_clock(connection, state::clock(connection)?.max(state.clock))
}

/// Writes what a state says into the row of an entry, whether or not the row is there.
pub(super) fn write_row(
    connection: &Connection,
    id: RecordId,
    draft: &Draft,
    status: Status,
) -> Result<(), StoreError> {
    let kind: Kind = draft.kind();
    let fields: Vec<_> = layout::columns(kind).map(|column| column.field).collect();
    let names: Vec<String> = fields.iter().map(|field| field.name()).collect();
    let sets: Vec<String> = names.iter().map(|name| format!("{name} = excluded.{name}")).collect();
    let marks = vec!["?"; names.len() + 2].join(", ");
    let sql = format!(
        "INSERT INTO {} (record_id, status, {}) VALUES ({marks})
         ON CONFLICT (record_id) DO UPDATE SET status = excluded.status, {}",
        kind.table(),
        names.join(", "),
        sets.join(", ")
    );
    let text = |value: Option<&str>| value.map_or(Value::Null, |value| Value::Text(value.to_owned()));
    let head = [Value::Integer(id.number()), Value::Text(status.name().to_owned())];
    let values = head.into_iter().chain(fields.iter().map(|field| text(draft.get(*field))));
    connection.prepare_cached(&sql)?.execute(params_from_iter(values))?;
    Ok(())
}

/// The last state of an entry in the log, and whether it is sealed.
pub(super) fn last_state(connection: &Connection, id: i64) -> Result<Option<LastState>, StoreError> {
    let sql = "SELECT seq IS NOT NULL, version, clock, content_hash, canonical FROM change_log
               WHERE record_id = ?1 ORDER BY change_id DESC LIMIT 1";
    let read = |row: &rusqlite::Row<'_>| {
        Ok(LastState {
            is_sealed: row.get(0)?,
            version: row.get::<_, Option<u32>>(1)?.unwrap_or_default(),
            clock: row.get::<_, Option<i64>>(2)?.unwrap_or_default(),
            content: row.get::<_, Option<Vec<u8>>>(3)?.unwrap_or_default(),
            canonical: row.get::<_, Option<Vec<u8>>>(4)?.unwrap_or_default(),
        })
    };
    Ok(connection.prepare_cached(sql)?.query_row([id], read).optional()?)
}

/// See [`last_state`].
pub(super) struct LastState {
    pub(super) is_sealed: bool,
    pub(super) version: u32,
    pub(super) clock: i64,
    pub(super) content: Vec<u8>,
    pub(super) canonical: Vec<u8>,
}
