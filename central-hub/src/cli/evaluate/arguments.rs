//! What can be said to `evaluate` and `explain`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::evaluate::explain::Participant;

/// Of which records.
#[derive(Debug, Args)]
pub(in crate::cli) struct Source {
    /// A CSV file from elsewhere, instead of the records of the store
    #[arg(long, value_name = "FILE", requires = "mapping")]
    pub(in crate::cli) data: Option<PathBuf>,
    /// What the columns of that file mean (TOML)
    #[arg(long, value_name = "FILE", requires = "data")]
    pub(in crate::cli) mapping: Option<PathBuf>,
    /// Whose weights and frequencies [default: national for the store, and for a file whose names it knows; else fit]
    #[arg(long, value_enum, value_name = "EDITION")]
    pub(in crate::cli) edition: Option<EditionChoice>,
}

impl Source {
    /// Whose entries of the registry are looked at, for the ledger; nobody's where they come from a file.
    pub(in crate::cli) fn people(&self) -> Option<String> {
        self.data.is_none().then(|| "people who are linked".to_owned())
    }
}

/// Whose weights and frequencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum EditionChoice {
    /// The frozen edition under which the nation is judged
    National,
    /// Estimated from the set itself, without its truth
    Fit,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct EvaluateArguments {
    #[command(flatten)]
    pub(in crate::cli) source: Source,
    /// Who is who: a CSV file with the columns record_id,role,person_id
    #[arg(long, value_name = "FILE")]
    pub(super) truth: Option<PathBuf>,
    /// Draw precision and recall over the threshold into this file (SVG)
    #[arg(long, value_name = "FILE")]
    pub(super) curve: Option<PathBuf>,
    /// Write who was found to be whom into this file (CSV: record_id,role,cluster)
    #[arg(long, value_name = "FILE")]
    pub(super) clusters: Option<PathBuf>,
    /// The worst errors to show, of each kind: false pairs and missed pairs
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(0..=1000))]
    pub(super) worst: u16,
    /// Why people of the registry are looked at; written down
    #[arg(long, default_value = "", value_name = "REASON")]
    pub(in crate::cli) why: String,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ExplainArguments {
    /// One participant: RECORD#role, or RECORD where the role is plain
    #[arg(value_parser = participant)]
    pub(super) a: Participant,
    /// The other
    #[arg(value_parser = participant)]
    pub(super) b: Participant,
    #[command(flatten)]
    pub(in crate::cli) source: Source,
    /// Why people of the registry are looked at; written down
    #[arg(long, default_value = "", value_name = "REASON")]
    pub(in crate::cli) why: String,
}

impl ExplainArguments {
    /// Whose entries of the registry are looked at, for the ledger.
    pub(in crate::cli) fn people(&self) -> Option<String> {
        self.source.people().map(|_| format!("likeness of {} and {}", self.a.record, self.b.record))
    }
}

fn participant(text: &str) -> Result<Participant, std::convert::Infallible> {
    Ok(Participant::parse(text))
}
