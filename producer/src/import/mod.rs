//! Files of requests to events: access logs and JSON lines, plain or compressed, once and only once.
//!
//! A file is known by its beginning, and recognised by a hash of what was read of it. Its events, its dead letters and
//! how far it was read are committed together, so an import that was killed continues at its position, and one that was
//! finished adds nothing unless the file has grown.
//!
//! - [`source`]: opening a file or a pipe, decompressing it, its identity;
//! - [`standing`] and [`trail`]: which of the known files it is;
//! - [`lines`]: cutting it into lines;
//! - [`access_log`], [`latency`] and [`parse`]: a line to an event;
//! - [`notes`]: what was odd about lines, though they count;
//! - [`chunk`]: lines to one step of records, in its own thread;
//! - [`position`]: the position in a file, read and committed;
//! - [`target`], [`remote`] and [`wire`]: into the log, or through the gateway of the process that owns it;
//! - [`run`]: all of it together.

pub mod access_log;
mod chunk;
mod error;
mod latency;
mod lines;
mod notes;
mod options;
mod parse;
pub(crate) mod position;
mod remote;
mod run;
mod source;
pub(crate) mod standing;
mod target;
mod trail;
pub(crate) mod wire;

pub use crate::unpack::Foreign;
pub use error::ImportError;
pub use latency::LatencyField;
pub use options::{Format, Options};
pub(crate) use position::Positions;
pub use remote::Remote;
pub use run::import_file;
pub(crate) use source::HEAD_BYTES;
pub use target::Target;

/// What an import did, or did so far: counts of this run, but for `already_imported`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// Lines read and committed, blank ones included.
    pub lines: u64,
    /// Events that the log has, redeliveries included.
    pub events: u64,
    /// Lines that went to dead-letters.
    pub rejected: u64,
    /// The first lines that were rejected, at most [`FIRST_REJECTED`].
    pub first_rejected: Vec<Rejected>,
    /// Lines that earlier runs had imported.
    pub already_imported: u64,
    /// Microseconds added to the time of every event.
    pub shift: i64,
    /// Sentences about the file that people should read: what was odd, and which options did nothing.
    pub notes: Vec<String>,
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
    /// Whether it could not even be parsed; one that could breaks a rule for events.
    pub is_malformed: bool,
}
