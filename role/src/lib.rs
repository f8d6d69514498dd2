//! What every role's loop needs of the log.
//!
//! Waiting out what passes ([`patience`]); taking partitions over ([`takeover`]) with what was remembered of them
//! ([`reading`], [`redelivery`], [`burn_state`]); the definitions, and keeping them up to date ([`definitions`],
//! [`revisions`]); records that count nowhere ([`dead_letters`]).

pub mod burn_state;
pub mod dead_letters;
pub mod definitions;
pub mod names;
pub mod patience;
pub mod reading;
pub mod redelivery;
pub mod revisions;
pub mod takeover;
pub mod telemetry;
