//! Requests as a pure function of scenario, rate, seed and time.

use std::f64::consts::TAU;

use rand::distr::Distribution;
use rand::distr::weighted::WeightedIndex;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};
use slipstream_schemas::{EventTime, RequestEvent};

use super::scenario::{Endpoint, Fault, OUTCOME, Scenario};

/// Requests are generated slice by slice; each slice has its own random sequence, so that splitting a range changes
/// nothing in it.
const SLICE_US: i64 = 100_000;
const SECOND_US: f64 = 1e6;
const DAY_US: f64 = 86_400.0 * SECOND_US;
/// Requests per second at most: more than any machine takes, and few enough for a slice to end.
const FASTEST: f64 = 1e7;

/// Makes requests.
#[derive(Debug, Clone)]
pub struct Generator {
    scenario: Scenario,
    rate: f64,
    seed: u64,
    /// Begin of all identities: other traffic has another one.
    name: String,
    /// Service and endpoint by the index that `choice` draws.
    endpoints: Vec<(usize, usize)>,
    choice: WeightedIndex<f64>,
}

impl Generator {
    /// Requests of a scenario at `rate` per second, averaged over a day: clamped to 0 to 10 million.
    ///
    /// # Panics
    /// When the scenario has no endpoints, which parsing refuses.
    pub fn new(scenario: Scenario, rate: f64, seed: u64) -> Self {
        let endpoints: Vec<(usize, usize)> = scenario
            .services
            .iter()
            .enumerate()
            .flat_map(|(s, service)| (0..service.endpoints.len()).map(move |e| (s, e)))
            .collect();
        let shares = endpoints.iter().map(|(s, e)| scenario.services[*s].endpoints[*e].share);
        let choice = WeightedIndex::new(shares).unwrap_or_else(|e| panic!("shares of a checked scenario: {e}"));
        let rate = rate.clamp(0.0, FASTEST);
        let name = name(&scenario, rate, seed);
        Generator { scenario, rate, seed, name, endpoints, choice }
    }

    /// Requests per second, averaged over a day.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// The requests of `[from, to)` in order of time; `on` says whether a fault is on at a time. No request has the
    /// identity of another one, of this generator or of one with another scenario, rate or seed.
    pub fn between(&self, from: EventTime, to: EventTime, on: impl Fn(&Fault, EventTime) -> bool) -> Vec<RequestEvent> {
        let mut events = Vec::new();
        let mut slice = from.0.div_euclid(SLICE_US);
        while slice * SLICE_US < to.0 {
            self.slice(slice, (from.0, to.0), &on, &mut events);
            slice += 1;
        }
        events
    }

    fn slice(
        &self,
        slice: i64,
        (from, to): (i64, i64),
        on: &impl Fn(&Fault, EventTime) -> bool,
        events: &mut Vec<RequestEvent>,
    ) {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(slice as u64);
        let begin = slice * SLICE_US;
        // Poisson arrivals: the gaps are exponential.
        let mean_gap = SECOND_US / (self.rate * self.swing(begin));
        let mut at = begin as f64 - mean_gap * (1.0 - rng.random::<f64>()).ln();
        let mut index = 0;
        while at < (begin + SLICE_US) as f64 {
            // Every request of the slice is drawn, wanted or not: the sequence must not depend on the range.
            let time = EventTime(at as i64);
            let event = self.request(&mut rng, slice, index, time, on);
            if (from..to).contains(&time.0) {
                events.push(event);
            }
            index += 1;
            at -= mean_gap * (1.0 - rng.random::<f64>()).ln();
        }
    }

    /// Traffic relative to the average of the day; most at noon.
    fn swing(&self, at: i64) -> f64 {
        1.0 - self.scenario.daily_swing * (TAU * at as f64 / DAY_US).cos()
    }

