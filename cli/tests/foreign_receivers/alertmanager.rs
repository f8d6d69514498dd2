//! An Alertmanager takes our alerts over its API: they appear, become worse, share a group, are kept alive and are over. What
//! it then sends itself is what we send.

use std::collections::BTreeSet;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use slipstream_alerter::notifier::payload::{Alert, Message, Status};
use slipstream_testkit::services::ports;
use slipstream_testkit::tools;
use slipstream_testkit::webhook::{Delivery, Receiver};

use crate::program::Program;
use crate::world::{CHECKOUT, Health, PAYMENT, World};
use crate::{PATIENCE, SEVERITIES, get, installed, until};

#[tokio::test(flavor = "multi_thread")]
async fn debians_alertmanager_shows_what_is_so_and_sends_what_we_send() {
    tells_the_story(&installed(tools::alertmanager_of_debian).await, "0.25.0").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_present_alertmanager_shows_what_is_so_and_sends_what_we_send() {
    tells_the_story(&installed(tools::alertmanager).await, "0.35.0").await;
}

async fn tells_the_story(program: &Path, version: &str) {
    let (relayed, direct) = (Receiver::start().await.unwrap(), Receiver::start().await.unwrap());
    let alertmanager = Alertmanager::start(program, relayed.url()).await;
    let status = get(&format!("{}/api/v2/status", alertmanager.url)).await;
    assert_eq!(status["versionInfo"]["version"], version);
    let receivers = format!(
        "  - {{name: api, format: alertmanager-api, url: '{}', group_by: [], severities: {SEVERITIES}}}\n  \
         - {{name: ops, url: '{}', group_by: [alertname], severities: {SEVERITIES}}}\n",
        alertmanager.url,
        direct.url()
    );
    let world = World::new(&receivers, &[]).await;
    world.payment_is(Health::Ailing);
    alertmanager.shows(&[(PAYMENT, "warning")]).await;
    world.checkout_is(Health::Ailing);
    let shown = alertmanager.shows(&[(PAYMENT, "warning"), (CHECKOUT, "warning")]).await;
    let first = shown.iter().find(|alert| alert["labels"]["slo"] == CHECKOUT).unwrap();
    let left = ends(first).duration_since(Timestamp::now());
    assert!(left > SignedDuration::from_mins(3) && left <= SignedDuration::from_mins(4), "{left:#}");
    assert_eq!(first["labels"]["instance"], "checkout-availability/answered", "{first}");
    world.payment_is(Health::Down);
    alertmanager.shows(&[(PAYMENT, "critical"), (CHECKOUT, "warning")]).await;
    alertmanager.has_one_group().await;
    // Told again after a minute, so that it does not take it for over.
    let later = async || alertmanager.end_of(CHECKOUT).await;
    until("the alert is kept alive", later, |end| *end >= Some(ends(first) + SignedDuration::from_secs(50))).await;
    world.payment_is(Health::Well);
    alertmanager.shows(&[(CHECKOUT, "warning")]).await;
    world.checkout_is(Health::Well);
    alertmanager.shows(&[]).await;
    let (relayed, direct) = (told(&relayed).await, told(&direct).await);
    same_keys(&relayed, version);
    same_keys(&direct, "0.35.0");
    same_alerts(&relayed, &direct);
    world.ends_well().await;
    println!("Alertmanager {version}: {} notifications by us, {} by it", direct.len(), relayed.len());
}

struct Alertmanager {
    url: String,
    _program: Program,
}

impl Alertmanager {
    async fn start(program: &Path, relay: &str) -> Alertmanager {
        let port = ports::free().unwrap();
        let config = format!(
            "route: {{receiver: ops, group_by: [alertname], group_wait: 1s, group_interval: 2s}}\n\
             receivers: [{{name: ops, webhook_configs: [{{url: '{relay}'}}]}}]\n"
        );
        let listen = format!("--web.listen-address=127.0.0.1:{port}");
        let arguments = [
            "--config.file=am.yml",
            "--storage.path=data",
            "--cluster.listen-address=",
            &listen,
            "--web.external-url=http://slipstream.test",
            "--web.route-prefix=/",
        ];
        let program = Program::start(program, &arguments, &[("am.yml", &config)], port).await;
        Alertmanager { url: format!("http://127.0.0.1:{port}"), _program: program }
    }

    /// The alerts that it holds for active.
    async fn alerts(&self) -> Vec<Value> {
        let mut all = get(&format!("{}/api/v2/alerts?active=true", self.url)).await;
        all.as_array_mut().map(std::mem::take).unwrap()
    }

    /// Waits until it shows these, by SLO and severity, and no others.
    async fn shows(&self, wanted: &[(&str, &str)]) -> Vec<Value> {
        let wanted: BTreeSet<(String, String)> =
            wanted.iter().map(|(slo, severity)| ((*slo).to_owned(), (*severity).to_owned())).collect();
        let label = |alert: &Value, name: &str| alert["labels"][name].as_str().unwrap().to_owned();
        let seen = |all: &Vec<Value>| all.iter().map(|a| (label(a, "slo"), label(a, "severity"))).collect();
        until(&format!("{wanted:?}"), async || self.alerts().await, |all| wanted == seen(all)).await
    }

    async fn end_of(&self, slo: &str) -> Option<Timestamp> {
        self.alerts().await.iter().find(|alert| alert["labels"]["slo"] == slo).map(ends)
    }

    /// Of both SLOs, since it groups by the alert's name.
    async fn has_one_group(&self) {
        let groups = async || get(&format!("{}/api/v2/alerts/groups?active=true", self.url)).await;
        let both = |groups: &Value| groups[0]["alerts"].as_array().is_some_and(|alerts| alerts.len() == 2);
        let groups = until("both in one group", groups, both).await;
        assert_eq!(groups.as_array().unwrap().len(), 1, "{groups:#}");
        assert_eq!(groups[0]["labels"], json!({"alertname": "SLOBurnRate"}));
    }
}

fn ends(alert: &Value) -> Timestamp {
    alert["endsAt"].as_str().unwrap().parse().unwrap()
}

/// The notifications until all is over.
async fn told(receiver: &Receiver) -> Vec<Delivery> {
    let over = |all: &[Delivery]| all.last().is_some_and(|last| last.body["status"] == "resolved");
    receiver.until(PATIENCE, over).await.unwrap()
}

fn message(delivery: &Delivery) -> Message {
    serde_json::from_str(&delivery.text).unwrap_or_else(|e| panic!("{e}: {}", delivery.text))
}

/// Each body is, byte for byte, what we would write: every key, in this order, and no other. Two keys are of newer versions.
fn same_keys(all: &[Delivery], version: &str) {
    for delivery in all {
        let message = message(delivery);
        assert_eq!(String::from_utf8(message.to_bytes()).unwrap(), delivery.text);
        let newer = (message.notification_reason.is_some(), message.route_labels.is_some());
        assert_eq!(newer, (version != "0.25.0", version != "0.25.0"), "{}", delivery.text);
    }
}

/// What the relay told of an alert we have told in the same words.
fn same_alerts(relayed: &[Delivery], direct: &[Delivery]) {
    let alerts = |all: &[Delivery]| all.iter().flat_map(|d| message(d).alerts).map(essence).collect::<Vec<_>>();
    let (by_it, by_us) = (alerts(relayed), alerts(direct));
    for alert in &by_it {
        assert!(by_us.contains(alert), "{alert:#?}\nis none of\n{by_us:#?}");
    }
    let pages = by_it.iter().filter(|alert| alert.labels["severity"] == "critical");
    let pages: BTreeSet<bool> = pages.map(|alert| alert.status == Status::Firing).collect();
    assert_eq!(pages.len(), 2, "a page that fires, and that is over: {by_it:#?}");
    let (it, us) = (message(&relayed[0]), message(&direct[0]));
    assert_eq!((it.receiver, it.group_key, it.external_url), (us.receiver, us.group_key, us.external_url));
}

/// An alert without what differs by receiver, and by when it was told.
fn essence(mut alert: Alert) -> Alert {
    let known = ["alert_id", "summary", "description", "rule"];
    alert.annotations.retain(|name, _| known.contains(&name.as_str()));
    alert
}
