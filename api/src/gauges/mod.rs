//! How SLOs stand, as metrics: for those who have Prometheus already, its dashboards and its alerts.
//!
//! They are the standings of the newest snapshot, and what was counted since the role began ([`Counts`]). There are so many
//! series and no more: every objective has some of its groups before any has all. Where the state has not moved on for a
//! while, nothing is told of it, as if the scrape had failed: what is old would look like what is now.

mod own;
mod series;
mod sli;
mod sloth;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use slipstream_runtime::metrics::{Family, Labels, Source};

use crate::live::Live;
use series::Series;

/// Older than this, standings are not told.
const OLD: Duration = Duration::from_secs(60);

/// See the module.
pub struct Gauges {
    live: Arc<Live>,
    most: usize,
}

impl Gauges {
    /// Of at most so many series.
    pub fn new(live: Arc<Live>, most: usize) -> Gauges {
        Gauges { live, most }
    }
}

impl Source for Gauges {
    fn families(&self, also: &[&str]) -> Vec<Family> {
        let Ok((snapshot, known)) = self.live.now() else { return Vec::new() };
        let none = Labels::default();
        let mut known_until = Family::gauge(
            "slipstream_slo_known_until_timestamp_seconds",
            "Up to when everything is known that SLOs count: the end of the newest tick, Unix time.",
        );
        if let Some(as_of) = snapshot.as_of() {
            known_until.push(&none, as_of as f64);
        }
        if known.stale_for_seconds.is_some_and(|seconds| seconds > OLD.as_secs()) {
            return vec![known_until];
        }
        let (series, left_out) = Series::some(&snapshot, self.most);
        let help = "Series of SLOs that these metrics tell of, and those that metrics.slo_series leaves out.";
        let mut how_many = Family::gauge("slipstream_slo_series", help);
        let shown = |shown: &str| Labels::from([("shown".to_owned(), shown.to_owned())]);
        how_many.push(&shown("true"), series.len() as f64);
        how_many.push(&shown("false"), left_out as f64);
        let mut families = vec![known_until, how_many];
        families.extend(own::families(&series, self.live.counts()));
        if also.contains(&sloth::NAME) {
            families.extend(sloth::families(&series));
        }
        if also.contains(&sli::NAME) {
            families.extend(sli::families(&series));
        }
        families
    }

    fn names(&self) -> &'static [&'static str] {
        &[sloth::NAME, sli::NAME]
    }
}
