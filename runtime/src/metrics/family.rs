//! Metrics as they are told: families of samples.

use std::sync::Arc;
use std::time::SystemTime;

use prometheus::proto::{self, MetricType};

/// Labels and their values, shared by the samples of one thing.
pub type Labels = Arc<[(String, String)]>;

/// Metrics of one name.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// Its name; of a counter, with its `_total`.
    pub name: String,
    /// A sentence.
    pub help: String,
    /// Of what kind all of its samples are.
    pub kind: Kind,
    /// One for each set of labels.
    pub samples: Vec<Sample>,
}

/// Kinds of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only rises, until the process ends.
    Counter,
    /// How it is now.
    Gauge,
    /// How values are spread.
    Histogram,
}

/// A value and what it is of.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// What it is of.
    pub labels: Labels,
    /// What sets it apart from others of that.
    pub own: Option<(&'static str, String)>,
    /// The value.
    pub value: Value,
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A number, of a counter or a gauge; and one of the things that were counted, where that is known.
    Number(f64, Option<Exemplar>),
    /// How values are spread.
    Spread {
        /// Sum of the values.
        sum: f64,
        /// How many.
        count: u64,
        /// Upper bounds, the last of them infinite, and how many values are in each bucket alone.
        buckets: Vec<(f64, u64)>,
    },
}

/// One of the things that were counted.
#[derive(Debug, Clone, PartialEq)]
pub struct Exemplar {
    /// Where to find it: `trace_id` and the like. OpenMetrics allows 128 characters in all.
    pub labels: Vec<(String, String)>,
    /// When it was.
    pub time: SystemTime,
}

impl Exemplar {
    /// Most characters of its labels, names and values (OpenMetrics 1.0, "Exemplars").
    pub const MOST: usize = 128;

    /// With as many of the labels as fit, the first ones first; `None` if none fits.
    pub fn of(labels: impl IntoIterator<Item = (&'static str, String)>, time: SystemTime) -> Option<Exemplar> {
        let mut left = Self::MOST;
        let mut fitting = Vec::new();
        for (name, value) in labels {
            let length = name.chars().count() + value.chars().count();
            if !value.is_empty() && length <= left {
                left -= length;
                fitting.push((name.to_owned(), value));
            }
        }
        (!fitting.is_empty()).then_some(Exemplar { labels: fitting, time })
    }
}

/// Somebody who has metrics to tell at each scrape.
pub trait Source: Send + Sync {
    /// What he knows now. `also` are those of his [`Source::names`] that were asked for.
    fn families(&self, also: &[&str]) -> Vec<Family>;

    /// Names that metrics are told by besides, where that is asked for.
    fn names(&self) -> &'static [&'static str] {
        &[]
    }
}

impl Family {
    /// A gauge without samples.
    pub fn gauge(name: &str, help: &str) -> Family {
        Family { name: name.to_owned(), help: help.to_owned(), kind: Kind::Gauge, samples: Vec::new() }
    }

    /// A counter without samples.
    pub fn counter(name: &str, help: &str) -> Family {
        Family { kind: Kind::Counter, ..Family::gauge(name, help) }
    }

    /// Adds a number.
    pub fn push(&mut self, labels: &Labels, value: f64) {
        self.samples.push(Sample { labels: labels.clone(), own: None, value: Value::Number(value, None) });
    }

    /// Adds a number that a label sets apart from others.
    pub fn push_own(&mut self, labels: &Labels, own: (&'static str, String), value: f64) {
        self.samples.push(Sample { labels: labels.clone(), own: Some(own), value: Value::Number(value, None) });
    }

    /// What the registry has; `None` for a kind that we do not use.
    pub(super) fn of_registry(family: &proto::MetricFamily) -> Option<Family> {
        let kind = match family.get_field_type() {
            MetricType::COUNTER => Kind::Counter,
            MetricType::GAUGE => Kind::Gauge,
            MetricType::HISTOGRAM => Kind::Histogram,
            MetricType::SUMMARY | MetricType::UNTYPED => return None,
        };
        let samples = family.get_metric().iter().map(|metric| Sample::of_registry(kind, metric)).collect();
        Some(Family { name: family.name().to_owned(), help: family.help().to_owned(), kind, samples })
    }
}

impl Sample {
    fn of_registry(kind: Kind, metric: &proto::Metric) -> Sample {
        let labels = metric.get_label().iter().map(|pair| (pair.name().to_owned(), pair.value().to_owned())).collect();
        let value = match kind {
            Kind::Counter => Value::Number(metric.get_counter().get_value(), None),
            Kind::Gauge => Value::Number(metric.get_gauge().get_value(), None),
            Kind::Histogram => spread(metric.get_histogram()),
        };
        Sample { labels, own: None, value }
    }
}

/// The registry counts up from bucket to bucket, and leaves the last one out.
fn spread(histogram: &proto::Histogram) -> Value {
    let count = histogram.get_sample_count();
    let bounds = histogram.get_bucket().iter().map(|bucket| (bucket.upper_bound(), bucket.cumulative_count()));
    let bounds = bounds.filter(|(bound, _)| bound.is_finite()).chain([(f64::INFINITY, count)]);
    let mut below = 0;
    let buckets = bounds.map(|(bound, up_to)| (bound, up_to.saturating_sub(std::mem::replace(&mut below, up_to))));
    Value::Spread { sum: histogram.get_sample_sum(), count, buckets: buckets.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exemplar_has_what_fits() {
        let time = SystemTime::UNIX_EPOCH;
        let labels = |exemplar: Option<Exemplar>| {
            exemplar.map(|e| e.labels.into_iter().map(|(name, _)| name).collect::<Vec<_>>()).unwrap_or_default()
        };
        let (short, long) = ("a".repeat(32), "b".repeat(200));
        let both = [("trace_id", short.clone()), ("event_id", "e-1".to_owned())];
        assert_eq!(labels(Exemplar::of(both, time)), ["trace_id", "event_id"]);
        assert_eq!(labels(Exemplar::of([("trace_id", short.clone()), ("event_id", long.clone())], time)), ["trace_id"]);
        assert_eq!(labels(Exemplar::of([("trace_id", long.clone()), ("event_id", short)], time)), ["event_id"]);
        assert!(Exemplar::of([("trace_id", String::new()), ("event_id", long)], time).is_none());
        // To the character: 8 for the name and 120 for the value.
        assert!(Exemplar::of([("trace_id", "é".repeat(120))], time).is_some());
        assert!(Exemplar::of([("trace_id", "é".repeat(121))], time).is_none());
    }
}
