//! Up to when answers are known, looked up now and then: what was stored once stays stored, so an earlier look understates it at most.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use slipstream_query::History;
use slipstream_schemas::{Cause, LogTime, Topic};
use tokio::time::{Instant, timeout};

use super::AskError;

/// How long a look is good for.
const GOOD: Duration = Duration::from_millis(500);
/// How long a look may take. While the log is away, answers are as of the last one.
const PATIENCE: Duration = Duration::from_secs(1);
/// And the first.
const FIRST: Duration = Duration::from_secs(10);

/// What is stored, each of which has its own time.
const TOPICS: [Topic; 4] = [Topic::RequestEvents, Topic::BurnRates, Topic::Alerts, Topic::Notifications];

/// See the module.
#[derive(Default)]
pub struct KnownUpTo([Looks; TOPICS.len()]);

/// Those at one topic: one at a time.
#[derive(Default)]
struct Looks {
    last: Mutex<Option<Look>>,
    looking: tokio::sync::Mutex<()>,
}

#[derive(Clone, Copy)]
struct Look {
    at: Instant,
    known: Option<LogTime>,
}

impl KnownUpTo {
    /// Log time up to which the store has everything of a topic; `None` if it has nothing of some of it yet.
    ///
    /// # Errors
    /// When log or store do not answer, and never did.
    pub async fn of(&self, history: &History, topic: Topic) -> Result<Option<LogTime>, AskError> {
        let place = TOPICS.iter().position(|known| *known == topic).unwrap_or_default();
        let looks = &self.0[place];
        if let Some(good) = looks.good() {
            return Ok(good.known);
        }
        let _one = match (looks.looking.try_lock(), looks.last()) {
            (Ok(one), _) => one,
            (Err(_), Some(last)) => return Ok(last.known),
            (Err(_), None) => looks.looking.lock().await,
        };
        if let Some(good) = looks.good() {
            return Ok(good.known);
        }
        let last = looks.last();
        let patience = if last.is_some() { PATIENCE } else { FIRST };
        let found = match timeout(patience, history.known_up_to(topic)).await {
            Ok(found) => found.map_err(AskError::from),
            Err(late) => Err(AskError::Unavailable { who: "the log", cause: Cause::of(late) }),
        };
        let known = match (found, last) {
            // It never goes back: an hour that was known is.
            (Ok(known), last) => known.max(last.and_then(|last| last.known)),
            (Err(_), Some(last)) => last.known,
            (Err(error), None) => return Err(error),
        };
        *looks.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Look { at: Instant::now(), known });
        Ok(known)
    }
}

impl Looks {
    fn last(&self) -> Option<Look> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn good(&self) -> Option<Look> {
        self.last().filter(|look| look.at.elapsed() < GOOD)
    }
}
