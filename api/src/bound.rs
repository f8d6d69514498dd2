//! How many questions the store is asked at a time. Each costs it memory and time, and one that waits is of no use once its
//! asker has gone: so many are asked, so many wait for a moment, and a further one is told to come again.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use slipstream_store::patience;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::ask::AskError;
use crate::refusal::{Refusal, refused};

/// Questions that are asked at a time.
const RUNNING: usize = 8;
/// Questions that wait.
const WAITING: usize = 128;
/// How long one waits.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the store works on one: then it refuses it.
const WORKING: Duration = Duration::from_secs(12);
/// How long one is asked, with all that it takes beside the store.
const DEADLINE: Duration = Duration::from_secs(15);

/// Erasures at a time: each reads every row there is.
const ERASING: usize = 1;

/// See the module.
pub struct Bound {
    running: Semaphore,
    erasing: Semaphore,
    waiting: AtomicUsize,
}

impl Default for Bound {
    fn default() -> Self {
        Bound { running: Semaphore::new(RUNNING), erasing: Semaphore::new(ERASING), waiting: AtomicUsize::new(0) }
    }
}

impl Bound {
    /// Asks, when it is its turn. If the asker goes away, so does the question: nothing here outlives its future, and the store
    /// breaks off what nobody waits for.
    ///
    /// # Errors
    /// When too many wait, it takes too long, or it has no answer.
    pub async fn ask<T>(&self, question: impl Future<Output = Result<T, AskError>>) -> Result<T, Refusal> {
        let waits = Waits::one_more(&self.waiting).ok_or(Refusal::Busy)?;
        let turn = timeout(PATIENCE, self.running.acquire()).await;
        drop(waits);
        let Ok(Ok(_turn)) = turn else { return Err(Refusal::Busy) };
        match timeout(DEADLINE, patience::within(WORKING, question)).await {
            Ok(answer) => answer.map_err(refused),
            // What takes the store too long it has refused by now: this is a log, or a database, that does not answer.
            Err(_) => {
                let waited = DEADLINE.as_secs();
                Err(Refusal::Later(format!("log or store have not answered within {waited} s; ask again")))
            }
        }
    }

    /// Erases, for as long as that takes, unless another erasure is under way.
    ///
    /// # Errors
    /// When there is one, or it fails.
    pub async fn erase<T>(&self, erasure: impl Future<Output = Result<T, AskError>>) -> Result<T, Refusal> {
        let _alone = self.erasing.try_acquire().map_err(|_| Refusal::Busy)?;
        erasure.await.map_err(refused)
    }
}

/// A place among those who wait.
struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn one_more(waiting: &'a AtomicUsize) -> Option<Self> {
        let place = Waits(waiting);
        // Dropped again where there is no room.
        (waiting.fetch_add(1, Ordering::Relaxed) < WAITING).then_some(place)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use futures::future::join_all;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn beyond_the_bound_a_question_is_sent_away_and_who_goes_makes_room() {
        let bound = Bound::default();
        let stuck = || bound.ask(pending::<Result<(), AskError>>());
        let outcomes = join_all((0..RUNNING + WAITING + 5).map(|_| stuck())).await;
        let of = |wanted: fn(&Refusal) -> bool| outcomes.iter().filter(|o| o.as_ref().is_err_and(wanted)).count();
        // All that waited were given up; those that ran were given up later.
        assert_eq!(of(|refusal| matches!(refusal, Refusal::Busy)), WAITING + 5);
        assert_eq!(of(|refusal| matches!(refusal, Refusal::Later(_))), RUNNING);

        let gone = join_all((0..RUNNING).map(|_| stuck()));
        let _ = timeout(Duration::from_millis(10), gone).await;
        let answer = timeout(Duration::from_millis(10), bound.ask(async { Ok(7) })).await;
        assert!(matches!(answer, Ok(Ok(7))), "{answer:?}");
    }
}
