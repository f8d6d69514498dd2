//! The notifier's state of one alert: what the receiver was sent, and what is still to be sent, in order.

use std::collections::VecDeque;

use slipstream_log::Offset;
use slipstream_schemas::records::{AlertTransition, NotificationReason, TransitionKind};

use super::group::GroupKey;
use super::refused::Refused;
use crate::notifier::payload::Alert;
use crate::notifier::policy::Hold;
use crate::notifier::words::{End, Speaker};

/// Which record of `alerts` something is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket {
    /// Partition of `alerts`.
    pub partition: u32,
    /// Offset in it.
    pub offset: Offset,
}

/// A transition that the receiver may have to be told of.
#[derive(Debug, Clone, PartialEq)]
pub struct Pending {
    /// Its record.
    pub ticket: Ticket,
    /// What happened.
    pub transition: AlertTransition,
    /// Since when it could have been sent, milliseconds by the caller's clock.
    pub since: i64,
    /// Attempts made.
    pub attempts: i32,
    /// The route that leads it to the receiver; `None` if none does.
    pub route: Option<usize>,
}

/// Whether the oldest pending transition is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Head {
    /// Nothing is pending.
    None,
    /// Send it.
    Due,
    /// Do not, because of this.
    NotDue(NotDue),
}

/// Why something is not sent, for programs and for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotDue {
    /// As recorded.
    pub reason: NotificationReason,
    /// In words.
    pub words: &'static str,
}

/// A transition that was held back.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// What it is.
    pub pending: Pending,
    /// Why.
    pub hold: Hold,
}

/// A firing or severity transition that the receiver has, or may have where an attempt ended in doubt.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// What it was told.
    pub transition: AlertTransition,
    /// Whether it said that it has it.
    pub confirmed: bool,
}

impl Told {
    /// The receiver took it.
    pub fn confirmed(transition: AlertTransition) -> Told {
        Told { transition, confirmed: true }
    }

    /// The receiver may have it.
    pub fn doubted(transition: AlertTransition) -> Told {
        Told { transition, confirmed: false }
    }
}

/// One alert.
#[derive(Debug)]
pub struct Tracked {
    /// Partition of `alerts` that it is in.
    pub partition: u32,
    /// The group it was put into by the transition that made it known; it stays there while it is tracked.
    pub group: GroupKey,
    /// What the receiver has, or may have, oldest first. Each is a label set that has to be resolved some day.
    pub told: Vec<Told>,
    /// What is still to be told, oldest first.
    pub queue: VecDeque<Pending>,
    /// The transition that the receiver refused last, while it still describes the alert: it is sent again.
    pub refused: Option<Refused>,
    /// The transition that was held back last, while it still describes the alert: it is sent once nothing holds it back.
    pub held: Option<Held>,
}

const fn not_due(reason: NotificationReason, words: &'static str) -> NotDue {
    NotDue { reason, words }
}

/// No route leads a transition to the receiver.
pub const NO_ROUTE: NotDue = not_due(NotificationReason::NoRoute, "no route leads it to this receiver");
const UNTOLD: NotDue = not_due(NotificationReason::Untold, "its firing was never sent");
const UNWANTED: NotDue = not_due(NotificationReason::Unwanted, "the receiver wants no resolved alerts");
const SUPERSEDED: NotDue =
    not_due(NotificationReason::Superseded, "it could not be sent in time; a later state is sent instead");
const MISSED: NotDue = not_due(NotificationReason::Missed, "the episode was over before it could be sent");

impl Tracked {
    /// An alert that the receiver knows nothing of.
    pub fn new(partition: u32, group: GroupKey) -> Self {
        Tracked { partition, group, told: Vec::new(), queue: VecDeque::new(), refused: None, held: None }
    }

    /// Whether nothing is left to tell or to resolve.
    pub fn forgotten(&self) -> bool {
        self.queue.is_empty() && self.told.is_empty() && self.refused.is_none() && self.held.is_none()
    }

    /// Whether the end of this episode ends something that the receiver has: the episode itself, or an older one whose
    /// own end is not in the log any more.
    fn told_of(&self, episode: i64) -> bool {
        self.told.iter().any(|told| told.transition.episode <= episode)
    }

