//! Options of the command line.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;

/// What the roles do on a real Kafka, against references of the same run.
#[derive(Debug, Parser)]
#[command(name = "slipstream-bench kafka")]
pub struct Options {
    /// host:port[,host:port]
    #[arg(long, env = "SLIPSTREAM_TEST_KAFKA")]
    pub brokers: String,
    /// A database of PostgreSQL that may be emptied, as postgres://user@host:port/database
    #[arg(long, env = "SLIPSTREAM_TEST_POSTGRES")]
    pub postgres: Option<String>,
    /// Likewise one of a PostgreSQL with the extension TimescaleDB; without it hypertables are skipped
    #[arg(long, env = "SLIPSTREAM_TEST_TIMESCALE")]
    pub timescale: Option<String>,
    /// The program timescaledb-parallel-copy; without it the peer is skipped
    #[arg(long, env = "SLIPSTREAM_BENCH_PARALLEL_COPY")]
    pub parallel_copy: Option<PathBuf>,
    /// Events of the largest topic; others have a sixth of it, or a fixed time
    #[arg(long, default_value_t = 12_000_000)]
    pub events: u64,
    /// Runs of which the middle one is shown
    #[arg(long, default_value_t = 1)]
    pub runs: usize,
    /// Only these measurements
    #[arg(long, value_delimiter = ',')]
    pub only: Vec<String>,
    /// The slipstream program [default: next to this one]
    #[arg(long)]
    program: Option<PathBuf>,
    /// Where Maven put the Kafka Streams peer (bench/peers/streams); without it the peer is skipped
    #[arg(long)]
    pub streams: Option<PathBuf>,
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

    /// Events of a smaller topic.
    pub fn fewer(&self) -> u64 {
        (self.events / 6).max(1)
    }
}
