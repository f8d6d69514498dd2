//! The loops of tally and burn. What they decide is in `slipstream_slo`; here they read, hand over, and commit.

pub mod burn;
mod error;
mod events;
mod poll;
pub mod tally;

pub use error::ProcessorError;
