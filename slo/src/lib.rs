//! What it means: matching, redelivery, ticks, slots, windows, burn rates, budgets, rules as evaluated, alerts.
//!
//! Pure: no tokio, no clock, no randomness, no environment. Time is an argument.

pub mod alerts;
pub mod budget;
pub mod burn;
pub mod counts;
pub mod hash;
pub mod matcher;
pub mod redelivery;
pub mod revision;
pub mod ring;
pub mod rule;
pub mod scale;
pub mod slices;
pub mod tally;
