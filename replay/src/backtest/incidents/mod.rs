//! Incidents that somebody noted down, as CSV or YAML: when, of which service, and what it was.
//!
//! In CSV the first line names the columns, in any order: `from`, `to`, `service`, `what`. In YAML it is a list of maps with
//! the same fields, or such a list below `incidents`. Only `from` is required. Without `to` it is a moment; without a
//! service it may be of any.

mod csv;
mod records;
mod yaml;

use jiff::Timestamp;
use jiff::civil::DateTime;
use slipstream_definitions::diagnostic::Diagnostic;
use slipstream_definitions::document::SourceFile;
use slipstream_definitions::document::fields::Text;
use slipstream_definitions::document::report::{Place, Report};

/// The fields of an incident.
const FIELDS: [&str; 4] = ["from", "to", "service", "what"];
/// Most incidents in a file.
const MOST: usize = 100_000;
/// The years that the folds' arithmetic is made for, Unix seconds.
const YEARS: std::ops::Range<i64> = 0..4_102_444_800;

/// An incident.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Incident {
    /// When it began, Unix seconds.
    pub from: i64,
    /// Its last second; `from` if it is a moment.
    pub to: i64,
    /// Which service; empty: any.
    pub service: String,
    /// What it was; may be empty.
    pub what: String,
}

/// How a file of incidents is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// RFC 4180, with a header.
    Csv,
    /// YAML, or JSON.
    Yaml,
}

impl Format {
    /// By the end of a file's name: `.csv`, or `.yaml`, `.yml`, `.json`. `None` for another one.
    pub fn of(path: &str) -> Option<Format> {
        let (_, end) = path.rsplit_once('.')?;
        match end.to_ascii_lowercase().as_str() {
            "csv" => Some(Format::Csv),
            "yaml" | "yml" | "json" => Some(Format::Yaml),
            _ => None,
        }
    }
}

/// What a file of incidents holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// The incidents that could be read, by time.
    pub incidents: Vec<Incident>,
    /// Every error and warning, by place.
    pub diagnostics: Vec<Diagnostic>,
}

impl Read {
    /// Whether every incident could be read.
    pub fn is_valid(&self) -> bool {
        !self.diagnostics.iter().any(Diagnostic::is_error)
    }
}

/// Reads a file of incidents, and goes on after an error. Times are RFC 3339; fractions of a second are dropped.
///
/// ```
/// use slipstream_definitions::document::SourceFile;
/// use slipstream_replay::backtest::incidents::{Format, read};
///
/// let text = "from,to,service,what\n2026-01-05T09:30:00Z,2026-01-05T09:42:00Z,payment,disk full\n";
/// let source = SourceFile { path: "incidents.csv".to_owned(), text: text.to_owned() };
/// let read = read(&source, Format::Csv);
/// assert_eq!(read.incidents[0].to - read.incidents[0].from, 12 * 60);
/// ```
pub fn read(source: &SourceFile, format: Format) -> Read {
    let mut report = Report::new(std::slice::from_ref(source));
    let mut incidents = match format {
        Format::Csv => csv::read(&mut report, &source.text),
        Format::Yaml => yaml::read(&mut report, &source.text),
    };
    incidents.sort();
    Read { incidents, diagnostics: report.into_diagnostics() }
}

/// An incident as it was written: what is empty is absent.
struct Written<'t> {
    /// How messages call it: `line 7`, `incidents[3]`.
    name: String,
    place: Place,
    from: Option<Text<'t>>,
    to: Option<Text<'t>>,
    service: Option<Text<'t>>,
    what: Option<Text<'t>>,
}

impl Written<'_> {
    /// Checks it. `None`: an error was reported.
    fn check(&self, report: &mut Report<'_>) -> Option<Incident> {
        let name = &self.name;
        if self.from.is_none() {
            let help = Some("write the moment at which it began".to_owned());
            report.error(self.place, "missing-field", format!("{name}: from is required"), help);
        }
        let from = self.from.map(|text| moment(report, text, &format!("{name}: from")));
        let to = self.to.map(|text| moment(report, text, &format!("{name}: to")));
        let from = from.flatten()?;
        let to = to.map_or(Some(from), |to| to)?;
        if let Some(text) = self.to.filter(|_| to < from) {
            let message = format!("{name}: it ends before it begins");
            report.error(text.place, "ends-before-it-begins", message, Some("are from and to swapped?".to_owned()));
            return None;
        }
        let words = |text: Option<Text<'_>>| text.map_or_else(String::new, |text| text.value.trim().to_owned());
        Some(Incident { from, to, service: words(self.service), what: words(self.what) })
    }
}

/// Unix seconds of a text.
fn moment(report: &mut Report<'_>, text: Text<'_>, name: &str) -> Option<i64> {
    let written = text.value.trim();
    let found = written.parse::<Timestamp>().ok().map(Timestamp::as_second).filter(|second| YEARS.contains(second));
    if found.is_none() {
        let message =
            format!("{name}: expected a moment from 1970 to 2100 such as 2026-01-05T09:30:00Z, found `{written}`");
        let place = Place { width: written.chars().count().max(1), ..text.place };
        report.error(place, "invalid-time", message, meant(written));
    }
    found
}

/// What a text that is no moment was probably meant to be.
fn meant(text: &str) -> Option<String> {
    if text.parse::<DateTime>().is_ok() {
        return Some("the time zone is missing: `Z` at the end is UTC, `+01:00` an hour ahead of it".to_owned());
    }
    let seconds: i64 = text.parse().ok()?;
    let time = Timestamp::from_second(seconds).ok().filter(|_| YEARS.contains(&seconds))?;
    Some(format!("write Unix seconds as `{time}`"))
}

/// Whether there is room for one more; reports it once if not.
fn has_room(report: &mut Report<'_>, known: usize, place: Place) -> bool {
    if known == MOST {
        let message = format!("a file holds at most {MOST} incidents");
        report.error(place, "too-many", message, Some("split it into several files".to_owned()));
    }
    known < MOST
}
