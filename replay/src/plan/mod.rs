//! What is read, by which definitions, from which sources.

mod again;
mod origin;

use std::sync::Arc;

use futures::future::try_join;
use slipstream_log::SharedLog;
use slipstream_query::definitions::revisions;
use slipstream_schemas::{EventTime, LogTime};
use slipstream_slo::revision::Revisions;

use crate::assemble::time;
use crate::definitions::{given, in_force, is_on_budgets, on_budgets, warm_up_from, without_budgets};
use crate::engine::{Alerting, Begin, Case, Progress, Slotting};
use crate::error::ReplayError;
use crate::outcome::Clock;
use crate::replay::Asked;
use crate::source::{Held, Joined, Reader, Retained, Sorted, SortedReader, Sources, Span, join, plan_log, refused};
use crate::then;
pub use again::again;
pub use origin::Origin;
use origin::readers;

/// A range, and what it is read by.
pub struct Plan {
    /// What is read, by the clock.
    pub span: Span,
    /// The range, by the clock.
    pub from: LogTime,
    /// See `from`.
    pub to: LogTime,
    /// Sets of definitions.
    pub cases: Vec<Case>,
    /// Alerts of which the log says whether they were open when the range began.
    pub known: Alerting,
    /// Whether counts are noted by slot, too.
    pub slots: Option<Slotting>,
    /// See [`Past::window_ms`].
    pub window_ms: i64,
    /// What brings the events.
    pub readers: Vec<(Begin, Box<dyn Reader>)>,
    /// Where they are from.
    pub origin: Origin,
    /// What the sources know of the past.
    pub past: Arc<Past>,
    /// Copies, and invalid records, that were dropped before the engine sees them.
    pub dropped: (u64, u64),
    /// Rules that are left out.
    pub left_out: Vec<String>,
}

/// What the sources know of the past: what is asked of them once.
pub struct Past {
    sources: Sources,
    then: Revisions,
    /// Redeliveries are recognised for this long, milliseconds.
    window_ms: i64,
    retained: Retained,
    held: Option<Held>,
    /// Log times of the first request, and of what is known.
    first: LogTime,
    known: LogTime,
}

/// Plans a replay. By event time, this reads and sorts all events.
///
/// # Errors
/// When a source cannot be read, nothing is in the range, or definitions do not fit.
pub async fn plan(sources: &Sources, asked: &Asked, progress: &Arc<Progress>) -> Result<Plan, ReplayError> {
    let past = Arc::new(Past::of(sources, progress).await?);
    let mut plan = match asked.clock {
        Clock::Log => past.by_log_time(asked, progress).await?,
        Clock::Event => past.by_event_time(asked, progress).await?,
    };
    if !asked.budgets {
        plan.leave_out_budgets();
    }
    Ok(plan)
}

impl Plan {
    /// Leaves rules on budgets out: they would wait for a period that is not read.
    fn leave_out_budgets(&mut self) {
        for case in &mut self.cases {
            let found: Vec<String> =
                in_force(&case.revisions, self.from, self.to).iter().flat_map(on_budgets).collect();
            self.left_out.extend(found);
            case.revisions = case.revisions.map(without_budgets);
            for open in case.open_before.iter_mut() {
                open.retain(|transition| !is_on_budgets(&transition.rule_kind));
            }
        }
        self.left_out.sort_unstable();
        self.left_out.dedup();
    }

    /// Starts both sets of definitions from the same state: an alert that both have, and that was open when the range began, is
    /// open by both. Without this, definitions that are the same would differ by what the warm-up makes of them.
    pub fn begin_alike(&mut self) {
        let (from, to) = (self.from, LogTime(self.from.0 + 1_000));
        let [of_then, given] = &mut self.cases[..] else { return };
        let alerting = Alerting::by(&in_force(&given.revisions, from, to));
        let open = of_then.open_before.as_ref();
        given.open_before = open.map(|open| open.iter().filter(|alert| alerting.has(alert)).cloned().collect());
    }
}