    fn request(
        &self,
        rng: &mut ChaCha8Rng,
        slice: i64,
        index: u32,
        time: EventTime,
        on: &impl Fn(&Fault, EventTime) -> bool,
    ) -> RequestEvent {
        let (s, e) = self.endpoints[self.choice.sample(rng)];
        let service = &self.scenario.services[s];
        let endpoint = &service.endpoints[e];
        let (normal, fails, outcome, trace) =
            (standard_normal(rng), rng.random::<f64>(), rng.random::<f64>(), rng.random::<u128>());
        let mut latency = endpoint.median_ms * (endpoint.sigma * normal).exp();
        let mut status = if fails < endpoint.errors { 500 } else { 200 };
        let mut outcome = chosen(endpoint, outcome);
        let effects = self.scenario.faults.iter().filter(|f| on(f, time)).flat_map(|f| &f.effects);
        for effect in effects.filter(|effect| effect.hits(service, endpoint)) {
            latency *= effect.latency_factor;
            // The same draw: a fault fails those that would have failed anyway, and more.
            if fails < effect.errors {
                status = effect.failing_status().unwrap_or(status);
                outcome = effect.outcome.as_deref().or(outcome);
            }
        }
        let mut attributes = endpoint.attributes.clone();
        if let Some(value) = outcome.filter(|_| status < 500) {
            attributes.insert(OUTCOME.to_owned(), value.to_owned());
        }
        RequestEvent {
            event_id: format!("{}-{slice:x}-{index:x}", self.name),
            time,
            service: service.name.clone(),
            environment: self.scenario.environment.clone(),
            endpoint: endpoint.path.clone(),
            method: endpoint.method.clone(),
            status_code: status,
            latency_ms: Some((latency.min(86_400_000.0) * 1_000.0).round() / 1_000.0),
            weight: 1,
            trace_id: Some(format!("{trace:032x}")),
            user_ref: None,
            attributes,
        }
    }
}

/// Prefix of the ids of a generator's requests.
fn name(scenario: &Scenario, rate: f64, seed: u64) -> String {
    let traffic = Sha256::digest(format!("{seed} {rate} {scenario:?}"));
    let hex: String = traffic[..6].iter().map(|b| format!("{b:02x}")).collect();
    format!("sim-{hex}")
}

/// The outcome that a draw of 0 to 1 chooses.
fn chosen(endpoint: &Endpoint, draw: f64) -> Option<&str> {
    let all: f64 = endpoint.outcomes.iter().map(|o| o.share).sum();
    let mut left = draw * all;
    for outcome in &endpoint.outcomes {
        left -= outcome.share;
        if left < 0.0 {
            return Some(&outcome.value);
        }
    }
    endpoint.outcomes.last().map(|o| o.value.as_str())
}

