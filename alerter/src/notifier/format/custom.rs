//! A body of the user's: text with names in double braces, as the annotations of Rules have them. Which names there are is
//! known before anything is sent, and so is whether what comes out is JSON.

use std::fmt::Write as _;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use slipstream_definitions::template::{Part, parts};
use slipstream_runtime::config::nearest;

use super::words::headline;
use super::{of, webhook_v4};
use crate::notifier::dispatch::Delivery;
use crate::notifier::payload::{Alert, Labels, Message, Status};

/// The names, besides `labels.NAME` and `annotations.NAME`.
pub const NAMES: [&str; 21] = [
    "alert_id",
    "alertname",
    "alerts_json",
    "count",
    "description",
    "external_url",
    "firing",
    "group_key",
    "headline",
    "idempotency_key",
    "link",
    "message_json",
    "objective",
    "receiver",
    "resolved",
    "service",
    "severity",
    "slo",
    "starts_at",
    "status",
    "summary",
];
const LABELS: &str = "labels.";
const ANNOTATIONS: &str = "annotations.";
/// These are JSON by themselves, and stand without quotes.
const WHOLE: [&str; 2] = ["alerts_json", "message_json"];

/// How values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escape {
    Json,
    Form,
    Text,
}

/// A body with names in it, all of which are known.
#[derive(Debug, Clone)]
pub struct Template {
    text: String,
    escape: Escape,
}

impl Template {
    /// Reads a template of a type such as `application/json`.
    ///
    /// # Errors
    /// A name that is not known, braces that are not closed, or what is not JSON but should be.
    pub fn new(text: &str, content_type: &str) -> Result<Template, String> {
        let template = Template { text: text.to_owned(), escape: escape(content_type) };
        for part in parts(text) {
            match part {
                Part::Text(_) => {}
                Part::Name(name) if is_known(name) => {}
                Part::Name(name) => return Err(unknown(name)),
                Part::Broken(rest) => return Err(broken(rest)),
            }
        }
        if template.escape == Escape::Json {
            let sample = template.filled(|name| sample(name).to_owned());
            let wrong = |e| format!("body: not JSON once its names are filled in: {e}; text belongs in quotes");
            serde_json::from_str::<serde_json::Value>(&sample).map_err(wrong)?;
        }
        Ok(template)
    }

    /// The body for a delivery.
    pub fn fill(&self, delivery: &Delivery) -> String {
        let told = Told::of(delivery);
        self.filled(|name| told.value(name))
    }

    fn filled(&self, value: impl Fn(&str) -> String) -> String {
        let mut out = String::with_capacity(self.text.len());
        for part in parts(&self.text) {
            match part {
                Part::Text(text) | Part::Broken(text) => out.push_str(text),
                Part::Name(name) if WHOLE.contains(&name) && self.escape == Escape::Json => out.push_str(&value(name)),
                Part::Name(name) => self.escape.write(&mut out, &value(name)),
            }
        }
        out
    }
}

impl Escape {
    fn write(self, out: &mut String, value: &str) {
        // Writing to a String does not fail.
        let _ = match self {
            Escape::Text => write!(out, "{value}"),
            Escape::Form => write!(out, "{}", utf8_percent_encode(value, NON_ALPHANUMERIC)),
            Escape::Json => {
                let quoted = serde_json::Value::from(value).to_string();
                write!(out, "{}", &quoted[1..quoted.len() - 1])
            }
        };
    }
}

fn escape(content_type: &str) -> Escape {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        "application/x-www-form-urlencoded" => Escape::Form,
        json if json == "application/json" || json.ends_with("+json") => Escape::Json,
        _ => Escape::Text,
    }
}

/// What a name may be filled in with: text that is JSON only within quotes, and JSON that is none within them.
fn sample(name: &str) -> &'static str {
    match name {
        "count" | "firing" | "resolved" => "1",
        whole if WHOLE.contains(&whole) => r#"["a"]"#,
        _ => "a",
    }
}

fn is_known(name: &str) -> bool {
    let of_map = [LABELS, ANNOTATIONS].into_iter().any(|map| name.strip_prefix(map).is_some_and(|n| !n.is_empty()));
    NAMES.contains(&name) || of_map
}

fn unknown(name: &str) -> String {
    let help = match nearest(name, NAMES) {
        Some(known) => format!("did you mean `{known}`?"),
        None => format!("the names are {}, {LABELS}NAME and {ANNOTATIONS}NAME", NAMES.join(", ")),
    };
    format!("body: there is no name `{name}`; {help}")
}

fn broken(rest: &str) -> String {
    let begin: String = rest.chars().take(20).collect();
    format!("body: `{begin}`: a name stands in double braces: {{{{summary}}}}")
}

/// What a delivery has to tell.
struct Told<'a> {
    delivery: &'a Delivery,
    message: &'a Message,
}

