//! What an import says of itself.

use std::io;
use std::time::Duration;

use serde::Serialize;
use slipstream_producer::import::{ImportError, Rejected, Summary};
use slipstream_schemas::visible::visible;

use crate::{figures, output};

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
    /// Whether it is stored and tallied; on Kafka and behind a gateway, other processes do that.
    pub digested: bool,
    /// Until all of it was processed, or acknowledged.
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
    /// Whether none of its first rejected lines could be parsed.
    #[serde(skip)]
    pub is_malformed: bool,
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

    /// Whether lines were rejected because they could not be parsed, and none because of what they say.
    pub(super) fn is_all_malformed(&self) -> bool {
        self.files.iter().filter(|file| file.rejected > 0).all(|file| file.is_malformed)
    }

    pub(super) fn print(&self, json: bool) -> io::Result<()> {
        if json {
            return output::enough(output::print_json(self));
        }
        let Report { events, rejected, seconds, events_per_second, .. } = self;
        let (events, rejected) = (figures::events(*events as i64), figures::counted(*rejected as i64, "line"));
        output::enough(output::print(&format!(
            "{events} written, {rejected} rejected, {seconds:.1} s ({events_per_second:.0} events/s)\n"
        )))
    }
}

/// Says what came of a file.
pub(super) fn imported(file: String, summary: Summary) -> FileReport {
    // A file's name and what is wrong with a line are in a line of their own, whatever is in them.
    let name = visible(&file).into_owned();
    show_rejected(&name, &summary.first_rejected, summary.rejected);
    if summary.already_imported > 0 {
        let before = summary.already_imported as i64;
        let were = if before == 1 { "was" } else { "were" };
        output::say(format_args!("{name}: {} {were} imported before", figures::counted(before, "line")));
    }
    for note in &summary.notes {
        output::say(format_args!("{name}: {}", visible(note)));
    }
    FileReport {
        lines: summary.lines,
        events: summary.events,
        rejected: summary.rejected,
        already_imported: summary.already_imported,
        notes: summary.notes,
        is_malformed: summary.first_rejected.iter().all(|line| line.is_malformed),
        error: None,
        file,
    }
}

fn show_rejected(name: &str, first: &[Rejected], rejected: u64) {
    for line in first.iter().take(SHOWN) {
        output::say(format_args!("{name}:{}: {}", line.line, visible(&line.message)));
    }
    if rejected > SHOWN as u64 {
        let more = figures::counted((rejected - SHOWN as u64) as i64, "more rejected line");
        output::say(format_args!("{name}: {more} in dead-letters"));
    }
}

/// Says why a file could not be read to its end, and what was wrong with the lines before.
pub(super) fn unread(file: String, so_far: &Summary, error: &ImportError) -> FileReport {
    show_rejected(&visible(&file), &so_far.first_rejected, so_far.rejected);
    let error = error.to_string();
    output::say(format_args!("error: {}", visible(&error)));
    let &Summary { lines, events, rejected, already_imported, .. } = so_far;
    let is_malformed = so_far.first_rejected.iter().all(|line| line.is_malformed);
    FileReport { file, lines, events, rejected, already_imported, notes: Vec::new(), is_malformed, error: Some(error) }
}
