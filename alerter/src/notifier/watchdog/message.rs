//! What the watchdog says: an alert that always fires, as Prometheus' rules have it.

use jiff::Timestamp;

use crate::notifier::dispatch::{Delivery, GroupKey, Reminder};
use crate::notifier::identity::SEVERITY;
use crate::notifier::payload::{Alert, Labels, Message, Status, ZERO_TIME, fingerprint, group_key};
use crate::notifier::receiver::ReceiverConfig;

/// The alert's name, by which Alertmanagers route it.
pub const NAME: &str = "Watchdog";
/// Its severity: nobody is woken by it.
const NONE: &str = "none";
const ROUTE: &str = "watchdog";
const SUMMARY: &str = "Alerting works";
const DESCRIPTION: &str = "Requests are counted, rules are evaluated and alerts are read to their end. This alert always fires; when it \
                           stays away, alerting does not work.";

/// The message of a round, which began at `round`, milliseconds. `since`: Unix seconds, the same in every round.
pub(super) fn message(receiver: &ReceiverConfig, external_url: &str, since: i64, round: i64) -> Delivery {
    let key = format!("watchdog/{round}/{}", receiver.name);
    let labels = labels(receiver);
    let alert = Alert {
        status: Status::Firing,
        annotations: of([("summary", SUMMARY), ("description", DESCRIPTION), ("idempotency_key", &key)]),
        starts_at: Timestamp::from_second(since).unwrap_or(Timestamp::UNIX_EPOCH).to_string(),
        ends_at: ZERO_TIME.to_owned(),
        generator_url: external_url.to_owned(),
        fingerprint: fingerprint(&labels),
        labels,
    };
    let group = GroupKey { route: ROUTE.to_owned(), labels: of([("alertname", NAME)]) };
    let mut message = Message::compose(&receiver.name, external_url, &group.labels, vec![alert], 0);
    message.group_key = group_key(&group.route, &group.labels);
    let reminder = Some(Reminder { of: Vec::new(), left_out: Vec::new(), key });
    Delivery { group, parts: Vec::new(), message, again: false, reminder }
}

fn labels(receiver: &ReceiverConfig) -> Labels {
    let theirs = receiver.severities.iter().find(|(ours, _)| ours.eq_ignore_ascii_case(NONE));
    of([("alertname", NAME), (SEVERITY, theirs.map_or(NONE, |(_, theirs)| theirs))])
}

fn of<const N: usize>(pairs: [(&str, &str); N]) -> Labels {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use slipstream_runtime::config::{Body, Email, Encryption, ReceiverFormat};

    use super::*;
    use crate::notifier::format::Writer;
    use crate::notifier::format::mail::Parties;

    fn written(format: ReceiverFormat, round: i64) -> String {
        let receiver = ReceiverConfig { format, ..ReceiverConfig::webhook("switch", "http://localhost") };
        let delivery = message(&receiver, "http://slo.test", 1_769_940_000, round);
        let now = "2026-02-01T10:05:00Z".parse().unwrap();
        String::from_utf8(Writer::new(&receiver).unwrap().bodies(&delivery, now).remove(0)).unwrap()
    }

    #[test]
    fn every_format_has_an_alert_that_always_fires() {
        let webhook: Message = serde_json::from_str(&written(ReceiverFormat::AlertmanagerWebhook, 7)).unwrap();
        let alert = &webhook.alerts[0];
        assert_eq!((webhook.status, webhook.alerts.len(), webhook.receiver.as_str()), (Status::Firing, 1, "switch"));
        assert_eq!((alert.labels["alertname"].as_str(), alert.labels["severity"].as_str()), ("Watchdog", "none"));
        assert_eq!((alert.starts_at.as_str(), alert.ends_at.as_str()), ("2026-02-01T10:00:00Z", ZERO_TIME));
        assert_eq!(webhook.common_labels["severity"], "none");
        let api = written(ReceiverFormat::AlertmanagerApi, 7);
        assert!(api.contains(r#""startsAt":"2026-02-01T10:00:00Z","endsAt":"2026-02-01T10:09:00Z""#), "{api}");
        let body = Body {
            template: "{{alertname}} {{severity}} {{status}} {{count}} {{headline}} {{idempotency_key}}{{slo}}"
                .to_owned(),
            content_type: "text/plain".to_owned(),
        };
        let own = written(ReceiverFormat::Webhook(body), 7);
        assert_eq!(own, "Watchdog none firing 1 [none] Alerting works watchdog/7/switch");
    }

    #[test]
    fn a_mail_says_it_in_its_subject() {
        let email = Email {
            from: "slo@example.org".to_owned(),
            to: vec!["ping@example.org".to_owned()],
            encryption: Encryption::None,
            allow_plaintext: false,
        };
        let delivery = message(&ReceiverConfig::webhook("switch", "smtp://localhost"), "", 1_769_940_000, 7);
        let (_, mail) = Parties::new(&email).unwrap().mail(&delivery, "7", Timestamp::UNIX_EPOCH).unwrap();
        let mail = String::from_utf8(mail).unwrap();
        assert!(
            mail.contains("Subject: [none] Alerting works\r\n") && mail.contains("This alert always fires"),
            "{mail}"
        );
    }

    #[test]
    fn rounds_differ_in_their_key_alone() {
        let (first, second) =
            (written(ReceiverFormat::AlertmanagerWebhook, 7), written(ReceiverFormat::AlertmanagerWebhook, 8));
        assert_eq!(first.replace("watchdog/7/", "watchdog/8/"), second);
    }
}
