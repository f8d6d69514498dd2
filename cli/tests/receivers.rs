//! docs/receivers.md does what it says: its receiver prints the alert that its example causes, and links are those that
//! were asked for.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::process::Stdio;
use std::time::Duration;

use slipstream_alerter::ReceiverConfig;
use slipstream_alerter::notifier::format;
use slipstream_runtime::config::{Config, Overrides};
use slipstream_testkit::process::Slipstream;
use slipstream_testkit::webhook;
use support::BINARY;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

const GUIDE: &str = include_str!("../../docs/receivers.md");
const README: &str = include_str!("../../README.md");
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const PATIENCE: Duration = Duration::from_secs(60);

async fn fail(process: &Slipstream) {
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let event = serde_json::json!({"time": now, "service": "payment", "endpoint": "/payments", "method": "POST",
        "status_code": 503, "weight": 100});
    let _ = rustls::crypto::ring::default_provider().install_default();
    let url = format!("{}/v1/events", process.gateway());
    let answer = reqwest::Client::new().post(url).json(&event).send().await.unwrap();
    assert!(answer.status().is_success(), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guides_receiver_prints_the_guides_alert() {
    let home = tempfile::tempdir().unwrap();
    let address = home.path().join("address");
    let mut receiver = Command::new("python3")
        .arg(format!("{ROOT}/examples/kafka/receiver.py"))
        .arg(&address)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let url = timeout(PATIENCE, async {
        loop {
            if let Ok(url) = tokio::fs::read_to_string(&address).await {
                return url;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let slos = format!("{ROOT}/examples/shop/slos.yaml");
    let mut process = Slipstream::new(BINARY).unwrap().with(["--slos", &slos, "--webhook", &url.await.unwrap()]);
    process.start().await.unwrap();
    fail(&process).await;
    let mut lines = BufReader::new(receiver.stdout.take().unwrap()).lines();
    let wanted =
        GUIDE.lines().find(|line| line.starts_with("firing\tpayment-availability")).expect("the guide's alert");
    let printed = timeout(PATIENCE, async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.starts_with("firing\tpayment-availability") {
                return line;
            }
        }
        panic!("the receiver has ended");
    });
    assert_eq!(printed.await.unwrap(), wanted);
    assert!(process.stderr().contains("alerts   have no link"), "{}", process.stderr());
    assert!(process.stop().await.unwrap().success());
}

/// The blocks of the guide that are a configuration.
fn snippets() -> Vec<&'static str> {
    GUIDE.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

#[test]
fn every_configuration_of_the_guide_can_be_worked_with() {
    let home = tempfile::tempdir().unwrap();
    let mut formats = Vec::new();
    for snippet in snippets() {
        let text = snippet.replace("/run/secrets", home.path().to_str().unwrap());
        for name in ["oncall", "slack-webhook", "pagerduty", "smtp", "automation", "ping-url"] {
            std::fs::write(home.path().join(name), "https://hooks.example.org/s3cret").unwrap();
        }
        let file = home.path().join("slipstream.yaml");
        std::fs::write(&file, text).unwrap();
        let config = Config::load(Some(&file), [], Overrides::default()).unwrap_or_else(|e| panic!("{snippet}: {e}"));
        for receiver in config.receivers {
            formats.push(receiver.format.name());
            ReceiverConfig::from(receiver).check().unwrap_or_else(|e| panic!("{snippet}: {e}"));
        }
    }
    formats.sort_unstable();
    formats.dedup();
    let mut listed: Vec<&str> = rows("| `format` |").collect();
    listed.sort_unstable();
    assert_eq!(formats, listed, "an example of each, and no other");
}

/// The first column of the guide's table that begins so.
fn rows(head: &str) -> impl Iterator<Item = &'static str> {
    let rows = GUIDE.lines().skip_while(move |line| !line.starts_with(head)).skip(2);
    let first = |row: &'static str| row.split('|').nth(1).unwrap_or_default().split('`').skip(1).step_by(2);
    rows.take_while(|line| line.starts_with('|')).flat_map(first)
}

#[test]
fn the_guide_says_what_every_setting_does_and_every_name_of_a_body() {
    const EXAMPLE: &str = include_str!("../../runtime/slipstream.yaml");
    let receivers = EXAMPLE.split("receivers: []").nth(1).unwrap().split("\nroute:").next().unwrap();
    let line = |line: &'static str| line.trim_start_matches("# - ").trim_start_matches("#   ").split(':').next();
    let settings = receivers.lines().filter(|line| line.starts_with('#')).filter_map(line).map(str::trim);
    for setting in settings.filter(|setting| !["name", "cert_file", "key_file"].contains(setting)) {
        let told = [format!("`{setting}`"), format!("{{{setting}, "), format!(", {setting}"), format!("`{setting}:")];
        assert!(told.iter().any(|word| GUIDE.contains(word.as_str())), "{setting}");
    }
    let mut names: Vec<&str> = rows("| name | what").filter(|name| !name.contains('.')).collect();
    names.sort_unstable();
    assert_eq!(names, format::NAMES);
}

#[test]
fn no_example_sends_webhooks_to_an_alertmanager() {
    for (name, text) in [("README.md", README), ("docs/receivers.md", GUIDE)] {
        let urls = text.split_whitespace().filter(|word| word.starts_with("http"));
        assert!(!urls.into_iter().any(|url| url.contains(":9093")), "{name}: it would answer 404");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_leads_where_the_configuration_says_and_else_nowhere() {
    let slos = format!("{ROOT}/examples/shop/slos.yaml");
    let settings = "external_url: http://grafana.test\nalert_url: http://grafana.test/d/slo?var-slo={slo}\n";
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("slipstream.yaml");
    tokio::fs::write(&file, settings).await.unwrap();
    let file = file.to_str().unwrap().to_owned();
    for (arguments, external, link) in [
        (vec![], "", ""),
        (
            vec!["--config", file.as_str()],
            "http://grafana.test",
            "http://grafana.test/d/slo?var-slo=payment-availability",
        ),
    ] {
        let receiver = webhook::Receiver::start().await.unwrap();
        let mut process =
            Slipstream::new(BINARY).unwrap().with(["--slos", &slos, "--webhook", receiver.url()]).with(arguments);
        process.start().await.unwrap();
        fail(&process).await;
        let of = |d: &webhook::Delivery| d.body["groupLabels"]["slo"] == "payment-availability";
        let came = receiver.until(PATIENCE, |all| all.iter().any(of)).await.unwrap();
        let body = &came.iter().find(|d| of(d)).unwrap().body;
        assert_eq!(
            (&body["externalURL"], &body["alerts"][0]["generatorURL"]),
            (&external.into(), &link.into()),
            "{body}"
        );
        assert!(process.stop().await.unwrap().success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sample_is_sent_in_the_receivers_format_and_through_the_environments_proxy() {
    let receiver = webhook::Receiver::start().await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("slipstream.yaml");
    tokio::fs::write(home.path().join("key"), "R0UT1NG-KEY").await.unwrap();
    let settings = format!(
        "receivers:\n  - {{name: pager, format: pagerduty, routing_key_file: key, url: '{0}'}}\n  \
         - {{name: repair, format: remediation, dry_run: true, body: '{{\"slo\": \"{{{{slo}}}}\"}}', url: '{0}'}}\n",
        receiver.url()
    );
    tokio::fs::write(&file, settings).await.unwrap();
    let config = file.to_str().unwrap();
    let (told, _, code) = tried(&["pager", "--config", config]).await;
    assert_eq!((told.lines().count(), code), (2, Some(0)), "{told}");
    let bodies: Vec<_> = receiver.deliveries().into_iter().map(|delivery| delivery.body).collect();
    assert_eq!((&bodies[0]["event_action"], &bodies[1]["event_action"]), (&"trigger".into(), &"resolve".into()));
    assert_eq!(bodies[0]["routing_key"], "R0UT1NG-KEY");
    let (told, _, code) = tried(&["repair", "--config", config]).await;
    assert!(told.contains(r#"dry run: would ask 127.0.0.1: {"slo": "SlipstreamTest"}"#), "{told}");
    assert_eq!((receiver.deliveries().len(), code), (2, Some(0)), "it was not asked");

    let proxy = receiver.url().rsplit_once('/').map_or(receiver.url(), |(proxy, _)| proxy);
    let output = Command::new(BINARY)
        .args(["alert", "test", "--webhook", "http://hooks.example.org/hook"])
        .env("HTTP_PROXY", proxy)
        .env("http_proxy", proxy)
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .output();
    let output = output.await.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(receiver.deliveries().len(), 4, "the proxy was asked: {said}");
}

/// With evidence, as by default.
#[tokio::test(flavor = "multi_thread")]
async fn receivers_of_every_kind_run_side_by_side_and_a_dry_run_asks_nothing() {
    let (hook, repair) = (webhook::Receiver::start().await.unwrap(), webhook::Receiver::start().await.unwrap());
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("slipstream.yaml");
    let settings = format!(
        "receivers:\n  - {{name: hook, url: '{}'}}\n  \
         - {{name: repair, format: remediation, dry_run: true, body: '{{{{slo}}}}', content_type: text/plain, url: '{}'}}\n  \
         - {{name: mail, format: email, encryption: none, url: 'smtp://127.0.0.1:9', from: a@example.org, to: [b@example.org]}}\n",
        hook.url(),
        repair.url()
    );
    tokio::fs::write(&file, settings).await.unwrap();
    let slos = format!("{ROOT}/examples/shop/slos.yaml");
    let mut process = Slipstream::new(BINARY).unwrap().with(["--slos", &slos, "--config", file.to_str().unwrap()]);
    process.start().await.unwrap();
    fail(&process).await;
    hook.until(PATIENCE, |all| !all.is_empty()).await.unwrap();
    let begun = tokio::time::Instant::now();
    let remembered = async || {
        let found = process.json(["query", "notifications", "--receiver", "repair", "--json"]).await.unwrap();
        !found["notifications"].as_array().unwrap().is_empty()
    };
    while !remembered().await {
        assert!(begun.elapsed() < PATIENCE, "{}", process.stderr());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(repair.deliveries().is_empty(), "{:?}", repair.deliveries());
    process.still_runs().unwrap();
    assert!(process.stop().await.unwrap().success());
}

/// Standard output, standard error, and the exit code.
async fn tried(arguments: &[&str]) -> (String, String, Option<i32>) {
    let output = Command::new(BINARY).args(["alert", "test"]).args(arguments).output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_can_be_tried() {
    let receiver = webhook::Receiver::start().await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("slipstream.yaml");
    let secret = home.path().join("secret");
    tokio::fs::write(&secret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").await.unwrap();
    let settings = format!(
        "external_url: http://grafana.test\nreceivers:\n  - {{name: on-call, url: '{0}', severities: {{page: P1}}, signing_secret_file: '{1}'}}\n  \
         - {{name: quiet, url: '{0}', send_resolved: false}}\n",
        receiver.url(),
        secret.display()
    );
    tokio::fs::write(&file, settings).await.unwrap();
    let config = ["--config", file.to_str().unwrap()];
    let with = |arguments: &[&'static str]| [arguments, &config[..]].concat();

    let (told, verdict, code) = tried(&with(&["on-call", "--severity", "page"])).await;
    assert_eq!((told.lines().count(), code), (2, Some(0)), "{told}{verdict}");
    assert!(told.starts_with("firing    200 in ") && told.contains("\nresolved  200 in "), "{told}");
    assert_eq!(verdict, "receiver on-call takes alerts\n");
    let came = receiver.deliveries();
    let [firing, resolved] = &came[..] else { panic!("{came:?}") };
    let alert = |delivery: &webhook::Delivery| delivery.body["alerts"][0].clone();
    assert_eq!((&alert(firing)["status"], &alert(resolved)["status"]), (&"firing".into(), &"resolved".into()));
    assert_eq!(alert(firing)["labels"]["severity"], "P1", "as the receiver calls it");
    assert_eq!(alert(firing)["labels"], alert(resolved)["labels"]);
    assert_eq!(alert(firing)["annotations"]["summary"], "Test of the receiver on-call");
    assert_eq!(firing.body["externalURL"], "http://grafana.test");
    let keys = [firing.header("idempotency-key").unwrap(), resolved.header("idempotency-key").unwrap()];
    assert!(keys[0] != keys[1] && keys[0].ends_with("/on-call"), "{keys:?}");

    assert!(firing.header("webhook-signature").unwrap().starts_with("v1,"), "{firing:?}");

    // One that wants no ends is told none, and one that refuses the beginning neither.
    assert_eq!(tried(&with(&["quiet"])).await.0.lines().count(), 1);
    receiver.fail_next([404]);
    let (told, verdict, code) = tried(&["--webhook", receiver.url()]).await;
    assert!(told.starts_with("firing    404 in ") && told.lines().count() == 1, "{told}");
    assert!(verdict.contains("did not take it") && code == Some(1), "{verdict}");
    let (json, _, code) = tried(&["--webhook", "http://127.0.0.1:9/none", "--json"]).await;
    let verdict: serde_json::Value = serde_json::from_str(&json).unwrap();
    let answer = &verdict["answers"][0];
    assert_eq!((&verdict["accepted"], &answer["status"], code), (&false.into(), &serde_json::Value::Null, Some(1)));
    assert!(!answer["said"].as_str().unwrap().is_empty(), "{json}");

    for (arguments, word) in [
        (with(&[]), "which receiver? the configuration has on-call, quiet"),
        (with(&["nobody"]), "no receiver is named `nobody`"),
        (vec![], "no receivers"),
    ] {
        let (_, told, code) = tried(&arguments).await;
        assert!(told.contains(word) && code == Some(2), "{arguments:?}: {told}");
    }
}
