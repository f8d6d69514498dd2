//! How things stand, and stood: one set of questions behind whoever asks, with typed answers.
//!
//! [`Follower`] answers from the log how the SLOs stand, exact up to the last tick that is known; [`definitions`] which of
//! them are in force; [`History`] from the store what happened: events, KPIs, alerts. Who asks needs only the part that its
//! question is about.

pub mod definitions;
pub mod error;
pub mod follower;
pub mod history;
pub mod slos;

pub use error::{DefinitionsError, FollowError};
pub use follower::Follower;
pub use history::History;
