//! The present and past state: one set of questions with typed answers, behind every interface.
//!
//! [`Follower`] answers from the log how the SLOs stand, exact up to the last tick that is known; [`definitions`] which of
//! them are in force; [`History`] from the store what happened: events, KPIs, alerts. A caller needs only the part that its
//! question is about.

pub mod definitions;
pub mod error;
pub mod follower;
pub mod history;
pub mod slos;

pub use error::{DefinitionsError, FollowError};
pub use follower::Follower;
pub use history::History;
