//! How the program ends: codes that scripts and service managers can act on.

use std::process::ExitCode;

/// The program's exit codes; the numbers are those of BSD's `sysexits.h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Success = 0,
    /// Failed for a reason that none of the codes below names.
    Failure = 1,
    /// The command line is wrong.
    Usage = 64,
    /// An input file, or the store's own data, cannot be used as it is.
    Data = 65,
    /// Something that is needed is absent: the store, or the centre.
    Unavailable = 69,
    /// Reading or writing failed.
    Io = 74,
    /// Something else holds the store at the moment: try again.
    TryAgain = 75,
    /// Permission is missing, or too much of it was given.
    Permission = 77,
    /// The configuration is wrong.
    Config = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
