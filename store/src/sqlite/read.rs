//! Questions for rows: positions, events, states of SLOs, alerts, counts.

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params, params_from_iter};
use slipstream_schemas::records::{AlertTransition, BurnRates};
use slipstream_schemas::{Cause, EventTime, LogTime, RequestEvent, Topic, codec};

use super::error;
use crate::alerts::{AlertEpisode, AlertFilter};
use crate::events::trace_bytes;
use crate::filter::EventFilter;
use crate::port::{Counts, Cursor, EventPage, StoreError, StorePosition};

type Answer<T> = Result<T, StoreError>;

/// Conditions that must all hold, as SQL, and their values.
#[derive(Default)]
pub struct Conditions {
    sql: Vec<String>,
    /// In the order of the question marks.
    pub values: Vec<Value>,
}

impl Conditions {
    /// One more; `values` for its question marks.
    pub fn and<const N: usize>(&mut self, sql: &str, values: [Value; N]) {
        self.sql.push(sql.to_owned());
        self.values.extend(values);
    }

    /// All of them.
    pub fn sql(&self) -> String {
        if self.sql.is_empty() { "1".to_owned() } else { self.sql.join(" AND ") }
    }

    /// `column = value` for each field of the filter.
    pub fn equal(&mut self, wanted: &[(&str, &Option<String>)]) {
        for (column, value) in wanted {
            if let Some(value) = value {
                self.and(&format!("{column} = ?"), [Value::Text(value.clone())]);
            }
        }
    }

    /// The dimensions of a filter, on a column that holds their id.
    pub fn dimensions(&mut self, filter: &EventFilter) {
        let mut tuple = Conditions::default();
        tuple.equal(&[
            ("service", &filter.service),
            ("environment", &filter.environment),
            ("endpoint", &filter.endpoint),
            ("method", &filter.method),
        ]);
        if !tuple.sql.is_empty() {
            self.sql.push(format!("dimensions IN (SELECT id FROM dimensions WHERE {})", tuple.sql()));
            self.values.extend(tuple.values);
        }
    }

    /// The conditions of a filter on a raw event, except for time.
    pub fn raw_event(&mut self, filter: &EventFilter) {
        self.dimensions(filter);
        if let Some(code) = filter.status_code {
            self.and("status_code = ?", [Value::Integer(code.into())]);
        }
        if let Some(class) = filter.status_class {
            self.and("status_code / 100 = ?", [Value::Integer(class.into())]);
        }
        if filter.errors_only {
            self.and("status_code >= 500", []);
        }
        if let Some(trace) = &filter.trace_id {
            // What is not a trace id matches no event.
            self.and("trace_id = ?", [trace_bytes(trace).map_or(Value::Null, |bytes| Value::Blob(bytes.to_vec()))]);
        }
    }
}

pub fn positions(reader: &Connection) -> Answer<Vec<StorePosition>> {
    let rows: Vec<(String, u32, i64, i64)> = all(
        reader,
        "reading the store's positions",
        "SELECT topic, partition, next_offset, log_time FROM positions",
        [],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
    )?;
    rows.into_iter()
        .map(|(name, partition, offset, log_time)| {
            let topic = Topic::from_name(&name)
                .ok_or_else(|| error::unreadable("a position", format!("there is no topic `{name}`")))?;
            Ok(StorePosition { topic, partition, offset, log_time: LogTime(log_time) })
        })
        .collect()
}

pub fn events(reader: &Connection, filter: &EventFilter, limit: usize, after: Option<Cursor>) -> Answer<EventPage> {
    let mut conditions = Conditions::default();
    if let Some(from) = filter.from {
        conditions.and("time >= ?", [Value::Integer(from.0)]);
    }
    if let Some(to) = filter.to {
        conditions.and("time < ?", [Value::Integer(to.0)]);
    }
    if let Some(Cursor { time, partition, offset }) = after {
        let place = [Value::Integer(time), Value::Integer(partition), Value::Integer(offset)];
        conditions.and("(time, partition, \"offset\") > (?, ?, ?)", place);
    }
    conditions.raw_event(filter);
    let limit = limit.clamp(1, 100_000);
    // One more than requested, to see whether there is a next page.
    let sql = format!(
        "SELECT e.time, e.partition, e.\"offset\", d.service, d.environment, d.endpoint, d.method, e.status_code,
         e.latency_ms, e.weight, e.event_id, lower(hex(e.trace_id)), e.trace_id IS NULL, e.user_ref, e.attributes
         FROM (SELECT * FROM events WHERE {} ORDER BY time, partition, \"offset\" LIMIT {}) e
         JOIN dimensions d ON d.id = e.dimensions ORDER BY e.time, e.partition, e.\"offset\"",
        conditions.sql(),
        limit + 1
    );
    let mut rows = all(reader, "reading events", &sql, params_from_iter(conditions.values), event)?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|(cursor, _)| *cursor);
    Ok(EventPage { events: rows.into_iter().map(|(_, event)| event).collect(), next })
}

