//! History: a range of request-events through tally, burn and alert decisions, without a live topic being touched.
//!
//! It reads like any client: it joins no group, takes no lock, writes nothing.

mod assemble;
pub mod backtest;
pub mod contributors;
pub mod definitions;
pub mod engine;
mod error;
pub mod outcome;
mod plan;
mod replay;
pub mod source;
mod then;

pub use error::ReplayError;
pub use replay::{Asked, Replayed, replay};
pub use source::Sources;
