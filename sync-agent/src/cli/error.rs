//! Why a command failed, and with which exit code.

use std::io::ErrorKind;
use std::path::PathBuf;

use thiserror::Error;

use crate::backlog::ImportError;
use crate::config::ConfigError;
use crate::credentials::CredentialsError;
use crate::exit::Exit;
use crate::identity::IdentityError;
use crate::store::StoreError;
use crate::telemetry::TelemetryError;

/// Why a command failed: each room's error as it is.
#[derive(Debug, Error)]
pub(super) enum CliError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    #[error(transparent)]
    Import(#[from] ImportError),
    /// A check found something.
    #[error("the store is not as it should be; `central-hub resync start PROVINCE --deep` at the centre mends it")]
    NotIntact,
    /// The options contradict each other or leave something out.
    #[error("{0}")]
    Usage(String),
    /// A configuration file stands in the way.
    #[error("{0} exists already: name another file with --config, or move this one away")]
    ConfigExists(PathBuf),
    /// A file cannot be written.
    #[error("{path} cannot be written", path = .path.display())]
    Write { path: PathBuf, source: std::io::Error },
    /// The operating system refuses what the daemon needs.
    #[error("{what} failed")]
    System { what: &'static str, source: std::io::Error },
    /// The result cannot be printed.
    #[error("the result cannot be printed")]
    Print(#[from] std::io::Error),
}

impl CliError {
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Config(ConfigError::Unreadable { source, .. }) | Self::Write { source, .. }
                if source.kind() == ErrorKind::PermissionDenied =>
            {
                Exit::Permission
            }
            Self::Identity(IdentityError::File(error)) | Self::Credentials(CredentialsError::File(error))
                if error.is_about_permissions() =>
            {
                Exit::Permission
            }
            Self::Credentials(CredentialsError::Refused(_)) => Exit::Unavailable,
            Self::Credentials(_) | Self::Config(_) | Self::Identity(_) | Self::Telemetry(_) | Self::ConfigExists(_) => {
                Exit::Config
            }
            Self::Store(error) => error.exit(),
            Self::Import(error) => import_exit(error),
            Self::NotIntact => Exit::Failure,
            Self::Usage(_) => Exit::Usage,
            Self::Write { .. } | Self::System { .. } | Self::Print(_) => Exit::Io,
        }
    }

    /// Whether the reader of the output has gone, as `head` does: that is no failure.
    pub(super) fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Print(error) if error.kind() == ErrorKind::BrokenPipe)
    }
}

const fn import_exit(error: &ImportError) -> Exit {
    match error {
        ImportError::Unreadable { .. } => Exit::Unavailable,
        ImportError::TooLarge { .. } | ImportError::Damaged { .. } | ImportError::Columns { .. } => Exit::Data,
        ImportError::Mapping { .. } => Exit::Config,
        ImportError::Rejects { .. } | ImportError::Disk { .. } => Exit::Io,
        ImportError::Busy { .. } => Exit::TryAgain,
        ImportError::Sealing { source, .. } => source.exit(),
        ImportError::Store { .. } => Exit::Failure,
    }
}
