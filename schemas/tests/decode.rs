//! Every rule of an event, in every encoding, and what its breach is told as.
#![allow(clippy::unwrap_used, reason = "a test")]

use serde_json::{Value, json};
use slipstream_schemas::codec::{encode, encode_into};
use slipstream_schemas::decode::{
    Attributes, ErrorClass, EventError, Provenance, decode, from_json, rfc3339, validate,
};
use slipstream_schemas::{EventTime, EventView, RequestEvent};

const FROM: Provenance<'_> = Provenance { topic: "request-events", partition: 3, offset: 42 };

fn full() -> Value {
    json!({
        "event_id": "e-1",
        "time": "2026-01-31T09:30:00.123456789Z",
        "service": "payment",
        "environment": "production",
        "endpoint": "/pay/{id}",
        "method": "POST",
        "status_code": 200,
        "latency_ms": 12.5,
        "weight": 10,
        "trace_id": "0123456789abcdef0123456789abcdef",
        "user_ref": "u-7",
        "attributes": {"region": "eu", "retries": 2, "cached": false, "share": 0.5},
    })
}

fn with(field: &str, value: Value) -> Value {
    let mut event = full();
    event[field] = value;
    event
}

fn without(field: &str) -> Value {
    let mut event = full();
    event.as_object_mut().unwrap().remove(field);
    event
}

fn told(event: &Value) -> Result<RequestEvent, EventError> {
    decode(event.to_string().as_bytes(), &FROM, Attributes::Read).map(|view| view.to_owned_event())
}

#[test]
fn json_is_read_by_the_names_of_the_schema() {
    let event = told(&full()).unwrap();
    assert_eq!(event.time, EventTime(1_769_851_800_123_456));
    assert_eq!((event.status_code, event.latency_ms, event.weight), (200, Some(12.5), 10));
    let attributes: Vec<(&str, &str)> = event.attributes.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(attributes, [("cached", "false"), ("region", "eu"), ("retries", "2"), ("share", "0.5")]);
    assert_eq!(told(&with("time", json!(1_769_851_800_123_456_i64))).unwrap(), event);
}

#[test]
fn what_may_be_absent_may_be_null() {
    for field in ["environment", "latency_ms", "weight", "trace_id", "user_ref", "attributes"] {
        assert_eq!(told(&without(field)).unwrap(), told(&with(field, Value::Null)).unwrap(), "{field}");
    }
    let absent = told(&with("attributes", json!({"region": null}))).unwrap();
    assert!(absent.attributes.is_empty());
    let sparse = told(&without("weight")).unwrap();
    assert_eq!(sparse.weight, 1);
}

#[test]
fn an_event_without_id_is_named_by_its_place_or_by_its_sender() {
    assert_eq!(told(&without("event_id")).unwrap().event_id, "request-events/3/42");
    let text = without("event_id").to_string();
    let made = from_json(text.as_bytes(), || "mine".to_owned()).unwrap();
    assert_eq!((made.event.event_id.as_str(), made.given), ("mine", true));
    assert!(!from_json(full().to_string().as_bytes(), || unreachable!()).unwrap().given);
}

