//! `sync-agent init`: makes a store and its configuration.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use registry_schema::ids::Epoch;

use super::error::CliError;
use super::{CONFIG_FILE, enrol};
use crate::config::{Access, Config, Layer};
use crate::credentials::Folder;
use crate::identity::Token;
use crate::store::{self, StoreError, StoreLock, state::Incarnation};

pub(super) const EXAMPLES: &str = "\
Example:
  sync-agent init --store /var/lib/hotich/hanoi.db --province 01@2008 \\
    --hub http://127.0.0.1:7400 --token-file /etc/hotich/hanoi.token

An existing file with the reference schema is taken over with everything in it. An initialised store is never
initialised again.

A store that was restored from a backup or copied needs a new epoch, and its province must be enrolled again:
  sync-agent init --new-epoch --store /var/lib/hotich/hanoi.db
Everything in it stays; a comparison with the centre then brings back what it had lost.";

#[derive(Debug, Args)]
pub(super) struct InitArgs {
    #[command(flatten)]
    settings: Layer,
    /// The configuration file to write [default: agent.toml beside the store]
    #[arg(long, env = "HOTICH_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Give an initialised store a new epoch, because it was restored or copied; nothing else is changed
    #[arg(long)]
    new_epoch: bool,
    /// The token file of the centre: gets this agent's certificate with it; see `sync-agent enrol`
    #[arg(long, value_name = "TOKENFILE")]
    enrol: Option<PathBuf>,
}

pub(super) fn run(args: InitArgs) -> Result<(), CliError> {
    if args.new_epoch {
        return new_epoch(args);
    }
    let mut config = args.settings.finish()?;
    config.store = absolute(&config.store)?;
    let (Access::Identity(path) | Access::Token(path)) = &mut config.access;
    *path = absolute(path)?;
    let config_path = args.config.unwrap_or_else(|| config.store.with_file_name(CONFIG_FILE));
    // The configuration comes first: it can be taken back, an initialised store cannot.
    let file = create_private(&config_path)?;
    let incarnation = Incarnation { origin: config.province, epoch: Epoch(rand::random()) };
    let made = write(&file, &config_path, &config)
        .and_then(|()| args.enrol.map_or(Ok(()), |token_file| enrol::enrol(&config, &token_file)))
        .and_then(|()| Ok(store::init(&config.store, incarnation)?));
    if let Err(error) = made {
        // The first error is the one to report.
        let _ = std::fs::remove_file(&config_path);
        return Err(error);
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "store          {} ({})", config.store.display(), incarnation.origin)?;
    writeln!(out, "epoch          {:016x}", incarnation.epoch.0)?;
    writeln!(out, "configuration  {}", config_path.display())?;
    let usable = match &config.access {
        Access::Identity(folder) => Folder::new(folder).load().map(drop).map_err(|error| error.to_string()),
        Access::Token(file) => Token::load(file).map(drop).map_err(|error| error.to_string()),
    };
    if let Err(error) = usable {
        writeln!(std::io::stderr(), "note: {error}")?;
    }
    writeln!(out, "next           sync-agent run --config {}", config_path.display())?;
    Ok(())
}

fn new_epoch(args: InitArgs) -> Result<(), CliError> {
    let configured = || args.config.as_deref().map(Layer::read).transpose();
    let path = match args.settings.store {
        Some(path) => path,
        None => configured()?
            .and_then(|layer| layer.store)
            .ok_or_else(|| CliError::Usage("no store: give --store PATH or --config FILE".to_owned()))?,
    };
    let _lock = StoreLock::take(&path)?;
    let epoch = Epoch(rand::random());
    store::take_new_epoch(&path, epoch)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "epoch          {:016x}", epoch.0)?;
    writeln!(
        out,
        "next           central-hub provinces enrol ... at the centre; then run the agent with the new token"
    )?;
    Ok(())
}

fn absolute(path: &Path) -> Result<PathBuf, CliError> {
    std::path::absolute(path)
        .map_err(|source| CliError::Store(StoreError::File { what: path.display().to_string(), source }))
}

/// A new file that only its owner may read.
fn create_private(path: &Path) -> Result<File, CliError> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::AlreadyExists => CliError::ConfigExists(path.to_owned()),
        _ => CliError::Write { path: path.to_owned(), source },
    })
}

fn write(mut file: &File, path: &Path, config: &Config) -> Result<(), CliError> {
    let written = file.write_all(config.to_toml().as_bytes()).and_then(|()| file.sync_all());
    written.map_err(|source| CliError::Write { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::exit::Exit;

    fn args(folder: &Path, config: Option<&str>) -> InitArgs {
        InitArgs {
            settings: Layer {
                store: Some(folder.join("hanoi.db")),
                province: Some("01@2008".parse().unwrap()),
                hub: Some("http://127.0.0.1:7400".to_owned()),
                token_file: Some(folder.join("token")),
                ..Layer::default()
            },
            config: config.map(|name| folder.join(name)),
            new_epoch: false,
            enrol: None,
        }
    }

    #[test]
    fn a_store_and_its_configuration_are_made_once() {
        let folder = tempfile::tempdir().unwrap();
        run(args(folder.path(), None)).unwrap();
        let written = folder.path().join("agent.toml");
        assert_eq!(written.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let config = Layer::read(&written).unwrap().finish().unwrap();
        assert_eq!(config.store, folder.path().join("hanoi.db"));
        assert_eq!(store::Store::open(&config.store).unwrap().incarnation().origin, config.province);

        assert_eq!(run(args(folder.path(), None)).unwrap_err().exit(), Exit::Config);
        let again = run(args(folder.path(), Some("other.toml"))).unwrap_err();
        assert!(matches!(again, CliError::Store(StoreError::AlreadyInitialised(_))));
        assert!(!folder.path().join("other.toml").exists());
    }

    #[test]
    fn two_stores_never_share_an_epoch() {
        let epochs = [(), ()].map(|()| {
            let folder = tempfile::tempdir().unwrap();
            run(args(folder.path(), None)).unwrap();
            store::Store::open(&folder.path().join("hanoi.db")).unwrap().incarnation().epoch
        });
        assert_ne!(epochs[0], epochs[1]);
    }
}
