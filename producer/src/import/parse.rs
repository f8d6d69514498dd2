//! A line to an event.

use std::collections::BTreeMap;

use slipstream_schemas::decode::{self, Defaults, ErrorClass, EventError};
use slipstream_schemas::{EventTime, RequestEvent};

use super::lines::LINE_BYTES;
use super::{Format, Options, access_log};

/// Digits of a file's identity that go into the identity of its events.
const ID_DIGITS: usize = 32;
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Why a line is no event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rejection {
    /// A word for machines.
    pub class: &'static str,
    /// For people.
    pub message: String,
}

impl Rejection {
    /// Something came behind a line that had been imported without an end.
    pub(super) fn continued() -> Self {
        let message = "the file had ended within this line, which was imported as it was; this is what came later";
        Rejection { class: "line-continued", message: message.to_owned() }
    }

    fn too_long() -> Self {
        let message = format!("a line of {LINE_BYTES} bytes or more, of which the first are kept");
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
    /// Of the file.
    id: String,
    /// Microseconds added to all times.
    pub shift: i64,
}

impl Reading {
    /// Reads the lines of `file`, an identity.
    pub(super) fn new(options: &Options, file: &str, shift: i64) -> Self {
        Reading {
            format: options.format,
            service: options.service.clone(),
            environment: options.environment.clone(),
            id: file[..file.len().min(ID_DIGITS)].to_owned(),
            shift,
        }
    }

    /// The event of a line; none when it is blank. An event that has no identity gets one from the file's and the number
    /// of its line, from 1: read again it is the same event.
    pub(super) fn event(&self, line: &[u8], number: i64) -> Result<Option<RequestEvent>, Rejection> {
        if line.len() >= LINE_BYTES {
            return Err(Rejection::too_long());
        }
        let line = if number == 1 { line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line) } else { line };
        if line.trim_ascii().is_empty() {
            return Ok(None);
        }
        let id = || format!("{}-{number}", self.id);
        let mut event = match self.format {
            Format::Json => self.json(line, id)?,
            Format::Common => self.request(line, false, id())?,
            Format::Combined => self.request(line, true, id())?,
        };
        if self.shift != 0 {
            event.time = self.moved(event.time)?;
        }
        Ok(Some(event))
    }

    fn json(&self, line: &[u8], id: impl FnOnce() -> String) -> Result<RequestEvent, Rejection> {
        let defaults = Defaults { service: self.service.as_deref(), environment: &self.environment };
        Ok(decode::from_json_with(line, &defaults, id)?.event)
    }

    fn request(&self, line: &[u8], combined: bool, id: String) -> Result<RequestEvent, Rejection> {
        let request =
            access_log::parse(line, combined).map_err(|message| Rejection { class: "malformed-line", message })?;
        let mut attributes = BTreeMap::new();
        let mut keep = |key: &str, value: Option<&str>| {
            value.and_then(|value| attributes.insert(key.to_owned(), value.to_owned()));
        };
        keep("bytes", request.bytes);
        keep("protocol", request.protocol);
        let event = RequestEvent {
            event_id: id,
            time: EventTime(request.time),
            service: self.service.clone().unwrap_or_default(),
            environment: self.environment.clone(),
            endpoint: request.path.into_owned(),
            method: request.method.to_owned(),
            status_code: request.status,
            latency_ms: None,
            weight: 1,
            trace_id: None,
            user_ref: None,
            attributes,
        };
        decode::validate(&event)?;
        Ok(event)
    }

