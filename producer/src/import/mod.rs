//! Files of requests to events: access logs and JSON lines, plain or compressed, once and only once.
//!
//! A file is known by its beginning. Its events, its dead letters and how far it was read are committed together, so an
//! import that was killed continues where it stood, and one that was finished adds nothing unless the file has grown.
//!
//! - [`source`]: opening a file, decompressing it, its identity;
//! - [`lines`]: cutting it into lines;
//! - [`access_log`] and [`parse`]: a line to an event;
//! - [`chunk`]: lines to one step of records, in a thread of its own;
//! - [`position`]: where a file stands, read and committed;
//! - [`run`]: all of it together.

pub mod access_log;
mod chunk;
mod error;
mod lines;
mod parse;
mod position;
mod run;
mod source;

use slipstream_schemas::EventTime;

pub use error::ImportError;
pub use run::import_file;

/// What the lines of a file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// NCSA common log format; what follows the bytes is ignored.
    Common,
    /// NCSA combined log format; further fields behind the agent are ignored.
    Combined,
    /// One event as JSON a line.
    Json,
}

/// How files are read.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// What the lines are.
    pub format: Format,
    /// Service of lines that do not name one; access logs never do.
    pub service: Option<String>,
    /// Environment of lines that do not name one; may be empty.
    pub environment: String,
    /// Time that the last event of a file is to have; the others are moved by as much. Counts for a file's first import
    /// only: a continued one is moved as it began.
    pub shift_to: Option<EventTime>,
}

/// How far an import is: counts of this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Lines read and committed, blank ones included.
    pub lines: u64,
    /// Events that the log has, redeliveries included.
    pub events: u64,
    /// Lines that went to dead-letters.
    pub rejected: u64,
    /// Bytes read and committed, decompressed.
    pub bytes: u64,
}

/// What an import did: counts of this run, but for `already_imported`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// See [`Progress::lines`].
    pub lines: u64,
    /// See [`Progress::events`].
    pub events: u64,
    /// See [`Progress::rejected`].
    pub rejected: u64,
    /// The first lines that were rejected, at most [`FIRST_REJECTED`].
    pub first_rejected: Vec<Rejected>,
    /// Lines that earlier runs had imported.
    pub already_imported: u64,
    /// Microseconds added to the time of every event.
    pub shift: i64,
    /// Whether the end of the file was reached; false after a shutdown.
    pub finished: bool,
}

/// So many rejected lines are kept for a summary.
pub const FIRST_REJECTED: usize = 20;

/// A line that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Its number, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub message: String,
}
