//! The `slipstream` binary: parse, run, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    slipstream_cli::main()
}
