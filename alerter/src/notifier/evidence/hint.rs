//! What the facts mean, where they leave no doubt: a hint for the diagnosis. No hint without facts.

use std::collections::BTreeMap;

use slipstream_query::history::{Breakdown, Evidence, MARKERS_BEFORE, Sample, ValueCounts};
use slipstream_schemas::records::{AlertTransition, Marker, MarkerKind};
use slipstream_slo::rule::words::{figure, percent};

use super::annotations::Told;
use super::standouts::{share, stands_out};
use super::words::{list, shown};

/// Fewer bad requests say nothing about all.
const ENOUGH: i64 = 5;
/// A share that counts as all of it.
const NEARLY_ALL: f64 = 0.9;
/// A route is alone if it fails so many times as often as the others.
const FAR_WORSE: f64 = 5.0;
/// Routes with less of the traffic say nothing about all of them.
const OF_WEIGHT: f64 = 0.05;
/// Routes fail alike if none fails less than this part of the average.
const ALIKE: f64 = 0.5;
/// Attributes that name what a request depended on.
const DEPENDENCIES: [&str; 6] = ["upstream", "dependency", "peer.service", "server.address", "db.system", "db.name"];

/// What was done shortly before it began.
#[derive(Debug, Clone, PartialEq)]
pub struct Suspect<'a> {
    /// The deploy, or change of configuration.
    pub marker: &'a Marker,
    /// How long before, seconds.
    pub seconds_before: i64,
}

/// What is told of one alert by itself: where it fails, and how.
pub fn of(evidence: &Evidence) -> Vec<String> {
    let by = |dimension: &str| evidence.breakdowns.iter().find(|breakdown| breakdown.dimension == dimension);
    let service = by("service").and_then(only);
    let mut hints = Vec::new();
    if let Some(routes) = by("endpoint") {
        hints.extend(one_route(routes).or_else(|| all_routes(routes, service?)));
    }
    hints.extend(evidence.sample.as_ref().and_then(slow_not_failing));
    hints
}

fn only(services: &Breakdown) -> Option<&str> {
    services.values.first().filter(|_| services.of == 1).map(|value| value.value.as_str())
}

/// One route alone.
fn one_route(routes: &Breakdown) -> Option<String> {
    let worst = routes.values.first().filter(|_| routes.of > 1 && routes.bad >= ENOUGH)?;
    let (bad, total) = (routes.bad - worst.bad, routes.total - worst.total);
    let alone = share(worst.bad, routes.bad) >= NEARLY_ALL
        && total > 0
        && ratio(worst.bad, worst.total) >= FAR_WORSE * ratio(bad, total);
    alone.then(|| {
        let of_bad = percent(share(worst.bad, routes.bad), &[]);
        format!("One route alone: {} has {of_bad} of the bad requests.", shown(&worst.value))
    })
}

/// All routes of a service.
fn all_routes(routes: &Breakdown, service: &str) -> Option<String> {
    let busy: Vec<&ValueCounts> =
        routes.values.iter().filter(|route| share(route.total, routes.total) >= OF_WEIGHT).collect();
    let average = ratio(routes.bad, routes.total);
    let alike = busy.iter().all(|route| ratio(route.bad, route.total) >= ALIKE * average);
    let of_all = share(busy.iter().map(|route| route.total).sum(), routes.total) >= NEARLY_ALL;
    (alike && of_all && busy.len() > 1 && routes.bad >= ENOUGH)
        .then(|| format!("All routes of {} are affected alike ({} of them).", shown(service), busy.len()))
}

/// Latency without errors.
fn slow_not_failing(sample: &Sample) -> Option<String> {
    let latencies = sample.latencies.filter(|_| sample.bad >= ENOUGH && sample.bad_with_errors == 0)?;
    let slowest_good = latencies.slowest_good.filter(|good| latencies.quickest_bad > *good)?;
    Some(format!(
        "Slow, not failing: no bad request has a status of 500 or above, and each took longer (half of them {} ms or more) than any \
         good one ({} ms at most).",
        figure(latencies.median_bad, &[]),
        figure(slowest_good, &[latencies.median_bad])
    ))
}

fn ratio(bad: i64, total: i64) -> f64 {
    if total <= 0 { 0.0 } else { bad as f64 / total as f64 }
}

