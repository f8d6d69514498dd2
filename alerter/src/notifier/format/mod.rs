//! In what form a delivery is written: one file for each format. Pure: a delivery and the time in, bodies out. Whoever sends
//! them knows what an answer means; only what a receiver says with 2xx and does not mean is known here.

mod api;
mod custom;
mod pagerduty;
mod slack;
mod webhook_v4;
mod words;

pub mod mail;

#[cfg(test)]
pub(crate) mod samples;

use jiff::Timestamp;
use reqwest::Url;
use slipstream_runtime::config::{ReceiverFormat, Remediation};

pub use custom::{NAMES, Template};

use crate::notifier::dispatch::Delivery;
use crate::notifier::payload::Alert;
use crate::notifier::receiver::ReceiverConfig;

const JSON: &str = "application/json";

/// Writes deliveries for one receiver over HTTP.
#[derive(Debug)]
pub struct Writer {
    config: ReceiverConfig,
    form: Form,
}

#[derive(Debug)]
enum Form {
    WebhookV4,
    Api,
    Slack,
    PagerDuty,
    Custom { template: Template, content_type: String },
}

impl Writer {
    /// For a receiver that is told over HTTP.
    ///
    /// # Errors
    /// What is wrong with the settings of its format.
    pub fn new(config: &ReceiverConfig) -> Result<Writer, String> {
        let form = match &config.format {
            ReceiverFormat::AlertmanagerWebhook => Form::WebhookV4,
            ReceiverFormat::AlertmanagerApi => Form::Api,
            ReceiverFormat::Slack => Form::Slack,
            ReceiverFormat::PagerDuty { .. } => Form::PagerDuty,
            ReceiverFormat::Webhook(body) | ReceiverFormat::Remediation(Remediation { body, .. }) => Form::Custom {
                template: Template::new(&body.template, &body.content_type)?,
                content_type: body.content_type.clone(),
            },
            ReceiverFormat::Email(_) => return Err("format: mail is not sent over HTTP".to_owned()),
        };
        Ok(Writer { config: config.clone(), form })
    }

    /// Where requests go, of the address that is configured.
    pub fn target(&self, url: Url) -> Url {
        if matches!(self.form, Form::Api) { api::target(url) } else { url }
    }

    /// What the bodies are.
    pub fn content_type(&self) -> &str {
        if let Form::Custom { content_type, .. } = &self.form { content_type } else { JSON }
    }

    /// The bodies of a delivery, one for each request, at least one; the delivery is made when all of them are taken.
    pub fn bodies(&self, delivery: &Delivery, now: Timestamp) -> Vec<Vec<u8>> {
        match &self.form {
            Form::WebhookV4 => vec![webhook_v4::body(delivery)],
            Form::Api => api::bodies(delivery, now),
            Form::Slack => vec![slack::body(delivery, &self.config)],
            Form::PagerDuty => pagerduty::bodies(delivery, &self.config),
            Form::Custom { template, .. } => vec![template.fill(delivery).into_bytes()],
        }
    }

    /// Why an answer 2xx is none: what the receiver says instead.
    pub fn denied<'a>(&self, said: &'a str) -> Option<&'a str> {
        match self.form {
            Form::Slack => slack::denied(said),
            _ => None,
        }
    }
}

/// The alerts that are the reason for a delivery, the others being repeated. A reminder has no reason: then all of them.
fn news(delivery: &Delivery) -> impl Iterator<Item = &Alert> {
    delivery.message.alerts.iter().filter(|alert| is_news(delivery, alert))
}

fn is_news(delivery: &Delivery, alert: &Alert) -> bool {
    let key = alert.annotations.get("idempotency_key");
    delivery.parts.is_empty() || delivery.parts.iter().any(|part| Some(&part.key) == key)
}

/// A text of at most so many characters; one that is cut ends with `…`.
fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// A label, or an annotation; empty if there is none.
fn of<'a>(map: &'a crate::notifier::payload::Labels, name: &str) -> &'a str {
    map.get(name).map_or("", String::as_str)
}
