//! How files are read, and what of that does nothing for a file that was imported before.

use slipstream_schemas::EventTime;
use slipstream_schemas::records::{ImportPosition, ImportReading};

use super::LatencyField;

/// What the lines of a file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// NCSA common log format. What follows the bytes is not looked at, but for a latency.
    Common,
    /// NCSA combined log format. Referer and agent are dropped, so it is read as [`Format::Common`] is.
    Combined,
    /// One event as JSON a line.
    Json,
}

impl Format {
    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Format::Common => "common",
            Format::Combined => "combined",
            Format::Json => "json",
        }
    }
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
    /// Time that the last event of a file is to have; the others are shifted by the same amount. Applies to a file's
    /// first import only: a continued one keeps its shift.
    pub shift_to: Option<EventTime>,
    /// The field of access-log lines that is the latency; `None` if there is none.
    pub latency: Option<LatencyField>,
}

impl Options {
    /// What is kept of it with a file's position.
    pub(super) fn as_read(&self) -> ImportReading {
        ImportReading {
            format: self.format.name().to_owned(),
            service: self.service.clone().unwrap_or_default(),
            environment: self.environment.clone(),
            latency: self.latency.as_ref().map(LatencyField::to_string).unwrap_or_default(),
        }
    }

    /// Options that differ from those of the earlier import, and so do not apply to the lines imported then.
    pub(super) fn without_effect(&self, at: &ImportPosition) -> Vec<String> {
        if at.lines == 0 {
            return Vec::new();
        }
        let mut notes = Vec::new();
        if let Some(then) = &at.reading {
            let now = self.as_read();
            for (flag, now, then) in [
                ("--format", &now.format, &then.format),
                ("--service", &now.service, &then.service),
                ("--environment", &now.environment, &then.environment),
                ("--latency-field", &now.latency, &then.latency),
            ] {
                if !now.is_empty() && now != then {
                    let then = if then.is_empty() { format!("without {flag}") } else { format!("with {flag} {then}") };
                    notes.push(format!("{flag} {now} does not apply to lines imported before ({then})"));
                }
            }
        }
        if !notes.is_empty() && at.rejected > 0 {
            let rejected = at.rejected;
            notes.push(format!(
                "{rejected} of those lines were rejected then and are not read again; to add them, import a file of them alone"
            ));
        }
        if self.shift_to.is_some() {
            let new = if at.shift == 0 {
                "new lines keep their times as well"
            } else {
                "new lines are shifted by the same amount"
            };
            notes.push(format!("--shift-to-now does not apply to lines imported before; {new}"));
        }
        notes
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::import::standing;

    #[test]
    fn what_says_otherwise_than_before_is_said() {
        let then = Options {
            format: Format::Combined,
            service: Some("shop".into()),
            environment: String::new(),
            shift_to: None,
            latency: None,
        };
        let position = ImportPosition {
            lines: 7,
            reading: Some(then.as_read()),
            ..standing::new(b"head", Path::new("access.log"), &[])
        };
        let said = |now: Options| now.without_effect(&position);
        assert!(said(then.clone()).is_empty(), "the same again");
        for (now, want) in [
            (
                Options { service: Some("web".into()), ..then.clone() },
                "--service web does not apply to lines imported before (with --service shop)",
            ),
            (Options { environment: "prod".into(), ..then.clone() }, "before (without --environment)"),
            (Options { format: Format::Common, ..then.clone() }, "before (with --format combined)"),
            (Options { latency: "last:s".parse().ok(), ..then.clone() }, "--latency-field last:s does not apply"),
            (Options { shift_to: Some(EventTime(1)), ..then.clone() }, "--shift-to-now does not apply"),
        ] {
            let notes = said(now);
            assert!(notes.len() == 1 && notes[0].contains(want), "{notes:?}");
        }
        let partly = ImportPosition { rejected: 3, ..position.clone() };
        assert!(then.clone().without_effect(&partly).is_empty(), "the same again, with lines that are rejected");
        let notes = Options { service: Some("web".into()), ..then.clone() }.without_effect(&partly);
        assert_eq!(
            notes[1],
            "3 of those lines were rejected then and are not read again; to add them, import a file of them alone"
        );
        let former = ImportPosition { reading: None, ..position.clone() };
        assert!(
            Options { service: Some("web".into()), ..then.clone() }.without_effect(&former).is_empty(),
            "not known"
        );
        let new = ImportPosition { lines: 0, ..position };
        assert!(Options { shift_to: Some(EventTime(1)), ..then }.without_effect(&new).is_empty());
    }
}
