//! Flags of commands that speak to a server of an installation.

use std::path::PathBuf;

use clap::Args;

/// What a server may ask for. A token may stand in the variable SLIPSTREAM_TOKEN as well.
#[derive(Debug, Clone, Default, Args)]
pub struct Server {
    /// File with the token to show [default: the variable SLIPSTREAM_TOKEN]
    #[arg(long, env = "SLIPSTREAM_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Certificates (PEM), one of which must have signed that of an https:// address [default: those the system trusts]
    #[arg(long, env = "SLIPSTREAM_CA_FILE", value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
}
