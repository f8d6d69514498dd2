//! One delivery: a body decided once, the transitions it tells of, and how an attempt at it may end.

use std::time::Duration;

use super::{Dispatcher, Head, Ticket};
use crate::notifier::identity;
use crate::notifier::payload::{Alert, Labels, Message};
use crate::notifier::words::Speaker;

/// Alerts that are news in one delivery, where the receiver sets no limit.
const NEWS: usize = 256;

/// A transition that a delivery tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The alert.
    pub alert_id: String,
    /// The record of `alerts`.
    pub ticket: Ticket,
    /// A3: the idempotency key, also in the alert's annotations.
    pub key: String,
}

/// A notification that was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Labels of the group.
    pub group: Labels,
    /// The transitions it tells of, at least one.
    pub parts: Vec<Part>,
    /// The JSON document.
    pub body: Vec<u8>,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// 2xx.
    Delivered {
        /// HTTP status.
        status: u16,
    },
    /// Final: it will not be sent again.
    Refused {
        /// HTTP status.
        status: u16,
        /// What the receiver said.
        detail: String,
    },
    /// To be sent again.
    Failed {
        /// HTTP status, where there was an answer.
        status: Option<u16>,
        /// What the receiver or the transport said.
        detail: String,
        /// How long the receiver asked to be left alone.
        retry_after: Option<Duration>,
        /// Whether the receiver may have it nevertheless.
        doubt: bool,
    },
}

impl Dispatcher {
    /// The delivery that tells of the oldest pending transition of each alert of a group, as many as there is room for;
    /// and whether news was left out.
    pub(super) fn compose(&self, group: &Labels) -> Option<(Delivery, bool)> {
        let speaker = Speaker { receiver: &self.config.name, external_url: &self.external_url };
        let room = if self.config.max_alerts == 0 { NEWS } else { self.config.max_alerts };
        let (mut news, mut repeated, mut parts, mut more) = (Vec::new(), Vec::new(), Vec::new(), false);
        for (id, tracked) in self.groups.get(group)?.members.iter().filter_map(|id| self.alerts.get_key_value(id)) {
            let due = (tracked.head(self.config.send_resolved) == Head::Due).then(|| tracked.queue.front()).flatten();
            if let Some(pending) = due {
                let mut alerts = tracked.news(&speaker, self.config.send_resolved);
                if parts.is_empty() || news.len() + alerts.len() <= room {
                    news.append(&mut alerts);
                    let key = identity::idempotency_key(&pending.transition, &self.config.name);
                    parts.push(Part { alert_id: id.clone(), ticket: pending.ticket, key });
                    continue;
                }
                more = true;
            }
            repeated.extend(tracked.present());
        }
        if parts.is_empty() {
            return None;
        }
        let repeated = repeated.into_iter().map(|t| speaker.firing(t)).collect();
        let body = self.message(&speaker, group, news, repeated).to_bytes();
        Some((Delivery { group: group.clone(), parts, body }, more))
    }

    /// News is never cut: what the receiver knows is left out first.
    fn message(&self, speaker: &Speaker<'_>, group: &Labels, news: Vec<Alert>, mut repeated: Vec<Alert>) -> Message {
        let limit = if self.config.max_alerts == 0 { usize::MAX } else { self.config.max_alerts };
        let kept = limit.saturating_sub(news.len()).min(repeated.len());
        let cut = repeated.len() - kept;
        repeated.truncate(kept);
        repeated.extend(news);
        let mut message = Message::compose(speaker.receiver, speaker.external_url, group, repeated, 0);
        message.truncated_alerts = cut as u64;
        message
    }
}
