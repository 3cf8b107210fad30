//! What each command does.

use std::path::Path;

use hub_rules::Node;
use hub_store::AnyStore;
use hub_store::ledger::Verb;
use registry_schema::ids::{Origin, PersonId, RecordKey};

use super::arguments::{Arguments, Command, Output, PersonCommand, ProvincesCommand, RecordCommand};
use super::evaluate::ExplainArguments;
use super::office::AuditCommand;
use super::{backup, cases, daemon, evaluate, judged, output, resync};
use crate::audit;
use crate::clock::now_ms;
use crate::config::Layer;
use crate::exit::Exit;
use crate::identity::Token;
use crate::office::{Office, OfficeError};
use crate::open::StoreUrl;
use crate::operator::records::{self, RecordReport};
use crate::operator::{digest, person, provinces, stats};

/// Runs one command.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    let format = arguments.common.output;
    let config = arguments.common.config.as_deref();
    let (pki, identity) = (arguments.common.pki.as_deref(), arguments.common.identity.as_deref());
    let Some(url) = arguments.common.store else {
        return without_store(arguments.command, config, pki, format).await;
    };
    let office = async |store: &AnyStore| Office::enter(store, identity, pki, now_ms()).await;
    match arguments.command {
        Command::Serve { layer } => {
            let layer = Layer { pki: pki.map(Path::to_owned), ..layer };
            daemon::run(&url, config, layer).await
        }
        Command::Provinces { command: Some(ProvincesCommand::Enrol { province, name, token_file }) } => {
            let store = url.open(true).await?;
            office(&store).await?.act(&store, Verb::Enrol, &province.to_string(), "").await?;
            enrol(&store, province, name, &token_file, format).await
        }
        Command::Provinces { command: None | Some(ProvincesCommand::List) } => {
            let report = provinces::provinces(&url.open(false).await?, now_ms()).await?;
            print(format, &report, output::provinces)
        }
        Command::Stats => print(format, &stats::stats(&url.open(false).await?).await?, output::stats),
        Command::Cases { command } => {
            let store = url.open(false).await?;
            cases::run(&store, config, command, &office(&store).await?, format).await
        }
        Command::Resync { command } => {
            let store = url.open(false).await?;
            resync::run(&store, command, &office(&store).await?, format).await
        }
        Command::Record { command: RecordCommand::Show { record, why } } => {
            let store = url.open(false).await?;
            look_at_record(&store, &office(&store).await?, record, &why, format).await
        }
        Command::Person { command: PersonCommand::Show { person, why } } => {
            let store = url.open(false).await?;
            look_at_person(&store, &office(&store).await?, person.0, &why, format).await
        }
        Command::Digest => print(format, &digest::digest(&url.open(false).await?).await?, output::digest),
        Command::Rules => judged::rules(config, format),
        Command::Completeness(arguments) => judged::completeness(&url.open(false).await?, &arguments, format).await,
        Command::Rebuild { apply: false } => judged::verify(&url.open(false).await?, config, format).await,
        Command::Rebuild { apply: true } => {
            let store = url.open(false).await?;
            office(&store).await?.act(&store, Verb::Rebuild, "the registry", "").await?;
            judged::apply(store, config).await
        }
        Command::Audit { command } => ledger(&url, office, command, format).await,
        Command::Backup(arguments) => backup::make(&url, (identity, pki), &arguments, format).await,
        Command::Restore(arguments) => backup::restore(&url, (identity, pki), &arguments, format).await,
        Command::Drill(arguments) => backup::drill(Some(&url), config, &arguments, format).await,
        Command::Pki { command } => {
            let store = url.open(true).await?;
            super::pki::run(pki, Some((&store, &office(&store).await?)), command, format).await
        }
        Command::Operators { command } => {
            let store = url.open(true).await?;
            super::office::operators(&store, &office(&store).await?, command, format).await
        }
        Command::Evaluate(arguments) => {
            look(&url, office, arguments.source.people(), &arguments.why).await?;
            evaluate::run(Some(&url), arguments, format).await
        }
        Command::Explain(arguments) => explain(&url, office, arguments, format).await,
    }
}

/// Looks through the evidence, or writes the ledger of operators out.
async fn ledger(
    url: &StoreUrl,
    office: impl AsyncFn(&AnyStore) -> Result<Office, OfficeError>,
    command: Option<AuditCommand>,
    format: Output,
) -> anyhow::Result<Exit> {
    let store = url.open(false).await?;
    match command {
        None | Some(AuditCommand::Verify) => self::audit(&store, format).await,
        Some(AuditCommand::Export { after }) => super::office::export(&store, &office(&store).await?, after).await,
    }
}

/// Writes down who looks at people of the registry, and why; a file from elsewhere is nobody's business.
async fn look(
    url: &StoreUrl,
    office: impl AsyncFn(&AnyStore) -> Result<Office, OfficeError>,
    whom: Option<String>,
    why: &str,
) -> anyhow::Result<()> {
    let Some(whom) = whom else { return Ok(()) };
    let store = url.open(false).await?;
    Ok(office(&store).await?.look(&store, &whom, why).await?)
}

