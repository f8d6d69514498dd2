//! What the notifier knows of one alert: what the receiver was told of it, and what is still to be told, in order.

use std::collections::VecDeque;

use slipstream_log::Offset;
use slipstream_schemas::records::{AlertTransition, TransitionKind};

use crate::notifier::payload::{Alert, Labels};
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
}

/// Whether the oldest pending transition is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Head {
    /// Nothing is pending.
    None,
    /// Send it.
    Due,
    /// Do not, because of this.
    NotDue(&'static str),
}

/// One alert.
#[derive(Debug)]
pub struct Tracked {
    /// Partition of `alerts` that it is in.
    pub partition: u32,
    /// The group it was put into by the transition that made it known; it stays there while it is tracked.
    pub group: Labels,
    /// Firing and severity transitions that the receiver has, or may have where an attempt ended in doubt, oldest first.
    /// Each is a label set that has to be resolved some day.
    pub told: Vec<AlertTransition>,
    /// What is still to be told, oldest first.
    pub queue: VecDeque<Pending>,
}

const UNTOLD: &str = "its firing was never sent";
const UNWANTED: &str = "the receiver wants no resolved alerts";
const SUPERSEDED: &str = "came while the notifier was behind; a later state was sent instead";
const MISSED: &str = "the episode began and ended while the notifier was behind";

impl Tracked {
    /// Whether nothing is left to tell or to resolve.
    pub fn forgotten(&self) -> bool {
        self.queue.is_empty() && self.told.is_empty()
    }

    /// Whether the end of this episode ends something that the receiver has: the episode itself, or an older one whose
    /// own end is not in the log any more.
    fn told_of(&self, episode: i64) -> bool {
        self.told.iter().any(|t| t.episode <= episode)
    }

    /// A2: a resolved is due only where its firing was sent.
    pub fn head(&self, send_resolved: bool) -> Head {
        match self.queue.front().map(|p| &p.transition) {
            None => Head::None,
            Some(t) if t.kind != TransitionKind::Resolved => Head::Due,
            Some(t) if !self.told_of(t.episode) => Head::NotDue(UNTOLD),
            Some(_) if !send_resolved => Head::NotDue(UNWANTED),
            Some(_) => Head::Due,
        }
    }

    /// The alerts that tell of the oldest pending transition: label sets that end, and the one that fires.
    pub fn news(&self, speaker: &Speaker<'_>, send_resolved: bool) -> Vec<Alert> {
        let Some(head) = self.queue.front().map(|p| &p.transition) else { return Vec::new() };
        let over = head.kind == TransitionKind::Resolved;
        let firing = (!over).then(|| speaker.firing(head));
        let mut alerts: Vec<Alert> = Vec::new();
        for told in self.told.iter().rev().filter(|_| send_resolved) {
            let ended = speaker.resolved(told, if over { End::Over(head) } else { End::Replaced(head) });
            let known = alerts.iter().chain(&firing).any(|a| a.fingerprint == ended.fingerprint);
            if !known {
                alerts.push(ended);
            }
        }
        alerts.extend(firing);
        alerts
    }

    /// What the receiver knows to fire.
    pub fn present(&self) -> Option<&AlertTransition> {
        self.told.last()
    }

    /// The receiver took the oldest pending transition.
    pub fn taken(&mut self) -> Option<Pending> {
        let head = self.queue.pop_front()?;
        self.told.clear();
        if head.transition.kind != TransitionKind::Resolved {
            self.told.push(head.transition.clone());
        }
        Some(head)
    }

    /// The oldest pending transition will not be sent, or not again.
    pub fn passed_over(&mut self) -> Option<Pending> {
        let head = self.queue.pop_front()?;
        if head.transition.kind == TransitionKind::Resolved {
            self.told.clear();
        }
        Some(head)
    }

    /// An attempt at the oldest pending transition failed; `doubt`: the receiver may have it.
    pub fn failed(&mut self, doubt: bool) {
        let Some(head) = self.queue.front_mut() else { return };
        head.attempts = head.attempts.saturating_add(1);
        let t = &head.transition;
        let known = self.told.iter().any(|k| (k.episode, k.seq) == (t.episode, t.seq));
        if doubt && !known && t.kind != TransitionKind::Resolved {
            self.told.push(t.clone());
        }
    }

    /// The notifier is behind: keeps what makes the receiver's picture right, the end of the episode it was told of and
    /// the present state of one that is open, and returns the rest with the reason.
    pub fn catch_up(&mut self) -> Vec<(Pending, &'static str)> {
        let last = self.queue.len().saturating_sub(1);
        let open = self.queue.back().filter(|p| p.transition.kind != TransitionKind::Resolved);
        let open = open.map(|p| p.transition.episode);
        let mut left_out = Vec::new();
        let mut ended = false;
        for (i, pending) in std::mem::take(&mut self.queue).into_iter().enumerate() {
            let t = &pending.transition;
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
