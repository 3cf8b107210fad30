//! `sync-agent verify`: whether every row says what was sealed, and the kept sums are those of the sealed changes.

use std::io::Write as _;

use clap::Args;

use super::error::CliError;
use super::print::{grouped, json};
use super::{Output, StoreChoice};
use crate::resync::{self, Verified};
use crate::store::Store;

pub(super) const EXAMPLES: &str = "\
Examples:
  sync-agent verify
  sync-agent verify --store hanoi.db --output json

Nothing is changed; the daemon may run. What is found is mended by `central-hub resync start PROVINCE --deep`.";

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    store: StoreChoice,
    /// How the result is printed
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
}

pub(super) fn run(args: &VerifyArgs) -> Result<(), CliError> {
    let verified = resync::verify(&mut Store::open(&args.store.path()?)?)?;
    match args.output {
        Output::Json => json(&verified)?,
        Output::Table => table(&verified)?,
    }
    if verified.is_intact { Ok(()) } else { Err(CliError::NotIntact) }
}

fn table(verified: &Verified) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let scrub = &verified.scrub;
    writeln!(out, "rows            {}", grouped(scrub.rows))?;
    writeln!(out, "altered         {}", grouped(scrub.altered))?;
    writeln!(out, "missing         {}", grouped(scrub.missing))?;
    writeln!(out, "never logged    {}", grouped(scrub.unlogged))?;
    writeln!(out, "damaged states  {}", grouped(scrub.damaged_states))?;
    let sums = match verified.sums_agree {
        None => "none yet",
        Some(true) => "agree",
        Some(false) => "DIFFER: they are made anew when the centre gives a new key",
    };
    writeln!(out, "sums            {sums}")
}
