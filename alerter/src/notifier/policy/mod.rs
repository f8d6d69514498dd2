//! Who is told of what, and what holds a notification back: routes, inhibition, silences and mute times. Pure: what was said in the
//! log and what fires are told to it, time is an argument, milliseconds.
//!
//! An alert machine never hears of any of it: history has every alert. What is held back is told once nothing holds it back and
//! it is still true; an end is never held back, because it closes what a receiver has open.

mod inhibition;
mod named;
mod places;
mod routes;

use std::collections::BTreeMap;

use slipstream_definitions::inhibits::{self, Inhibits};
use slipstream_definitions::time_interval::TimeInterval;
use slipstream_schemas::records::{Acknowledgement, AlertTransition, NotificationReason};
use slipstream_slo::alerts::{Labels, Silence, Silences, labels};

use crate::notifier::receiver::ReceiverConfig;
use inhibition::Inhibitions;
pub use routes::{Applied, Routes};

/// Mute times are given by the minute.
const MINUTE_MS: i64 = 60_000;

/// What holds a notification back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Silenced, inhibited or muted; of a reminder also acknowledged, or without a route.
    pub reason: NotificationReason,
    /// Id of the silence or of the inhibiting alert, the name of the time interval, or who acknowledged it.
    pub by: String,
    /// When to look again at the latest; `None`: when something changes.
    pub until: Option<i64>,
}

impl Hold {
    /// Why, for people.
    pub fn words(&self) -> String {
        match self.reason {
            NotificationReason::Silenced => format!("silenced by {}", self.by),
            NotificationReason::Inhibited => format!("held back by alert {}", self.by),
            NotificationReason::Acknowledged => format!("acknowledged by {}", self.by),
            NotificationReason::NoRoute => "no route leads it to this receiver any more".to_owned(),
            _ => format!("its route is mute: {}", self.by),
        }
    }
}

/// The policy of a receiver.
#[derive(Debug)]
pub struct Policy {
    routes: Routes,
    inhibitions: Inhibitions,
    intervals: BTreeMap<String, Vec<TimeInterval>>,
    silences: Silences,
    /// By alert and episode: who looks after it.
    acknowledged: BTreeMap<(String, i64), String>,
}

impl Policy {
    /// The policy of a configuration.
    pub fn new(receiver: &ReceiverConfig) -> Self {
        let routing = &receiver.routing;
        Policy {
            routes: Routes::new(receiver, routing),
            inhibitions: Inhibitions::new(routing),
            intervals: routing.intervals.clone(),
            silences: Silences::default(),
            acknowledged: BTreeMap::new(),
        }
    }

    /// Takes what people have said, in place of what they had said before.
    pub fn said(&mut self, silences: impl Iterator<Item = Silence>, acks: impl Iterator<Item = Acknowledgement>) {
        self.silences = Silences::default();
        silences.for_each(|silence| self.silences.insert(silence));
        self.acknowledged = acks.map(|ack| ((ack.alert_id, ack.episode), ack.owner)).collect();
    }

    /// An alert fires. Returns whether that may hold others back, or no longer does.
    pub fn fires(&mut self, transition: &AlertTransition) -> bool {
        let named = transition.annotations.iter().find(|annotation| annotation.name == inhibits::ANNOTATION);
        let inhibits = named.map(|annotation| Inhibits::of_alert(&annotation.value)).unwrap_or_default();
        self.inhibitions.fires(&transition.alert_id, &labels(transition), &inhibits)
    }

    /// An alert is over. Returns whether others may have been held back by it.
    pub fn over(&mut self, id: &str) -> bool {
        self.inhibitions.over(id)
    }

    /// The route that leads an alert to the receiver; `None` if none does.
    pub fn route(&self, labels: &Labels) -> Option<usize> {
        self.routes.of(labels)
    }

    /// A route as it applies.
    pub fn applied(&self, route: Option<usize>) -> &Applied {
        self.routes.applied(route)
    }

    /// What holds back a transition that was not decided on before. A silence has to apply at its tick, at whose end it became
    /// known, and at each moment since: of one that is over the receiver is told.
    pub fn holds(&self, t: &AlertTransition, route: Option<usize>, now: i64) -> Option<Hold> {
        let labels = labels(t);
        let known_at = t.tick.saturating_mul(1_000).saturating_add(999);
        let silenced = self.silences.at(&labels, known_at).and_then(|_| self.silenced(&labels, now));
        silenced.or_else(|| self.inhibited(t, &labels)).or_else(|| self.muted(route, now))
    }

    /// What still holds back a transition that was held back before.
    pub fn still_holds(&self, t: &AlertTransition, route: Option<usize>, now: i64) -> Option<Hold> {
        let labels = labels(t);
        self.silenced(&labels, now).or_else(|| self.inhibited(t, &labels)).or_else(|| self.muted(route, now))
    }

    /// Why a receiver that was told of an alert is not reminded of it now; `None` if it is.
    pub fn quiet(&self, t: &AlertTransition, route: Option<usize>, now: i64) -> Option<Hold> {
        let owner = self.acknowledged.get(&(t.alert_id.clone(), t.episode)).cloned();
        let acknowledged = |by| Hold { reason: NotificationReason::Acknowledged, by, until: None };
        owner.map(acknowledged).or_else(|| self.still_holds(t, route, now))
    }

