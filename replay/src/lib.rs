//! tmp
pub mod outcome;
pub mod report;
