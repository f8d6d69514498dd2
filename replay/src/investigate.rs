//! A second look at what mattered: the requests of an alert's windows, read one by one with all that they have.
//!
//! The engine counts; who was hit, by what, and which requests made a difference is asked only of the short stretches where an
//! alert was open.

use std::collections::{BTreeMap, HashSet};

use slipstream_schemas::EventTime;
use slipstream_slo::matcher::Verdict;
use slipstream_slo::redelivery::id_hash;
use slipstream_store::text;

use crate::contributors::{Shapes, shapes};
use crate::engine::Progress;
use crate::error::ReplayError;
use crate::outcome::{Contributors, Request, RequestChange};
use crate::requests::{Again, Judges, Looker, Seen, Side, pass};
use crate::source::Span;

/// Requests that are told of one look.
const TOLD: usize = 20;
/// Users that are told apart by all looks together; more are not counted.
const USERS: usize = 2_000_000;
/// Of each look so many at least, and so many at most.
const USERS_OF_ONE: [usize; 2] = [5_000, 1_000_000];
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
    /// By these definitions.
    pub sides: [Option<Side>; 2],
    /// Whether the difference between them is asked; one that is not there counts nothing.
    pub compared: bool,
}

/// What a look found.
#[derive(Debug)]
pub struct Found {
    /// Weights of what was bad by any side, and of all.
    shapes: Shapes,
    users: Users,
    /// The first that are bad by any side, by SLI time.
    first: BTreeMap<(EventTime, String), RequestChange>,
    /// The first that count differently.
    changes: BTreeMap<(EventTime, String), RequestChange>,
    changed: u64,
}

/// Different users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Users {
    most: usize,
    seen: HashSet<u64>,
    more: bool,
}

impl Users {
    /// None yet; so many are told apart.
    pub fn new(most: usize) -> Users {
        Users { most, seen: HashSet::new(), more: false }
    }

    /// Adds the user of a request.
    pub fn add(&mut self, user: &str) {
        self.add_hash(id_hash(user));
    }

    fn add_hash(&mut self, user: u64) {
        if self.seen.len() < self.most {
            self.seen.insert(user);
        } else {
            self.more |= !self.seen.contains(&user);
        }
    }

    /// Adds those of another.
    pub fn merge(&mut self, other: Users) {
        self.more |= other.more;
        for user in other.seen {
            self.add_hash(user);
        }
    }

    /// How many; `None`: none.
    pub fn count(&self) -> Option<u64> {
        Some(self.seen.len() as u64).filter(|users| *users > 0)
    }

    /// Whether there are more.
    pub fn is_more(&self) -> bool {
        self.more
    }
}

impl Found {
    /// Nothing yet, by one of so many looks.
    fn one_of(looks: usize) -> Found {
        let values = (VALUES / looks.max(1)).clamp(LEAST, MOST);
        let [least, most] = USERS_OF_ONE;
        let users = (USERS / looks.max(1)).clamp(least, most);
        Found {
            shapes: Shapes::new(values, looks),
            users: Users::new(users),
            first: BTreeMap::new(),
            changes: BTreeMap::new(),
            changed: 0,
        }
    }

    /// Bad requests, and all that count.
    pub fn counts(&self) -> (i64, i64) {
        let [bad, total] = self.shapes.all();
        (bad, total)
    }

    /// Different users among the bad ones.
    pub fn users(&self) -> &Users {
        &self.users
    }

    /// What the bad ones have in common, and the first of them.
    pub fn bad(self) -> (Vec<Contributors>, Vec<Request>) {
        let first = self.first.into_values().map(|change| change.request);
        (self.shapes.makeup().told(), first.collect())
    }

    /// The requests that count differently, and how many there are; without any, the first bad ones.
    pub fn difference(self) -> (Vec<RequestChange>, u64) {
        let told = if self.changed > 0 { self.changes } else { self.first };
        (told.into_values().collect(), self.changed)
    }

    /// Adds what another thread found.
    fn merge(&mut self, other: Found) {
        self.shapes.merge(other.shapes);
        self.users.merge(other.users);
        merge(&mut self.first, other.first);
        merge(&mut self.changes, other.changes);
        self.changed += other.changed;
    }

    fn add(&mut self, seen: Seen<'_>, hash: u64, verdicts: [Option<Verdict>; 2], compared: bool) {
        let bad = verdicts.contains(&Some(Verdict::Bad));
        let weight = i64::from(seen.event.weight);
        // Of a difference it is not told what the bad ones have in common.
        if !compared && verdicts.iter().flatten().any(|verdict| *verdict != Verdict::Unknown) {
            self.shapes.add(seen.event, hash, [if bad { weight } else { 0 }, weight]);
        }
        let changed = compared && verdicts[0] != verdicts[1];
        self.changed += u64::from(changed);
        if bad {
            // Of a difference nobody is told whom it hit.
            let user = seen.event.user_ref.as_deref().filter(|_| !compared);
            user.iter().for_each(|user| self.users.add(user));
            keep(&mut self.first, seen, verdicts);
        }
        if changed {
            keep(&mut self.changes, seen, verdicts);
        }
    }
}

