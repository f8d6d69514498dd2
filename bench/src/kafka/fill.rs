//! Fills request-events: several threads, an idempotent producer each, lz4.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientContext, Statistics};
use slipstream_schemas::Topic;

use super::place::Place;
use super::traffic::{Traffic, now};

const THREADS: u64 = 2;
const DELIVERED_WITHIN: Duration = Duration::from_secs(60);
/// How often a producer reports what it sent; after the last delivery this is waited for.
const STATISTICS_EVERY_MS: &str = "200";
const LAST_STATISTICS: Duration = Duration::from_millis(500);
const FULL: Duration = Duration::from_millis(2);
/// Events that get one look at the clock.
const MOMENT: u64 = 256;

/// What was written.
#[derive(Debug, Clone, Copy)]
pub struct Filled {
    /// Events.
    pub events: u64,
    /// Bytes of their values.
    pub bytes: u64,
    /// Bytes that were sent to the broker, which stores batches as they arrive.
    pub sent: u64,
    /// How long it took.
    pub took: Duration,
}

/// Writes events, keyed by event_id, and waits until the log has them all.
///
/// # Errors
/// When one of them is not delivered: a topic with holes measures nothing.
pub fn fill(place: &Place, events: u64) -> Result<Filled> {
    let topic = place.topic(Topic::RequestEvents);
    let before = place.held(&topic)?;
    let began = Instant::now();
    let (bytes, sent) = std::thread::scope(|scope| {
        let share = |n: u64| events * (n + 1) / THREADS - events * n / THREADS;
        let threads: Vec<_> = (0..THREADS)
            .map(|n| {
                scope.spawn({
                    let topic = &topic;
                    move || write(place, topic, n, share(n))
                })
            })
            .collect();
        threads.into_iter().try_fold((0, 0), |(bytes, sent), thread| {
            let (b, s) = thread.join().map_err(|_| anyhow!("a thread panicked"))??;
            Ok::<(u64, u64), anyhow::Error>((bytes + b, sent + s))
        })
    })?;
    let took = began.elapsed().saturating_sub(LAST_STATISTICS);
    let there = place.held(&topic)? - before;
    ensure!(there == events, "only {there} of {events} events are in {topic}");
    Ok(Filled { events, bytes, sent, took })
}

fn write(place: &Place, topic: &str, seed: u64, events: u64) -> Result<(u64, u64)> {
    let producer = producer(&place.brokers)?;
    let mut traffic = Traffic::new(seed.wrapping_add(now().unsigned_abs()));
    let (mut bytes, mut moment) = (0, now());
    for n in 0..events {
        if n % MOMENT == 0 {
            moment = now();
        }
        let (key, value) = traffic.next(moment);
        bytes += value.len() as u64;
        send(&producer, BaseRecord::to(topic).key(key).payload(value))?;
    }
    producer.flush(DELIVERED_WITHIN).context("waiting for deliveries")?;
    std::thread::sleep(LAST_STATISTICS);
    Ok((bytes, producer.context().sent.load(Ordering::Relaxed)))
}

/// The statistics of a producer.
#[derive(Default)]
pub struct BytesSent {
    sent: AtomicU64,
}

impl ClientContext for BytesSent {
    fn stats(&self, statistics: Statistics) {
        self.sent.store(statistics.tx_bytes.unsigned_abs(), Ordering::Relaxed);
    }
}

impl ProducerContext for BytesSent {
    type DeliveryOpaque = ();

    /// How often to check what the broker holds.
    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

/// Hands a record over; while the producer's queue is full it waits.
pub fn send(producer: &ThreadedProducer<BytesSent>, record: BaseRecord<'_, str, [u8]>) -> Result<()> {
    let mut record = record;
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), again)) => {
                record = again;
                std::thread::sleep(FULL);
            }
            Err((error, _)) => return Err(error).context("producing an event"),
        }
    }
}

/// A producer as docs/publishing.md recommends it to applications.
pub fn producer(brokers: &str) -> Result<ThreadedProducer<BytesSent>> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers).set("enable.idempotence", "true").set("acks", "all");
    config.set("compression.type", "lz4").set("linger.ms", "5").set("partitioner", "murmur2_random");
    config.set("queue.buffering.max.messages", "500000").set("batch.size", "262144");
    config.set("statistics.interval.ms", STATISTICS_EVERY_MS);
    config.create_with_context(BytesSent::default()).context("creating a producer")
}
