//! Deliveries under way: started, waited for, brought back with their answers.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use slipstream_runtime::Shutdown;
use slipstream_runtime::event::Event;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::notifier::dispatch::{Answer, Delivery};
use crate::notifier::transport::Transport;
use crate::telemetry::{AttemptResult, Attempted};

type Finished = (Arc<Delivery>, Answer);

/// The deliveries of one receiver that are under way. Dropping it ends them.
pub(super) struct InFlight {
    transport: Arc<dyn Transport>,
    receiver: Arc<str>,
    in_flight: JoinSet<Finished>,
    finished: Vec<Finished>,
}

impl InFlight {
    pub fn new(transport: Arc<dyn Transport>, receiver: String) -> Self {
        InFlight { transport, receiver: receiver.into(), in_flight: JoinSet::new(), finished: Vec::new() }
    }

    pub fn is_empty(&self) -> bool {
        self.in_flight.is_empty()
    }

    /// Begins an attempt.
    pub fn start(&mut self, delivery: Arc<Delivery>) {
        let (transport, receiver) = (Arc::clone(&self.transport), Arc::clone(&self.receiver));
        self.in_flight.spawn(async move {
            let begun = Instant::now();
            let answer = transport.attempt(&delivery).await;
            attempted(&receiver, transport.host(), &delivery, &answer, begun.elapsed()).emit();
            (delivery, answer)
        });
    }

    /// Waits for something else, and meanwhile for answers; `None` on shutdown.
    pub async fn fly_while<T>(&mut self, other: impl Future<Output = T>, shutdown: &Shutdown) -> Option<T> {
        let mut other = pin!(other);
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return None,
                done = &mut other => return Some(done),
                Some(joined) = self.in_flight.join_next(), if !self.in_flight.is_empty() => self.finished.extend(ended(joined)),
            }
        }
    }

    /// Waits for all that are under way, but not longer than `most`; what is late is dropped.
    pub async fn wait(&mut self, most: Duration) {
        let deadline = Instant::now() + most;
        while let Ok(Some(joined)) = tokio::time::timeout_at(deadline, self.in_flight.join_next()).await {
            self.finished.extend(ended(joined));
        }
        self.in_flight.shutdown().await;
    }

    /// What has come back since the last call.
    pub fn finished(&mut self) -> Vec<Finished> {
        while let Some(joined) = self.in_flight.try_join_next() {
            self.finished.extend(ended(joined));
        }
        std::mem::take(&mut self.finished)
    }
}

/// An attempt that panicked is a mistake in the program: it goes on in the loop, which the supervisor watches.
fn ended(joined: Result<Finished, tokio::task::JoinError>) -> Option<Finished> {
    match joined {
        Ok(finished) => Some(finished),
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
