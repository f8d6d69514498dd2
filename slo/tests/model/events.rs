//! Events with the partition, offset and log time that the log would have given them: for the model as NDJSON, for the
//! folds as records.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use slipstream_schemas::{EventTime, EventView, LogTime};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Event {
    pub event_id: String,
    /// RFC 3339.
    pub time: String,
    pub service: String,
    #[serde(default)]
    pub environment: String,
    pub endpoint: String,
    pub method: String,
    pub status_code: u16,
    pub latency_ms: Option<f64>,
    #[serde(default = "one")]
    pub weight: u32,
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
}

fn one() -> u32 {
    1
}

impl Event {
    /// Microseconds since the epoch.
    pub fn micros(&self) -> i64 {
        self.time.parse::<jiff::Timestamp>().unwrap().as_microsecond()
    }

    pub fn view(&self) -> EventView<'_> {
        EventView {
            event_id: Cow::Borrowed(&self.event_id),
            time: EventTime(self.micros()),
            service: Cow::Borrowed(&self.service),
            environment: Cow::Borrowed(&self.environment),
            endpoint: Cow::Borrowed(&self.endpoint),
            method: Cow::Borrowed(&self.method),
            status_code: self.status_code,
            latency_ms: self.latency_ms,
            weight: self.weight,
            trace_id: None,
            user_ref: None,
            attributes: self
                .attributes
                .iter()
                .map(|(k, v)| (Cow::Borrowed(k.as_str()), Cow::Borrowed(v.as_str())))
                .collect(),
        }
    }
}

/// Partitions of request-events: log time (ms, never backwards) and event.
pub type Log = Vec<Vec<(LogTime, Event)>>;

#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    event: &'a Event,
    partition: usize,
    offset: usize,
    /// Microseconds.
    log_time: i64,
}

pub fn write_for_model(log: &Log, path: &Path) {
    let mut out = BufWriter::new(File::create(path).unwrap());
    for (partition, records) in log.iter().enumerate() {
        for (offset, (at, event)) in records.iter().enumerate() {
            serde_json::to_writer(&mut out, &Line { event, partition, offset, log_time: at.0 * 1_000 }).unwrap();
            out.write_all(b"\n").unwrap();
        }
    }
    out.flush().unwrap();
}

/// A file of events as if they had been sent when they happened, a little late: each event_id to one partition.
pub fn as_if_live(gz: &Path, partitions: usize) -> Log {
    let file = File::open(gz).unwrap_or_else(|e| panic!("{}: {e}", gz.display()));
    let lines = BufReader::new(flate2::read::GzDecoder::new(file)).lines();
    let mut events: Vec<Event> = lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
    events.sort_by_key(Event::micros);
    let mut log: Log = vec![Vec::new(); partitions];
    let mut newest = vec![0; partitions];
    for event in events {
        let hash = slipstream_slo::hash::fnv1a64([event.event_id.as_str()]);
        let partition = (hash % partitions as u64) as usize;
        let late = (hash >> 32) % 700;
        newest[partition] = (event.micros() / 1_000 + late as i64).max(newest[partition]);
        log[partition].push((LogTime(newest[partition]), event));
    }
    log
}

/// SplitMix64: small, and the same everywhere. Source: Steele, Lea, Flood 2014.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: i64) -> i64 {
        (self.next() % n as u64) as i64
    }

    pub fn chance(&mut self, percent: i64) -> bool {
        self.below(100) < percent
    }

    pub fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len() as i64) as usize]
    }
}

/// Hours of random requests with incidents, late and early clocks, and copies inside and beyond the redelivery window.
/// `endpoints`: how many there are.
pub fn random(seed: u64, partitions: usize, seconds: i64, requests: usize, endpoints: i64) -> Log {
    const BEGIN: i64 = 1_700_000_000_000;
    let mut random = Random(seed);
    let incidents: Vec<(i64, i64)> = (0..3).map(|_| (random.below(seconds), 60 + random.below(900))).collect();
    let mut log: Log = vec![Vec::new(); partitions];
    for i in 0..requests {
        let mut at = BEGIN + random.below(seconds * 1_000);
        let second = (at - BEGIN) / 1_000;
        let bad = incidents.iter().any(|(from, long)| (*from..from + long).contains(&second)) && random.chance(70);
        let off = match random.below(20) {
            0 => -random.below(10_000),
            1 => -random.below(4 * 3_600_000),
            2 => -random.below(40 * 86_400_000),
            3 => random.below(100_000),
            _ => -random.below(300),
        };
        let event = Event {
            event_id: format!("seed{seed}-{i}"),
            time: jiff::Timestamp::from_millisecond(at + off).unwrap().to_string(),
            service: random.of(&["shop", "shop", "pay"]).to_owned(),
            environment: random.of(&["", "prod"]).to_owned(),
            endpoint: format!("/e{}", random.below(endpoints)),
            method: random.of(&["GET", "POST"]).to_owned(),
            status_code: if bad { 500 } else { random.of(&[200, 200, 200, 204, 404]) },
            latency_ms: (!random.chance(5)).then(|| if bad { 900.0 } else { random.below(3_100) as f64 / 10.0 }),
            weight: random.of(&[1, 1, 1, 10]),
            attributes: if random.chance(50) {
                [("tier".to_owned(), "gold".to_owned())].into()
            } else {
                BTreeMap::new()
            },
        };
        let partition = random.below(partitions as i64) as usize;
        log[partition].push((LogTime(at), event.clone()));
        while random.chance(10) {
            at += random.of(&[1, 1_000, 60_000, 119_000, 200_000, 300_000]);
            log[partition].push((LogTime(at), event.clone()));
        }
    }
    for records in &mut log {
        records.sort_by_key(|(at, _)| *at);
    }
    log
}
