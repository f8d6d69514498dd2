//! The log port, and the adapters behind it.
//!
//! A role may do four things with a log: publish durably, read, subscribe in a group, and commit outputs together with
//! positions. The port is in [`port`]; its promises L1 to L7 are written there and tested by [`conformance`] against
//! every adapter.

pub mod batch;
pub mod port;

pub use batch::{Batch, RecordRef};
pub use port::*;
