//! What the store and the log know, asked by the role, in the words of its answers. Questions are those of `query`; nothing here
//! knows of HTTP.

pub mod answers;
pub mod detail;
mod error;
mod known;
mod past;
mod slos;

pub use error::AskError;
pub use past::{MarkerQuestion, Past, SilenceQuestion, StoreCell};
