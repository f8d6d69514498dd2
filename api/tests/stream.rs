//! What changes is told as it changes, in order, and nothing is missed by who comes back.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::time::Duration;

use reqwest::{Method, Response};
use serde_json::Value;
use support::{DEADLINE, World, define, events, publish, slo, until};
use tokio::time::{Instant, timeout};

/// An event of the stream.
#[derive(Debug, Clone, PartialEq)]
struct Event {
    name: String,
    id: String,
    data: Value,
}

/// A client of the stream.
struct Listener {
    response: Response,
    text: String,
}

impl Listener {
    async fn of(world: &World, query: &str, last: Option<&str>) -> Listener {
        let mut request = world.api.request(Method::GET, &format!("/stream?{query}"));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), response.headers()["content-type"].to_str().unwrap()),
            (200, "text/event-stream")
        );
        Listener { response, text: String::new() }
    }

    /// The next event; `None` at the end of the stream.
    async fn next(&mut self) -> Option<Event> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                if let (Some(name), Some(id), Some(data)) = (field("event: "), field("id: "), field("data: ")) {
                    return Some(Event { name, id, data: serde_json::from_str(&data).unwrap() });
                }
            }
            let chunk = timeout(deadline - Instant::now(), self.response.chunk()).await.expect("an event in time");
            self.text.push_str(std::str::from_utf8(&chunk.ok()??).unwrap());
        }
    }

    /// The next event of a kind for which something is so.
    async fn until(&mut self, name: &str, so: impl Fn(&Value) -> bool) -> Event {
        loop {
            let event = self.next().await.expect("the stream goes on");
            if event.name == name && so(&event.data) {
                return event;
            }
        }
    }
}

fn total(data: &Value, slo: &str) -> i64 {
    let found = data["slos"].as_array().unwrap().iter().find(|s| s["name"] == slo);
    found.map_or(-1, |s| s["total"].as_i64().unwrap())
}

#[tokio::test]
async fn first_comes_everything_then_what_changed_and_what_is_gone() {
    let world = World::new().await;
    world.take(&events(0..4)).await;
    let mut listener = Listener::of(&world, "events=slos", None).await;
    let first = listener.next().await.unwrap();
    assert_eq!((first.name.as_str(), total(&first.data, "all")), ("slos", 4));
    assert!(first.data["slos"].as_array().unwrap().len() >= 4 && first.data["complete"] == true, "{first:?}");
    assert!(first.data["as_of"].is_string() && first.data["gone"] == serde_json::json!([]), "{first:?}");

    // An event of one endpoint changes its group and the whole, and no other.
    publish(world.log.as_ref(), &events(4..5)).await;
    let changed = listener.until("slos", |data| total(data, "all") == 5).await;
    let groups: Vec<&Value> =
        changed.data["slos"].as_array().unwrap().iter().map(|s| &s["group"]["endpoint"]).collect();
    assert!(
        groups.contains(&&serde_json::json!("/endpoint/1")) && !groups.contains(&&serde_json::json!("/endpoint/2")),
        "{changed:?}"
    );

    define(world.log.as_ref(), "all", None).await;
    let gone = listener.until("slos", |data| !data["gone"].as_array().unwrap().is_empty()).await;
    assert_eq!(gone.data["gone"], serde_json::json!([{"name": "all", "objective": "most"}]));
    world.end().await;
}

