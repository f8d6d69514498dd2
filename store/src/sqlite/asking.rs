//! Questions off the async threads: how many at a time, and how one that nobody waits for is broken off.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error;
use crate::patience;
use crate::port::StoreError;

/// More than the API asks at a time.
const TURNS: usize = 16;

/// Instructions of SQLite's between two looks at whether somebody still wants the answer: a fraction of a millisecond.
const LOOK: i32 = 10_000;

/// So many questions are worked on at a time. A turn ends with the work, not with who asked.
pub struct Turns(Arc<Semaphore>);

impl Default for Turns {
    fn default() -> Self {
        Turns(Arc::new(Semaphore::new(TURNS)))
    }
}

impl Turns {
    /// The next one.
    pub async fn take(&self) -> Option<OwnedSemaphorePermit> {
        self.0.clone().acquire_owned().await.ok()
    }
}

/// Notes, when it is dropped, that nobody waits any more.
#[derive(Default)]
pub struct GivenUp(Arc<AtomicBool>);

impl GivenUp {
    /// Whether that is so, or who asks now has waited for as long as it does.
    pub fn is_over(&self) -> impl FnMut() -> bool + Send + 'static + use<> {
        let (given_up, until) = (self.0.clone(), patience::current().map(|patience| Instant::now() + patience));
        move || given_up.load(Ordering::Relaxed) || until.is_some_and(|until| Instant::now() >= until)
    }
}

impl Drop for GivenUp {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Asks, until it is over.
pub fn broken_off_when<T>(
    is_over: impl FnMut() -> bool + Send + 'static,
    reader: &mut Connection,
    doing: &'static str,
    question: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    reader.progress_handler(LOOK, Some(is_over)).map_err(error::at(doing))?;
    let answer = question(reader);
    reader.progress_handler(0, None::<fn() -> bool>).map_err(error::at(doing))?;
    answer
}