    fn silenced(&self, labels: &Labels, now: i64) -> Option<Hold> {
        let found = self.silences.at(labels, now)?;
        Some(Hold { reason: NotificationReason::Silenced, by: found.id, until: found.until })
    }

    fn inhibited(&self, t: &AlertTransition, labels: &Labels) -> Option<Hold> {
        let by = self.inhibitions.by(&t.alert_id, labels)?;
        Some(Hold { reason: NotificationReason::Inhibited, by: by.to_owned(), until: None })
    }

    fn muted(&self, route: Option<usize>, now: i64) -> Option<Hold> {
        let applied = self.applied(route);
        let holds = |name: &&String| {
            let parts = self.intervals.get(*name);
            parts.is_some_and(|parts| parts.iter().any(|part| part.contains(now.div_euclid(1_000))))
        };
        let mute = applied.mute.iter().find(holds).cloned();
        let inactive = || !applied.active.is_empty() && !applied.active.iter().any(|name| holds(&name));
        let by = mute.or_else(|| inactive().then(|| format!("outside {}", applied.active.join(", "))))?;
        let until = Some((now.div_euclid(MINUTE_MS) + 1) * MINUTE_MS);
        Some(Hold { reason: NotificationReason::Muted, by, until })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use slipstream_definitions::matchers::Matchers;
    use slipstream_runtime::config::{Inhibition, Route, Routing};
    use slipstream_schemas::records;

    use super::*;
    use crate::notifier::words::tests::transition;

    fn silence(id: &str, matchers: &str, from: i64, to: Option<i64>) -> Silence {
        let matchers = Matchers::parse(matchers).unwrap().written();
        let (author, reason) = (String::new(), String::new());
        let of =
            records::Silence { id: id.into(), matchers, from, to, recurrence: None, author, reason, created_at: 0 };
        Silence::new(of).unwrap()
    }

    fn policy(routing: Routing) -> Policy {
        let mut receiver = ReceiverConfig::webhook("ops", "http://localhost");
        receiver.routing = Arc::new(routing);
        Policy::new(&receiver)
    }

    #[test]
    fn a_silence_counts_by_the_tick_and_ends_by_the_clock() {
        let t = transition();
        let ms = t.tick * 1_000;
        let mut policy = policy(Routing::default());
        let mut holds = |from: i64, to: Option<i64>, now: i64| {
            policy.said([silence("s", "slo=checkout", from, to)].into_iter(), std::iter::empty());
            policy.holds(&t, Some(0), now).map(|hold| (hold.by, hold.until))
        };
        let by = |until| Some(("s".to_owned(), until));
        assert_eq!(holds(ms + 500, None, ms + 1_200), by(None), "it came before anybody could know");
        assert_eq!(holds(ms + 1_000, None, ms + 1_200), None, "it came later");
        assert_eq!(holds(ms - 500, Some(ms + 60_000), ms + 1_200), by(Some(ms + 60_000)));
        assert_eq!(holds(ms - 500, Some(ms + 60_000), ms + 60_000), None, "it is over by the clock");
    }

    #[test]
    fn the_first_reason_is_told_and_an_acknowledgement_ends_reminders_of_its_episode() {
        let mut nights = TimeInterval::default();
        nights.time("00:00", "24:00").unwrap();
        let root = Route { mute: vec!["nights".to_owned()], ..Route::default() };
        let inhibition = Inhibition {
            source: Matchers::parse("severity=page").unwrap(),
            target: Matchers::parse("severity=ticket").unwrap(),
            ..Inhibition::default()
        };
        let mut policy = policy(Routing {
            root: Some(root),
            inhibitions: vec![inhibition],
            intervals: [("nights".to_owned(), vec![nights])].into(),
            ..Routing::default()
        });
        let t = AlertTransition { severity: "ticket".to_owned(), ..transition() };
        let now = t.tick * 1_000 + 1_500;
        let reason = |policy: &Policy| policy.holds(&t, Some(0), now).map(|hold| (hold.reason, hold.words()));
        assert_eq!(reason(&policy), Some((NotificationReason::Muted, "its route is mute: nights".to_owned())));
        assert_eq!(policy.holds(&t, Some(0), now).unwrap().until.map(|at| at % MINUTE_MS), Some(0));
        policy.fires(&AlertTransition { alert_id: "p".to_owned(), ..transition() });
        assert_eq!(reason(&policy), Some((NotificationReason::Inhibited, "held back by alert p".to_owned())));
        policy.said([silence("s", "service=payments", 0, None)].into_iter(), std::iter::empty());
        assert_eq!(reason(&policy), Some((NotificationReason::Silenced, "silenced by s".to_owned())));
    }

    #[test]
    fn nobody_is_reminded_of_what_somebody_looks_after() {
        let t = transition();
        let mut policy = policy(Routing::default());
        assert_eq!(policy.quiet(&t, Some(0), 0), None);
        let ack = |episode| Acknowledgement {
            alert_id: t.alert_id.clone(),
            episode,
            owner: "ada".to_owned(),
            reason: String::new(),
            at: 0,
        };
        policy.said(std::iter::empty(), [ack(t.episode)].into_iter());
        let why = policy.quiet(&t, Some(0), 0).map(|hold| (hold.reason, hold.words()));
        assert_eq!(why, Some((NotificationReason::Acknowledged, "acknowledged by ada".to_owned())));
        policy.said(std::iter::empty(), [ack(t.episode - 60)].into_iter());
        assert_eq!(policy.quiet(&t, Some(0), 0), None, "another episode");
    }
}
