//! The part of a request that computes: decompress, cut, decode, encode. A small request does it where it is; a large one
//! on a thread that may block, with no more of those than cores to spare. So a small one never waits for large ones.

use std::sync::Arc;

use jiff::Timestamp;
use slipstream_runtime::event::Event;
use slipstream_schemas::EventTime;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::budget::Budget;
use super::events::Unpacked;
use super::gzip::{self, Bounds, GzipError, MEMBERS};
use super::held::Held;
use super::intake::{self, Intake};
use super::refusal::Refusal;
use super::request::{Coding, Wanted};
use super::{Limits, form};

/// What a small request is at most: about a millisecond of work.
const SMALL_BYTES: usize = 128 << 10;
const SMALL_EVENTS: usize = 1_000;
const SMALL_MEMBERS: usize = 16;

/// Where requests are worked on.
#[derive(Debug, Clone)]
pub(super) struct Workshop {
    budget: Budget,
    limits: Limits,
    /// For large ones.
    places: Arc<Semaphore>,
}

/// A body, and how it wants to be read.
#[derive(Debug)]
pub(super) struct Job {
    pub body: Held,
    pub wanted: Wanted,
}

/// A job that is too large to be done in passing.
struct TooLarge;

impl Workshop {
    pub(super) fn new(budget: Budget, limits: Limits) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        // One is left to those who read, write and do what is small.
        Workshop { budget, limits, places: Arc::new(Semaphore::new((cores - 1).max(1))) }
    }

    pub(super) async fn work(&self, job: Job) -> Result<Intake, Refusal> {
        match self.in_passing(&job) {
            Ok(done) => done,
            Err(TooLarge) => self.on_a_thread(job).await,
        }
    }

    fn in_passing(&self, job: &Job) -> Result<Result<Intake, Refusal>, TooLarge> {
        if job.body.len() > SMALL_BYTES {
            return Err(TooLarge);
        }
        if job.wanted.coding == Coding::Plain {
            return self.taken_in(&job.body, job.wanted, SMALL_EVENTS);
        }
        match self.unpacked(&job.body, SMALL_BYTES.min(self.limits.max_body), SMALL_MEMBERS) {
            Ok(body) => self.taken_in(&body, job.wanted, SMALL_EVENTS),
            Err(GzipError::TooLarge(_) | GzipError::TooManyMembers(_)) => Err(TooLarge),
            Err(error) => Ok(Err(error.into())),
        }
    }

    async fn on_a_thread(&self, job: Job) -> Result<Intake, Refusal> {
        let place = timeout(self.limits.publish_timeout, self.places.clone().acquire_owned()).await;
        let Ok(Ok(place)) = place else { return Err(Refusal::Busy) };
        let shop = self.clone();
        let work = tokio::task::spawn_blocking(move || {
            // Held by the thread: a client that leaves does not free the core that works for it.
            let _place = place;
            shop.whole(job)
        });
        work.await.unwrap_or_else(|e| Err(Refusal::Mistake(e.to_string())))
    }

    /// All of it, here and now.
    pub(super) fn whole(&self, job: Job) -> Result<Intake, Refusal> {
        let Job { mut body, wanted } = job;
        if wanted.coding == Coding::Gzip {
            // What was sent is not needed any more then.
            body = self.unpacked(&body, self.limits.max_body, MEMBERS)?;
        }
        self.taken_in(&body, wanted, usize::MAX).unwrap_or(Err(Refusal::Busy))
    }

    fn unpacked(&self, packed: &Held, bytes: usize, members: usize) -> Result<Held, GzipError> {
        let mut body = Held::new(&self.budget, bytes);
        gzip::unpack(packed.as_ref(), &mut body, Bounds { bytes, members })?;
        Ok(body)
    }

    /// Passing over a value, the parser remembers each list and object that it is in: as many as there are bytes, at worst,
    /// in a vector that grows.
    fn taken_in(&self, body: &Held, wanted: Wanted, most: usize) -> Result<Result<Intake, Refusal>, TooLarge> {
        let mut nesting = self.budget.open();
        if body.len() > SMALL_BYTES && nesting.grow(2 * body.len()).is_err() {
            return Ok(Err(Refusal::Busy));
        }
        let items = match form::items(body.as_ref(), wanted.form, self.limits.max_events) {
            Ok(items) if items.len() > most => return Err(TooLarge),
            Ok(items) => items,
            Err(error) => return Ok(Err(error.into())),
        };
        drop(nesting);
        Unpacked { bytes: body.len() }.emit();
        Ok(self.records(&items))
    }

    fn records(&self, items: &[&[u8]]) -> Result<Intake, Refusal> {
        let mut room = self.budget.open();
        room.grow(size_of_val(items))?;
        let now = EventTime(Timestamp::now().as_microsecond());
        Ok(intake::take(items, now, &self.budget, || uuid::Uuid::now_v7().to_string())?)
    }
}
