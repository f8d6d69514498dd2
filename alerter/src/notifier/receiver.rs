//! What the notifier needs to know of a receiver.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use slipstream_definitions::definition::Severity;
use slipstream_role::names::notifier_of;
use slipstream_runtime::config::{Receiver, ReceiverFormat, Routing, Secret, Way};

use crate::error::AlerterError;
use crate::notifier::signature::Signer;
use crate::notifier::transport;

/// A receiver: where it is, in what form it is told, and when.
#[derive(Clone)]
pub struct ReceiverConfig {
    /// Unique name: part of the consumer group and of idempotency keys. Letters, digits, `-`, `_`, `.`; 1 to 64.
    pub name: String,
    /// Where to POST, `http` or `https`; of mail the server, `smtp`. May hold a token: it is never logged.
    pub url: Secret,
    /// In what form it is told.
    pub format: ReceiverFormat,
    /// Whether to send the end of an alert.
    pub send_resolved: bool,
    /// Labels by which alerts are put into one notification; empty: all together. Not `severity`, which changes while
    /// an alert fires.
    pub group_by: Vec<String>,
    /// After a notification of a group, how long its further changes wait.
    pub group_interval: Duration,
    /// How long one attempt may take, answer included.
    pub timeout: Duration,
    /// Alerts in one notification at most; 0: no limit. News is never cut: what exceeds the limit comes in a further
    /// notification; only repetitions of what the receiver already has are omitted.
    pub max_alerts: usize,
    /// Further request headers.
    pub headers: Vec<(String, Secret)>,
    /// What the receiver calls our severities, in any case; those that are not in it keep their names.
    pub severities: BTreeMap<String, String>,
    /// With what notifications are signed: secrets in base64, one a line.
    pub signing: Option<Secret>,
    /// Which alerts are its, and when it is not told.
    pub routing: Arc<Routing>,
    /// How it is reached.
    pub way: Way,
}

impl ReceiverConfig {
    /// A receiver with our defaults: groups by alertname and slo, 5 s between notifications of a group (Alertmanager's
    /// default of 5 min would hold a resolved back that long), 10 s for an attempt.
    pub fn webhook(name: impl Into<String>, url: impl Into<String>) -> Self {
        ReceiverConfig {
            name: name.into(),
            url: Secret::new(url),
            format: ReceiverFormat::AlertmanagerWebhook,
            send_resolved: true,
            group_by: vec!["alertname".to_owned(), "slo".to_owned()],
            group_interval: Duration::from_secs(5),
            timeout: Duration::from_secs(10),
            max_alerts: 0,
            headers: Vec::new(),
            severities: BTreeMap::new(),
            signing: None,
            routing: Arc::default(),
            way: Way::default(),
        }
    }

    /// With the routes of a configuration.
    #[must_use]
    pub fn routed(self, routing: Arc<Routing>) -> Self {
        ReceiverConfig { routing, ..self }
    }

    /// How bad a severity is, by the name that the receiver has for it.
    pub fn rank(&self, name: &str) -> u8 {
        let ours = self.severities.iter().filter(|(_, theirs)| *theirs == name).map(|(ours, _)| ours.as_str());
        ours.map(|ours| Severity::named(ours).rank).max().unwrap_or_else(|| Severity::named(name).rank)
    }

    /// Its consumer group on `alerts`.
    pub fn group(&self) -> String {
        notifier_of(&self.name)
    }

    /// Whether it can be worked with.
    ///
    /// # Errors
    /// The first thing that is wrong, and what to write instead.
    pub fn check(&self) -> Result<(), AlerterError> {
        let refuse = |problem: String| Err(AlerterError::Receiver { receiver: self.name.clone(), problem });
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if self.name.is_empty() || self.name.len() > 64 || !self.name.chars().all(plain) {
            return refuse("its name must be 1 to 64 letters, digits, `-`, `_` or `.`".to_owned());
        }
        if self.group_by.iter().any(|l| l == "severity") {
            return refuse("group_by: leave `severity` out, it changes while an alert fires".to_owned());
        }
        let names: BTreeSet<String> = self.severities.keys().map(|name| name.to_ascii_lowercase()).collect();
        if names.len() < self.severities.len() {
            return refuse("severities: two names differ in case only; leave one out".to_owned());
        }
        if self.timeout.is_zero() {
            return refuse("timeout: expected a duration above 0".to_owned());
        }
        if let Err(problem) = Signer::new(self.signing.as_ref()) {
            return refuse(format!("signing_secret_file: {problem}"));
        }
        transport::check(self)
    }
}

impl From<Receiver> for ReceiverConfig {
    fn from(receiver: Receiver) -> Self {
        ReceiverConfig {
            name: receiver.name,
            url: receiver.url,
            format: receiver.format,
            send_resolved: receiver.send_resolved,
            group_by: receiver.group_by,
            group_interval: receiver.group_interval,
            timeout: receiver.timeout,
            max_alerts: 0,
            headers: receiver.headers,
            severities: receiver.severities,
            signing: receiver.signing,
            routing: Arc::default(),
            way: receiver.way,
        }
    }
}

impl fmt::Debug for ReceiverConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("ReceiverConfig").field("name", &self.name).field("headers", &names).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_work_is_refused_by_name() {
        let good = ReceiverConfig::webhook("ops.team-1", "http://localhost/x");
        good.check().unwrap();
        let wrong = [
            ReceiverConfig { name: "a/b".to_owned(), ..good.clone() },
            ReceiverConfig { name: String::new(), ..good.clone() },
            ReceiverConfig { group_by: vec!["severity".to_owned()], ..good.clone() },
            ReceiverConfig { timeout: Duration::ZERO, ..good.clone() },
            ReceiverConfig { signing: Some(Secret::new("whsec_!")), ..good.clone() },
            ReceiverConfig {
                severities: ["page", "Page"].map(|n| (n.to_owned(), "critical".to_owned())).into(),
                ..good.clone()
            },
        ];
        let said =
            ["its name must be", "its name must be", "leave `severity` out", "timeout", "line 1", "two names differ"];
        for (config, text) in wrong.iter().zip(said) {
            let error = config.check().unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
        }
    }

    #[test]
    fn a_severity_ranks_by_what_it_is_called_here() {
        let mut config = ReceiverConfig::webhook("ops", "http://localhost");
        assert!(config.rank("page") > config.rank("ticket"));
        config.severities = [("page", "P1"), ("ticket", "P3")].map(|(n, v)| (n.to_owned(), v.to_owned())).into();
        assert!(config.rank("P1") > config.rank("P3"));
        assert_eq!(config.rank("P1"), config.rank("page"));
    }

    #[test]
    fn secrets_are_not_shown() {
        let mut config = ReceiverConfig::webhook("ops", "https://example.test/T0KEN");
        config.headers.push(("Authorization".to_owned(), Secret::new("Bearer T0KEN")));
        assert!(!format!("{config:?}").contains("T0KEN"));
    }
}
