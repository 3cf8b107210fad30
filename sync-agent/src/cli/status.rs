//! `sync-agent status`: how the store and its connection stand.

use std::io::Write;

use clap::Args;

use super::error::CliError;
use super::print::{grouped, json, span};
use super::{Output, StoreChoice, wall_ms};
use crate::status::{self, Status};
use crate::store::state::ConnectionState;

pub(super) const EXAMPLES: &str = "\
Examples:
  sync-agent status
  sync-agent status --store hanoi.db --output json";

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    store: StoreChoice,
    /// How the result is printed
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
}

pub(super) fn run(args: &StatusArgs) -> Result<(), CliError> {
    let now_ms = wall_ms();
    let status = status::read(&args.store.path()?, now_ms)?;
    match args.output {
        Output::Json => json(&status),
        Output::Table => Ok(table(&mut std::io::stdout().lock(), &status, now_ms)?),
    }
}

fn table(out: &mut impl Write, status: &Status, now_ms: u64) -> std::io::Result<()> {
    writeln!(out, "province    {}, epoch {}", status.province, status.epoch)?;
    writeln!(out, "daemon      {}", if status.daemon_running { "running" } else { "not running" })?;
    writeln!(out, "connection  {}", connection(status, now_ms))?;
    if let Some(error) = &status.connection.error {
        writeln!(out, "            {error}")?;
    }
    match status.oldest_unapplied_ms {
        Some(age_ms) => writeln!(out, "waiting     oldest change not in the national registry: {}", span(age_ms))?,
        None => writeln!(out, "waiting     nothing: every change is in the national registry")?,
    }
    writeln!(out, "unsealed    {}", grouped(status.unsealed))?;
    writeln!(out)?;
    writeln!(out, "{:10}{:>16}{:>16}{:>16}", "lane", "sealed", "received", "applied")?;
    for lane in &status.lanes {
        let [sealed, received, applied] = [lane.sealed, lane.received, lane.applied].map(grouped);
        writeln!(out, "{:10}{sealed:>16}{received:>16}{applied:>16}", lane.lane.name())?;
    }
    receipts(out, status, now_ms)?;
    if !status.notices.is_empty() {
        writeln!(out)?;
        let counts = status.notices.iter().map(|(outcome, count)| format!("{outcome} {}", grouped(*count)));
        writeln!(out, "notices     {}", counts.collect::<Vec<_>>().join(", "))?;
    }
    for import in &status.imports_unfinished {
        let rows = grouped(import.rows_done);
        writeln!(
            out,
            "import      {} ({}): stopped after {rows} rows; import it again",
            import.file_name, import.kind
        )?;
    }
    Ok(())
}

/// The proof that the centre took the changes, lane by lane.
fn receipts(out: &mut impl Write, status: &Status, now_ms: u64) -> std::io::Result<()> {
    let mut heading = "\n";
    for receipt in status.lanes.iter().filter_map(|lane| lane.receipt.as_ref()) {
        let (seq, age) = (grouped(receipt.seq), span(now_ms.saturating_sub(receipt.signed_ms)));
        writeln!(out, "{heading}receipt     {}: signed by the centre through {seq}, {age} ago", receipt.lane.name())?;
        heading = "";
    }
    Ok(())
}

fn connection(status: &Status, now_ms: u64) -> String {
    let since = span(now_ms.saturating_sub(status.connection.since_ms));
    match status.connection.state {
        ConnectionState::Never => "none yet: the daemon has never run".to_owned(),
        ConnectionState::Connected if status.daemon_running => format!("connected for {since}"),
        ConnectionState::Connected => format!("none: the daemon ended without a word, at the earliest {since} ago"),
        ConnectionState::Disconnected => format!("none; last attempt {since} ago"),
        ConnectionState::Forked => {
            format!("forked; nothing is sent until an operator decides; last attempt {since} ago")
        }
        ConnectionState::Stopped => format!("none: the daemon was stopped {since} ago"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::status::{ImportStatus, LaneStatus};
    use crate::store::state::ConnectionReport;
    use crate::uplink::KeptReceipt;
    use registry_schema::ids::Lane;

    #[test]
    fn a_person_reads_what_waits_and_why() {
        let receipt = Some(KeptReceipt {
            lane: Lane::Backlog,
            epoch: format!("{:016x}", 7),
            seq: 1_000,
            chain: "0".repeat(64),
            signed_ms: 2_000,
            signature: "0".repeat(128),
        });
        let status = Status {
            province: "01@2008".parse().unwrap(),
            epoch: format!("{:016x}", 7),
            daemon_running: true,
            connection: ConnectionReport {
                state: ConnectionState::Disconnected,
                since_ms: 1_000,
                error: Some("the centre at http://h:1 cannot be reached".to_owned()),
            },
            lanes: vec![LaneStatus { lane: Lane::Backlog, sealed: 1_234_567, received: 1_000, applied: 0, receipt }],
            unsealed: 12,
            oldest_unapplied_ms: Some(90_000),
            notices: [("case".to_owned(), 3)].into(),
            imports_unfinished: vec![ImportStatus {
                file_name: "a.xlsx".to_owned(),
                kind: "birth".to_owned(),
                rows_done: 4_000,
                started_at: String::new(),
            }],
        };
        let mut out = Vec::new();
        table(&mut out, &status, 4_000).unwrap();
        let expected = "\
province    01@2008, epoch 0000000000000007
daemon      running
connection  none; last attempt 3 s ago
            the centre at http://h:1 cannot be reached
waiting     oldest change not in the national registry: 1 min 30 s
unsealed    12

lane                sealed        received         applied
backlog          1,234,567           1,000               0

receipt     backlog: signed by the centre through 1,000, 2 s ago

notices     case 3
import      a.xlsx (birth): stopped after 4,000 rows; import it again
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
