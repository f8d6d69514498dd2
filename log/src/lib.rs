//! The log port, and the adapters behind it.
//!
//! A role may do four things with a log: publish durably, read, subscribe in a group, and commit outputs together with
//! positions. The port is in [`port`]; its promises L1 to L7 are written there, and one suite, `conformance`, tests them
//! against every adapter. [`settle()`] brings a decided step to its end (L6).
//!
//! Adapters: [`memory`] for tests, [`sqlite`] for one process and no set-up. What these two share, all but how records
//! are kept, is in [`embedded`].

pub mod batch;
pub mod clock;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod embedded;
pub mod error;
pub mod faults;
pub mod groups;
pub mod kafka;
pub mod memory;
pub mod partitioner;
pub mod place;
pub mod port;
pub mod settle;
mod signal;
pub mod sqlite;

pub use batch::{Batch, RecordRef};
pub use port::*;
pub use settle::settle;
