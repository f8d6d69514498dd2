//! A replay from its question to what it found.

use std::sync::Arc;
use std::time::Duration;

use slipstream_definitions::definition::Slo;
use slipstream_log::SharedLog;
use slipstream_role::markers::markers;
use slipstream_schemas::records::AlertTransition;
use slipstream_schemas::{EventTime, LogTime};

use crate::assemble::{About, outcomes};
use crate::engine::{Case, Job, KnownCopies, Progress, Read, Steps, run};
use crate::error::ReplayError;
use crate::investigate::{Found, investigate};
use crate::outcome::{CHANGE_BEFORE_MS, Clock, MarkerShown, Outcome, SloHistory, WhatIf};
use crate::plan::{Past, Plan, again, plan};
use crate::requests::{Again, Seconds, count};
use crate::second_look::{SecondLook, what_if};
use crate::source::{Sources, Span};
use crate::then::{Episode, find_in};

/// One that was stopped looks into alerts for so long at most.
const AFTER_STOP: Duration = Duration::from_secs(10);

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

impl Asked {
    fn threads(&self) -> usize {
        self.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
    }
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
        self.outcome().transitions()
    }
}

/// A replay that was made.
#[derive(Debug)]
pub struct Replayed {
    /// What was found.
    pub told: Told,
    /// Whether it was stopped before it had looked into the alerts; then nothing is known of whom they hit.
    pub unlooked: bool,
}

/// Replays a range.
///
/// # Errors
/// When a source cannot be read, none holds anything of the range, or definitions do not fit.
pub async fn replay(sources: &Sources, asked: &Asked, progress: &Arc<Progress>) -> Result<Replayed, ReplayError> {
    let sources = &sources.asked_again(progress);
    let mut plan = plan(sources, asked, progress).await?;
    plan.begin_alike();
    let (cases, past) = (plan.cases.clone(), Arc::clone(&plan.past));
    let threads = asked.threads();
    let (about, mut read) = read(sources, asked, plan, progress).await?;
    let stopped = about.stopped;
    let copies = std::mem::take(&mut read.copies).known().map(Arc::new);
    let outcomes = outcomes(&about, &cases, read);
    if stopped {
        // What was read is looked into all the same.
        progress.go_on();
    }
    let patience = stopped.then_some(AFTER_STOP);
    let look = LookingBack { past: &past, about: &about, copies: copies.as_ref(), threads, progress };
    let (told, unlooked) = look_again(look, (&cases, outcomes), patience).await?;
    Ok(Replayed { told, unlooked })
}

/// Finds an episode of an alert as it would have been by event time, in the range that is asked for; the last one if none is named.
/// With two sets of definitions that is one of those of then, or, where they have none, of those that are given. This reads and
/// sorts all events.
///
/// # Errors
/// When there is none, a source cannot be read, or it was stopped.
pub async fn episode_by_event_time(
    sources: &Sources,
    asked: &Asked,
    named: (&str, Option<i64>),
    progress: &Arc<Progress>,
) -> Result<Episode, ReplayError> {
    let sources = &sources.asked_again(progress);
    // Steps and budgets are of the range that is told later.
    let asked = Asked { clock: Clock::Event, step: None, budgets: false, ..asked.clone() };
    let mut plan = plan(sources, &asked, progress).await?;
    plan.begin_alike();
    let cases = plan.cases.clone();
    let (about, read) = read(sources, &asked, plan, progress).await?;
    if about.stopped {
        return Err(ReplayError::Stopped);
    }
    let sets: Vec<Vec<AlertTransition>> = outcomes(&about, &cases, read).iter().map(Outcome::transitions).collect();
    Ok(find_in(&sets, named, Clock::Event)?)
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
    let Plan { span, from, to, cases, known, slots, window_ms, readers, origin, dropped, left_out, past: _ } = plan;
    let second = |at: LogTime| (at.0 + 999).div_euclid(1_000);
    let steps = match asked.step {
        Some(length) => Steps::new(from.tick(), second(to), length),
        None => Steps::usual(from.tick(), second(to)),
    };
    let (begins, readers) = readers.into_iter().unzip();
    let threads = asked.threads();
    let job =
        Job { cases, known, window_ms, span, steps, slots, from, begins, threads, progress: Arc::clone(progress) };
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
        stopped: reached < to,
        clock: asked.clock,
        steps,
        parts: origin.parts(),
        gaps: origin.gaps(),
        markers: markers_of(&sources.log, LogTime(from.0 - CHANGE_BEFORE_MS), reached).await?,
        left_out,
    };
    Ok((about, read))
}

