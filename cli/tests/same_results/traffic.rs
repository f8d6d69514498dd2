//! Requests of three services over all sources: in time and late, good and bad, copies, and what is no request.

use std::collections::BTreeMap;

use bytes::Bytes;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use slipstream_definitions::document::SourceFile;
use slipstream_definitions::openslo::{CanonicalDocument, load};
use slipstream_log::Outgoing;
use slipstream_schemas::{EventTime, RequestEvent, Topic, codec};

use crate::SOURCES;

const SLOS: &str = include_str!("slos.yaml");
/// Seconds of a period and of its end in which a source is silent.
const SILENCE: (u64, u64) = (9, 6);

pub fn slos() -> Vec<CanonicalDocument> {
    documents(SLOS)
}

/// One SLO counts more than before, which begins a generation; another has a new target, which does not.
pub fn slos_of_another_meaning() -> Vec<CanonicalDocument> {
    let other = SLOS.replace("service != \"ship\"", "service != \"none\"");
    documents(&other.replace("target: 0.8", "target: 0.7"))
}

fn documents(text: &str) -> Vec<CanonicalDocument> {
    let loaded = load(&[SourceFile { path: "slos.yaml".to_owned(), text: text.to_owned() }]);
    assert!(loaded.is_valid(), "{:?}", loaded.diagnostics);
    loaded.documents
}

pub struct Traffic {
    dice: ChaCha8Rng,
    rounds: u64,
    sent: Vec<Outgoing>,
    /// Copies that were sent.
    pub copies: usize,
}

impl Traffic {
    pub fn new(seed: u64) -> Traffic {
        Traffic { dice: ChaCha8Rng::seed_from_u64(seed), rounds: 0, sent: Vec::new(), copies: 0 }
    }

    /// A few records for some sources.
    pub fn round(&mut self, bad: bool) -> Vec<Outgoing> {
        let second = self.rounds / 20;
        self.rounds += 1;
        let mut records = Vec::new();
        for source in 0..SOURCES {
            // One source falls silent now and then: it is idle while the others are not.
            let silent = source == SOURCES - 1 && second % SILENCE.0 >= SILENCE.1;
            let many = if silent { 0 } else { self.dice.random_range(0..=6) };
            records.extend((0..many).map(|_| self.record(source, bad)));
        }
        records
    }

    fn record(&mut self, source: u32, bad: bool) -> Outgoing {
        let earlier = self.dice.random_range(0..self.sent.len().max(1));
        match self.dice.random_range(0..20) {
            0 => outgoing(source, format!("no request {}", self.dice.random::<u32>()).into_bytes()),
            1 | 2 if !self.sent.is_empty() => {
                self.copies += 1;
                self.sent[earlier].clone()
            }
            _ => {
                let event = self.event(bad);
                let made =
                    outgoing(source, if self.dice.random_bool(0.3) { json(&event) } else { codec::encode(&event) });
                self.sent.push(made.clone());
                made
            }
        }
    }

    fn event(&mut self, bad: bool) -> RequestEvent {
        let dice = &mut self.dice;
        let service = ["cart", "pay", "ship"][dice.random_range(0..3)];
        let failing = if bad && service != "ship" { 0.7 } else { 0.02 };
        let ago_ms = match dice.random_range(0..10) {
            0 => dice.random_range(1_000..60_000),
            1 => -5_000,
            _ => dice.random_range(0..300),
        };
        let region = ["eu", "us"].get(dice.random_range(0..3));
        RequestEvent {
            event_id: format!("r-{:016x}", dice.random::<u64>()),
            time: EventTime(jiff::Timestamp::now().as_microsecond() - ago_ms * 1_000),
            service: service.to_owned(),
            environment: String::new(),
            endpoint: ["/orders", "/carts/{id}"][dice.random_range(0..2)].to_owned(),
            method: "GET".to_owned(),
            status_code: if dice.random_bool(failing) { 503 } else { 200 },
            latency_ms: dice.random_bool(0.9).then(|| f64::from(dice.random_range(1..250))),
            weight: dice.random_range(1..4),
            trace_id: None,
            user_ref: None,
            attributes: region.map(|r| ("region".to_owned(), (*r).to_owned())).into_iter().collect(),
        }
    }
}

fn outgoing(source: u32, value: Vec<u8>) -> Outgoing {
    Outgoing {
        topic: Topic::RequestEvents,
        partition: Some(source),
        key: None,
        value: Some(Bytes::from(value)),
        headers: Vec::new(),
    }
}

/// As a producer without Avro sends it; one in three leaves the event_id to the log.
fn json(event: &RequestEvent) -> Vec<u8> {
    let mut value = serde_json::json!({
        "event_id": event.event_id, "time": event.time.0, "service": event.service, "endpoint": event.endpoint,
        "method": event.method, "status_code": event.status_code, "weight": event.weight,
        "attributes": event.attributes.iter().collect::<BTreeMap<_, _>>(),
    });
    if let Some(latency) = event.latency_ms {
        value["latency_ms"] = latency.into();
    }
    if event.status_code == 200 && event.weight == 3 {
        value.as_object_mut().unwrap().remove("event_id");
    }
    value.to_string().into_bytes()
}
