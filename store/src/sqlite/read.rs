//! Questions for rows: positions, states of SLOs, alerts, counts.

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};
use slipstream_schemas::records::{AlertTransition, BurnRates};
use slipstream_schemas::{Cause, LogTime, Topic, codec};

use super::conditions::Conditions;
use super::{aggregates, error};
use crate::alerts::{AlertEpisode, AlertFilter, MOST_TRANSITIONS};
use crate::port::{BurnQuestion, Counts, StoreError, StorePosition, WholeFrom};

type Answer<T> = Result<T, StoreError>;

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

pub fn slo_states(reader: &Connection, until: Option<i64>) -> Answer<Vec<BurnRates>> {
    let sql = "SELECT b.body FROM series s JOIN burn_rates b ON b.series = s.id
               WHERE (b.tick, b.generation) = (SELECT tick, generation FROM burn_rates WHERE series = s.id AND tick <= ?1
                                               ORDER BY tick DESC, generation DESC LIMIT 1)
               AND NOT b.retired ORDER BY s.slo, s.objective, s.group_values";
    stored_rates(reader, sql, [until.unwrap_or(i64::MAX)])
}

pub fn whole_from(reader: &Connection) -> Answer<WholeFrom> {
    let ask = || -> rusqlite::Result<WholeFrom> {
        // Tables of version 3 do not tell.
        if !aggregates::are_known(reader)? {
            return Ok(WholeFrom::default());
        }
        let sql = "SELECT (SELECT tick FROM kept_burn_rates), (SELECT tick FROM kept_alerts)";
        reader.query_row(sql, [], |row| Ok(WholeFrom { burn_rates: row.get(0)?, alerts: row.get(1)? }))
    };
    ask().map_err(error::at("reading what retention has left"))
}

pub fn burn_history(reader: &Connection, question: &BurnQuestion) -> Answer<Vec<BurnRates>> {
    let BurnQuestion { slo, from, to, step, objective, group, limit } = question;
    let mut conditions = Conditions::default();
    let range = [Value::Integer(*from), Value::Integer(*to)];
    conditions.equal(&[("s.slo", &Some(slo.clone())), ("s.objective", objective)]);
    conditions.and("b.tick >= ? AND b.tick < ?", range);
    for (place, value) in group {
        conditions.and(&format!("json_extract(s.group_values, '$[{place}]') = ?"), [Value::Text(value.clone())]);
    }
    // With max() the other columns are those of its row.
    let sql = format!(
        "SELECT body FROM (
                 SELECT b.body, max(b.tick) AS tick, s.objective, s.group_values, b.generation
                 FROM series s CROSS JOIN burn_rates b ON b.series = s.id
                 WHERE {} GROUP BY b.series, b.generation, b.tick / {}
               ) ORDER BY tick, objective, group_values, generation LIMIT {limit}",
        conditions.sql(),
        step.max(&1),
    );
    stored_rates(reader, &sql, params_from_iter(conditions.values))
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
    let until = filter.until.unwrap_or(i64::MAX);
    let sql = format!(
        "SELECT body FROM alert_transitions t
         WHERE seq = (SELECT max(seq) FROM alert_transitions o
                      WHERE o.alert_id = t.alert_id AND o.episode = t.episode AND o.tick <= {until})
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
    let sql = format!(
        "SELECT body FROM alert_transitions WHERE alert_id = ?1 ORDER BY episode DESC, seq DESC LIMIT {MOST_TRANSITIONS}"
    );
    let mut newest = stored_transitions(reader, &sql, [alert_id])?;
    newest.reverse();
    Ok(newest)
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

/// Gives every row of a question to `take`.
pub fn each(
    reader: &Connection,
    doing: &str,
    sql: &str,
    values: impl rusqlite::Params,
    mut take: impl FnMut(&Row<'_>) -> rusqlite::Result<()>,
) -> Answer<()> {
    let query = || -> rusqlite::Result<()> {
        let mut statement = reader.prepare_cached(sql)?;
        let mut rows = statement.query(values)?;
        while let Some(row) = rows.next()? {
            take(row)?;
        }
        Ok(())
    };
    query().map_err(error::at(doing))
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
