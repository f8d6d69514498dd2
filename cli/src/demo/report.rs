//! The demo's summary.

use anyhow::{Context, Result};
use serde::Serialize;
use slipstream_log::{Fetch, Log, TopicPartition};
use slipstream_schemas::records::{Notification, Outcome};
use slipstream_schemas::{Topic, codec};
use slipstream_store::Store;
use slipstream_store::alerts::{AlertEpisode, AlertFilter};

use super::receiver::Received;

/// The summary, for machines.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Events that the log acknowledged.
    pub events_accepted: u64,
    /// Events in the store.
    pub events_stored: u64,
    /// Records that were not valid events.
    pub dead_letters: u64,
    /// Every alert, by episode.
    pub alerts: Vec<AlertEpisode>,
    /// What became of notifications.
    pub deliveries: Deliveries,
    /// What the receiver was told, in order.
    pub told: Vec<Received>,
}

/// Notifications by outcome.
#[derive(Debug, Default, Serialize)]
pub struct Deliveries {
    /// The receiver took them.
    pub accepted: u64,
    /// The receiver refused them.
    pub failed: u64,
}

/// Asks log and store.
///
/// # Errors
/// When one of them fails.
pub async fn of(log: &dyn Log, store: &dyn Store, events_accepted: u64, told: Vec<Received>) -> Result<Report> {
    Ok(Report {
        events_accepted,
        events_stored: store.counts().await?.events,
        dead_letters: dead_letters(log).await?,
        alerts: store.alerts(&AlertFilter::default()).await?,
        deliveries: deliveries(log).await?,
        told,
    })
}

async fn dead_letters(log: &dyn Log) -> Result<u64> {
    let mut count = 0;
    for partition in 0..log.partitions(Topic::DeadLetters).await? {
        let (first, end) = log.bounds(TopicPartition { topic: Topic::DeadLetters, partition }).await?;
        count += (end - first) as u64;
    }
    Ok(count)
}

async fn deliveries(log: &dyn Log) -> Result<Deliveries> {
    let mut deliveries = Deliveries::default();
    for partition in 0..log.partitions(Topic::Notifications).await? {
        let partition = TopicPartition { topic: Topic::Notifications, partition };
        let (mut next, end) = log.bounds(partition).await?;
        while next < end {
            let batch = log.read(partition, next, end, Fetch::default()).await?;
            for record in batch.iter() {
                let note: Notification =
                    codec::decode(record.value().unwrap_or_default()).context("reading a delivery outcome")?;
                match note.outcome {
                    Outcome::Delivered => deliveries.accepted += 1,
                    Outcome::Refused => deliveries.failed += 1,
                    Outcome::NotDue | Outcome::HeldBack | Outcome::Failed => {}
                }
            }
            next = batch.next;
        }
    }
    Ok(deliveries)
}
