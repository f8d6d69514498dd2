//! Silences, routes and acknowledgements on a running installation: what is not told, and that it is told afterwards.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use slipstream_testkit::process::Slipstream;
use slipstream_testkit::webhook::{Delivery, Receiver};
use support::BINARY;
use tokio::process::Command;

const PATIENCE: Duration = Duration::from_secs(60);

async fn fail(process: &Slipstream, service: &str, endpoint: &str) {
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let event = json!({"time": now, "service": service, "endpoint": endpoint, "method": "POST", "status_code": 503,
        "weight": 100});
    let _ = rustls::crypto::ring::default_provider().install_default();
    let url = format!("{}/v1/events", process.gateway());
    let answer = reqwest::Client::new().post(url).json(&event).send().await.unwrap();
    assert!(answer.status().is_success(), "{answer:?}");
}

/// Standard output, standard error, and whether it succeeded.
async fn run(arguments: &[&str]) -> (String, String, bool) {
    let output = Command::new(BINARY).args(arguments).output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.success())
}

async fn asked(arguments: &[&str]) -> Value {
    let (out, err, done) = run(arguments).await;
    assert!(done, "{arguments:?}: {out}{err}");
    serde_json::from_str(&out).unwrap_or_else(|e| panic!("{arguments:?}: {e}: {out}"))
}

