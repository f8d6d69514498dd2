//! The present and past state: one set of typed queries behind every interface.
//!
//! [`Follower`] returns the status of the SLOs from the log, exact up to the last known tick; [`definitions`] which of
//! them are in force; [`History`] the past from the store: events, KPIs, alerts. A caller needs only the part for its
//! query.

pub mod counts;
pub mod definitions;
pub mod error;
#[cfg(test)]
mod fixtures;
pub mod follower;
pub mod history;
pub mod rules;
pub mod slos;

pub use error::{DefinitionsError, FollowError, QueryError};
pub use follower::Follower;
pub use history::History;
