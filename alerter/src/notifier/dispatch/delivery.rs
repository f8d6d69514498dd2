//! One delivery: a body decided once, the transitions it tells of, and how an attempt at it may end.

use std::time::Duration;

use super::{Dispatcher, Head, Pending, Refused, Ticket, Tracked};
use crate::notifier::identity::{self, SEVERITY};
use crate::notifier::payload::{Alert, Labels, Message, Status};
use crate::notifier::words::Speaker;

/// Alerts that are news in one delivery, where the receiver sets no limit.
pub(super) const NEWS: usize = 256;

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
    /// Whether it tells of what the receiver refused before.
    pub again: bool,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// 2xx.
    Delivered {
        /// HTTP status.
        status: u16,
    },
    /// It does not want this: the position moves on, and it is sent again, later and apart, while it is true.
    Refused {
        /// HTTP status.
        status: u16,
        /// What the receiver said.
        detail: String,
    },
    /// Try the same again soon.
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
    /// and whether news was left out. `None` if there is no news.
    pub(super) fn compose(&self, group: &Labels) -> Option<(Delivery, bool)> {
        let speaker = self.speaker();
        let (mut news, mut repeated, mut parts, mut more) = (Vec::new(), Vec::new(), Vec::new(), false);
        for (id, tracked) in self.groups.get(group)?.members.iter().filter_map(|id| self.alerts.get_key_value(id)) {
            let due = (tracked.head(self.config.send_resolved) == Head::Due).then(|| tracked.queue.front()).flatten();
            if let Some(pending) = due {
                let mut alerts = tracked.news(&pending.transition, &speaker, self.config.send_resolved);
                if parts.is_empty() || news.len() + alerts.len() <= self.room() {
                    news.append(&mut alerts);
                    parts.push(self.part(id, pending));
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
        Some((Delivery { group: group.clone(), parts, body, again: false }, more))
    }

    /// The delivery that tells again of what the receiver refused, those first that have waited longest, and nothing else;
    /// and whether some of it was left out. `None` if nothing is due.
    pub(super) fn compose_again(&mut self, labels: &Labels, now: i64) -> Option<(Delivery, bool)> {
        self.give_up(labels, now);
        let group = self.groups.get(labels).filter(|g| g.again.due_at().is_some_and(|at| at <= now))?;
        let refused =
            |id: &String| self.alerts.get_key_value(id).and_then(|(id, a)| Some((id, a, a.refused.as_ref()?)));
        let mut waiting: Vec<_> = group.again.alerts.iter().filter_map(refused).collect();
        waiting.sort_by_key(|(_, _, refused)| refused.last_tried());
        let more = waiting.len() > group.again.room;
        waiting.truncate(group.again.room);
        let speaker = self.speaker();
        let news = |t: &Tracked, r: &Refused| t.news(&r.pending.transition, &speaker, self.config.send_resolved);
        let alerts = waiting.iter().flat_map(|(_, tracked, refused)| news(tracked, refused)).collect();
        let parts = waiting.iter().map(|(id, _, refused)| self.part(id, &refused.pending)).collect();
        let body = self.message(&speaker, labels, alerts, Vec::new()).to_bytes();
        Some((Delivery { group: labels.clone(), parts, body, again: true }, more))
    }

    fn speaker(&self) -> Speaker<'_> {
        Speaker { receiver: &self.config.name, links: &self.links, severities: &self.config.severities }
    }

    fn room(&self) -> usize {
        if self.config.max_alerts == 0 { NEWS } else { self.config.max_alerts }
    }

    fn part(&self, id: &str, pending: &Pending) -> Part {
        let key = identity::idempotency_key(&pending.transition, &self.config.name);
        Part { alert_id: id.to_owned(), ticket: pending.ticket, key }
    }

    /// News is never cut: what the receiver knows is left out first.
    ///
    /// Two things are not as Alertmanager has them, because of what receivers do with a body. Many work through the alerts
    /// one after the other and keep one state per name, so what fires comes last: else the end of a ticket would close the
    /// page that replaced it. And titles are made of the common labels, so the worst severity that fires is one of them.
    fn message(&self, speaker: &Speaker<'_>, group: &Labels, news: Vec<Alert>, mut repeated: Vec<Alert>) -> Message {
        let limit = if self.config.max_alerts == 0 { usize::MAX } else { self.config.max_alerts };
        let kept = limit.saturating_sub(news.len()).min(repeated.len());
        let cut = repeated.len() - kept;
        repeated.truncate(kept);
        repeated.extend(news);
        let mut message = Message::compose(speaker.receiver, &speaker.links.external, group, repeated, 0);
        message.truncated_alerts = cut as u64;
        message.alerts.sort_by_key(|alert| alert.status == Status::Firing);
        let of_status = message.alerts.iter().filter(|alert| alert.status == message.status);
        let severities = of_status.filter_map(|alert| alert.labels.get(SEVERITY));
        if let Some(worst) = severities.max_by_key(|name| self.config.rank(name)) {
            message.common_labels.insert(SEVERITY.to_owned(), worst.clone());
        }
        message
    }
}
