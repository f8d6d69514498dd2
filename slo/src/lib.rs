//! What it means: definitions, filters, ticks, slots, windows, burn rates, budgets, rules, alert states, redelivery.
//!
//! Pure: no tokio, no clock, no randomness, no environment. Time is an argument.

pub mod definition;
pub mod hash;
