//! Pages of raw events, and single ones.

use std::collections::BTreeMap;
use std::time::Instant;

use slipstream_schemas::{Cause, EventTime, LogTime, RequestEvent};
use tokio_postgres::types::Type;
use tokio_postgres::{Row, Transaction};

use super::brought::{self, Brought};
use super::conditions::Conditions;
use super::read_kpis::raw_gone;
use super::stamp::Stamp;
use super::{error, read, session};
use crate::filter::EventFilter;
use crate::kpis::raw_is_gone;
use crate::page::{Cursor, EventPage, EventQuestion, Order, StoredEvent};
use crate::port::StoreError;
use crate::rollup::MINUTE_US;

type Answer<T> = Result<T, StoreError>;

const DOING: &str = "reading events";

/// Minutes with events that are looked at first for a page, and how many times more after each look that did not fill it.
const FIRST_MINUTES: i64 = 8;
const MORE_MINUTES: i64 = 8;

/// A page.
pub async fn page(asked: &Transaction<'_>, question: EventQuestion) -> Answer<EventPage> {
    let EventQuestion { filter, order, after, .. } = &question;
    filter.check()?;
    whole(asked, filter).await?;
    let (mut from, mut to) = (filter.from.map_or(i64::MIN, |from| from.0), filter.to.map_or(i64::MAX, |to| to.0));
    // The cursor's time again as a bound: the index can use only that.
    match (order, after) {
        (Order::Oldest, Some(after)) => from = from.max(after.time),
        (Order::Newest, Some(after)) => to = to.min(after.time.saturating_add(1)),
        (_, None) => {}
    }
    // One more than requested, to see whether there is a next page. Few minutes first: mostly those have a page.
    brought::in_order(asked).await?;
    let (mut found, mut minutes, asked_at) = (Vec::new(), FIRST_MINUTES, Instant::now());
    while found.len() <= question.most() && from < to {
        // One patience for all looks.
        if minutes > FIRST_MINUTES {
            session::have_patience(asked, asked_at.elapsed(), DOING).await?;
        }
        let Some(piece) = Brought::first(asked, *order, (from, to), minutes).await? else { break };
        let mut conditions = Conditions::default();
        piece.limit(&mut conditions);
        if let Some(after) = after {
            behind(&mut conditions, *order, *after);
        }
        conditions.raw_event(filter);
        found.extend(read(asked, &conditions, *order, question.most() + 1 - found.len()).await?);
        match order {
            Order::Oldest => from = piece.to,
            Order::Newest => to = piece.from,
        }
        minutes = minutes.saturating_mul(MORE_MINUTES);
    }
    let is_more = found.len() > question.most();
    let shown = &found[..found.len().min(question.most())];
    let next = shown.last().filter(|_| is_more).map(cursor);
    Ok(EventPage { events: shown.iter().map(event).collect::<Answer<_>>()?, next })
}

/// Only what comes behind a place.
fn behind(conditions: &mut Conditions, order: Order, Cursor { time, partition, offset }: Cursor) {
    let time = conditions.value(Stamp(time), Type::TIMESTAMPTZ);
    let partition = conditions.value(partition, Type::INT8);
    let offset = conditions.value(offset, Type::INT8);
    let more = if order == Order::Oldest { ">" } else { "<" };
    conditions.and(format!("(e.\"time\", {}, e.\"offset\") {more} ({time}, {partition}, {offset})", place("e.")));
}

/// Refuses a range of which retention has removed some; from an open begin a page has what is left.
async fn whole(asked: &Transaction<'_>, filter: &EventFilter) -> Answer<()> {
    // As of a time the answer never changes: what is left would.
    let Some(from) = filter.from.or(filter.logged_by.map(|_| EventTime::MIN)) else { return Ok(()) };
    let gone = raw_gone(asked, (from.0, filter.to.map_or(i64::MAX, |to| to.0))).await?;
    gone.map_or(Ok(()), |gone| Err(raw_is_gone(gone, "single requests")))
}

/// Events of one id that are looked at.
const MOST_COPIES: usize = 100;

/// Those of an id.
pub async fn single(asked: &Transaction<'_>, event_id: String, time: Option<EventTime>) -> Answer<Vec<StoredEvent>> {
    let mut conditions = Conditions::default();
    if let Some(EventTime(time)) = time {
        let (from, to) = (time.saturating_sub(MINUTE_US), time.saturating_add(MINUTE_US));
        let Some(brought) = Brought::within(asked, from, to).await? else { return Ok(Vec::new()) };
        brought.limit(&mut conditions);
    }
    conditions.equal(&[("e.event_id", &Some(event_id))]);
    read(asked, &conditions, Order::Oldest, MOST_COPIES).await?.iter().map(event).collect()
}

async fn read(asked: &Transaction<'_>, conditions: &Conditions, order: Order, limit: usize) -> Answer<Vec<Row>> {
    let ordered = |e: &str| {
        let direction = if order == Order::Oldest { "" } else { " DESC" };
        format!("{e}\"time\"{direction}, {}{direction}, {e}\"offset\"{direction}", place(e))
    };
    let sql = format!(
        "SELECT e.\"time\", e.partition, e.\"offset\", d.service, d.environment, d.endpoint, d.method, e.status_code,
         e.latency_ms, e.weight, e.event_id, replace(e.trace_id::text, '-', ''), e.user_ref, e.attributes::text, e.log_time, {}
         FROM (SELECT * FROM events e WHERE {} ORDER BY {} LIMIT {limit}) e
         JOIN dimensions d ON d.id = e.dimensions ORDER BY {}",
        place("e."),
        conditions.sql(),
        ordered(""),
        ordered("e."),
    );
    read::rows(asked, DOING, &sql, &conditions.values()).await
}

/// The partition as events are ordered by it: above it is the epoch of its topic. Events that were sent again into a recreated topic
/// may have the times and offsets that they had before, and both are there.
fn place(e: &str) -> String {
    format!("(coalesce({e}epoch, 0)::bigint << 32 | {e}partition)")
}

fn cursor(row: &Row) -> Cursor {
    let Stamp(time) = row.get(0);
    Cursor { time, partition: row.get(15), offset: row.get(2) }
}

fn event(row: &Row) -> Answer<StoredEvent> {
    let attributes: Option<&str> = row.get(13);
    let attributes: Option<BTreeMap<String, String>> = attributes
        .map(serde_json::from_str)
        .transpose()
        .map_err(|cause| error::unreadable("the attributes of an event", Cause::of(cause)))?;
    let event = RequestEvent {
        event_id: row.get(10),
        time: EventTime(cursor(row).time),
        service: row.get(3),
        environment: row.get(4),
        endpoint: row.get(5),
        method: row.get(6),
        status_code: row.get::<_, i16>(7).into(),
        latency_ms: row.get(8),
        weight: row.get(9),
        trace_id: row.get(11),
        user_ref: row.get(12),
        attributes: attributes.unwrap_or_default(),
    };
    let log_time = LogTime(row.get::<_, Stamp>(14).0.div_euclid(1_000));
    Ok(StoredEvent { event, log_time, partition: row.get::<_, i32>(1) as u32, offset: row.get(2) })
}
