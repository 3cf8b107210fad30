//! The `central-hub` program; see the library of the same name.

/// Judging makes and drops millions of small things on several threads.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    #[cfg(feature = "failpoints")]
    failpoints::arm().expect("a crash test names failpoints well");
    central_hub::cli::main()
}
