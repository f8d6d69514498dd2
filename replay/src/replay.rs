//! A replay from its question to what it found.

use std::sync::Arc;

use slipstream_definitions::definition::Slo;
use slipstream_schemas::LogTime;

use crate::assemble::{About, outcomes};
use crate::engine::{Job, Progress, Steps, run};
use crate::error::ReplayError;
use crate::outcome::{Clock, Outcome};
use crate::plan::plan;
use crate::source::Sources;

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
pub struct Replayed {
    /// By the definitions of then; by those that were given if there were none.
    pub outcome: Outcome,
    /// By those that were given, beside the former.
    pub given: Option<Outcome>,
    /// Whether it was stopped early.
    pub stopped: bool,
}

/// Replays a range.
///
/// # Errors
/// When a source cannot be read, none holds anything of the range, or definitions do not fit.
pub async fn replay(sources: &Sources, asked: &Asked, progress: &Arc<Progress>) -> Result<Replayed, ReplayError> {
    let plan = plan(sources, asked, progress).await?;
    let second = |at: LogTime| at.0.div_euclid(1_000);
    let steps = match asked.step {
        Some(length) => Steps::new(second(plan.from), second(plan.to), length),
        None => Steps::usual(second(plan.from), second(plan.to)),
    };
    let (begins, readers) = plan.readers.into_iter().unzip();
    let job = Job {
        cases: plan.cases.clone(),
        window_ms: plan.window_ms,
        span: plan.span,
        steps,
        from: plan.from,
        begins,
        threads: asked.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)),
        progress: Arc::clone(progress),
    };
    let reading = tokio::task::spawn_blocking(move || run(&job, readers)).await;
    let mut read = reading.map_err(|_| ReplayError::Thread("the engine"))??;
    (read.duplicates, read.invalid) = (read.duplicates + plan.dropped.0, read.invalid + plan.dropped.1);
    let reached = read.reached.min(plan.to);
    let about = About {
        from: plan.from,
        to: reached,
        warm_up_from: plan.span.from,
        clock: asked.clock,
        steps,
        parts: plan.origin.parts(),
        missing: plan.origin.missing(),
    };
    let mut found = outcomes(&about, &plan.cases, read).into_iter();
    let outcome = found.next().ok_or(ReplayError::Thread("the engine"))?;
    Ok(Replayed { outcome, given: found.next(), stopped: reached < plan.to })
}
