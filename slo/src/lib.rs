//! What it means: definitions, filters, ticks, slots, windows, burn rates, budgets, rules, alert states, redelivery.
//!
//! Pure: no tokio, no clock, no randomness, no environment. Time is an argument.

pub mod alert;
pub mod budget;
pub mod burn;
pub mod calendar;
pub mod condition;
pub mod decimal;
pub mod definition;
pub mod diagnostic;
pub mod duration;
pub mod filter;
pub mod hash;
pub mod matcher;
pub mod openslo;
pub mod policy;
pub mod redelivery;
pub mod revision;
pub mod ring;
pub mod scale;
pub mod sketch;
pub mod slices;
mod suggest;
pub mod tally;
pub mod testing;