impl Past {
    async fn of(sources: &Sources, progress: &Progress) -> Result<Past, ReplayError> {
        let log = sources.log.as_ref();
        let then = async { Ok::<_, ReplayError>(revisions(log).await?) };
        let (then, retained) = try_join(then, Retained::of(log)).await?;
        let window_ms = then.settings().ok_or_else(no_settings)?.redelivery_window_ms;
        let held = match &sources.store {
            Some(store) if !retained.is_whole() => Held::of(store, log, progress).await?,
            _ => None,
        };
        let in_store = held.as_ref().and_then(|held| held.first);
        let first = [retained.first_time(), in_store].into_iter().flatten().min();
        let known = retained.known_until().max(held.as_ref().and_then(Held::known_until));
        let (Some(first), Some(known)) = (first, known) else {
            return Err(nothing_in(sources.store.is_some()));
        };
        Ok(Past { sources: sources.clone(), then, window_ms, retained, held, first, known })
    }

    async fn by_log_time(self: Arc<Self>, asked: &Asked, progress: &Arc<Progress>) -> Result<Plan, ReplayError> {
        let log = self.log().as_ref();
        let (from, to) = self.range(asked, (self.first, self.known))?;
        let of_then = in_force(&self.then, from, to);
        let given_slos = asked.slos.as_deref().unwrap_or_default();
        let wanted = [&of_then[..], given_slos].map(|slos| warm_up_from(slos, &self.then, from, asked.budgets));
        // What was asked for and is before the first request may be gone: then it is missing.
        let wanted = wanted[0].min(wanted[1]).min(asked.from.unwrap_or(from));
        let begin = wanted.max(LogTime(self.first.tick() * 1_000)).min(from);
        let span = Span { from: begin, to };
        let mut cases = Vec::new();
        if !of_then.is_empty() || asked.slos.is_none() {
            let open_before = then::open_before(log, from.tick()).await?;
            cases.push(Case { revisions: self.then.clone(), open_before });
        }
        if let Some(slos) = &asked.slos {
            cases.push(Case { revisions: given(slos, span.from, self.window_ms)?, open_before: None });
        }
        let origin = self.origin(span, wanted).await?;
        let readers = readers(&origin.joined, &origin.noted, self.log(), (span, self.window_ms), progress);
        let (known, window_ms, dropped) = (Alerting::by(&of_then), self.window_ms, (0, 0));
        Ok(Plan {
            span,
            from,
            to,
            cases,
            known,
            slots: None,
            window_ms,
            readers,
            origin,
            past: self,
            dropped,
            left_out: Vec::new(),
        })
    }

    /// Event times have nothing to do with log times, so everything is read. Revisions were cut by log time, which means nothing
    /// here: the definitions in force at the end are in force from the start.
    async fn by_event_time(self: Arc<Self>, asked: &Asked, progress: &Arc<Progress>) -> Result<Plan, ReplayError> {
        let newest = slipstream_query::definitions::in_force(&self.then);
        let given_slos = asked.slos.as_deref().unwrap_or_default();
        let warm_up = |from: LogTime| {
            [&newest[..], given_slos].map(|slos| warm_up_from(slos, &self.then, from, asked.budgets)).into_iter().min()
        };
        let asked_from = asked.from.map(|from| LogTime(from.tick() * 1_000));
        let kept = Span {
            from: asked_from.and_then(warm_up).unwrap_or(LogTime(i64::MIN)),
            to: asked.to.unwrap_or(LogTime(i64::MAX)),
        };
        let all = Span { from: LogTime(self.first.tick() * 1_000), to: self.known };
        let origin = self.origin(all, all.from).await?;
        let readers = readers(&origin.joined, &origin.noted, self.log(), (all, self.window_ms), progress);
        let (begins, readers): (Vec<Begin>, Vec<_>) = readers.into_iter().unzip();
        let (window_ms, stop) = (self.window_ms, Arc::clone(progress));
        let counted_from = asked_from.unwrap_or(LogTime(i64::MIN));
        let gather = move || Sorted::gather(readers, window_ms, (kept, counted_from), &stop);
        let sorted = tokio::task::spawn_blocking(gather).await.map_err(|_| ReplayError::Thread("sorting"))??;
        if progress.is_stopped() {
            return Err(ReplayError::Stopped);
        }
        let Some((first, last)) = sorted.all else { return Err(nothing_in(self.held.is_some())) };
        if (asked.from.is_none() || asked.to.is_none()) && last.millis() - first.millis() > MOST_MS {
            return Err(far_apart(first, last));
        }
        let (from, to) = self.range(asked, (LogTime(first.millis()), LogTime(last.millis() + 1)))?;
        let first_second = LogTime(first.millis().div_euclid(1_000) * 1_000);
        let span = Span { from: warm_up(from).unwrap_or(from).max(first_second).min(from), to };
        let whole = begins.iter().all(|begin| matches!(begin, Begin::First | Begin::After(_)));
        let begin = if whole && !sorted.has_earlier() { Begin::First } else { Begin::At(span.from) };
        let mut cases = Vec::new();
        let sets = [(!newest.is_empty() || asked.slos.is_none()).then_some(&newest), asked.slos.as_ref()];
        for slos in sets.into_iter().flatten() {
            cases.push(Case { revisions: given(slos, span.from, window_ms)?, open_before: None });
        }
        let dropped = (sorted.duplicates, sorted.invalid);
        let readers: Vec<(Begin, Box<dyn Reader>)> = vec![(begin, Box::new(SortedReader::new(sorted)))];
        let known = Alerting::default();
        Ok(Plan {
            span,
            from,
            to,
            cases,
            known,
            slots: None,
            window_ms,
            readers,
            origin,
            past: self,
            dropped,
            left_out: Vec::new(),
        })
    }

