//! History: a range of request-events through tally, burn and alert decisions, without a live topic being touched.
//!
//! It reads like any client: it joins no group, takes no lock, writes nothing.

mod assemble;
pub mod backtest;
pub mod contributors;
pub mod definitions;
pub mod engine;
mod error;
mod investigate;
mod onset;
pub mod outcome;
mod plan;
mod replay;
pub mod report;
mod requests;
mod second_look;
pub mod source;
mod then;
mod what_if;

pub use error::ReplayError;
pub use replay::{Asked, Replayed, Told, episode_by_event_time, replay};
pub use source::Sources;
pub use then::{Episode, NoAlert, episode};
