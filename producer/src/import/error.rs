//! Why an import could not go on.

use std::io;
use std::path::PathBuf;

use slipstream_log::LogError;

use crate::unpack::Foreign;

/// Why an import could not go on. What was committed by then stays; the same import again continues there.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Access logs do not name a service.
    #[error("lines of an access log name no service; say which one they are of (--service NAME)")]
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
        "{} has {has} bytes, which look like the beginning of {known}, of which {imported} bytes were imported: either it was \
         cut, or it is another file that begins alike; if its lines are new, put an empty line before them: \
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
    /// Somebody else imports into the same log, or the same file.
    #[error("another import into this log has taken over; start this one again when that one has ended")]
    TakenOver,
    /// The position of a file in the log cannot be read.
    #[error("an import position in the log cannot be read: {0}")]
    Position(#[from] slipstream_schemas::codec::CodecError),
    /// The log failed for good.
    #[error("importing: {0}")]
    Log(#[from] LogError),
    /// The log refused a step for good.
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
    #[error("the thread that reads the file has ended: {0}")]
    Thread(#[from] tokio::task::JoinError),
}
