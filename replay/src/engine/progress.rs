//! How far a replay is, for those who look on from other threads, and whether it is to end.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use slipstream_schemas::LogTime;

use crate::source::Span;

/// How far a replay is. It may be asked from other threads.
#[derive(Debug, Default)]
pub struct Progress {
    events: AtomicU64,
    reached: AtomicI64,
    stage: Mutex<Option<Stage>>,
    stop: AtomicBool,
}

/// What it is at, since when, and what was read before.
#[derive(Debug, Clone, Copy)]
struct Stage {
    phase: Phase,
    span: Option<Span>,
    began: Instant,
    before: u64,
}

/// What a replay does with what it reads. Each of them may come several times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Putting it in the order of event times.
    Sorting,
    /// Counting it.
    Counting,
    /// Looking into alerts.
    Looking,
}

/// A look at a phase.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Now {
    /// What it does.
    pub phase: Phase,
    /// How long it has been at it.
    pub elapsed: Duration,
    /// Records that were read meanwhile.
    pub events: u64,
    /// The share of its span that was read; `None` where that cannot be told.
    pub done: Option<f64>,
}

impl Progress {
    /// Records that were read in all, each as often as it was.
    pub fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }

    /// Log time that was reached.
    pub fn reached(&self) -> LogTime {
        LogTime(self.reached.load(Ordering::Relaxed))
    }

    /// How it stands; `None` before anything is read.
    pub fn now(&self) -> Option<Now> {
        let stage = (*self.stage.lock().unwrap_or_else(PoisonError::into_inner))?;
        let reached = self.reached();
        let share = |span: Span| {
            (span.to > span.from && reached >= span.from)
                .then(|| (reached.0 - span.from.0) as f64 / (span.to.0 - span.from.0) as f64)
        };
        Some(Now {
            phase: stage.phase,
            elapsed: stage.began.elapsed(),
            events: self.events().saturating_sub(stage.before),
            done: stage.span.and_then(share),
        })
    }

    /// Ends it after what is under way.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Whether it is to end.
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// What is under way has ended: what comes now ends when it is stopped once more.
    pub(crate) fn go_on(&self) {
        self.stop.store(false, Ordering::Relaxed);
    }

    /// Something else is done from here on: with a span, if it is read in the order of log time.
    pub(crate) fn enter(&self, phase: Phase, span: Option<Span>) {
        self.reached.store(span.map_or(0, |span| span.from.0), Ordering::Relaxed);
        let stage = Stage { phase, span, began: Instant::now(), before: self.events() };
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = Some(stage);
    }

    /// So many more were read, up to a log time.
    pub(crate) fn add(&self, events: usize, reached: LogTime) {
        self.events.fetch_add(events as u64, Ordering::Relaxed);
        self.reached.fetch_max(reached.0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_phase_is_told_by_itself() {
        let progress = Progress::default();
        assert_eq!(progress.now(), None);
        let told = || progress.now().map(|now| (now.phase, now.events, now.done)).unwrap();
        progress.enter(Phase::Sorting, None);
        progress.add(10, LogTime(0));
        assert_eq!(told(), (Phase::Sorting, 10, None));
        let span = Span { from: LogTime(1_000), to: LogTime(2_000) };
        progress.enter(Phase::Counting, Some(span));
        assert_eq!(told(), (Phase::Counting, 0, Some(0.0)));
        progress.add(5, LogTime(1_500));
        assert_eq!(told(), (Phase::Counting, 5, Some(0.5)));
        // Another one begins anew, where the last one ended.
        progress.enter(Phase::Counting, Some(span));
        assert_eq!(told(), (Phase::Counting, 0, Some(0.0)));
        progress.enter(Phase::Looking, None);
        progress.add(3, LogTime(5_000));
        assert_eq!((told(), progress.events()), ((Phase::Looking, 3, None), 18));
    }
}
