//! Why an import could not continue.

use std::io;
use std::path::PathBuf;

use slipstream_log::LogError;

use crate::unpack::Foreign;

/// Why an import could not continue. What was committed by then is kept; running the import again continues there.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Access logs do not name a service.
    #[error("the lines of an access log do not name a service; pass it with --service NAME")]
    NoService,
    /// The file cannot be opened or decompressed.
    #[error("reading {}{}: {source}", path.display(), match line { 0 => String::new(), n => format!(", after line {n} (imported up to there)") })]
    Read {
        /// The file.
        path: PathBuf,
        /// The last line that could be read; 0 if there is none.
        line: u64,
        /// Why.
        source: io::Error,
    },
    /// The file is in a format that is not read.
    #[error("{}: {foreign}", path.display())]
    Encoding {
        /// The file.
        path: PathBuf,
        /// Its format.
        foreign: Foreign,
    },
    /// The file is shorter than what was imported of it.
    #[error(
        "{} has {has} bytes and looks like the start of {known}, of which {imported} bytes were imported: either it was \
         truncated, or it is another file that starts the same way; if its lines are new, put an empty line before them: \
         (echo; cat FILE) | slipstream import … -",
        path.display()
    )]
    Shrunk {
        /// The file.
        path: PathBuf,
        /// The path of what was imported.
        known: String,
        /// Bytes it has, decompressed.
        has: u64,
        /// Bytes that were imported.
        imported: u64,
    },
    /// Another process imports into the same log, or the same file.
    #[error("another import into this log has taken over; restart this one when that one is done")]
    TakenOver,
    /// The position of a file in the log cannot be read.
    #[error("an import position in the log cannot be read: {0}")]
    Position(#[from] slipstream_schemas::codec::CodecError),
    /// The log failed permanently.
    #[error("importing: {0}")]
    Log(#[from] LogError),
    /// The log refused a step permanently.
    #[error("importing: the log refused: {0}")]
    Refused(String),
    /// The gateway cannot be reached, or takes no imports.
    #[error("importing through the gateway at {address}: {cause}")]
    Gateway {
        /// Its address.
        address: String,
        /// Why.
        cause: String,
    },
    /// The thread that reads the file panicked: a mistake in the program.
    #[error("the thread that reads the file has panicked: {0}")]
    Thread(#[from] tokio::task::JoinError),
}
