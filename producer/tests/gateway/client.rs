//! The Rust client against a real gateway, and against servers that behave badly.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use slipstream_log::faults::PublishFault;
use slipstream_producer::client::{Client, ClientError, ClientOptions};
use slipstream_producer::gateway::Limits;
use slipstream_runtime::Shutdown;
use slipstream_runtime::backoff::Backoff;
use slipstream_runtime::http;
use slipstream_schemas::{EventTime, RequestEvent, cause};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::house::{House, house};

fn events(range: std::ops::Range<usize>) -> Vec<RequestEvent> {
    let event = |i: usize| RequestEvent {
        event_id: format!("e{i:03}"),
        time: EventTime(1_772_359_200_000_000),
        service: "pay".into(),
        environment: String::new(),
        endpoint: "/pay".into(),
        method: "POST".into(),
        status_code: 200,
        latency_ms: Some(3.5),
        weight: 1,
        trace_id: None,
        user_ref: None,
        attributes: [("region".to_owned(), "north".to_owned())].into(),
    };
    range.map(event).collect()
}

fn quick() -> ClientOptions {
    let backoff = Backoff { first: Duration::from_millis(1), max: Duration::from_millis(5) };
    ClientOptions { batch: 4, attempts: 4, backoff, max_wait: Duration::from_millis(50), ..ClientOptions::default() }
}

fn client(house: &House) -> Client {
    Client::with_options(&format!("http://{}", house.address), quick()).unwrap()
}

#[tokio::test]
async fn batches_arrive_and_errors_keep_their_index() {
    let house = house(Limits::default()).await;
    let mut sent = events(0..10);
    sent[6].status_code = 7;
    let answer = client(&house).send(&sent).await.unwrap();
    assert_eq!((answer.inserted, answer.rejected), (9, 1));
    assert_eq!((answer.errors[0].index, answer.errors[0].event_id.as_deref()), (6, Some("e006")));
    sent.remove(6);
    let mut stored = house.stored().await;
    stored.sort_by(|a, b| a.event_id.cmp(&b.event_id));
    assert_eq!(stored, sent);
}

#[tokio::test]
async fn a_batch_of_wrong_events_is_an_answer_not_an_error() {
    let house = house(Limits::default()).await;
    let mut wrong = events(0..2);
    wrong.iter_mut().for_each(|e| e.service.clear());
    let answer = client(&house).send(&wrong).await.unwrap();
    assert_eq!((answer.inserted, answer.rejected, answer.errors.len()), (0, 2, 2));
}

#[tokio::test]
async fn a_busy_gateway_is_asked_again_with_the_same_events() {
    let house = house(Limits::default()).await;
    house.log.faults().fail_publishes([PublishFault::Busy, PublishFault::Transient]);
    let answer = client(&house).send(&events(0..3)).await.unwrap();
    assert_eq!(answer.inserted, 3);
    assert_eq!(house.stored_ids().await, ["e000", "e001", "e002"]);
}

#[tokio::test]
async fn it_gives_up_after_its_attempts_and_says_what_happened_last() {
    let house = house(Limits::default()).await;
    house.log.faults().fail_publishes(vec![PublishFault::Busy; 4]);
    let error = client(&house).send(&events(0..3)).await.unwrap_err();
    let ClientError::GivenUp { events: 3, attempts: 4, last } = &error else { panic!("{error}") };
    assert!(last.contains("503") && last.contains("queue is full"), "{last}");

    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error =
        Client::with_options(&format!("http://{nobody}"), quick()).unwrap().send(&events(0..1)).await.unwrap_err();
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn what_the_gateway_refuses_is_not_sent_again() {
    let house = house(Limits { max_events: 2, ..Limits::default() }).await;
    let error = client(&house).send(&events(0..3)).await.unwrap_err();
    let ClientError::Refused { status: 413, events: 3, message } = &error else { panic!("{error}") };
    assert!(message.contains("more than 2 events"), "{message}");
}

#[tokio::test]
async fn it_waits_as_long_as_it_is_told_to() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let busy_once = post(async move || match counted.fetch_add(1, Ordering::SeqCst) {
        0 => (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "1")], String::new()),
        _ => (StatusCode::OK, [("retry-after", "0")], r#"{"inserted":1,"rejected":0,"errors":[]}"#.to_owned()),
    });
    let long = Duration::from_secs(9);
    let limits = http::Limits {
        connections: 9,
        head_timeout: long,
        idle_timeout: long,
        write_timeout: long,
        finish: long,
        beyond: http::Beyond::TEXT,
    };
    let mut server = JoinSet::new();
    server.spawn(http::serve("busy", listener, Router::new().route("/v1/events", busy_once), limits, Shutdown::new()));

    let _ = rustls::crypto::ring::default_provider().install_default();
    let options = ClientOptions { max_wait: Duration::from_secs(5), ..quick() };
    let client = Client::with_options(&format!("http://{address}"), options).unwrap();
    let begun = Instant::now();
    assert_eq!(client.send(&events(0..1)).await.unwrap().inserted, 1);
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn an_address_that_is_none_is_told_at_once() {
    for (address, why, parsed) in [
        ("", "relative URL without a base", false),
        ("127.0.0.1:8480", "relative URL without a base", false),
        ("ftp://x", "neither http nor https", true),
    ] {
        let error = Client::new(address).unwrap_err();
        let line = format!("the gateway's address {address:?}: {why}; expected an address like http://host:8480");
        assert_eq!(cause::chain(&error), line);
        let behind = error.source().and_then(Error::source).and_then(Error::source);
        assert_eq!(behind.is_none(), parsed, "{address}");
    }
}
