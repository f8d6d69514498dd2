//! What the store's own filters cannot say: pages of events are read and looked through, up to a bound.

use slipstream_query::History;
use slipstream_query::history::EventRow;
use slipstream_store::{Cursor, EventFilter};

use super::AskError;
use super::answers::events::Event;
use super::questions::{EventQuestion, EventsQuestion, Filter, Order};

/// Events that are read at once.
const PAGE: usize = 10_000;
/// Events that are looked through for one question.
const MOST: usize = 1_000_000;

/// The same filter as the store has it, if it has all of it.
pub(super) fn as_store_filter(filter: &Filter, order: Order) -> Option<EventFilter> {
    let only_here = filter.min_latency_ms.is_some()
        || filter.max_latency_ms.is_some()
        || filter.user_ref.is_some()
        || filter.event_id.is_some()
        || !filter.attributes.is_empty();
    (!only_here && order == Order::Ascending).then(|| narrowed(filter))
}

/// What of a filter the store has.
fn narrowed(filter: &Filter) -> EventFilter {
    EventFilter {
        service: filter.service.clone(),
        environment: filter.environment.clone(),
        endpoint: filter.endpoint.clone(),
        method: filter.method.clone(),
        status_code: filter.status_code,
        status_class: filter.status_class,
        errors_only: filter.errors,
        trace_id: filter.trace_id.clone(),
        from: filter.from,
        to: filter.to,
    }
}

/// What the store does not have of it.
fn admits(filter: &Filter, row: &EventRow) -> bool {
    let is = |wanted: &Option<String>, value: Option<&String>| wanted.is_none() || wanted.as_ref() == value;
    let latency = |holds: &dyn Fn(f64) -> bool| row.latency_ms.is_some_and(holds);
    is(&filter.user_ref, row.user_ref.as_ref())
        && is(&filter.event_id, Some(&row.event_id))
        && filter.min_latency_ms.is_none_or(|least| latency(&|ms| ms >= least))
        && filter.max_latency_ms.is_none_or(|most| latency(&|ms| ms <= most))
        && filter.attributes.iter().all(|(name, value)| row.attributes.get(name) == Some(value))
}

/// A page of events, found by looking through them.
pub(super) async fn page(
    history: &History,
    question: &EventsQuestion,
) -> Result<(Vec<Event>, Option<String>), AskError> {
    if question.order == Order::Descending {
        return Err(AskError::Unanswerable("order=desc: this version cannot answer that yet".to_owned()));
    }
    let filter = narrowed(&question.filter);
    let (mut found, mut after, mut seen) = (Vec::new(), question.after, 0);
    loop {
        let page = history.events(&filter, question.limit.min(PAGE), after).await?;
        seen += page.events.len();
        let fitting = page.events.into_iter().filter(|row| admits(&question.filter, row));
        found.extend(fitting.map(Event::from));
        after = page.next.as_deref().map(str::parse::<Cursor>).transpose()?;
        if after.is_none() || found.len() >= question.limit {
            return Ok((found, page.next));
        }
        if seen >= MOST {
            return Err(too_many());
        }
    }
}

/// The event with an id.
pub(super) async fn by_id(history: &History, question: &EventQuestion) -> Result<Option<Event>, AskError> {
    const AROUND: i64 = 1_000_000;
    let (from, to) = match question.time {
        Some(time) => (Some(time.0.saturating_sub(AROUND)), Some(time.0.saturating_add(AROUND))),
        None => (None, None),
    };
    let time = |time: Option<i64>| time.map(slipstream_schemas::EventTime);
    let filter = EventFilter { from: time(from), to: time(to), ..EventFilter::default() };
    let (mut after, mut seen) = (None, 0);
    loop {
        let page = history.events(&filter, PAGE, after).await?;
        seen += page.events.len();
        if let Some(row) = page.events.into_iter().find(|row| row.event_id == question.event_id) {
            return Ok(Some(row.into()));
        }
        after = page.next.as_deref().map(str::parse::<Cursor>).transpose()?;
        if after.is_none() {
            return Ok(None);
        }
        if seen >= MOST {
            return Err(too_many());
        }
    }
}

fn too_many() -> AskError {
    AskError::Unanswerable(format!("more than {MOST} events would have to be looked through; narrow from and to"))
}