    /// A2: a resolved is due only where its firing was sent. A severity that no route leads here is due as the end of what
    /// was sent before.
    pub fn head(&self, send_resolved: bool) -> Head {
        match self.queue.front().map(|p| (&p.transition, p.route)) {
            None => Head::None,
            Some((t, Some(_))) if t.kind != TransitionKind::Resolved => Head::Due,
            Some((t, None)) if t.kind != TransitionKind::Resolved => match self.told.is_empty() || !send_resolved {
                true => Head::NotDue(NO_ROUTE),
                false => Head::Due,
            },
            Some((t, _)) if !self.told_of(t.episode) => Head::NotDue(UNTOLD),
            Some(_) if !send_resolved => Head::NotDue(UNWANTED),
            Some(_) => Head::Due,
        }
    }

    /// The oldest pending transition where it tells that something fires, and is due.
    pub fn firing_head(&self) -> Option<&Pending> {
        let fires = |p: &&Pending| p.route.is_some() && p.transition.kind != TransitionKind::Resolved;
        self.queue.front().filter(fires)
    }

    /// The alerts that tell of a transition at `day`, the time of day: label sets that end, and the one that fires.
    pub fn news(&self, head: &Pending, speaker: &Speaker<'_>, send_resolved: bool, day: i64) -> Vec<Alert> {
        let ended_here = head.route.is_none();
        let head = &head.transition;
        let over = head.kind == TransitionKind::Resolved;
        let firing = (!over && !ended_here).then(|| speaker.firing_at(head, day));
        let mut alerts: Vec<Alert> = Vec::new();
        for Told { transition: told, .. } in self.told.iter().rev().filter(|_| send_resolved) {
            let ended = speaker.resolved(told, if over { End::Over(head) } else { End::Replaced(head) });
            let known = alerts.iter().chain(&firing).any(|a| a.fingerprint == ended.fingerprint);
            if !known {
                alerts.push(ended);
            }
        }
        alerts.extend(firing);
        alerts
    }

    /// What the receiver knows to fire, as far as it still does. What it only may have is not said again while the alert is
    /// held back.
    pub fn present(&self) -> Option<&AlertTransition> {
        let over = self.refused.as_ref().is_some_and(|r| r.pending.transition.kind == TransitionKind::Resolved);
        let present = self.told.iter().rfind(|told| told.confirmed || self.held.is_none());
        present.filter(|_| !over).map(|told| &told.transition)
    }

    /// The last that the receiver has, or may have.
    pub fn last_told(&self) -> Option<&AlertTransition> {
        self.told.last().map(|told| &told.transition)
    }

    /// The severity under which it is told again what the receiver refused; an end goes under that of what it ends.
    pub fn refused_severity(&self) -> Option<&str> {
        let t = &self.refused.as_ref()?.pending.transition;
        let of = if t.kind == TransitionKind::Resolved { self.last_told().unwrap_or(t) } else { t };
        Some(&of.severity)
    }

    /// The receiver took a transition.
    pub fn taken(&mut self, ticket: Ticket) {
        let Some(taken) = self.remove(ticket) else { return };
        self.refused = None;
        self.held = None;
        self.told.clear();
        if taken.transition.kind != TransitionKind::Resolved && taken.route.is_some() {
            self.told.push(Told::confirmed(taken.transition));
        }
    }

    /// The oldest pending transition is not due.
    pub fn passed_over(&mut self) -> Option<Pending> {
        let head = self.queue.pop_front()?;
        if head.transition.kind == TransitionKind::Resolved || head.route.is_none() {
            self.told.clear();
        }
        // Whatever it says, what it describes is no more as it was.
        self.refused = None;
        self.held = None;
        Some(head)
    }

    /// The oldest pending transition is held back. What was refused or held back before describes the alert no more.
    pub fn hold_head(&mut self, hold: Hold) -> Option<&Held> {
        let pending = self.queue.pop_front()?;
        self.refused = None;
        Some(self.held.insert(Held { pending, hold }))
    }

