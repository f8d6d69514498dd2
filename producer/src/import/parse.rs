//! A line to an event.

use std::collections::BTreeMap;

use slipstream_schemas::decode::{self, Defaults, ErrorClass, EventError};
use slipstream_schemas::{EventTime, RequestEvent};

use super::latency::{Latency, LatencyField};
use super::lines::LINE_BYTES;
use super::notes::Seen;
use super::{Format, Options, access_log};

/// Digits of a file's identity that are part of the ids of its events.
const ID_DIGITS: usize = 32;

/// Why a line is not an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rejection {
    /// A code for machines.
    pub class: &'static str,
    /// For people.
    pub message: String,
}

impl Rejection {
    /// Something followed a line that had been imported without an end.
    pub(super) fn continued() -> Self {
        let message = "the file ended in the middle of this line, which was imported as it was; this is the rest of it";
        Rejection { class: "line-continued", message: message.to_owned() }
    }

    fn too_long() -> Self {
        let message = format!("a line of {LINE_BYTES} bytes or more, truncated to that");
        Rejection { class: "line-too-long", message }
    }
}

impl From<EventError> for Rejection {
    fn from(error: EventError) -> Self {
        Rejection { class: error.class.name(), message: error.to_string() }
    }
}

/// How the lines of one file are read.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    format: Format,
    service: Option<String>,
    environment: String,
    latency: Option<LatencyField>,
    /// The prefix of its events' ids.
    id: String,
    /// Microseconds added to all times.
    pub shift: i64,
}

/// In how many events of a file to look for a number that is not read.
const LOOKED_AT: u64 = 1_000;

impl Reading {
    /// Reads the lines of `file`, an identity.
    pub(super) fn new(options: &Options, file: &str, shift: i64) -> Self {
        Reading {
            format: options.format,
            service: options.service.clone(),
            environment: options.environment.clone(),
            latency: options.latency.clone(),
            id: id_of(file),
            shift,
        }
    }

    /// The event of a line; `None` if it is blank. An event without an id gets one from the file's identity and the
    /// number of its line, from 1: read again it is the same event.
    pub(super) fn event(&self, line: &[u8], number: i64, seen: &mut Seen) -> Result<Option<RequestEvent>, Rejection> {
        if line.len() >= LINE_BYTES {
            return Err(Rejection::too_long());
        }
        if line.trim_ascii().is_empty() {
            return Ok(None);
        }
        let id = || format!("{}-{number}", self.id);
        let mut event = match self.format {
            Format::Json => self.json(line, number, id, seen)?,
            Format::Common | Format::Combined => self.request(line, number, id(), seen)?,
        };
        if self.shift != 0 {
            event.time = self.moved(event.time)?;
        }
        seen.events += 1;
        Ok(Some(event))
    }

    fn json(
        &self,
        line: &[u8],
        number: i64,
        id: impl FnOnce() -> String,
        seen: &mut Seen,
    ) -> Result<RequestEvent, Rejection> {
        let defaults = Defaults { service: self.service.as_deref(), environment: &self.environment };
        let event = decode::from_json_with(line, &defaults, id)?.event;
        // An event that names the same service as `--service` counts as one that names none.
        seen.without_service += u64::from(self.service.as_deref() == Some(event.service.as_str()));
        // No log of events is as old.
        const A_YEAR: i64 = 365 * 86_400_000_000;
        if event.time.0 < A_YEAR {
            seen.old.count(number, b"");
        }
        Ok(event)
    }

    fn request(&self, line: &[u8], number: i64, id: String, seen: &mut Seen) -> Result<RequestEvent, Rejection> {
        let request = access_log::parse(line).map_err(|message| Rejection { class: "malformed-line", message })?;
        let latency_ms = self.latency(request.fields, number, seen);
        if request.is_respelled {
            seen.respelled.count(number, b"");
        }
        if request.is_cut {
            seen.cut.count(number, b"");
        }
        if access_log::has_second_request(request.fields) {
            seen.second.count(number, b"");
        }
        let mut attributes = BTreeMap::new();
        let mut keep = |key: &str, value: Option<&str>| {
            value.and_then(|value| attributes.insert(key.to_owned(), value.to_owned()));
        };
        keep("bytes", request.bytes);
        keep("protocol", request.protocol.as_deref());
        let event = RequestEvent {
            event_id: id,
            time: EventTime(request.time),
            service: self.service.clone().unwrap_or_default(),
            environment: self.environment.clone(),
            endpoint: request.path.into_owned(),
            method: request.method.to_owned(),
            status_code: request.status,
            latency_ms,
            weight: 1,
            trace_id: None,
            user_ref: None,
            attributes,
        };
        decode::validate(&event)?;
        Ok(event)
    }