#[test]
fn every_rule_is_told_by_field_value_and_rule() {
    let long = |n: usize| json!("x".repeat(n));
    let many: serde_json::Map<String, Value> = (0..33).map(|i| (format!("k{i}"), json!("v"))).collect();
    let table = [
        ("event_id", json!(""), "event_id: must be 1 to 128 bytes, is 0"),
        ("event_id", long(129), "must be 1 to 128 bytes, is 129"),
        ("service", json!(""), "service: must be 1 to 256 bytes"),
        ("service", json!("a\nb"), "service `a\\nb`: must not have control characters"),
        ("service", json!("a\u{85}b"), "must not have control characters"),
        ("method", long(257), "must be 1 to 256 bytes, is 257"),
        ("environment", long(257), "must be 0 to 256 bytes"),
        ("endpoint", long(1_025), "must be 1 to 1024 bytes"),
        ("status_code", json!(99), "status_code `99`: must be 100 to 599"),
        ("status_code", json!(600), "status_code `600`: must be 100 to 599"),
        ("status_code", json!("200"), "status_code `\"200\"`: must be a whole number"),
        ("status_code", json!(200.5), "must be a whole number"),
        ("latency_ms", json!(-0.001), "latency_ms `-0.001`: must be finite and 0 to 86400000"),
        ("latency_ms", json!(86_400_000.1), "must be finite and 0 to 86400000"),
        ("latency_ms", json!("12"), "must be a number of milliseconds, or null"),
        ("weight", json!(0), "weight `0`: must be 1 to 1000000"),
        ("weight", json!(1_000_001), "must be 1 to 1000000"),
        ("trace_id", json!("0123456789ABCDEF0123456789ABCDEF"), "must be 32 lower-case hex digits"),
        ("trace_id", json!("012"), "trace_id `012`: must be 32 lower-case hex digits"),
        ("user_ref", long(257), "must be at most 256 bytes, is 257"),
        ("user_ref", json!("a\0b"), "user_ref `a\\u{0}b`: must not have a NUL character (U+0000)"),
        ("time", json!("yesterday"), "time `\"yesterday\"`: must be RFC 3339"),
        ("time", json!("2026-01-31T09:30:00"), "must be RFC 3339"),
        ("time", json!(u64::MAX), "time `18446744073709551615`: must be between 1970 and 2100"),
        ("time", json!(1_769_851_800.25), "time `1769851800.25`: must be RFC 3339 text or integer microseconds"),
        ("weight", json!(u64::MAX), "weight `18446744073709551615`: must be 1 to 1000000"),
        ("attributes", json!(u64::MAX), "attributes `18446744073709551615`: must be an object"),
        ("time", json!(-1), "time `-1`: must be between 1970 and 2100"),
        ("time", json!("2100-01-01T00:00:01Z"), "must be between 1970 and 2100"),
        ("attributes", json!([]), "attributes `[…]`: must be an object"),
        ("attributes", json!({"a": {}}), "attributes.a `{…}`: must be a string, a number or a boolean"),
        ("attributes", json!({"a": "x".repeat(257)}), "a value must be at most 256 bytes, is 257"),
        ("attributes", json!({"x".repeat(65): "v"}), "a key must be at most 64 bytes, is 65"),
        ("attributes", Value::Object(many), "there are more than 32"),
        ("attributes", json!({"a\0": "v"}), "attributes `a\\u{0}`: a key must not have a NUL character"),
        ("attributes", json!({"a": "\0"}), "attributes.a `\\u{0}`: a value must not have a NUL character"),
        ("attributes", json!(7), "attributes `7`: must be an object"),
        ("attributes", json!("x"), "attributes `\"x\"`: must be an object"),
        ("staus_code", json!(200), "staus_code: no such field; did you mean status_code?"),
        ("region", json!("eu"), "further dimensions go into attributes"),
    ];
    for (field, value, message) in table {
        let error = told(&with(field, value.clone())).unwrap_err();
        assert!(error.to_string().contains(message), "{field} = {value}: {error}");
        assert!(error.field.as_deref().is_some_and(|f| f.starts_with(field)), "{field}: {error:?}");
    }
    for field in ["time", "service", "endpoint", "method", "status_code"] {
        let error = told(&without(field)).unwrap_err();
        assert_eq!((error.class, error.field.as_deref()), (ErrorClass::MissingField, Some(field)));
    }
}