fn event(row: &Row<'_>) -> rusqlite::Result<(Cursor, RequestEvent)> {
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
    Ok((cursor, event))
}

pub fn slo_states(reader: &Connection) -> Answer<Vec<BurnRates>> {
    let sql = "SELECT b.body FROM series s JOIN burn_rates b ON b.series = s.id
               WHERE (b.tick, b.generation) = (SELECT tick, generation FROM burn_rates WHERE series = s.id
                                               ORDER BY tick DESC, generation DESC LIMIT 1)
               AND NOT b.retired ORDER BY s.slo, s.objective, s.group_values";
    stored_rates(reader, sql, [])
}

pub fn burn_history(reader: &Connection, slo: &str, from: i64, to: i64) -> Answer<Vec<BurnRates>> {
    let sql = "SELECT b.body FROM series s CROSS JOIN burn_rates b ON b.series = s.id
               WHERE s.slo = ?1 AND b.tick >= ?2 AND b.tick < ?3
               ORDER BY b.tick, s.objective, s.group_values, b.generation";
    stored_rates(reader, sql, params![slo, from, to])
}

pub fn alerts(reader: &Connection, filter: &AlertFilter) -> Answer<Vec<AlertEpisode>> {
    let mut conditions = Conditions::default();
    conditions.equal(&[("slo", &filter.slo), ("service", &filter.service)]);
    if let Some(from) = filter.from {
        conditions.and("tick >= ?", [Value::Integer(from)]);
    }
    if let Some(to) = filter.to {
        conditions.and("episode < ?", [Value::Integer(to)]);
    }
    let sql = format!(
        "SELECT body FROM alert_transitions t
         WHERE seq = (SELECT max(seq) FROM alert_transitions o WHERE o.alert_id = t.alert_id AND o.episode = t.episode)
         AND {} ORDER BY tick DESC, episode DESC, alert_id",
        conditions.sql()
    );
    let latest = stored_transitions(reader, &sql, params_from_iter(conditions.values))?;
    let asked = |episode: &AlertEpisode| {
        (filter.states.is_empty() || filter.states.contains(&episode.state))
            && filter.severity.as_ref().is_none_or(|severity| *severity == episode.severity)
    };
    let episodes = latest.iter().map(AlertEpisode::new).filter(asked);
    Ok(episodes.take(filter.limit.unwrap_or(usize::MAX)).collect())
}

pub fn transitions(reader: &Connection, alert_id: &str) -> Answer<Vec<AlertTransition>> {
    let sql = "SELECT body FROM alert_transitions WHERE alert_id = ?1 ORDER BY episode, seq";
    stored_transitions(reader, sql, params![alert_id])
}

pub fn counts(reader: &Connection) -> Answer<Counts> {
    let sql =
        "SELECT (SELECT ifnull(sum(events), 0) FROM minutes WHERE NOT raw_gone), (SELECT count(*) FROM burn_rates),
               (SELECT count(*) FROM alert_transitions), (SELECT count(*) FROM notifications)";
    let count = |row: &Row<'_>, i| row.get::<_, i64>(i).map(|n| n as u64);
    reader
        .query_row(sql, [], |row| {
            Ok(Counts {
                events: count(row, 0)?,
                burn_rates: count(row, 1)?,
                transitions: count(row, 2)?,
                notifications: count(row, 3)?,
            })
        })
        .map_err(error::at("counting"))
}

/// Every row of a question, as `read` makes it.
pub fn all<T>(
    reader: &Connection,
    doing: &str,
    sql: &str,
    values: impl rusqlite::Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Answer<Vec<T>> {
    let query = || -> rusqlite::Result<Vec<T>> { reader.prepare_cached(sql)?.query_map(values, read)?.collect() };
    query().map_err(error::at(doing))
}

/// Alert transitions, stored as JSON in the first column.
fn stored_transitions(reader: &Connection, sql: &str, values: impl rusqlite::Params) -> Answer<Vec<AlertTransition>> {
    let bodies: Vec<String> = all(reader, "reading alerts", sql, values, |row| row.get(0))?;
    bodies
        .iter()
        .map(|body| serde_json::from_str(body).map_err(|cause| error::unreadable("an alert", Cause::of(cause))))
        .collect()
}

/// Burn rates, stored as they travel in the first column.
fn stored_rates(reader: &Connection, sql: &str, values: impl rusqlite::Params) -> Answer<Vec<BurnRates>> {
    let bodies: Vec<Vec<u8>> = all(reader, "reading burn rates", sql, values, |row| row.get(0))?;
    bodies
        .iter()
        .map(|body| codec::decode(body).map_err(|cause| error::unreadable("burn rates", Cause::of(cause))))
        .collect()
}