    /// The log that is asked.
    pub fn log(&self) -> &SharedLog {
        &self.sources.log
    }

    /// The range that is asked for, as far as something is known of it: from the first request on, and up to what is known.
    fn range(&self, asked: &Asked, (first, known): (LogTime, LogTime)) -> Result<(LogTime, LogTime), ReplayError> {
        if let (Some(from), Some(to)) = (asked.from, asked.to)
            && from >= to
        {
            let [from, to] = [from, to].map(time);
            return Err(ReplayError::Range(format!("the range is empty: it begins at {from} and ends at {to}")));
        }
        let to = asked.to.unwrap_or(known).min(known);
        // Whole seconds: ticks are.
        let whole = |at: LogTime| LogTime(at.tick() * 1_000);
        let wanted = whole(asked.from.unwrap_or(first));
        let from = wanted.max(whole(first));
        if from >= to || to <= first {
            let asked = match asked.to {
                Some(asked) => format!("between {} and {}", time(wanted), time(asked)),
                None => format!("after {}", time(wanted)),
            };
            let holds = format!("{} those from {} to {}", who_hold(self.held.is_some()), time(first), time(known));
            return Err(ReplayError::Range(format!("no requests {asked}: {holds}")));
        }
        Ok((from, to))
    }

    async fn origin(&self, span: Span, wanted: LogTime) -> Result<Origin, ReplayError> {
        let log = self.log().as_ref();
        let joined = self.joined(&self.retained, span, wanted).await?;
        let refused = match &joined.store {
            Some((part, _)) => refused(log, part).await?,
            None => Vec::new(),
        };
        Ok(Origin { log: log.describe(), span, joined, noted: Arc::default(), refused })
    }

    /// Which source has which part of a span, of a log that holds this. See [`join`] for `wanted`.
    async fn joined(&self, retained: &Retained, span: Span, wanted: LogTime) -> Result<Joined, ReplayError> {
        let log = self.log().as_ref();
        let parts = plan_log(log, retained, span, self.window_ms).await?;
        join(log, self.held.as_ref(), parts, span, wanted).await
    }
}

/// By event time, requests of more than so long are hardly of one history: three years.
const MOST_MS: i64 = 3 * 366 * 86_400_000;

fn far_apart(first: EventTime, last: EventTime) -> ReplayError {
    let [first, last] = [first, last].map(|at| time(LogTime(at.millis())));
    ReplayError::Range(format!(
        "requests happened from {first} to {last}, which is years: was a clock wrong? Say with --from and --to which of them are meant"
    ))
}

fn who_hold(with_store: bool) -> &'static str {
    if with_store { "log and store hold" } else { "the log holds" }
}

fn nothing_in(with_store: bool) -> ReplayError {
    ReplayError::Range(format!("{} no requests", who_hold(with_store)))
}

fn no_settings() -> ReplayError {
    ReplayError::Range("the installation has no settings yet: nothing was ever tallied here".to_owned())
}
