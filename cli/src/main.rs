//! The `slipstream` binary: parse, run, exit code.

use std::ffi::{OsString, c_int, c_long};
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
    // Freed memory is returned to the system after 10 ms. By default mimalloc 3 keeps it for a second, so that a gateway that
    // may use 128 MiB for requests held 380. It costs CPU time, so roles that work through a log go without. First of all:
    // set after the arguments were parsed, it had no effect.
    if may_be_gateway(std::env::args_os()) && std::env::var_os("MIMALLOC_PURGE_DELAY").is_none() {
        mi_option_set(PURGE_DELAY, 10);
    }
    slipstream_cli::main()
}

/// Whether the process takes in requests, as far as its arguments tell.
fn may_be_gateway(args: impl IntoIterator<Item = OsString>) -> bool {
    let args: Vec<OsString> = args.into_iter().collect();
    let names_it = |roles: &OsString| roles.to_string_lossy().contains("gateway");
    let roles = args.iter().position(|arg| arg.to_string_lossy().starts_with("--roles"));
    args.iter().any(|arg| arg == "run")
        && roles.is_none_or(|at| args[at..].iter().take(if args[at] == "--roles" { 2 } else { 1 }).any(names_it))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_process_that_may_be_a_gateway_returns_memory_at_once() {
        for (line, expected) in [
            ("slipstream run", true),
            ("slipstream --log-level info run --roles sink,gateway", true),
            ("slipstream run --roles=gateway", true),
            ("slipstream run --roles tally", false),
            ("slipstream run --roles=sink --data gateway", false),
            ("slipstream topics list", false),
        ] {
            assert_eq!(may_be_gateway(line.split(' ').map(OsString::from)), expected, "{line}");
        }
    }
}
