//! A3 and A2 at the receivers of a world: who had to be told of what, who must not have been, and what history says of it. Routes,
//! inhibition and mute times are looked at one after the other, without what the notifier has for them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use slipstream_log::memory::MemoryLog;
use slipstream_runtime::config::{Inhibition, Route, Routing};
use slipstream_schemas::Topic;
use slipstream_schemas::records::{AlertTransition, Notification, NotificationReason, Outcome, TransitionKind};
use slipstream_slo::alerts::{Labels, Silence, labels};
use slipstream_testkit::faults::told::{Key, told};
use slipstream_testkit::verdict;

use crate::plan::Silenced;
use crate::policy::{ACTIVE, MUTE};
use crate::weather::BEGIN;
use crate::world::World;

/// Between a decision and its arrival at most: a process may be frozen meanwhile.
const UNDER_WAY_MS: i64 = 12_000;

/// Transitions of which receivers are told, and what became of them.
pub struct Story {
    /// In the order of their partition.
    transitions: Vec<AlertTransition>,
    notes: Vec<Notification>,
}

impl Story {
    /// What a log says.
    pub async fn of(log: &MemoryLog) -> Result<Story> {
        let all: Vec<AlertTransition> = verdict::all(log, Topic::Alerts).await?;
        let transitions = all.into_iter().filter(|t| t.kind.is_told()).collect();
        Ok(Story { transitions, notes: verdict::all(log, Topic::Notifications).await? })
    }

    /// Of each alert its last transition.
    fn last(&self) -> BTreeMap<&str, &AlertTransition> {
        self.transitions.iter().map(|t| (t.alert_id.as_str(), t)).collect()
    }

    /// What fires at the end.
    fn firing(&self) -> impl Iterator<Item = &AlertTransition> {
        self.last().into_values().filter(|t| t.kind != TransitionKind::Resolved)
    }

    fn notes_of<'s>(&'s self, receiver: &'s str, t: &'s AlertTransition) -> impl Iterator<Item = &'s Notification> {
        let of = move |n: &&Notification| {
            n.receiver == receiver && (&n.alert_id, n.episode, n.seq) == (&t.alert_id, t.episode, t.seq)
        };
        self.notes.iter().filter(of)
    }

    /// What still fires at the end, and a receiver that a route leads to was not told of although nothing holds it back.
    pub fn lacking(&self, routing: &Routing, receiver: &str) -> Option<&AlertTransition> {
        let firing: Vec<&AlertTransition> = self.firing().collect();
        firing.iter().copied().filter(|t| leads(routing, receiver, &labels(t)).is_some()).find(|t| {
            let told = self.notes_of(receiver, t).any(|n| n.outcome == Outcome::Delivered && !n.repeated);
            let held = self.notes_of(receiver, t).last().is_some_and(|n| n.outcome == Outcome::HeldBack);
            let inhibited = firing.iter().any(|source| inhibits(routing, source, t));
            !(told || held && inhibited)
        })
    }
}

/// What became of notifications: how many, by outcome and reason.
type Fates = BTreeMap<(&'static str, &'static str), usize>;

/// A3, A2: what each receiver was told. Returns how many deliveries, and what became of notifications.
pub async fn receivers(world: &World) -> Result<(usize, Fates)> {
    let story = Story::of(&world.log).await?;
    let mut deliveries = 0;
    for receiver in &world.receivers {
        let (name, routing) = (receiver.name.as_str(), world.routing());
        let told = told(&story.transitions, &story.notes, &receiver.deliveries(), name)?;
        deliveries += told.deliveries;
        let lacking = story.lacking(routing, name);
        ensure!(lacking.is_none(), "A3: {name} was not told of {lacking:#?}");
        for note in story.notes.iter().filter(|n| n.receiver == name) {
            noted(&story, routing, note)?;
        }
        silent(world, &story, name)?;
        held_back(world, &story, name, &told.first)?;
        ends(&story, name)?;
    }
    let mut fates = Fates::new();
    for note in &story.notes {
        let outcome = if note.repeated { "reminder" } else { note.outcome.name() };
        *fates.entry((outcome, note.reason.name())).or_default() += 1;
    }
    Ok((deliveries, fates))
}

