//! Running the built binary as a user would.
#![allow(clippy::unwrap_used, reason = "a test")]
#![allow(dead_code, reason = "each test target uses its part")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// The binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_slipstream");

/// The binary with these arguments, in an environment without SLIPSTREAM_ variables.
pub fn slipstream(args: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.args(args);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SLIPSTREAM_")) {
        command.env_remove(name);
    }
    command
}

/// Runs to the end.
pub fn run(args: &[&str]) -> Output {
    slipstream(args).output().unwrap_or_else(|e| panic!("{BINARY} {args:?}: {e}"))
}

/// Runs to the end, which must be a success; its standard output as JSON.
pub fn json(args: &[&str]) -> Value {
    let output = run(args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "slipstream {args:?} failed: {said}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("slipstream {args:?}: no JSON: {e}\n{said}"))
}

/// What a command ended with, its standard output and its standard error.
pub fn told(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// A path as an argument.
pub fn arg(path: &Path) -> &str {
    path.to_str().unwrap()
}
