//! Questions for rows: positions, states of SLOs, alerts, counts.

use slipstream_schemas::records::{AlertTransition, BurnRates};
use slipstream_schemas::{Cause, LogTime, Topic, codec};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{GenericClient, Row, Transaction};

use super::conditions::Conditions;
use super::error;
use super::stamp::Stamp;
use crate::alerts::{AlertEpisode, AlertFilter, MOST_TRANSITIONS};
use crate::port::{BurnQuestion, Counts, StoreError, StorePosition, WholeFrom};

type Answer<T> = Result<T, StoreError>;
/// Values of a query, with their types.
pub type Values<'a> = &'a [(&'a (dyn ToSql + Sync), Type)];

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

pub async fn slo_states(asked: &Transaction<'_>, until: Option<i64>) -> Answer<Vec<BurnRates>> {
    let sql = "SELECT n.body FROM series s
               CROSS JOIN LATERAL (SELECT body, retired FROM burn_rates b WHERE b.series = s.id AND b.\"time\" <= $1
                                   ORDER BY b.\"time\" DESC, b.generation DESC LIMIT 1) n
               WHERE NOT n.retired ORDER BY s.slo, s.objective, s.group_values";
    let until = until.map_or(Stamp(i64::MAX), Stamp::seconds);
    stored_rates(&rows(asked, "reading the state of SLOs", sql, &[(&until, Type::TIMESTAMPTZ)]).await?)
}

pub async fn whole_from(asked: &Transaction<'_>) -> Answer<WholeFrom> {
    let sql = "SELECT (SELECT from_time FROM kept_burn_rates), (SELECT from_time FROM kept_alerts)";
    let found = rows(asked, "reading what retention has left", sql, &[]).await?;
    let tick = |column| found.first().and_then(|row| row.get::<_, Option<Stamp>>(column));
    let tick = |column| tick(column).map(|stamp| stamp.0.div_euclid(1_000_000));
    Ok(WholeFrom { burn_rates: tick(0), alerts: tick(1) })
}

pub async fn burn_history(asked: &Transaction<'_>, question: BurnQuestion) -> Answer<Vec<BurnRates>> {
    let mut conditions = Conditions::default();
    conditions.equal(&[("s.slo", &Some(question.slo)), ("s.objective", &question.objective)]);
    conditions.between("b.\"time\"", Stamp::seconds(question.from).0, Stamp::seconds(question.to).0);
    for (place, value) in question.group {
        let value = conditions.value(value, Type::TEXT);
        conditions.and(format!("s.group_values::json ->> {place} = {value}"));
    }
    let step = conditions.value(question.step.max(1), Type::INT8);
    let sql = format!(
        "SELECT body FROM (
           SELECT DISTINCT ON (b.series, b.generation, floor(extract(epoch FROM b.\"time\"))::bigint / {step})
                  b.body, b.\"time\", s.objective, s.group_values, b.generation
           FROM series s JOIN burn_rates b ON b.series = s.id WHERE {}
           ORDER BY b.series, b.generation, floor(extract(epoch FROM b.\"time\"))::bigint / {step}, b.\"time\" DESC
         ) last ORDER BY \"time\", objective, group_values, generation LIMIT {}",
        conditions.sql(),
        question.limit
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
    let until = conditions.value(filter.until.map_or(Stamp(i64::MAX), Stamp::seconds), Type::TIMESTAMPTZ);
    let sql = format!(
        "SELECT body FROM alert_transitions t
         WHERE seq = (SELECT max(seq) FROM alert_transitions o
                      WHERE o.alert_id = t.alert_id AND o.episode = t.episode AND o.\"time\" <= {until})
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
    let sql = format!(
        "SELECT body FROM alert_transitions WHERE {} ORDER BY episode DESC, seq DESC LIMIT {MOST_TRANSITIONS}",
        conditions.sql()
    );
    let mut newest =
        stored_transitions(&rows(asked, "reading an alert's transitions", &sql, &conditions.values()).await?)?;
    newest.reverse();
    Ok(newest)
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
