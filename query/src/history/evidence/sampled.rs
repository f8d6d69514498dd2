//! A sample of requests, judged one by one and counted by everything that they have.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use slipstream_schemas::event::EventView;
use slipstream_slo::matcher::Verdict;

use super::answer::{BadRequest, Breakdown, Evidence, Latencies, Sample, ValueCounts};
use super::rolled::{Sides, class_name, endpoint};

/// Requests that are told at most.
const MOST_REQUESTS: usize = 5;
/// A dimension with more values than this says nothing about what requests have in common: ids.
const MOST_VALUES: usize = 1_000;
/// Dimensions that are counted at most.
const MOST_DIMENSIONS: usize = 50;

/// Requests that were judged.
#[derive(Default)]
pub struct Sampled {
    /// Looked at.
    rows: usize,
    /// Of those, which do not count for the SLO, ...
    outside: usize,
    /// ... and which it could not decide.
    undecided: usize,
    by: BTreeMap<Cow<'static, str>, Values>,
    sample: Sample,
    /// Weight of good and bad ones.
    total: i64,
    bad_latencies: Vec<f64>,
    slowest_good: Option<f64>,
    /// A bad request without a latency was seen.
    unmeasured: bool,
    requests: Vec<BadRequest>,
}

/// Counts by value: bad, and all.
#[derive(Default)]
struct Values(HashMap<String, (i64, i64)>);

impl Values {
    fn add(&mut self, value: &str, bad: i64, total: i64) {
        if let Some(counts) = self.0.get_mut(value) {
            (counts.0, counts.1) = (counts.0 + bad, counts.1 + total);
        } else if self.0.len() <= MOST_VALUES {
            self.0.insert(value.to_owned(), (bad, total));
        }
    }

    fn are_few(&self) -> bool {
        self.0.len() <= MOST_VALUES
    }
}

impl Sampled {
    /// Counts a request; `None`: it does not count for the SLO.
    pub fn add(&mut self, event: &EventView<'_>, verdict: Option<Verdict>) {
        self.rows += 1;
        let is_bad = match verdict {
            None => return self.outside += 1,
            Some(Verdict::Unknown) => return self.undecided += 1,
            Some(verdict) => verdict == Verdict::Bad,
        };
        let total = i64::from(event.weight);
        let bad = if is_bad { total } else { 0 };
        self.sample.rows += 1;
        self.sample.bad += bad;
        self.total += total;
        if event.status_code >= 500 {
            self.sample.bad_with_errors += bad;
        }
        self.measure(event.latency_ms, is_bad);
        self.count("service", &event.service, bad, total);
        self.count("endpoint", &endpoint(&event.method, &event.endpoint), bad, total);
        self.count("status_class", &class_name(i64::from(event.status_code / 100)), bad, total);
        self.count("status_code", &event.status_code.to_string(), bad, total);
        for (name, value) in &event.attributes {
            self.count_attribute(name, value, bad, total);
        }
        if is_bad && self.requests.len() < MOST_REQUESTS {
            self.requests.push(BadRequest::seen(event));
        }
    }

    fn measure(&mut self, latency: Option<f64>, is_bad: bool) {
        match latency {
            Some(ms) if is_bad => self.bad_latencies.push(ms),
            Some(ms) => self.slowest_good = Some(self.slowest_good.map_or(ms, |slowest| slowest.max(ms))),
            None => self.unmeasured |= is_bad,
        }
    }

    fn count(&mut self, dimension: &'static str, value: &str, bad: i64, total: i64) {
        self.by.entry(Cow::Borrowed(dimension)).or_default().add(value, bad, total);
    }

    fn count_attribute(&mut self, name: &str, value: &str, bad: i64, total: i64) {
        let dimension = format!("attributes.{name}");
        if let Some(values) = self.by.get_mut(dimension.as_str()) {
            values.add(value, bad, total);
        } else if self.by.len() < MOST_DIMENSIONS {
            self.by.entry(Cow::Owned(dimension)).or_default().add(value, bad, total);
        }
    }

    /// How many were looked at.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The only service that counts, if requests of others were looked at.
    pub fn only_service(&self) -> Option<String> {
        let services = &self.by.get("service")?.0;
        let only = services.keys().next().filter(|_| services.len() == 1 && self.outside > 0)?;
        Some(only.clone())
    }

    /// Services with bad requests.
    pub fn bad_services(&self) -> impl Iterator<Item = &str> {
        let services = self.by.get("service").into_iter().flat_map(|values| &values.0);
        services.filter(|(_, counts)| counts.0 > 0).map(|(service, _)| service.as_str())
    }

    /// Which status classes are bad. `None` if the SLO leaves some of the requests out, or decides by something else.
    pub fn sides(&self) -> Option<Sides> {
        if self.outside + self.undecided > 0 {
            return None;
        }
        let classes = &self.by.get("status_class")?.0;
        let side = |(name, (bad, total)): (&String, &(i64, i64))| {
            let class = name.strip_suffix("xx")?.parse().ok()?;
            (*bad == 0 || bad == total).then_some((class, *bad > 0))
        };
        classes.iter().map(side).collect()
    }

