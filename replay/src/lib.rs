//! tmp
pub mod backtest;
pub mod outcome;
