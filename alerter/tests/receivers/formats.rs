//! What reaches a receiver of each format over HTTP.

use slipstream_runtime::config::{Body, ReceiverFormat, Secret};
use slipstream_schemas::records::TransitionKind::Firing;

use crate::desk::{Desk, answer};
use crate::support::{Running, config, happens, log, recorded};
use crate::{pagerduty, receiver, tell, tell_once};

#[tokio::test]
async fn an_alertmanager_gets_alerts_at_its_api() {
    let desk = Desk::open([]).await;
    let told = tell(&receiver(&desk.url("/am/"), ReceiverFormat::AlertmanagerApi)).await;
    assert!(told.iter().all(|told| told.accepted) && told.len() == 2, "{told:?}");
    let asked = desk.asked();
    assert!(asked.iter().all(|asked| asked.method == "POST" && asked.uri == "/am/api/v2/alerts"), "{asked:?}");
    let (fires, over) = (&asked[0].json()[0], &asked[1].json()[0]);
    assert_eq!((&fires["labels"]["alertname"], &fires["labels"]), (&"SlipstreamTest".into(), &over["labels"]));
    let end: jiff::Timestamp = fires["endsAt"].as_str().unwrap().parse().unwrap();
    let minutes = end.duration_since(jiff::Timestamp::now()).as_secs();
    assert!((180..=240).contains(&minutes), "{fires}");
    assert_eq!(over["endsAt"], "2026-02-01T10:00:01Z");
}

#[tokio::test]
async fn slack_is_asked_by_its_words() {
    let denied = r#"{"ok":false,"error":"channel_not_found"}"#;
    let desk = Desk::open([answer(200, "ok"), answer(200, denied), answer(404, "no_service")]).await;
    let slack = receiver(&desk.url("/services/T/B/x"), ReceiverFormat::Slack);
    let first = tell_once(&slack).await;
    assert_eq!((first.accepted, first.status, first.said.as_str()), (true, Some(200), "ok"));
    let second = tell_once(&slack).await;
    assert_eq!((second.accepted, second.said.as_str()), (false, denied));
    let third = tell_once(&slack).await;
    assert_eq!((third.accepted, third.status, third.said.as_str()), (false, Some(404), "no_service"));
    let body = desk.asked()[0].json();
    assert_eq!(body["text"], "[page] Test of the receiver ops");
}

#[tokio::test]
async fn pagerduty_gets_an_event_for_each_alert_and_none_twice() {
    let (log, _) = log();
    let taken = || answer(202, r#"{"status":"success"}"#);
    let desk = Desk::open([taken(), answer(429, "slow down"), taken()]).await;
    let all_in_one = slipstream_alerter::ReceiverConfig {
        group_by: Vec::new(),
        format: pagerduty(),
        signing: Some(Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")),
        ..config("ops", &desk.url("/v2/enqueue"))
    };
    happens(&log, "a", 100, 2, Firing).await;
    happens(&log, "b", 100, 2, Firing).await;
    let notifier = Running::notifier(&log, all_in_one);
    recorded(&log, "ops", 2).await;
    notifier.stop().await;
    let asked = desk.asked();
    let keys: Vec<String> = asked.iter().map(|a| a.json()["dedup_key"].as_str().unwrap().to_owned()).collect();
    assert_eq!(keys.len(), 3, "{keys:?}");
    assert!(keys[0] != keys[1] && keys[1] == keys[2], "the one that was not taken is sent again: {keys:?}");
    let ids: Vec<&str> = asked.iter().map(|a| a.header("webhook-id")).collect();
    assert!(ids[0] != ids[1] && ids[1] == ids[2] && ids[0].starts_with("msg_"), "{ids:?}");
}

#[tokio::test]
async fn an_own_body_is_what_was_asked_for() {
    let desk = Desk::open([]).await;
    let body = Body {
        template: "{{status}} {{alertname}} at {{labels.severity}}: {{annotations.summary}}".to_owned(),
        content_type: "text/plain; charset=utf-8".to_owned(),
    };
    tell(&receiver(&desk.url("/"), ReceiverFormat::Webhook(body))).await;
    let asked = desk.asked();
    assert_eq!(asked[0].header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(asked[0].body, "firing SlipstreamTest at page: Test of the receiver ops");
    assert!(asked[1].body.starts_with(b"resolved SlipstreamTest"));
}

#[tokio::test]
async fn a_body_that_cannot_be_is_refused_before_anything_is_sent() {
    let body = Body { template: "{{sumary}}".to_owned(), content_type: "text/plain".to_owned() };
    let error = receiver("http://127.0.0.1:9", ReceiverFormat::Webhook(body)).check().unwrap_err().to_string();
    assert_eq!(error, "receiver ops: body: there is no name `sumary`; did you mean `summary`?");
}