    /// What the receiver refused is held back before it is sent again.
    pub fn hold_refused(&mut self, hold: Hold) -> Option<&Held> {
        let pending = self.refused.take()?.pending;
        Some(self.held.insert(Held { pending, hold }))
    }

    /// Nothing holds it back any more: from now on it waits to be sent.
    pub fn release(&mut self, now: i64) -> bool {
        let Some(Held { pending, .. }) = self.held.take() else { return false };
        self.queue.push_front(Pending { since: now, ..pending });
        true
    }

    /// The oldest pending transition, or the one that was refused before, by its record.
    pub fn find(&self, ticket: Ticket) -> Option<&Pending> {
        let refused = self.refused.as_ref().map(|r| &r.pending);
        self.queue.front().into_iter().chain(refused).find(|p| p.ticket == ticket)
    }

    fn remove(&mut self, ticket: Ticket) -> Option<Pending> {
        match self.queue.front() {
            Some(head) if head.ticket == ticket => self.queue.pop_front(),
            _ => self.refused.take_if(|r| r.pending.ticket == ticket).map(|r| r.pending),
        }
    }

    /// The receiver refused a transition, at `now`: it is kept while it is true.
    pub fn refused(&mut self, ticket: Ticket, now: i64) {
        if let Some(again) = self.refused.as_mut().filter(|r| r.pending.ticket == ticket) {
            again.tried(now);
        } else if let Some(mut head) = self.queue.pop_front_if(|head| head.ticket == ticket) {
            head.attempts = head.attempts.saturating_add(1);
            // What was held back before describes the alert no more.
            self.held = None;
            self.refused = Some(Refused::new(head, now));
        }
    }

    /// An attempt at a transition failed; `doubt`: the receiver may have it. Returns whether that is new of it.
    pub fn failed(&mut self, ticket: Ticket, doubt: bool) -> bool {
        let refused = self.refused.as_mut().map(|r| &mut r.pending);
        let sent = self.queue.front_mut().into_iter().chain(refused).find(|p| p.ticket == ticket);
        let Some(sent) = sent else { return false };
        sent.attempts = sent.attempts.saturating_add(1);
        let began = sent.route.is_some() && sent.transition.kind != TransitionKind::Resolved;
        let news = doubt && began && !has(&self.told, &sent.transition);
        if news {
            self.told.push(Told::doubted(sent.transition.clone()));
        }
        news
    }

    /// Whether the receiver has a transition, or may have it.
    pub fn has(&self, t: &AlertTransition) -> bool {
        has(&self.told, t)
    }

    /// Whether an attempt at the oldest pending transition failed, and the alert has gone on since: what comes next is late already.
    pub fn overtaken(&self) -> bool {
        self.queue.len() > 1 && self.queue.front().is_some_and(|head| head.attempts > 0)
    }

    /// The receiver is behind: keeps what makes the receiver's state right, the end of the episode it was sent and
    /// the present state of one that is open, and returns the rest with the reason.
    pub fn catch_up(&mut self) -> Vec<(Pending, NotDue)> {
        let last = self.queue.len().saturating_sub(1);
        let open = self.queue.back().filter(|p| p.transition.kind != TransitionKind::Resolved);
        let open = open.map(|p| p.transition.episode);
        let mut left_out = Vec::new();
        let mut ended = false;
        for (i, pending) in std::mem::take(&mut self.queue).into_iter().enumerate() {
            let t = &pending.transition;
            if t.kind == TransitionKind::Resolved {
                self.refused.take_if(|r| r.pending.transition.episode <= t.episode);
                self.held.take_if(|h| h.pending.transition.episode <= t.episode);
            }
            let ends_told = !ended && t.kind == TransitionKind::Resolved && self.told_of(t.episode);
            if ends_told || (open.is_some() && i == last) {
                ended |= ends_told;
                self.queue.push_back(pending);
            } else {
                let superseded = Some(t.episode) == open || (!ended && self.told_of(t.episode));
                left_out.push((pending, if superseded { SUPERSEDED } else { MISSED }));
            }
        }
        left_out
    }
}

fn has(told: &[Told], t: &AlertTransition) -> bool {
    told.iter().any(|known| (known.transition.episode, known.transition.seq) == (t.episode, t.seq))
}
