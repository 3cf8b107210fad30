//! How the program ends: codes that scripts and service managers can act on.

use std::process::ExitCode;

use hub_store::StoreError;

/// The program's exit codes; the numbers are those of BSD's `sysexits.h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Success = 0,
    /// Failed, or a check found a difference.
    Failure = 1,
    /// The command line is wrong.
    Usage = 64,
    /// What was asked for cannot be read: a damaged store, a wrong id.
    Data = 65,
    /// Something that is needed is absent: the store, the record.
    Unavailable = 69,
    /// Reading or writing failed.
    Io = 74,
    /// Something else holds the store at the moment: try again.
    TryAgain = 75,
    /// Permission is missing.
    Permission = 77,
    /// The configuration is wrong.
    Config = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl From<&StoreError> for Exit {
    fn from(error: &StoreError) -> Self {
        match error {
            StoreError::Full { .. } => Self::Io,
            StoreError::Busy { .. } => Self::TryAgain,
            StoreError::ReadOnly { .. } => Self::Permission,
            StoreError::Unusable { .. } => Self::Unavailable,
            StoreError::Damaged { .. } => Self::Data,
            StoreError::Database { .. } | StoreError::Closed => Self::Failure,
        }
    }
}
