//! What people say about alerts: silences, and who looks after what.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};
use slipstream_log::{Log, Outgoing};
use slipstream_schemas::records::{Acknowledgement, LabelMatcher, MatchOp, Recurrence, Said, Silence};
use slipstream_schemas::{Topic, codec};
use support::{World, events, until};

/// A record of the topic, or the end of what its key said.
async fn say(log: &dyn Log, key: &str, said: Option<&Said>) {
    let value = said.map(|said| match said {
        Said::Silence(silence) => codec::encode(silence),
        Said::Acknowledgement(acknowledgement) => codec::encode(acknowledgement),
    });
    let record = Outgoing {
        topic: Topic::Silences,
        partition: None,
        key: Some(Bytes::copy_from_slice(key.as_bytes())),
        value: value.map(Bytes::from),
        headers: Vec::new(),
    };
    log.publish(vec![record]).await.unwrap();
}

fn silence(id: &str, from: i64, to: Option<i64>, created_at: i64) -> Said {
    let matchers = vec![LabelMatcher { label: "service".into(), op: MatchOp::Re, value: "pay.*".into() }];
    let (author, reason) = ("ana".to_owned(), "deployment".to_owned());
    Said::Silence(Silence { id: id.to_owned(), matchers, from, to, recurrence: None, author, reason, created_at })
}

#[tokio::test]
async fn silences_are_told_with_where_they_stand() {
    const HOUR: i64 = 3_600_000;
    let (world, now) = (World::new().await, Timestamp::now().as_millisecond());
    assert_eq!(world.api.get("/silences").await.ok(), json!({"silences": [], "silences_total": 0}));
    for (id, from, to, created_at) in [
        ("s-past", now - 2 * HOUR, Some(now - HOUR), 1),
        ("s-now", now - HOUR, Some(now + HOUR), 2),
        ("s-open", now - HOUR, None, 3),
        ("s-later", now + HOUR, Some(now + 2 * HOUR), 4),
        ("s-gone", now, None, 5),
    ] {
        say(world.log.as_ref(), id, Some(&silence(id, from, to, created_at))).await;
    }
    say(world.log.as_ref(), "s-gone", None).await;
    let told = async |query: &str| {
        let answer = world.api.get(&format!("/silences{query}")).await.ok();
        let line = |s: &Value| format!("{} {}", s["id"].as_str().unwrap(), s["state"].as_str().unwrap());
        let lines: Vec<String> = answer["silences"].as_array().unwrap().iter().map(line).collect();
        (lines.join(", "), answer["silences_total"].as_u64().unwrap())
    };
    for (query, expected, total) in [
        ("", "s-later pending, s-open active, s-now active, s-past expired", 4),
        ("?state=active", "s-open active, s-now active", 2),
        ("?state=pending&state=expired", "s-later pending, s-past expired", 2),
        ("?limit=1", "s-later pending", 4),
    ] {
        assert_eq!(told(query).await, (expected.to_owned(), total), "{query}");
    }
    assert_eq!(world.api.get("/silences?state=over").await.status, 400);
    let one = &world.api.get("/silences?state=expired").await.ok()["silences"][0];
    assert_eq!(one["matchers"], json!([{"label": "service", "op": "=~", "value": "pay.*"}]));
    assert_eq!((&one["author"], &one["reason"]), (&json!("ana"), &json!("deployment")));
    assert_eq!((&one["next"], &one["until"]), (&Value::Null, &Value::Null));
    let Said::Silence(open) = silence("s-leap-day", now - HOUR, None, 6) else { unreachable!() };
    let leap_day = Recurrence { cron: "0 2 29 2 *".to_owned(), zone: "UTC".to_owned(), seconds: 60 };
    say(world.log.as_ref(), "s-leap-day", Some(&Said::Silence(Silence { recurrence: Some(leap_day), ..open }))).await;
    let pending = &world.api.get("/silences?state=pending").await.ok()["silences"][0];
    assert_eq!((&pending["id"], &pending["until"]), (&json!("s-leap-day"), &Value::Null), "it does not apply now");
    assert!(pending["next"].as_str().unwrap().ends_with("-02-29T02:00:00.000000Z"), "{pending}");
    world.end().await;
}

#[tokio::test]
async fn an_alert_says_who_looks_after_it() {
    let world = World::new().await;
    world.take(&events(0..4)).await;
    let alerts = async || world.api.get("/alerts?slo=all").await.ok()["alerts"].as_array().unwrap().clone();
    until("an alert is stored", async || !alerts().await.is_empty()).await;
    let alert = alerts().await.remove(0);
    assert_eq!(alert["acknowledged"], Value::Null);
    let (id, episode) = (alert["id"].as_str().unwrap(), alert["episode"].as_i64().unwrap());
    let acknowledged = |episode| {
        let (owner, reason) = ("ana".to_owned(), "rolling back".to_owned());
        Said::Acknowledgement(Acknowledgement { alert_id: id.to_owned(), episode, owner, reason, at: 1_000 })
    };
    let key = acknowledged(episode).key();
    let by = async || (alerts().await[0]["acknowledged"].clone(), world.api.get(&format!("/alerts/{id}")).await.ok());

    // Of another episode it says nothing.
    say(world.log.as_ref(), &key, Some(&acknowledged(episode - 60))).await;
    assert_eq!(by().await.0, Value::Null);
    say(world.log.as_ref(), &key, Some(&acknowledged(episode))).await;
    let expected = json!({"owner": "ana", "at": "1970-01-01T00:00:01.000000Z", "reason": "rolling back"});
    let (listed, detail) = by().await;
    assert_eq!((&listed, &detail["alert"]["acknowledged"]), (&expected, &expected));
    assert_eq!(detail["episodes"][0]["acknowledged"], expected);
    assert_eq!(world.api.get("/silences").await.ok()["silences_total"], 0, "it is no silence");
    say(world.log.as_ref(), &key, None).await;
    assert_eq!(by().await.0, Value::Null);
    world.end().await;
}
