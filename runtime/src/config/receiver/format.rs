//! In what form a receiver is told, and the settings that one form has and the others do not.

use std::time::Duration;

use super::URL;
use crate::config::secret::{Secret, secret};
use crate::config::section::{Problems, Section, complain, expected, plain, text};
use crate::config::tree::Node;
use crate::config::units::{COUNT, POSITIVE, count, positive};

/// The form of a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReceiverFormat {
    /// Alertmanager's webhook, version 4.
    AlertmanagerWebhook,
    /// Alertmanager's API, version 2, as Prometheus uses it.
    AlertmanagerApi,
    /// Slack's incoming webhook, and what is compatible with it.
    Slack,
    /// PagerDuty's Events API, version 2.
    PagerDuty {
        /// The key of the integration.
        routing_key: Secret,
    },
    /// Mail.
    Email(Email),
    /// A webhook with a body of the user's.
    Webhook(Body),
    /// A webhook that repairs something.
    Remediation(Remediation),
}

/// A body with names in double braces; who sends it checks them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// As written.
    pub template: String,
    /// What it is.
    pub content_type: String,
}

/// Who writes to whom, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email {
    /// The sender's address.
    pub from: String,
    /// Those of the recipients.
    pub to: Vec<String>,
    /// What protects the connection.
    pub encryption: Encryption,
    /// Whether mail may leave this machine without encryption.
    pub allow_plaintext: bool,
}

/// What protects the connection to a mail server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// STARTTLS; a server that does not offer it gets no mail.
    StartTls,
    /// TLS from the first byte.
    Tls,
    /// Nothing.
    None,
}

/// What repairs something, and how often it may be asked to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remediation {
    /// What is sent.
    pub body: Body,
    /// Requests at most...
    pub count: usize,
    /// ...within any time of this length.
    pub per: Duration,
    /// Whether only to say what would be sent.
    pub dry_run: bool,
}

impl ReceiverFormat {
    /// How often what fires is sent again, although nothing has changed: the receiver takes it for over otherwise.
    /// `None` where the receiver keeps it until it is told of the end.
    ///
    /// ```
    /// use slipstream_runtime::config::ReceiverFormat;
    ///
    /// assert_eq!(ReceiverFormat::AlertmanagerWebhook.resend(), None);
    /// assert_eq!(ReceiverFormat::AlertmanagerApi.resend().map(|every| every.as_secs()), Some(60));
    /// ```
    #[must_use]
    pub fn resend(&self) -> Option<Duration> {
        match self {
            ReceiverFormat::AlertmanagerApi => Some(Duration::from_secs(60)),
            _ => None,
        }
    }

    /// How far what was sent before has a say in what is sent: of a remediation the time of its limit.
    #[must_use]
    pub fn reaches_back(&self) -> Duration {
        match self {
            ReceiverFormat::Remediation(settings) => settings.per,
            _ => Duration::ZERO,
        }
    }

    /// Its name in the configuration.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            ReceiverFormat::AlertmanagerWebhook => WEBHOOK_V4,
            ReceiverFormat::AlertmanagerApi => "alertmanager-api",
            ReceiverFormat::Slack => "slack",
            ReceiverFormat::PagerDuty { .. } => PAGERDUTY,
            ReceiverFormat::Email(_) => EMAIL,
            ReceiverFormat::Webhook(_) => WEBHOOK,
            ReceiverFormat::Remediation(_) => REMEDIATION,
        }
    }
}

const WEBHOOK_V4: &str = "alertmanager-webhook";
pub(super) const PAGERDUTY: &str = "pagerduty";
pub(super) const EMAIL: &str = "email";
const WEBHOOK: &str = "webhook";
pub(super) const REMEDIATION: &str = "remediation";
const NAMES: [&str; 7] = [WEBHOOK_V4, "alertmanager-api", "slack", PAGERDUTY, EMAIL, WEBHOOK, REMEDIATION];

/// Settings of some formats only.
const OWN: [(&str, &[&str]); 9] = [
    ("routing_key_file", &[PAGERDUTY]),
    ("from", &[EMAIL]),
    ("to", &[EMAIL]),
    ("encryption", &[EMAIL]),
    ("allow_plaintext", &[EMAIL]),
    ("body", &[WEBHOOK, REMEDIATION]),
    ("content_type", &[WEBHOOK, REMEDIATION]),
    ("rate_limit", &[REMEDIATION]),
    ("dry_run", &[REMEDIATION]),
];

/// Settings of HTTP, which mail does not have.
const OF_HTTP: [&str; 9] = [
    "headers",
    "headers_file",
    "authorization_file",
    "bearer_token_file",
    "oauth2",
    "proxy_url",
    "follow_redirects",
    "signing_secret_file",
    "url_file",
];

