//! What the watchdog says to real servers, in the format and the way of its receiver.

use std::sync::Arc;
use std::time::Duration;

use slipstream_alerter::ReceiverConfig;
use slipstream_alerter::notifier::payload::Message;
use slipstream_runtime::config::{Auth, Body, ReceiverFormat, Routing, Secret, Watchdog, Way};
use slipstream_schemas::Topic;
use slipstream_schemas::records::TransitionKind::Firing;

use crate::desk::{Asked, Desk, answer};
use crate::support::{BEGIN_MS, Running, eventually, happens, log, recorded, stands};
use crate::{SECRET, receiver};

/// What a switch of a format is asked in three rounds, while an alert fires of which nobody tells it.
async fn heard(desk: &Desk, switch: ReceiverConfig) -> Vec<Asked> {
    let (log, _) = log();
    stands(&log, "tally", Topic::RequestEvents, BEGIN_MS).await;
    stands(&log, "burn", Topic::SliTallies, BEGIN_MS).await;
    let (interval, max_delay) = (Duration::from_millis(50), Duration::from_secs(60));
    let watchdog = Watchdog { receiver: "ops".to_owned(), interval, max_delay };
    let routing = Routing { watchdog: Some(watchdog), ..Routing::default() };
    let notifier = Running::notifier(&log, switch.routed(Arc::new(routing)));
    happens(&log, "a", 100, 2, Firing).await;
    recorded(&log, "ops", 1).await;
    eventually("three rounds", async || (desk.asked().len() >= 3).then_some(())).await;
    notifier.stop().await;
    desk.asked()
}

#[tokio::test]
async fn a_relay_of_alertmanagers_webhook_hears_an_alert_that_always_fires() {
    let desk = Desk::open([]).await;
    let way = Way { auth: Some(Auth::Bearer(Secret::new(SECRET))), ..Way::default() };
    let signing = Some(Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
    let switch = receiver(&desk.url("/watchdog"), ReceiverFormat::AlertmanagerWebhook);
    let asked = heard(&desk, ReceiverConfig { way, signing, ..switch }).await;
    let messages: Vec<Message> = asked.iter().map(|asked| serde_json::from_slice(&asked.body).unwrap()).collect();
    assert!(messages.iter().all(|m| m.alerts.len() == 1 && m.alerts[0].labels["alertname"] == "Watchdog"));
    assert!(messages.iter().all(|m| m.alerts[0].starts_at == messages[0].alerts[0].starts_at));
    assert!(asked.iter().all(|asked| asked.header("authorization") == format!("Bearer {SECRET}")));
    assert!(asked.iter().all(|asked| asked.header("webhook-signature").starts_with("v1,")));
    let key = |n: usize| asked[n].header("idempotency-key").to_owned();
    assert!(key(0) != key(1) && key(1) != key(2), "each round is one of its own");
}

#[tokio::test]
async fn an_alertmanager_gets_an_end_that_moves_on() {
    let desk = Desk::open([]).await;
    let asked = heard(&desk, receiver(&desk.url("/"), ReceiverFormat::AlertmanagerApi)).await;
    assert!(asked.iter().all(|asked| asked.uri == "/api/v2/alerts"), "{asked:?}");
    let alert = &asked[0].json()[0];
    assert_eq!((&alert["labels"]["alertname"], &alert["labels"]["severity"]), (&"Watchdog".into(), &"none".into()));
    let ends: jiff::Timestamp = alert["endsAt"].as_str().unwrap().parse().unwrap();
    assert!(ends > jiff::Timestamp::now(), "{alert}");
}

#[tokio::test]
async fn a_service_that_takes_a_ping_gets_what_was_configured() {
    let desk = Desk::open([answer(503, "later")]).await;
    let body = Body { template: "{{summary}}".to_owned(), content_type: "text/plain".to_owned() };
    let asked = heard(&desk, receiver(&desk.url("/ping/0198c1de"), ReceiverFormat::Webhook(body))).await;
    assert!(asked.iter().all(|asked| asked.uri == "/ping/0198c1de" && asked.body == "Alerting works"), "{asked:?}");
    assert_eq!(asked[0].header("idempotency-key"), asked[1].header("idempotency-key"), "what failed is tried again");
}
