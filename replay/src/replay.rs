//! A replay from its question to what it found.

use std::sync::Arc;

use slipstream_definitions::definition::Slo;
use slipstream_log::SharedLog;
use slipstream_query::definitions::revisions;
use slipstream_schemas::LogTime;
use tokio::runtime::Handle;

use crate::assemble::{About, outcomes, time};
use crate::definitions::{given, in_force, warm_up_from};
use crate::engine::{Begin, Case, Job, Progress, Steps, run};
use crate::error::ReplayError;
use crate::outcome::{Clock, Missing, Outcome, Part};
use crate::source::{LogPart, LogReader, Reader, Span, first_time, known_until, plan_log};
use crate::then;

/// What is asked.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// From this log time; `None`: from the first record.
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

/// A range, and what it is read by.
struct Plan {
    span: Span,
    from: LogTime,
    to: LogTime,
    cases: Vec<Case>,
    window_ms: i64,
    parts: Vec<LogPart>,
}

/// Replays a range of the log.
///
/// # Errors
/// When the log cannot be read, holds nothing of the range, or definitions do not fit.
pub async fn replay(log: &SharedLog, asked: &Asked, progress: &Arc<Progress>) -> Result<Replayed, ReplayError> {
    let plan = plan(log, asked).await?;
    let second = |at: LogTime| at.0.div_euclid(1_000);
    let steps = match asked.step {
        Some(length) => Steps::new(second(plan.from), second(plan.to), length),
        None => Steps::usual(second(plan.from), second(plan.to)),
    };
    let job = Job {
        cases: plan.cases.clone(),
        window_ms: plan.window_ms,
        span: plan.span,
        steps,
        from: plan.from,
        begins: plan.parts.iter().map(|part| begin(part, plan.span)).collect(),
        threads: asked.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)),
        progress: Arc::clone(progress),
    };
    let runtime = Handle::current();
    let reader = |part: &LogPart| -> Box<dyn Reader> {
        Box::new(LogReader::new(log.clone(), runtime.clone(), *part, plan.parts.len()))
    };
    let readers: Vec<Box<dyn Reader>> = plan.parts.iter().map(reader).collect();
    let reading = tokio::task::spawn_blocking(move || run(&job, readers)).await;
    let read = reading.map_err(|_| ReplayError::Thread("the engine"))??;
    let reached = read.reached.min(plan.to);
    let about = About {
        from: plan.from,
        to: reached,
        warm_up_from: plan.span.from,
        clock: Clock::Log,
        steps,
        parts: plan.parts.iter().map(|part| told(part, &log.describe(), plan.span)).collect(),
        missing: plan.parts.iter().filter_map(|part| missing(part, plan.span)).collect(),
    };
    let mut found = outcomes(&about, &plan.cases, read).into_iter();
    let outcome = found.next().ok_or(ReplayError::Thread("the engine"))?;
    Ok(Replayed { outcome, given: found.next(), stopped: reached < plan.to })
}

async fn plan(log: &SharedLog, asked: &Asked) -> Result<Plan, ReplayError> {
    let then = revisions(log.as_ref()).await?;
    let window_ms = then.settings().ok_or_else(no_settings)?.redelivery_window_ms;
    let (from, to) = range(log, asked).await?;
    let of_then = in_force(&then, LogTime(0), to);
    let given_slos = asked.slos.as_deref().unwrap_or_default();
    let warm_up = [of_then.as_slice(), given_slos].map(|slos| warm_up_from(slos, &then, from, asked.budgets));
    let first = first_time(log.as_ref()).await?.unwrap_or(from);
    let begin = warm_up[0].min(warm_up[1]).max(LogTime(first.tick() * 1_000)).min(from);
    let span = Span { from: begin, to };
    let parts = plan_log(log.as_ref(), span, window_ms).await?;
    let mut cases = Vec::new();
    if !of_then.is_empty() || asked.slos.is_none() {
        let open_before = then::open_at(&then::transitions(log.as_ref()).await?, from.tick());
        cases.push(Case { revisions: then, open_before: Some(open_before) });
    }
    if let Some(slos) = &asked.slos {
        cases.push(Case { revisions: given(slos, span.from, window_ms)?, open_before: None });
    }
    Ok(Plan { span, from, to, cases, window_ms, parts })
}

/// The range that is asked for, as far as something is known of it.
async fn range(log: &SharedLog, asked: &Asked) -> Result<(LogTime, LogTime), ReplayError> {
    let known = known_until(log.as_ref()).await?;
    let (Some(first), Some(known)) = (first_time(log.as_ref()).await?, known) else {
        return Err(ReplayError::Range("the log holds no requests".to_owned()));
    };
    let (from, to) = (asked.from.unwrap_or(first), asked.to.unwrap_or(known).min(known));
    // Whole seconds: ticks are.
    let from = LogTime(from.tick() * 1_000);
    if from >= to || to <= first {
        let asked = match asked.to {
            Some(asked) => format!("between {} and {}", time(from), time(asked)),
            None => format!("after {}", time(from)),
        };
        let holds = format!("the log holds those from {} to {}", time(first), time(known));
        return Err(ReplayError::Range(format!("no requests {asked}: {holds}")));
    }
    Ok((from, to))
}

fn begin(part: &LogPart, span: Span) -> Begin {
    if part.count_from == 0 { Begin::First } else { Begin::At(span.from.max(part.countable)) }
}

fn told(part: &LogPart, source: &str, span: Span) -> Part {
    Part {
        source: source.to_owned(),
        partition: part.partition.partition,
        from_offset: part.count_from,
        to_offset: part.to,
        from: time(span.from.max(part.countable)),
        to: time(span.to),
    }
}

fn missing(part: &LogPart, span: Span) -> Option<Missing> {
    let begins = part.begins?;
    (part.countable > span.from).then(|| Missing {
        partition: part.partition.partition,
        from: time(span.from),
        to: time(part.countable.min(span.to)),
        reason: format!(
            "the log has removed what is older than {}, and copies are told from {} on",
            time(begins),
            time(part.countable)
        ),
    })
}

fn no_settings() -> ReplayError {
    ReplayError::Range("the installation has no settings yet: nothing was ever tallied here".to_owned())
}
