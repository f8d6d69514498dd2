//! How far an import of a file has come.

use serde::{Deserialize, Serialize};

/// How far an import of a file has come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImportPosition {
    /// SHA-256 of the first `head` bytes, decompressed, in hex.
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
}
