//! What a simulated system consists of: services, endpoints, latencies, and the faults it can have.

use std::collections::BTreeMap;

use serde::Deserialize;
use slipstream_schemas::decode::validate;
use slipstream_schemas::{EventTime, RequestEvent};

/// A system and its traffic.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Environment of all events.
    #[serde(default)]
    pub environment: String,
    /// How much traffic swings over a day: 0 not at all, 0.5 half as much at night and half as much again at noon (UTC).
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
    /// The service it hits.
    pub service: String,
    /// The endpoint it hits; none: all of the service.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// Share of requests that fail.
    #[serde(default)]
    pub errors: f64,
    /// Status of those.
    #[serde(default = "unavailable")]
    pub status: i32,
    /// By what latencies are multiplied.
    #[serde(default = "once")]
    pub latency_factor: f64,
    /// Seconds after the begin of a run at which it begins by itself; none: only when switched on.
    #[serde(default)]
    pub begins_after_s: Option<f64>,
    /// Seconds that it lasts then.
    #[serde(default)]
    pub lasts_s: Option<f64>,
}

fn unavailable() -> i32 {
    503
}

fn once() -> f64 {
    1.0
}

/// Why a scenario cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// No YAML, or a field that is missing, unknown or of the wrong type.
    #[error("the scenario cannot be read: {0}")]
    Malformed(#[from] serde_yaml_ng::Error),
    /// A value that makes no sense.
    #[error("the scenario makes no sense: {0}")]
    Senseless(String),
}

impl Scenario {
    /// Reads a scenario from YAML.
    ///
    /// # Errors
    /// When it is malformed or makes no sense; the message says where.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        let scenario: Scenario = serde_yaml_ng::from_str(text)?;
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
        for (service, e) in self.services.iter().flat_map(|s| s.endpoints.iter().map(move |e| (s, e))) {
            let place = format!("{} {} of {}", e.method, e.path, service.name);
            positive(&format!("share of {place}"), e.share)?;
            positive(&format!("median_ms of {place}"), e.median_ms)?;
            share(&format!("errors of {place}"), e.errors)?;
            validate(&self.probe(service, e)).map_err(|e| format!("requests of {place} would be refused: {e}"))?;
            if !(0.0..=5.0).contains(&e.sigma) {
                return Err(format!("sigma of {place} must be 0 to 5, is {}", e.sigma));
            }
            for outcome in &e.outcomes {
                positive(&format!("share of outcome {} of {place}", outcome.value), outcome.share)?;
            }
        }
        self.faults.iter().try_for_each(|fault| self.check_fault(fault))
    }

    /// A request as the generator would make it, with all that comes from the scenario.
    fn probe(&self, service: &Service, endpoint: &Endpoint) -> RequestEvent {
        let mut attributes = endpoint.attributes.clone();
        if let Some(longest) = endpoint.outcomes.iter().max_by_key(|o| o.value.len()) {
            attributes.insert("outcome".to_owned(), longest.value.clone());
        }
        RequestEvent {
            event_id: "probe".to_owned(),
            time: EventTime::MIN,
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
        }
    }

    fn check_fault(&self, fault: &Fault) -> Result<(), String> {
        let name = &fault.name;
        if self.faults.iter().filter(|f| f.name == *name).count() > 1 {
            return Err(format!("two faults are called {name}"));
        }
        let hits = |service: &Service| {
            service.name == fault.service
                && service.endpoints.iter().any(|e| fault.endpoint.as_ref().is_none_or(|path| *path == e.path))
        };
        if !self.services.iter().any(hits) {
            return Err(format!("fault {name} hits no endpoint: check its service and endpoint"));
        }
        share(&format!("errors of fault {name}"), fault.errors)?;
        positive(&format!("latency_factor of fault {name}"), fault.latency_factor)?;
        if !(100..=599).contains(&fault.status) {
            return Err(format!("status of fault {name} must be 100 to 599, is {}", fault.status));
        }
        Ok(())
    }
}

fn share(what: &str, value: f64) -> Result<(), String> {
    if (0.0..=1.0).contains(&value) { Ok(()) } else { Err(format!("{what} must be 0 to 1, is {value}")) }
}

fn positive(what: &str, value: f64) -> Result<(), String> {
    if value > 0.0 && value.is_finite() { Ok(()) } else { Err(format!("{what} must be above 0, is {value}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDPOINT: &str = "{path: /, method: GET, share: 1, median_ms: 10}";

    #[test]
    fn what_makes_no_sense_is_told() {
        let with = |more: &str| format!("services: [{{name: a, endpoints: [{ENDPOINT}]}}]\n{more}");
        let table = [
            ("services: []".to_owned(), "it has no endpoint"),
            (with("daily_swing: 2"), "daily_swing must be 0 to 1, is 2"),
            (with("faults: [{name: f, service: b}]"), "fault f hits no endpoint"),
            (with("faults: [{name: f, service: a, errors: 7}]"), "errors of fault f must be 0 to 1"),
            (with("faults: [{name: f, service: a}, {name: f, service: a}]"), "two faults are called f"),
            (with("trafic: 1"), "unknown field `trafic`"),
            (with("").replace("GET", "''"), "would be refused: method: must be 1 to 256 bytes, is 0"),
            (
                "services: [{name: a, endpoints: [{path: /, method: GET, share: 0, median_ms: 1}]}]".to_owned(),
                "share of GET / of a",
            ),
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
