//! Steps as points of a line: a few hundred at most, and a gap where a step is missing.

use super::times::{self, Micros, SECOND};
use crate::outcome::Outcome;

/// Most points of a line.
const MOST: i64 = 360;

/// Some steps that are drawn as one point.
#[derive(Debug)]
pub struct Bucket<'a, S> {
    /// Beginning.
    pub from: Micros,
    /// End.
    pub to: Micros,
    /// Steps in it; none: there are none.
    pub steps: Vec<&'a S>,
}

impl<S> Bucket<'_, S> {
    /// The middle: where what is counted over the whole is drawn.
    pub fn middle(&self) -> Micros {
        self.from + (self.to - self.from) / 2
    }

    /// Length in seconds.
    pub fn seconds(&self) -> f64 {
        (self.to - self.from) as f64 / SECOND as f64
    }

    /// A sum; `None` without steps.
    pub fn sum(&self, of: impl Fn(&S) -> u64) -> Option<f64> {
        (!self.steps.is_empty()).then(|| self.steps.iter().map(|step| of(step)).sum::<u64>() as f64)
    }

    /// The highest; `None` if no step has one.
    pub fn highest(&self, of: impl Fn(&S) -> Option<f64>) -> Option<f64> {
        self.steps.iter().filter_map(|step| of(step)).max_by(f64::total_cmp)
    }

    /// That of the last step.
    pub fn last(&self, of: impl Fn(&S) -> f64) -> Option<f64> {
        self.steps.last().map(|step| of(step))
    }
}

/// How many steps are drawn as one point.
pub fn steps_per_point(outcome: &Outcome) -> i64 {
    let (from, to) = (times::parse(&outcome.from).unwrap_or(0), times::parse(&outcome.to).unwrap_or(0));
    let steps = (to - from).max(0) / (outcome.step_seconds.max(1) * SECOND);
    (steps + MOST - 1).div_euclid(MOST).max(1)
}

/// Steps by time, all of the range, from the first that has a step to the last.
pub fn buckets<'a, S>(outcome: &Outcome, steps: &'a [S], at: impl Fn(&S) -> &str) -> Vec<Bucket<'a, S>> {
    let length = steps_per_point(outcome) * outcome.step_seconds.max(1) * SECOND;
    let end = times::parse(&outcome.to).unwrap_or(Micros::MAX);
    let mut buckets: Vec<Bucket<'a, S>> = Vec::new();
    let timed = steps.iter().filter_map(|step| Some((times::parse(at(step))?, step)));
    for (time, step) in timed.filter(|(time, _)| *time < end) {
        let from = buckets.first().map_or(time, |first| first.from + (time - first.from).div_euclid(length) * length);
        while let Some(next) = buckets.last().map(|last| last.from + length).filter(|next| *next <= from) {
            buckets.push(Bucket { from: next, to: (next + length).min(end), steps: Vec::new() });
        }
        if buckets.is_empty() {
            buckets.push(Bucket { from, to: (from + length).min(end), steps: Vec::new() });
        }
        if let Some(last) = buckets.last_mut() {
            last.steps.push(step);
        }
    }
    buckets
}
