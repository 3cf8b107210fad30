//! Commands that copy the nation, bring it back, and try out whether that would work.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use hub_store::Lineage as _;
use hub_store::ledger::Verb;

use super::arguments::Output;
use super::{commands, judged, output};
use crate::backup::{self, BackupError, DrillReport, Manifest};
use crate::clock::now_ms;
use crate::exit::Exit;
use crate::office::Office;
use crate::open::StoreUrl;

/// What is said to whoever treats a server like a file.
const OF_A_SERVER: &str = "a PostgreSQL server is backed up and brought back with its own means; docs/backup.md says how. \
                           Afterwards, `central-hub restore --store postgres://...` without a backup makes it known";

#[derive(Debug, Args)]
pub(super) struct BackupArguments {
    /// The new folder to write the backup into
    folder: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct RestoreArguments {
    /// The folder of the backup; none for a server that was brought back by its own means
    backup: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct DrillArguments {
    /// The folder of the backup; none for a server that was brought back by its own means
    backup: Option<PathBuf>,
    /// Where to put the scratch folder, which needs twice the room of the backup [default: TMPDIR]
    #[arg(long, value_name = "FOLDER")]
    scratch: Option<PathBuf>,
}

/// Writes a backup.
pub(super) async fn make(
    url: &StoreUrl,
    (identity, pki): (Option<&Path>, Option<&Path>),
    arguments: &BackupArguments,
    format: Output,
) -> anyhow::Result<Exit> {
    let StoreUrl::Sqlite(path) = url else {
        output::notice(&format!("error: {OF_A_SERVER}"));
        return Ok(Exit::Usage);
    };
    let folder = &arguments.folder;
    let store = url.open(false).await?;
    let office = Office::enter(&store, identity, pki, now_ms()).await?;
    office.act(&store, Verb::Backup, &folder.display().to_string(), "").await?;
    let progress = |done: u64, of: u64| output::progress(&format!("backup: {done} of {of} pages"));
    let manifest = backup::make(path, folder, now_ms(), progress).await?;
    output::progress_done();
    commands::print(format, &manifest, |manifest| {
        let Manifest { bytes, national_digest, changes_received, .. } = manifest;
        output::line(&format!(
            "{}: {bytes} bytes, {changes_received} changes, national digest {national_digest}; encrypt it before it leaves \
             this machine, and try it out with `central-hub drill`",
            folder.display()
        ))
    })
}

/// Brings a nation back.
pub(super) async fn restore(
    url: &StoreUrl,
    (identity, pki): (Option<&Path>, Option<&Path>),
    arguments: &RestoreArguments,
    format: Output,
) -> anyhow::Result<Exit> {
    let nation = rand::random::<u64>() | 1;
    let manifest = match (url, &arguments.backup) {
        (StoreUrl::Sqlite(path), Some(backup)) => Some(backup::restore(backup, path, nation, now_ms()).await?),
        (StoreUrl::Postgres(_), None) => None,
        (StoreUrl::Sqlite(_), None) => {
            output::notice("error: name the folder of the backup");
            return Ok(Exit::Usage);
        }
        (StoreUrl::Postgres(_), Some(_)) => {
            output::notice(&format!("error: {OF_A_SERVER}"));
            return Ok(Exit::Usage);
        }
    };
    let store = url.open(false).await?;
    let from = arguments.backup.as_ref().map_or("the server's own means".to_owned(), |path| path.display().to_string());
    Office::enter(&store, identity, pki, now_ms()).await?.act(&store, Verb::Restore, &from, "").await?;
    if manifest.is_none() {
        store.begin_again(nation, now_ms()).await?;
    }
    commands::print(format, &manifest, |manifest| {
        let of = manifest.as_ref().map(|manifest| format!(" as it was at {}", manifest.made_at)).unwrap_or_default();
        output::line(&format!(
            "the nation is back{of}; start the hub, and the provinces send again what it has lost. Answers of operators since \
             then must be given again"
        ))
    })
}

/// Tries out whether the nation could be brought back.
pub(super) async fn drill(
    url: Option<&StoreUrl>,
    config: Option<&Path>,
    arguments: &DrillArguments,
    format: Output,
) -> anyhow::Result<Exit> {
    let policy = judged::policy(config)?;
    let scratch = arguments.scratch.as_ref().map_or_else(tempfile::tempdir, tempfile::tempdir_in);
    let scratch = scratch.context("no scratch folder for the drill; see --scratch")?;
    let progress = |what: &str, entries: u64| output::progress(&format!("drill: {what}: {entries} journal entries"));
    let report = match (&arguments.backup, url) {
        (Some(backup), _) => backup::drill(backup, scratch.path(), &policy, now_ms(), progress).await?,
        (None, Some(url @ StoreUrl::Postgres(_))) => {
            let store = url.open(false).await?;
            backup::drill_server(&store, scratch.path(), &policy, now_ms(), progress).await?
        }
        (None, _) => {
            output::notice("error: name the folder of the backup, or a server that was brought back with --store");
            return Ok(Exit::Usage);
        }
    };
    output::progress_done();
    let exit = match &report {
        DrillReport { recovered: true, .. } => Exit::Success,
        DrillReport { damaged: true, .. } => Exit::Data,
        _ => Exit::Failure,
    };
    commands::print(format, &report, |report| output::line(&in_one_line(report)))?;
    Ok(exit)
}

fn in_one_line(report: &DrillReport) -> String {
    let took = format!("{:.1} s", report.took_seconds);
    if !report.recovered {
        return format!("the nation could NOT be brought back ({took}): {}", report.defects.join("; "));
    }
    let age = jiff::SignedDuration::from_secs(i64::try_from(report.age_seconds).unwrap_or(i64::MAX));
    format!(
        "the nation could be brought back in {took}, as it was {age:#} ago: {} states from {} journal entries, of which {} \
         waited to be judged; national digest {}",
        report.states, report.journal_entries, report.tail_entries, report.national_digest
    )
}

pub(super) fn exit_of(error: &BackupError) -> Exit {
    match error {
        BackupError::Taken(_) => Exit::Usage,
        BackupError::Absent(_) | BackupError::Newer { .. } => Exit::Unavailable,
        BackupError::Damaged { .. } => Exit::Data,
        BackupError::Io { .. } => Exit::Io,
        BackupError::Ruling(_) => Exit::Config,
        BackupError::Store(error) => Exit::from(error),
    }
}
