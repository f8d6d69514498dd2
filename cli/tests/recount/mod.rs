//! The obvious program: what a replay has to say of a day of requests, counted by plain loops over all of them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

/// Windows of the default rules of a week, and the week: seconds, and the slot in which the fold moves on.
pub const WINDOWS: [(&str, i64, i64); 7] = [
    ("5m", 300, 1),
    ("30m", 1_800, 10),
    ("1h", 3_600, 10),
    ("2h", 7_200, 60),
    ("6h", 21_600, 60),
    ("1d", 86_400, 240),
    ("7d", 604_800, 7_200),
];
/// Their rules: long and short window, and ten times the factor.
pub const RULES: [(&str, i64, i64, i64); 3] =
    [("1h/5m", 3_600, 300, 168), ("6h/30m", 21_600, 1_800, 56), ("1d/2h", 86_400, 7_200, 28)];

/// A request.
pub struct Request {
    pub second: i64,
    pub service: String,
    pub endpoint: String,
    pub status: i64,
    pub latency: f64,
}

/// Every different request of some lines.
pub fn requests<'a>(lines: impl Iterator<Item = &'a Value>) -> Vec<Request> {
    let mut seen = BTreeSet::new();
    let fresh = lines.filter(|event| seen.insert(event["event_id"].as_str().unwrap().to_owned()));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    fresh
        .map(|event| Request {
            second: event["time"].as_str().unwrap().parse::<Timestamp>().unwrap().as_second(),
            service: text(&event["service"]),
            endpoint: text(&event["endpoint"]),
            status: event["status_code"].as_i64().unwrap(),
            latency: event["latency_ms"].as_f64().unwrap(),
        })
        .collect()
}

/// An objective as it counts a request: `None` if it does not, else whether it is good. Its share that may be bad, of 1,000.
pub struct Objective {
    pub slo: &'static str,
    pub counts: fn(&Request) -> Option<bool>,
    pub allowed: i64,
}

/// The two of `examples/train-ticket`.
pub const OBJECTIVES: [Objective; 2] = [
    Objective { slo: "availability", counts: |request| Some(request.status < 500), allowed: 5 },
    Objective {
        slo: "latency",
        counts: |request| (request.status < 500).then_some(request.latency <= 1_000.0),
        allowed: 50,
    },
];

/// A series: per second so many were bad, of so many.
pub struct Series {
    pub seconds: BTreeMap<i64, [i64; 2]>,
    pub endpoints: BTreeMap<String, [i64; 2]>,
}

impl Series {
    /// What a service's requests are to an objective.
    pub fn of(objective: &Objective, service: &str, requests: &[Request]) -> Series {
        let (mut seconds, mut endpoints) = (BTreeMap::new(), BTreeMap::new());
        for request in requests.iter().filter(|request| request.service == service) {
            let Some(good) = (objective.counts)(request) else { continue };
            let sums: [&mut [i64; 2]; 2] =
                [seconds.entry(request.second).or_default(), endpoints.entry(request.endpoint.clone()).or_default()];
            for sum in sums {
                sum[0] += i64::from(!good);
                sum[1] += 1;
            }
        }
        Series { seconds, endpoints }
    }

    /// Bad and all in `[from, to)`.
    pub fn sum(&self, from: i64, to: i64) -> [i64; 2] {
        self.seconds.range(from..to).fold([0, 0], |sum, (_, counts)| [sum[0] + counts[0], sum[1] + counts[1]])
    }

    /// Bad and all in a window that ends with a second.
    pub fn window(&self, tick: i64, seconds: i64) -> [i64; 2] {
        let slot = WINDOWS.iter().find(|window| window.1 == seconds).unwrap().2;
        self.sum((tick + 1 - seconds).div_euclid(slot) * slot, tick + 1)
    }

    /// The burn rate there.
    pub fn burn(&self, tick: i64, seconds: i64, allowed: i64) -> f64 {
        let [bad, total] = self.window(tick, seconds);
        if total == 0 { 0.0 } else { bad as f64 * 1_000.0 / (total as f64 * allowed as f64) }
    }

    /// Whether a rule's condition holds, of those that can: a full outage burns at 1,000 / `allowed`.
    pub fn alerts(&self, tick: i64, allowed: i64) -> bool {
        let exceeds = |seconds: i64, factor: i64| {
            let [bad, total] = self.window(tick, seconds);
            bad * 10_000 > factor * allowed * total
        };
        let can_fire = |factor: i64| factor * allowed < 10_000;
        RULES
            .iter()
            .any(|(_, long, short, factor)| can_fire(*factor) && exceeds(*short, *factor) && exceeds(*long, *factor))
    }
}
