//! What every question is answered, by an installation that runs.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use reqwest::Method;
use serde_json::{Value, json};
use slipstream_schemas::{EventTime, RequestEvent};
use support::{World, answer, define, event, events, mark, publish, slo, until};

#[tokio::test]
async fn events_are_found_by_all_that_they_have_page_by_page() {
    let world = World::new().await;
    world.take(&events(0..40)).await;
    let ids = async |query: &str| {
        let page = world.api.get(&format!("/events?{query}")).await.ok();
        let ids = page["events"].as_array().unwrap().iter().map(|e| e["event_id"].as_str().unwrap().to_owned());
        ids.collect::<Vec<String>>()
    };
    for (query, expected) in [
        ("limit=3", &["event-0", "event-1", "event-2"][..]),
        ("service=pay&limit=2", &["event-0", "event-2"]),
        ("status_code=503", &["event-0", "event-10", "event-20", "event-30"]),
        ("status_class=5xx&service=cart", &[]),
        ("errors=true&endpoint=%2Fendpoint%2F0", &["event-0", "event-30"]),
        ("environment=", &[]),
        ("environment=prod&method=GET&limit=1", &["event-0"]),
        ("trace_id=00000000000000000000000000000011", &["event-17"]),
        ("user_ref=user-3&limit=2", &["event-3", "event-7"]),
        ("event_id=event-21", &["event-21"]),
        ("min_latency_ms=38", &["event-38", "event-39"]),
        ("max_latency_ms=1", &["event-0", "event-1"]),
        ("attribute.region=r1&limit=2", &["event-1", "event-3"]),
        ("attribute.region=r1&attribute.other=x", &[]),
        ("to=2001-01-01", &[]),
        ("order=desc&limit=2", &["event-39", "event-38"]),
        ("order=desc&attribute.region=r0&max_latency_ms=9&limit=1", &["event-8"]),
    ] {
        assert_eq!(ids(query).await, expected, "{query}");
    }

    // Every event once, in order, whatever the pages.
    let (mut all, mut path) = (Vec::new(), "/events?limit=7".to_owned());
    loop {
        let answer = world.api.get(&path).await;
        let page = answer.ok();
        all.extend(page["events"].as_array().unwrap().iter().map(|e| e["event_id"].clone()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/events?limit=7&after={next}");
        let link = answer.header("link");
        assert_eq!(link, format!("<?limit=7&after={}>; rel=\"next\"", next.replace('-', "%2D")));
    }
    assert_eq!(all, (0..40).map(|i| json!(format!("event-{i}"))).collect::<Vec<Value>>());
    world.end().await;
}

#[tokio::test]
async fn one_event_has_everything_that_was_sent() {
    let world = World::new().await;
    let sent = events(0..5);
    world.take(&sent).await;
    let found = world.api.get("/events/event-3").await.ok();
    let expected = json!({
        "time": sent[3].time.rfc3339(), "log_time": found["log_time"], "event_id": "event-3", "service": "cart",
        "environment": "prod", "endpoint": "/endpoint/0", "method": "GET", "status_code": 200, "latency_ms": 3.0,
        "weight": 1, "trace_id": "00000000000000000000000000000003", "user_ref": "user-3",
        "attributes": {"region": "r1"},
    });
    assert_eq!(found, expected);
    assert!(found["log_time"].as_str() > found["time"].as_str(), "{found}");
    let time = sent[3].time.rfc3339();
    assert_eq!(world.api.get(&format!("/events/event-3?time={time}")).await.ok(), expected);
    assert_eq!(world.api.get("/events/event-3?time=2001-01-01").await.status, 404);
    assert_eq!(world.api.get("/events/event-77").await.status, 404);
    world.end().await;
}

#[tokio::test]
async fn kpis_are_one_total_or_rows() {
    let world = World::new().await;
    world.take(&events(0..40)).await;
    let total = world.api.get("/kpis").await.ok();
    assert_eq!((&total["hits"], &total["errors"]), (&json!(40), &json!(4)));
    assert_eq!(total["error_rate"], json!(0.1));
    assert!(total["throughput"].as_f64().unwrap() > 0.0 && total["as_of"].is_string(), "{total}");

    let by = world.api.get("/kpis?by=service").await.ok();
    let hits: Vec<(&str, u64)> = rows(&by, |row| (row["service"].as_str().unwrap(), row["hits"].as_u64().unwrap()));
    assert_eq!(hits, [("cart", 20), ("pay", 20)]);
    let codes = world.api.get("/kpis?by=status_code&endpoint=/endpoint/0").await.ok();
    assert_eq!(
        rows(&codes, |row| (row["status_code"].as_i64(), row["hits"].as_u64())),
        [(Some(200), Some(12)), (Some(503), Some(2))]
    );
    let pairs = world.api.get("/kpis?by=service&by=status_code").await.ok();
    let of = |row: &Value| (row["service"].to_string(), row["status_code"].as_i64(), row["hits"].as_u64());
    assert!(rows(&pairs, of).contains(&("\"pay\"".to_owned(), Some(503), Some(4))), "{pairs}");
    assert_eq!(world.api.get("/kpis?source=raw").await.ok()["source"], "raw");
    // What only single requests know is not in rollups.
    assert_eq!(world.api.get("/kpis?source=rollup&user_ref=user-1").await.status, 422);
    for path in ["/kpis?step=1d", "/hourly", "/daily", "/kpis?step=1h&service=pay"] {
        let answer = world.api.get(path).await.ok();
        let hits: u64 = rows(&answer, |row| row["hits"].as_u64().unwrap()).iter().sum();
        assert_eq!(hits, if path.ends_with("pay") { 20 } else { 40 }, "{path}");
        assert!(answer["rows"][0]["start"].is_string(), "{path}");
    }
    world.end().await;
}

fn rows<'a, T>(answer: &'a Value, of: impl Fn(&'a Value) -> T) -> Vec<T> {
    answer["rows"].as_array().unwrap().iter().map(of).collect()
}

#[tokio::test]
async fn slos_stand_as_their_events_say_worst_first() {
    let world = World::new().await;
    world.take(&events(0..40)).await;
    let answer = world.api.get("/slos").await;
    let slos = answer.ok();
    assert_eq!((&slos["complete"], slos.get("stale_for_seconds")), (&json!(true), None));
    let listed: Vec<(&str, Option<&str>, i64, i64)> = slos["slos"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| {
            let group = s["group"]["endpoint"].as_str();
            (s["name"].as_str().unwrap(), group, s["good"].as_i64().unwrap(), s["total"].as_i64().unwrap())
        })
        .collect();
    let groups = ["/endpoint/0", "/endpoint/1", "/endpoint/2"];
    assert_eq!(listed.len(), 4, "{slos}");
    for expected in [
        ("all", None, 36, 40),
        ("by-endpoint", Some(groups[0]), 12, 14),
        ("by-endpoint", Some(groups[1]), 12, 13),
        ("by-endpoint", Some(groups[2]), 12, 13),
    ] {
        assert!(listed.contains(&expected), "{expected:?} in {listed:?}");
    }
    let left = |i: usize| slos["slos"][i]["budget_remaining"].as_f64().unwrap();
    assert!((1..4).all(|i| left(i - 1) <= left(i)), "{slos}");
    let as_of = slos["as_of"].as_str().unwrap();
    assert_eq!(answer.header("slipstream-as-of"), as_of);
    assert!(slos["slos"].as_array().unwrap().iter().all(|s| s["as_of"] == as_of && s["complete"] == true), "{slos}");

    let count =
        async |query: &str| world.api.get(&format!("/slos?{query}")).await.ok()["slos"].as_array().unwrap().len();
    for (query, expected) in [("name=by", 3), ("name=all&service=shop", 1), ("service=cart", 0), ("name=ALL", 0)] {
        assert_eq!(count(query).await, expected, "{query}");
    }
    world.end().await;
}

#[tokio::test]
async fn one_slo_tells_what_it_is_how_it_stands_and_what_went_wrong() {
    let world = World::new().await;
    world.take(&events(0..40)).await;
    let slo = world.api.get("/slos/by-endpoint").await.ok();
    assert_eq!(slo["slo"]["objectives"][0]["good"], "status_code < 500");
    assert_eq!((&slo["slo"]["window"], &slo["slo"]["group_by"]), (&json!("28d"), &json!(["endpoint"])));
    assert_eq!(slo["objectives"].as_array().unwrap().len(), 3);
    // Ten percent are bad: a burn rate of 20 in every window.
    let rules = slo["rules"].as_array().unwrap();
    assert_eq!(rules.len(), 3 * 4, "{slo}");
    let page = rules.iter().find(|r| r["rule"] == "1h/5m" && r["group"]["endpoint"] == "/endpoint/0").unwrap();
    assert_eq!((&page["severity"], &page["holds"]), (&json!("page"), &json!(true)), "{page}");
    assert!(page["since"].is_string() && page["threshold"].as_f64().unwrap() > 1.0, "{page}");
    let bad: Vec<&str> = slo["exemplars"].as_array().unwrap().iter().map(|e| e["event_id"].as_str().unwrap()).collect();
    assert!(!bad.is_empty() && bad.iter().all(|id| id.ends_with('0')), "{bad:?}");
    assert_eq!(world.api.get("/slos/nobody").await.status, 404);
    world.end().await;
}

#[tokio::test]
async fn alerts_are_found_with_what_happened_to_them() {
    let world = World::new().await;
    world.take(&events(0..40)).await;
    let open =
        async || world.api.get("/alerts?slo=all&state=firing,pending").await.ok()["alerts"].as_array().unwrap().len();
    until("an alert is stored", async || open().await == 1).await;
    let alerts = world.api.get("/alerts?slo=all").await.ok();
    let alert = &alerts["alerts"][0];
    assert_eq!((&alert["slo"], &alert["service"]), (&json!("all"), &json!("shop")));
    let id = alert["id"].as_str().unwrap();
    let detail = world.api.get(&format!("/alerts/{id}")).await.ok();
    assert_eq!(detail["alert"]["id"], id);
    assert_eq!((&detail["transitions"][0]["kind"], &detail["transitions"][0]["seq"]), (&json!("pending"), &json!(1)));
    for (query, expected) in [("severity=nothing", 0), ("service=shop&slo=all", 1), ("from=2100-01-01", 0)] {
        let found = world.api.get(&format!("/alerts?{query}")).await.ok();
        assert_eq!(found["alerts"].as_array().unwrap().len(), expected, "{query}");
    }
    assert_eq!(world.api.get("/alerts/nothing").await.status, 404);
    let listed = world.api.get("/slos/all").await.ok();
    assert_eq!(listed["alerts"][0]["id"], id);
    world.end().await;
}

#[tokio::test]
async fn the_past_of_an_slo_is_what_was_published_of_it() {
    let world = World::new().await;
    world.take(&events(0..40)).await;
    let points = async |query: &str| world.api.get(&format!("/slos/all/history?{query}")).await.ok()["points"].clone();
    until("burn rates are stored", async || points("").await[0]["total"] == 40).await;
    let point = points("step=366d").await[0].clone();
    assert_eq!((&point["good"], &point["total"], &point["objective"]), (&json!(36), &json!(40), &json!("most")));
    assert!(point["complete"] == true && point["covered_from"].is_string() && point["at"].is_string(), "{point}");
    for (query, status) in [("objective=other", 404), ("group.endpoint=/endpoint/1", 422)] {
        assert_eq!(world.api.get(&format!("/slos/all/history?{query}")).await.status, status, "{query}");
    }
    assert_eq!(points("to=2001-01-01").await, json!([]));
    world.end().await;
}

#[tokio::test]
async fn groups_of_the_past_are_told_by_the_names_that_they_had() {
    let world = World::new().await;
    world.take(&events(0..40)).await;
    let points = async |query: &str| {
        let answer = world.api.get(&format!("/slos/by-endpoint/history?step=1s&{query}")).await.ok();
        answer["points"].as_array().unwrap().clone()
    };
    let has = |points: &[Value], label: &str| points.iter().any(|point| point["group"].get(label).is_some());
    until("burn rates are stored", async || has(&points("").await, "endpoint")).await;
    define(world.log.as_ref(), "by-endpoint", Some(slo("by-endpoint", "'true', groupBy: [method]"))).await;
    until("the change is in force", async || {
        publish(world.log.as_ref(), &[event(unsent())]).await;
        has(&points("").await, "method")
    })
    .await;
    let all = points("").await;
    for point in &all {
        let group = point["group"].as_object().unwrap();
        let (name, value) = group.iter().next().unwrap();
        let value = value.as_str().unwrap();
        assert!(group.len() == 1 && (name == "endpoint") == value.starts_with('/'), "{point}");
    }
    let of_one = points("group.endpoint=/endpoint/1").await;
    assert!(!of_one.is_empty() && of_one.iter().all(|point| point["group"]["endpoint"] == "/endpoint/1"), "{of_one:?}");
    assert!(of_one.len() < all.len() && points("group.method=GET").await.len() < all.len());
    world.end().await;
}

/// Of an event that was not sent yet.
fn unsent() -> usize {
    static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(1_000);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

#[tokio::test]
async fn who_spent_a_budget_adds_up_to_all_of_it() {
    let world = World::new().await;
    world.take(&events(0..40)).await;
    for (by, limit, values) in [
        ("endpoint", 20, &["/endpoint/0", "/endpoint/1", "/endpoint/2"][..]),
        ("attribute.region", 1, &["r0"]),
        ("user_ref", 1, &["user-0"]),
    ] {
        let found = world.api.get(&format!("/slos/all/contributors?by={by}&limit={limit}")).await.ok();
        assert_eq!((&found["bad"], &found["total"], &found["by"]), (&json!(4), &json!(40), &json!(by)), "{found}");
        let listed: Vec<&str> =
            found["contributors"].as_array().unwrap().iter().map(|c| c["value"].as_str().unwrap()).collect();
        assert_eq!(listed, values, "{found}");
        let all = found["contributors"].as_array().unwrap().iter().chain([&found["other"]]);
        let shares: f64 = all.filter_map(|c| c["share"].as_f64()).sum();
        assert!((shares - 1.0).abs() < 1e-9, "{found}");
    }
    assert_eq!(world.api.get("/slos/nobody/contributors").await.status, 404);
    assert_eq!(world.api.get("/slos/all/contributors?by=latency_ms").await.status, 400);

    let top = world.api.get("/endpoints/top?sort=budget_spent&slo=all&limit=2").await.ok();
    let first = &top["endpoints"][0];
    assert_eq!(
        (&first["endpoint"], &first["bad"], &first["hits"]),
        (&json!("/endpoint/0"), &json!(2), &json!(7)),
        "{top}"
    );
    assert!(first["budget_spent"].as_f64().unwrap() > 0.0 && top["endpoints"].as_array().unwrap().len() == 2, "{top}");
    let top = world.api.get("/endpoints/top?sort=p95").await.ok();
    assert_eq!((&top["endpoints"][0]["bad"], &top["endpoints_total"]), (&Value::Null, &json!(6)), "{top}");
    assert_eq!(world.api.get("/endpoints/top?slo=nobody").await.status, 404);
    world.end().await;
}

#[tokio::test]
async fn what_endpoints_spent_is_of_the_requests_of_their_rows() {
    let world = World::new().await;
    let old = |e: RequestEvent| RequestEvent { time: EventTime(e.time.0 - 7_200_000_000), status_code: 503, ..e };
    let mut all = events(0..40);
    all.extend(events(40..44).into_iter().map(old));
    world.take(&all).await;
    let of = async |query: &str| {
        let top = world.api.get(&format!("/endpoints/top?slo=all&limit=100{query}")).await.ok();
        let sum = |field: &str| top["endpoints"].as_array().unwrap().iter().map(|e| e[field].as_i64().unwrap()).sum();
        let sums: (i64, i64, i64) = (sum("hits"), sum("errors"), sum("bad"));
        sums
    };
    let from = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(3);
    assert_eq!(of(&format!("&from={from}")).await, (44, 8, 8), "those of two hours ago, too");
    assert_eq!(of("").await, (40, 4, 4), "the last hour");
    assert_eq!(of("&status_class=2xx").await, (36, 0, 0));
    assert_eq!(of("&errors=true&service=pay").await, (4, 4, 4));
    world.end().await;
}

#[tokio::test]
async fn of_markers_the_newest_are_told() {
    let world = World::new().await;
    for id in ["m-1", "m-2", "m-3"] {
        mark(world.log.as_ref(), id).await;
    }
    let ids = async |query: &str| {
        let told = world.api.get(&format!("/markers{query}")).await.ok();
        let ids: Vec<String> = told["markers"].as_array().unwrap().iter().map(|m| m["id"].to_string()).collect();
        (ids.join(" "), told["markers_total"].clone())
    };
    assert_eq!(ids("").await, (r#""m-1" "m-2" "m-3""#.to_owned(), json!(3)));
    assert_eq!(ids("?limit=2").await, (r#""m-2" "m-3""#.to_owned(), json!(3)));
    world.end().await;
}

#[tokio::test]
async fn a_user_is_erased_and_no_count_changes() {
    let world = World::new().await;
    world.take(&events(0..40)).await;
    let erase = world.api.request(Method::POST, "/erasures").json(&json!({"user_ref": "user-1"}));
    let erased = answer(erase).await;
    assert_eq!((erased.ok()["erased"].clone(), erased.header("etag")), (json!(10), ""));
    assert!(erased.json()["log_holds_until"].is_string() && erased.text().contains("no longer name this user"));
    let of = async |user: &str| {
        world.api.get(&format!("/events?user_ref={user}")).await.ok()["events"].as_array().unwrap().len()
    };
    assert_eq!((of("user-1").await, of("user-2").await), (0, 10));
    assert_eq!(world.api.get("/kpis").await.ok()["hits"], 40);
    world.end().await;
}

#[tokio::test]
async fn rows_are_tables_for_whoever_wants_them() {
    let world = World::new().await;
    world.take(&events(0..4)).await;
    until("an alert is stored", async || !world.api.get("/alerts").await.ok()["alerts"].as_array().unwrap().is_empty())
        .await;
    for (path, head, rows) in [
        ("/events", "time,log_time,event_id,service,", 4),
        ("/kpis", "start,service,environment,", 1),
        ("/kpis?by=service", "start,service,environment,", 2),
        ("/hourly", "start,service,environment,", 1),
        ("/slos?name=by", "name,service,objective,group,", 3),
        ("/alerts?slo=all", "id,slo,severity,state,", 1),
        ("/endpoints/top", "service,environment,endpoint,method,", 4),
        ("/slos/all/contributors", "value,bad,total,share,other", 1),
        ("/notifications", "at,alert_id,episode,", 0),
    ] {
        let (answer, format) =
            (world.api.get_with(path, "accept", "text/csv").await, if path.contains('?') { "&" } else { "?" });
        let text = answer.text();
        assert_eq!((answer.status, answer.header("content-type")), (200, "text/csv; charset=utf-8"), "{text}");
        assert!(text.starts_with(head), "{path}: {text}");
        assert_eq!(text.trim_end().split("\r\n").count(), rows + 1, "{path}: {text}");
        until("it is told up to when", async || !world.api.get(path).await.header("slipstream-as-of").is_empty()).await;
        let asked = world.api.get(&format!("{path}{format}format=csv")).await;
        assert!(asked.text().starts_with(head), "{path}");
    }
    let failing: Vec<_> = events(10..20).into_iter().map(|e| RequestEvent { status_code: 500, ..e }).collect();
    world.take(&failing).await;
    until("they are stored", async || world.api.get("/kpis").await.ok()["hits"] == 14).await;
    let shares = world.api.get("/slos/all/contributors?limit=1&format=csv").await.text();
    let share = |line: &str| line.split(',').nth(3).unwrap().parse::<f64>().unwrap();
    let lines: Vec<&str> = shares.trim_end().split("\r\n").collect();
    assert!((share(lines[1]) + share(lines[2]) - 1.0).abs() < 1e-9 && lines[2].starts_with("2,"), "{shares}");
    assert!(lines[2].ends_with(",true") && lines[1].ends_with(','), "{shares}");
    let cell = world.api.get("/events?limit=1&format=csv").await.text();
    assert!(cell.contains(",\"{\"\"region\"\":\"\"r0\"\"}\"\r\n"), "{cell}");
    world.end().await;
}

#[tokio::test]
async fn an_answer_is_not_sent_to_who_has_it() {
    let world = World::new().await;
    world.take(&events(0..4)).await;
    for path in ["/kpis", "/events", "/slos/all/contributors", "/markers", "/openapi.json", "/", "/viewer.js"] {
        let first = world.api.get(path).await;
        let tag = first.header("etag").to_owned();
        assert_eq!((first.status, tag.trim_start_matches("W/").len()), (200, 18), "{path}: {tag}");
        for (sent, expected) in [
            (tag.as_str(), 304),
            (&format!("\"other\", W/{}", tag.trim_start_matches("W/")), 304),
            ("*", 304),
            ("\"other\"", 200),
            ("", 200),
        ] {
            let again = world.api.get_with(path, "if-none-match", sent).await;
            assert_eq!((again.status, again.header("etag")), (expected, tag.as_str()), "{path} {sent}");
            assert_eq!(again.body.is_empty(), expected == 304, "{path} {sent}");
        }
        let head = answer(world.api.request(Method::HEAD, path)).await;
        assert_eq!((head.status, head.header("etag"), head.body.len()), (200, tag.as_str(), 0), "{path}");
        assert_eq!(head.header("content-length"), first.body.len().to_string(), "{path}");
    }
    // What the SLOs are answered with is another one at each tick, and the same in between.
    let tag = async || world.api.get("/slos").await.header("etag").to_owned();
    let mut same = false;
    for _ in 0..20 {
        same |= tag().await == tag().await;
    }
    assert!(same);
    let before = tag().await;
    until("there is another tick", async || tag().await != before).await;
    let health = world.api.get("/health").await;
    assert_eq!((health.header("cache-control"), health.header("etag")), ("no-store", ""));
    world.end().await;
}

#[tokio::test]
async fn health_says_how_far_everything_is() {
    let world = World::new().await;
    world.take(&events(0..4)).await;
    let well = async || world.api.get("/health").await.ok()["status"] == "ok";
    until("everything is well", well).await;
    let health = world.api.get("/health").await.ok();
    assert_eq!(health["roles"]["api"], json!({"state": "ready", "detail": null}));
    let stored = health["store"]["positions"].as_array().unwrap();
    let events = stored.iter().filter(|p| p["topic"] == "request-events");
    let offset: i64 = events.map(|p| p["offset"].as_i64().unwrap()).sum();
    assert_eq!((offset, &health["store"]["answers"]), (4, &json!(true)), "{health}");
    assert_eq!((&health["store"]["lag"], &health["store"]["stale_aggregates"]), (&json!(0), &json!(0)), "{health}");
    assert!(health["follower"]["as_of"].is_string() && health["follower"]["complete"] == true, "{health}");
    world.end().await;
}

#[tokio::test]
async fn a_definition_that_comes_or_goes_is_known_with_the_next_tick() {
    let world = World::new().await;
    world.take(&events(0..2)).await;
    let names = async || {
        let slos = world.api.get("/slos").await.ok();
        let names = slos["slos"].as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap().to_owned());
        names.collect::<std::collections::BTreeSet<String>>()
    };
    define(world.log.as_ref(), "third", Some(slo("third", "'true'"))).await;
    until("the third is known", async || names().await.contains("third")).await;
    define(world.log.as_ref(), "third", None).await;
    until("the third is gone", async || !names().await.contains("third")).await;
    publish(world.log.as_ref(), &events(2..3)).await;
    world.end().await;
}