fn of(slo: &'static str) -> impl Fn(&Delivery) -> bool {
    move |delivery| {
        let alerts = delivery.body["alerts"].as_array().unwrap();
        alerts.iter().any(|alert| alert["labels"]["slo"] == slo && alert["status"] == "firing")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silence_holds_back_until_it_is_expired_and_history_has_it_all() {
    let (chat, pager) = (Receiver::start().await.unwrap(), Receiver::start().await.unwrap());
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("slipstream.yaml");
    let settings = format!(
        "receivers:\n  - {{name: chat, url: '{}'}}\n  - {{name: pager, url: '{}'}}\n\
         route:\n  receiver: chat\n  routes:\n    - {{matchers: ['slo=checkout-availability'], receiver: pager}}\n",
        chat.url(),
        pager.url()
    );
    tokio::fs::write(&file, settings).await.unwrap();
    let slos = home.path().join("slos.yaml");
    tokio::fs::write(&slos, SLOS).await.unwrap();
    let (slos, config) = (slos.to_str().unwrap(), file.to_str().unwrap());
    let mut process = Slipstream::new(BINARY).unwrap().with(["--slos", slos, "--config", config]);
    process.start().await.unwrap();
    let data = process.data().to_str().unwrap().to_owned();
    let at = ["--data", data.as_str()];
    let with = |arguments: &[&'static str]| [arguments, &at[..]].concat();

    let add = ["silence", "add", "-m", "service=payment", "--reason", "moving", "--author", "ada", "--json"];
    let silence = asked(&with(&add)).await;
    assert_eq!(silence["matchers"], json!(["service=\"payment\""]));
    let id = silence["id"].as_str().unwrap().to_owned();
    fail(&process, "payment", "/pay").await;
    fail(&process, "checkout", "/buy").await;
    pager.until(PATIENCE, |all| all.iter().any(of("checkout-availability"))).await.unwrap();
    let query = with(&["query", "notifications", "--outcome", "held_back", "--json"]);
    let held = until(&query, |found| !found["notifications"].as_array().unwrap().is_empty()).await;
    let note = &held["notifications"][0];
    assert_eq!((&note["receiver"], &note["outcome"]), (&"chat".into(), &"held_back".into()), "{note}");
    assert!(!chat.deliveries().iter().any(of("payment-availability")), "{:?}", chat.deliveries());
    assert!(!chat.deliveries().iter().any(of("checkout-availability")), "it went to the pager alone");
    let listed = asked(&with(&["silence", "list", "--json"])).await;
    assert_eq!((&listed["silences"][0]["id"], &listed["silences"][0]["state"]), (&json!(id), &"active".into()));
    let gateway = process.gateway();
    assert_eq!(asked(&["silence", "list", "--gateway", &gateway, "--json"]).await, listed, "whichever way");

    let alert = note["alert_id"].as_str().unwrap().to_owned();
    let acked = asked(&[&["alert", "ack", &alert, "--owner", "ada", "--json"], &at[..]].concat()).await;
    assert_eq!((&acked["alert_id"], &acked["owner"]), (&json!(alert), &"ada".into()));
    let (_, err, done) = run(&[&["alert", "ack", &format!("{alert}/1"), "--withdraw"], &at[..]].concat()).await;
    assert!(!done && err.contains("nobody looks after this alert, or this episode of it"), "{err}");
    let episode = format!("{alert}/{}", acked["episode"]);
    let withdrawn = asked(&["alert", "ack", &episode, "--withdraw", "--gateway", &gateway, "--json"]).await;
    assert_eq!(withdrawn["episode"], acked["episode"]);
    let (out, err, done) = run(&[&["silence", "expire", id.as_str()], &at[..]].concat()).await;
    assert!(done && out.starts_with("expired: {service=\"payment\"}"), "{out}{err}");
    chat.until(PATIENCE, |all| all.iter().any(of("payment-availability"))).await.unwrap();

    let checked = asked(&with(&["silence", "check", "-m", "service=payment", "--json"])).await;
    assert_eq!((&checked["hidden_alerts"], &checked["never_told"]), (&1.into(), &0.into()), "{checked}");
    assert_eq!(checked["hidden"][0]["told_at"], checked["to"], "it still fires when the range, and the silence, ends");
    assert_eq!(checked["hidden"][0]["slo"], "payment-availability");
    let text = run(&with(&["silence", "check", "-m", "service=nobody"])).await.0;
    assert!(text.contains("would have hidden 0"), "{text}");

    for (arguments, said) in [
        (with(&["silence", "add", "-m", "service"]), "is not a matcher"),
        (with(&["silence", "add", "-m", "team="]), "also match an alert without labels"),
        (with(&["silence", "add", "-m", "a=b", "--every", "x", "--for", "1h"]), "not a time of cron"),
        (with(&["silence", "expire", "nothing"]), "no silence with this id"),
        (with(&["alert", "ack", "00000000000000aa"]), "00000000000000aa"),
    ] {
        let (out, err, done) = run(&arguments).await;
        assert!(!done && err.contains(said), "{arguments:?}: {out}{err}");
    }
    assert!(process.stop().await.unwrap().success());
}

async fn until(arguments: &[&str], enough: impl Fn(&Value) -> bool) -> Value {
    let begun = tokio::time::Instant::now();
    loop {
        let found = asked(arguments).await;
        if enough(&found) {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "{arguments:?}: {found}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

const SLOS: &str = r#"
apiVersion: openslo/v1
kind: SLO
metadata: {name: payment-availability}
spec:
  service: payment
  indicator:
    metadata: {name: payment}
    spec:
      ratioMetric:
        counter: true
        good: {metricSource: {type: slipstream, spec: {filter: "service == 'payment' && status_code < 500"}}}
        total: {metricSource: {type: slipstream, spec: {filter: "service == 'payment'"}}}
  timeWindow: [{duration: 28d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{target: 0.99}]
---
apiVersion: openslo/v1
kind: SLO
metadata: {name: checkout-availability}
spec:
  service: checkout
  indicator:
    metadata: {name: checkout}
    spec:
      ratioMetric:
        counter: true
        good: {metricSource: {type: slipstream, spec: {filter: "service == 'checkout' && status_code < 500"}}}
        total: {metricSource: {type: slipstream, spec: {filter: "service == 'checkout'"}}}
  timeWindow: [{duration: 28d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{target: 0.99}]
"#;
