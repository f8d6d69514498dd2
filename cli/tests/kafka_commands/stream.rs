//! Events without end, and what has become of them in the log.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use slipstream_log::Log;
use slipstream_log::kafka::{KafkaLog, KafkaOptions};
use slipstream_testkit::faults::cells::{Cells, Meaning};
use slipstream_testkit::process::Slipstream;
use slipstream_testkit::recount::recount;
use slipstream_testkit::verdict;
use tokio::task::JoinSet;
use tokio::time::interval;

use crate::place::{self, Place};

/// Counts every event of the stream; one in ten is bad.
pub fn slo() -> String {
    place::slo("stream", 0.5)
}

/// Events of a request, and how often there is one.
const BATCH: u64 = 10;
const EVERY: Duration = Duration::from_millis(50);
/// As `topics ensure` writes it.
const WINDOW_MS: i64 = 120_000;

/// A client that sends to a gateway, each event once: what gets no answer is in the log or not.
pub struct Stream {
    stop: Arc<AtomicBool>,
    client: JoinSet<HashSet<String>>,
}

impl Stream {
    pub fn start(gateway: &Slipstream) -> Stream {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (stop, url) = (Arc::new(AtomicBool::new(false)), format!("{}/v1/events", gateway.gateway()));
        let (mut client, ended) = (JoinSet::new(), Arc::clone(&stop));
        client.spawn(async move {
            let (http, mut pace, mut acknowledged) = (reqwest::Client::new(), interval(EVERY), HashSet::new());
            for batch in 0.. {
                if ended.load(Ordering::Relaxed) {
                    break;
                }
                pace.tick().await;
                let time = jiff::Timestamp::now().as_microsecond();
                let numbers = batch * BATCH..(batch + 1) * BATCH;
                let events: Vec<Value> = numbers.clone().map(|i| event(i, time)).collect();
                let answer = http.post(&url).json(&events).send().await.unwrap();
                if answer.status().is_success() {
                    acknowledged.extend(numbers.map(name));
                }
            }
            acknowledged
        });
        Stream { stop, client }
    }

    /// Ends it; answers which events were acknowledged.
    pub async fn end(mut self) -> HashSet<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.client.join_next().await.unwrap().unwrap()
    }
}

fn name(i: u64) -> String {
    format!("stream-{i}")
}

fn event(i: u64, time: i64) -> Value {
    json!({"event_id": name(i), "time": time, "service": "stream", "endpoint": "/x", "method": "GET",
           "status_code": if i.is_multiple_of(10) { 503 } else { 200 }})
}

/// A client of the place's log, as onlookers have it.
pub fn log_of(place: &Place) -> Arc<KafkaLog> {
    let mut options = KafkaOptions::new(place.bootstrap.clone());
    options.prefix.clone_from(&place.prefix);
    KafkaLog::new(options)
}

/// Panics unless the log holds each of these events, none twice, and tallies count each once, where and when it belongs.
/// Returns how many events there are, and their sums.
pub async fn each_counts_once(log: &dyn Log, acknowledged: &HashSet<String>) -> (u64, Cells) {
    let counted = recount(log, WINDOW_MS).await.unwrap();
    let there: HashSet<&str> = counted.accepted.iter().map(|a| a.event.event_id.as_str()).collect();
    let lost: Vec<&String> = acknowledged.iter().filter(|id| !there.contains(id.as_str())).collect();
    assert!(!acknowledged.is_empty() && lost.is_empty(), "lost: {lost:?}");
    assert_eq!((there.len(), counted.redelivered), (counted.accepted.len(), 0), "an event is there twice");
    verdict::tallies_join(log).await.unwrap();
    let stream = Meaning {
        slo: "stream".to_owned(),
        group: Box::new(|event| (event.service == "stream").then(Vec::new)),
        good: Box::new(|event| event.status_code < 500),
    };
    let cells = Cells::counted(&counted, &[stream]);
    cells.ensure_equal(&Cells::tallied(log).await.unwrap()).unwrap();
    (there.len() as u64, cells)
}

/// A metric of a process, summed over its labels but one; 0 where there is none yet.
pub async fn metric(process: &Slipstream, name: &str, label: &str) -> f64 {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let Ok(answer) = reqwest::get(format!("{}/metrics", process.ops())).await else { return 0.0 };
    let text = answer.text().await.unwrap_or_default();
    let ours = |line: &&str| line.starts_with(name) && line.contains(label);
    text.lines().filter(ours).filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
}
