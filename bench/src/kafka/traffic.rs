//! The events that are measured: requests to twenty services, about 150 bytes each in Avro's single-object encoding.

use std::time::{SystemTime, UNIX_EPOCH};

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use slipstream_schemas::codec;
use slipstream_schemas::event::RequestEvent;
use slipstream_schemas::time::EventTime;

/// Services that send events.
pub const SERVICES: usize = 20;
/// Endpoints of a service.
const ENDPOINTS: [&str; 8] = [
    "/v1/items",
    "/v1/items/{id}",
    "/v1/items/{id}/price",
    "/v1/search",
    "/v1/cart/{id}/lines",
    "/v1/orders",
    "/v1/orders/{id}",
    "/health",
];
const METHODS: [&str; 5] = ["GET", "GET", "GET", "POST", "PUT"];
/// One request in this many fails.
const FAILS: u32 = 200;
const HEX: &[u8; 16] = b"0123456789abcdef";

/// Name of a service.
pub fn service(number: usize) -> String {
    format!("service-{:02}", number % SERVICES)
}

/// A stream of events: the next one is encoded into a buffer that is kept.
pub struct Traffic {
    random: SmallRng,
    services: Vec<String>,
    event: RequestEvent,
    encoded: Vec<u8>,
}

impl Traffic {
    /// The same seed gives the same events, except for their time.
    pub fn new(seed: u64) -> Traffic {
        let event = RequestEvent {
            event_id: "0".repeat(36),
            time: EventTime(0),
            service: String::new(),
            environment: "prod".to_owned(),
            endpoint: String::new(),
            method: String::new(),
            status_code: 200,
            latency_ms: None,
            weight: 1,
            trace_id: None,
            user_ref: None,
            attributes: [("region", "eu-west-1"), ("version", "2026.11.3")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
        };
        let services = (0..SERVICES).map(service).collect();
        Traffic { random: SmallRng::seed_from_u64(seed), services, event, encoded: Vec::with_capacity(256) }
    }

    /// Key and value of the next event, which ended up to two seconds before `now` (microseconds).
    pub fn next(&mut self, now: i64) -> (&str, &[u8]) {
        let id = identity(self.random.random());
        let choice: u32 = self.random.random();
        let event = &mut self.event;
        event.event_id.clear();
        event.event_id.extend(id.iter().map(|byte| char::from(*byte)));
        event.time = EventTime(now - i64::from(choice % 2_000_000));
        let number = choice as usize;
        set(&mut event.service, &self.services[number % SERVICES]);
        set(&mut event.endpoint, ENDPOINTS[number / SERVICES % ENDPOINTS.len()]);
        set(&mut event.method, METHODS[number / SERVICES / ENDPOINTS.len() % METHODS.len()]);
        event.status_code = if self.random.random_ratio(1, FAILS) { 503 } else { 200 };
        event.latency_ms = Some(5.0 - 60.0 * (1.0 - self.random.random::<f64>()).ln());
        self.encoded.clear();
        codec::encode_into(event, &mut self.encoded);
        (&event.event_id, &self.encoded)
    }
}

fn set(field: &mut String, to: &str) {
    field.clear();
    field.push_str(to);
}

/// 128 bits as people write a UUID.
fn identity(bits: u128) -> [u8; 36] {
    let mut text = [b'-'; 36];
    let mut shift = 0;
    for (at, byte) in text.iter_mut().enumerate() {
        if !matches!(at, 8 | 13 | 18 | 23) {
            *byte = HEX[(bits >> shift) as usize & 15];
            shift += 4;
        }
    }
    text
}

/// Microseconds since 1970.
pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_micros() as i64)
}
