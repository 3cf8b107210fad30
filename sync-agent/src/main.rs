//! The program `sync-agent`; everything it does is in the library, so that a simulation can run it.

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(feature = "failpoints")]
    failpoints::arm().expect("a crash test names failpoints well");
    sync_agent::cli::main()
}
