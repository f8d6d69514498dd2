//! Markers on Kafka: recorded by a command and through a gateway, listed, shown beside the status.

use serde_json::{Value, json};
use slipstream_schemas::Topic;

use crate::place::{Place, started, text};

fn ids(answer: &Value) -> Vec<&str> {
    answer["markers"].as_array().unwrap().iter().map(|marker| marker["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn markers_are_recorded_listed_and_shown_and_a_repeated_one_is_there_once() {
    let place = Place::new().await;
    let early = place.command(&["mark", "note", "too early"]).await;
    let said = text(&early.stderr);
    assert!(early.status.code() == Some(1) && said.contains("run `slipstream topics ensure`"), "{said}");
    place.json(&["topics", "ensure"], 0).await;
    assert_eq!(place.json(&["mark", "list"], 0).await, json!({"markers": []}));
    let deploy = ["mark", "deploy", "--service", "pay", "--id", "d-1", "--version"];
    for version in ["1", "2"] {
        place.json(&[&deploy[..], &[version]].concat(), 0).await;
    }
    let mut gateway = started(place.process("gateway")).await;
    let through = place.command(&["mark", "note", "through it", "--id", "n-1", "--to", &gateway.gateway()]).await;
    assert!(through.status.success(), "{}", text(&through.stderr));
    assert!(gateway.stop().await.unwrap().success(), "{}", gateway.stderr());
    let listed = place.json(&["mark", "list"], 0).await;
    assert_eq!((ids(&listed), &listed["markers"][0]["version"]), (vec!["d-1", "n-1"], &json!("2")), "{listed}");
    assert_eq!(ids(&place.json(&["slo", "status"], 0).await), ["n-1", "d-1"], "newest first");
}

#[tokio::test]
async fn a_gateway_that_cannot_write_markers_takes_events_as_before() {
    let place = Place::new().await;
    place.json(&["topics", "ensure"], 0).await;
    let mut gateway = started(place.process("gateway")).await;
    place.delete(Topic::Markers).await;
    let output = place.command(&["mark", "note", "x", "--to", &gateway.gateway()]).await;
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let event = json!({"time": jiff::Timestamp::now().to_string(), "service": "s", "endpoint": "/", "method": "GET",
        "status_code": 200});
    let posted = reqwest::Client::new().post(format!("{}/v1/events", gateway.gateway())).json(&event).send().await;
    assert_eq!(posted.unwrap().status(), 200, "{}", gateway.stderr());
    assert!(gateway.stop().await.unwrap().success(), "{}", gateway.stderr());
}
