//! Commands about operators, and what is written down of them.

use std::io::Write as _;

use clap::Subcommand;
use hub_store::ledger::Verb;
use hub_store::{AnyStore, Ledger as _};

use super::arguments::Output;
use super::{commands, output};
use crate::exit::Exit;
use crate::office::{Office, OfficeError};
use crate::operator::rfc3339;
use crate::role::{Post, Role};

/// Acts that are read at once.
const PAGE_ACTS: usize = 1_000;

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Walk the journal and the ledger of operators; the same as `audit` alone
    Verify,
    /// Print the ledger of operators, one act a line in JSON, each with its hash
    Export {
        /// Begin behind this act
        #[arg(long, default_value_t = 0, value_name = "NUMBER")]
        after: u64,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum OperatorsCommand {
    /// Who has which role
    List,
    /// Give an operator a role; from the first one on, who has none may do nothing
    #[command(after_help = "Example:
  central-hub operators grant lan administrator --store sqlite:national.db --reason 'decision 12/QD'

A name is that of a user of this machine, or of an operator's certificate (`central-hub pki operator`).")]
    Grant {
        /// The operator
        name: String,
        /// viewer, registrar, administrator, or none
        #[arg(value_parser = role)]
        role: Role,
        /// Show sensitive fields too: ethnic origin, cause of death
        #[arg(long)]
        sensitive: bool,
        /// Why
        #[arg(long)]
        reason: String,
    },
}

fn role(text: &str) -> Result<Role, String> {
    Role::parse(text).ok_or_else(|| "write viewer, registrar, administrator or none".to_owned())
}

/// How a refused command ends the program.
pub(super) fn exit_of(error: &OfficeError) -> Exit {
    match error {
        OfficeError::NotAllowed { .. } | OfficeError::NotYou { .. } => Exit::Permission,
        OfficeError::NoReason | OfficeError::TooLong | OfficeError::Locked(_) => Exit::Usage,
        OfficeError::Identity(_) => Exit::Permission,
        OfficeError::Restless => Exit::TryAgain,
        OfficeError::Store(error) => Exit::from(error),
    }
}

/// Lists operators, or gives a role.
pub(super) async fn operators(
    store: &AnyStore,
    office: &Office,
    command: Option<OperatorsCommand>,
    format: Output,
) -> anyhow::Result<Exit> {
    if let Some(OperatorsCommand::Grant { name, role, sensitive, reason }) = command {
        office.grant(store, &name, Post { role, sees_sensitive: sensitive }, &reason).await?;
    }
    let grants = store.grants().await?;
    commands::print(format, &serde_json::json!({ "operators": grants }), |_| {
        let mut rows = output::table(&["operator", "role", "since"], 3);
        for grant in &grants {
            rows.add_row([grant.name.clone(), grant.role.clone(), rfc3339(Some(grant.granted_ms)).unwrap_or_default()]);
        }
        output::line(&rows.to_string())
    })
}

/// Prints the ledger; that it was handed out is the last line.
pub(super) async fn export(store: &AnyStore, office: &Office, mut after: u64) -> anyhow::Result<Exit> {
    office.act(store, Verb::Export, &format!("acts behind {after}"), "").await?;
    let mut out = std::io::stdout().lock();
    loop {
        let page = store.acts(after, PAGE_ACTS).await?;
        let Some(last) = page.last() else { return Ok(Exit::Success) };
        after = last.seq;
        for row in &page {
            writeln!(out, "{}", serde_json::to_string(row)?)?;
        }
    }
}
