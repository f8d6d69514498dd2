//! A second look at what mattered: the requests of an alert's windows, read one by one with all that they have.
//!
//! The engine counts; who was hit, by what, and which requests made a difference is asked only of the short stretches where an
//! alert was open.

use std::collections::{BTreeMap, HashSet};

use slipstream_definitions::definition::Slo;
use slipstream_schemas::decode::{Attributes, decode};
use slipstream_schemas::event::EventView;
use slipstream_schemas::time::slot;
use slipstream_schemas::{EventTime, LogTime};
use slipstream_slo::matcher::{Active, Matcher, Verdict};
use slipstream_slo::redelivery::{Memory, id_hash};
use slipstream_store::text;

use crate::contributors::Makeup;
use crate::error::ReplayError;
use crate::outcome::{Contributors, Request, RequestChange};
use crate::source::{Block, Reader, Span};

/// Requests that are told of one look.
const TOLD: usize = 20;
/// Users that are told apart; more are not counted.
const USERS: usize = 1_000_000;
/// Values that are told apart of a dimension, by all looks together,
const VALUES: usize = 400_000;
/// but of each look so many at least,
const LEAST: usize = 2_000;
/// and so many at most.
const MOST: usize = 100_000;

/// What is looked at.
#[derive(Debug, Clone)]
pub struct Look {
    /// Requests that the log took then, and that did not happen before it.
    pub span: Span,
    /// By these definitions; by the second, too, where the difference is asked.
    pub sides: [Option<Side>; 2],
}

/// A definition, and which of its series.
#[derive(Debug, Clone)]
pub struct Side {
    /// The definition.
    pub slo: Slo,
    /// Its objective.
    pub objective: String,
    /// Values of groupBy.
    pub group: Vec<String>,
}

/// What a look found.
#[derive(Debug)]
pub struct Found {
    /// Weights of what was bad by any side.
    makeup: Makeup,
    users: HashSet<u64>,
    /// The first that are bad by any side, by the time at which they happened.
    first: BTreeMap<(EventTime, String), RequestChange>,
    /// The first that count differently.
    changes: BTreeMap<(EventTime, String), RequestChange>,
    changed: u64,
}

impl Found {
    /// Nothing yet, by one of so many looks.
    fn one_of(looks: usize) -> Found {
        let values = (VALUES / looks.max(1)).clamp(LEAST, MOST);
        Found {
            makeup: Makeup::new(values),
            users: HashSet::new(),
            first: BTreeMap::new(),
            changes: BTreeMap::new(),
            changed: 0,
        }
    }

    /// Bad requests, and all that count.
    pub fn counts(&self) -> (i64, i64) {
        (self.makeup.bad(), self.makeup.total())
    }

    /// Different users among the bad ones; `None`: none has one.
    pub fn users(&self) -> Option<u64> {
        Some(self.users.len() as u64).filter(|users| *users > 0)
    }

    /// What the bad ones have in common.
    pub fn contributors(&self) -> Vec<Contributors> {
        self.makeup.told()
    }

    /// The first bad ones.
    pub fn first_bad(&self) -> Vec<Request> {
        self.first.values().map(|change| change.request.clone()).collect()
    }

    /// The requests that count differently, and how many there are; without any, the first bad ones.
    pub fn difference(self) -> (Vec<RequestChange>, u64) {
        let told = if self.changed > 0 { self.changes } else { self.first };
        (told.into_values().collect(), self.changed)
    }
}

/// Reads what the looks ask for. Returns what was found for each.
///
/// # Errors
/// When a source cannot be read.
pub fn investigate(looks: &[Look], readers: Vec<Box<dyn Reader>>, window_ms: i64) -> Result<Vec<Found>, ReplayError> {
    let mut looking = Looking::new(looks);
    for mut reader in readers {
        let (mut memory, mut stamp) = (Memory::new(window_ms), LogTime(i64::MIN));
        while let Some(block) = reader.next()? {
            match block {
                Block::Records { batch, count_from } => {
                    for record in batch.iter() {
                        let from = batch.partition.provenance(record.offset());
                        let value = record.value().unwrap_or_default();
                        let Ok(event) = decode(value, &from, Attributes::Read) else { continue };
                        stamp = stamp.max(record.log_time());
                        let first = memory.first_of_hash(id_hash(&event.event_id), record.log_time());
                        if first && record.offset() >= count_from {
                            looking.see(&event, stamp, record.log_time());
                        }
                    }
                }
                Block::Events { events, .. } => {
                    for event in events.iter() {
                        looking.see(&event.view(), event.log_time(), event.log_time());
                    }
                }
            }
        }
    }
    Ok(looking.found)
}

