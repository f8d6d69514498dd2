//! Oddities of a file whose requests still count: reported once, at the end, with a number.

use std::collections::BTreeMap;
use std::fmt;

use super::Format;
use super::latency::Unreadable;

/// What was seen while lines were read.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Paths with bytes that are not text.
    pub respelled: Lines,
    /// Paths that were too long.
    pub cut: Lines,
    /// Lines with a second request behind the first.
    pub second: Lines,
    /// Numbers that are not read.
    pub unread_number: Lines,
    /// Lines without the latency field; the sample is its name.
    pub no_field: Lines,
    /// Lines whose latency field holds no latency, by why.
    pub no_latency: BTreeMap<Unreadable, Lines>,
    /// Numbers as time that are hardly microseconds.
    pub old: Lines,
    /// Lines that name no service, so that `--service` applies.
    pub without_service: u64,
    /// Events.
    pub events: u64,
}

/// Lines with the same oddity.
#[derive(Debug, Default)]
pub(super) struct Lines {
    count: u64,
    /// The number of the first.
    first: i64,
    /// What it had.
    sample: String,
}

impl Lines {
    /// Counts line `number`.
    pub(super) fn count(&mut self, number: i64, sample: &[u8]) {
        const SHOWN: usize = 40;
        if self.count == 0 {
            self.first = number;
            self.sample = String::from_utf8_lossy(&sample[..sample.len().min(SHOWN)]).escape_debug().to_string();
        }
        self.count += 1;
    }

    pub(super) fn is_none(&self) -> bool {
        self.count == 0
    }

    /// A sentence about them, if there are any.
    fn note(&self, sentence: impl FnOnce(&Self) -> String) -> Option<String> {
        (!self.is_none()).then(|| sentence(self))
    }
}

/// `3 lines (first: line 7)`
impl fmt::Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.count {
            1 => write!(f, "line {}", self.first),
            n => write!(f, "{n} lines (first: line {})", self.first),
        }
    }
}

impl Seen {
    /// The notes. `service` is the one for lines that name none.
    pub(super) fn notes(&self, format: Format, service: Option<&str>) -> Vec<String> {
        let mut notes: Vec<String> = [
            self.respelled.note(|lines| {
                format!("{lines}: the path has bytes that are not text; they were percent-encoded, like %E9")
            }),
            self.cut.note(|lines| format!("{lines}: the path is longer than 1,024 bytes and was cut")),
            self.second.note(|lines| {
                format!("{lines}: a second request follows the first, and was not counted; is a line break missing?")
            }),
            self.unread_number.note(|lines| {
                let Lines { first, sample, .. } = lines;
                format!(
                    "numbers after the last quoted field are not read (line {first}: `{sample}`); if it is the latency, \
                     pass --latency-field with the first import of a file, for example --latency-field last:s"
                )
            }),
            self.old.note(|lines| {
                format!("{lines}: the time is in 1970; as a number, `time` is microseconds since 1970, not seconds or milliseconds")
            }),
            self.no_field.note(|lines| {
                let these = if lines.count == 1 { "this line" } else { "these lines" };
                format!("{lines}: there is no field `{}` in {these}; these requests have no latency", lines.sample)
            }),
        ]
        .into_iter()
        .flatten()
        .collect();
        notes.extend(self.no_latency.iter().map(|(why, lines)| {
            let (said, sample) = (why.said(), &lines.sample);
            format!("{lines}: the field named by --latency-field {said} (`{sample}`); these requests have no latency")
        }));
        if let (Format::Json, Some(service)) = (format, service)
            && self.events > 0
            && self.without_service == 0
        {
            notes.push(format!("--service {service} was not used: every line names its service"));
        }
        notes
    }
}
