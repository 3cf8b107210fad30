//! The `central-hub` program; see the library of the same name.

fn main() -> std::process::ExitCode {
    #[cfg(feature = "failpoints")]
    failpoints::arm().expect("a crash test names failpoints well");
    central_hub::cli::main()
}
