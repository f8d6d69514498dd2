//! Flags that say where an installation is.

use std::path::PathBuf;

use clap::Args;
use slipstream_runtime::config::found;

use super::server::Server;
use super::values::API;

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

/// Whom a question is asked of: log and store, or a server that has both.
#[derive(Debug, Clone, Args)]
pub struct AskedOf {
    /// Ask the API of a running installation instead: http://HOST:8470
    #[arg(long, value_name = "URL", value_parser = API, conflicts_with_all = ["data", "log", "store"])]
    pub server: Option<String>,
    /// What it may ask for
    #[command(flatten)]
    pub access: Server,
    /// Where log and store are
    #[command(flatten)]
    pub place: Place,
}

/// A value as one enters it in a shell. Of an address without user, password and parameters.
pub fn as_argument(value: &str) -> String {
    let value = if value.contains("://") { found(value).trim_matches('`').to_owned() } else { value.to_owned() };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@+%…".contains(c);
    if !value.is_empty() && value.chars().all(plain) { value } else { format!("'{}'", value.replace('\'', r"'\''")) }
}

/// The name by which this program was called: what one enters to call it again.
pub fn called() -> String {
    std::env::args_os().next().map_or("slipstream".to_owned(), |name| as_argument(&name.to_string_lossy()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_can_be_entered_again_and_tells_no_password() {
        let table = [
            ("slipstream-data", "slipstream-data"),
            ("my data", "'my data'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
            ("kafka://a:9092,b:9092", "kafka://a:9092,b:9092"),
        ];
        for (value, entered) in table {
            assert_eq!(as_argument(value), entered);
        }
        let told = as_argument("postgres://me:t0ps3cret@host/db?password=t0ps3cret");
        assert!(told.contains("host/db") && !told.contains("t0ps3cret"), "{told}");
    }
}