/// The history is right: what was not sent had its reason.
fn noted(story: &Story, routing: &Routing, note: &Notification) -> Result<()> {
    let of = |t: &&AlertTransition| (&t.alert_id, t.episode, t.seq) == (&note.alert_id, note.episode, note.seq);
    let t = story.transitions.iter().find(of);
    let t = t.with_context(|| format!("A3: a notification without a transition: {note:#?}"))?;
    let labels = labels(t);
    let routed = leads(routing, &note.receiver, &labels);
    let right = match (note.outcome, note.reason) {
        (Outcome::NotDue | Outcome::Delivered, NotificationReason::NoRoute) => routed.is_none(),
        (Outcome::NotDue, NotificationReason::Untold) => t.kind == TransitionKind::Resolved,
        // It was late, or another one of its group.
        (Outcome::NotDue, NotificationReason::Superseded | NotificationReason::Missed) => {
            story.transitions.iter().any(|late| note.at - late.tick * 1_000 > 60_000)
        }
        (Outcome::NotDue, reason) if note.repeated => HELD.contains(&reason),
        (Outcome::HeldBack, NotificationReason::Muted) => routed.is_some_and(|route| !route.quiet().is_empty()),
        (Outcome::HeldBack, NotificationReason::Inhibited) => {
            let by = story.transitions.iter().filter(|source| source.alert_id == note.by);
            by.into_iter().any(|source| inhibits(routing, source, t))
        }
        (Outcome::HeldBack, reason) => HELD.contains(&reason),
        (Outcome::Delivered, _) => routed.is_some() || t.kind == TransitionKind::Resolved,
        (Outcome::Failed, _) => true,
        _ => false,
    };
    ensure!(right, "A3: {note:#?} {t:#?}");
    Ok(())
}

const HELD: [NotificationReason; 3] =
    [NotificationReason::Silenced, NotificationReason::Inhibited, NotificationReason::Muted];

/// A silence that everybody could know before an alert's tick, and that applies until the alert is told, held it back before.
fn silent(world: &World, story: &Story, receiver: &str) -> Result<()> {
    let key = |n: &Notification| (n.alert_id.clone(), n.episode, n.seq);
    let mine = || story.notes.iter().filter(|n| n.receiver == receiver && !n.repeated);
    let held: BTreeSet<Key> = mine().filter(|n| n.outcome == Outcome::HeldBack).map(key).collect();
    let told = mine().filter(|n| n.outcome == Outcome::Delivered && n.kind != TransitionKind::Resolved.name());
    for note in told.filter(|n| !held.contains(&key(n))) {
        let of = |t: &&AlertTransition| (&t.alert_id, t.episode, t.seq) == (&note.alert_id, note.episode, note.seq);
        let t = story.transitions.iter().find(of).context("A3: a notification without a transition")?;
        for silenced in last_words(world) {
            let known = BEGIN + silenced.at + silenced.visible_after <= t.tick * 1_000;
            let silence = Silence::new(silenced.silence.clone())?;
            let applies = |at: i64| silence.applies(at).is_some();
            let hides = known && silence.matches(&labels(t)) && applies(t.tick * 1_000 + 999) && applies(note.at);
            ensure!(!hides, "A3: told in spite of {}: {note:#?} {t:#?}", silenced.silence.id);
        }
    }
    Ok(())
}

/// The silences as they were said last.
fn last_words(world: &World) -> Vec<&Silenced> {
    let last: BTreeMap<&str, &Silenced> = world.silences().iter().map(|s| (s.silence.id.as_str(), s)).collect();
    last.into_values().collect()
}

/// Nothing that fires came to a receiver while its route was mute, or while another alert held it back that fired before it.
fn held_back(world: &World, story: &Story, receiver: &str, first: &HashMap<Key, SystemTime>) -> Result<()> {
    for (place, t) in story.transitions.iter().enumerate().filter(|(_, t)| t.kind != TransitionKind::Resolved) {
        let Some(arrived) = first.get(&(t.alert_id.clone(), t.episode, t.seq)) else { continue };
        let at = arrived.duration_since(UNIX_EPOCH)?.as_millis() as i64;
        let Some(applied) = leads(world.routing(), receiver, &labels(t)) else { continue };
        ensure!(!applied.is_mute(at - BEGIN), "A3: {receiver} was told at {at} at a mute time: {t:#?}");
        if world.alone() {
            let by = source_of(world.routing(), &story.transitions, place, at);
            ensure!(by.is_none(), "A3: {receiver} was told at {at} in spite of {by:#?}: {t:#?}");
        }
    }
    Ok(())
}

/// What fired before a transition, held it back, and went on until a time. Read in order, so whoever decided knew it.
fn source_of<'t>(routing: &Routing, all: &'t [AlertTransition], place: usize, at: i64) -> Option<&'t AlertTransition> {
    let target = &all[place];
    let before: BTreeMap<&str, &AlertTransition> = all[..place].iter().map(|t| (t.alert_id.as_str(), t)).collect();
    before.into_values().find(|source| {
        let next = all[place..].iter().find(|t| t.alert_id == source.alert_id);
        // Before the end of its tick nobody knows a transition.
        let goes_on = next.is_none_or(|next| next.tick * 1_000 > at);
        source.kind != TransitionKind::Resolved && goes_on && inhibits(routing, source, target)
    })
}

