//! What every role's loop needs from the log.
//!
//! Waiting out temporary errors ([`patience`]); taking over partitions ([`takeover`]) with their former state
//! ([`reading`], [`redelivery`], [`burn_state`]); the definitions, and kept up to date ([`definitions`],
//! [`revisions`]); records that are not counted ([`dead_letters`]); what was done to services ([`markers`]);
//! what people say about alerts ([`silences`]) and which there were ([`episodes`]); who may ask for what ([`tokens`]).

pub mod burn_state;
pub mod dead_letters;
pub mod definitions;
pub mod episodes;
pub mod markers;
pub mod names;
pub mod patience;
pub mod reading;
pub mod redelivery;
pub mod revisions;
pub mod silences;
pub mod takeover;
pub mod telemetry;
pub mod tokens;
