//! tmp
pub mod outcome;
