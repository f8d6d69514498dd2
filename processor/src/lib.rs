//! The loops of tally and burn. What they decide is in `slipstream_slo`; here they read, hand over, and commit.

pub mod burn;
mod definitions;
mod error;
mod events;
mod poll;
mod restore;
mod snapshots;
pub mod tally;

pub use error::ProcessorError;
pub use restore::{RestoreCost, current_states, restore_cost};
