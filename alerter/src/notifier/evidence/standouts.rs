//! What bad requests have in common: values with a far greater share of them than of the others.

use serde::Serialize;
use slipstream_query::history::{Breakdown, Evidence, ValueCounts};

/// A value stands out if it has at least this share of the bad requests, ...
const MUCH: f64 = 0.3;
/// ... and this many times its share of the good ones.
const FAR_ABOVE: f64 = 1.5;
/// An endpoint is told with this share of the bad requests, whatever its share of the others.
const SOME: f64 = 0.1;
/// Values of a dimension that are told at most, ...
const MOST_OF_ONE: usize = 3;
/// ... and of all.
const MOST: usize = 8;

/// A value, and how much of it is in bad requests.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Contributor {
    /// `endpoint`, `status_class`, `status_code`, `attributes.KEY`, `service`.
    pub dimension: String,
    /// The value.
    pub value: String,
    /// Its share of the bad requests.
    pub share_of_bad: f64,
    /// Its share of all requests.
    pub share_of_all: f64,
    /// Whether only a sample was counted.
    pub sample: bool,
}

/// The endpoints with the most bad requests, and everything else that stands out.
pub fn contributors(evidence: &Evidence) -> Vec<Contributor> {
    let mut told: Vec<Contributor> = Vec::new();
    for dimension in ["service", "endpoint", "status_class", "status_code"] {
        let breakdown = evidence.breakdowns.iter().filter(|breakdown| breakdown.dimension == dimension);
        told.extend(breakdown.flat_map(of));
    }
    let mut others: Vec<Contributor> =
        evidence.breakdowns.iter().filter(|b| b.dimension.starts_with("attributes.")).flat_map(of).collect();
    let lead = |c: &Contributor| c.share_of_bad - c.share_of_all;
    others.sort_by(|a, b| lead(b).total_cmp(&lead(a)));
    told.extend(others);
    told.truncate(MOST);
    told
}

/// Of one dimension.
fn of(breakdown: &Breakdown) -> Vec<Contributor> {
    let always = breakdown.dimension == "endpoint";
    // What has no value of an attribute is counted, and not told.
    let told = breakdown.values.iter().filter(|value| !value.value.is_empty()).filter(|value| {
        share(value.bad, breakdown.bad) >= SOME && (always || stands_out(breakdown, value)) && breakdown.bad > 0
    });
    told.take(MOST_OF_ONE).map(|value| contributor(breakdown, value)).collect()
}

fn contributor(breakdown: &Breakdown, value: &ValueCounts) -> Contributor {
    Contributor {
        dimension: breakdown.dimension.clone(),
        value: value.value.clone(),
        share_of_bad: share(value.bad, breakdown.bad),
        share_of_all: share(value.total, breakdown.total),
        sample: breakdown.sampled,
    }
}

/// Whether bad requests have a value far more often than good ones. What all requests have stands out only as a status: that says
/// what is wrong, and not where.
pub fn stands_out(breakdown: &Breakdown, value: &ValueCounts) -> bool {
    let of_bad = share(value.bad, breakdown.bad);
    let of_good = share(value.total - value.bad, breakdown.total - breakdown.bad);
    let is_everywhere = value.total == breakdown.total && !breakdown.dimension.starts_with("status_");
    of_bad >= MUCH && of_bad >= FAR_ABOVE * of_good && !is_everywhere
}

/// To four digits; 0 of nothing.
pub fn share(part: i64, whole: i64) -> f64 {
    if whole <= 0 { 0.0 } else { (part as f64 / whole as f64 * 10_000.0).round() / 10_000.0 }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A breakdown of values: bad, total.
    pub(crate) fn by(dimension: &str, sampled: bool, values: &[(&str, i64, i64)]) -> Breakdown {
        let counts = |(value, bad, total): &(&str, i64, i64)| ValueCounts {
            value: (*value).to_owned(),
            bad: *bad,
            total: *total,
        };
        Breakdown {
            dimension: dimension.to_owned(),
            sampled,
            bad: values.iter().map(|(_, bad, _)| bad).sum(),
            total: values.iter().map(|(.., total)| total).sum(),
            values: values.iter().map(counts).collect(),
            of: values.len(),
        }
    }

    fn told(breakdowns: Vec<Breakdown>) -> Vec<String> {
        let evidence = Evidence { breakdowns, ..Evidence::default() };
        let told = |c: &Contributor| format!("{}={} {} {}", c.dimension, c.value, c.share_of_bad, c.share_of_all);
        contributors(&evidence).iter().map(told).collect()
    }

    #[test]
    fn endpoints_are_told_and_else_what_stands_out() {
        let routes = by("endpoint", false, &[("POST /pay", 90, 100), ("GET /pay/{id}", 10, 100), ("GET /", 1, 800)]);
        let codes = by("status_code", true, &[("503", 101, 101), ("200", 0, 899)]);
        let region = by("attributes.region", true, &[("eu", 50, 500), ("us", 51, 500)]);
        let version = by("attributes.version", true, &[("2", 101, 300), ("1", 0, 700)]);
        assert_eq!(
            told(vec![region, version, codes, routes]),
            ["endpoint=POST /pay 0.8911 0.1", "status_code=503 1 0.101", "attributes.version=2 1 0.3",]
        );
    }

    #[test]
    fn what_all_requests_have_is_no_news_but_their_status_is() {
        let everything = |dimension| by(dimension, true, &[("x", 100, 100)]);
        assert_eq!(told(vec![everything("attributes.region"), everything("status_code")]), ["status_code=x 1 1"]);
        assert_eq!(told(vec![by("endpoint", true, &[("/", 0, 10)])]), [""; 0], "nothing was bad");
    }
}