    /// The latency of a line, in the given field. Whatever the field contains, the request counts.
    fn latency(&self, fields: &[u8], number: i64, seen: &mut Seen) -> Option<f64> {
        let Some(field) = &self.latency else {
            if seen.unread_number.is_none()
                && seen.events < LOOKED_AT
                && let Some(field) = access_log::fields::unread_number(fields)
            {
                seen.unread_number.count(number, field);
            }
            return None;
        };
        match field.of(fields) {
            Latency::Measured(ms) => Some(ms),
            Latency::None => None,
            Latency::Missing => {
                seen.no_field.count(number, field.place().as_bytes());
                None
            }
            Latency::Unreadable(found, why) => {
                seen.no_latency.entry(why).or_default().count(number, found);
                None
            }
        }
    }

    fn moved(&self, time: EventTime) -> Result<EventTime, Rejection> {
        let moved = EventTime(time.0.saturating_add(self.shift));
        if (EventTime::MIN..=EventTime::MAX).contains(&moved) {
            return Ok(moved);
        }
        let rule = format!("shifted by {} microseconds, it must be between 1970 and 2100", self.shift);
        Err(EventError::field(ErrorClass::RuleBroken, "time", time.0.to_string(), rule).into())
    }
}

/// The prefix of the ids of a file's events: half of its hash, and its number among the files that start the same way.
fn id_of(file: &str) -> String {
    let (hash, ordinal) = file.split_at(file.find('-').unwrap_or(file.len()));
    format!("{}{ordinal}", &hash[..hash.len().min(ID_DIGITS)])
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    const JSON: &str = r#"{"time":1000000,"endpoint":"/a","method":"GET","status_code":200}"#;

    fn reading(format: Format, shift: i64) -> Reading {
        let (service, environment) = (Some("web".into()), "test".into());
        let options = Options { format, service, environment, shift_to: None, latency: None };
        Reading::new(&options, FILE, shift)
    }

    fn event(reading: &Reading, line: &[u8], number: i64) -> Result<Option<RequestEvent>, Rejection> {
        reading.event(line, number, &mut Seen::default())
    }

    #[test]
    fn an_access_log_line_becomes_an_event_without_names_or_latency() {
        let line =
            br#"10.0.0.7 - frank [01/Aug/1995:02:00:00 -0400] "GET /a?user=frank HTTP/1.0" 200 17 "http://r" "agent""#;
        let event = event(&reading(Format::Combined, 0), line, 41).unwrap().unwrap();
        let text = format!("{event:?}");
        assert!(!text.contains("frank") && !text.contains("10.0.0.7"), "{text}");
        assert_eq!(event.event_id, "0123456789abcdef0123456789abcdef-41");
        assert_eq!((event.service.as_str(), event.environment.as_str()), ("web", "test"));
        assert_eq!((event.endpoint.as_str(), event.latency_ms, event.user_ref), ("/a", None, None));
        let attributes: Vec<_> = event.attributes.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(attributes, [("bytes", "17"), ("protocol", "HTTP/1.0")]);
    }

    #[test]
    fn files_that_begin_alike_have_events_of_their_own() {
        assert_eq!(id_of(FILE), "0123456789abcdef0123456789abcdef");
        assert_eq!(id_of(&format!("{FILE}-2")), "0123456789abcdef0123456789abcdef-2");
    }

    #[test]
    fn odd_lines_count_and_are_said_once_with_a_number() {
        let line =
            |path: &str| format!(r#"h - - [01/Aug/1995:02:00:00 -0400] "GET {path} HTTP/1.0" 503 1 "-" "c" 0.1"#);
        let (reading, mut seen) = (reading(Format::Combined, 0), Seen::default());
        for (number, path) in
            [(1, "/a".to_owned()), (2, "/\\xE9".to_owned()), (3, "/x".repeat(1_000)), (4, "/\\x01".into())]
        {
            let event = reading.event(line(&path).as_bytes(), number, &mut seen).unwrap().unwrap();
            assert_eq!((event.status_code, event.latency_ms), (503, None));
        }
        let notes = seen.notes(Format::Combined, Some("web"));
        let begins =
            ["2 lines (first: line 2): the path has bytes", "line 3: the path is longer", "numbers after the last"];
        assert_eq!(notes.len(), begins.len(), "{notes:?}");
        assert!(notes.iter().zip(begins).all(|(note, begin)| note.starts_with(begin)), "{notes:?}");
        assert!(notes[2].contains("(line 1: `0.1`)") && notes[2].contains("--latency-field last:s"), "{notes:?}");
    }

    #[test]
    fn latency_is_read_where_it_was_said_to_be() {
        let mut reading = reading(Format::Combined, 0);
        reading.latency = Some("last:s".parse().unwrap());
        let mut seen = Seen::default();
        for (number, field, want) in [(1, "0.25", Some(250.0)), (2, "-", None), (3, "oops", None), (4, "\"\"", None)] {
            let line = format!(r#"h - - [01/Aug/1995:02:00:00 -0400] "GET / HTTP/1.0" 200 1 "-" "c" {field}"#);
            let event = reading.event(line.as_bytes(), number, &mut seen).unwrap().unwrap();
            assert_eq!(event.latency_ms, want, "{field}");
        }
        let notes = seen.notes(Format::Combined, Some("web"));
        assert_eq!(notes.len(), 1, "{notes:?}");
        assert!(
            notes[0].starts_with("2 lines (first: line 3): the field named by --latency-field is not a number"),
            "{notes:?}"
        );
    }

    #[test]
    fn what_is_wrong_with_a_latency_is_said() {
        const NOT_READ: &str = "the field named by --latency-field";
        for (latency, field, said) in [
            ("last:s", "-0.5", format!("line 1: {NOT_READ} is negative (`-0.5`)")),
            ("last:s", "1e3", format!("line 1: {NOT_READ} has an exponent; only numbers like 0.123 are read (`1e3`)")),
            ("last:s", "99999999", format!("line 1: {NOT_READ} is too large, more than a day; is the unit right?")),
            ("nope:s", "0.1", "line 1: there is no field `nope` in this line".to_owned()),
            ("last-20:s", "0.1", "line 1: there is no field `last-20` in this line".to_owned()),
        ] {
            let mut reading = reading(Format::Combined, 0);
            reading.latency = Some(latency.parse().unwrap());
            let mut seen = Seen::default();
            let line = format!(r#"h - - [01/Aug/1995:02:00:00 -0400] "GET / HTTP/1.0" 200 1 "-" "c" {field}"#);
            assert_eq!(reading.event(line.as_bytes(), 1, &mut seen).unwrap().unwrap().latency_ms, None);
            let notes = seen.notes(Format::Combined, Some("web"));
            assert!(notes.len() == 1 && notes[0].starts_with(&said), "{field}: {notes:?}");
        }
    }

    #[test]
    fn json_lines_get_what_they_lack_and_keep_what_they_have() {
        let reading = reading(Format::Json, 0);
        let made = event(&reading, JSON.as_bytes(), 3).unwrap().unwrap();
        assert_eq!((made.event_id.as_str(), made.service.as_str()), ("0123456789abcdef0123456789abcdef-3", "web"));
        assert_eq!(made.environment, "test");
        let own = JSON.replace('{', r#"{"event_id":"x","service":"s","environment":"e","#);
        let event = event(&reading, own.as_bytes(), 3).unwrap().unwrap();
        assert_eq!((event.event_id.as_str(), event.service.as_str(), event.environment.as_str()), ("x", "s", "e"));
    }

    #[test]
    fn blank_lines_are_none() {
        assert_eq!(event(&reading(Format::Json, 0), b" \t", 2), Ok(None));
    }

    #[test]
    fn times_are_moved_within_what_an_event_may_have() {
        let moved = event(&reading(Format::Json, 500), JSON.as_bytes(), 1).unwrap().unwrap();
        assert_eq!(moved.time, EventTime(1_000_500));
        let error = event(&reading(Format::Json, -2_000_000), JSON.as_bytes(), 1).unwrap_err();
        assert_eq!(error.class, "rule-broken");
        assert!(error.message.contains("shifted by -2000000 microseconds"), "{}", error.message);
    }

    #[test]
    fn rejections_have_a_class_and_say_what_is_wrong() {
        let odd = r#"h - - [01/Aug/1995:02:00:00 -0400] "GET / HTTP/1.0" 700 1"#;
        let huge = "x".repeat(LINE_BYTES);
        for (format, line, class, message) in [
            (Format::Json, "{", "malformed-json", "not a JSON object"),
            (Format::Json, "{}", "missing-field", "time: is required"),
            (Format::Common, "hello", "malformed-line", "no time in brackets"),
            (Format::Common, odd, "rule-broken", "must be 100 to 599"),
            (Format::Common, huge.as_str(), "line-too-long", "1048576 bytes"),
        ] {
            let error = event(&reading(format, 0), line.as_bytes(), 1).unwrap_err();
            assert_eq!(error.class, class);
            assert!(error.message.contains(message), "{}", error.message);
        }
    }

    #[test]
    fn json_lines_follow_the_rules_of_every_door() {
        let reading = reading(Format::Json, 0);
        let with = |more: &str| JSON.replacen('{', &format!("{{{more},"), 1);
        for (more, class) in [
            (r#""user_ref":"u\u0000""#, "rule-broken"),
            (r#""attributes":{"k\u0000":"v"}"#, "rule-broken"),
            (r#""attributes":{"k":"\u0000"}"#, "rule-broken"),
            (r#""attributes":{"k":"v","k":"w"}"#, "malformed-json"),
            (r#""endpoint":"/b""#, "malformed-json"),
        ] {
            let error = event(&reading, with(more).as_bytes(), 1).unwrap_err();
            assert_eq!(error.class, class, "{more}: {}", error.message);
        }
        let kept = event(&reading, with(r#""attributes":{"k":36893488147419103233}"#).as_bytes(), 1).unwrap().unwrap();
        assert_eq!(kept.attributes["k"], "36893488147419103233", "as it was sent");
    }
}
