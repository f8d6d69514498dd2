//! What the store holds of request-events.

use std::collections::{BTreeMap, BTreeSet};

use slipstream_log::Log;
use slipstream_schemas::{LogTime, Topic};
use slipstream_store::{RawBounds, RawCursor, RawPage, RawWindow, SharedStore, Store, StoreError};

use super::asking::{PATIENCE, ask};
use crate::engine::Progress;
use crate::error::ReplayError;

/// What the store holds of the log's request-events.
#[derive(Clone)]
pub struct Held {
    /// The store.
    pub store: SharedStore,
    /// Which request-events: see [`RawBounds::epoch`].
    pub epoch: u32,
    /// By partition.
    pub bounds: BTreeMap<u32, RawBounds>,
    /// Log time of its first event of those from which on nothing is missing; `None` if it has none.
    pub first: Option<LogTime>,
    /// Partitions of which it has everything from the first record on.
    pub whole: BTreeSet<u32>,
}

/// How much log time, and how many events, are looked at to find out whether a partition's first record is there.
const BEGINNING_MS: i64 = 3_600_000;
const BEGINNING: usize = 20_000;

impl Held {
    /// What a store holds; `None` if it has none of this log's request-events.
    ///
    /// # Errors
    /// When the log or the store cannot be read.
    pub async fn of(store: &SharedStore, log: &dyn Log, progress: &Progress) -> Result<Option<Held>, ReplayError> {
        let asked = Asked { store: store.as_ref(), progress };
        if !asked.is_of(log).await? {
            return Ok(None);
        }
        let bounds: BTreeMap<u32, RawBounds> =
            asked.bounds().await?.into_iter().map(|bounds| (bounds.partition, bounds)).collect();
        let Some(any) = bounds.values().next() else { return Ok(None) };
        let (epoch, kept_from) = (any.epoch, any.kept_from);
        let end = bounds.values().map(|bounds| bounds.log_time.0 + 1).max().unwrap_or(0);
        let first = asked.first_time(epoch, (kept_from.map_or(0, |from| from.0), end)).await?;
        let whole = match (kept_from, first) {
            (None, Some(first)) => asked.whole(epoch, first).await?,
            _ => BTreeSet::new(),
        };
        Ok(Some(Held { store: store.clone(), epoch, bounds, first, whole }))
    }

    /// Log time from which on it is known to have everything of a partition; `None`: from the first record on.
    pub fn kept_from(&self, partition: u32) -> Option<LogTime> {
        let kept_from = self.bounds.get(&partition).and_then(|bounds| bounds.kept_from);
        kept_from.or(self.first.filter(|_| !self.whole.contains(&partition)))
    }

    /// Log time below which it has what there is; `None` if it has nothing.
    pub fn known_until(&self) -> Option<LogTime> {
        self.bounds.values().map(|bounds| LogTime(bounds.log_time.0 + 1)).max()
    }
}

/// A store, asked again while it may come back.
struct Asked<'a> {
    store: &'a dyn Store,
    progress: &'a Progress,
}

impl Asked<'_> {
    /// Whether it is of this log's request-events, and not of those that a topic of the same name once had.
    async fn is_of(&self, log: &dyn Log) -> Result<bool, ReplayError> {
        let Some(id) = log.topic_id(Topic::RequestEvents).await? else { return Ok(true) };
        let claimed = ask(self.progress, PATIENCE, async || self.store.claimed_topics().await).await?;
        let theirs = claimed.iter().find(|claimed| claimed.topic == Topic::RequestEvents);
        Ok(theirs.is_none_or(|theirs| theirs.id == id.as_str()))
    }

    async fn bounds(&self) -> Result<Vec<RawBounds>, StoreError> {
        ask(self.progress, PATIENCE, async || self.store.raw_bounds().await).await
    }

    async fn events(&self, window: &RawWindow, limit: usize, after: Option<RawCursor>) -> Result<RawPage, StoreError> {
        ask(self.progress, PATIENCE, async || self.store.raw_events(window, limit, after).await).await
    }

    /// The least log time of an event in `[from, to)`. Each round halves what is left, whatever the adapter's order.
    async fn first_time(&self, epoch: u32, (from, to): (i64, i64)) -> Result<Option<LogTime>, StoreError> {
        let (mut from, mut to, mut first) = (from, to, None);
        while from < to {
            match self.any(epoch, (from, to)).await? {
                Some(found) => (to, first) = (found.0, Some(found)),
                None => break,
            }
            let middle = from + (to - from) / 2;
            if middle == from {
                continue;
            }
            match self.any(epoch, (from, middle)).await? {
                Some(found) => (to, first) = (found.0, Some(found)),
                None => from = middle,
            }
        }
        Ok(first)
    }

    /// The log time of some event in `[from, to)`.
    async fn any(&self, epoch: u32, (from, to): (i64, i64)) -> Result<Option<LogTime>, StoreError> {
        let window = RawWindow::new(epoch, LogTime(from), LogTime(to));
        let mut after = None;
        loop {
            let RawPage { events, next } = self.events(&window, 1, after).await?;
            let found = events.iter().map(|event| event.log_time()).min();
            if found.is_some() || next.is_none() {
                return Ok(found);
            }
            after = next;
        }
    }

    /// Partitions of which the record of offset 0 is among the first events.
    async fn whole(&self, epoch: u32, first: LogTime) -> Result<BTreeSet<u32>, StoreError> {
        let window = RawWindow::new(epoch, first, LogTime(first.0 + BEGINNING_MS));
        let page = self.events(&window, BEGINNING, None).await?;
        Ok(page.events.iter().filter(|event| event.offset() == 0).map(|event| event.partition()).collect())
    }
}
