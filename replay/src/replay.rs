//! A replay from its question to what it found.

use std::sync::Arc;

use slipstream_definitions::definition::Slo;
use slipstream_log::SharedLog;
use slipstream_role::markers::markers;
use slipstream_schemas::records::AlertTransition;
use slipstream_schemas::{EventTime, LogTime};

use crate::assemble::{About, outcomes};
use crate::engine::{Case, Job, Progress, Read, Steps, run};
use crate::error::ReplayError;
use crate::investigate::{Found, investigate};
use crate::outcome::{Clock, MarkerShown, Outcome, WhatIf};
use crate::plan::{Again, Plan, again, plan};
use crate::second_look::{SecondLook, what_if};
use crate::source::{Sources, Span};

/// Markers from so long before the range on are told, ms: a deploy may show its effect later.
const MARKERS_BEFORE_MS: i64 = 3_600_000;

/// What is asked.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// By which time events are ordered; it is that of the other times here, too.
    pub clock: Clock,
    /// From this time; `None`: from the first event.
    pub from: Option<LogTime>,
    /// Up to this one; `None`: up to what is known.
    pub to: Option<LogTime>,
    /// Length of a step, seconds; `None`: what suits a chart.
    pub step: Option<i64>,
    /// Whether budgets are to be whole, too, and not only the windows of rules.
    pub budgets: bool,
    /// By these definitions; beside those of then, if any were in force.
    pub slos: Option<Vec<Slo>>,
    /// Threads; `None`: one for each core.
    pub threads: Option<usize>,
}

/// What was found.
#[derive(Debug)]
pub enum Told {
    /// By one set of definitions: those of then, or those that were given if there were none.
    One(Box<Outcome>),
    /// By those of then and those that were given.
    Both(Box<WhatIf>),
}

impl Told {
    /// What the definitions of then found, if there were some.
    pub fn outcome(&self) -> &Outcome {
        match self {
            Told::One(outcome) => outcome,
            Told::Both(what_if) => &what_if.before,
        }
    }

    /// The transitions of the alerts in it.
    pub fn transitions(&self) -> Vec<AlertTransition> {
        self.outcome().alerts.iter().flat_map(|alert| alert.records.clone()).collect()
    }
}

/// A replay that was made.
#[derive(Debug)]
pub struct Replayed {
    /// What was found.
    pub told: Told,
    /// Whether it was stopped early.
    pub stopped: bool,
}

/// Replays a range.
///
/// # Errors
/// When a source cannot be read, none holds anything of the range, or definitions do not fit.
pub async fn replay(sources: &Sources, asked: &Asked, progress: &Arc<Progress>) -> Result<Replayed, ReplayError> {
    let plan = plan(sources, asked, progress).await?;
    let (cases, to) = (plan.cases.clone(), plan.to);
    let (about, read) = read(sources, asked, plan, progress).await?;
    let stopped = about.to < to;
    let outcomes = outcomes(&about, &cases, read);
    let told = look_again(sources, &about, &cases, outcomes, progress).await?;
    Ok(Replayed { told, stopped })
}

/// Reads what was planned, and says what was read.
///
/// # Errors
/// When a source cannot be read, or a fold refuses what it is given.
pub(crate) async fn read(
    sources: &Sources,
    asked: &Asked,
    plan: Plan,
    progress: &Arc<Progress>,
) -> Result<(About, Read), ReplayError> {
    let Plan { span, from, to, cases, slots, window_ms, readers, origin, dropped } = plan;
    let second = |at: LogTime| (at.0 + 999).div_euclid(1_000);
    let steps = match asked.step {
        Some(length) => Steps::new(from.tick(), second(to), length),
        None => Steps::usual(from.tick(), second(to)),
    };
    let (begins, readers) = readers.into_iter().unzip();
    let threads = asked.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let job = Job { cases, window_ms, span, steps, slots, from, begins, threads, progress: Arc::clone(progress) };
    let mut read = blocking(move || run(&job, readers)).await?;
    // Ticks are whole seconds.
    let reached = if read.reached < to { LogTime(read.reached.tick() * 1_000).max(from) } else { to };
    let steps = steps.until(second(reached));
    read.traffic.cut(steps.count());
    if reached > from {
        (read.duplicates, read.invalid) = (read.duplicates + dropped.0, read.invalid + dropped.1);
    } else {
        // It was stopped in the warm-up, and has nothing of the range.
        read.notes.iter_mut().for_each(|notes| notes.states.clear());
    }
    let about = About {
        from,
        to: reached,
        warm_up_from: span.from,
        clock: asked.clock,
        steps,
        parts: origin.parts(),
        missing: origin.missing(),
        markers: markers_of(&sources.log, LogTime(from.0 - MARKERS_BEFORE_MS), reached).await?,
    };
    Ok((about, read))
}

/// Reads again what happened around each alert.
async fn look_again(
    sources: &Sources,
    about: &About,
    cases: &[Case],
    mut outcomes: Vec<Outcome>,
    progress: &Arc<Progress>,
) -> Result<Told, ReplayError> {
    let second = SecondLook::new(about, cases, &outcomes);
    let mut found = Vec::new();
    let spans = second.spans();
    if !spans.is_empty() {
        found = match looked(sources, about, &second, &spans, progress).await {
            // What was read is told all the same: the source that failed may be why it was stopped.
            Err(_) if progress.is_stopped() => Vec::new(),
            found => found?,
        };
    }
    let changes = second.fill(&mut outcomes, found);
    let mut outcomes = outcomes.into_iter();
    match (outcomes.next(), outcomes.next()) {
        (Some(before), Some(after)) => Ok(Told::Both(Box::new(what_if(before, after, changes)))),
        (Some(outcome), None) => Ok(Told::One(Box::new(outcome))),
        (None, _) => Err(ReplayError::Thread("the engine")),
    }
}

async fn looked(
    sources: &Sources,
    about: &About,
    second: &SecondLook,
    spans: &[Span],
    progress: &Arc<Progress>,
) -> Result<Vec<Found>, ReplayError> {
    let Again { readers, window_ms } = again(sources, about.clock, spans, progress).await?;
    let looks = second.looks.clone();
    blocking(move || investigate(&looks, readers, window_ms)).await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ReplayError> + Send + 'static,
) -> Result<T, ReplayError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| ReplayError::Thread("the engine"))?
}

async fn markers_of(log: &SharedLog, from: LogTime, to: LogTime) -> Result<Vec<MarkerShown>, ReplayError> {
    let micros = |at: LogTime| EventTime(at.0.saturating_mul(1_000));
    let found = markers(log.as_ref(), micros(from), micros(to)).await?;
    let shown = found.into_iter().map(|marker| MarkerShown {
        id: marker.id,
        time: marker.time.rfc3339(),
        until: marker.until.map(EventTime::rfc3339),
        kind: marker.kind.name().to_owned(),
        service: marker.service,
        environment: marker.environment,
        version: marker.version,
        text: marker.text,
        link: marker.link,
        author: marker.author,
    });
    Ok(shown.collect())
}
