//! The event store: history for later queries. The port, and its adapters.
//!
//! The sink writes through [`port::Store`]; console, API and command line query through it. The meaning of results is
//! defined out here once ([`kpis`], [`alerts`]), so that every adapter gives the same one; an adapter only keeps rows.

pub mod aggregates;
pub mod alerts;
mod cached;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod error;
pub mod events;
pub mod filter;
pub mod kpis;
pub mod notifications;
pub mod page;
pub mod patience;
pub mod port;
pub mod postgres;
pub mod raw;
pub mod rollup;
pub mod sketch;
pub mod spread;
pub mod sqlite;
pub mod text;

pub use events::{EventRef, Events};
pub use filter::EventFilter;
pub use page::{Cursor, EventPage, EventQuestion, Order, StoredEvent};
pub use port::*;
pub use postgres::{PostgresOptions, PostgresStore};
pub use slipstream_schemas::Retention;
pub use sqlite::SqliteStore;
