//! What a simulated system consists of: services, endpoints, latencies, and the faults it can have.

use std::collections::BTreeMap;

use serde::Deserialize;
use slipstream_schemas::decode::validate;
use slipstream_schemas::{EventTime, RequestEvent};

/// The attribute with the business outcome of a request.
pub(super) const OUTCOME: &str = "outcome";

/// A system and its traffic.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Environment of all events.
    #[serde(default)]
    pub environment: String,
    /// How much traffic swings over a day: 0 not at all, 0.5 half as much at night and 1.5 times as much at noon (UTC).
    #[serde(default)]
    pub daily_swing: f64,
    /// At least one.
    pub services: Vec<Service>,
    /// What can go wrong.
    #[serde(default)]
    pub faults: Vec<Fault>,
}

/// A service.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// At least one.
    pub endpoints: Vec<Endpoint>,
}

/// An endpoint and how it behaves.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// Route template.
    pub path: String,
    /// Method.
    pub method: String,
    /// Share of all traffic, relative to the other endpoints.
    pub share: f64,
    /// Median latency, milliseconds.
    pub median_ms: f64,
    /// Spread of the latency: standard deviation of its natural logarithm.
    #[serde(default = "half")]
    pub sigma: f64,
    /// Share of requests that end with 500.
    #[serde(default)]
    pub errors: f64,
    /// Values of the attribute `outcome` for requests without an error, with their shares.
    #[serde(default)]
    pub outcomes: Vec<Outcome>,
    /// Attributes of all its events.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
}

fn half() -> f64 {
    0.5
}

/// A business outcome.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// Value of the attribute.
    pub value: String,
    /// Share, relative to the other outcomes.
    pub share: f64,
}

/// Something that goes wrong while it is on.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Its name, unique.
    pub name: String,
    /// What it does; at least one.
    pub effects: Vec<Effect>,
    /// Seconds after the start of a run at which it starts automatically; `None` if only when switched on.
    #[serde(default)]
    pub begins_after_s: Option<f64>,
    /// Its duration in seconds; `None` for until the end.
    #[serde(default)]
    pub lasts_s: Option<f64>,
}

/// What a fault does to a service or one of its endpoints.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Effect {
    /// The service it hits.
    pub service: String,
    /// The endpoint it affects; `None` for all of the service.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// Share of requests that go wrong.
    #[serde(default)]
    pub errors: f64,
    /// Status of those, 503 unless they have an outcome.
    #[serde(default)]
    pub status: Option<i32>,
    /// Outcome of requests without an error.
    #[serde(default)]
    pub outcome: Option<String>,
    /// By what latencies are multiplied, of all requests.
    #[serde(default = "once")]
    pub latency_factor: f64,
}

fn once() -> f64 {
    1.0
}

/// Why a scenario cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// No YAML, or a field that is missing, unknown or of the wrong type.
    #[error("cannot parse the scenario: {0}")]
    Malformed(#[from] serde_yaml_ng::Error),
    /// An invalid value.
    #[error("invalid scenario: {0}")]
    Senseless(String),
}

impl Scenario {
    /// Reads a scenario from YAML.
    ///
    /// # Errors
    /// When it is malformed or invalid; the message says where.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        let scenario: Scenario = serde_yaml_ng::from_str(text.strip_prefix('\u{FEFF}').unwrap_or(text))?;
        scenario.check().map_err(ScenarioError::Senseless)?;
        Ok(scenario)
    }

    /// The built-in shop of five services, with the fault `payment-errors`.
    ///
    /// # Panics
    /// When the built-in scenario is wrong: a mistake in the program.
    pub fn shop() -> Self {
        Self::parse(include_str!("shop.yaml")).unwrap_or_else(|e| panic!("shop.yaml, part of the program: {e}"))
    }

    fn check(&self) -> Result<(), String> {
        if self.services.iter().all(|s| s.endpoints.is_empty()) {
            return Err("it has no endpoint".to_owned());
        }
        share("daily_swing", self.daily_swing)?;
        for service in &self.services {
            service.endpoints.iter().try_for_each(|endpoint| self.check_endpoint(service, endpoint))?;
        }
        self.faults.iter().try_for_each(|fault| self.check_fault(fault))
    }

    fn check_endpoint(&self, service: &Service, endpoint: &Endpoint) -> Result<(), String> {
        let place = format!("{} {} of {}", endpoint.method, endpoint.path, service.name);
        positive(&format!("share of {place}"), endpoint.share)?;
        positive(&format!("median_ms of {place}"), endpoint.median_ms)?;
        share(&format!("errors of {place}"), endpoint.errors)?;
        if !(0.0..=5.0).contains(&endpoint.sigma) {
            return Err(format!("sigma of {place} must be 0 to 5, found {}", endpoint.sigma));
        }
        for outcome in &endpoint.outcomes {
            positive(&format!("share of outcome {} of {place}", outcome.value), outcome.share)?;
            self.check_event(service, endpoint, Some(&outcome.value))?;
        }
        self.check_event(service, endpoint, None)
    }

    /// A request there must be a valid event.
    fn check_event(&self, service: &Service, endpoint: &Endpoint, outcome: Option<&str>) -> Result<(), String> {
        let mut attributes = endpoint.attributes.clone();
        attributes.extend(outcome.map(|value| (OUTCOME.to_owned(), value.to_owned())));
        let event = RequestEvent {
            event_id: "e".to_owned(),
            time: EventTime(0),
            service: service.name.clone(),
            environment: self.environment.clone(),
            endpoint: endpoint.path.clone(),
            method: endpoint.method.clone(),
            status_code: 200,
            latency_ms: None,
            weight: 1,
            trace_id: None,
            user_ref: None,
            attributes,
        };
        validate(&event).map_err(|e| {
            format!("requests of {} {} of {} would be refused: {e}", endpoint.method, endpoint.path, service.name)
        })
    }

    fn check_fault(&self, fault: &Fault) -> Result<(), String> {
        let name = &fault.name;
        if self.faults.iter().filter(|f| f.name == *name).count() > 1 {
            return Err(format!("two faults are named {name}"));
        }
        if fault.effects.is_empty() {
            return Err(format!("fault {name} has no effects"));
        }
        for (what, seconds) in [("begins_after_s", fault.begins_after_s), ("lasts_s", fault.lasts_s)] {
            if seconds.is_some_and(|s| s.is_nan() || s < 0.0) {
                return Err(format!("{what} of fault {name} must be at least 0"));
            }
        }
        fault.effects.iter().enumerate().try_for_each(|(i, effect)| {
            self.check_effect(effect).map_err(|wrong| format!("effects[{i}] of fault {name}: {wrong}"))
        })
    }

    fn check_effect(&self, effect: &Effect) -> Result<(), String> {
        let mut hit = self.services.iter().flat_map(|s| s.endpoints.iter().map(move |e| (s, e)));
        let Some((service, endpoint)) = hit.find(|(s, e)| effect.hits(s, e)) else {
            return Err("it matches no endpoint: check its service and endpoint".to_owned());
        };
        share("errors", effect.errors)?;
        positive("latency_factor", effect.latency_factor)?;
        if let Some(status) = effect.status.filter(|status| !(100..=599).contains(status)) {
            return Err(format!("status must be 100 to 599, found {status}"));
        }
        self.check_event(service, endpoint, effect.outcome.as_deref())
    }
}

