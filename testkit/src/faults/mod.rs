//! Faults for a cluster of real processes on a real Kafka and a real PostgreSQL, and what must hold afterwards.
//!
//! [`fault`] is what can be done; [`plan`] decides from a seed what happens when; [`cluster`] runs the processes and
//! does it to them; [`recovery`] measures how late alerts were in the meantime. [`drained`] decides when it has come to
//! rest; [`cells`], [`windows`] and [`told`] check a cluster at rest, together with [`crate::verdict`], and [`report`]
//! prints the result.

pub mod cells;
pub mod cluster;
pub mod drained;
pub mod fault;
pub mod member;
pub mod plan;
pub mod recovery;
pub mod report;
pub mod told;
pub mod transactions;
pub mod windows;
