//! Clients that send events until they have an answer, as real producers do, and that send events twice.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep, timeout};

use crate::shop;
use crate::transport::Transport;

const WORKERS: u64 = 4;
/// Each worker sends a batch so often.
const EVERY: Duration = Duration::from_millis(100);
const BATCH: usize = 10;
const AGAIN: Duration = Duration::from_millis(50);
/// Share of batches that are sent again after their acknowledgement.
const TWICE: f64 = 0.05;
/// How long the last batch may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Copies are recognised for two minutes. What is older than this is not begun to be sent again, and not tried any more
/// beyond that: what is in flight in a gateway then still arrives in time.
const RECENT: Duration = Duration::from_secs(80);
const STILL: Duration = Duration::from_secs(100);
/// Events of a request of copies.
const MANY: usize = 200;

/// What was sent.
#[derive(Debug, Default)]
pub struct Sent {
    /// Every event that was taken.
    pub acknowledged: HashSet<String>,
    /// Requests that had to be sent again.
    pub retried: usize,
    /// Copies that were sent for no reason, and taken.
    pub twice: usize,
    /// When it ended.
    pub ended: Option<SystemTime>,
}

/// A batch that was taken, and when its first sending began.
type Taken = (Instant, Vec<Value>);

/// Traffic in flight. It ends with the value.
pub struct Traffic {
    gateways: Vec<String>,
    brokers: String,
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicUsize>,
    workers: JoinSet<Sent>,
    recent: Arc<Mutex<Vec<Taken>>>,
    /// Copies.
    again: tokio::sync::Mutex<Sent>,
}

impl Traffic {
    /// Begins: three clients of the gateways, and one that writes to Kafka itself.
    pub fn start(gateways: &[String], brokers: &str, seed: u64) -> Traffic {
        let mut traffic = Traffic {
            gateways: gateways.to_vec(),
            brokers: brokers.to_owned(),
            stop: Arc::default(),
            acknowledged: Arc::default(),
            workers: JoinSet::new(),
            recent: Arc::default(),
            again: tokio::sync::Mutex::default(),
        };
        for n in 0..WORKERS {
            let transport = if n == 0 { Transport::direct(brokers) } else { Transport::gateways(gateways, n as usize) };
            let worker = Worker {
                n,
                transport,
                rng: ChaCha8Rng::seed_from_u64(seed ^ (n + 1)),
                recent: Arc::clone(&traffic.recent),
                sent: Sent::default(),
            };
            traffic.workers.spawn(worker.work(Arc::clone(&traffic.stop), Arc::clone(&traffic.acknowledged)));
        }
        traffic
    }

    /// Events that were acknowledged so far.
    pub fn acknowledged(&self) -> usize {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Sends what was acknowledged of late again, part of it over the gateways and part of it past them.
    pub async fn again(&self) -> Result<()> {
        let mut sent = self.again.lock().await;
        let mut transports = [Transport::gateways(&self.gateways, 0), Transport::direct(&self.brokers)];
        let recent: Vec<Taken> = {
            let mut recent = self.recent.lock().unwrap();
            recent.retain(|(at, _)| at.elapsed() < RECENT);
            recent.clone()
        };
        for (n, batches) in recent.chunks(MANY / BATCH).enumerate() {
            let Some(oldest) = batches.iter().map(|(at, _)| *at).min() else { continue };
            let events: Vec<Value> = batches.iter().flat_map(|(_, events)| events.iter().cloned()).collect();
            let transport = &mut transports[n % 2];
            while oldest.elapsed() < STILL {
                if transport.taken(&events).await {
                    sent.twice += events.len();
                    break;
                }
                sent.retried += 1;
                sleep(AGAIN).await;
            }
        }
        Ok(())
    }

    /// Ends when everything that was sent is acknowledged.
    pub async fn end(self) -> Result<Sent> {
        self.stop.store(true, Ordering::Relaxed);
        let all = timeout(PATIENCE, self.workers.join_all()).await.context("nobody takes events any more")?;
        let copies = Sent { ended: Some(SystemTime::now()), ..self.again.into_inner() };
        Ok(all.into_iter().fold(copies, |mut sum, sent| {
            sum.acknowledged.extend(sent.acknowledged);
            sum.retried += sent.retried;
            sum.twice += sent.twice;
            sum
        }))
    }
}

struct Worker {
    n: u64,
    transport: Transport,
    rng: ChaCha8Rng,
    recent: Arc<Mutex<Vec<Taken>>>,
    sent: Sent,
}

impl Worker {
    async fn work(mut self, stop: Arc<AtomicBool>, acknowledged: Arc<AtomicUsize>) -> Sent {
        let mut pace = interval(EVERY);
        pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut batch = 0;
        while !stop.load(Ordering::Relaxed) {
            pace.tick().await;
            let began = Instant::now();
            let ids: Vec<String> = (0..BATCH).map(|i| format!("{}-{batch}-{i}", self.n)).collect();
            let now = jiff::Timestamp::now().as_microsecond();
            let events: Vec<Value> = ids.iter().map(|id| shop::event(&mut self.rng, id, now)).collect();
            self.deliver(&events).await;
            if self.rng.random_bool(TWICE) {
                self.deliver(&events).await;
                self.sent.twice += events.len();
            }
            acknowledged.fetch_add(ids.len(), Ordering::Relaxed);
            self.sent.acknowledged.extend(ids);
            self.recent.lock().unwrap().push((began, events));
            batch += 1;
        }
        self.sent
    }

    /// Sends until it is acknowledged.
    async fn deliver(&mut self, events: &[Value]) {
        let deadline = Instant::now() + PATIENCE;
        while !self.transport.taken(events).await {
            self.sent.retried += 1;
            assert!(Instant::now() < deadline, "nobody took a batch within {PATIENCE:?}");
            sleep(AGAIN).await;
        }
    }
}
