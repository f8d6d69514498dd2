//! The `slipstream` binary: parse, run, exit code.

use std::process::ExitCode;

/// Also librdkafka's, which allocates each record in one thread and frees it in another.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    slipstream_cli::main()
}