/// What several services that are bad at once have in common, by alert: nearly all of their bad requests went to the same
/// dependency, and the others did not.
pub fn downstream(told: &[Told<'_>]) -> BTreeMap<String, String> {
    let mut of: BTreeMap<(&str, &str), Vec<(&AlertTransition, &str)>> = BTreeMap::new();
    for (transition, evidence) in told.iter().filter_map(|told| Some((told.transition, told.evidence?))) {
        let Some(service) = evidence.breakdowns.iter().find(|b| b.dimension == "service").and_then(only) else {
            continue;
        };
        for (name, value) in shared(evidence) {
            of.entry((name, value)).or_default().push((transition, service));
        }
    }
    let mut hints = BTreeMap::new();
    for ((name, value), alerts) in of {
        let mut services: Vec<&str> = alerts.iter().map(|(_, service)| *service).collect();
        services.sort_unstable();
        services.dedup();
        if services.len() < 2 {
            continue;
        }
        let services = list(&services);
        let hint = format!("Everything downstream of {}: {services} fail where {name} is that.", shown(value));
        hints.extend(alerts.iter().map(|(t, _)| (t.alert_id.clone(), hint.clone())));
    }
    hints
}

/// Dependencies that nearly all bad requests share, by attribute.
fn shared(evidence: &Evidence) -> impl Iterator<Item = (&str, &str)> {
    evidence.breakdowns.iter().filter_map(|breakdown| {
        let name = breakdown.dimension.strip_prefix("attributes.").filter(|name| DEPENDENCIES.contains(name))?;
        let value = breakdown.values.first().filter(|value| !value.value.is_empty())?;
        let is_it =
            breakdown.bad >= ENOUGH && share(value.bad, breakdown.bad) >= NEARLY_ALL && stands_out(breakdown, value);
        is_it.then_some((name, value.value.as_str()))
    })
}

/// The last deploy or change of configuration in the half hour before the condition began to hold; else in that before the episode
/// did, which has become worse since.
pub fn suspect<'a>(markers: &'a [Marker], t: &AlertTransition) -> Option<Suspect<'a>> {
    let since = t.holds_since.unwrap_or(t.episode);
    [since, t.episode].into_iter().find_map(|began| last_before(markers, began))
}

fn last_before(markers: &[Marker], began: i64) -> Option<Suspect<'_>> {
    let began = began.saturating_mul(1_000_000);
    let before = markers.iter().filter(|marker| {
        matches!(marker.kind, MarkerKind::Deploy | MarkerKind::Config)
            && (0..=MARKERS_BEFORE).contains(&(began - marker.time.0))
    });
    let marker = before.max_by_key(|marker| marker.time)?;
    Some(Suspect { marker, seconds_before: (began - marker.time.0) / 1_000_000 })
}

#[cfg(test)]
mod tests {
    use slipstream_query::history::Latencies;
    use slipstream_schemas::EventTime;

    use super::super::standouts::tests::by;
    use super::*;
    use crate::notifier::words::tests::transition;

    fn evidence(breakdowns: Vec<Breakdown>, sample: Option<Sample>) -> Evidence {
        Evidence { breakdowns, sample, ..Evidence::default() }
    }

    #[test]
    fn routes_say_where_it_fails() {
        let pay = || by("service", false, &[("payment", 100, 1_000)]);
        let two = by("service", false, &[("payment", 50, 500), ("cart", 50, 500)]);
        let one_alone = "One route alone: POST /pay has 98% of the bad requests.";
        let all = "All routes of payment are affected alike (2 of them).";
        for (what, routes, service, want) in [
            ("one of many", &[("POST /pay", 98, 200), ("GET /", 2, 800)][..], pay(), Some(one_alone)),
            ("all", &[("POST /pay", 60, 600), ("GET /", 40, 400)], pay(), Some(all)),
            ("one that is nearly all traffic", &[("POST /pay", 98, 980), ("GET /", 2, 20)], pay(), None),
            ("some of them", &[("/a", 60, 200), ("/b", 40, 200), ("/c", 0, 600)], pay(), None),
            ("there is no other", &[("POST /pay", 100, 1_000)], pay(), None),
            ("all routes, but of two services", &[("POST /pay", 60, 600), ("GET /", 40, 400)], two, None),
            ("too few", &[("POST /pay", 4, 200), ("GET /", 0, 800)], pay(), None),
            ("nothing", &[], pay(), None),
        ] {
            let found = of(&evidence(vec![service, by("endpoint", false, routes)], None));
            assert_eq!(found, want.into_iter().collect::<Vec<_>>(), "{what}");
        }
    }

