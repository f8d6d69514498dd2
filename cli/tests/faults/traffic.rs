//! A client that sends events to the gateways, and the same again until it has an answer, as a real producer does.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep, timeout};

use crate::shop;

const WORKERS: u64 = 4;
/// Each worker sends a batch so often.
const EVERY: Duration = Duration::from_millis(100);
const BATCH: usize = 10;
/// An answer that takes longer is not waited for: the same goes to the other gateway.
const ANSWER: Duration = Duration::from_secs(3);
const AGAIN: Duration = Duration::from_millis(50);
/// Share of batches that are sent again after their acknowledgement.
const TWICE: f64 = 0.05;
/// How long the last batch may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was sent.
#[derive(Debug, Default)]
pub struct Sent {
    /// Every event that a gateway said to have taken.
    pub acknowledged: HashSet<String>,
    /// Requests that had to be sent again.
    pub retried: usize,
    /// Events that were sent again for no reason.
    pub twice: usize,
}

/// Traffic that is under way. It ends with the value.
pub struct Traffic {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicUsize>,
    workers: JoinSet<Sent>,
}

impl Traffic {
    /// Begins.
    pub fn start(gateways: &[String], seed: u64) -> Traffic {
        let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let mut workers = JoinSet::new();
        for n in 0..WORKERS {
            let worker = Worker {
                n,
                client: reqwest::Client::builder().timeout(ANSWER).build().unwrap(),
                gateways: gateways.to_vec(),
                rng: ChaCha8Rng::seed_from_u64(seed ^ (n + 1)),
                turn: n as usize,
                sent: Sent::default(),
            };
            workers.spawn(worker.work(Arc::clone(&stop), Arc::clone(&acknowledged)));
        }
        Traffic { stop, acknowledged, workers }
    }

    /// Events that were acknowledged so far.
    pub fn acknowledged(&self) -> usize {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Ends when everything that was sent is acknowledged.
    ///
    /// # Panics
    /// When the gateways do not take the last events.
    pub async fn end(self) -> Sent {
        self.stop.store(true, Ordering::Relaxed);
        let all = timeout(PATIENCE, self.workers.join_all()).await.expect("the gateways take nothing any more");
        all.into_iter().fold(Sent::default(), |mut sum, sent| {
            sum.acknowledged.extend(sent.acknowledged);
            sum.retried += sent.retried;
            sum.twice += sent.twice;
            sum
        })
    }
}

struct Worker {
    n: u64,
    client: reqwest::Client,
    gateways: Vec<String>,
    rng: ChaCha8Rng,
    turn: usize,
    sent: Sent,
}

impl Worker {
    async fn work(mut self, stop: Arc<AtomicBool>, acknowledged: Arc<AtomicUsize>) -> Sent {
        let mut pace = interval(EVERY);
        pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut batch = 0;
        while !stop.load(Ordering::Relaxed) {
            pace.tick().await;
            let ids: Vec<String> = (0..BATCH).map(|i| format!("{}-{batch}-{i}", self.n)).collect();
            let now = jiff::Timestamp::now().as_microsecond();
            let events: Vec<Value> = ids.iter().map(|id| shop::event(&mut self.rng, id, now)).collect();
            self.deliver(&events).await;
            if self.rng.random_bool(TWICE) {
                self.sent.twice += self.deliver(&events).await;
            }
            acknowledged.fetch_add(ids.len(), Ordering::Relaxed);
            self.sent.acknowledged.extend(ids);
            batch += 1;
        }
        self.sent
    }

    /// Sends until it is acknowledged; answers how many events it was.
    async fn deliver(&mut self, events: &[Value]) -> usize {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.turn += 1;
            let gateway = &self.gateways[self.turn % self.gateways.len()];
            let answer = self.client.post(format!("{gateway}/v1/events")).json(&events).send().await;
            match answer {
                Ok(answer) if answer.status().is_success() => return events.len(),
                Ok(answer) if answer.status().is_client_error() => {
                    panic!("{}: {}", answer.status(), answer.text().await.unwrap_or_default())
                }
                Ok(_) | Err(_) => self.sent.retried += 1,
            }
            assert!(Instant::now() < deadline, "no gateway took a batch within {PATIENCE:?}");
            sleep(AGAIN).await;
        }
    }
}