/// What is needed to read again what happened around alerts.
#[derive(Clone, Copy)]
struct LookingBack<'a> {
    past: &'a Past,
    about: &'a About,
    /// Copies that the first reading found; `None`: too many.
    copies: Option<&'a Arc<KnownCopies>>,
    threads: usize,
    progress: &'a Arc<Progress>,
}

/// Reads again what happened around each alert, within so long. Returns, too, whether it was stopped before it had.
async fn look_again(
    back: LookingBack<'_>,
    (cases, mut outcomes): (&[Case], Vec<Outcome>),
    patience: Option<Duration>,
) -> Result<(Told, bool), ReplayError> {
    let mut second = SecondLook::new(back.about, cases, &outcomes);
    let looking = back.search_and_look(&mut second, &mut outcomes);
    let found = match patience {
        None => looking.await?,
        // What was read is told all the same: a source that does not answer may be why it was stopped.
        Some(patience) => match tokio::time::timeout(patience, looking).await {
            Ok(Ok(found)) => found,
            Ok(Err(_)) | Err(_) => {
                back.progress.stop();
                None
            }
        },
    };
    let unlooked = found.is_none();
    let changes = second.fill(back.about, &mut outcomes, found);
    // A Rule that counts for itself promises nothing: its alerts are told, and it is no SLO.
    outcomes.iter_mut().for_each(|outcome| outcome.slos.retain(SloHistory::promises));
    let mut outcomes = outcomes.into_iter();
    match (outcomes.next(), outcomes.next()) {
        (Some(before), Some(after)) => Ok((Told::Both(Box::new(what_if(before, after, changes))), unlooked)),
        (Some(outcome), None) => Ok((Told::One(Box::new(outcome)), unlooked)),
        (None, _) => Err(ReplayError::Thread("the engine")),
    }
}

impl LookingBack<'_> {
    /// Finds out when alerts began, and looks at them from there on. What each look found; `None` if it was stopped.
    async fn search_and_look(
        self,
        second: &mut SecondLook,
        outcomes: &mut [Outcome],
    ) -> Result<Option<Vec<Found>>, ReplayError> {
        let LookingBack { past, about, .. } = self;
        let Some(counted) = self.searched(second).await? else { return Ok(None) };
        if let Some(earliest) = second.begin(about, outcomes, &counted).filter(|at| *at < about.from.tick()) {
            let markers = markers_of(past.log(), LogTime(earliest * 1_000 - CHANGE_BEFORE_MS), about.to).await?;
            outcomes.iter_mut().for_each(|outcome| outcome.markers.clone_from(&markers));
        }
        self.looked(second).await
    }

    /// What was counted where alerts may have begun; `None` if it was stopped.
    async fn searched(self, second: &mut SecondLook) -> Result<Option<Vec<Seconds>>, ReplayError> {
        let searches = second.searches().to_vec();
        let spans = searches.iter().map(|search| search.span).collect();
        self.pass(second, spans, move |again, threads, progress| count(&searches, again, threads, progress)).await
    }

    /// What each look found; `None` if it was stopped.
    async fn looked(self, second: &mut SecondLook) -> Result<Option<Vec<Found>>, ReplayError> {
        let looks = second.looks(self.about);
        let spans = looks.iter().map(|look| look.span).collect();
        self.pass(second, spans, move |again, threads, progress| investigate(&looks, again, threads, progress)).await
    }

    /// One pass over these spans, and what it made of them.
    async fn pass<T: Send + 'static>(
        self,
        second: &mut SecondLook,
        spans: Vec<Span>,
        make: impl FnOnce(Again, usize, &Progress) -> Result<Option<Vec<T>>, ReplayError> + Send + 'static,
    ) -> Result<Option<Vec<T>>, ReplayError> {
        if spans.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let LookingBack { past, about, copies, threads, progress } = self;
        let (again, missing, noted) = again(past, about.clock, spans, copies, progress).await?;
        let progress = Arc::clone(progress);
        let made = blocking(move || make(again, threads, &progress)).await;
        second.lose(about, [missing, noted.gaps()].concat());
        made
    }
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
