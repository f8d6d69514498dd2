//! Events at an even rate, from its own thread, until stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use rdkafka::producer::{BaseRecord, Producer};

use super::fill::{producer, send};
use super::traffic::{Traffic, now};

const STEP: Duration = Duration::from_millis(5);
const DELIVERED_WITHIN: Duration = Duration::from_secs(30);

/// Background traffic.
pub struct Background {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<u64>>,
}

impl Background {
    /// Begins to write `rate` events a second to a topic.
    ///
    /// # Errors
    /// When no producer can be created.
    pub fn start(brokers: &str, topic: String, rate: u64) -> Result<Background> {
        let (stop, producer) = (Arc::new(AtomicBool::new(false)), producer(brokers)?);
        let stopped = Arc::clone(&stop);
        let write = move || {
            let (began, mut sent, mut traffic) = (Instant::now(), 0, Traffic::new(now().unsigned_abs()));
            while !stopped.load(Ordering::Relaxed) {
                let due = (began.elapsed().as_secs_f64() * rate as f64) as u64;
                let moment = now();
                while sent < due {
                    let (key, value) = traffic.next(moment);
                    send(&producer, BaseRecord::to(&topic).key(key).payload(value))?;
                    sent += 1;
                }
                std::thread::sleep(STEP);
            }
            producer.flush(DELIVERED_WITHIN)?;
            Ok(sent)
        };
        let thread = Builder::new().name("background".to_owned()).spawn(write).context("starting the background")?;
        Ok(Background { stop, thread })
    }

    /// Ends it; returns how many events it wrote.
    ///
    /// # Errors
    /// When they could not be written.
    pub fn end(self) -> Result<u64> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow!("the background panicked"))?
    }
}
