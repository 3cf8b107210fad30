//! Makes a store, or takes over a file that another program made from the reference schema.

use std::path::Path;

use registry_schema::digest::chain_start;
use registry_schema::ids::{Epoch, Lane};
use rusqlite::{Connection, TransactionBehavior};

use super::state::{self, Incarnation};
use super::{StoreError, make_durable, schema, wait_for_lock};
use crate::change_log;

/// Gives a store its province and its epoch, creating the file when there is none.
///
/// Entries that a file already holds were logged by its triggers and are sealed when the agent first runs.
///
/// # Errors
/// The store was initialised before, its schema is another one, or it cannot be written.
pub fn init(path: &Path, incarnation: Incarnation) -> Result<(), StoreError> {
    let mut connection = Connection::open(path)?;
    connection.busy_handler(Some(wait_for_lock))?;
    make_durable(&connection)?;
    schema::migrate(&mut connection)?;
    schema::check(&connection)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if let Some(owner) = state::incarnation(&transaction)? {
        return Err(StoreError::AlreadyInitialised(owner.origin));
    }
    state::set_incarnation(&transaction, incarnation)?;
    for lane in Lane::ALL {
        let chain = chain_start(incarnation.origin, incarnation.epoch, lane);
        let sql = "INSERT INTO lanes (lane, sealed_chain) VALUES (?1, ?2)";
        transaction.execute(sql, rusqlite::params![lane.number(), chain.as_bytes()])?;
    }
    transaction.commit()?;
    Ok(())
}

/// Gives a store a new epoch: every lane begins anew with what the centre has not acknowledged, so that every state that was
/// committed here comes to it, and what it has acknowledged counts as settled. What it has beyond that comes back at the
/// next comparison. For stores that were restored from a backup or copied.
///
/// # Errors
/// The store is not initialised or damaged, or cannot be written.
pub fn take_new_epoch(path: &Path, epoch: Epoch) -> Result<(), StoreError> {
    let mut store = super::Store::open(path)?;
    let incarnation = Incarnation { epoch, ..store.incarnation() };
    let transaction = store.connection().transaction_with_behavior(TransactionBehavior::Immediate)?;
    change_log::begin_anew(&transaction, incarnation)?;
    transaction.execute("DELETE FROM holding", ())?;
    state::set_incarnation(&transaction, incarnation)?;
    state::set_restoring(&transaction, true)?;
    transaction.commit()?;
    Ok(())
}