impl<'a> Told<'a> {
    fn of(delivery: &'a Delivery) -> Told<'a> {
        Told { delivery, message: &delivery.message }
    }

    fn value(&self, name: &str) -> String {
        if let Some(label) = name.strip_prefix(LABELS) {
            return self.label(label);
        }
        if let Some(annotation) = name.strip_prefix(ANNOTATIONS) {
            return self.annotation(annotation);
        }
        let count = |status| self.message.alerts.iter().filter(|a| a.status == status).count();
        match name {
            "alertname" | "objective" | "service" | "severity" | "slo" => self.label(name),
            "alert_id" | "description" | "idempotency_key" | "summary" => self.annotation(name),
            "status" => status(self.message.status).to_owned(),
            "receiver" => self.message.receiver.clone(),
            "external_url" => self.message.external_url.clone(),
            "group_key" => self.message.group_key.clone(),
            "headline" => headline(self.delivery),
            "count" => self.message.alerts.len().to_string(),
            "firing" => count(Status::Firing).to_string(),
            "resolved" => count(Status::Resolved).to_string(),
            "link" => self.each(|alert| &alert.generator_url),
            "starts_at" => self.each(|alert| &alert.starts_at),
            "alerts_json" => json(&self.message.alerts),
            "message_json" => json(&webhook_v4::message(self.delivery)),
            _ => String::new(),
        }
    }

    fn label(&self, name: &str) -> String {
        self.shared(&self.message.common_labels, name, |alert| of(&alert.labels, name))
    }

    fn annotation(&self, name: &str) -> String {
        self.shared(&self.message.common_annotations, name, |alert| of(&alert.annotations, name))
    }

    fn shared(&self, common: &Labels, name: &str, value: impl Fn(&Alert) -> &str) -> String {
        common.get(name).cloned().unwrap_or_else(|| self.each(value))
    }

    /// What the alerts have, each value once; what fires comes first.
    fn each(&self, value: impl Fn(&Alert) -> &str) -> String {
        let mut values: Vec<&str> = Vec::new();
        for alert in self.message.alerts.iter().rev() {
            let value = value(alert);
            if !value.is_empty() && !values.contains(&value) {
                values.push(value);
            }
        }
        values.join(", ")
    }
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Firing => "firing",
        Status::Resolved => "resolved",
    }
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|e| unreachable!("strings and maps of strings are always JSON: {e}"))
}

#[cfg(test)]
mod tests {
    use slipstream_schemas::records::Label;

    use super::super::samples::{Say, delivery, page};
    use super::*;

    const JSON: &str = "application/json";

    fn filled(text: &str, content_type: &str, all: &[Say]) -> String {
        Template::new(text, content_type).unwrap().fill(&delivery(all))
    }

    #[test]
    fn names_are_filled_in_and_escaped_as_the_type_asks() {
        let mut t = page("/a");
        t.annotations = vec![Label { name: "summary".to_owned(), value: "say \"50 %\"\nnow".to_owned() }];
        let body = r#"{"s": "{{ summary }}", "n": {{count}}, "e": "{{labels.endpoint}}", "no": "{{labels.none}}"}"#;
        let want = r#"{"s": "say \"50 %\"\nnow", "n": 1, "e": "/a", "no": ""}"#;
        assert_eq!(filled(body, JSON, &[Say::Fires(t.clone())]), want);
        assert_eq!(filled(body, "application/vnd.x+json; charset=utf-8", &[Say::Fires(t.clone())]), want);
        let form = filled(
            "text={{annotations.summary}}&s={{$status}}",
            "application/x-www-form-urlencoded",
            &[Say::Fires(t.clone())],
        );
        assert_eq!(form, "text=say%20%2250%20%25%22%0Anow&s=firing");
        assert_eq!(filled("{{summary}}", "text/plain", &[Say::Fires(t)]), "say \"50 %\"\nnow");
    }

    #[test]
    fn every_name_says_something() {
        let all = [Say::Fires(page("/a")), Say::Over(page("/b"))];
        let value = |name: &str| filled(&format!("{{{{{name}}}}}"), "text/plain", &all);
        for (name, want) in [
            ("alert_id", "id-of-a, id-of-b"),
            ("alertname", "SLOBurnRate"),
            ("count", "2"),
            ("external_url", "http://slo.test"),
            ("firing", "1"),
            ("group_key", "{}:{alertname=\"SLOBurnRate\", slo=\"checkout\"}"),
            ("headline", "[page] checkout: 1 firing, 1 resolved"),
            ("idempotency_key", "id-of-a/1769940000/2/ops, id-of-b/1769940000/3/ops"),
            ("link", "http://slo.test/id-of-a, http://slo.test/id-of-b"),
            ("objective", "availability"),
            ("receiver", "ops"),
            ("resolved", "1"),
            ("service", "payments"),
            ("severity", "page"),
            ("slo", "checkout"),
            ("starts_at", "2026-02-01T10:00:00Z"),
            ("status", "firing"),
            ("labels.endpoint", "/a, /b"),
        ] {
            assert_eq!(value(name), want, "{name}");
        }
        assert!(NAMES.is_sorted() && NAMES.iter().all(|name| !value(name).is_empty()));
        let whole = filled(r#"{"all": {{alerts_json}}, "message": {{ message_json }}}"#, JSON, &all);
        let whole: serde_json::Value = serde_json::from_str(&whole).unwrap();
        assert_eq!(whole["all"][1]["labels"]["endpoint"], "/a");
        assert_eq!(whole["message"]["notification_reason"], "new alerts added");
    }

    #[test]
    fn mistakes_are_found_before_anything_is_sent() {
        for (text, kind, told) in [
            ("{{sumary}}", "text/plain", "body: there is no name `sumary`; did you mean `summary`?"),
            ("{{labels.}}", "text/plain", "body: there is no name `labels.`; the names are alert_id, "),
            ("{{summary", "text/plain", "body: `{{summary`: a name stands in double braces: {{summary}}"),
            ("{\"a\": {{}}}", JSON, "a name stands in double braces"),
            ("{\"a\": \"{{summary}}\"", JSON, "body: not JSON once its names are filled in"),
            ("{\"a\": {{summary}}}", JSON, "text belongs in quotes"),
            ("{\"a\": \"{{alerts_json}}\"}", JSON, "body: not JSON"),
        ] {
            let error = Template::new(text, kind).unwrap_err();
            assert!(error.contains(told), "{text}: {error}");
        }
    }
}
