//! Slack's incoming webhook, as Mattermost and others take it too: a line of text, and an attachment for each alert.

use serde::Serialize;
use slipstream_definitions::definition::Severity;

use super::words::{headline, others, shown, summary};
use super::{cut, of};
use crate::notifier::dispatch::Delivery;
use crate::notifier::gojson;
use crate::notifier::payload::{Alert, Status};
use crate::notifier::receiver::ReceiverConfig;

/// Attachments that are shown: Slack asks for 20 at most.
const ATTACHMENTS: usize = 20;
/// Characters of a text; Slack folds or cuts longer ones.
const TEXT: usize = 3_000;
/// Labels that the title says already, or that say nothing to a person.
const NOT_SHOWN: [&str; 3] = ["alertname", "instance", "rule_set"];

#[derive(Serialize)]
struct Body {
    text: String,
    attachments: Vec<Attachment>,
}

#[derive(Serialize)]
struct Attachment {
    fallback: String,
    color: &'static str,
    title: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    title_link: String,
    text: String,
    fields: Vec<Field>,
}

#[derive(Serialize)]
struct Field {
    title: String,
    value: String,
    short: bool,
}

/// The body.
pub(super) fn body(delivery: &Delivery, config: &ReceiverConfig) -> Vec<u8> {
    let told = shown(delivery);
    let attachments = told.iter().take(ATTACHMENTS).map(|alert| attachment(alert, told.len() == 1, config)).collect();
    let mut text = escaped(&cut(&headline(delivery), TEXT));
    if told.len() > ATTACHMENTS {
        text.push_str(&format!(" (the first {ATTACHMENTS} are shown)"));
    }
    match others(delivery, &told) {
        0 => {}
        1 => text.push_str(" (1 other alert fires)"),
        n => text.push_str(&format!(" ({n} other alerts fire)")),
    }
    let body = gojson::encode(&Body { text, attachments });
    body.unwrap_or_else(|e| unreachable!("strings are always JSON: {e}"))
}

/// Slack's API answers 200 to what it refuses: `{"ok":false,"error":"..."}`.
pub(super) fn denied(said: &str) -> Option<&str> {
    let answer: serde_json::Value = serde_json::from_str(said).ok()?;
    (answer.get("ok") == Some(&serde_json::Value::Bool(false))).then_some(said)
}

fn attachment(alert: &Alert, alone: bool, config: &ReceiverConfig) -> Attachment {
    let description = match alert.annotations.get("evidence") {
        Some(evidence) => format!("{}\n{evidence}", of(&alert.annotations, "description")),
        None => of(&alert.annotations, "description").to_owned(),
    };
    // Alone, its summary is the message's text.
    let text = if alone { description } else { format!("{}\n{description}", summary(alert)) };
    let label = |(name, value): (&String, &String)| field(name, value);
    let mut fields: Vec<Field> =
        alert.labels.iter().filter(|(name, _)| !NOT_SHOWN.contains(&name.as_str())).map(label).collect();
    let runbook = ["runbook_url", "runbook"].into_iter().map(|name| of(&alert.annotations, name));
    fields.extend(
        runbook.filter(|url| !url.is_empty()).take(1).map(|url| Field { short: false, ..field("runbook", url) }),
    );
    Attachment {
        fallback: escaped(&summary(alert)),
        color: color(alert, config),
        title: escaped(&format!("{} {}", of(&alert.labels, "alertname"), of(&alert.labels, "instance"))),
        title_link: alert.generator_url.clone(),
        text: escaped(&cut(&text, TEXT)),
        fields,
    }
}

fn field(name: &str, value: &str) -> Field {
    Field { title: escaped(name), value: escaped(&cut(value, TEXT)), short: true }
}

fn color(alert: &Alert, config: &ReceiverConfig) -> &'static str {
    match (alert.status, config.rank(of(&alert.labels, "severity"))) {
        (Status::Resolved, _) => "#2eb67d",
        (Status::Firing, rank) if rank >= Severity::named("page").rank => "#d40e0d",
        (Status::Firing, rank) if rank > Severity::named("info").rank => "#e8912d",
        (Status::Firing, _) => "#439fe0",
    }
}

/// The three characters that are markup.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use slipstream_schemas::records::Label;

    use super::super::samples::{Say, delivery, json, now_is, page};
    use super::*;

    fn written(all: &[Say]) -> serde_json::Value {
        json(&body(&delivery(all), &ReceiverConfig::webhook("ops", "http://localhost")))
    }

    #[test]
    fn an_alert_is_a_line_and_an_attachment() {
        let mut t = page("/a");
        t.annotations = [("summary", "<Pay> & go"), ("description", "Two\nlines."), ("runbook_url", "http://wiki/pay")]
            .map(|(name, value)| Label { name: name.to_owned(), value: value.to_owned() })
            .into();
        let want = serde_json::json!({
            "text": "[page] &lt;Pay&gt; &amp; go",
            "attachments": [{
                "fallback": "&lt;Pay&gt; &amp; go",
                "color": "#d40e0d",
                "title": "SLOBurnRate checkout/availability//a",
                "title_link": "http://slo.test/id-of-a",
                "text": "Two\nlines.",
                "fields": [
                    {"title": "endpoint", "value": "/a", "short": true},
                    {"title": "objective", "value": "availability", "short": true},
                    {"title": "service", "value": "payments", "short": true},
                    {"title": "severity", "value": "page", "short": true},
                    {"title": "slo", "value": "checkout", "short": true},
                    {"title": "runbook", "value": "http://wiki/pay", "short": false},
                ],
            }],
        });
        assert_eq!(written(&[Say::Fires(t)]), want);
    }

    #[test]
    fn colours_say_how_bad_it_is() {
        let t = page("/a");
        let colors: Vec<_> = [
            Say::Fires(t.clone()),
            Say::Turns(t.clone(), now_is(&t, "ticket")),
            Say::Turns(t.clone(), now_is(&t, "info")),
            Say::Over(t),
        ]
        .map(|say| written(&[say])["attachments"][0]["color"].as_str().unwrap().to_owned())
        .into();
        assert_eq!(colors, ["#d40e0d", "#e8912d", "#439fe0", "#2eb67d"]);
    }

    #[test]
    fn of_many_the_first_are_shown_and_the_others_counted() {
        let many: Vec<Say> = (0..23).map(|i| Say::Fires(page(&format!("/{i}")))).collect();
        let body = written(&many);
        assert_eq!(body["attachments"].as_array().unwrap().len(), 20);
        assert_eq!(body["text"], "[page] checkout: 23 alerts firing (the first 20 are shown)");
        assert!(body["attachments"][0]["text"].as_str().unwrap().starts_with("checkout (endpoint=/0) is spending"));
        let body = written(&[Say::Over(page("/a")), Say::Still(page("/b")), Say::Still(page("/c"))]);
        assert!(body["text"].as_str().unwrap().ends_with("too fast (2 other alerts fire)"), "{body}");
    }

    #[test]
    fn an_answer_may_deny_what_its_status_says() {
        for (said, is) in [
            ("ok", false),
            ("", false),
            (r#"{"ok":true}"#, false),
            (r#"{"ok":false,"error":"channel_not_found"}"#, true),
        ] {
            assert_eq!(denied(said).is_some(), is, "{said}");
        }
    }
}