/// A2: an end is told where its beginning was, or may have been; and only there.
fn ends(story: &Story, receiver: &str) -> Result<()> {
    for end in story.transitions.iter().filter(|t| t.kind == TransitionKind::Resolved) {
        let mut has = false;
        let episode = |t: &&AlertTransition| (&t.alert_id, t.episode) == (&end.alert_id, end.episode);
        for t in story.transitions.iter().filter(episode).filter(|t| t.kind != TransitionKind::Resolved) {
            for note in story.notes_of(receiver, t).filter(|n| !n.repeated) {
                has = match (note.outcome, note.reason) {
                    (Outcome::Delivered, reason) => reason != NotificationReason::NoRoute,
                    (Outcome::Failed, NotificationReason::InDoubt) => true,
                    _ => has,
                };
            }
        }
        let settled = story.notes_of(receiver, end).filter(|n| n.outcome != Outcome::Failed).last();
        let told = settled.is_some_and(|note| note.outcome == Outcome::Delivered);
        ensure!(told || !has, "A2: {receiver} was told of the beginning, and not of the end: {settled:#?} {end:#?}");
    }
    Ok(())
}

/// A route as it applies.
pub struct Applied<'r>(&'r Route);

impl Applied<'_> {
    /// The intervals in which nothing is told, milliseconds after the start of the world.
    fn quiet(&self) -> Vec<(i64, i64)> {
        let mute = MUTE.iter().filter(|(name, ..)| self.0.mute.iter().any(|mute| mute == name));
        let mut quiet: Vec<(i64, i64)> = mute.map(|(_, from, to)| (*from, *to)).collect();
        if !self.0.active.is_empty() {
            quiet.push((i64::MIN / 2, ACTIVE.1));
        }
        quiet
    }

    fn is_mute(&self, at: i64) -> bool {
        self.quiet()
            .into_iter()
            .any(|(from, to)| (from.max(0)..to).contains(&at) && (from <= 0 || at - from > UNDER_WAY_MS))
    }
}

/// The first route that leads an alert to a receiver; of a world without routes all do.
fn leads<'r>(routing: &'r Routing, receiver: &str, labels: &Labels) -> Option<Applied<'r>> {
    static EVERY: std::sync::LazyLock<Route> = std::sync::LazyLock::new(Route::default);
    let Some(root) = &routing.root else { return Some(Applied(&EVERY)) };
    let taken = taken_by(root, "", labels);
    taken.into_iter().find(|(to, _)| *to == receiver).map(|(_, route)| Applied(route))
}

/// The routes that keep an alert, each with its receiver.
fn taken_by<'r>(route: &'r Route, above: &'r str, labels: &Labels) -> Vec<(&'r str, &'r Route)> {
    if !route.matchers.match_all(|name| labels.get(name).map(String::as_str)) {
        return Vec::new();
    }
    let receiver = route.receiver.as_deref().unwrap_or(above);
    let mut all = Vec::new();
    for below in &route.routes {
        let taken = taken_by(below, receiver, labels);
        let stop = !taken.is_empty() && !below.goes_on;
        all.extend(taken);
        if stop {
            break;
        }
    }
    if all.is_empty() { vec![(receiver, route)] } else { all }
}

/// Whether one alert holds back another one, by any rule.
fn inhibits(routing: &Routing, source: &AlertTransition, target: &AlertTransition) -> bool {
    let (of_source, of_target) = (labels(source), labels(target));
    let fits = |matchers: &slipstream_definitions::matchers::Matchers, labels: &Labels| {
        matchers.match_all(|name| labels.get(name).map(String::as_str))
    };
    let by = |rule: &Inhibition| {
        let two_sided = fits(&rule.source, &of_target) && fits(&rule.target, &of_source);
        let agree = rule.equal.iter().all(|label| of_source.get(label) == of_target.get(label));
        let depends = || match (of_target.get("service"), of_source.get("service")) {
            (Some(service), Some(on)) => service != on && depends(routing, service, on, 0),
            _ => false,
        };
        fits(&rule.source, &of_source)
            && fits(&rule.target, &of_target)
            && !two_sided
            && agree
            && (!rule.dependants || depends())
    };
    source.alert_id != target.alert_id && routing.inhibitions.iter().any(by)
}

/// Whether a service calls another one, directly or through others.
fn depends(routing: &Routing, service: &str, on: &str, depth: usize) -> bool {
    let calls = routing.dependencies.get(service).into_iter().flatten();
    depth < 4 && calls.into_iter().any(|called| called == on || depends(routing, called, on, depth + 1))
}
