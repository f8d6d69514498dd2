//! What a marker may be, field by field, and markers as JSON.
#![allow(clippy::unwrap_used, reason = "a test")]

use proptest::prelude::*;
use serde_json::{Value, json};
use slipstream_schemas::EventTime;
use slipstream_schemas::decode::EventError;
use slipstream_schemas::marker::{MarkerJson, from_json, validate};
use slipstream_schemas::records::{Marker, MarkerKind};

const NOW: EventTime = EventTime(1_769_851_800_000_000);
const LATER: EventTime = EventTime(NOW.0 + 60_000_000);

fn marker(kind: MarkerKind) -> Marker {
    Marker {
        id: "m-1".to_owned(),
        kind,
        service: "payment".to_owned(),
        environment: "prod".to_owned(),
        time: NOW,
        until: None,
        version: None,
        text: "all quiet".to_owned(),
        link: None,
        author: "ops".to_owned(),
    }
}

fn read(body: &Value) -> Result<Marker, EventError> {
    from_json(body.to_string().as_bytes(), NOW, || "given".to_owned())
}

/// A kind, what is done to a good marker of it, and the field and the rule that it then breaks, if it does.
type Row = (MarkerKind, fn(&mut Marker), Option<(&'static str, &'static str)>);

#[test]
fn every_field_has_its_rule() {
    let table: &[Row] = &[
        (MarkerKind::Deploy, |m| m.version = Some("1.4.2".into()), None),
        (MarkerKind::Deploy, |m| m.text.clear(), None),
        (MarkerKind::Deploy, |m| m.service.clear(), None),
        (MarkerKind::Deploy, |m| m.version = Some("x".repeat(129)), Some(("version", "1 to 128 bytes"))),
        (MarkerKind::Deploy, |m| m.version = Some(String::new()), Some(("version", "1 to 128 bytes"))),
        (MarkerKind::Config, |m| m.version = Some("1".into()), Some(("version", "only a deploy"))),
        (MarkerKind::Incident, |m| m.until = Some(LATER), None),
        (MarkerKind::Incident, |m| m.until = Some(m.time), None),
        (MarkerKind::Incident, |m| (m.time, m.until) = (LATER, Some(NOW)), Some(("until", "before its time"))),
        (MarkerKind::Incident, |m| m.until = Some(EventTime(i64::MAX)), Some(("until", "1970 and 2100"))),
        (MarkerKind::Note, |m| m.until = Some(LATER), Some(("until", "only an incident"))),
        (MarkerKind::Note, |m| m.text.clear(), Some(("text", "1 to 1000 bytes, is 0"))),
        (MarkerKind::Note, |m| m.text = "x".repeat(1_000), None),
        (MarkerKind::Note, |m| m.text = "x".repeat(1_001), Some(("text", "is 1001"))),
        (MarkerKind::Note, |m| m.text = "one\ntwo".into(), None),
        (MarkerKind::Note, |m| m.text = "one\u{1b}[2J".into(), Some(("text", "control characters"))),
        (MarkerKind::Note, |m| m.time = EventTime(-1), Some(("time", "1970 and 2100"))),
        (MarkerKind::Note, |m| m.id.clear(), Some(("id", "1 to 128 bytes"))),
        (MarkerKind::Note, |m| m.id = "a\nb".into(), Some(("id", "control characters"))),
        (MarkerKind::Note, |m| m.service = "x".repeat(257), Some(("service", "is 257"))),
        (MarkerKind::Note, |m| m.environment = "\u{7f}".into(), Some(("environment", "control characters"))),
        (MarkerKind::Note, |m| m.author = "x".repeat(257), Some(("author", "is 257"))),
        (MarkerKind::Note, |m| m.author.clear(), None),
        (MarkerKind::Note, |m| m.link = Some("https://x/y?z=1#a".into()), None),
        (MarkerKind::Note, |m| m.link = Some("javascript:alert(1)".into()), Some(("link", "http://"))),
        (MarkerKind::Note, |m| m.link = Some("https://".into()), Some(("link", "http://"))),
        (MarkerKind::Note, |m| m.link = Some("http:///path".into()), Some(("link", "http://"))),
        (MarkerKind::Note, |m| m.link = Some("http://a b".into()), Some(("link", "no spaces"))),
        (MarkerKind::Note, |m| m.link = Some(format!("http://{}", "x".repeat(1_993))), None),
        (MarkerKind::Note, |m| m.link = Some(format!("http://{}", "x".repeat(1_994))), Some(("link", "is 2001"))),
    ];
    for (i, (kind, change, expected)) in table.iter().copied().enumerate() {
        let mut marker = marker(kind);
        change(&mut marker);
        let found = validate(&marker).err();
        match (&found, expected) {
            (None, None) => {}
            (Some(error), Some((field, rule))) => {
                assert_eq!(error.field.as_deref(), Some(field), "row {i}: {error}");
                assert!(error.rule.contains(rule), "row {i}: {error}");
            }
            _ => panic!("row {i}: {found:?}, expected {expected:?}"),
        }
    }
}

