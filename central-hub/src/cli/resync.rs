//! Commands about comparisons of provinces with the nation.

use clap::{Args, Subcommand};
use hub_store::AnyStore;
use hub_store::holdings::ResyncState;
use hub_store::ledger::Verb;
use registry_schema::ids::Origin;
use registry_schema::kind::Kind;

use super::arguments::Output;
use super::{commands, output};
use crate::clock::now_ms;
use crate::exit::Exit;
use crate::office::Office;
use crate::operator::resync::{self, ResyncView, Wish, WishError};

/// What can be done about comparisons.
#[derive(Debug, Subcommand)]
pub(super) enum ResyncCommand {
    /// Compare a province's store with its national copy, and repair what differs
    #[command(after_help = "Examples:
  central-hub resync start 01@2008 --operator lan --reason 'disk was replaced'
  central-hub resync start 01@2008 --deep --dry-run --operator lan --reason 'monthly'
  central-hub resync start 01@2008 --kind death --year 1987 --operator lan --reason 'book 3'

The hub that holds the province's session does it, at once or when the province comes. Repairs of more than 10,000
records or of one in a hundred wait for a second operator.")]
    Start(StartArguments),
    /// Comparisons, open ones first
    List {
        /// Of one province only
        #[arg(long, value_name = "CODE@EDITION")]
        province: Option<Origin>,
    },
    /// One comparison with what it found
    Show {
        /// The comparison
        id: i64,
    },
    /// Take a comparison back that is not over
    Cancel {
        /// The comparison
        id: i64,
    },
    /// Agree to a repair that another operator began and that is too large for one
    Approve {
        /// The comparison
        id: i64,
        /// Who agrees [default: who gives the command]
        #[arg(long, value_name = "NAME")]
        operator: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(super) struct StartArguments {
    /// The province, as CODE@EDITION
    province: Origin,
    /// Entries of one kind only: birth, marriage or death
    #[arg(long, value_parser = kind)]
    kind: Option<Kind>,
    /// Entries of one year only: of the registration, or else of the event
    #[arg(long)]
    year: Option<i16>,
    /// Look at every row on both sides: finds bit rot and edits that went round the programs
    #[arg(long)]
    deep: bool,
    /// Find out only
    #[arg(long)]
    dry_run: bool,
    /// Who asks [default: who gives the command]
    #[arg(long, value_name = "NAME")]
    operator: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

fn kind(text: &str) -> Result<Kind, String> {
    Kind::parse(text).ok_or_else(|| "write birth, marriage or death".to_owned())
}

/// Runs one command.
pub(super) async fn run(
    store: &AnyStore,
    command: ResyncCommand,
    office: &Office,
    format: Output,
) -> anyhow::Result<Exit> {
    let view = match command {
        ResyncCommand::List { province } => {
            let list = resync::list(store, province).await?;
            return commands::print(format, &list, |list| table(list));
        }
        ResyncCommand::Start(arguments) => {
            let StartArguments { province: origin, kind, year, deep, dry_run, operator, reason } = arguments;
            let operator = office.signs(operator)?;
            office.act(store, Verb::Compare, &format!("province {origin}"), &reason).await?;
            let wish = Wish { origin, kind, year, deep, dry_run, operator, reason };
            resync::start(store, wish, now_ms(), rand::random()).await
        }
        ResyncCommand::Show { id } => resync::show(store, id).await,
        ResyncCommand::Cancel { id } => {
            office.act(store, Verb::Compare, &format!("cancel {id}"), "").await?;
            resync::cancel(store, id, now_ms()).await
        }
        ResyncCommand::Approve { id, operator } => {
            let operator = office.signs(operator)?;
            office.act(store, Verb::Approve, &format!("comparison {id}"), "").await?;
            resync::approve(store, id, &operator, now_ms()).await
        }
    };
    let view = view?;
    let exit = commands::print(format, &view, one)?;
    Ok(if view.resync.state == ResyncState::Failed { Exit::Failure } else { exit })
}

/// The exit code of a wish that cannot be met.
pub(super) fn exit_of(error: &WishError) -> Exit {
    match error {
        WishError::Unknown(_) | WishError::UnknownProvince(_) => Exit::Unavailable,
        WishError::Stands { .. } => Exit::TryAgain,
        WishError::SameOperator(_) => Exit::Permission,
        WishError::Store(error) => Exit::from(error),
    }
}

fn table(list: &[ResyncView]) -> anyhow::Result<()> {
    if list.is_empty() {
        output::notice("nothing was compared yet");
        return Ok(());
    }
    let headings =
        ["id", "province", "state", "changed", "who", "altered", "only there", "only here", "repaired", "set aside"];
    let mut rows = output::table(&headings, 5);
    for ResyncView { resync, changed_at, .. } in list {
        let found = &resync.report;
        rows.add_row([
            resync.id.to_string(),
            resync.origin.to_string(),
            resync.state.name().to_owned(),
            changed_at.clone().unwrap_or_default(),
            resync.who.clone(),
            found.altered.to_string(),
            found.only_here.to_string(),
            found.only_there.to_string(),
            (found.repaired + found.restored).to_string(),
            found.quarantined.to_string(),
        ]);
    }
    output::line(&rows.to_string())
}

fn one(view: &ResyncView) -> anyhow::Result<()> {
    let (resync, found) = (&view.resync, &view.resync.report);
    let at = view.changed_at.as_deref().unwrap_or_default();
    output::line(&format!("{}  {}  {}  {at}", resync.id, resync.origin, resync.state.name()))?;
    let approver = resync.approver.as_ref().map(|approver| format!(", agreed to by {approver}")).unwrap_or_default();
    output::line(&format!("asked for by {}{approver}: {}", resync.who, resync.why))?;
    let rows = [
        ("differ in what they say", found.altered),
        ("in the province only", found.only_here),
        ("in the nation only", found.only_there),
        ("sent again by the province", found.repaired),
        ("taken back by the province", found.restored),
        ("set aside for a person", found.quarantined),
        ("rows damaged in the nation", found.damaged_at_centre),
        ("rows damaged in the province", found.damaged_in_province),
        ("bytes both ways", found.bytes),
        ("round trips", found.round_trips),
    ];
    rows.iter().try_for_each(|(name, count)| output::line(&format!("  {count:>10}  {name}")))?;
    if !found.detail.is_empty() {
        output::line(&found.detail)?;
    }
    view.next.as_ref().map_or(Ok(()), |next| output::line(&format!("next: {next}")))
}
