//! Brings a store to the newest reference schema and proves that its tables and triggers are those of it.

use std::collections::BTreeMap;

use registry_schema::kind::Kind;
use registry_schema::{layout, sql};
use rusqlite::{Connection, TransactionBehavior};

use super::StoreError;

/// The newest schema version, which is the number of migrations.
const VERSION: u32 = sql::PROVINCE.len() as u32;

/// Applies the migrations that the store lacks, each in its own transaction.
///
/// A file that another program made from the reference schema has the tables but no version yet; it is taken over as
/// version 1 and must then stand the same check as any other.
///
/// # Errors
/// A newer schema, or a failure of SQLite.
pub(crate) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    // Nearly every store has them all, and a look needs no turn among those who write.
    while version(connection)? != VERSION {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let found = version(&transaction)?;
        if found == VERSION {
            break;
        }
        let taken_over = found == 0 && has_table(&transaction, "change_log")?;
        let migration = sql::PROVINCE.get(found as usize).ok_or(StoreError::Newer { found, known: VERSION })?;
        if !taken_over {
            transaction.execute_batch(migration)?;
        }
        transaction.pragma_update(None, "user_version", found + 1)?;
        transaction.commit()?;
    }
    Ok(())
}

fn version(connection: &Connection) -> rusqlite::Result<u32> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Refuses a store that is not at the newest version, without changing it.
pub(crate) fn check_version(connection: &Connection) -> Result<(), StoreError> {
    match version(connection)? {
        0 => Err(StoreError::NotInitialised),
        found if found > VERSION => Err(StoreError::Newer { found, known: VERSION }),
        _ => Ok(()),
    }
}

/// Compares the store with a fresh one: nothing may be missing, and no trigger may differ. More is allowed: a province
/// may add columns, indexes, views and triggers of its own.
pub(crate) fn check(connection: &Connection) -> Result<(), StoreError> {
    let mut reference = Connection::open_in_memory()?;
    migrate(&mut reference)?;
    let found = objects(connection)?;
    for (name, (kind, text)) in objects(&reference)? {
        let Some((_, found_text)) = found.get(&name).filter(|(found_kind, _)| *found_kind == kind) else {
            return Err(StoreError::SchemaDiffers(format!("{kind} {name} is missing")));
        };
        if kind == "trigger" && *found_text != text {
            return Err(StoreError::SchemaDiffers(format!("{kind} {name} was changed")));
        }
    }
    Kind::ALL.into_iter().try_for_each(|kind| check_columns(connection, kind))
}

fn check_columns(connection: &Connection, kind: Kind) -> Result<(), StoreError> {
    let found = column_names(connection, kind.table())?;
    let expected = layout::columns(kind).map(|column| column.field.name());
    match expected.into_iter().find(|name| !found.contains(name)) {
        Some(name) => Err(StoreError::SchemaDiffers(format!("column {name} of {} is missing", kind.table()))),
        None => Ok(()),
    }
}

fn column_names(connection: &Connection, table: &str) -> Result<Vec<String>, StoreError> {
    let mut statement = connection.prepare("SELECT name FROM pragma_table_info(?1)")?;
    let names = statement.query_map([table], |row| row.get(0))?;
    Ok(names.collect::<Result<_, _>>()?)
}

fn has_table(connection: &Connection, name: &str) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1)";
    Ok(connection.query_row(sql, [name], |row| row.get(0))?)
}

/// Type and text of every named object.
fn objects(connection: &Connection) -> Result<BTreeMap<String, (String, String)>, StoreError> {
    let mut statement = connection.prepare("SELECT name, type, sql FROM sqlite_schema WHERE sql IS NOT NULL")?;
    let rows = statement.query_map((), |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn fresh() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        connection
    }

    #[test]
    fn the_tables_have_the_columns_of_the_layouts_in_their_order() {
        let connection = fresh();
        for kind in Kind::ALL {
            let own = ["record_id", "status", "import_id"].map(str::to_owned);
            let expected: Vec<_> = own.into_iter().chain(layout::columns(kind).map(|c| c.field.name())).collect();
            assert_eq!(column_names(&connection, kind.table()).unwrap(), expected, "{kind}");
        }
    }

    #[test]
    fn a_file_made_by_another_program_is_taken_over() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(sql::PROVINCE[0]).unwrap();
        migrate(&mut connection).unwrap();
        check(&connection).unwrap();
        check_version(&connection).unwrap();
    }

    fn check_refused(change: &str, expected: &str) {
        let connection = fresh();
        connection.execute_batch(change).unwrap();
        let message = check(&connection).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }

    #[test]
    fn what_is_missing_or_changed_is_named() {
        check_refused("DROP TRIGGER births_updated", "trigger births_updated is missing");
        check_refused("DROP INDEX change_log_by_seq", "index change_log_by_seq is missing");
        check_refused("DROP VIEW entry_states", "view entry_states is missing");
        check_refused(
            "DROP TRIGGER births_deleted;
             CREATE TRIGGER births_deleted BEFORE DELETE ON births BEGIN SELECT 1; END",
            "trigger births_deleted was changed",
        );
    }

    #[test]
    fn a_table_without_a_column_is_not_taken_over() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(&sql::PROVINCE[0].replace("    cause TEXT", "    reason TEXT")).unwrap();
        migrate(&mut connection).unwrap();
        let message = check(&connection).unwrap_err().to_string();
        assert!(message.contains("column cause of deaths is missing"), "{message}");
    }

    #[test]
    fn a_province_may_add_what_is_its_own() {
        let connection = fresh();
        connection
            .execute_batch("ALTER TABLE births ADD COLUMN shelf TEXT; CREATE INDEX by_shelf ON births (shelf)")
            .unwrap();
        check(&connection).unwrap();
    }

    #[test]
    fn a_newer_store_is_left_alone() {
        let mut connection = fresh();
        connection.pragma_update(None, "user_version", VERSION + 1).unwrap();
        assert!(matches!(migrate(&mut connection), Err(StoreError::Newer { .. })));
        assert!(matches!(check_version(&connection), Err(StoreError::Newer { .. })));
    }
}