async fn explain(
    url: &StoreUrl,
    office: impl AsyncFn(&AnyStore) -> Result<Office, OfficeError>,
    arguments: ExplainArguments,
    format: Output,
) -> anyhow::Result<Exit> {
    look(url, office, arguments.people(), &arguments.why).await?;
    evaluate::explain(Some(url), arguments, format).await
}

/// Shows a record, once it is written down who looks and why.
async fn look_at_record(
    store: &AnyStore,
    office: &Office,
    record: RecordKey,
    why: &str,
    format: Output,
) -> anyhow::Result<Exit> {
    office.look(store, &format!("record {record}"), why).await?;
    let report = records::record(store, record).await?;
    let report = if office.sees_sensitive() { report } else { report.map(RecordReport::without_sensitive) };
    found(format, report.as_ref(), output::record, "there is no such record in the nation")
}

/// Shows a person, once it is written down who looks and why.
async fn look_at_person(
    store: &AnyStore,
    office: &Office,
    which: Result<PersonId, Node>,
    why: &str,
    format: Output,
) -> anyhow::Result<Exit> {
    let whom = which.map_or_else(|node| node.to_string(), |person| person.to_string());
    office.look(store, &format!("person {whom}"), why).await?;
    let report = person::person(store, which).await?;
    found(format, report.as_ref(), output::person, "there is no such person; a record names its people")
}

/// Runs what needs no store, because its records are in a file.
async fn without_store(
    command: Command,
    config: Option<&Path>,
    pki: Option<&Path>,
    format: Output,
) -> anyhow::Result<Exit> {
    match command {
        Command::Pki { command } if !command.needs_store() => super::pki::run(pki, None, command, format).await,
        Command::Rules => judged::rules(config, format),
        Command::Drill(arguments) => backup::drill(None, config, &arguments, format).await,
        Command::Evaluate(arguments) if arguments.source.data.is_some() => evaluate::run(None, arguments, format).await,
        Command::Explain(arguments) if arguments.source.data.is_some() => {
            evaluate::explain(None, arguments, format).await
        }
        _ => {
            output::notice(
                "error: name the national store: --store sqlite:PATH or --store postgres://..., or set HOTICH_NATIONAL_STORE",
            );
            Ok(Exit::Usage)
        }
    }
}

pub(super) fn print<T: serde::Serialize>(
    format: Output,
    report: &T,
    text: impl FnOnce(&T) -> anyhow::Result<()>,
) -> anyhow::Result<Exit> {
    match format {
        Output::Json => output::json(report)?,
        Output::Table => text(report)?,
        Output::Csv => {
            output::notice("error: this is no single table; write --output table or json");
            return Ok(Exit::Usage);
        }
    }
    Ok(Exit::Success)
}

pub(super) fn found<T: serde::Serialize>(
    format: Output,
    report: Option<&T>,
    text: impl FnOnce(&T) -> anyhow::Result<()>,
    absent: &str,
) -> anyhow::Result<Exit> {
    match report {
        Some(report) => print(format, report, text),
        None => {
            output::notice(&format!("error: {absent}"));
            Ok(Exit::Unavailable)
        }
    }
}

async fn enrol(
    store: &AnyStore,
    province: Origin,
    name: Option<String>,
    token_file: &Path,
    format: Output,
) -> anyhow::Result<Exit> {
    let token = Token::new(rand::random());
    registry_secrets::replace(token_file, format!("{}\n", token.expose()).as_bytes())?;
    let name = provinces::enrol(store, province, name, &token, now_ms()).await?;
    let report = serde_json::json!({ "province": province, "name": name, "token_file": token_file });
    print(format, &report, |_| {
        output::line(&format!("{province} {name} is enrolled; its token is in {}", token_file.display()))
    })
}

async fn audit(store: &AnyStore, format: Output) -> anyhow::Result<Exit> {
    let report = audit::audit(store, |entries| output::progress(&format!("audit: {entries} journal entries"))).await?;
    output::progress_done();
    let intact = report.intact;
    print(format, &report, |report| {
        for defect in &report.defects {
            let place = match (defect.journal_id, defect.province, defect.lane) {
                (0, Some(province), Some(lane)) => format!("lane {lane} of {province}"),
                (0, Some(province), None) => format!("province {province}"),
                (0, None, _) => "the ledger".to_owned(),
                (entry, ..) => format!("journal entry {entry}"),
            };
            output::line(&format!("{place}: {}", defect.reason))?;
        }
        let verdict = if report.intact { "intact" } else { "NOT intact" };
        let (entries, changes, lanes) = (report.journal_entries, report.changes, report.lanes);
        let (signed, unsigned, acts) = (report.signed, report.unsigned, report.acts);
        output::line(&format!(
            "{verdict}: {entries} journal entries, {changes} changes, {lanes} lanes; {signed} frames signed, {unsigned} \
             of no known signer; {acts} acts of operators"
        ))
    })?;
    Ok(if intact { Exit::Success } else { Exit::Failure })
}
