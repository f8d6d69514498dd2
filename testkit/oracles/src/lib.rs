//! The folds' own oracle: a recount of every value of every series, and the histories that it reads. The folds' property
//! tests and the simulation use it. A separate crate, so that it can be built with the folds alone.

#![allow(missing_docs, reason = "fields are called as in the records that they recount")]
#![allow(clippy::unwrap_used, reason = "a failed test says where")]

pub mod exact;
pub mod history;
pub mod recount;
pub mod value;
