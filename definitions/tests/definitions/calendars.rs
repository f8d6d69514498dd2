//! Windows by a calendar, written into the document of the log and read again.

use proptest::prelude::*;
use serde_json::{Value, json};
use slipstream_definitions::definition::{Slo, Window};
use slipstream_definitions::openslo::{Loaded, parse_document};

use crate::documents::load_texts;

/// An SLO over that window.
fn load_window(window: &Value) -> Loaded {
    let source = json!({"metricSource": {"type": "slipstream", "spec": {"filter": "status_code < 500"}}});
    let indicator = json!({"metadata": {"name": "i"}, "spec": {"ratioMetric": {"good": source, "total": source}}});
    let spec = json!({
        "service": "shop", "budgetingMethod": "Occurrences", "indicator": indicator, "timeWindow": [window],
        "objectives": [{"target": 0.99}],
    });
    let document = json!({"apiVersion": "openslo/v1", "kind": "SLO", "metadata": {"name": "s"}, "spec": spec});
    load_texts(&[&document.to_string()])
}

fn by_calendar(duration: &str, start: &str, zone: &str) -> Value {
    json!({"duration": duration, "isRolling": false, "calendar": {"startTime": start, "timeZone": zone}})
}

/// The text of `timeWindow` in the document.
fn written(loaded: &Loaded) -> &str {
    let text = &loaded.documents[0].text;
    let start = text.find("\"timeWindow\":").unwrap() + "\"timeWindow\":".len();
    let end = text.find(",\"budgetingMethod\"").unwrap();
    &text[start..end]
}

#[test]
fn a_window_is_written_as_openslo_writes_it() {
    // Duration, start, zone.
    let calendars = [
        // Every unit.
        ("90m", "2026-01-01 00:00:00", "UTC"),
        ("24h", "2026-01-01 00:00:00", "UTC"),
        ("1d", "2026-01-01 00:00:00", "UTC"),
        ("2w", "2026-01-05 00:00:00", "UTC"),
        ("1M", "2026-01-01 00:00:00", "UTC"),
        ("1Q", "2026-01-01 00:00:00", "UTC"),
        ("1Y", "2026-01-01 00:00:00", "UTC"),
        // A unit is kept where another would be as long, and all digits of the count.
        ("7d", "2026-01-05 00:00:00", "UTC"),
        ("3M", "2026-01-01 00:00:00", "UTC"),
        ("12M", "2026-01-01 00:00:00", "UTC"),
        ("1000d", "2026-01-01 00:00:00", "UTC"),
        // The start is civil time of the zone, to the second, whatever the offset; also where daylight saving leaves it
        // out or has it twice.
        ("1M", "2026-01-31 12:30:45", "Asia/Kolkata"),
        ("1M", "2024-02-29 23:59:59", "America/New_York"),
        ("1d", "2026-03-29 02:30:00", "Europe/Berlin"),
        ("1d", "2026-10-25 02:30:00", "Europe/Berlin"),
        ("1w", "2026-04-05 01:45:00", "Australia/Lord_Howe"),
        ("1d", "2011-12-30 00:00:00", "Pacific/Apia"),
        // A zone has the name that was written, be it an old one.
        ("1M", "2026-01-01 00:00:00", "Asia/Calcutta"),
    ];
    for (duration, start, zone) in calendars {
        let loaded = load_window(&by_calendar(duration, start, zone));
        let expected = format!(
            r#"[{{"duration":"{duration}","isRolling":false,"calendar":{{"startTime":"{start}","timeZone":"{zone}"}}}}]"#
        );
        assert_eq!(written(&loaded), expected);
        assert_eq!(parse_document(&loaded.documents[0].text).as_ref(), Ok(&loaded.slos[0]), "{expected}");
    }
}

#[test]
fn a_rolling_window_is_written_in_days_hours_or_minutes() {
    for (duration, expected) in
        [("28d", "28d"), ("1w", "7d"), ("1M", "30d"), ("48h", "2d"), ("36h", "36h"), ("60m", "1h"), ("90m", "90m")]
    {
        let loaded = load_window(&json!({"duration": duration, "isRolling": true}));
        assert_eq!(written(&loaded), format!(r#"[{{"duration":"{expected}","isRolling":true}}]"#));
        assert_eq!(parse_document(&loaded.documents[0].text).as_ref(), Ok(&loaded.slos[0]), "{duration}");
    }
}

/// What `--format json` shows of a window.
#[test]
fn a_window_is_shown_by_duration_start_and_zone() {
    let loaded = load_window(&by_calendar("2w", "2026-01-05 06:00:00", "Europe/Berlin"));
    let shown = json!({"duration": "2w", "start_time": "2026-01-05 06:00:00", "time_zone": "Europe/Berlin"});
    assert_eq!(serde_json::to_value(&loaded.slos[0].window).unwrap(), json!({"calendar": shown}));
    let loaded = load_window(&json!({"duration": "1w", "isRolling": true}));
    assert_eq!(serde_json::to_value(&loaded.slos[0].window).unwrap(), json!({"rolling": 604_800}));
}

/// The parts of a calendar's window as they were written.
type Parts = (i64, &'static str, String, &'static str);

fn parts() -> impl Strategy<Value = Parts> {
    let unit = prop::sample::select(vec!["m", "h", "d", "w", "M", "Q", "Y"]);
    let zone = prop::sample::select(vec!["UTC", "Europe/Berlin", "Asia/Kolkata", "America/New_York", "Pacific/Apia"]);
    let start = (1_000i16..=9_998, 1i8..=12, 1i8..=28, 0i8..24, 0i8..60, 0i8..60);
    (1i64..=1_000, unit, start, zone).prop_map(|(count, unit, (year, month, day, hour, minute, second), zone)| {
        let start = format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}");
        (count, unit, start, zone)
    })
}

/// Whether the window is the one that those parts say, by each of its questions.
fn check_parts(slo: &Slo, (count, unit, start, zone): &Parts) -> Result<(), TestCaseError> {
    let Window::Calendar(calendar) = &slo.window else { panic!("{:?}", slo.window) };
    prop_assert_eq!(calendar.count(), *count);
    prop_assert_eq!(calendar.unit().letter().to_string(), *unit);
    prop_assert_eq!(calendar.duration(), format!("{count}{unit}"));
    prop_assert_eq!(&calendar.start_time(), start);
    prop_assert_eq!(&calendar.start().to_string(), &start.replace(' ', "T"));
    prop_assert_eq!(calendar.zone(), *zone);
    Ok(())
}

proptest! {
    #[test]
    fn what_was_written_is_what_is_read(parts in parts()) {
        let (count, unit, start, zone) = &parts;
        let loaded = load_window(&by_calendar(&format!("{count}{unit}"), start, zone));
        prop_assert!(loaded.is_valid(), "{:?}", loaded.diagnostics);
        check_parts(&loaded.slos[0], &parts)?;
        let again = parse_document(&loaded.documents[0].text).unwrap();
        prop_assert_eq!(&again, &loaded.slos[0]);
        check_parts(&again, &parts)?;
    }
}
