//! What a receiver was sent before: rebuilt from `alerts` below the committed position and from `notifications`, when a
//! partition is gained. Pure.
//!
//! Outcomes are committed together with the position that covers them, so what was delivered is known for every record
//! below the position, and nothing above it counts as sent. What was refused and is still true is found as well: it is
//! sent again. So is an end that was refused a short time ago: restarting is how a wrong URL or token is put right.

use std::collections::{BTreeMap, HashMap};

use slipstream_log::Offset;
use slipstream_schemas::records::{AlertTransition, Notification, NotificationReason, Outcome, TransitionKind};

use crate::notifier::dispatch::{RESOLVED_FOR_MS, Told, Tried};

/// The last transition of an alert with an outcome of some kind.
#[derive(Debug, Clone)]
struct Last {
    episode: i64,
    seq: i32,
    note: Noted,
}

/// What was noted of it.
#[derive(Debug, Clone)]
struct Noted {
    outcome: Outcome,
    reason: NotificationReason,
    by: String,
    attempts: i32,
    at: i64,
}

/// What `notifications` say of each alert.
#[derive(Debug, Default)]
pub struct Answered {
    /// The last transition that the receiver took.
    delivered: HashMap<String, Last>,
    /// The last that it lacks: refused, or held back.
    lacking: HashMap<String, Last>,
    /// Those that it may have taken although the attempt failed, since the last that it took: by episode and number, the
    /// attempts.
    doubted: HashMap<String, BTreeMap<(i64, i32), i32>>,
    /// The last that failed, while nothing else came of it.
    failed: HashMap<String, Last>,
}

impl Answered {
    /// Folds a record of `notifications`.
    pub fn take(&mut self, receiver: &str, n: &Notification) {
        if n.receiver != receiver {
            return;
        }
        let (outcome, reason) = (n.outcome, n.reason);
        let note = Noted { outcome, reason, by: n.by.clone(), attempts: n.attempts, at: n.at };
        let last = Last { episode: n.episode, seq: n.seq, note };
        let id = &n.alert_id;
        if n.repeated {
            return self.reminded(id, &last);
        }
        if outcome == Outcome::Failed {
            return self.failed(id, last);
        }
        if self.failed.get(id).is_some_and(|failed| failed.until(&last)) {
            self.failed.remove(id);
        }
        if is_taken(n) {
            self.taken(id, last);
        } else if matches!(outcome, Outcome::Refused | Outcome::HeldBack) {
            keep(&mut self.lacking, id, last);
        }
    }

    /// A reminder, or one that was left out: the next is due a while later.
    fn reminded(&mut self, id: &str, last: &Last) {
        let of = self.delivered.get_mut(id).filter(|d| d.of() == last.of());
        if let Some(delivered) = of {
            delivered.note.at = delivered.note.at.max(last.note.at);
        }
    }

    fn failed(&mut self, id: &str, last: Last) {
        // Noted late, by whoever spoke before: it was taken since.
        if self.delivered.get(id).is_some_and(|delivered| last.until(delivered)) {
            return;
        }
        if last.note.reason == NotificationReason::InDoubt {
            self.doubted.entry(id.to_owned()).or_default().insert(last.of(), last.note.attempts);
        }
        keep(&mut self.failed, id, last);
    }

    /// What was taken is lacking and in doubt no more, nor is what came before it.
    fn taken(&mut self, id: &str, last: Last) {
        if self.lacking.get(id).is_some_and(|lacking| lacking.until(&last)) {
            self.lacking.remove(id);
        }
        if let Some(doubted) = self.doubted.get_mut(id) {
            doubted.retain(|of, _| *of > last.of());
        }
        keep(&mut self.delivered, id, last);
    }

    fn delivered(&self, t: &AlertTransition) -> Option<&Last> {
        self.delivered.get(&t.alert_id).filter(|last| last.episode == t.episode && t.seq <= last.seq)
    }

    /// Whether the receiver may have taken it.
    fn is_doubted(&self, t: &AlertTransition) -> bool {
        self.doubted.get(&t.alert_id).is_some_and(|doubted| doubted.contains_key(&(t.episode, t.seq)))
    }

    /// What was noted of a transition that the receiver lacks.
    fn lacking(&self, t: &AlertTransition) -> Option<&Noted> {
        let last = self.lacking.get(&t.alert_id)?;
        ((last.episode, last.seq) == (t.episode, t.seq)).then_some(&last.note)
    }

    /// By alert: what was attempted last while nothing came of it, and all that the receiver may have, which has to end.
    pub fn tried(&self) -> impl Iterator<Item = (String, Tried)> + '_ {
        let doubted = self.doubted.iter().flat_map(|(id, of_alert)| of_alert.iter().map(move |one| (id, one)));
        let doubted = doubted.map(|(id, (of, attempts))| (id, Tried { of: *of, attempts: *attempts, doubt: true }));
        let in_doubt = |id, of| self.doubted.get(id).is_some_and(|doubted| doubted.contains_key(&of));
        let failed = self.failed.iter().filter(move |(id, last)| !in_doubt(*id, last.of()));
        let failed = failed.map(|(id, last)| (id, Tried { of: last.of(), attempts: last.note.attempts, doubt: false }));
        doubted.chain(failed).map(|(id, tried)| (id.clone(), tried))
    }
}

