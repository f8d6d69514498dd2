//! Where services come from: an address in the environment, Docker, or native processes.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};

use super::image::{self, Image, Wanted};

/// The variable with a Kafka's address, `HOST:PORT`.
pub const KAFKA: &str = "SLIPSTREAM_TEST_KAFKA";
/// The variable with a PostgreSQL's URL, `postgres://...`, of a user who may create databases.
pub const POSTGRES: &str = "SLIPSTREAM_TEST_POSTGRES";
/// The variable with the URL of a PostgreSQL that has the TimescaleDB extension; [`NONE`] says that there is none.
pub const TIMESCALE: &str = "SLIPSTREAM_TEST_TIMESCALE";
/// In place of an address: do without, and do not look for another.
pub const NONE: &str = "none";
/// The variable that forces a way, `docker` or `native`.
pub const SERVICES: &str = "SLIPSTREAM_TEST_SERVICES";

/// A way to run a service of our own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    /// A container of this image.
    Docker(Image),
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

/// How to start our own service: with Docker if a daemon is running and an image is available, else natively.
pub(super) async fn own(wanted: Wanted) -> Result<Way> {
    let forced = given(SERVICES)?;
    let containers = async {
        image::daemon_answers().await?;
        wanted.get().await.map(Way::Docker)
    };
    match forced.as_deref() {
        Some("docker") => containers.await.with_context(|| format!("{SERVICES}=docker requires Docker")),
        Some("native") => Ok(Way::Native),
        None => Ok(containers.await.unwrap_or(Way::Native)),
        Some(other) => bail!("{SERVICES} must be docker or native, not {other}"),
    }
}

/// Whether a service that some machines do not have has to be there: on a machine of CI nothing is left out silently.
pub(super) fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|ci| ci == "true")
}

/// The message of a test that does not get its service.
pub(super) fn advice(service: &str, error: &anyhow::Error) -> String {
    format!(
        "this test needs a real {service}, and none could be started: {error:#}\n\
         Run `scripts/setup test` once, which installs what native processes need (Java and Maven, PostgreSQL), or start \
         Docker, or give the address of one: {KAFKA}=HOST:PORT, {POSTGRES}=postgres://USER:PASSWORD@HOST:PORT/DATABASE. \
         {SERVICES}=docker or native forces a way."
    )
}

/// Runs a script of testkit/images and returns the last line that it prints.
pub(super) async fn script(name: &str, arguments: &[&str]) -> Result<String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("images").join(name);
    let mut command = tokio::process::Command::new(&path);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let ran = command.output().await.with_context(|| format!("running {}", path.display()))?;
    let said = String::from_utf8_lossy(&ran.stderr);
    ensure!(ran.status.success(), "{name} {}: {}", arguments.join(" "), said.trim());
    let answer = String::from_utf8(ran.stdout).context("a script's output is not UTF-8")?;
    answer.lines().last().map(str::to_owned).with_context(|| format!("{} printed nothing", path.display()))
}
