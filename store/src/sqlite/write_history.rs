//! Writing history: burn rates, alert transitions, delivery outcomes.

use rusqlite::{OptionalExtension, Transaction, params};
use slipstream_schemas::records::{AlertTransition, Notification};
use slipstream_schemas::{Cause, codec};

use super::error;
use crate::port::{StoreError, StoredBurnRates};

type Done = Result<(), StoreError>;

/// Of two records for one series, tick and generation the later stays.
pub fn insert_burn_rates(transaction: &Transaction<'_>, rows: &[StoredBurnRates]) -> Done {
    let doing = "storing burn rates";
    let mut known = transaction
        .prepare_cached("SELECT id FROM series WHERE slo = ?1 AND objective = ?2 AND group_values = ?3")
        .map_err(error::at(doing))?;
    let mut new = transaction
        .prepare_cached("INSERT INTO series (slo, objective, group_values) VALUES (?1, ?2, ?3) RETURNING id")
        .map_err(error::at(doing))?;
    let mut statement = transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO burn_rates (series, tick, generation, complete, retired, sli, budget_remaining, good,
             total, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )
        .map_err(error::at(doing))?;
    for row in rows {
        let rates = &row.rates;
        let group = json(doing, &rates.group)?;
        let key = (&rates.slo, &rates.objective, &group);
        let stored: Option<i64> = known.query_row(key, |row| row.get(0)).optional().map_err(error::at(doing))?;
        let series = match stored {
            Some(id) => id,
            None => new.query_row(key, |row| row.get(0)).map_err(error::at(doing))?,
        };
        let period = rates.windows.last();
        statement
            .execute(params![
                series,
                rates.tick,
                rates.generation,
                rates.complete,
                rates.retired,
                rates.sli,
                rates.budget_remaining,
                period.map_or(0, |window| window.good),
                period.map_or(0, |window| window.total),
                codec::encode(rates),
            ])
            .map_err(error::at(doing))?;
    }
    Ok(())
}

/// A transition is stored once, by any writer.
pub fn insert_transitions(transaction: &Transaction<'_>, transitions: &[AlertTransition]) -> Done {
    let doing = "storing alert transitions";
    let mut statement = transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO alert_transitions (alert_id, episode, seq, slo, service, severity, kind, tick, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )
        .map_err(error::at(doing))?;
    for t in transitions {
        let (kind, body) = (word(doing, &t.kind)?, json(doing, t)?);
        statement
            .execute(params![t.alert_id, t.episode, t.seq, t.slo, t.service, t.severity, kind, t.tick, body])
            .map_err(error::at(doing))?;
    }
    Ok(())
}

/// A row per outcome of each transition at each receiver.
pub fn insert_notifications(transaction: &Transaction<'_>, notifications: &[Notification]) -> Done {
    let doing = "storing delivery outcomes";
    let mut statement = transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO notifications (alert_id, episode, seq, receiver, outcome, status, attempts, detail, at,
             reason, by, kind, slo, severity, latency_ms, repeated)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
        )
        .map_err(error::at(doing))?;
    for n in notifications {
        statement
            .execute(params![
                n.alert_id,
                n.episode,
                n.seq,
                n.receiver,
                n.outcome.name(),
                n.status,
                n.attempts,
                n.detail,
                n.at,
                n.reason.name(),
                n.by,
                n.kind,
                n.slo,
                n.severity,
                n.latency_ms,
                n.repeated,
            ])
            .map_err(error::at(doing))?;
    }
    Ok(())
}

fn json(doing: &str, value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Fatal { doing: doing.to_owned(), cause: Cause::of(error) })
}

/// The name of an enum's case, as its records have it.
fn word(doing: &str, case: &impl serde::Serialize) -> Result<String, StoreError> {
    Ok(json(doing, case)?.trim_matches('"').to_owned())
}
