//! The `slipstream` binary: parse, run, exit code.

use std::ffi::{c_int, c_long};
use std::process::ExitCode;

/// Also librdkafka's, which allocates each record in one thread and frees it in another.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Number of mimalloc's option `purge_delay`.
const PURGE_DELAY: c_int = 15;

#[allow(unsafe_code, reason = "mimalloc's C interface")]
// SAFETY: the allocator has the function under this name and with these types; it accepts any number and value.
unsafe extern "C" {
    safe fn mi_option_set(option: c_int, value: c_long);
}

fn main() -> ExitCode {
    slipstream_cli::main(return_memory_soon)
}

/// Returns freed memory to the system after 10 ms, unless the environment says otherwise. By default mimalloc 3 keeps it for
/// a second, so that a gateway that may use 128 MiB for requests held 380.
fn return_memory_soon() {
    if std::env::var_os("MIMALLOC_PURGE_DELAY").is_none() {
        mi_option_set(PURGE_DELAY, 10);
    }
}
