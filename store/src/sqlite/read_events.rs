//! Pages of raw events, and single ones.

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};
use slipstream_schemas::{EventTime, LogTime, RequestEvent};

use super::conditions::Conditions;
use super::error;
use super::read::all;
use super::read_kpis::raw_gone;
use super::topics::EPOCH_SHIFT;
use crate::filter::EventFilter;
use crate::kpis::raw_is_gone;
use crate::page::{Cursor, EventPage, EventQuestion, Order, StoredEvent};
use crate::port::StoreError;
use crate::rollup::MINUTE_US;

type Answer<T> = Result<T, StoreError>;

/// A page.
pub fn page(reader: &Connection, question: &EventQuestion) -> Answer<EventPage> {
    question.filter.check()?;
    whole(reader, question)?;
    let (more, place) = match question.order {
        Order::Oldest => (">", "time, partition, \"offset\""),
        Order::Newest => ("<", "time DESC, partition DESC, \"offset\" DESC"),
    };
    let mut conditions = Conditions::default();
    between(&mut conditions, question.filter.from, question.filter.to);
    if let Some(Cursor { time, partition, offset }) = question.after {
        let place = [Value::Integer(time), Value::Integer(partition), Value::Integer(offset)];
        conditions.and(&format!("(time, partition, \"offset\") {more} (?, ?, ?)"), place);
    }
    conditions.raw_event(&question.filter);
    // One more than requested, to see whether there is a next page.
    let mut rows = read(reader, conditions, place, question.most() + 1)?;
    let is_more = rows.len() > question.most();
    rows.truncate(question.most());
    let next = rows.last().filter(|_| is_more).map(|(cursor, _)| *cursor);
    Ok(EventPage { events: rows.into_iter().map(|(_, event)| event).collect(), next })
}

/// Refuses a range of which retention has removed some; from an open begin a page has what is left.
fn whole(reader: &Connection, question: &EventQuestion) -> Answer<()> {
    let EventFilter { from, to, logged_by, .. } = &question.filter;
    // As of a time the answer never changes: what is left would.
    let Some(from) = from.or(logged_by.map(|_| EventTime::MIN)) else { return Ok(()) };
    let to = to.map_or(i64::MAX, |to| to.0);
    let gone = raw_gone(reader, (from.0, to)).map_err(error::at("looking up what is stored of a range"))?;
    gone.map_or(Ok(()), |gone| Err(raw_is_gone(gone, "single requests")))
}

/// Those of an id.
pub fn single(reader: &Connection, event_id: &str, time: Option<EventTime>) -> Answer<Vec<StoredEvent>> {
    let mut conditions = Conditions::default();
    let around = |sign: i64| time.map(|time| EventTime(time.0.saturating_add(sign * MINUTE_US)));
    between(&mut conditions, around(-1), around(1));
    conditions.equal(&[("event_id", &Some(event_id.to_owned()))]);
    let rows = read(reader, conditions, "time, partition, \"offset\"", MOST_COPIES)?;
    Ok(rows.into_iter().map(|(_, event)| event).collect())
}

/// Events of one id that are looked at.
const MOST_COPIES: usize = 100;

fn between(conditions: &mut Conditions, from: Option<EventTime>, to: Option<EventTime>) {
    if let Some(from) = from {
        conditions.and("time >= ?", [Value::Integer(from.0)]);
    }
    if let Some(to) = to {
        conditions.and("time < ?", [Value::Integer(to.0)]);
    }
}

fn read(reader: &Connection, conditions: Conditions, order: &str, limit: usize) -> Answer<Vec<(Cursor, StoredEvent)>> {
    let sql = format!(
        "SELECT time, partition, \"offset\", d.service, d.environment, d.endpoint, d.method, status_code,
         latency_ms, weight, event_id, lower(hex(trace_id)), trace_id IS NULL, user_ref, attributes, log_time
         FROM (SELECT * FROM events WHERE {} ORDER BY {order} LIMIT {limit}) e
         JOIN dimensions d ON d.id = e.dimensions ORDER BY {order}",
        conditions.sql(),
    );
    all(reader, "reading events", &sql, params_from_iter(conditions.values), event)
}

fn event(row: &Row<'_>) -> rusqlite::Result<(Cursor, StoredEvent)> {
    let cursor = Cursor { time: row.get(0)?, partition: row.get(1)?, offset: row.get(2)? };
    let untraced: bool = row.get(12)?;
    let attributes: Option<String> = row.get(14)?;
    let attributes = attributes.map(|json| {
        serde_json::from_str(&json).map_err(|cause| {
            rusqlite::Error::FromSqlConversionFailure(14, rusqlite::types::Type::Text, Box::new(cause))
        })
    });
    let event = RequestEvent {
        event_id: row.get(10)?,
        time: EventTime(cursor.time),
        service: row.get(3)?,
        environment: row.get(4)?,
        endpoint: row.get(5)?,
        method: row.get(6)?,
        status_code: row.get(7)?,
        latency_ms: row.get(8)?,
        weight: row.get(9)?,
        trace_id: if untraced { None } else { Some(row.get(11)?) },
        user_ref: row.get(13)?,
        attributes: attributes.transpose()?.unwrap_or_default(),
    };
    let partition = (cursor.partition & ((1 << EPOCH_SHIFT) - 1)) as u32;
    Ok((cursor, StoredEvent { event, log_time: LogTime(row.get(15)?), partition, offset: cursor.offset }))
}
