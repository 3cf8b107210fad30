//! What each command does.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context as _;
use hub_rules::finding::Certainty;
use hub_store::model::FindingFilter;
use hub_store::sqlite::Sqlite;
use registry_schema::ids::Origin;

use super::arguments::{
    Arguments, CasesCommand, Command, ListArguments, Output, PersonCommand, ProvincesCommand, RecordCommand,
};
use super::{daemon, output};
use crate::clock::now_ms;
use crate::exit::Exit;
use crate::identity::Token;
use crate::operator::cases::{FindingsReport, Resolution};
use crate::operator::{cases, digest, provinces, records, stats};
use crate::{audit, rebuild};

/// Runs one command.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    let Some(url) = arguments.common.store else {
        output::notice("error: name the national store: --store sqlite:PATH, or set HOTICH_NATIONAL_STORE");
        return Ok(Exit::Usage);
    };
    let format = arguments.common.output;
    match arguments.command {
        Command::Serve { config, layer } => daemon::run(&url, config.as_deref(), layer).await,
        Command::Provinces { command: Some(ProvincesCommand::Enrol { province, name, token_file }) } => {
            enrol(&url.open(true)?, province, name, &token_file, format).await
        }
        Command::Provinces { command: None | Some(ProvincesCommand::List) } => {
            let report = provinces::provinces(&url.open(false)?, now_ms()).await?;
            print(format, &report, output::provinces)
        }
        Command::Stats => print(format, &stats::stats(&url.open(false)?).await?, output::stats),
        Command::Cases { command } => self::cases(&url.open(false)?, command, format).await,
        Command::Record { command: RecordCommand::Show { record } } => {
            let report = records::record(&url.open(false)?, record).await?;
            found(format, report.as_ref(), output::record, "there is no such record in the nation")
        }
        Command::Person { command: PersonCommand::Show { person } } => {
            let report = records::person(&url.open(false)?, person.0).await?;
            found(format, report.as_ref(), output::person, "there is no such person; a record names its people")
        }
        Command::Digest => print(format, &digest::digest(&url.open(false)?).await?, output::digest),
        Command::Rebuild { apply: false } => verify(&url.open(false)?, format).await,
        Command::Rebuild { apply: true } => apply(url.open(false)?).await,
        Command::Audit => self::audit(&url.open(false)?, format).await,
    }
}

fn print<T: serde::Serialize>(
    format: Output,
    report: &T,
    text: impl FnOnce(&T) -> anyhow::Result<()>,
) -> anyhow::Result<Exit> {
    match format {
        Output::Json => output::json(report)?,
        Output::Table => text(report)?,
    }
    Ok(Exit::Success)
}

fn found<T: serde::Serialize>(
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
    store: &Sqlite,
    province: Origin,
    name: Option<String>,
    token_file: &Path,
    format: Output,
) -> anyhow::Result<Exit> {
    let token = Token::new(rand::random());
    write_secret(token_file, token.expose())
        .with_context(|| format!("{}: the token cannot be written", token_file.display()))?;
    let name = provinces::enrol(store, province, name, &token, now_ms()).await?;
    let report = serde_json::json!({ "province": province, "name": name, "token_file": token_file });
    print(format, &report, |_| {
        output::line(&format!("{province} {name} is enrolled; its token is in {}", token_file.display()))
    })
}

/// Writes a file that only its owner can read, also when a file of that name was there before.
fn write_secret(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    writeln!(file, "{text}")?;
    file.sync_all()
}

async fn cases(store: &Sqlite, command: CasesCommand, format: Output) -> anyhow::Result<Exit> {
    match command {
        CasesCommand::List(list) => print(format, &self::list(store, list).await?, output::findings),
        CasesCommand::Show { id } => {
            let report = cases::show(store, id).await?;
            found(format, report.as_ref(), output::case, "there is no such case; `central-hub cases list` names them")
        }
        CasesCommand::Resolve { id, answer, record, operator, reason } => {
            let resolution = Resolution { case: id, answer, record, operator, reason };
            let verdict = cases::resolve(store, resolution, now_ms()).await?;
            print(format, &verdict, |verdict| {
                let answer = verdict.answer.name();
                output::line(&format!("case {id}: {answer}; the hub applies it, and `wait` takes it back"))
            })
        }
    }
}

async fn list(store: &Sqlite, list: ListArguments) -> anyhow::Result<FindingsReport> {
    let mut filter = FindingFilter {
        certainty: Some(if list.links { Certainty::Link } else { Certainty::Case }),
        rule: list.rule,
        open_only: list.open,
        origin: list.province,
        after: list.after,
        limit: usize::from(list.limit),
    };
    let mut report = cases::list(store, filter.clone()).await?;
    while let (true, Some(next)) = (list.all, report.next) {
        filter.after = Some(next);
        let page = cases::list(store, filter.clone()).await?;
        report.findings.extend(page.findings);
        report.next = page.next;
    }
    Ok(report)
}

async fn verify(store: &Sqlite, format: Output) -> anyhow::Result<Exit> {
    let scratch = tempfile::tempdir().context("no scratch folder for the rebuild; set TMPDIR to one with space")?;
    let report = rebuild::verify(store, scratch.path(), |entries| {
        output::progress(&format!("rebuild: {entries} journal entries"));
    })
    .await?;
    output::progress_done();
    let equal = report.equal;
    print(format, &report, |report| {
        output::line(&format!("as it stands {}\nmade anew    {}", report.national_digest, report.rebuild_digest))?;
        let verdict =
            if report.equal { "equal".to_owned() } else { format!("DIFFERENT in {}", report.differing.join(", ")) };
        output::line(&format!("{verdict}: {} journal entries, {} states", report.journal_entries, report.states))
    })?;
    Ok(if equal { Exit::Success } else { Exit::Failure })
}

async fn apply(store: Sqlite) -> anyhow::Result<Exit> {
    rebuild::apply(store, |entries| output::progress(&format!("rebuild: {entries} journal entries"))).await?;
    output::progress_done();
    output::line("the registry was made anew from the journal")?;
    Ok(Exit::Success)
}

async fn audit(store: &Sqlite, format: Output) -> anyhow::Result<Exit> {
    let report = audit::audit(store, |entries| output::progress(&format!("audit: {entries} journal entries"))).await?;
    output::progress_done();
    let intact = report.intact;
    print(format, &report, |report| {
        for defect in &report.defects {
            output::line(&format!("journal entry {}: {}", defect.journal_id, defect.reason))?;
        }
        let verdict = if report.intact { "intact" } else { "NOT intact" };
        let (entries, changes, lanes) = (report.journal_entries, report.changes, report.lanes);
        output::line(&format!("{verdict}: {entries} journal entries, {changes} changes, {lanes} lanes"))
    })?;
    Ok(if intact { Exit::Success } else { Exit::Failure })
}
