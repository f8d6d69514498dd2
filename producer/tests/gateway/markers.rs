//! Markers: what is taken, what is refused and how, and what the log then holds.

use serde_json::{Value, json};
use slipstream_log::memory::MemoryLog;
use slipstream_log::{Fetch, Log, TopicPartition};
use slipstream_producer::answer::MarkersAccepted;
use slipstream_producer::gateway::Limits;
use slipstream_producer::marking::{self, MarkingError};
use slipstream_producer::server::Credentials;
use slipstream_schemas::records::{Marker, MarkerKind};
use slipstream_schemas::{EventTime, Topic, codec};
use tokio::time::timeout;

use crate::house::{Gated, House, Reply, SOON, event, gzip, house, house_on, reply};

const AT: &str = "2026-03-01T10:00:00.25Z";
const MICROS: i64 = 1_772_359_200_250_000;

/// The markers in the log, in order; each is keyed by its id.
async fn stored(log: &MemoryLog) -> Vec<Marker> {
    let place = TopicPartition { topic: Topic::Markers, partition: 0 };
    let (first, end) = log.bounds(place).await.unwrap();
    let batch = log.read(place, first, end, Fetch::default()).await.unwrap();
    let marker = |value: &[u8]| codec::decode::<Marker>(value).unwrap();
    let all: Vec<(Option<String>, Marker)> = batch
        .iter()
        .map(|r| (r.key().map(|key| String::from_utf8_lossy(key).into_owned()), marker(r.value().unwrap())))
        .collect();
    assert!(all.iter().all(|(key, marker)| key.as_ref() == Some(&marker.id)), "keyed by id: {all:?}");
    all.into_iter().map(|(_, marker)| marker).collect()
}

async fn accepted(request: reqwest::RequestBuilder) -> MarkersAccepted {
    let response = timeout(SOON, request.send()).await.expect("answered in time").unwrap();
    let status = response.status();
    let text = response.text().await.unwrap();
    assert_eq!(status, 200, "{text}");
    serde_json::from_str(&text).unwrap()
}

async fn refused(house: &House, body: impl Into<reqwest::Body>) -> Reply {
    reply(house.post("/v1/markers").body(body)).await
}

fn deploy(id: &str) -> Value {
    json!({"id": id, "kind": "deploy", "service": "payment", "time": AT, "version": "1.4.2"})
}

#[tokio::test]
async fn one_marker_a_list_and_lines_are_taken_plain_and_packed() {
    let (one, two) = (deploy("a"), json!({"id": "b", "kind": "note", "text": "n", "time": MICROS}));
    for (form, content_type, body, ids) in [
        ("one", "application/json", one.to_string(), &["a"][..]),
        ("a list", "application/json", json!([one, two]).to_string(), &["a", "b"]),
        ("curl's type", "application/x-www-form-urlencoded", json!([one]).to_string(), &["a"]),
        ("lines", "application/x-ndjson", format!("{one}\n\n{two}\n"), &["a", "b"]),
        ("none", "application/json", "[]".to_owned(), &[]),
    ] {
        for packed in [false, true] {
            let house = house(Limits::default()).await;
            let request = house.post("/v1/markers").header("Content-Type", content_type);
            let request = match packed {
                true => request.header("Content-Encoding", "gzip").body(gzip(&body)),
                false => request.body(body.clone()),
            };
            let answer = accepted(request).await;
            assert_eq!(answer.accepted, ids.len() as u64, "{form} {packed}");
            assert_eq!(answer.ids, ids, "{form} {packed}");
            let stored = stored(&house.log).await;
            assert_eq!(stored.iter().map(|m| m.id.as_str()).collect::<Vec<_>>(), ids, "{form} {packed}");
            assert!(stored.iter().all(|m| m.time == EventTime(MICROS)), "{stored:?}");
        }
    }
}

