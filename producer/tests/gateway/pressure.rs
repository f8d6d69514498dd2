//! Pressure, failure and shutdown: nobody waits in a queue, nothing is acknowledged that the log does not have.

use std::time::Duration;

use slipstream_log::faults::PublishFault;
use slipstream_producer::gateway::{GatewayError, Limits};
use slipstream_runtime::health::State;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::house::{Gated, SOON, event, house, house_on, reply};

#[tokio::test]
async fn l1_an_answer_comes_only_when_the_log_has_the_events() {
    let gated = Gated::new();
    let house = house_on(gated.seen.clone(), gated.log.clone(), Limits::default()).await;
    let mut asking = JoinSet::new();
    asking.spawn(reply(house.post("/v1/events").body(event("a"))));
    gated.gate.one_waits().await;
    assert!(asking.try_join_next().is_none());
    assert!(house.stored_ids().await.is_empty());
    gated.gate.open(1);
    assert_eq!(asking.join_next().await.unwrap().unwrap().counts(), (200, 1, 0));
    assert_eq!(house.stored_ids().await, ["a"]);
}

#[tokio::test]
async fn beyond_the_bytes_in_flight_senders_are_sent_away_at_once() {
    let gated = Gated::new();
    let body = format!("[{}]", vec![event("a"); 50].join(","));
    // Room for a few bodies of this size.
    let limits =
        Limits { max_body: body.len(), max_in_flight: 12 * body.len(), max_connections: 1_000, ..Limits::default() };
    let house = house_on(gated.seen.clone(), gated.log.clone(), limits).await;
    let mut asking = JoinSet::new();
    let mut away = None;
    for _ in 0..100 {
        asking.spawn(reply(house.post("/v1/events").body(body.clone())));
        tokio::select! {
            answered = asking.join_next() => { away = answered; break }
            () = gated.gate.one_waits() => {}
        }
    }
    let away = away.expect("the room is bounded").unwrap();
    assert_eq!((away.status, away.code()), (503, "busy"));
    assert_eq!(away.headers["retry-after"], "1");
    gated.gate.open(1000);
    let taken = asking.len();
    assert!(taken >= 2, "{taken}");
    for reply in asking.join_all().await {
        assert_eq!(reply.counts(), (200, 50, 0));
    }
    assert_eq!(house.send("", body).await.counts(), (200, 50, 0), "the room is free again");
}

#[tokio::test]
async fn a_busy_log_sends_senders_away_and_is_asked_again() {
    let house = house(Limits::default()).await;
    house.log.faults().fail_publishes([PublishFault::Busy, PublishFault::Transient]);
    for _ in 0..2 {
        let reply = house.send("", event("a")).await;
        assert_eq!((reply.counts(), reply.code()), ((503, 0, 0), "log-busy"));
        assert_eq!(reply.headers["retry-after"], "1");
    }
    assert_eq!(house.send("", event("a")).await.counts(), (200, 1, 0));
    assert_eq!(house.stored_ids().await, ["a"]);
}

#[tokio::test]
async fn a_log_that_does_not_answer_is_not_waited_for_for_ever() {
    let gated = Gated::new();
    let limits = Limits { publish_timeout: Duration::from_millis(50), ..Limits::default() };
    let house = house_on(gated.seen.clone(), gated.log.clone(), limits).await;
    let reply = house.send("", event("a")).await;
    assert_eq!((reply.status, reply.code()), (503, "log-slow"));
    assert_eq!(reply.headers["retry-after"], "1");
}

#[tokio::test]
async fn a_broken_log_ends_the_gateway_with_the_reason() {
    let mut house = house(Limits::default()).await;
    house.log.crash();
    let reply = house.send("", event("a")).await;
    assert_eq!((reply.status, reply.code()), (500, "log-broken"));
    let GatewayError::Log(error) = house.ended().await.expect_err("it ends");
    assert!(error.to_string().contains("crashed"), "{error}");
}

#[tokio::test]
async fn a_shutdown_answers_what_is_in_flight_and_takes_nothing_more() {
    let gated = Gated::new();
    let mut house = house_on(gated.seen.clone(), gated.log.clone(), Limits::default()).await;
    let mut asking = JoinSet::new();
    for id in ["a", "b", "c"] {
        asking.spawn(reply(house.post("/v1/events").body(event(id))));
        gated.gate.one_waits().await;
    }
    assert_eq!(house.health.snapshot()["gateway"], State::Ready);
    house.shutdown.cancel();
    while TcpStream::connect(house.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    gated.gate.open(3);
    for reply in asking.join_all().await {
        assert_eq!(reply.counts(), (200, 1, 0));
    }
    house.ended().await.expect("ends in order");
    assert_eq!(house.stored_ids().await, ["a", "b", "c"]);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for_for_ever() {
    let limits = Limits { read_timeout: Duration::from_millis(100), ..Limits::default() };
    let house = house(limits).await;
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    stream.write_all(b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n[").await.unwrap();
    let mut answer = String::new();
    timeout(SOON, stream.read_to_string(&mut answer)).await.expect("answered, and closed").unwrap();
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("body-too-slow"), "{answer}");
}

#[tokio::test]
async fn many_senders_at_once_all_get_in() {
    let house = house(Limits::default()).await;
    let mut asking = JoinSet::new();
    for sender in 0..50 {
        let events: Vec<String> = (0..20).map(|i| event(&format!("{sender:02}-{i:02}"))).collect();
        asking.spawn(reply(house.post("/v1/events").body(events.join("\n"))));
    }
    for reply in asking.join_all().await {
        assert_eq!(reply.counts(), (200, 20, 0));
    }
    let ids = house.stored_ids().await;
    assert_eq!((ids.len(), ids[0].as_str(), ids[999].as_str()), (1000, "00-00", "49-19"));
}
