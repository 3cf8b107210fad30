//! `sync-agent quarantine`: what a comparison set aside for a person.

use std::io::Write as _;

use clap::{Args, Subcommand};

use super::error::CliError;
use super::print::json;
use super::{Output, StoreChoice, wall_ms};
use crate::resync::{self, Quarantined};
use crate::store::{Store, StoreLock, open_read_only};

pub(super) const EXAMPLES: &str = "\
Examples:
  sync-agent quarantine list
  sync-agent quarantine release 3        (the daemon must be stopped)

`unknown`: the centre has an entry that this store never had. `displaced`: the centre's state of the same version came
later. `damaged`: a row that did not say what was sealed. Nothing is ever deleted from here.";

#[derive(Debug, Args)]
pub(super) struct QuarantineArgs {
    #[command(subcommand)]
    command: QuarantineCommand,
}

#[derive(Debug, Subcommand)]
enum QuarantineCommand {
    /// List what was set aside
    List {
        #[command(flatten)]
        store: StoreChoice,
        /// How the result is printed
        #[arg(long, value_enum, default_value = "table")]
        output: Output,
    },
    /// Take an unknown entry into the registers, as the centre has it
    Release {
        #[command(flatten)]
        store: StoreChoice,
        /// Its number in the list
        id: i64,
    },
}

pub(super) fn run(args: QuarantineArgs) -> Result<(), CliError> {
    match args.command {
        QuarantineCommand::List { store, output } => {
            let list = resync::quarantined(&open_read_only(&store.path()?)?.0)?;
            match output {
                Output::Json => json(&list),
                Output::Table => Ok(table(&list)?),
            }
        }
        QuarantineCommand::Release { store, id } => {
            let path = store.path()?;
            let _lock = StoreLock::take(&path)?;
            if resync::release(&mut Store::open(&path)?, id, wall_ms())? {
                return Ok(writeln!(std::io::stdout(), "released")?);
            }
            Err(CliError::Usage(format!("{id} is no unknown entry that waits here; see `sync-agent quarantine list`")))
        }
    }
}

fn table(list: &[Quarantined]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{:>6}  {:20}  {:10}  {:>8}  {:20}  released", "id", "record", "reason", "version", "set aside")?;
    for row in list {
        let released = row.released_at.as_deref().unwrap_or("-");
        let Quarantined { id, record_id, reason, version, put_at, .. } = row;
        writeln!(out, "{id:>6}  {record_id:<20}  {reason:10}  {version:>8}  {put_at:20}  {released}")?;
    }
    Ok(())
}