    fn moved(&self, time: EventTime) -> Result<EventTime, Rejection> {
        let moved = EventTime(time.0.saturating_add(self.shift));
        if (EventTime::MIN..=EventTime::MAX).contains(&moved) {
            return Ok(moved);
        }
        let rule = format!("moved by {} microseconds it must lie between 1970 and 2100", self.shift);
        Err(EventError::field(ErrorClass::RuleBroken, "time", time.0.to_string(), rule).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    const JSON: &str = r#"{"time":1000000,"endpoint":"/a","method":"GET","status_code":200}"#;

    fn reading(format: Format, shift: i64) -> Reading {
        let options = Options { format, service: Some("web".into()), environment: "test".into(), shift_to: None };
        Reading::new(&options, FILE, shift)
    }

    #[test]
    fn an_access_log_line_becomes_an_event_without_names_or_latency() {
        let line =
            br#"10.0.0.7 - frank [01/Aug/1995:02:00:00 -0400] "GET /a?user=frank HTTP/1.0" 200 17 "http://r" "agent""#;
        let event = reading(Format::Combined, 0).event(line, 41).unwrap().unwrap();
        let text = format!("{event:?}");
        assert!(!text.contains("frank") && !text.contains("10.0.0.7"), "{text}");
        assert_eq!(event.event_id, "0123456789abcdef0123456789abcdef-41");
        assert_eq!((event.service.as_str(), event.environment.as_str()), ("web", "test"));
        assert_eq!((event.endpoint.as_str(), event.latency_ms, event.user_ref), ("/a", None, None));
        let attributes: Vec<_> = event.attributes.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(attributes, [("bytes", "17"), ("protocol", "HTTP/1.0")]);
    }

    #[test]
    fn json_lines_get_what_they_lack_and_keep_what_they_have() {
        let reading = reading(Format::Json, 0);
        let event = reading.event(JSON.as_bytes(), 3).unwrap().unwrap();
        assert_eq!((event.event_id.as_str(), event.service.as_str()), ("0123456789abcdef0123456789abcdef-3", "web"));
        assert_eq!(event.environment, "test");
        let own = JSON.replace('{', r#"{"event_id":"x","service":"s","environment":"e","#);
        let event = reading.event(own.as_bytes(), 3).unwrap().unwrap();
        assert_eq!((event.event_id.as_str(), event.service.as_str(), event.environment.as_str()), ("x", "s", "e"));
    }

    #[test]
    fn blank_lines_are_none_and_a_mark_at_the_beginning_is_passed_over() {
        let reading = reading(Format::Json, 0);
        assert_eq!(reading.event(b" \t", 2), Ok(None));
        let marked = [BYTE_ORDER_MARK, JSON.as_bytes()].concat();
        assert!(reading.event(&marked, 1).unwrap().is_some());
        assert!(reading.event(&marked, 2).is_err());
    }

    #[test]
    fn times_are_moved_within_what_an_event_may_have() {
        let event = reading(Format::Json, 500).event(JSON.as_bytes(), 1).unwrap().unwrap();
        assert_eq!(event.time, EventTime(1_000_500));
        let error = reading(Format::Json, -2_000_000).event(JSON.as_bytes(), 1).unwrap_err();
        assert_eq!(error.class, "rule-broken");
        assert!(error.message.contains("moved by -2000000 microseconds"), "{}", error.message);
    }

    #[test]
    fn rejections_have_a_class_and_say_what_is_wrong() {
        let long = format!(r#"h - - [01/Aug/1995:02:00:00 -0400] "GET /{} HTTP/1.0" 200 1"#, "x".repeat(1_024));
        let huge = "x".repeat(LINE_BYTES);
        for (format, line, class, message) in [
            (Format::Json, "{", "malformed-json", "no JSON object"),
            (Format::Json, "{}", "missing-field", "time: must be there"),
            (Format::Common, "hello", "malformed-line", "no time in brackets"),
            (Format::Common, long.as_str(), "rule-broken", "endpoint"),
            (Format::Common, huge.as_str(), "line-too-long", "1048576 bytes"),
        ] {
            let error = reading(format, 0).event(line.as_bytes(), 1).unwrap_err();
            assert_eq!(error.class, class);
            assert!(error.message.contains(message), "{}", error.message);
        }
    }
}
