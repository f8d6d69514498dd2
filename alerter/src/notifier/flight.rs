//! Deliveries under way: started, waited for, brought back with their answers.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use slipstream_runtime::Shutdown;
use slipstream_runtime::event::Event;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::events::{AttemptResult, Attempted};
use crate::plan::{Answer, Delivery};
use crate::send::Way;

type Landing = (Arc<Delivery>, Answer);

/// The deliveries of one receiver that are under way. Dropping it ends them.
pub(super) struct Flights {
    way: Arc<dyn Way>,
    receiver: Arc<str>,
    flying: JoinSet<Landing>,
    landed: Vec<Landing>,
}

impl Flights {
    pub fn new(way: Arc<dyn Way>, receiver: String) -> Self {
        Flights { way, receiver: receiver.into(), flying: JoinSet::new(), landed: Vec::new() }
    }

    pub fn is_empty(&self) -> bool {
        self.flying.is_empty()
    }

    /// Begins an attempt.
    pub fn start(&mut self, delivery: Arc<Delivery>) {
        let (way, receiver) = (Arc::clone(&self.way), Arc::clone(&self.receiver));
        self.flying.spawn(async move {
            let begun = Instant::now();
            let answer = way.attempt(&delivery).await;
            attempted(&receiver, way.host(), &delivery, &answer, begun.elapsed()).emit();
            (delivery, answer)
        });
    }

    /// Waits for something else, and meanwhile for landings; none: told to stop.
    pub async fn fly_while<T>(&mut self, other: impl Future<Output = T>, shutdown: &Shutdown) -> Option<T> {
        let mut other = pin!(other);
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return None,
                done = &mut other => return Some(done),
                Some(landing) = self.flying.join_next(), if !self.flying.is_empty() => self.landed.extend(flown(landing)),
            }
        }
    }

    /// Waits for all that are under way, but not longer than `most`; what is late is dropped.
    pub async fn wait(&mut self, most: Duration) {
        let deadline = Instant::now() + most;
        while let Ok(Some(landing)) = tokio::time::timeout_at(deadline, self.flying.join_next()).await {
            self.landed.extend(flown(landing));
        }
        self.flying.shutdown().await;
    }

    /// What has come back since the last call.
    pub fn landed(&mut self) -> Vec<Landing> {
        while let Some(landing) = self.flying.try_join_next() {
            self.landed.extend(flown(landing));
        }
        std::mem::take(&mut self.landed)
    }
}

/// An attempt that panicked is a mistake in the program: it goes on in the loop, which the supervisor watches.
fn flown(landing: Result<Landing, tokio::task::JoinError>) -> Option<Landing> {
    match landing {
        Ok(landing) => Some(landing),
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => None,
    }
}

fn attempted<'a>(
    receiver: &'a str,
    host: &'a str,
    delivery: &Delivery,
    answer: &'a Answer,
    took: Duration,
) -> Attempted<'a> {
    let (status, result) = match answer {
        Answer::Delivered { status } => (Some(*status), AttemptResult::Delivered),
        Answer::Refused { status, detail } => (Some(*status), AttemptResult::Refused(detail)),
        Answer::Failed { status, detail, .. } => (*status, AttemptResult::Failed(detail)),
    };
    Attempted { receiver, host, alerts: delivery.parts.len(), status, result, took }
}
