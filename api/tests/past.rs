//! What is answered of the past, and up to when answers are known: the same for ever, or that it cannot be told.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use serde_json::json;
use slipstream_schemas::{EventTime, LogTime, RequestEvent};
use support::{World, define, events, publish, until};

#[tokio::test]
async fn what_was_known_then_is_answered_the_same_for_ever() {
    let mut world = World::new().await;
    world.take(&events(0..20)).await;
    // A moment of which everything is known: the events above, and no later ones.
    let then = world.api.get("/slos").await.ok()["as_of"].as_str().unwrap().to_owned();
    let paths: Vec<String> = ["/slos?", "/slos/all?", "/kpis?", "/kpis?by=endpoint&", "/events?limit=3&", "/alerts?"]
        .iter()
        .map(|path| format!("{path}as_of={then}"))
        .collect();
    let all_known = async || {
        let mut known = true;
        for path in &paths {
            let answer = world.api.get(path).await;
            assert!(matches!(answer.status, 200 | 503), "{path}: {}", answer.text());
            assert_eq!(answer.header("retry-after"), if answer.status == 503 { "1" } else { "" });
            known &= answer.status == 200;
        }
        known
    };
    until("everything of that moment is stored", all_known).await;
    let mut before = Vec::new();
    for path in &paths {
        before.push(world.api.get(path).await.text());
    }
    assert!(before[2].contains("\"hits\":20"), "{}", before[2]);
    // Of what comes now, some happened before that moment.
    let hour = |e: RequestEvent| RequestEvent { time: EventTime(e.time.0 - 3_600_000_000), ..e };
    let late: Vec<RequestEvent> = events(20..40).into_iter().map(hour).collect();
    world.take(&late).await;
    define(world.log.as_ref(), "all", None).await;
    until("it is another present", async || world.api.get("/kpis").await.ok()["hits"] == 40).await;
    until("the definition is gone", async || world.api.get("/slos/all").await.status == 404).await;
    let another = world.another_api().await;
    for (path, before) in paths.iter().zip(&before) {
        // At once, by who has answered it before; by who has not, once that has looked.
        let again = world.api.get(path).await;
        assert_eq!((again.status, &again.text()), (200, before), "{path}");
        until("it can be answered", async || another.get(path).await.status == 200).await;
        assert_eq!(another.get(path).await.text(), *before, "{path}");
    }

    // Retention removes what was known then: that is said, and not the rest told as all.
    let later = LogTime(jiff::Timestamp::now().as_millisecond() + 36 * 86_400_000);
    while world.store.trim(later).await.unwrap() > 0 {}
    for (path, before) in paths.iter().zip(&before) {
        let answer = world.api.get(path).await;
        // Alerts are kept for longer.
        if path.starts_with("/alerts") || path.starts_with("/slos") {
            assert!(!path.starts_with("/alerts") || (answer.status, &answer.text()) == (200, before), "{path}");
            continue;
        }
        assert_eq!(answer.status, 422, "{path}: {}", answer.text());
        assert!(answer.text().contains("retention.events"), "{path}: {}", answer.text());
    }
    world.end().await;
}

#[tokio::test]
async fn endpoints_of_the_past_are_those_of_then() {
    let world = World::new().await;
    world.take(&events(0..20)).await;
    until("all of it is known", async || {
        let then = jiff::Timestamp::now();
        world.api.get(&format!("/kpis?as_of={then}")).await.status == 200
    })
    .await;
    let then = jiff::Timestamp::now();
    let question = format!("/endpoints/top?sort=hits&as_of={then}");
    until("that is stored", async || world.api.get(&question).await.status == 200).await;
    let before = world.api.get(&question).await;
    world.take(&events(20..40)).await;
    let after = world.api.get(&question).await;
    assert_eq!(before.body, after.body);
    let told: jiff::Timestamp = after.json()["as_of"].as_str().unwrap().parse().unwrap();
    assert_eq!(told.as_millisecond(), then.as_millisecond());
    let hits =
        after.json()["endpoints"].as_array().unwrap().iter().map(|row| row["hits"].as_u64().unwrap()).sum::<u64>();
    assert_eq!(hits, 20);
    assert_eq!(world.api.get(&format!("/endpoints/top?slo=all&as_of={then}")).await.status, 422);
    world.end().await;
}

#[tokio::test]
async fn what_only_rollups_know_is_not_told_as_nothing() {
    let world = World::new().await;
    world.take(&events(0..20)).await;
    let from = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(600);
    let later = LogTime(jiff::Timestamp::now().as_millisecond() + 36 * 86_400_000);
    while world.store.trim(later).await.unwrap() > 0 {}
    assert_eq!(world.api.get("/kpis").await.ok()["hits"], 20);
    for path in ["/events?", "/slos/all/contributors?", "/endpoints/top?slo=all&"] {
        let answer = world.api.get(&format!("{path}from={from}")).await;
        assert_eq!(answer.status, 422, "{path}: {}", answer.text());
        let said = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(said.contains("removed by retention") && said.contains("begin at"), "{path}: {said}");
    }
    // From an open begin, what is left.
    assert_eq!(world.api.get("/events").await.ok()["events"], json!([]));
    world.end().await;
}

#[tokio::test]
async fn a_quiet_installation_is_known_up_to_now_and_one_that_is_not_stored_any_more_is_not() {
    let world = World::new().await;
    // A grouped SLO without any request has no series: that is no reason to be degraded.
    until("all is well", async || world.api.get("/health").await.ok()["status"] == "ok").await;
    let slos = world.api.get("/slos").await.ok();
    assert!(slos["complete"] == true && slos["slos"].to_string().contains("by-endpoint"), "{slos}");
    world.take(&events(1..5)).await;
    let as_of = async |path: &str| world.api.get(path).await.ok()["as_of"].as_str().map(str::to_owned);
    for path in ["/kpis", "/events", "/alerts", "/notifications", "/slos/all/history", "/endpoints/top"] {
        until("it is known", async || as_of(path).await.is_some()).await;
        let before = as_of(path).await;
        until("it is known up to later", async || as_of(path).await > before).await;
    }
    let one = world.api.get("/slos/all").await.ok();
    assert!(one["alerts"].is_array() && one["alerts_as_of"].is_string(), "{one}");

    // What is not decided any more is not known, though all that was decided is stored.
    world.alerter.cancel();
    let ended = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(1);
    world.take(&events(100..105)).await;
    for path in ["/slos/all/history", "/kpis"] {
        until("it is known up to later", async || {
            as_of(path).await.is_some_and(|told| told.parse::<jiff::Timestamp>().unwrap() > ended)
        })
        .await;
    }
    for path in ["/alerts", "/notifications"] {
        let told: jiff::Timestamp = as_of(path).await.unwrap().parse().unwrap();
        assert!(told < ended, "{path}: {told}");
    }

    world.sink.cancel();
    let ended = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(1);
    let failing: Vec<_> = events(10..40).into_iter().map(|e| RequestEvent { status_code: 500, ..e }).collect();
    publish(world.log.as_ref(), &failing).await;
    until("the SLOs know them", async || {
        world.api.get("/slos?name=all").await.ok()["slos"][0]["total"].as_i64() == Some(39)
    })
    .await;
    for path in ["/kpis", "/events"] {
        let told: jiff::Timestamp = as_of(path).await.unwrap().parse().unwrap();
        assert!(told < ended, "{path}: {told}");
    }
    let now = jiff::Timestamp::now();
    let then = world.api.get(&format!("/kpis?as_of={now}")).await;
    assert_eq!((then.status, then.header("retry-after")), (503, "1"), "{}", then.text());
    world.end().await;
}