/// Whether a receiver has a transition from then on, or is not to have it: it went to somebody else, or is a remediation that is not asked
/// for it any more.
fn is_taken(n: &Notification) -> bool {
    use NotificationReason::{DryRun, NoRoute, RateLimited, Unwanted};
    match n.outcome {
        Outcome::Delivered => true,
        Outcome::NotDue => matches!(n.reason, NoRoute | DryRun | RateLimited | Unwanted),
        Outcome::Refused | Outcome::HeldBack | Outcome::Failed => false,
    }
}

impl Last {
    fn of(&self) -> (i64, i32) {
        (self.episode, self.seq)
    }

    /// Whether it is another one, or one before it.
    fn until(&self, other: &Last) -> bool {
        self.of() <= other.of()
    }
}

/// Keeps the last one; of two of the same transition the later record.
fn keep(of: &mut HashMap<String, Last>, id: &str, last: Last) {
    match of.get_mut(id) {
        Some(known) if known.until(&last) => *known = last,
        Some(_) => {}
        None => {
            of.insert(id.to_owned(), last);
        }
    }
}

/// A transition that the receiver lacks, and that is still true.
#[derive(Debug, Clone, PartialEq)]
pub struct Lacking {
    /// Its record of `alerts`.
    pub offset: Offset,
    /// What happened.
    pub transition: AlertTransition,
    /// Attempts made.
    pub attempts: i32,
    /// When it was refused or held back, milliseconds since the epoch.
    pub at: i64,
    /// What holds it back, and by what; `None`: it was refused.
    pub held: Option<(NotificationReason, String)>,
}

/// An alert that fires, or whose end the receiver refused.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundAlert {
    /// The transition that made it known, which chose its group.
    pub first: AlertTransition,
    /// Firing and severity transitions that the receiver has, or may have, oldest first.
    pub told: Vec<Told>,
    /// When it was told or reminded last, milliseconds since the epoch; `None` if that is in doubt.
    pub told_at: Option<i64>,
    /// The last that it lacks.
    pub lacking: Option<Lacking>,
}

/// The alerts of a partition of which the receiver was told, or refused to be told, and which fire as far as it knows.
#[derive(Debug)]
pub struct Found {
    now: i64,
    open: BTreeMap<String, FoundAlert>,
    standing: BTreeMap<String, AlertTransition>,
}

impl Found {
    /// Nothing was read. `now`: milliseconds since the epoch.
    pub fn at(now: i64) -> Self {
        Found { now, open: BTreeMap::new(), standing: BTreeMap::new() }
    }

    /// Folds a record of `alerts` below the committed position, in order.
    pub fn take(&mut self, answered: &Answered, offset: Offset, t: AlertTransition) {
        match t.kind {
            TransitionKind::Firing | TransitionKind::Severity => {
                self.standing.insert(t.alert_id.clone(), t.clone());
                self.fires(answered, offset, t);
            }
            TransitionKind::Resolved => {
                self.standing.remove(&t.alert_id);
                self.over(answered, offset, t);
            }
            _ => {}
        }
    }

    fn fires(&mut self, answered: &Answered, offset: Offset, t: AlertTransition) {
        if let Some(last) = answered.delivered(&t) {
            // A severity that is not for this receiver: it was told of the end of the one before.
            if last.seq == t.seq && last.note.reason == NotificationReason::NoRoute {
                self.open.remove(&t.alert_id);
                return;
            }
            let alert = self.alert(&t);
            (alert.told, alert.told_at, alert.lacking) = (vec![Told::confirmed(t)], Some(last.note.at), None);
            return;
        }
        if let Some(noted) = answered.lacking(&t) {
            let lacking = lacking(offset, &t, noted);
            self.alert(&t).lacking = Some(lacking);
        }
        if answered.is_doubted(&t) {
            self.alert(&t).told.push(Told::doubted(t));
        }
    }

    /// What fires, whoever was told.
    pub fn standing(&self) -> impl Iterator<Item = &AlertTransition> {
        self.standing.values()
    }

    /// An end that the receiver refused is kept for as long as it would be sent again.
    fn over(&mut self, answered: &Answered, offset: Offset, t: AlertTransition) {
        let refused = answered.lacking(&t).filter(|noted| self.now - noted.at <= RESOLVED_FOR_MS);
        let told = self.open.get_mut(&t.alert_id).filter(|alert| !alert.told.is_empty());
        match (told, refused) {
            (Some(alert), Some(noted)) => alert.lacking = Some(lacking(offset, &t, noted)),
            _ => {
                self.open.remove(&t.alert_id);
            }
        }
    }

    fn alert(&mut self, t: &AlertTransition) -> &mut FoundAlert {
        let new = || FoundAlert { first: t.clone(), told: Vec::new(), told_at: None, lacking: None };
        let alert = self.open.entry(t.alert_id.clone()).or_insert_with(new);
        if alert.first.episode != t.episode {
            *alert = new();
        }
        alert
    }

    /// What was found, in the order of alert ids.
    pub fn into_alerts(self) -> impl Iterator<Item = FoundAlert> {
        self.open.into_values()
    }
}

fn lacking(offset: Offset, t: &AlertTransition, noted: &Noted) -> Lacking {
    let held = (noted.outcome == Outcome::HeldBack).then(|| (noted.reason, noted.by.clone()));
    Lacking { offset, transition: t.clone(), attempts: noted.attempts, at: noted.at, held }
}

#[cfg(test)]
mod tests;
