//! What every role's loop needs of the log.
//!
//! Taking partitions over ([`takeover`]) with what was remembered of them ([`redelivery`], [`burn_state`]); the
//! definitions, and keeping them up to date ([`definitions`], [`revisions`]); records that count nowhere
//! ([`dead_letters`]).

pub mod burn_state;
pub mod dead_letters;
pub mod definitions;
pub mod names;
pub mod redelivery;
pub mod revisions;
pub mod takeover;
