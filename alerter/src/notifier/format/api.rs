//! Alertmanager's API, version 2, used as Prometheus uses it (prometheus/prometheus, notifier and rules/alerting.go): what
//! fires ends a few minutes from now unless it is sent again.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::Url;
use serde::Serialize;
use slipstream_runtime::config::ReceiverFormat;

use crate::notifier::dispatch::Delivery;
use crate::notifier::gojson;
use crate::notifier::payload::{Alert, Labels, Status};

/// Alerts in one request at most.
const BATCH: usize = 256;
/// So many repetitions may be lost before the receiver takes an alert for over.
const REPETITIONS: u32 = 4;
const PATH: &str = "/api/v2/alerts";

/// An alert as the API takes it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Posted<'a> {
    labels: &'a Labels,
    annotations: &'a Labels,
    starts_at: &'a str,
    ends_at: &'a str,
    #[serde(rename = "generatorURL", skip_serializing_if = "str::is_empty")]
    generator_url: &'a str,
}

/// Where alerts are posted, below the address of an Alertmanager; its whole path does as well.
pub(super) fn target(mut url: Url) -> Url {
    let base = url.path().trim_end_matches('/');
    let path = if base.ends_with(PATH) { base.to_owned() } else { format!("{base}{PATH}") };
    url.set_path(&path);
    url
}

/// The bodies, each a list of alerts.
pub(super) fn bodies(delivery: &Delivery, now: Timestamp) -> Vec<Vec<u8>> {
    let every = ReceiverFormat::AlertmanagerApi.resend().unwrap_or(Duration::from_secs(60));
    let end = now.checked_add(every * REPETITIONS).unwrap_or(now);
    // Whole seconds, as all our times.
    let end = Timestamp::from_second(end.as_second()).unwrap_or(end).to_string();
    let list = |alerts: &[Alert]| {
        let posted: Vec<Posted<'_>> = alerts.iter().map(|alert| posted(alert, &end)).collect();
        gojson::encode(&posted).unwrap_or_else(|e| unreachable!("strings and maps of strings are always JSON: {e}"))
    };
    delivery.message.alerts.chunks(BATCH).map(list).collect()
}

fn posted<'a>(alert: &'a Alert, end: &'a str) -> Posted<'a> {
    Posted {
        labels: &alert.labels,
        annotations: &alert.annotations,
        starts_at: &alert.starts_at,
        ends_at: if alert.status == Status::Firing { end } else { &alert.ends_at },
        generator_url: &alert.generator_url,
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{Say, delivery, json, page};
    use super::*;

    #[test]
    fn alerts_go_to_the_api_of_the_address() {
        for (url, want) in [
            ("http://am:9093", "http://am:9093/api/v2/alerts"),
            ("http://am:9093/", "http://am:9093/api/v2/alerts"),
            ("https://x.test/am/?tenant=1", "https://x.test/am/api/v2/alerts?tenant=1"),
            ("http://am:9093/api/v2/alerts", "http://am:9093/api/v2/alerts"),
            ("http://am:9093/api/v2/alerts/", "http://am:9093/api/v2/alerts"),
        ] {
            assert_eq!(target(url.parse().unwrap()).as_str(), want);
        }
    }

    #[test]
    fn what_fires_ends_four_minutes_from_now_and_what_is_over_when_it_was() {
        let now = "2026-02-01T10:05:00.25Z".parse().unwrap();
        let all = [Say::Fires(page("/a")), Say::Over(page("/b"))];
        let bodies = bodies(&delivery(&all), now);
        let [body] = &bodies[..] else { panic!("{bodies:?}") };
        let text = String::from_utf8(body.clone()).unwrap();
        let begin = r#"[{"labels":{"alertname":"SLOBurnRate","endpoint":"/b","instance":"checkout/availability//b","objective":"availability","#;
        assert!(text.starts_with(begin), "{text}");
        let end = r#""startsAt":"2026-02-01T10:00:00Z","endsAt":"2026-02-01T10:09:00Z","generatorURL":"http://slo.test/id-of-a"}]"#;
        assert!(text.trim_end().ends_with(end), "{text}");
        assert_eq!(json(body)[0]["endsAt"], "2026-02-01T10:07:00Z");
    }

    #[test]
    fn a_request_has_at_most_256_alerts() {
        let all: Vec<Say> = (0..600).map(|i| Say::Fires(page(&format!("/{i}")))).collect();
        let bodies = bodies(&delivery(&all), Timestamp::UNIX_EPOCH);
        let sizes: Vec<usize> = bodies.iter().map(|body| json(body).as_array().unwrap().len()).collect();
        assert_eq!(sizes, [256, 256, 88]);
    }
}
