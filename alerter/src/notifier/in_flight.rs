//! Deliveries under way: started, waited for, brought back with their answers.

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use slipstream_runtime::Shutdown;
use slipstream_runtime::event::Event;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::Instant;

use crate::notifier::dispatch::{Answer, Delivery};
use crate::notifier::transport::Transport;
use crate::telemetry::{AttemptResult, Attempted};

/// A delivery that came back.
pub(super) struct Finished {
    /// What was sent.
    pub delivery: Arc<Delivery>,
    /// How the attempt ended.
    pub answer: Answer,
    /// How long it took.
    pub took: Duration,
}

/// An attempt that came to an end, and how long it took.
type Landed = (Answer, Duration);

/// An attempt that may still end.
struct UnderWay {
    delivery: Arc<Delivery>,
    begun: Instant,
    task: AbortHandle,
}

/// What is noted of an attempt that was given up.
const GIVEN_UP: &str = "the notifier stopped, or lost its partition, before there was an answer";

/// Between two log lines about a receiver that refuses, at least.
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);

/// The deliveries of one receiver that are under way. Dropping it ends them.
pub(super) struct InFlight {
    transport: Arc<dyn Transport>,
    receiver: String,
    in_flight: JoinSet<Landed>,
    under_way: HashMap<Id, UnderWay>,
    finished: Vec<Finished>,
    complaint: Complaint,
}

impl InFlight {
    pub fn new(transport: Arc<dyn Transport>, receiver: String) -> Self {
        let (in_flight, under_way, finished) = (JoinSet::new(), HashMap::new(), Vec::new());
        InFlight { transport, receiver, in_flight, under_way, finished, complaint: Complaint::default() }
    }

    pub fn is_empty(&self) -> bool {
        self.in_flight.is_empty()
    }

    /// Begins an attempt.
    pub fn start(&mut self, delivery: Arc<Delivery>) {
        let (transport, sent, begun) = (Arc::clone(&self.transport), Arc::clone(&delivery), Instant::now());
        let task = self.in_flight.spawn(async move {
            let answer = transport.attempt(&sent).await;
            (answer, begun.elapsed())
        });
        self.under_way.insert(task.id(), UnderWay { delivery, begun, task });
    }

    fn landed(&mut self, joined: Result<(Id, Landed), JoinError>) {
        let (id, landed) = ended(joined);
        let Some(UnderWay { delivery, begun, .. }) = self.under_way.remove(&id) else { return };
        let (answer, took) = landed.unwrap_or_else(|| (given_up(), begun.elapsed()));
        let aloud = self.complaint.is_news(&answer, Instant::now());
        attempted(&self.receiver, self.transport.host(), &delivery, &answer, took, aloud).emit();
        self.finished.push(Finished { delivery, answer, took });
    }

    /// Waits for something else, and meanwhile for answers; `None` on shutdown.
    pub async fn fly_while<T>(&mut self, other: impl Future<Output = T>, shutdown: &Shutdown) -> Option<T> {
        let mut other = pin!(other);
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return None,
                done = &mut other => return Some(done),
                Some(joined) = self.in_flight.join_next_with_id(), if !self.in_flight.is_empty() => self.landed(joined),
            }
        }
    }

    /// Waits for all that are under way, but not longer than `most`; what is late is given up.
    pub async fn wait(&mut self, most: Duration) {
        let deadline = Instant::now() + most;
        while let Ok(Some(joined)) = tokio::time::timeout_at(deadline, self.in_flight.join_next_with_id()).await {
            self.landed(joined);
        }
        self.give_up(|_| true).await;
    }

    /// Ends those that are under way and of which `which` holds. They have failed, and the receiver may have what they said.
    pub async fn give_up(&mut self, which: impl Fn(&Delivery) -> bool) {
        let given_up = |flying: &&UnderWay| which(&flying.delivery);
        self.under_way.values().filter(given_up).for_each(|flying| flying.task.abort());
        while self.under_way.values().any(|flying| given_up(&flying))
            && let Some(joined) = self.in_flight.join_next_with_id().await
        {
            self.landed(joined);
        }
    }

    /// What has come back since the last call.
    pub fn finished(&mut self) -> Vec<Finished> {
        while let Some(joined) = self.in_flight.try_join_next_with_id() {
            self.landed(joined);
        }
        std::mem::take(&mut self.finished)
    }
}

/// How an attempt ended; `None` where it was given up. One that panicked is a mistake in the program: it goes on in the loop,
/// which the supervisor watches.
fn ended(joined: Result<(Id, Landed), JoinError>) -> (Id, Option<Landed>) {
    match joined {
        Ok((id, landed)) => (id, Some(landed)),
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(error) => (error.id(), None),
    }
}

fn given_up() -> Answer {
    Answer::Failed { status: None, detail: GIVEN_UP.to_owned(), retry_after: None, doubt: true }
}

/// Which refusal is worth an error in the log: the first, and the first of each other answer. A receiver that refuses
/// hundreds of alerts, each again and again, would fill it.
#[derive(Debug, Default)]
struct Complaint {
    /// The status that was complained of, until the receiver answers otherwise.
    status: Option<u16>,
    at: Option<Instant>,
}

impl Complaint {
    /// Whether an answer is to be logged as an error.
    fn is_news(&mut self, answer: &Answer, now: Instant) -> bool {
        let status = match answer {
            Answer::Refused { status, .. } => *status,
            Answer::Delivered { .. } => {
                self.status = None;
                return false;
            }
            Answer::Failed { .. } | Answer::NotAsked { .. } => return false,
        };
        let soon = self.at.is_some_and(|at| now.saturating_duration_since(at) < COMPLAIN_EVERY);
        if self.status == Some(status) || soon {
            return false;
        }
        (self.status, self.at) = (Some(status), Some(now));
        true
    }
}

fn attempted<'a>(
    receiver: &'a str,
    host: &'a str,
    delivery: &Delivery,
    answer: &'a Answer,
    took: Duration,
    aloud: bool,
) -> Attempted<'a> {
    let (status, result) = match answer {
        Answer::Delivered { status } => (Some(*status), AttemptResult::Delivered),
        Answer::Refused { status, detail } => (Some(*status), AttemptResult::Refused { said: detail, aloud }),
        Answer::NotAsked { detail, .. } => (None, AttemptResult::NotAsked(detail)),
        Answer::Failed { status, detail, .. } => (*status, AttemptResult::Failed(detail)),
    };
    Attempted { receiver, host, alerts: delivery.parts.len(), status, result, took }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_an_error_once_until_the_answer_changes_and_not_every_second() {
        let refused = |status| Answer::Refused { status, detail: String::new() };
        let taken = Answer::Delivered { status: 200 };
        let story = [
            (0, refused(401), true),
            (1, refused(401), false),
            (3_600, refused(401), false),
            (3_601, refused(404), true),
            (3_602, refused(401), false),
            (3_603, taken, false),
            (3_604, refused(404), false),
            (3_661, refused(404), true),
        ];
        let begun = Instant::now();
        let mut complaint = Complaint::default();
        for (seconds, answer, want) in story {
            assert_eq!(complaint.is_news(&answer, begun + Duration::from_secs(seconds)), want, "after {seconds} s");
        }
    }
}