/// The name of the format; the default if there is none, or one that is not known.
pub(super) fn named(section: &Section<'_>) -> &'static str {
    let what = format!("one of {}", NAMES.join(", "));
    let name = section.value("format", &what, |text| NAMES.into_iter().find(|name| *name == text));
    name.unwrap_or(WEBHOOK_V4)
}

/// Complains of settings that a format does not have.
pub(super) fn foreign(section: &Section<'_>, format: &str, problems: &Problems) {
    for (key, of) in OWN {
        if let Some(node) = section.get(key).filter(|_| !of.contains(&format)) {
            let of = of.join("` and `");
            complain(problems, &node.place, format!("`receivers.{key}`: this is a setting of `format: {of}`"));
        }
    }
    for key in OF_HTTP.into_iter().filter(|_| format == EMAIL) {
        if let Some(node) = section.get(key) {
            complain(problems, &node.place, format!("`receivers.{key}`: `format: email` does not use HTTP"));
        }
    }
}

/// The format of that name with its settings; `None` if one of them is wrong.
pub(super) fn format(name: &str, section: &Section<'_>, node: &Node, problems: &Problems) -> Option<ReceiverFormat> {
    let settings = Settings { section, node, problems, format: name };
    match name {
        "alertmanager-api" => Some(ReceiverFormat::AlertmanagerApi),
        "slack" => Some(ReceiverFormat::Slack),
        PAGERDUTY => {
            let file = settings.required("routing_key_file")?;
            let routing_key = secret(file, "receivers.routing_key_file", problems)?;
            Some(ReceiverFormat::PagerDuty { routing_key })
        }
        EMAIL => settings.email().map(ReceiverFormat::Email),
        WEBHOOK => settings.body().map(ReceiverFormat::Webhook),
        REMEDIATION => settings.remediation().map(ReceiverFormat::Remediation),
        _ => Some(ReceiverFormat::AlertmanagerWebhook),
    }
}

/// The settings of one receiver.
struct Settings<'s, 'n> {
    section: &'s Section<'n>,
    node: &'n Node,
    problems: &'n Problems,
    format: &'s str,
}

impl<'n> Settings<'_, 'n> {
    fn required(&self, key: &'static str) -> Option<&'n Node> {
        let found = self.section.get(key);
        if found.is_none() {
            let message = format!("`receivers`: a receiver of `format: {}` without `{key}`", self.format);
            complain(self.problems, &self.node.place, message);
        }
        found
    }

    fn bool(&self, key: &'static str) -> bool {
        self.section.value(key, "`true` or `false`", |text| text.parse().ok()).unwrap_or(false)
    }

    fn email(&self) -> Option<Email> {
        let encryption = self.section.value("encryption", "starttls, tls or none", |text| match text {
            "starttls" => Some(Encryption::StartTls),
            "tls" => Some(Encryption::Tls),
            "none" => Some(Encryption::None),
            _ => None,
        });
        let from = self.required("from").and_then(|_| self.section.value("from", ADDRESS, plain));
        let to = self.required("to").and_then(|_| self.section.list("to")).unwrap_or_default();
        let address = |node: &Node| {
            let found = text(node).and_then(plain);
            if found.is_none() {
                expected(self.problems, node, "receivers.to", ADDRESS);
            }
            found
        };
        let to: Vec<String> = to.into_iter().filter_map(address).collect();
        let encryption = encryption.unwrap_or(Encryption::StartTls);
        let allow_plaintext = self.bool("allow_plaintext");
        (!to.is_empty()).then_some(Email { from: from?, to, encryption, allow_plaintext })
    }

    fn body(&self) -> Option<Body> {
        let template = self.required("body")?;
        let Some(template) = text(template).filter(|text| !text.trim().is_empty()) else {
            expected(self.problems, template, "receivers.body", "a text with names in double braces");
            return None;
        };
        let content_type = self.section.value("content_type", "a type like `application/json`", plain);
        let content_type = content_type.unwrap_or_else(|| "application/json".to_owned());
        Some(Body { template: template.to_owned(), content_type })
    }

    fn remediation(&self) -> Option<Remediation> {
        let dry_run = self.bool("dry_run");
        let (mut most, mut per) = (3, Duration::from_secs(3_600));
        if let Some(node) = self.section.get("rate_limit") {
            let limit = Section::of(node, "receivers.rate_limit", self.problems);
            most = limit.value("count", COUNT, count).unwrap_or(most);
            per = limit.value("per", POSITIVE, positive).unwrap_or(per);
            limit.finish();
        }
        Some(Remediation { body: self.body()?, count: most, per, dry_run })
    }
}

const ADDRESS: &str = "an address like `Slipstream <slo@example.org>`";

/// What `url` is expected to be.
pub(super) fn url_of(format: &str) -> &'static str {
    if format == EMAIL { "an address like `smtp://mail.example.org:587`" } else { URL }
}