struct Looking<'a> {
    looks: &'a [Look],
    matchers: Vec<[Option<Matcher>; 2]>,
    found: Vec<Found>,
}

impl<'a> Looking<'a> {
    fn new(looks: &'a [Look]) -> Looking<'a> {
        let matcher = |side: &Side| {
            let active = Active { slo: std::sync::Arc::new(side.slo.clone()), generation: 0 };
            Matcher::new(&[active])
        };
        Looking {
            looks,
            matchers: looks.iter().map(|look| look.sides.each_ref().map(|side| side.as_ref().map(matcher))).collect(),
            found: looks.iter().map(|_| Found::one_of(looks.len())).collect(),
        }
    }

    fn see(&mut self, event: &EventView<'_>, stamp: LogTime, log_time: LogTime) {
        let Looking { looks, matchers, found } = self;
        let second = slot(event.time, log_time);
        for ((look, matchers), found) in looks.iter().zip(matchers).zip(found) {
            // Windows are of SLI time: what came then, but happened long before, is in none of them.
            if stamp < look.span.from || stamp >= look.span.to || second < look.span.from.tick() {
                continue;
            }
            let mut verdicts = [None; 2];
            for ((side, matcher), verdict) in look.sides.iter().zip(matchers).zip(&mut verdicts) {
                if let (Some(side), Some(matcher)) = (side, matcher) {
                    *verdict = judge(side, matcher, event);
                }
            }
            found.add(event, verdicts, look.sides[1].is_some());
        }
    }
}

/// How an event counts for a series; `None`: not at all.
fn judge(side: &Side, matcher: &mut Matcher, event: &EventView<'_>) -> Option<Verdict> {
    let mut hits = Vec::new();
    matcher.apply(event, &mut |series, verdict| hits.push((series, verdict)));
    let is_side = |series| {
        let key = matcher.series(series);
        *key.group == *side.group && key.objectives().any(|objective| objective.name == side.objective)
    };
    hits.into_iter().find(|(series, _)| is_side(*series)).map(|(_, verdict)| verdict)
}

impl Found {
    fn add(&mut self, event: &EventView<'_>, verdicts: [Option<Verdict>; 2], compared: bool) {
        let bad = verdicts.contains(&Some(Verdict::Bad));
        let weight = i64::from(event.weight);
        if verdicts.iter().flatten().any(|verdict| *verdict != Verdict::Unknown) {
            self.makeup.add_event(event, if bad { weight } else { 0 }, weight);
        }
        let changed = compared && verdicts[0] != verdicts[1];
        self.changed += u64::from(changed);
        if bad {
            if let Some(user) = event.user_ref.as_deref().filter(|_| self.users.len() < USERS) {
                self.users.insert(id_hash(user));
            }
            keep(&mut self.first, event, verdicts);
        }
        if changed {
            keep(&mut self.changes, event, verdicts);
        }
    }
}

/// Keeps the first of them.
fn keep(
    kept: &mut BTreeMap<(EventTime, String), RequestChange>,
    event: &EventView<'_>,
    verdicts: [Option<Verdict>; 2],
) {
    if kept.len() >= TOLD && kept.last_key_value().is_some_and(|(last, _)| last.0 < event.time) {
        return;
    }
    let [before, after] = verdicts.map(word);
    let change = RequestChange { request: request(event), before, after };
    kept.insert((event.time, event.event_id.to_string()), change);
    if kept.len() > TOLD {
        kept.pop_last();
    }
}

fn word(verdict: Option<Verdict>) -> &'static str {
    match verdict {
        Some(Verdict::Good) => "good",
        Some(Verdict::Bad) => "bad",
        Some(Verdict::Unknown) => "unknown",
        None => "not counted",
    }
}

fn request(event: &EventView<'_>) -> Request {
    Request {
        time: text::micros(event.time),
        event_id: event.event_id.to_string(),
        trace_id: event.trace_id.as_deref().map(str::to_owned),
        service: event.service.to_string(),
        endpoint: event.endpoint.to_string(),
        method: event.method.to_string(),
        status_code: event.status_code,
        latency_ms: event.latency_ms,
        user_ref: event.user_ref.as_deref().map(str::to_owned),
    }
}
