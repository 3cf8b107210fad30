//! `sync-agent notices`: what the centre answered.

use std::io::Write;

use clap::Args;
use clap::builder::PossibleValuesParser;

use super::error::CliError;
use super::{Output, StoreChoice};
use crate::notices::{self, KeptNotice, OUTCOMES};
use crate::store::open_read_only;

pub(super) const EXAMPLES: &str = "\
Examples:
  sync-agent notices --outcome rejected
  sync-agent notices --outcome case --output json";

#[derive(Debug, Args)]
pub(super) struct NoticesArgs {
    #[command(flatten)]
    store: StoreChoice,
    /// Only notices with this outcome
    #[arg(long, value_parser = PossibleValuesParser::new(OUTCOMES))]
    outcome: Option<String>,
    /// How the result is printed
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
}

pub(super) fn run(args: &NoticesArgs) -> Result<(), CliError> {
    let (connection, _) = open_read_only(&args.store.path()?)?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let outcome = args.outcome.as_deref();
    match args.output {
        Output::Table => notices::for_each(&connection, outcome, |notice| paragraph(&mut out, &notice))?,
        Output::Json => {
            let mut opening = "[\n  ";
            notices::for_each(&connection, outcome, |notice| {
                out.write_all(std::mem::replace(&mut opening, ",\n  ").as_bytes())?;
                serde_json::to_writer(&mut out, &notice).map_err(std::io::Error::from)?;
                Ok::<_, CliError>(())
            })?;
            out.write_all(if opening.starts_with('[') { b"[]\n" } else { b"\n]\n" })?;
        }
    }
    out.flush()?;
    Ok(())
}

fn paragraph(out: &mut impl Write, notice: &KeptNotice) -> Result<(), CliError> {
    let KeptNotice { record_id, subject, outcome, received_at, .. } = notice;
    writeln!(out, "{received_at}  {outcome:9} record {record_id}, {subject}")?;
    writeln!(out, "    {}", notice.english)?;
    writeln!(out, "    {}", notice.vietnamese)?;
    if !notice.others.is_null() {
        writeln!(out, "    {}", notice.others)?;
    }
    Ok(())
}