    /// What is told: first the requests that the alert names, last those among them of before the range (`old`); and the whole
    /// range where it is known.
    pub fn evidence(self, named: Vec<BadRequest>, old: Vec<BadRequest>, rolled: Option<Vec<Breakdown>>) -> Evidence {
        let latencies = self.latencies();
        let mut requests = named;
        let known: BTreeSet<String> = requests.iter().map(|request| request.event_id.clone()).collect();
        requests.extend(self.requests.into_iter().filter(|request| !known.contains(&request.event_id)));
        requests.extend(old);
        requests.truncate(MOST_REQUESTS);
        let mut breakdowns = rolled.unwrap_or_default();
        let counted: BTreeSet<String> = breakdowns.iter().map(|breakdown| breakdown.dimension.clone()).collect();
        let sampled = self.by.into_iter().filter(|(name, values)| values.are_few() && !counted.contains(name.as_ref()));
        let (bad, total) = (self.sample.bad, self.total);
        breakdowns.extend(sampled.map(|(name, values)| {
            let with = values.0.values().fold((0, 0), |(b, t), (bad, total)| (b + bad, t + total));
            // Shares are of all requests: those without the attribute have an empty value.
            let without = ValueCounts { value: String::new(), bad: bad - with.0, total: total - with.1 };
            let values = values.0.into_iter().map(|(value, (bad, total))| ValueCounts { value, bad, total });
            let values = values.chain((without.total > 0).then_some(without));
            Breakdown::of(name.into_owned(), true, values)
        }));
        let sample = (self.sample.rows > 0).then_some(Sample { latencies, ..self.sample });
        Evidence { requests, breakdowns, sample, markers: Vec::new() }
    }

    fn latencies(&self) -> Option<Latencies> {
        let mut bad = self.bad_latencies.clone();
        bad.sort_by(f64::total_cmp);
        let (quickest_bad, median_bad) = (*bad.first()?, *bad.get(bad.len() / 2)?);
        (!self.unmeasured).then_some(Latencies { quickest_bad, median_bad, slowest_good: self.slowest_good })
    }
}

#[cfg(test)]
mod tests {
    use slipstream_schemas::EventTime;

    use super::*;

    fn event(path: &'static str, status_code: u16, latency_ms: f64) -> EventView<'static> {
        EventView {
            event_id: format!("{path}-{status_code}").into(),
            time: EventTime(1),
            service: "pay".into(),
            environment: "".into(),
            endpoint: path.into(),
            method: "POST".into(),
            status_code,
            latency_ms: Some(latency_ms),
            weight: 1,
            trace_id: None,
            user_ref: None,
            attributes: vec![("region".into(), "eu".into())],
        }
    }

    fn sample(requests: &[(u16, Option<Verdict>)]) -> Sampled {
        let mut sampled = Sampled::default();
        requests.iter().for_each(|(status, verdict)| sampled.add(&event("/pay", *status, 10.0), *verdict));
        sampled
    }

    #[test]
    fn rollups_are_asked_where_the_class_of_a_status_decides() {
        let (good, bad, unknown) = (Some(Verdict::Good), Some(Verdict::Bad), Some(Verdict::Unknown));
        for (requests, want) in [
            (&[(200, good), (503, bad)][..], Some(Sides::from([(2, false), (5, true)]))),
            (&[(200, good), (404, bad), (410, bad)], Some(Sides::from([(2, false), (4, true)]))),
            (&[(200, good), (200, bad)], None),
            (&[(200, good), (503, bad), (200, None)], None),
            (&[(200, good), (200, unknown)], None),
            (&[], None),
        ] {
            assert_eq!(sample(requests).sides(), want, "{requests:?}");
        }
    }

    #[test]
    fn requests_are_counted_by_all_that_they_have() {
        let mut sampled = Sampled::default();
        for i in 0..10 {
            sampled.add(&event("/pay", 200, f64::from(i)), Some(Verdict::Good));
            sampled.add(&event("/pay", 503, 100.0 + f64::from(i)), Some(Verdict::Bad));
        }
        let found = sampled.evidence(Vec::new(), Vec::new(), None);
        let by: Vec<(&str, usize, i64, i64)> =
            found.breakdowns.iter().map(|b| (b.dimension.as_str(), b.of, b.bad, b.total)).collect();
        let want = ["attributes.region", "endpoint", "service", "status_class", "status_code"];
        assert_eq!(by, want.map(|name| (name, if name.starts_with("status") { 2 } else { 1 }, 10, 20)));
        let latencies = Latencies { quickest_bad: 100.0, median_bad: 105.0, slowest_good: Some(9.0) };
        let told = Sample { rows: 20, bad: 10, bad_with_errors: 10, latencies: Some(latencies) };
        assert_eq!(found.sample, Some(told));
        assert_eq!(found.requests.len(), MOST_REQUESTS);
    }

    #[test]
    fn ids_are_no_dimension() {
        let mut sampled = Sampled::default();
        for i in 0..MOST_VALUES + 2 {
            let attributes = vec![("request".into(), i.to_string().into())];
            sampled.add(&EventView { attributes, ..event("/pay", 503, 1.0) }, Some(Verdict::Bad));
        }
        assert!(
            !sampled
                .evidence(Vec::new(), Vec::new(), None)
                .breakdowns
                .iter()
                .any(|b| b.dimension == "attributes.request")
        );
    }

    #[test]
    fn one_service_of_several_is_looked_at_alone() {
        let bad = Some(Verdict::Bad);
        assert_eq!(sample(&[(503, bad), (200, None)]).only_service().as_deref(), Some("pay"));
        assert_eq!(sample(&[(503, bad)]).only_service(), None, "there is no other");
        let mut two = sample(&[(503, bad), (200, None)]);
        two.add(&EventView { service: "cart".into(), ..event("/", 503, 1.0) }, bad);
        assert_eq!(two.only_service(), None);
    }
}
