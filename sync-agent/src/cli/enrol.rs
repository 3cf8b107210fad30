//! `sync-agent enrol`: gets this agent's certificate for a one-time token.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;

use super::ConfigFile;
use super::error::CliError;
use crate::config::{Access, Config, Layer};
use crate::credentials::Folder;
use crate::enrolment::{self, TokenFile};
use crate::uplink;

#[derive(Debug, Args)]
pub(super) struct EnrolArgs {
    /// The token file that the centre made with `central-hub pki enrol`
    #[arg(value_name = "TOKENFILE")]
    token: PathBuf,
    #[command(flatten)]
    file: ConfigFile,
    #[command(flatten)]
    settings: Layer,
}

pub(super) fn run(args: EnrolArgs) -> Result<(), CliError> {
    let config = args.settings.over(args.file.read()?).finish()?;
    enrol(&config, &args.token)?;
    writeln!(std::io::stdout().lock(), "enrolled: the certificate and the keys are in the identity folder")?;
    Ok(())
}

/// Spends a token for the agent of this configuration.
pub(super) fn enrol(config: &Config, token_file: &Path) -> Result<(), CliError> {
    let Access::Identity(folder) = &config.access else {
        return Err(CliError::Usage("certificates are for a hub at https://...: give --hub and --identity".to_owned()));
    };
    let token = TokenFile::read(token_file)?;
    if token.province != config.province {
        let (token, own) = (token.province, config.province);
        return Err(CliError::Usage(format!("the token is for province {token}, and this store is of {own}")));
    }
    let failed = |source| CliError::System { what: "starting the runtime", source };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let folder = Folder::new(folder);
    Ok(runtime.block_on(enrolment::enrol(&uplink::over_tcp(), &config.hub, &token, &folder))?)
}
