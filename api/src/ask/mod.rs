//! What the store and the log know, asked by the role: the one place that changes when `query` answers more.
//!
//! Questions and answers are typed and know nothing of HTTP.

pub mod answers;
pub mod detail;
mod error;
mod past;
pub mod questions;
mod scan;
mod slo;

pub use error::AskError;
pub use past::{Past, StoreCell};
