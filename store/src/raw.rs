//! Raw events by log time: what a store still has of them, and reading them again in the windows that a replay takes.

use std::collections::BTreeMap;

use slipstream_schemas::LogTime;

use crate::events::Events;

/// What the store has of a partition of the present request-events: every accepted event below [`RawBounds::offset`] whose
/// log time is at least [`RawBounds::kept_from`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawBounds {
    /// How many topics of the name were stored from before the present one.
    pub epoch: u32,
    /// Its partition.
    pub partition: u32,
    /// Next offset to write: everything below was stored, or was rightly skipped.
    pub offset: i64,
    /// Log time of the last record below it.
    pub log_time: LogTime,
    /// Log time from which on nothing is missing; `None`: from the first record that was ever stored. It is one more than the
    /// greatest that an event removed by retention can have had. What is older may be there in part: SQLite removes whole
    /// minutes of event time, PostgreSQL whole days (UTC) of log time. It only moves forward, and retention moves it in the
    /// transaction that removes: who read a window from it on and finds it unmoved afterwards has read everything.
    pub kept_from: Option<LogTime>,
}

/// Which raw events are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawWindow {
    /// Of which request-events: [`RawBounds::epoch`].
    pub epoch: u32,
    /// Log time at or after,
    pub from: LogTime,
    /// and before.
    pub to: LogTime,
    /// Of each partition that is listed only what is below its offset, of the others nothing; `None` for all there is. What is
    /// written while pages are read is at or above the offset that [`RawBounds`] had before: with that, pages are of one state.
    pub below: Option<BTreeMap<u32, i64>>,
}

impl RawWindow {
    /// Everything of a window.
    pub fn new(epoch: u32, from: LogTime, to: LogTime) -> Self {
        RawWindow { epoch, from, to, below: None }
    }
}

/// Some of the events of a window.
#[derive(Debug, Clone, Default)]
pub struct RawPage {
    /// In the order of the adapter: SQLite's is event time, partition, offset; PostgreSQL's is log time, partition, offset.
    /// Attributes may be in another order than the event had them in.
    pub events: Events,
    /// Where the next page starts; `None` at the end. A page may be short, or empty, and not be the last.
    pub next: Option<RawCursor>,
}

/// A place in a window, for the same window of the same store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawCursor {
    /// Event time or log time, as the adapter orders by it.
    pub(crate) time: i64,
    /// Partition, as the adapter orders by it.
    pub(crate) partition: i64,
    /// Offset: what comes next is greater than all three.
    pub(crate) offset: i64,
    /// How much log time the adapter looks at next, milliseconds.
    pub(crate) step: i64,
}

/// Bytes of events in a page, about, whatever its limit says.
const PAGE_BYTES: usize = 32 << 20;

/// A limit on a page, which bounds memory too.
pub(crate) const PAGE_EVENTS: usize = 1_000_000;

impl RawPage {
    /// Whether it has as much as it may.
    pub(crate) fn is_full(&self, limit: usize) -> bool {
        self.events.len() >= limit.clamp(1, PAGE_EVENTS) || self.events.bytes() >= PAGE_BYTES
    }
}
