//! What is answered: plain data with the names of the contract. Each has an example, which the documentation shows, and
//! those that are rows have columns.

pub mod alerts;
pub mod contributors;
pub mod endpoints;
pub mod erasure;
pub mod events;
pub mod health;
pub mod history;
pub mod kpis;
pub mod markers;
pub mod notifications;
pub mod rules;
pub mod silences;
pub mod slo;
pub mod slos;
mod tabled;
pub mod transitions;

use serde::Serialize;

pub use tabled::Tabled;

/// An answer that the documentation can show.
pub trait Example {
    /// One that might be given.
    fn example() -> Self;
}

/// An answer that is rows.
pub trait Rows {
    /// Their fields, in the order of columns. Of a row that lacks a field the cell is empty.
    const COLUMNS: &'static [&'static str];
    /// A row.
    type Row: Serialize;

    /// The rows.
    fn rows(&self) -> &[Self::Row];

    /// One more for tables, of what else the answer has.
    fn last_row(&self) -> Option<serde_json::Value> {
        None
    }

    /// Up to when they are known, where that is told: a table has no other place for it.
    fn as_of(&self) -> Option<&str> {
        None
    }
}

/// A time of examples.
pub(crate) fn at(time: &str) -> String {
    format!("2026-11-29T{time}Z")
}
