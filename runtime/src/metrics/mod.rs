//! Metrics in the process-wide Prometheus registry. Names begin with `slipstream_`; units are base units, written out:
//! `_seconds`, `_bytes`; counters end in `_total`. What is made at each scrape, out of what is known then, comes from a [`Source`];
//! a [`Page`] has both.

mod family;
mod page;

pub use family::{Exemplar, Family, Kind, Labels, Sample, Source, Value};
pub use page::{Format, Names, Page};

use prometheus::{GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts};

/// Registers a counter; call once, from a `LazyLock`.
///
/// # Panics
/// When the name is malformed or registered already: a mistake in the program.
pub fn counter(name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    assert!(name.ends_with("_total"), "metric {name}: counters end in _total");
    let vec = IntCounterVec::new(Opts::new(name, help), labels).unwrap_or_else(|e| panic!("metric {name}: {e}"));
    register(name, vec.clone());
    vec
}

/// Registers a gauge; call once, from a `LazyLock`.
///
/// # Panics
/// When the name is malformed or registered already: a mistake in the program.
pub fn gauge(name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
    let vec = IntGaugeVec::new(Opts::new(name, help), labels).unwrap_or_else(|e| panic!("metric {name}: {e}"));
    register(name, vec.clone());
    vec
}

/// Registers a gauge of seconds: a duration, or a time since 1970. Call once, from a `LazyLock`.
///
/// # Panics
/// When the name is malformed or registered already: a mistake in the program.
pub fn seconds(name: &str, help: &str, labels: &[&str]) -> GaugeVec {
    let vec = GaugeVec::new(Opts::new(name, help), labels).unwrap_or_else(|e| panic!("metric {name}: {e}"));
    register(name, vec.clone());
    vec
}

/// Registers a histogram in seconds; call once, from a `LazyLock`.
///
/// # Panics
/// When the name is malformed or registered already: a mistake in the program.
pub fn histogram(name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> HistogramVec {
    let opts = HistogramOpts::new(name, help).buckets(buckets.to_vec());
    let vec = HistogramVec::new(opts, labels).unwrap_or_else(|e| panic!("metric {name}: {e}"));
    register(name, vec.clone());
    vec
}

fn register(name: &str, collector: impl prometheus::core::Collector + 'static) {
    if let Err(e) = prometheus::register(Box::new(collector)) {
        panic!("metric {name}: {e}");
    }
}

/// The metrics of the registry in Prometheus' text format.
pub fn render() -> String {
    Page::default().render(Format::Text, &Names::default())
}
