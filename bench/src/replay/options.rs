//! Options of the command line.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;

/// A replay of the embedded log, against a what-if and DuckDB in the same run.
#[derive(Debug, Parser)]
#[command(name = "slipstream-bench replay")]
pub struct Options {
    /// Events in the log
    #[arg(long, default_value_t = 10_000_000)]
    pub events: u64,
    /// Events of a second of log time: 50,000 are 12 M ids in the two generations of the redelivery window
    #[arg(long, default_value_t = 50_000)]
    pub rate: u64,
    /// Runs of which the middle one is shown
    #[arg(long, default_value_t = 3)]
    pub runs: usize,
    /// Threads of a replay [default: its own]
    #[arg(long)]
    threads: Option<usize>,
    /// A Python with the module duckdb (bench/peers/duckdb); without it the peer is skipped
    #[arg(long)]
    pub duckdb: Option<PathBuf>,
    /// A directory that is kept, with the events in it for further runs of the same options [default: a temporary one]
    #[arg(long)]
    pub home: Option<PathBuf>,
    /// The slipstream program [default: next to this one]
    #[arg(long)]
    program: Option<PathBuf>,
}

impl Options {
    /// The slipstream program.
    ///
    /// # Errors
    /// When it is not there.
    pub fn program(&self) -> Result<PathBuf> {
        let beside = || Some(std::env::current_exe().ok()?.with_file_name("slipstream"));
        let program = self.program.clone().or_else(beside).filter(|program| program.exists());
        program.context("no slipstream program: cargo build --release --bin slipstream, or pass --program")
    }

    /// Arguments of a replay.
    pub fn threads(&self) -> Vec<OsString> {
        self.threads.map(|threads| vec!["--threads".into(), threads.to_string().into()]).unwrap_or_default()
    }
}