impl Effect {
    /// Whether requests of an endpoint are hit.
    pub(super) fn hits(&self, service: &Service, endpoint: &Endpoint) -> bool {
        self.service == service.name && self.endpoint.as_ref().is_none_or(|path| *path == endpoint.path)
    }

    /// The status of failing requests; `None` to leave it unchanged.
    pub(super) fn failing_status(&self) -> Option<i32> {
        const UNAVAILABLE: i32 = 503;
        self.status.or(self.outcome.is_none().then_some(UNAVAILABLE))
    }
}

fn share(what: &str, value: f64) -> Result<(), String> {
    if (0.0..=1.0).contains(&value) { Ok(()) } else { Err(format!("{what} must be 0 to 1, found {value}")) }
}

fn positive(what: &str, value: f64) -> Result<(), String> {
    if value > 0.0 && value.is_finite() { Ok(()) } else { Err(format!("{what} must be above 0, found {value}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDPOINT: &str = "{path: /, method: GET, share: 1, median_ms: 10}";

    #[test]
    fn what_makes_no_sense_is_told() {
        let with = |more: &str| format!("services: [{{name: a, endpoints: [{ENDPOINT}]}}]\n{more}");
        let fault = |effect: &str| with(&format!("faults: [{{name: f, effects: [{{service: a}}, {{{effect}}}]}}]"));
        let endpoint = |e: &str| format!("services: [{{name: a, endpoints: [{{{e}}}]}}]");
        let table = [
            ("services: []".to_owned(), "it has no endpoint"),
            (with("daily_swing: 2"), "daily_swing must be 0 to 1, found 2"),
            (fault("service: b"), "effects[1] of fault f: it matches no endpoint"),
            (fault("service: a, errors: 7"), "effects[1] of fault f: errors must be 0 to 1"),
            (fault("service: a, status: 700"), "effects[1] of fault f: status must be 100 to 599, found 700"),
            (with("faults: [{name: f, effects: []}]"), "fault f has no effects"),
            (with("faults: [{name: f, effects: [{service: a}], lasts_s: -1}]"), "lasts_s of fault f"),
            (
                with("faults: [{name: f, effects: [{service: a}]}, {name: f, effects: [{service: a}]}]"),
                "two faults are named f",
            ),
            (with("trafic: 1"), "unknown field `trafic`"),
            (with("faults: [{name: f, effects: [{service: a, error: 1}]}]"), "line 2 column"),
            (endpoint("path: /, method: GET, share: 0, median_ms: 1"), "share of GET / of a"),
            (with("").replace("GET", "''"), "would be refused: method: must be 1 to 256 bytes, is 0"),
        ];
        for (text, message) in table {
            let error = Scenario::parse(&text).unwrap_err().to_string();
            assert!(error.contains(message), "{text}: {error}");
        }
        Scenario::parse(&with("")).unwrap();
    }

    #[test]
    fn the_shop_has_its_services_and_its_fault() {
        let shop = Scenario::shop();
        let names: Vec<&str> = shop.services.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["storefront", "catalog", "cart", "payment", "shipping"]);
        assert!(shop.faults.iter().any(|f| f.name == "payment-errors"));
    }
}
