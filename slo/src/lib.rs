//! What it means: matching, redelivery, ticks, slots, windows, burn rates, budgets, rules as evaluated, alerts.
//!
//! Pure: no tokio, no clock, no randomness, no environment. Time is an argument.

pub mod alert;
pub mod budget;
pub mod burn;
pub mod condition;
pub mod hash;
pub mod matcher;
pub mod redelivery;
pub mod revision;
pub mod ring;
pub mod scale;
pub mod sketch;
pub mod slices;
pub mod tally;
