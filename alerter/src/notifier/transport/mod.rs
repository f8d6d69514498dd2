//! One attempt at a delivery. Knows what an answer means; knows nothing of order or repetition.
//!
//! [`http`] sends what [`format`](crate::notifier::format) writes, [`mail`] sends mail, [`remedy`] stands before a webhook that
//! repairs something. [`client`] is the way over HTTP with its proxy and certificates, [`token`] who we say we are, [`guard`] which
//! addresses a name may lead to, by the networks they are of ([`networks`]).

mod answer;
mod client;
pub mod guard;
pub mod http;
pub mod mail;
mod networks;
mod proxies;
pub mod remedy;
mod token;

use std::sync::Arc;

use async_trait::async_trait;
use slipstream_runtime::config::ReceiverFormat;
use slipstream_slo::hash::fnv1a64;

use crate::error::AlerterError;
use crate::notifier::dispatch::{Answer, Delivery};
use crate::notifier::receiver::ReceiverConfig;
pub use http::Sender;
use mail::Mailer;
pub use remedy::Journal;
use remedy::Remedy;

/// A list of keys that is longer is replaced by its hash: servers refuse long headers.
const LONGEST_KEY: usize = 2_048;

/// The connection to one receiver, as the notifier uses it.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// Where it goes, without what may be secret.
    fn host(&self) -> &str;

    /// Sends once.
    async fn attempt(&self, delivery: &Delivery) -> Answer;

    /// [`Transport::attempt`], and what the receiver said in its answer, or the transport.
    async fn ask(&self, delivery: &Delivery) -> (Answer, String) {
        let answer = self.attempt(delivery).await;
        let said = match &answer {
            Answer::Delivered { .. } => String::new(),
            Answer::Refused { detail, .. } | Answer::Failed { detail, .. } | Answer::NotAsked { detail, .. } => {
                detail.clone()
            }
        };
        (answer, said)
    }
}

/// The way to a receiver, whatever its format; nothing is sent. What remediations do is recorded in the journal; in one that keeps
/// nothing their limit knows nothing of other processes. The process has installed a TLS provider before.
///
/// # Errors
/// When the receiver is configured wrongly, or no TLS provider is installed; secrets are not repeated.
pub fn open(config: &ReceiverConfig, journal: Journal) -> Result<Arc<dyn Transport>, AlerterError> {
    Ok(match &config.format {
        ReceiverFormat::Email(email) => Arc::new(Mailer::new(config, email)?),
        ReceiverFormat::Remediation(settings) => {
            let sender = Arc::new(Sender::new(config)?);
            Arc::new(Remedy::new(sender, settings, &config.name, journal))
        }
        _ => Arc::new(Sender::new(config)?),
    })
}

/// Whether the way to a receiver can be prepared.
///
/// # Errors
/// The first thing that is wrong; secrets are not repeated.
pub(super) fn check(config: &ReceiverConfig) -> Result<(), AlerterError> {
    match &config.format {
        ReceiverFormat::Email(email) => mail::check(config, email),
        _ => http::check(config),
    }
}

fn refuse(config: &ReceiverConfig, problem: String) -> AlerterError {
    AlerterError::Receiver { receiver: config.name.clone(), problem }
}

/// A3: the keys of what is news, or their hash where they are many; each alert's own key is in its annotations. A reminder has no
/// news: it has a key of its own, else a receiver would take the second one for a repetition of the first.
fn key(delivery: &Delivery) -> String {
    if let Some(reminder) = &delivery.reminder {
        return reminder.key.clone();
    }
    let keys: Vec<&str> = delivery.parts.iter().map(|p| p.key.as_str()).collect();
    let list = keys.join(", ");
    if list.len() <= LONGEST_KEY {
        return list;
    }
    format!("fnv1a64-{:016x}", fnv1a64(keys))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notifier::dispatch::{GroupKey, Part, Reminder, Ticket};
    use crate::notifier::format::samples::{Say, delivery, page};
    use crate::notifier::payload::{Labels, Message};
    use crate::notifier::words::tests::transition;

    #[test]
    fn a3_the_key_lists_what_is_news_and_stays_short() {
        let delivery = |n: usize| Delivery {
            group: GroupKey { route: "{}".to_owned(), labels: Labels::new() },
            parts: (0..n)
                .map(|i| Part {
                    alert_id: format!("a{i}"),
                    ticket: Ticket { partition: 0, offset: i as i64 },
                    key: format!("a{i}/1769940000/2/ops"),
                    transition: transition(),
                    begins: true,
                })
                .collect(),
            message: Message::compose("ops", "", &Labels::new(), Vec::new(), 0),
            again: false,
            reminder: None,
        };
        assert_eq!(key(&delivery(1)), "a0/1769940000/2/ops");
        assert_eq!(key(&delivery(2)), "a0/1769940000/2/ops, a1/1769940000/2/ops");
        let many = key(&delivery(500));
        assert!(many.starts_with("fnv1a64-") && many.len() == 24, "{many}");
        assert_ne!(many, key(&delivery(501)));
    }

    #[test]
    fn a3_a_reminder_has_a_key_of_its_own() {
        let still = |key: &str| {
            let reminder = Reminder { of: vec![page("/a")], left_out: Vec::new(), key: key.to_owned() };
            Delivery { reminder: Some(reminder), ..delivery(&[Say::Still(page("/a"))]) }
        };
        assert_eq!(key(&still("reminder/1")), "reminder/1");
    }
}
