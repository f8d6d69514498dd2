//! Continuous aggregates of TimescaleDB: refreshed for the hours and days that have changed.
//!
//! A refresh is two transactions of the server's own, so it cannot run in one of ours, and nothing of a session is set for it
//! (a pooler would hand it to others): what it needs is named in full.

use slipstream_schemas::cause::chain;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use super::error;
use super::events_table::Extension;
use super::options::Target;
use super::refresh::{Stale, Unit};
use super::session::Session;
use super::stamp::Stamp;
use crate::aggregates::runs;
use crate::port::StoreError;

const DOING: &str = "refreshing continuous aggregates";

/// Refreshes an aggregate for some of its hours or days.
///
/// # Errors
/// When the server refuses, or another refresh of the same is under way (`Unavailable`).
pub async fn anew(session: &mut Session, target: &Target, unit: Unit, stale: &[Stale]) -> Result<(), StoreError> {
    let asked = session.begin_reading(DOING).await?;
    let extension = Extension::find(&asked, DOING).await?;
    asked.commit().await.map_err(error::at(DOING))?;
    let functions = extension.map_or_else(|| "public".to_owned(), |extension| extension.schema().to_owned());
    let begins: Vec<i64> = stale.iter().map(|stale| stale.begin.0).collect();
    for span in runs(&begins, unit.length()) {
        let (from, to) = (written(session, span.0).await?, written(session, span.1).await?);
        let name = unit.table();
        let call =
            format!("CALL {functions}.refresh_continuous_aggregate('{}.{name}', '{from}', '{to}')", target.schema);
        session.alone(&call).await.map_err(refused)?;
        others_are_done(session, unit, span).await?;
    }
    Ok(())
}

/// From TimescaleDB 2.22 on a refresh first takes the ranges that are to be made, commits, and makes them in another transaction.
/// In 2.22 to 2.25 a second one that comes in between skips what the first has taken, and returns as if all were there.
async fn others_are_done(session: &mut Session, unit: Unit, (from, to): (i64, i64)) -> Result<(), StoreError> {
    let asked = session.begin_reading(DOING).await?;
    let known =
        "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb' AND extversion ~ '^2[.]2[2-5]([.]|$)')";
    let taken = "SELECT EXISTS (
                   SELECT FROM _timescaledb_catalog.continuous_aggs_materialization_ranges r
                   JOIN _timescaledb_catalog.continuous_agg a ON a.mat_hypertable_id = r.materialization_id
                   WHERE a.user_view_schema = current_schema() AND a.user_view_name = $1
                   AND r.lowest_modified_value < $3 AND r.greatest_modified_value >= $2)";
    let mut is_taken = asked.query_typed_one(known, &[]).await.map_err(error::at(DOING))?.get(0);
    if is_taken {
        // Times as the catalog has them: microseconds since 1970.
        let values = [(&unit.table() as _, Type::TEXT), (&from as _, Type::INT8), (&to as _, Type::INT8)];
        is_taken = asked.query_typed_one(taken, &values).await.map_err(error::at(DOING))?.get(0);
    }
    asked.commit().await.map_err(error::at(DOING))?;
    match is_taken {
        false => Ok(()),
        true => Err(StoreError::Unavailable {
            doing: DOING.to_owned(),
            cause: format!("another refresh of {} is under way", unit.table()).into(),
        }),
    }
}

/// A time as SQL takes it.
async fn written(session: &mut Session, at: i64) -> Result<String, StoreError> {
    let asked = session.begin_reading(DOING).await?;
    let sql = "SELECT to_char($1 AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS\"Z\"')";
    let row = asked.query_typed_one(sql, &[(&Stamp(at), Type::TIMESTAMPTZ)]).await.map_err(error::at(DOING))?;
    let text = row.get(0);
    asked.commit().await.map_err(error::at(DOING))?;
    Ok(text)
}

/// A refresh that meets another one of the same aggregate, by its policy perhaps, is due again later.
fn refused(error: tokio_postgres::Error) -> StoreError {
    let said = chain(&error);
    // TimescaleDB lets nobody else: the right cannot be granted.
    if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) {
        let cause = format!(
            "{said}: only the owner of the tables refreshes them; policies do so each hour, and `slipstream store refresh` as that user"
        );
        return StoreError::Fatal { doing: DOING.to_owned(), cause: cause.into() };
    }
    if said.contains("concurrent refresh") || said.contains("being refreshed") {
        return StoreError::Unavailable { doing: DOING.to_owned(), cause: said.into() };
    }
    error::at(DOING)(error)
}
