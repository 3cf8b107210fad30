//! Generates the wire's types, client and server from the `.proto` files, without a `protoc` binary.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Cargo reads this program's standard output.
    #[allow(clippy::print_stdout)]
    {
        println!("cargo::rerun-if-changed=build.rs");
        println!("cargo::rerun-if-changed=registry");
    }
    let descriptors = protox::compile(["registry/v1/sync.proto", "registry/v1/enrol.proto"], ["."])?;
    tonic_prost_build::configure()
        .build_client(true)
        .build_server(true)
        // These hold personal data, so the crate writes a `Debug` for them that shows none.
        .skip_debug([
            "registry.v1.Change",
            "registry.v1.Frame",
            "registry.v1.Notice",
            "registry.v1.Welcome",
            "registry.v1.EnrolRequest",
        ])
        .compile_fds(descriptors)?;
    Ok(())
}
