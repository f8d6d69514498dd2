//! One module a command.

pub mod alert;
pub mod api;
pub mod backtest;
pub mod import;
pub mod mark;
pub mod query;
pub mod replay;
pub mod run;
pub mod saying;
pub mod silence;
pub mod simulate;
pub mod slo;
pub mod slo_test;
pub mod store;
pub mod token;
pub mod topics;
