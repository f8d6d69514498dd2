//! The loops of tally and burn. What they decide is in `slipstream_slo`; here they read, hand over, and commit.

pub mod burn;
mod error;
pub mod tally;
mod telemetry;

pub use error::ProcessorError;
