//! Flags that say where an installation is.

use std::path::PathBuf;

use clap::Args;

/// Where an installation is. What is not given here comes from SLIPSTREAM_* variables and the configuration file.
#[derive(Debug, Clone, Args)]
pub struct Place {
    /// Configuration file (YAML)
    #[arg(long, env = "SLIPSTREAM_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Directory of the embedded log and store [default: slipstream-data]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The log: sqlite:DIR or kafka://host:port[,host:port] [default: under --data]
    #[arg(long, value_name = "ADDRESS")]
    pub log: Option<String>,
    /// The store: sqlite:DIR or postgres://user@host:port/database [default: under --data]
    #[arg(long, value_name = "ADDRESS")]
    pub store: Option<String>,
}