#[test]
fn what_is_absent_or_null_has_its_default() {
    let least = read(&json!({"kind": "deploy"})).unwrap();
    let nulls = json!({"id": null, "kind": "deploy", "service": null, "environment": null, "time": null, "until": null,
        "version": null, "text": null, "link": null, "author": null});
    assert_eq!(read(&nulls).unwrap(), least);
    let empty = String::new;
    let expected = Marker {
        id: "given".to_owned(),
        service: empty(),
        environment: empty(),
        text: empty(),
        author: empty(),
        ..marker(MarkerKind::Deploy)
    };
    assert_eq!(least, expected);
}

#[test]
fn what_is_written_reads_back_equal() {
    let incident = Marker {
        until: Some(EventTime(LATER.0 + 1)),
        link: Some("https://x/1".to_owned()),
        text: "one\n\"two\" 漢".to_owned(),
        ..marker(MarkerKind::Incident)
    };
    let deploy = Marker { version: Some("1.4.2".to_owned()), ..marker(MarkerKind::Deploy) };
    for marker in [incident, deploy, marker(MarkerKind::Config), marker(MarkerKind::Note)] {
        let written = serde_json::to_value(MarkerJson::from(&marker)).unwrap();
        assert_eq!(read(&written).unwrap(), marker, "{written}");
    }
    let written = serde_json::to_value(MarkerJson::from(&marker(MarkerKind::Note))).unwrap();
    assert_eq!(written["time"], "2026-01-31T09:30:00.000000Z");
    let of_micros = read(&json!({"kind": "note", "text": "n", "time": NOW.0})).unwrap();
    assert_eq!(of_micros.time, NOW);
}

#[test]
fn what_is_wrong_is_named() {
    for (body, class, message) in [
        (json!([]), "not-an-event", "must be a JSON object"),
        (json!({}), "missing-field", "kind: must be one of deploy, config, incident, note"),
        (json!({"kind": "release"}), "rule-broken", "kind `release`: must be one of deploy, config, incident, note"),
        (json!({"kind": "deploy", "verson": "1"}), "unknown-field", "verson: no such field; did you mean version?"),
        (json!({"kind": "deploy", "attributes": {}}), "unknown-field", "attributes: no such field of a marker"),
        (json!({"kind": 7}), "wrong-type", "kind `7`: must be text"),
        (json!({"kind": "note", "text": ["a"]}), "wrong-type", "text `[\"a\"]`: must be text"),
        (json!({"kind": "note", "text": "a", "time": "yesterday"}), "wrong-type", "must be RFC 3339"),
        (json!({"kind": "note", "text": "a", "time": 1.5}), "wrong-type", "must be RFC 3339"),
        (json!({"kind": "note", "text": "x".repeat(70_000)}), "too-large", "at most 65536 bytes"),
        (json!({"kind": "note", "text": "x".repeat(1_001)}), "rule-broken", "must be 1 to 1000 bytes, is 1001"),
    ] {
        let error = read(&body).unwrap_err();
        assert_eq!(error.class.name(), class, "{error}");
        assert!(error.to_string().contains(message), "{error}");
    }
    let twice = from_json(br#"{"kind": "note", "kind": "deploy"}"#, NOW, String::new).unwrap_err();
    assert_eq!((twice.class.name(), twice.to_string().as_str()), ("malformed-json", "kind: must not appear twice"));
    let cut = from_json(br#"{"kind": "note""#, NOW, String::new).unwrap_err();
    assert_eq!(cut.class.name(), "malformed-json");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_bytes_are_there_is_a_marker_or_a_reason(
        bytes in proptest::collection::vec(any::<u8>(), 0..100), at in 0usize..200, kind in 0usize..4, text in "\\PC{1,40}",
    ) {
        let whole = Marker { text, ..marker(MarkerKind::ALL[kind]) };
        let mut damaged = serde_json::to_vec(&MarkerJson::from(&whole)).unwrap();
        prop_assert_eq!(&from_json(&damaged, NOW, String::new).unwrap(), &whole);
        let at = at % damaged.len();
        damaged[at] ^= 0x15;
        for value in [&bytes[..], &damaged[..], &damaged[..at]] {
            match from_json(value, NOW, || "given".to_owned()) {
                Ok(read) => prop_assert_eq!(validate(&read), Ok(())),
                Err(error) => prop_assert!(!error.to_string().is_empty()),
            }
        }
    }
}

#[test]
fn a_marker_touches_what_any_moment_of_it_is_in() {
    let (from, to) = (EventTime(100), EventTime(200));
    for (time, until, touches) in [
        (100, None, true),
        (199, None, true),
        (200, None, false),
        (50, Some(99), false),
        (50, Some(100), true),
        (150, Some(300), true),
        (50, Some(300), true),
        (200, Some(300), false),
    ] {
        for kind in [MarkerKind::Incident, MarkerKind::Note] {
            let marker = Marker { time: EventTime(time), until: until.map(EventTime), ..marker(kind) };
            assert_eq!(marker.touches(from, to), touches, "{time} to {until:?}");
        }
    }
    let before = |kind| Marker { time: EventTime(99), ..marker(kind) }.touches(from, to);
    assert!(before(MarkerKind::Incident), "it goes on");
    assert!(!before(MarkerKind::Note) && !before(MarkerKind::Deploy) && !before(MarkerKind::Config), "a moment");
}