    #[test]
    fn slow_is_not_failing() {
        let latencies = Latencies { quickest_bad: 301.0, median_bad: 812.0, slowest_good: Some(300.0) };
        let slow = Sample { rows: 100, bad: 40, bad_with_errors: 0, latencies: Some(latencies) };
        let said = of(&evidence(vec![], Some(slow.clone())));
        assert_eq!(
            said,
            [
                "Slow, not failing: no bad request has a status of 500 or above, and each took longer (half of them 812 ms or more) \
              than any good one (300 ms at most)."
            ]
        );
        let mixed = Latencies { quickest_bad: 5.0, ..latencies };
        let all = Latencies { slowest_good: None, ..latencies };
        for (what, sample) in [
            ("one has failed", Sample { bad_with_errors: 1, ..slow.clone() }),
            ("some were quick", Sample { latencies: Some(mixed), ..slow.clone() }),
            ("nothing to compare with", Sample { latencies: Some(all), ..slow.clone() }),
            ("not measured", Sample { latencies: None, ..slow.clone() }),
            ("too few", Sample { bad: 4, ..slow }),
        ] {
            assert_eq!(of(&evidence(vec![], Some(sample))), [""; 0], "{what}");
        }
    }

    #[test]
    fn services_that_share_a_dependency_are_downstream_of_it() {
        let of = |service: &str, dimension: &str| {
            let bank = by(dimension, true, &[("bank", 95, 100), ("mail", 5, 400)]);
            evidence(vec![by("service", false, &[(service, 100, 500)]), bank], None)
        };
        let alert = |id: &str| AlertTransition { alert_id: id.to_owned(), ..transition() };
        let (a, b) = (alert("a"), alert("b"));
        let hint = "Everything downstream of bank: cart and payment fail where upstream is that.";
        for (what, first, second, want) in [
            ("two", of("payment", "attributes.upstream"), of("cart", "attributes.upstream"), vec![hint, hint]),
            ("one service twice", of("cart", "attributes.upstream"), of("cart", "attributes.upstream"), vec![]),
            ("no dependency", of("payment", "attributes.region"), of("cart", "attributes.region"), vec![]),
            ("not the same", of("payment", "attributes.upstream"), of("cart", "attributes.dependency"), vec![]),
        ] {
            let told =
                [Told { transition: &a, evidence: Some(&first) }, Told { transition: &b, evidence: Some(&second) }];
            assert_eq!(downstream(&told).into_values().collect::<Vec<_>>(), want, "{what}");
        }
    }

    #[test]
    fn a_change_shortly_before_is_the_suspect() {
        let t = transition();
        let marker = |kind, seconds_before: i64| Marker {
            id: seconds_before.to_string(),
            kind,
            service: "payments".to_owned(),
            environment: String::new(),
            time: EventTime((t.episode - seconds_before) * 1_000_000),
            until: None,
            version: None,
            text: String::new(),
            link: None,
            author: String::new(),
        };
        let (deploy, config, note) = (MarkerKind::Deploy, MarkerKind::Config, MarkerKind::Note);
        for (markers, want) in [
            (vec![marker(deploy, 120)], Some(120)),
            (vec![marker(deploy, 120), marker(config, 60)], Some(60)),
            (vec![marker(deploy, 120), marker(note, 60)], Some(120)),
            (vec![marker(deploy, 1_800)], Some(1_800)),
            (vec![marker(deploy, 1_801)], None),
            (vec![marker(deploy, -1)], None),
            (vec![marker(deploy, 120), marker(deploy, -1)], Some(120)),
            (vec![marker(note, 120)], None),
            (vec![], None),
        ] {
            assert_eq!(suspect(&markers, &t).map(|suspect| suspect.seconds_before), want, "{markers:?}");
        }
        // It became worse three hours later: by a change before that, else by what it began with.
        let worse = AlertTransition { holds_since: Some(t.episode + 10_800), ..t.clone() };
        for (markers, want) in [
            (vec![marker(deploy, 120), marker(deploy, -10_740)], Some(60)),
            (vec![marker(deploy, 120), marker(deploy, -5_000)], Some(120)),
            (vec![marker(deploy, -10_801)], None),
        ] {
            assert_eq!(suspect(&markers, &worse).map(|suspect| suspect.seconds_before), want, "{markers:?}");
        }
    }
}
