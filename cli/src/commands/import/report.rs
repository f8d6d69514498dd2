//! What an import says of itself.

use std::io;
use std::time::Duration;

use serde::Serialize;
use slipstream_producer::import::{ImportError, Progress, Summary};

use crate::output;

/// Rejected lines that are shown.
const SHOWN: usize = 10;

/// An import, of all its files.
#[derive(Serialize)]
pub(super) struct Report {
    pub files: Vec<FileReport>,
    /// Events added by this run.
    pub events: u64,
    /// Lines that went to dead-letters in this run.
    pub rejected: u64,
    /// Whether it is stored and tallied; on Kafka and behind a gateway other processes do that.
    pub digested: bool,
    /// Until all of it was digested, or acknowledged.
    pub seconds: f64,
    pub events_per_second: f64,
}

/// One file of it.
#[derive(Serialize)]
pub(super) struct FileReport {
    pub file: String,
    pub lines: u64,
    pub events: u64,
    pub rejected: u64,
    /// Lines that an earlier run had imported.
    pub already_imported: u64,
    /// What was odd about the file, and which options did nothing.
    pub notes: Vec<String>,
    /// Why the file could not be read to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Report {
    pub(super) fn of(files: Vec<FileReport>, digested: bool, took: Duration) -> Self {
        let events = files.iter().map(|f| f.events).sum();
        let rejected = files.iter().map(|f| f.rejected).sum();
        let seconds = took.as_secs_f64();
        Report { events, rejected, digested, seconds, events_per_second: events as f64 / seconds.max(1e-9), files }
    }

    pub(super) fn tell(&self, json: bool) -> io::Result<()> {
        if json {
            return output::print_json(self);
        }
        let Report { events, rejected, seconds, events_per_second, .. } = self;
        let (events, rejected) = (output::count(*events as i64), output::count(*rejected as i64));
        output::print(&format!(
            "{events} events written, {rejected} lines rejected, {seconds:.1} s ({events_per_second:.0} events/s)\n"
        ))
    }
}

/// Says what came of a file.
pub(super) fn imported(file: String, summary: Summary) -> FileReport {
    for rejected in summary.first_rejected.iter().take(SHOWN) {
        output::say(format_args!("{file}:{}: {}", rejected.line, rejected.message));
    }
    if summary.rejected > SHOWN as u64 {
        output::say(format_args!("{file}: {} more lines in dead-letters", summary.rejected - SHOWN as u64));
    }
    if summary.already_imported > 0 {
        let before = output::count(summary.already_imported as i64);
        output::say(format_args!("{file}: {before} lines had been imported before"));
    }
    for note in &summary.notes {
        output::say(format_args!("{file}: {note}"));
    }
    FileReport {
        lines: summary.lines,
        events: summary.events,
        rejected: summary.rejected,
        already_imported: summary.already_imported,
        notes: summary.notes,
        error: None,
        file,
    }
}

/// Says why a file could not be read to its end.
pub(super) fn unread(file: String, so_far: &Progress, error: &ImportError) -> FileReport {
    let error = error.to_string();
    output::say(format_args!("error: {error}"));
    let Progress { lines, events, rejected, .. } = *so_far;
    FileReport { file, lines, events, rejected, already_imported: 0, notes: Vec::new(), error: Some(error) }
}
