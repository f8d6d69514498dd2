//! Questions for rows: positions, events, states of SLOs, alerts, counts.

use std::collections::BTreeMap;

use slipstream_schemas::records::{AlertTransition, BurnRates};
use slipstream_schemas::{Cause, EventTime, LogTime, RequestEvent, Topic, codec};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{GenericClient, Row, Transaction};

use super::conditions::Conditions;
use super::error;
use super::stamp::Stamp;
use crate::alerts::{AlertEpisode, AlertFilter};
use crate::filter::EventFilter;
use crate::port::{Counts, Cursor, EventPage, StoreError, StorePosition};

type Answer<T> = Result<T, StoreError>;
type Values<'a> = &'a [(&'a (dyn ToSql + Sync), Type)];

/// Every row of a query.
pub async fn rows(asked: &Transaction<'_>, doing: &str, sql: &str, values: Values<'_>) -> Answer<Vec<Row>> {
    asked.query_typed(sql, values).await.map_err(error::asking(doing))
}

pub async fn positions(asked: &impl GenericClient) -> Answer<Vec<StorePosition>> {
    let doing = "reading the store's positions";
    let sql = "SELECT topic, partition, next_offset, log_time FROM positions ORDER BY topic, partition";
    let rows = asked.query_typed(sql, &[]).await.map_err(error::at(doing))?;
    let position = |row: &Row| {
        let (name, partition): (&str, i32) = (row.get(0), row.get(1));
        let topic = Topic::from_name(name)
            .ok_or_else(|| error::unreadable("a position", format!("there is no topic `{name}`")))?;
        let Stamp(log_time) = row.get(3);
        let log_time = LogTime(log_time.div_euclid(1_000));
        Ok(StorePosition { topic, partition: partition as u32, offset: row.get(2), log_time })
    };
    rows.iter().map(position).collect()
}

pub async fn events(
    asked: &Transaction<'_>,
    filter: EventFilter,
    limit: usize,
    after: Option<Cursor>,
) -> Answer<EventPage> {
    let mut conditions = Conditions::default();
    let from = filter.from.map(|from| from.0).into_iter().chain(after.map(|cursor| cursor.time)).max();
    // The cursor's time again as a bound: the index can use only that.
    conditions.between("e.\"time\"", from.unwrap_or(i64::MIN), filter.to.map_or(i64::MAX, |to| to.0));
    if let Some(Cursor { time, partition, offset }) = after {
        let time = conditions.value(Stamp(time), Type::TIMESTAMPTZ);
        let partition = conditions.value(i32::try_from(partition).unwrap_or(i32::MAX), Type::INT4);
        let offset = conditions.value(offset, Type::INT8);
        conditions.and(format!("(e.\"time\", e.partition, e.\"offset\") > ({time}, {partition}, {offset})"));
    }
    conditions.raw_event(&filter);
    let limit = limit.clamp(1, 100_000);
    // One more than requested, to see whether there is a next page.
    let sql = format!(
        "SELECT e.\"time\", e.partition, e.\"offset\", d.service, d.environment, d.endpoint, d.method, e.status_code,
         e.latency_ms, e.weight, e.event_id, replace(e.trace_id::text, '-', ''), e.user_ref, e.attributes::text
         FROM (SELECT * FROM events e WHERE {} ORDER BY \"time\", partition, \"offset\" LIMIT {}) e
         JOIN dimensions d ON d.id = e.dimensions ORDER BY e.\"time\", e.partition, e.\"offset\"",
        conditions.sql(),
        limit + 1
    );
    let found = rows(asked, "reading events", &sql, &conditions.values()).await?;
    let more = found.len() > limit;
    let shown = &found[..found.len().min(limit)];
    let next = shown.last().filter(|_| more).map(cursor);
    Ok(EventPage { events: shown.iter().map(event).collect::<Answer<_>>()?, next })
}

fn cursor(row: &Row) -> Cursor {
    let Stamp(time) = row.get(0);
    Cursor { time, partition: row.get::<_, i32>(1).into(), offset: row.get(2) }
}

fn event(row: &Row) -> Answer<RequestEvent> {
    let attributes: Option<&str> = row.get(13);
    let attributes: Option<BTreeMap<String, String>> = attributes
        .map(serde_json::from_str)
        .transpose()
        .map_err(|cause| error::unreadable("the attributes of an event", Cause::of(cause)))?;
    Ok(RequestEvent {
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
    })
}

pub async fn slo_states(asked: &Transaction<'_>) -> Answer<Vec<BurnRates>> {
    let sql = "SELECT n.body FROM series s
               CROSS JOIN LATERAL (SELECT body, retired FROM burn_rates b WHERE b.series = s.id
                                   ORDER BY b.\"time\" DESC, b.generation DESC LIMIT 1) n
               WHERE NOT n.retired ORDER BY s.slo, s.objective, s.group_values";
    stored_rates(&rows(asked, "reading the state of SLOs", sql, &[]).await?)
}

pub async fn burn_history(asked: &Transaction<'_>, slo: String, from: i64, to: i64) -> Answer<Vec<BurnRates>> {
    let mut conditions = Conditions::default();
    conditions.equal(&[("s.slo", &Some(slo))]);
    conditions.between("b.\"time\"", Stamp::seconds(from).0, Stamp::seconds(to).0);
    let sql = format!(
        "SELECT b.body FROM series s JOIN burn_rates b ON b.series = s.id WHERE {}
         ORDER BY b.\"time\", s.objective, s.group_values, b.generation",
        conditions.sql()
    );
    stored_rates(&rows(asked, "reading burn-rate history", &sql, &conditions.values()).await?)
}

pub async fn alerts(asked: &Transaction<'_>, filter: AlertFilter) -> Answer<Vec<AlertEpisode>> {
    let mut conditions = Conditions::default();
    conditions.equal(&[("slo", &filter.slo), ("service", &filter.service)]);
    if let Some(from) = filter.from {
        let from = conditions.value(Stamp::seconds(from), Type::TIMESTAMPTZ);
        conditions.and(format!("\"time\" >= {from}"));
    }
    if let Some(to) = filter.to {
        let to = conditions.value(to, Type::INT8);
        conditions.and(format!("episode < {to}"));
    }
    let sql = format!(
        "SELECT body FROM alert_transitions t
         WHERE seq = (SELECT max(seq) FROM alert_transitions o WHERE o.alert_id = t.alert_id AND o.episode = t.episode)
         AND {} ORDER BY \"time\" DESC, episode DESC, alert_id",
        conditions.sql()
    );
    let latest = stored_transitions(&rows(asked, "reading alerts", &sql, &conditions.values()).await?)?;
    let wanted = |episode: &AlertEpisode| {
        (filter.states.is_empty() || filter.states.contains(&episode.state))
            && filter.severity.as_ref().is_none_or(|severity| *severity == episode.severity)
    };
    let episodes = latest.iter().map(AlertEpisode::new).filter(wanted);
    Ok(episodes.take(filter.limit.unwrap_or(usize::MAX)).collect())
}

pub async fn transitions(asked: &Transaction<'_>, alert_id: String) -> Answer<Vec<AlertTransition>> {
    let mut conditions = Conditions::default();
    conditions.equal(&[("alert_id", &Some(alert_id))]);
    let sql = format!("SELECT body FROM alert_transitions WHERE {} ORDER BY episode, seq", conditions.sql());
    stored_transitions(&rows(asked, "reading an alert's transitions", &sql, &conditions.values()).await?)
}

pub async fn counts(asked: &Transaction<'_>) -> Answer<Counts> {
    let sql = "SELECT (SELECT coalesce(sum(events), 0)::bigint FROM days), (SELECT count(*) FROM burn_rates),
               (SELECT count(*) FROM alert_transitions), (SELECT count(*) FROM notifications)";
    let row = asked.query_typed_one(sql, &[]).await.map_err(error::asking("counting"))?;
    let count = |i| row.get::<_, i64>(i) as u64;
    Ok(Counts { events: count(0), burn_rates: count(1), transitions: count(2), notifications: count(3) })
}

/// Alert transitions, stored as JSON in the first column.
fn stored_transitions(rows: &[Row]) -> Answer<Vec<AlertTransition>> {
    let read = |row: &Row| {
        serde_json::from_str(row.get::<_, &str>(0)).map_err(|cause| error::unreadable("an alert", Cause::of(cause)))
    };
    rows.iter().map(read).collect()
}

/// Burn rates, stored as they travel in the first column.
fn stored_rates(rows: &[Row]) -> Answer<Vec<BurnRates>> {
    let read = |row: &Row| {
        codec::decode(row.get::<_, &[u8]>(0)).map_err(|cause| error::unreadable("burn rates", Cause::of(cause)))
    };
    rows.iter().map(read).collect()
}