#[test]
fn a_name_that_comes_twice_is_refused() {
    let with = |more: &str| full().to_string().replacen('{', &format!("{{{more},"), 1);
    for (text, field) in [
        (with(r#""service":"other""#), "service"),
        (with(r#""service":null"#), "service"),
        (with(r#""\u0073ervice":"other""#), "service"),
        (with(r#""attributes":null"#), "attributes"),
        (with(r#""attributes":{"region":"us"}"#), "attributes"),
        (full().to_string().replace(r#""region":"eu""#, r#""region":"eu","region":"us""#), "attributes.region"),
        (full().to_string().replace(r#""region":"eu""#, r#""region":"eu","region":"eu""#), "attributes.region"),
        (full().to_string().replace(r#""region":"eu""#, r#""region":"eu","\u0072egion":"us""#), "attributes.region"),
        (full().to_string().replace(r#""region":"eu""#, r#""region":null,"region":"eu""#), "attributes.region"),
        (full().to_string().replace(r#""region":"eu""#, r#""region":"eu","region":null"#), "attributes.region"),
        (full().to_string().replace(r#""region":"eu""#, r#""":1,"":2"#), "attributes."),
    ] {
        for attributes in [Attributes::Read, Attributes::Skip] {
            let error = decode(text.as_bytes(), &FROM, attributes).expect_err(&text);
            assert_eq!((error.class, error.field.as_deref()), (ErrorClass::MalformedJson, Some(field)), "{text}");
            assert!(error.to_string().ends_with("must not appear twice"), "{error}");
        }
    }
}

#[test]
fn attributes_keep_every_digit_as_it_was_sent() {
    for (sent, kept) in [
        ("18446744073709551615", "18446744073709551615"),
        ("18446744073709551616", "18446744073709551616"),
        ("10000000000000000999", "10000000000000000999"),
        ("-9223372036854775809", "-9223372036854775809"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("0.50", "0.50"),
        ("1.0", "1.0"),
        ("-0", "-0"),
        ("1E5", "1E5"),
        ("1e999", "1e999"),
        ("0.1000000000000000055511151231257827", "0.1000000000000000055511151231257827"),
        (" 7 ", "7"),
        ("true", "true"),
        ("false", "false"),
        (r#""0.50""#, "0.50"),
        (r#""""#, ""),
        (r#""a\"b\\c\u00e9\n""#, "a\"b\\cé\n"),
        (r#""\ud83d\ude00""#, "😀"),
    ] {
        let text = full().to_string().replace(r#""region":"eu""#, &format!(r#""region":{sent}"#));
        let event = decode(text.as_bytes(), &FROM, Attributes::Read).unwrap_or_else(|e| panic!("{sent}: {e}"));
        assert_eq!(event.attribute("region"), Some(kept), "{sent}");
    }
    for wrong in
        ["01", "+1", "1.", ".5", "1e", "NaN", "Infinity", "tru", r#""\ud83d""#, r#""\x""#, "\"a\nb\"", "'a'", ""]
    {
        let text = full().to_string().replace(r#""region":"eu""#, &format!(r#""region":{wrong}"#));
        let error = decode(text.as_bytes(), &FROM, Attributes::Skip).expect_err(wrong);
        assert_eq!(error.class, ErrorClass::MalformedJson, "{wrong}: {error}");
    }
}

#[test]
fn a_number_that_breaks_a_rule_is_told_as_it_was_sent() {
    let range = |field: &str| match field {
        "time" => "must be between 1970 and 2100; a number means microseconds since 1970",
        "status_code" => "must be 100 to 599",
        "weight" => "must be 1 to 1000000",
        _ => "must be finite and 0 to 86400000 (milliseconds, a day), or absent when not measured",
    };
    for (field, sent) in [
        ("time", "99999999999999999999"),
        ("time", "1e999"),
        ("status_code", "99999999999999999999"),
        ("status_code", "-18446744073709551617"),
        ("status_code", "1e20"),
        ("status_code", "700.0"),
        ("weight", "100000000000000000001"),
        ("weight", "1e400"),
        ("latency_ms", "1e300"),
        ("latency_ms", "99999999999999999999.50"),
        ("latency_ms", "1E999"),
        ("latency_ms", "-0.0010"),
    ] {
        let mut event = full();
        event[field] = json!("HERE");
        let text = event.to_string().replace("\"HERE\"", sent);
        let error = decode(text.as_bytes(), &FROM, Attributes::Skip).expect_err(&text);
        assert_eq!(error.to_string(), format!("{field} `{sent}`: {}", range(field)));
        assert_eq!(error.class, ErrorClass::RuleBroken, "{text}");
    }
    let text = without("service").to_string().replacen('{', "{\"service\":99999999999999999999,", 1);
    let error = decode(text.as_bytes(), &FROM, Attributes::Skip).unwrap_err();
    assert_eq!(error.to_string(), "service `99999999999999999999`: must be a string");
}

#[test]
fn what_is_no_json_object_is_no_event() {
    for (value, found) in [
        ("7", "`7`"),
        ("null", "`null`"),
        ("[]", "`[]`"),
        (" \"a\"", "`\"a\"`"),
        ("hello", "`hello`"),
        (" ", "nothing"),
    ] {
        let error = from_json(value.as_bytes(), || "an id".to_owned()).unwrap_err();
        assert_eq!((error.class, error.field.as_deref()), (ErrorClass::NotAnEvent, None), "{value}");
        assert_eq!(error.to_string(), format!("must be a JSON object, found {found}"));
    }
    let broken = from_json(b"{", || "an id".to_owned()).unwrap_err();
    assert_eq!(broken.class, ErrorClass::MalformedJson);
}

#[test]
fn an_error_is_short_whatever_was_sent() {
    let long = "n".repeat(60_000);
    for text in [
        format!("\"{long}\""),
        format!("{{\"{long}\":1}}"),
        format!("{{\"time\":\"{long}\"}}"),
        format!("{{\"attributes\":{{\"{long}\":1}}}}"),
        format!("{{\"attributes\":{{\"a\":[\"{long}\"]}}}}"),
        format!("{{\"attributes\":\"{long}\"}}"),
        format!("{{\"status_code\":\"{long}\"}}"),
        format!("{{\"{}\":1}}", "\\u0001".repeat(10_000)),
    ] {
        let error = from_json(text.as_bytes(), String::new).unwrap_err();
        assert!(error.to_string().len() < 1_000, "{} bytes: {}", error.to_string().len(), &text[..40]);
        assert!(error.field.as_ref().is_none_or(|field| field.len() < 500), "{}", &text[..40]);
    }
}

#[test]
fn the_edges_of_every_rule_are_allowed() {
    let table = [
        ("event_id", json!("x".repeat(128))),
        ("endpoint", json!("x".repeat(1_024))),
        ("environment", json!("")),
        ("status_code", json!(100)),
        ("status_code", json!(599)),
        ("status_code", json!(200.0)),
        ("latency_ms", json!(0)),
        ("latency_ms", json!(86_400_000)),
        ("weight", json!(1_000_000)),
        ("time", json!(0)),
        ("time", json!("2100-01-01T00:00:00Z")),
        ("service", json!("zahlung-für-händler")),
    ];
    for (field, value) in table {
        told(&with(field, value.clone())).unwrap_or_else(|e| panic!("{field} = {value}: {e}"));
    }
}

#[test]
fn avro_and_json_break_the_same_rules() {
    let event = told(&full()).unwrap();
    let breaches: [fn(&mut RequestEvent); 9] = [
        |e| e.event_id.clear(),
        |e| e.status_code = 99,
        |e| e.latency_ms = Some(f64::NAN),
        |e| e.weight = 0,
        |e| e.trace_id = Some("x".into()),
        |e| drop(e.attributes.insert("x".repeat(65), String::new())),
        |e| e.user_ref = Some("a\0".into()),
        |e| drop(e.attributes.insert("\0".into(), String::new())),
        |e| drop(e.attributes.insert("a".into(), "b\0".into())),
    ];
    for breach in breaches {
        let mut broken = event.clone();
        breach(&mut broken);
        let by_rule = validate(&broken).unwrap_err();
        for attributes in [Attributes::Read, Attributes::Skip] {
            assert_eq!(decode(&encode(&broken), &FROM, attributes).unwrap_err(), by_rule);
        }
    }
    validate(&event).unwrap();
}

#[test]
fn skipped_attributes_change_nothing_else() {
    let event = told(&full()).unwrap();
    for bytes in [encode(&event), full().to_string().into_bytes()] {
        let read = decode(&bytes, &FROM, Attributes::Read).unwrap();
        let skipped = decode(&bytes, &FROM, Attributes::Skip).unwrap();
        assert_eq!(read.attribute("region"), Some("eu"));
        assert_eq!(skipped, EventView { attributes: Vec::new(), ..read });
    }
}

#[test]
fn encodings_are_recognised_by_their_first_bytes() {
    let table: [(&[u8], ErrorClass); 7] = [
        (b"", ErrorClass::NotAnEvent),
        (b"hello", ErrorClass::NotAnEvent),
        (b"[]", ErrorClass::NotAnEvent),
        (b"{\"event_id\":", ErrorClass::MalformedJson),
        (b"\x00\x00\x00\x00\x07\x02\x02", ErrorClass::ConfluentFraming),
        (b"\xC3\x01\x01\x02\x03\x04\x05\x06\x07\x08", ErrorClass::UnknownFingerprint),
        (b"\xC3\x01", ErrorClass::MalformedAvro),
    ];
    for (bytes, class) in table {
        let error = decode(bytes, &FROM, Attributes::Skip).unwrap_err();
        assert_eq!(error.class, class, "{bytes:?}: {error}");
    }
}

#[test]
fn a_large_event_is_refused_by_its_size() {
    let event = with("user_ref", json!("x".repeat(70_000)));
    assert_eq!(told(&event).unwrap_err().class, ErrorClass::TooLarge);
    let mut bytes = Vec::new();
    let mut event = told(&full()).unwrap();
    event.user_ref = Some("x".repeat(70_000));
    encode_into(&event, &mut bytes);
    assert_eq!(decode(&bytes, &FROM, Attributes::Skip).unwrap_err().class, ErrorClass::TooLarge);
}

#[test]
fn times_have_any_number_of_fraction_digits() {
    let table = [
        ("2026-01-31T09:30:00Z", Some(1_769_851_800_000_000)),
        ("2026-01-31T09:30:00.1Z", Some(1_769_851_800_100_000)),
        ("2026-01-31T09:30:00.1234567891234Z", Some(1_769_851_800_123_456)),
        ("2026-01-31T10:30:00.5+01:00", Some(1_769_851_800_500_000)),
        ("2026-01-31t09:30:00z", Some(1_769_851_800_000_000)),
        ("2026-01-31T09:30:00.Z", None),
        ("2026-01-31", None),
        ("2026-02-30T09:30:00Z", None),
        ("2026-01-31T09:30:00Z[UTC]", None),
        ("2026-01-31T09:30:00-23:59", Some(1_769_938_140_000_000)),
        ("2026-01-31T09:30:00+24:00", None),
        ("2026-01-31T09:30:00+25:00", None),
        ("2026-01-31T09:30:00+01:60", None),
        ("2026-01-31T09:30:00+0100", None),
        ("2026-01-31T09:30:00+01", None),
    ];
    for (text, micros) in table {
        assert_eq!(rfc3339(text), micros, "{text}");
    }
}
