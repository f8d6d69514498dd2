//! Where services come from: an address in the environment, Docker, or native processes.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};

/// The variable with a Kafka's address, `HOST:PORT`.
pub const KAFKA: &str = "SLIPSTREAM_TEST_KAFKA";
/// The variable with a PostgreSQL's URL, `postgres://...`, of a user who may create databases.
pub const POSTGRES: &str = "SLIPSTREAM_TEST_POSTGRES";
/// The variable that forces a way, `docker` or `native`.
pub const SERVICES: &str = "SLIPSTREAM_TEST_SERVICES";

/// A way to run a service of our own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// A process of this machine.
    Native,
}

/// The address in a variable, when it is set.
pub(super) fn given(variable: &str) -> Result<Option<String>> {
    match std::env::var(variable) {
        Ok(address) if !address.is_empty() => Ok(Some(address)),
        Ok(_) | Err(std::env::VarError::NotPresent) => Ok(None),
        Err(error) => bail!("{variable}: {error}"),
    }
}

/// The way for services of our own.
pub(super) async fn own() -> Result<Way> {
    Ok(Way::Native)
}

/// What a test says that does not get its service.
pub(super) fn advice(service: &str, error: &anyhow::Error) -> String {
    format!(
        "this test needs a real {service}, and none could be started: {error:#}\n\
         Run `scripts/setup test` once, which installs what native processes need (Java and Maven, PostgreSQL), or start \
         Docker, or give the address of one: {KAFKA}=HOST:PORT, {POSTGRES}=postgres://USER:PASSWORD@HOST:PORT/DATABASE. \
         {SERVICES}=docker or native forces a way."
    )
}

/// Runs a script of testkit/images and answers the last line that it prints.
pub(super) async fn script(name: &str, arguments: &[&str]) -> Result<String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("images").join(name);
    let mut command = tokio::process::Command::new(&path);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let ran = command.output().await.with_context(|| format!("running {}", path.display()))?;
    let said = String::from_utf8_lossy(&ran.stderr);
    ensure!(ran.status.success(), "{} {}: {said}", path.display(), arguments.join(" "));
    let answer = String::from_utf8(ran.stdout).context("a script's answer is not UTF-8")?;
    answer.lines().last().map(str::to_owned).with_context(|| format!("{} printed nothing", path.display()))
}