/// Looks at requests for all looks.
struct Looking<'l> {
    looks: &'l [Look],
    /// Of each side its look, and which of its two it is.
    owners: Vec<(usize, usize)>,
    judges: Judges<'l>,
    found: Vec<Found>,
    /// What the request of now is for each look, ...
    verdicts: Vec<[Option<Verdict>; 2]>,
    /// ... and for which of them it is something.
    counted: Vec<usize>,
}

impl<'l> Looking<'l> {
    fn new(looks: &'l [Look]) -> Looking<'l> {
        let sides = || {
            let of_look = |(number, look): (usize, &'l Look)| {
                look.sides.iter().enumerate().filter_map(move |(which, side)| Some((side.as_ref()?, (number, which))))
            };
            looks.iter().enumerate().flat_map(of_look)
        };
        // Of a difference no user is kept, and nothing in common.
        let alone = looks.iter().filter(|look| !look.compared).count();
        Looking {
            looks,
            owners: sides().map(|(_, owner)| owner).collect(),
            judges: Judges::new(sides().map(|(side, _)| side)),
            found: looks.iter().map(|_| Found::one_of(alone)).collect(),
            verdicts: vec![[None; 2]; looks.len()],
            counted: Vec::new(),
        }
    }

    fn merge(&mut self, other: Looking<'_>) {
        self.found.iter_mut().zip(other.found).for_each(|(all, found)| all.merge(found));
    }
}

impl Looker for Looking<'_> {
    /// They may be what bad requests have in common.
    fn reads_attributes(&self) -> bool {
        true
    }

    fn see(&mut self, seen: Seen<'_>) {
        let Looking { looks, owners, judges, found, verdicts, counted } = self;
        judges.judge(seen.event, |side, verdict| {
            let (look, which) = owners[side];
            if seen.is_within(looks[look].span) {
                counted.extend((verdicts[look] == [None; 2]).then_some(look));
                verdicts[look][which] = Some(verdict);
            }
        });
        if counted.is_empty() {
            return;
        }
        let hash = shapes::hash(seen.event);
        for look in counted.drain(..) {
            found[look].add(seen, hash, std::mem::take(&mut verdicts[look]), looks[look].compared);
        }
    }
}

/// Reads what the looks ask for. Returns what was found for each; `None` if it was told to stop before it had read everything.
///
/// # Errors
/// When a source cannot be read.
pub fn investigate(
    looks: &[Look],
    again: Again,
    threads: usize,
    progress: &Progress,
) -> Result<Option<Vec<Found>>, ReplayError> {
    let found = pass(again, threads, || Looking::new(looks), progress)?.and_then(|lookers| {
        lookers.into_iter().reduce(|mut all, other| {
            all.merge(other);
            all
        })
    });
    Ok(found.map(|looking| looking.found))
}

/// Keeps the first of them.
fn keep(kept: &mut BTreeMap<(EventTime, String), RequestChange>, seen: Seen<'_>, verdicts: [Option<Verdict>; 2]) {
    let at = seen.sli_time();
    if kept.len() >= TOLD && kept.last_key_value().is_some_and(|(last, _)| last.0 < at) {
        return;
    }
    let [before, after] = verdicts.map(word);
    let change = RequestChange { request: request(seen), before, after };
    kept.insert((at, seen.event.event_id.to_string()), change);
    if kept.len() > TOLD {
        kept.pop_last();
    }
}

/// Keeps the first of both.
fn merge(kept: &mut BTreeMap<(EventTime, String), RequestChange>, other: BTreeMap<(EventTime, String), RequestChange>) {
    kept.extend(other);
    while kept.len() > TOLD {
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

fn request(seen: Seen<'_>) -> Request {
    let event = seen.event;
    Request {
        time: text::micros(event.time),
        sli_time: text::micros(seen.sli_time()),
        event_id: event.event_id.to_string(),
        trace_id: event.trace_id.as_deref().map(str::to_owned),
        service: event.service.to_string(),
        environment: event.environment.to_string(),
        endpoint: event.endpoint.to_string(),
        method: event.method.to_string(),
        status_code: event.status_code,
        latency_ms: event.latency_ms,
        user_ref: event.user_ref.as_deref().map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_users_than_are_told_apart_are_at_least_so_many() {
        let rows: [(&[&str], _, _); 4] = [
            (&[], None, false),
            (&["a", "b", "a", "c"], Some(3), false),
            (&["a", "b", "c", "a", "b"], Some(3), false),
            (&["a", "b", "c", "d", "a"], Some(3), true),
        ];
        for (users, count, more) in rows {
            let mut found = Users::new(3);
            users.iter().for_each(|user| found.add(user));
            assert_eq!((found.count(), found.is_more()), (count, more), "{users:?}");
        }
    }
}
