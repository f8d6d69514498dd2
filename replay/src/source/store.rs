//! Reading what the store has of request-events, in windows of log time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use slipstream_schemas::{Cause, LogTime};
use slipstream_store::{Events, RawCursor, RawPage, RawWindow, StoreError};
use tokio::runtime::Handle;

use super::asking::{PATIENCE, ask};
use super::join::StorePart;
use super::noted::{Gap, Noted};
use super::{Block, Reader};
use crate::assemble::time;
use crate::engine::Progress;
use crate::error::ReplayError;

/// Bounds of a reader.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Events of a window that are aimed at.
    pub events: usize,
    /// With more than these a window is read again in smaller ones: they are held in memory.
    pub most_events: usize,
    /// How long a store that does not answer is asked again.
    pub patience: Duration,
}

impl Default for Limits {
    /// Blocks that are worth their way through the engine, and a few of which are little memory.
    fn default() -> Limits {
        Limits { events: 60_000, most_events: 200_000, patience: PATIENCE }
    }
}

/// Lengths of a window, milliseconds.
const FIRST_WINDOW: i64 = 60_000;
const LONGEST_WINDOW: i64 = 86_400_000;

/// Reads a part of the store, window by window. A block has a whole window, unless that is one millisecond of too many events.
pub struct StoreReader {
    part: StorePart,
    runtime: Handle,
    noted: Arc<Noted>,
    progress: Arc<Progress>,
    limits: Limits,
    /// Where the next window begins.
    from: LogTime,
    length: i64,
    /// Where the next page of the window starts, if it comes in several.
    after: Option<RawCursor>,
    /// From here on nothing was removed when the part was planned.
    kept_from: LogTime,
}

impl StoreReader {
    /// A reader that waits for the store on this runtime.
    pub fn new(
        part: StorePart,
        runtime: Handle,
        (noted, progress): (Arc<Noted>, Arc<Progress>),
        limits: Limits,
    ) -> StoreReader {
        let from = part.span.from;
        StoreReader { part, runtime, noted, progress, limits, from, length: FIRST_WINDOW, after: None, kept_from: from }
    }

    /// The next block that is small enough.
    fn window(&mut self) -> Result<Option<Block>, ReplayError> {
        loop {
            let to = LogTime(self.from.0.saturating_add(self.length).min(self.part.span.to.0));
            let Some(RawPage { events, next }) = self.page(to)? else { return Ok(None) };
            match next {
                None => return self.whole(events, to).map(Some),
                Some(next) if events.is_empty() => self.after = Some(next),
                Some(_) if to.0 - self.from.0 > 1 => {
                    self.after = None;
                    self.length = ((to.0 - self.from.0) / 4).max(1);
                }
                // All are of this millisecond, and so are those that follow.
                Some(next) => {
                    self.after = Some(next);
                    self.note(&events);
                    return Ok(Some(Block::Events { events, until: self.from }));
                }
            }
        }
    }

    /// A window that was read to its end.
    fn whole(&mut self, events: Events, to: LogTime) -> Result<Block, ReplayError> {
        self.check_kept(to)?;
        self.note(&events);
        let (least, most) = ((self.length / 4).max(1), self.length * 4);
        let aim = |found: i64| self.length.saturating_mul(self.limits.events as i64) / found;
        self.length = match events.len() as i64 {
            0 => most,
            found => aim(found).clamp(least, most),
        };
        self.length = self.length.min(LONGEST_WINDOW);
        (self.from, self.after) = (to, None);
        Ok(Block::Events { events, until: to })
    }

    fn note(&self, events: &Events) {
        let mut least: BTreeMap<u32, i64> = BTreeMap::new();
        for event in events.iter() {
            let known = least.entry(event.partition()).or_insert(event.offset());
            *known = event.offset().min(*known);
        }
        least.into_iter().for_each(|(partition, offset)| self.noted.stored(partition, offset));
    }

    /// The next page of the window up to `to`; `None` if the replay was stopped.
    fn page(&self, to: LogTime) -> Result<Option<RawPage>, ReplayError> {
        let window = RawWindow { epoch: self.part.epoch, from: self.from, to, below: Some(self.part.below.clone()) };
        self.ask(async || self.part.store.raw_events(&window, self.limits.most_events, self.after).await)
    }

    /// Tells what of the window may have been removed while it was read.
    fn check_kept(&mut self, to: LogTime) -> Result<(), ReplayError> {
        let Some(bounds) = self.ask(async || self.part.store.raw_bounds().await)? else { return Ok(()) };
        let Some(kept_from) = bounds.iter().filter_map(|bounds| bounds.kept_from).max() else { return Ok(()) };
        self.kept_from = self.kept_from.max(kept_from);
        if self.kept_from <= self.from {
            return Ok(());
        }
        for (partition, until) in &self.part.until {
            let gone_to = self.kept_from.min(to).min(*until);
            if gone_to > self.from {
                let reason = "the store removed it while it was read".to_owned();
                self.noted.gap(Gap { partition: *partition, from: self.from, to: gone_to, reason });
            }
        }
        Ok(())
    }

    /// Asks the store, again and again while it may come back; `None` if the replay was stopped meanwhile.
    fn ask<T>(&self, question: impl AsyncFn() -> Result<T, StoreError>) -> Result<Option<T>, ReplayError> {
        match self.runtime.block_on(ask(&self.progress, self.limits.patience, question)) {
            Ok(answer) => Ok(Some(answer)),
            Err(StoreError::Unavailable { .. }) if self.progress.is_stopped() => Ok(None),
            Err(cause @ StoreError::Unavailable { .. }) => {
                let (who, reached) = ("the store", time(self.from));
                Err(ReplayError::Unanswered { who, reached, cause: Cause::of(cause) })
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl Reader for StoreReader {
    fn next(&mut self) -> Result<Option<Block>, ReplayError> {
        if self.from >= self.part.span.to || self.progress.is_stopped() {
            return Ok(None);
        }
        self.window()
    }
}
