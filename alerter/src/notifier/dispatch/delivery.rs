//! One delivery: a body decided once, the transitions it reports, and how an attempt may end.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::time::Duration;

use slipstream_runtime::config::ReceiverFormat;
use slipstream_schemas::records::{AlertTransition, NotificationReason, TransitionKind};

use super::group::GroupKey;
use super::{Dispatcher, Head, Pending, Refused, Reminder, Ticket, Told, Tracked};
use crate::notifier::identity::{self, SEVERITY};
use crate::notifier::payload::{Alert, Message, Status, group_key};
use crate::notifier::words::Speaker;

/// Alerts that are news in one delivery, where the receiver sets no limit: a group's are told together, as Alertmanager does.
pub(super) const NEWS: usize = 20_000;

/// A transition that a delivery reports.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// The alert.
    pub alert_id: String,
    /// The record of `alerts`.
    pub ticket: Ticket,
    /// A3: the idempotency key, also in the alert's annotations.
    pub key: String,
    /// What it reports.
    pub transition: AlertTransition,
    /// Whether it tells that the alert fires, and the receiver knew nothing of that before.
    pub begins: bool,
}

/// A notification that was decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// Whose alerts these are.
    pub group: GroupKey,
    /// The transitions it reports; none in a reminder.
    pub parts: Vec<Part>,
    /// What is said. How it is written is the transport's.
    pub message: Message,
    /// Whether it repeats what the receiver refused before.
    pub again: bool,
    /// Of a reminder: what it reminds of, and its idempotency key.
    pub reminder: Option<Reminder>,
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
    /// Nothing was sent, and nothing will be: a remediation that is not to be asked.
    NotAsked {
        /// As recorded.
        reason: NotificationReason,
        /// Why, for people.
        detail: String,
    },
    /// Try again soon.
    Failed {
        /// HTTP status, if there was a response.
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
    /// The delivery with the oldest pending transition of each alert of a group, as many as fit;
    /// and whether more is to follow at once: what did not fit, or what is late already. `None` if there is nothing new.
    pub(super) fn compose(&self, group: &GroupKey, now: i64) -> Option<(Delivery, bool)> {
        let (speaker, day, doubted) = (self.speaker(), self.day(now), self.doubted(group));
        let (mut news, mut repeated, mut parts, mut more) = (Vec::new(), Vec::new(), Vec::new(), false);
        for (id, tracked) in self.groups.get(group)?.members.iter().filter_map(|id| self.alerts.get_key_value(id)) {
            let due = (tracked.head(self.config.send_resolved) == Head::Due).then(|| tracked.queue.front()).flatten();
            if let Some(pending) = due {
                let mut alerts = tracked.news(pending, &speaker, self.config.send_resolved, day);
                let same = doubted.is_none_or(|doubted| doubted.contains(&pending.ticket));
                if same && (parts.is_empty() || news.len() + alerts.len() <= self.room()) {
                    news.append(&mut alerts);
                    parts.push(self.part(id, pending));
                    more |= tracked.overtaken();
                    continue;
                }
                more = true;
            }
            repeated.extend(tracked.present().filter(|_| !self.alone()));
        }
        if parts.is_empty() {
            return None;
        }
        let repeated = repeated.into_iter().map(|t| speaker.firing_at(t, day)).collect();
        let message = self.message(&speaker, group, news, repeated);
        Some((Delivery { group: group.clone(), parts, message, again: false, reminder: None }, more))
    }

    /// What the receiver may have taken of a group, where all of that is still to be told: it goes out again as it is and by
    /// itself, so that whoever goes by keys knows it again. The rest follows at once.
    fn doubted(&self, group: &GroupKey) -> Option<&BTreeSet<Ticket>> {
        let group = self.groups.get(group).filter(|group| !group.doubted.is_empty())?;
        let heads = group.members.iter().filter_map(|id| self.alerts.get(id)?.queue.front());
        let stand = heads.filter(|head| group.doubted.contains(&head.ticket)).count();
        (stand == group.doubted.len()).then_some(&group.doubted)
    }

    /// The delivery that tells again of what the receiver refused, of one severity and those first that have waited longest,
    /// and repeats what else fires in the group; and whether some of it was left out. `None` if nothing is due. Of an alert
    /// with news that is told instead.
    pub(super) fn compose_again(&self, labels: &GroupKey, now: i64) -> Option<(Delivery, bool)> {
        let group = self.groups.get(labels).filter(|g| g.again.due_at().is_some_and(|at| at <= now))?;
        let refused = |id: &String| {
            let (id, tracked) = self.alerts.get_key_value(id).filter(|(_, tracked)| tracked.queue.is_empty())?;
            Some((id, tracked, tracked.refused.as_ref()?, tracked.refused_severity()?))
        };
        let mut waiting: Vec<_> = group.again.alerts.iter().filter_map(refused).collect();
        let order = |severity: &str| (group.again.turn(severity), Reverse(self.config.rank(severity)));
        waiting.sort_by_key(|(_, _, refused, severity)| (order(severity), *severity, refused.last_tried()));
        let all = waiting.len();
        let next = waiting.first()?.3;
        waiting.retain(|(.., severity)| *severity == next);
        waiting.truncate(group.again.room);
        let (speaker, day) = (self.speaker(), self.day(now));
        let news = |t: &Tracked, r: &Refused| t.news(&r.pending, &speaker, self.config.send_resolved, day);
        let alerts = waiting.iter().flat_map(|(_, tracked, refused, _)| news(tracked, refused)).collect();
        let parts: Vec<Part> = waiting.iter().map(|(id, _, refused, _)| self.part(id, &refused.pending)).collect();
        // Without them a body that ends one alert would close an incident in which others still fire.
        let others = group.members.iter().filter(|id| !parts.iter().any(|part| part.alert_id == **id));
        let present = others.filter_map(|id| self.alerts.get(id)?.present());
        let repeated = present.map(|t| speaker.firing_at(t, day)).collect();
        let message = self.message(&speaker, labels, alerts, repeated);
        let more = all > parts.len();
        Some((Delivery { group: labels.clone(), parts, message, again: true, reminder: None }, more))
    }

    pub(super) fn speaker(&self) -> Speaker<'_> {
        Speaker { receiver: &self.config.name, links: &self.links, severities: &self.config.severities }
    }

    /// News of a delivery at most.
    fn room(&self) -> usize {
        match self.config.max_alerts {
            _ if self.alone() => 1,
            0 => NEWS,
            most => most,
        }
    }

    /// Whether each alert is a request of its own: then an answer has to be about one alone, and nothing is repeated beside it.
    fn alone(&self) -> bool {
        matches!(self.config.format, ReceiverFormat::PagerDuty { .. })
    }

    fn part(&self, id: &str, pending: &Pending) -> Part {
        // After an attempt in doubt it is among what was told itself.
        let of = |t: &AlertTransition| (t.episode, t.seq);
        let other = |told: &Told| of(&told.transition) != of(&pending.transition);
        let knows = self.alerts.get(id).is_some_and(|tracked| tracked.told.iter().any(other));
        let fires = pending.transition.kind != TransitionKind::Resolved && pending.route.is_some();
        let key = identity::idempotency_key(&pending.transition, &self.config.name);
        Part {
            alert_id: id.to_owned(),
            ticket: pending.ticket,
            key,
            transition: pending.transition.clone(),
            begins: fires && !knows,
        }
    }

    /// New transitions are never cut: what the receiver already has is omitted first.
    ///
    /// Two things are not as Alertmanager has them, because of what receivers do with a body. Many work through the
    /// alerts one after the other and keep one state per name, so what fires comes last: else the end of a ticket would
    /// close the page that replaced it. And receivers build titles from the common labels, so the worst firing severity
    /// is one of them.
    pub(super) fn message(
        &self,
        speaker: &Speaker<'_>,
        group: &GroupKey,
        news: Vec<Alert>,
        mut repeated: Vec<Alert>,
    ) -> Message {
        let limit = if self.config.max_alerts == 0 { usize::MAX } else { self.config.max_alerts };
        // Of all of them, also of those that are left out: what fires, and how bad the worst is.
        let firing = !repeated.is_empty() || news.iter().any(|alert| alert.status == Status::Firing);
        let status = if firing { Status::Firing } else { Status::Resolved };
        let of_status = repeated.iter().chain(&news).filter(|alert| alert.status == status);
        let severities = of_status.filter_map(|alert| alert.labels.get(SEVERITY));
        let worst = severities.max_by_key(|name| self.config.rank(name)).cloned();
        let kept = limit.saturating_sub(news.len()).min(repeated.len());
        let cut = repeated.len() - kept;
        repeated.truncate(kept);
        repeated.extend(news);
        let mut message = Message::compose(speaker.receiver, &speaker.links.external, &group.labels, repeated, 0);
        message.group_key = group_key(&group.route, &group.labels);
        message.status = status;
        message.truncated_alerts = cut as u64;
        message.alerts.sort_by_key(|alert| alert.status == Status::Firing);
        message.common_labels.extend(worst.map(|worst| (SEVERITY.to_owned(), worst)));
        message
    }
}
