//! Continuous aggregates of TimescaleDB: refreshed for the hours and days that have changed.
//!
//! A refresh is two transactions of the server's own, so it cannot run in one of ours, and nothing of a session is set for it
//! (a pooler would hand it to others): what it needs is named in full.

use slipstream_schemas::cause::chain;
use tokio_postgres::types::Type;

use super::aggregates::Stale;
use super::error;
use super::events_table::Extension;
use super::options::Target;
use super::session::Session;
use super::stamp::Stamp;
use crate::aggregates::{DAY_US, HOUR_US, runs};
use crate::port::StoreError;

const DOING: &str = "refreshing continuous aggregates";

/// Refreshes the hourly aggregate for some hours.
///
/// # Errors
/// When the server refuses, or another refresh of the same is under way (`Unavailable`).
pub async fn hours_anew(session: &mut Session, target: &Target, hours: &[Stale]) -> Result<(), StoreError> {
    refresh(session, target, "hourly", hours, HOUR_US).await
}

/// Refreshes the daily aggregate for some days.
///
/// # Errors
/// As for hours.
pub async fn days_anew(session: &mut Session, target: &Target, days: &[Stale]) -> Result<(), StoreError> {
    refresh(session, target, "daily", days, DAY_US).await
}

async fn refresh(
    session: &mut Session,
    target: &Target,
    name: &str,
    stale: &[Stale],
    unit: i64,
) -> Result<(), StoreError> {
    if stale.is_empty() {
        return Ok(());
    }
    let asked = session.begin_reading(DOING).await?;
    let extension = Extension::find(&asked, DOING).await?;
    asked.commit().await.map_err(error::at(DOING))?;
    let functions = extension.map_or_else(|| "public".to_owned(), |extension| extension.schema().to_owned());
    let begins: Vec<i64> = stale.iter().map(|stale| stale.begin.0).collect();
    for (from, to) in runs(&begins, unit) {
        let (from, to) = (written(session, from).await?, written(session, to).await?);
        let call =
            format!("CALL {functions}.refresh_continuous_aggregate('{}.{name}', '{from}', '{to}')", target.schema);
        session.alone(&call).await.map_err(refused)?;
    }
    Ok(())
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
    if said.contains("concurrent refresh") || said.contains("being refreshed") {
        return StoreError::Unavailable { doing: DOING.to_owned(), cause: said.into() };
    }
    error::at(DOING)(error)
}