#[tokio::test]
async fn who_comes_back_misses_no_alert_and_hears_none_twice() {
    let world = World::new().await;
    world.take(&events(1..3)).await;
    let mut listener = Listener::of(&world, "events=alerts", None).await;
    // Everything fails: alerts begin.
    let failing: Vec<_> =
        events(10..40).into_iter().map(|e| slipstream_schemas::RequestEvent { status_code: 500, ..e }).collect();
    publish(world.log.as_ref(), &failing).await;
    let first = listener.until("alerts", |data| data["slo"] == "all").await;
    assert_eq!((&first.data["kind"], &first.data["seq"]), (&serde_json::json!("pending"), &serde_json::json!(1)));
    let mut heard = vec![first.clone()];
    until("several alerts are stored", async || {
        world.api.get("/alerts").await.ok()["alerts"].as_array().unwrap().len() >= 4
    })
    .await;
    drop(listener);

    // It was away while the others came, and is told the rest: from another process, say, since only the id counts.
    let mut again = Listener::of(&world, "events=alerts", Some(&first.id)).await;
    let slos = ["/endpoint/0", "/endpoint/1", "/endpoint/2"];
    while !slos.iter().all(|group| heard.iter().any(|e| e.data["group"]["endpoint"] == *group)) {
        heard.push(again.next().await.unwrap());
    }
    let key = |e: &Event| (e.data["alert_id"].to_string(), e.data["episode"].as_i64(), e.data["seq"].as_i64());
    let mut keys: Vec<_> = heard.iter().map(key).collect();
    keys.sort();
    let all = keys.len();
    keys.dedup();
    assert_eq!(keys.len(), all, "{heard:#?}");

    // An id of nobody is no reason to refuse: the client begins anew.
    let mut strange = Listener::of(&world, "", Some("strange")).await;
    assert_eq!(strange.next().await.unwrap().name, "slos");
    world.end().await;
}

#[tokio::test]
async fn who_comes_back_is_told_the_whole_and_then_what_changes() {
    let world = World::new().await;
    world.take(&events(0..2)).await;
    let mut listener = Listener::of(&world, "events=slos", None).await;
    let first = listener.next().await.unwrap();
    assert_eq!(first.data["whole"], true, "{first:?}");
    publish(world.log.as_ref(), &events(2..3)).await;
    let changed = listener.until("slos", |data| total(data, "all") == 3).await;
    assert_eq!(changed.data["whole"], false, "{changed:?}");
    drop(listener);
    // What went meanwhile is not in the whole. Also within one tick: nobody knows what of it a client has.
    define(world.log.as_ref(), "all", None).await;
    until("it is gone", async || world.api.get("/slos/all").await.status == 404).await;
    for id in [&first.id, &changed.id] {
        let mut again = Listener::of(&world, "events=slos", Some(id)).await;
        let all = again.next().await.unwrap();
        assert_eq!((&all.data["whole"], total(&all.data, "all")), (&true.into(), -1), "{all:?}");
        let mut again = Listener::of(&world, "events=slos", Some(&all.id)).await;
        assert_eq!(again.next().await.unwrap().data["whole"], true);
    }
    world.end().await;
}

#[tokio::test]
async fn a_definition_without_traffic_that_comes_or_goes_is_told() {
    let world = World::new().await;
    world.take(&events(0..2)).await;
    let mut listener = Listener::of(&world, "events=slos", None).await;
    assert!(listener.next().await.is_some());
    let has = |data: &Value, list: &str, name: &str| data[list].as_array().unwrap().iter().any(|s| s["name"] == name);
    // Read in between two ticks, most of them.
    for i in 0..6 {
        let name = format!("quiet-{i}");
        define(world.log.as_ref(), &name, Some(slo(&name, "'false', groupBy: [endpoint]"))).await;
        listener.until("slos", |data| has(data, "slos", &name)).await;
        define(world.log.as_ref(), &name, None).await;
        listener.until("slos", |data| has(data, "gone", &name)).await;
    }
    world.end().await;
}

#[tokio::test]
async fn a_stream_ends_at_once_with_the_process() {
    let world = World::new().await;
    world.take(&events(0..2)).await;
    let mut listener = Listener::of(&world, "", None).await;
    assert!(listener.next().await.is_some());
    let began = Instant::now();
    world.health.set_stopping();
    while listener.next().await.is_some() {}
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());

    let another = World::new().await;
    another.take(&events(0..2)).await;
    let mut listener = Listener::of(&another, "", None).await;
    assert!(listener.next().await.is_some());
    let (began, shutdown) = (Instant::now(), another.shutdown.clone());
    shutdown.cancel();
    while listener.next().await.is_some() {}
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    another.end().await;
    world.end().await;
}