#[tokio::test]
async fn what_a_marker_does_not_say_it_is_given() {
    let house = house(Limits::default()).await;
    let before = jiff::Timestamp::now().as_microsecond();
    let answer = accepted(house.post("/v1/markers").body(r#"{"kind": "deploy"}"#)).await;
    let [marker] = &stored(&house.log).await[..] else { panic!("{answer:?}") };
    assert_eq!(answer.ids, [marker.id.as_str()]);
    assert_eq!(marker.id.len(), 36, "a UUID");
    assert!((before..=jiff::Timestamp::now().as_microsecond()).contains(&marker.time.0), "{marker:?}");
    assert_eq!((marker.service.as_str(), marker.author.as_str(), &marker.version), ("", "", &None));
}

#[tokio::test]
async fn one_wrong_marker_keeps_all_out_and_is_named() {
    let house = house(Limits::default()).await;
    let body =
        json!([deploy("a"), {"kind": "note", "text": "n", "version": "1"}, 7, {"kind": "deploy", "verson": "1"}]);
    let reply = refused(&house, body.to_string()).await;
    assert_eq!((reply.counts(), reply.code()), ((422, 0, 3), "rejected"), "{reply:?}");
    let errors: Vec<(usize, &str, &str)> =
        reply.answer.errors.iter().map(|e| (e.index, e.error.as_str(), e.message.as_str())).collect();
    let expected = [
        (1, "rule-broken", "version `1`: only a deploy has one"),
        (2, "not-an-event", "must be a JSON object"),
        (3, "unknown-field", "verson: no such field; did you mean version?"),
    ];
    assert_eq!(errors, expected);
    let many = vec![json!({}); 150];
    let reply = refused(&house, Value::from(many).to_string()).await;
    assert_eq!((reply.answer.errors.len(), reply.answer.errors_total), (100, Some(150)));
    assert_eq!(stored(&house.log).await, []);
}

#[tokio::test]
async fn what_is_no_list_of_markers_is_refused_as_a_whole() {
    let house = house(Limits::default()).await;
    for (body, status, code) in [
        (String::new(), 400, "malformed-body"),
        ("deploy".to_owned(), 400, "malformed-body"),
        ("[{}".to_owned(), 400, "malformed-body"),
        (format!("[{}]", vec!["{}"; 1_001].join(",")), 413, "too-many-markers"),
        (" ".repeat((1 << 20) + 1), 413, "body-too-large"),
    ] {
        let start: String = body.chars().take(10).collect();
        let reply = refused(&house, body).await;
        assert_eq!((reply.status, reply.code()), (status, code), "{start:?}: {reply:?}");
    }
    let bomb = gzip(" ".repeat((1 << 20) + 1));
    let packed = reply(house.post("/v1/markers").header("Content-Encoding", "gzip").body(bomb)).await;
    assert_eq!((packed.status, packed.code()), (413, "body-too-large"));
    let get = house.http.get(format!("http://{}/v1/markers", house.address));
    assert_eq!(reply(get).await.code(), "method-not-allowed");
    let xml = reply(house.post("/v1/markers").header("Content-Type", "text/xml").body("<a/>")).await;
    assert_eq!(xml.code(), "unsupported-content-type");
    assert_eq!(stored(&house.log).await, []);
    assert_eq!(house.send("", event("a")).await.counts(), (200, 1, 0), "and events are taken as before");
}

#[tokio::test]
async fn l1_a_marker_is_acknowledged_when_the_log_has_it() {
    let gated = Gated::new();
    let limits = Limits { publish_timeout: std::time::Duration::from_millis(200), ..Limits::default() };
    let house = house_on(gated.seen.clone(), gated.log.clone(), limits).await;
    let reply = refused(&house, deploy("a").to_string()).await;
    assert_eq!((reply.status, reply.code()), (503, "log-slow"), "{reply:?}");
    assert!(reply.headers.contains_key("retry-after"));
    gated.gate.open(10);
    assert_eq!(accepted(house.post("/v1/markers").body(deploy("a").to_string())).await.ids, ["a"]);
    assert!(stored(&house.log).await.iter().all(|marker| marker.id == "a"));
}

#[tokio::test]
async fn the_client_sends_a_marker_and_tells_what_is_wrong() {
    let house = house(Limits::default()).await;
    let address = format!("http://u:s3cret@{}", house.address);
    let marker = Marker {
        id: "m-1".to_owned(),
        kind: MarkerKind::Incident,
        service: "payment".to_owned(),
        environment: "prod".to_owned(),
        time: EventTime(MICROS),
        until: Some(EventTime(MICROS + 1)),
        version: None,
        text: "one\ntwo".to_owned(),
        link: Some("https://x/1".to_owned()),
        author: "ops".to_owned(),
    };
    let none = Credentials::default();
    marking::send(&address, &none, &marker).await.unwrap();
    assert_eq!(stored(&house.log).await, std::slice::from_ref(&marker));
    let wrong = Marker { text: "x".repeat(1_001), ..marker.clone() };
    let error = marking::send(&address, &none, &wrong).await.unwrap_err();
    assert!(matches!(error, MarkingError::Refused { .. }), "{error}");
    let said = error.to_string();
    assert!(said.contains("must be 0 to 1000 bytes, is 1001") && !said.contains("s3cret"), "{said}");
    let wrong = marking::send("ftp://u:s3cret@x", &none, &marker).await.unwrap_err().to_string();
    assert!(wrong.contains("expected an address like") && !wrong.contains("s3cret"), "{wrong}");
}
