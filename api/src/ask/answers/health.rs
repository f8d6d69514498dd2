//! How the installation is, as far as this process can see.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::slos::Known;
use super::{Example, at};

/// In a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
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
    /// Records of the log that are not stored yet; null if the log does not answer.
    pub lag: Option<i64>,
    /// Log time of the last record stored.
    pub log_time: String,
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
}

/// How this is.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Health {
    /// In a word.
    pub status: Status,
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
            lag: Some(0),
            log_time: at("10:00:01.870"),
        };
        Health {
            status: Status::Ok,
            roles: BTreeMap::from([("api".to_owned(), RoleState { state: "ready".to_owned(), detail: None })]),
            store: StoreState { answers: true, detail: None, positions: vec![position], lag: Some(0) },
            follower: Some(Known::example()),
        }
    }
}
