//! How the installation is, as far as this process can see.

use std::collections::BTreeMap;

use serde::Serialize;
use slipstream_query::history::{StoreStanding, TopicStanding};
use utoipa::ToSchema;

use super::slos::Known;
use super::{Example, at};

/// In a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// Everything works.
    Ok,
    /// Something waits, lags or does not answer; the rest says what.
    Degraded,
}

/// A role of this process.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RoleState {
    /// `starting`, `ready` or `waiting`.
    pub state: String,
    /// For what; null if it is ready.
    pub detail: Option<String>,
}

/// How far a partition of the log is stored.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Position {
    /// The topic.
    pub topic: String,
    /// Its partition.
    pub partition: u32,
    /// Next offset to be stored.
    pub offset: i64,
    /// Log time of the last record stored.
    pub log_time: String,
    /// Records that the log has and the store does not.
    pub lag: Option<i64>,
}

impl From<TopicStanding> for Position {
    fn from(of: TopicStanding) -> Self {
        Position { topic: of.topic, partition: of.partition, offset: of.offset, log_time: of.log_time, lag: of.behind }
    }
}

/// How the store is.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct StoreState {
    /// Whether it answers.
    pub answers: bool,
    /// Why not; null if it does.
    pub detail: Option<String>,
    /// How far it is.
    pub positions: Vec<Position>,
    /// Records that are not stored yet, of all partitions; null if that is not known.
    pub lag: Option<i64>,
    /// Hours before it are in the aggregates; null if none is, or that is not known.
    pub aggregated_until: Option<String>,
    /// Hours and days of them that are not up to date: questions read their rollups instead. Null if that is not known.
    pub stale_aggregates: Option<u64>,
}

impl StoreState {
    /// Of a store that does not answer.
    pub fn silent(why: String) -> StoreState {
        StoreState {
            answers: false,
            detail: Some(why),
            positions: Vec::new(),
            lag: None,
            aggregated_until: None,
            stale_aggregates: None,
        }
    }
}

impl From<StoreStanding> for StoreState {
    fn from(standing: StoreStanding) -> Self {
        let positions: Vec<Position> = standing.topics.into_iter().map(Position::from).collect();
        StoreState {
            answers: true,
            detail: None,
            lag: positions.iter().map(|position| position.lag).sum(),
            positions,
            aggregated_until: standing.aggregated_until,
            stale_aggregates: Some(standing.stale_aggregates),
        }
    }
}

/// How this is.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Health {
    /// In a word.
    pub status: HealthStatus,
    /// The roles of this process.
    pub roles: BTreeMap<String, RoleState>,
    /// The store.
    pub store: StoreState,
    /// What this process knows of the SLOs; null while it restores their state.
    pub follower: Option<Known>,
}

impl Example for Health {
    fn example() -> Self {
        let position = Position {
            topic: "request-events".to_owned(),
            partition: 0,
            offset: 36_000,
            log_time: at("10:00:01.870000"),
            lag: Some(0),
        };
        Health {
            status: HealthStatus::Ok,
            roles: BTreeMap::from([("api".to_owned(), RoleState { state: "ready".to_owned(), detail: None })]),
            store: StoreState {
                answers: true,
                detail: None,
                positions: vec![position],
                lag: Some(0),
                aggregated_until: Some(at("09:00:00.000000")),
                stale_aggregates: Some(0),
            },
            follower: Some(Known::example()),
        }
    }
}