/// A draw from the standard normal distribution (Box and Muller 1958).
fn standard_normal(rng: &mut impl Rng) -> f64 {
    let (a, b) = (1.0 - rng.random::<f64>(), rng.random::<f64>());
    (-2.0 * a.ln()).sqrt() * (TAU * b).cos()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use slipstream_schemas::decode::validate;

    use super::*;

    const START: i64 = 1_769_851_800_123_456;

    fn at(seconds: f64) -> EventTime {
        EventTime(START + (seconds * 1e6) as i64)
    }

    fn shop() -> Generator {
        Generator::new(Scenario::shop(), 200.0, 7)
    }

    fn never(_: &Fault, _: EventTime) -> bool {
        false
    }

    #[test]
    fn the_same_seed_makes_the_same_requests_wherever_a_range_is_cut() {
        let whole = shop().between(at(0.0), at(30.0), never);
        let cuts = [0.0, 0.3, 1.0, 1.7, 12.345, 30.0];
        let parts: Vec<_> = cuts.windows(2).flat_map(|w| shop().between(at(w[0]), at(w[1]), never)).collect();
        assert_eq!(whole, parts);
        assert!(whole.is_sorted_by_key(|e| e.time));
        let ids: HashSet<&str> = whole.iter().map(|e| e.event_id.as_str()).collect();
        assert_eq!(ids.len(), whole.len());
        whole.iter().for_each(|e| validate(e).unwrap());
        assert_ne!(whole, Generator::new(Scenario::shop(), 200.0, 8).between(at(0.0), at(30.0), never));
    }

    #[test]
    fn traffic_is_as_much_as_asked_for_and_well_within_the_budgets() {
        let events = shop().between(at(0.0), at(3_600.0), never);
        let expected = 200.0 * 3_600.0;
        assert!((events.len() as f64 / expected - 1.0).abs() <= 0.01, "{} events", events.len());
        let share = |counts: &dyn Fn(&RequestEvent) -> bool, bad: &dyn Fn(&RequestEvent) -> bool| {
            let counted: Vec<_> = events.iter().filter(|e| counts(e)).collect();
            counted.iter().filter(|e| bad(e)).count() as f64 / counted.len() as f64
        };
        let failed = |e: &RequestEvent| e.status_code >= 500;
        assert!(share(&|e| e.service == "payment", &failed) < 0.0025);
        assert!(share(&|e| e.service == "storefront", &|e| e.latency_ms > Some(300.0)) < 0.025);
        let unconfirmed = |e: &RequestEvent| e.attributes.get("outcome").is_none_or(|o| o != "confirmed");
        assert!(share(&|e| e.endpoint == "/orders", &unconfirmed) < 0.005);
    }

    #[test]
    fn a_rate_that_makes_no_sense_makes_no_requests() {
        for rate in [0.0, -1.0, f64::NAN, f64::NEG_INFINITY] {
            let events = Generator::new(Scenario::shop(), rate, 7).between(at(0.0), at(5.0), never);
            assert!(events.is_empty(), "{rate}: {} events", events.len());
        }
        assert_eq!(Generator::new(Scenario::shop(), f64::INFINITY, 7).rate(), FASTEST);
    }

    #[test]
    fn other_traffic_of_the_same_time_has_other_identities() {
        let mut busier = Scenario::shop();
        busier.services[0].endpoints[0].share += 1.0;
        let traffic = [
            shop(),
            Generator::new(Scenario::shop(), 100.0, 7),
            Generator::new(Scenario::shop(), 200.0, 8),
            Generator::new(busier, 200.0, 7),
        ];
        let events: Vec<RequestEvent> = traffic.iter().flat_map(|g| g.between(at(0.0), at(5.0), never)).collect();
        let ids: HashSet<&str> = events.iter().map(|e| e.event_id.as_str()).collect();
        assert_eq!(ids.len(), events.len());
    }

    #[test]
    fn traffic_swings_over_a_day_about_its_rate() {
        let swinging = Scenario { daily_swing: 0.5, ..Scenario::shop() };
        let midnight = 1_769_817_600_000_000;
        let hour = |n: i64| {
            let from = EventTime(midnight + n * 3_600_000_000);
            Generator::new(swinging.clone(), 20.0, 1).between(from, EventTime(from.0 + 600_000_000), never).len() as f64
        };
        for (n, factor) in [(0, 0.5), (6, 1.0), (12, 1.5), (18, 1.0)] {
            assert!((hour(n) / (20.0 * 600.0) - factor).abs() < 0.06, "{n}: {}", hour(n));
        }
    }

    #[test]
    fn a_fault_hits_its_services_while_it_is_on() {
        let on = |fault: &Fault, time: EventTime| fault.name == "payment-errors" && time >= at(10.0) && time < at(20.0);
        let events = Generator::new(Scenario::shop(), 1_000.0, 7).between(at(0.0), at(30.0), on);
        let share =
            |from: f64, to: f64, counts: &dyn Fn(&RequestEvent) -> bool, bad: &dyn Fn(&RequestEvent) -> bool| {
                let counted: Vec<_> =
                    events.iter().filter(|e| counts(e) && e.time >= at(from) && e.time < at(to)).collect();
                counted.iter().filter(|e| bad(e)).count() as f64 / counted.len() as f64
            };
        let payment = |e: &RequestEvent| e.service == "payment";
        let order = |e: &RequestEvent| e.endpoint == "/orders";
        let catalog = |e: &RequestEvent| e.service == "catalog";
        let unavailable = |e: &RequestEvent| e.status_code == 503;
        let declined = |e: &RequestEvent| e.attributes.get(OUTCOME).is_some_and(|o| o == "declined");
        let failed = |e: &RequestEvent| e.status_code == 500;
        assert!((0.57..0.63).contains(&share(10.0, 20.0, &payment, &unavailable)));
        assert!((0.33..0.47).contains(&share(10.0, 20.0, &order, &declined)));
        assert!((0.06..0.14).contains(&share(10.0, 20.0, &order, &failed)));
        for (from, to) in [(0.0, 10.0), (20.0, 30.0)] {
            assert_eq!(share(from, to, &payment, &unavailable), 0.0);
            assert!(share(from, to, &order, &|e| declined(e) || failed(e)) < 0.02);
        }
        assert_eq!(share(0.0, 30.0, &catalog, &unavailable), 0.0);
        // Burn over the last minute, ten seconds after the fault began: bad / total / (1 - 0.995).
        assert!(share(10.0, 20.0, &payment, &unavailable) * 10.0 / 60.0 / 0.005 > 10.0);
    }
}
