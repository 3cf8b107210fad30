//! The `central-hub` program; see the library of the same name.

fn main() -> std::process::ExitCode {
    central_hub::cli::main()
}
