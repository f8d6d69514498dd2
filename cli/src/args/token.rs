//! `slipstream token`

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::TypedValueParser;
use clap::error::{Error, ErrorKind};
use clap::{Arg, Args, Command, Subcommand};
use slipstream_runtime::access::Scope;
use slipstream_schemas::token::is_id;

use super::place::Place;
use super::server::Server;
use super::values::{GATEWAY, duration};

/// `slipstream token ...`
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:\n  slipstream token create --name shop --scopes ingest --expires 90d\n  \
    slipstream token list\n  slipstream token revoke 9f86d081884c7d65\n\n\
    Once an installation has ever had a token, every request needs one. As long as it never had one, only loopback\n\
    addresses are served. Scopes: ingest (events, markers), read (questions), operate (changes, tokens among them).\n\
    Where `slipstream run` owns the directory, and with --to, create and revoke go through its gateway, which asks for\n\
    a token with the scope operate.")]
pub enum Token {
    /// Make a token, and print it: it is shown this once
    #[command(after_help = "Examples:\n  slipstream token create --name shop --scopes ingest --expires 90d\n  \
        slipstream token create --name admin --scopes ingest,read,operate \\\n      --out admin.token\n  \
        slipstream token create --name ci --scopes ingest \\\n      --to https://gateway:8480 --token-file admin.token")]
    Create {
        /// What people call it
        #[arg(long)]
        name: String,
        /// What it allows, separated by commas: ingest, read, operate
        #[arg(long, value_delimiter = ',', required = true, value_name = "SCOPE", value_parser = scope)]
        scopes: Vec<Scope>,
        /// After which time it is refused, such as 90d [default: never]
        #[arg(long, value_name = "DURATION", value_parser = duration)]
        expires: Option<Duration>,
        /// Write it to this new file, readable only for its owner, and do not print it
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Keep what the file of --out holds if that is a valid token with these scopes, else replace it
        #[arg(long, requires = "out", conflicts_with = "to")]
        reuse: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Where
        #[command(flatten)]
        through: Through,
    },
    /// List tokens, oldest first, without what is secret
    #[command(after_help = "Example:\n  slipstream token list --json")]
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Where
        #[command(flatten)]
        through: Through,
    },
    /// Revoke a token: within about two seconds no process takes it any more
    #[command(after_help = "Example:\n  slipstream token revoke 9f86d081884c7d65")]
    Revoke {
        /// Its id (slipstream token list)
        #[arg(value_parser = Id)]
        id: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Where
        #[command(flatten)]
        through: Through,
    },
}

/// The installation, or its gateway.
#[derive(Debug, Args)]
pub struct Through {
    /// Through the gateway at this address
    #[arg(long = "to", id = "to", value_name = "URL", value_parser = GATEWAY)]
    #[arg(conflicts_with_all = ["data", "log", "store"])]
    pub gateway: Option<String>,
    /// What it may ask for
    #[command(flatten)]
    pub server: Server,
    /// Where the installation is
    #[command(flatten)]
    pub place: Place,
}

fn scope(text: &str) -> Result<Scope, String> {
    Scope::from_name(text).ok_or_else(|| format!("expected one of {}", Scope::ALL.map(Scope::name).join(", ")))
}

/// A token's id. Who passes the token itself must not find it in a log, where clap would print it with its own error.
#[derive(Debug, Clone)]
struct Id;

impl TypedValueParser for Id {
    type Value = String;

    fn parse_ref(&self, command: &Command, _: Option<&Arg>, value: &OsStr) -> Result<String, Error> {
        match value.to_str().filter(|text| is_id(text)) {
            Some(id) => Ok(id.to_owned()),
            None => {
                let message = "expected a token's id, 16 hexadecimal digits (slipstream token list)\n";
                Err(Error::raw(ErrorKind::ValueValidation, message).with_cmd(command))
            }
        }
    }
}
