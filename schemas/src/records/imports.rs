//! How far an import of a file has come.

use serde::{Deserialize, Serialize};

/// How far an import of a file has come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImportPosition {
    /// SHA-256 of the first `head` bytes, decompressed, in hex; behind it `-2`, `-3` and so on where other files begin alike.
    pub file: String,
    /// 4 KiB, or what the file had when it was shorter: a file that begins with these bytes is this one, grown.
    pub head: i64,
    /// Path as last given.
    pub path: String,
    /// Lines consumed.
    pub lines: i64,
    /// Decompressed bytes consumed.
    pub bytes: i64,
    /// Events written.
    pub events: i64,
    /// Lines that went to dead-letters.
    pub rejected: i64,
    /// Microseconds added to event times (`--shift-to-now`), fixed by the first run.
    pub shift: i64,
    /// Bytes of a last line without an end, which went to dead-letters as it was: it is read again when it has grown.
    pub unfinished: i64,
    /// True once the end of the file was reached.
    pub finished: bool,
    /// XXH3-64 of the decompressed bytes consumed; `None` where a version that kept none wrote this.
    #[serde(default)]
    pub hash: Option<i64>,
    /// Beginnings, shortest first, by which a file that is shorter than what was read is told apart.
    #[serde(default)]
    pub checks: Vec<ImportCheck>,
    /// How the lines of the last run were read; `None` where a version that kept none wrote this.
    #[serde(default)]
    pub reading: Option<ImportReading>,
}

/// What a beginning of a file looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportCheck {
    /// Its length, decompressed.
    pub bytes: i64,
    /// Its XXH3-64.
    pub hash: i64,
}

/// How lines were read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportReading {
    /// `common`, `combined` or `json`.
    pub format: String,
    /// Service of lines that name none; may be empty.
    pub service: String,
    /// Environment of lines that name none; may be empty.
    pub environment: String,
    /// The field that was read as latency; empty: none.
    pub latency: String,
}
