//! From the log into the event store: raw events with their rollups, burn rates, alerts, delivery outcomes.
//!
//! [`fold`] decides what records become, purely; [`run()`] reads, decides and writes. Positions are kept by the store, in
//! the transaction that writes the rows, so each record is there exactly once whatever crashes; the log's own group
//! positions are not used. What cannot be decoded is skipped and counted: tally puts it into dead-letters. What the store
//! cannot hold goes there from here.

mod aggregates;
pub mod error;
pub mod fold;
mod gains;
pub mod run;
mod split;
pub mod telemetry;
mod waiting;
mod write;
mod writer;

pub use error::SinkError;
pub use run::run;
