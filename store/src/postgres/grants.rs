//! Who may do what: the owner makes the tables; a writer does what a sink does, a reader what dashboards do, and neither more.
//!
//! A writer cannot own tables, and partitions are made and dropped by their owner: what it takes of that are functions that run
//! with the owner's rights and do just this. Continuous aggregates are refreshed by their policies and by the owner
//! (`slipstream store refresh`): TimescaleDB lets nobody else.

use tokio_postgres::Transaction;
use tokio_postgres::types::Type;

use super::options::{PostgresOptions, Target};
use super::{error, migrate};
use crate::port::StoreError;

const DOING: &str = "granting rights";

type Answer<T> = Result<T, StoreError>;

/// Tables that questions need, and nobody else writes than sinks and retention.
const WRITTEN: &str = "positions, dimensions, days, minutes, rollups, series, burn_rates, alert_transitions, notifications, \
                       events, topics, kept, kept_burn_rates, kept_alerts, closed, stale_hours, stale_days, made_days";

/// Grants users of the database what readers and writers may.
///
/// # Errors
/// When a user does not exist, or this one does not own the tables.
pub async fn grant(options: &PostgresOptions, readers: &[String], writers: &[String]) -> Answer<()> {
    let target = Target::new(options)?;
    let (mut session, layout) = migrate::migrate(&target).await?;
    let transaction = session.begin(DOING).await?;
    let schema = &target.schema;
    for user in readers {
        let user = quoted(&transaction, user).await?;
        run(&transaction, &reader(schema, &user)).await?;
    }
    for user in writers {
        let user = quoted(&transaction, user).await?;
        run(&transaction, &reader(schema, &user)).await?;
        run(&transaction, &writer(schema, &user, layout.continuous)).await?;
    }
    transaction.commit().await.map_err(error::at(DOING))
}

fn reader(schema: &str, user: &str) -> String {
    format!(
        "GRANT USAGE ON SCHEMA {schema} TO {user};
         GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {user};
         GRANT EXECUTE ON FUNCTION sketch_fold(bigint[]), sketch_join(bigint[], bigint[]), sketch_count(bigint[]),
           sketch_quantile(bigint[], double precision) TO {user}"
    )
}

fn writer(schema: &str, user: &str, is_continuous: bool) -> String {
    let aggregates = if is_continuous { "" } else { ", hourly, daily" };
    format!(
        "GRANT INSERT, UPDATE, DELETE ON {WRITTEN}{aggregates} TO {user};
         GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {user};
         GRANT EXECUTE ON FUNCTION events_make_day(integer), events_drop_before(integer), burn_rates_drop(timestamptz, timestamptz),
           sketch_add(bigint[], bigint[]) TO {user}"
    )
}

/// A user's name as SQL takes it.
async fn quoted(transaction: &Transaction<'_>, user: &str) -> Answer<String> {
    let sql = "SELECT quote_ident($1)";
    let row = transaction.query_typed_one(sql, &[(&user, Type::TEXT)]).await.map_err(error::at(DOING))?;
    Ok(row.get(0))
}

async fn run(transaction: &Transaction<'_>, sql: &str) -> Answer<()> {
    transaction.batch_execute(sql).await.map_err(error::at(DOING))
}
