//! How the store stands: how far it is behind the log, and how far its aggregates are.

use serde::Serialize;
use slipstream_log::{Log, LogError, Offset, TopicPartition};
use slipstream_schemas::EventTime;
use slipstream_store::text;

use super::History;
use super::reached::nothing_between;
use crate::QueryError;

/// How the store stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StoreStanding {
    /// Its place, without secrets.
    pub store: String,
    /// By topic and partition.
    pub topics: Vec<TopicStanding>,
    /// Hours before it are in the aggregates, RFC 3339; null if none is.
    pub aggregated_until: Option<String>,
    /// Hours and days of them that are not up to date: questions read their rollups instead.
    pub stale_aggregates: u64,
}

/// How far a partition is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TopicStanding {
    /// The topic.
    pub topic: String,
    /// Its partition.
    pub partition: u32,
    /// Everything below this offset is stored.
    pub offset: i64,
    /// Log time of the last record below it, RFC 3339.
    pub log_time: String,
    /// Offsets of the log that the store is behind, 0 if it has all there is; null if the log is not asked.
    pub behind: Option<i64>,
}

impl History {
    /// How the store stands.
    ///
    /// # Errors
    /// When log or store cannot be read.
    pub async fn standing(&self) -> Result<StoreStanding, QueryError> {
        let mut topics = Vec::new();
        for stored in self.store.positions().await? {
            let partition = TopicPartition { topic: stored.topic, partition: stored.partition };
            let behind = match &self.log {
                Ok(log) => Some(behind(log.as_ref(), partition, stored.offset).await?),
                Err(_) => None,
            };
            let log_time = text::micros(EventTime(stored.log_time.0.saturating_mul(1_000)));
            let topic = stored.topic.name().to_owned();
            topics.push(TopicStanding { topic, partition: stored.partition, offset: stored.offset, log_time, behind });
        }
        let aggregates = self.store.aggregates().await?;
        let aggregated_until = aggregates.closed.map(|until| text::micros(EventTime(until)));
        Ok(StoreStanding { store: self.store.describe(), topics, aggregated_until, stale_aggregates: aggregates.stale })
    }
}

async fn behind(log: &dyn Log, partition: TopicPartition, stored: Offset) -> Result<i64, LogError> {
    let (_, end) = log.bounds(partition).await?;
    // Behind the last record a transaction has ended: nothing is missing.
    Ok(if nothing_between(log, partition, stored, end).await? { 0 } else { end - stored })
}
