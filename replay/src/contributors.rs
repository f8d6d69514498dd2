//! What the bad events of a series have in common: values of each dimension, with their share of the bad events and of all.

use std::collections::{BTreeMap, BTreeSet};

use slipstream_schemas::event::EventView;

use crate::outcome::{Contributor, Contributors};

/// Values that are told of each dimension.
const TOLD: usize = 10;
/// A dimension with more values than this, such as an attribute that each request has of its own, says nothing in common.
const VALUES: usize = 100_000;

/// Counts by dimension and value.
#[derive(Debug, Clone, Default)]
pub struct Makeup {
    /// Per dimension and value: bad, good or bad.
    dimensions: BTreeMap<String, BTreeMap<String, [i64; 2]>>,
    /// Of all events: bad, good or bad.
    all: [i64; 2],
    /// Dimensions with too many values.
    wide: BTreeSet<String>,
}

impl Makeup {
    /// Adds events that are all like this one.
    pub fn add_event(&mut self, event: &EventView<'_>, bad: i64, total: i64) {
        (self.all[0], self.all[1]) = (self.all[0] + bad, self.all[1] + total);
        self.add("service", &event.service, bad, total);
        self.add("environment", &event.environment, bad, total);
        self.add("endpoint", &event.endpoint, bad, total);
        self.add("method", &event.method, bad, total);
        self.add("status_code", &event.status_code.to_string(), bad, total);
        for (key, value) in &event.attributes {
            self.add(&format!("attributes.{key}"), value, bad, total);
        }
    }

    /// Adds events of one value of a dimension.
    fn add(&mut self, dimension: &str, value: &str, bad: i64, total: i64) {
        if self.wide.contains(dimension) {
            return;
        }
        if !self.dimensions.contains_key(dimension) {
            self.dimensions.insert(dimension.to_owned(), BTreeMap::new());
        }
        let Some(values) = self.dimensions.get_mut(dimension) else { return };
        if let Some(sum) = values.get_mut(value) {
            (sum[0], sum[1]) = (sum[0] + bad, sum[1] + total);
        } else if values.len() < VALUES {
            values.insert(value.to_owned(), [bad, total]);
        } else {
            self.dimensions.remove(dimension);
            self.wide.insert(dimension.to_owned());
        }
    }

    /// Bad events.
    pub fn bad(&self) -> i64 {
        self.all[0]
    }

    /// Events, good or bad.
    pub fn total(&self) -> i64 {
        self.all[1]
    }

    /// The values with bad events, most first; dimensions by name, those of the event before attributes. One that says nothing,
    /// because all events have the same value, is left out.
    pub fn told(&self) -> Vec<Contributors> {
        if self.all[0] == 0 {
            return Vec::new();
        }
        let (attributes, fields): (Vec<_>, Vec<_>) =
            self.dimensions.iter().partition(|(name, _)| name.starts_with("attributes."));
        let told = fields.into_iter().chain(attributes).filter(|(_, values)| values.len() > 1);
        told.map(|(dimension, values)| self.of(dimension, values)).filter(|found| !found.values.is_empty()).collect()
    }

    fn of(&self, dimension: &str, values: &BTreeMap<String, [i64; 2]>) -> Contributors {
        let mut bad: Vec<(&String, &[i64; 2])> = values.iter().filter(|(_, [bad, _])| *bad > 0).collect();
        bad.sort_by(|(a, [a_bad, a_total]), (b, [b_bad, b_total])| (b_bad, a_total, a).cmp(&(a_bad, b_total, b)));
        let more = bad.len().saturating_sub(TOLD);
        let share = |part: i64, whole: i64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
        let values = bad.into_iter().take(TOLD).map(|(value, [bad, total])| Contributor {
            value: value.clone(),
            bad: *bad,
            total: *total,
            share_of_bad: share(*bad, self.all[0]),
            share_of_all: share(*total, self.all[1]),
        });
        Contributors { dimension: dimension.to_owned(), values: values.collect(), more }
    }
}
