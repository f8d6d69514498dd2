//! Alertmanager's webhook, version 4, with the two keys that newer versions have (prometheus/alertmanager,
//! template/template.go and notify/dedup_stage.go).

use super::is_news;
use crate::notifier::dispatch::Delivery;
use crate::notifier::payload::{Labels, Message, Status};

/// The body.
pub(super) fn body(delivery: &Delivery) -> Vec<u8> {
    message(delivery).to_bytes()
}

/// The message, with the reason why it is sent; labels of routes we have none.
pub(super) fn message(delivery: &Delivery) -> Message {
    let reason = Some(reason(delivery).to_owned());
    Message { notification_reason: reason, route_labels: Some(Labels::new()), ..delivery.message.clone() }
}

/// Alertmanager compares with what it told last: what fired then is what is repeated now, and what is over.
fn reason(delivery: &Delivery) -> &'static str {
    let message = &delivery.message;
    let any = |status, news| message.alerts.iter().any(|a| a.status == status && is_news(delivery, a) == news);
    let before = any(Status::Firing, false) || any(Status::Resolved, true) || message.truncated_alerts > 0;
    match (delivery.parts.is_empty(), message.status) {
        (true, _) => "repeat interval elapsed",
        (_, Status::Resolved) => "all alerts resolved",
        _ if !any(Status::Firing, true) => "some alerts resolved",
        _ if before => "new alerts added",
        _ => "first notification",
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{Say, delivery, now_is, page};
    use super::*;

    #[test]
    fn it_says_why_in_alertmanagers_words() {
        let (a, b) = (page("/a"), page("/b"));
        let cases = [
            (vec![Say::Fires(a.clone())], "first notification"),
            (vec![Say::Fires(a.clone()), Say::Fires(b.clone())], "first notification"),
            (vec![Say::Still(a.clone()), Say::Fires(b.clone())], "new alerts added"),
            (vec![Say::Over(a.clone()), Say::Fires(b.clone())], "new alerts added"),
            (vec![Say::Turns(now_is(&a, "ticket"), a.clone())], "new alerts added"),
            (vec![Say::Over(a.clone()), Say::Still(b.clone())], "some alerts resolved"),
            (vec![Say::Over(a.clone()), Say::Over(b)], "all alerts resolved"),
            (vec![Say::Still(a)], "repeat interval elapsed"),
        ];
        for (all, want) in cases {
            assert_eq!(reason(&delivery(&all)), want);
        }
    }

    #[test]
    fn the_new_keys_stand_where_alertmanager_has_them() {
        let body = String::from_utf8(body(&delivery(&[Say::Fires(page("/a"))]))).unwrap();
        let at = |key: &str| body.find(key).unwrap_or_else(|| panic!("{key}: {body}"));
        assert!(body.contains(r#"],"notification_reason":"first notification","groupLabels":{"#), "{body}");
        assert!(body.contains(r#","routeLabels":{},"externalURL":"http://slo.test","version":"4""#), "{body}");
        assert!(at("commonAnnotations") < at("routeLabels"));
        assert!(body.ends_with("\"truncatedAlerts\":0}\n"));
    }
}
