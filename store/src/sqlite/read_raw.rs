//! Raw events by log time. They are clustered by event time: `minutes` says which of its minutes have events of a window, and
//! pages follow the cluster, so that each page is looked up once and nothing is sorted.
//!
//! Tables of a former version are read as they are: of their minutes only the newest log time is known.

use hashbrown::HashMap;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, Statement, params};
use slipstream_schemas::{EventTime, LogTime, Topic};

use super::error;
use super::topics::{self, EPOCH_SHIFT};
use crate::events::Stored;
use crate::port::{RawBounds, RawCursor, RawPage, RawWindow, StoreError};
use crate::rollup::MINUTE_US;

/// The version of the tables that knows when a minute's oldest event was logged, and what retention removed.
const KNOWS_OLDEST: i64 = 3;

type Answer<T> = Result<T, StoreError>;

/// What is being done here.
pub const BOUNDS: &str = "reading which raw events there are";
/// And here.
pub const EVENTS: &str = "reading raw events";

pub fn bounds(reader: &Connection) -> Answer<Vec<RawBounds>> {
    find_bounds(reader).map_err(error::at(BOUNDS))
}

fn find_bounds(reader: &Connection) -> rusqlite::Result<Vec<RawBounds>> {
    // One state of the tables: no claim or retention comes in between.
    let reading = reader.unchecked_transaction()?;
    let epoch = if topics::are_known(&reading)? { topics::epoch(&reading, Topic::RequestEvents)? as u32 } else { 0 };
    let kept = if version(&reading)? >= KNOWS_OLDEST {
        "SELECT max(raw_from) FROM kept"
    } else {
        "SELECT max(newest_log) + 1 FROM minutes WHERE raw_gone"
    };
    let kept_from: Option<i64> = reading.query_row(kept, [], |row| row.get(0))?;
    let sql = "SELECT partition, next_offset, log_time FROM positions WHERE topic = ?1 ORDER BY partition";
    let mut positions = reading.prepare_cached(sql)?;
    let bounds = positions.query_map([Topic::RequestEvents.name()], |row| {
        let (partition, offset, log_time) = (row.get(0)?, row.get(1)?, LogTime(row.get(2)?));
        Ok(RawBounds { epoch, partition, offset, log_time, kept_from: kept_from.map(LogTime) })
    })?;
    bounds.collect()
}

fn version(reader: &Connection) -> rusqlite::Result<i64> {
    reader.query_row("PRAGMA user_version", [], |row| row.get(0))
}

pub fn events(reader: &Connection, window: &RawWindow, limit: usize, after: Option<RawCursor>) -> Answer<RawPage> {
    page(reader, window, limit, after).map_err(error::at(EVENTS))
}

fn page(reader: &Connection, window: &RawWindow, limit: usize, after: Option<RawCursor>) -> rusqlite::Result<RawPage> {
    let reading = reader.unchecked_transaction()?;
    let behind = after.map_or(i64::MIN, |cursor| cursor.time);
    let oldest = if version(&reading)? >= KNOWS_OLDEST { "oldest_log" } else { "-1" };
    let mut events = reading.prepare_cached(RUN)?;
    let mut dimensions = Dimensions { find: reading.prepare_cached(DIMENSIONS)?, known: HashMap::new() };
    let mut page = RawPage::default();
    for (begin, end) in runs(&reading, oldest, window, behind)? {
        let begin = after.filter(|cursor| cursor.time >= begin).unwrap_or(before_all(begin));
        add_run(&mut page, &mut events, &mut dimensions, window, limit, (begin, end))?;
        if page.next.is_some() {
            break;
        }
    }
    Ok(page)
}

/// The place before every event of a time.
fn before_all(time: i64) -> RawCursor {
    RawCursor { time, partition: i64::MIN, offset: i64::MIN, step: 0 }
}

/// Minutes that may have events of a window. The signs keep the key out of it: the index on log times leaves fewer.
fn minutes(oldest: &str) -> String {
    format!("SELECT minute FROM minutes WHERE newest_log >= ?1 AND {oldest} < ?2 AND +minute >= ?3 ORDER BY +minute")
}

/// Event times from and before which events of the window may be, in order: neighbouring minutes are one run.
fn runs(reader: &Connection, oldest: &str, window: &RawWindow, behind: i64) -> rusqlite::Result<Vec<(i64, i64)>> {
    let mut asked = reader.prepare_cached(&minutes(oldest))?;
    let values = (window.from.0, window.to.0, behind.div_euclid(MINUTE_US));
    let mut runs: Vec<(i64, i64)> = Vec::new();
    for minute in asked.query_map(values, |row| row.get::<_, i64>(0))? {
        let begin = minute? * MINUTE_US;
        let end = begin + MINUTE_US;
        match runs.last_mut().filter(|last| last.1 == begin) {
            Some(last) => last.1 = end,
            None => runs.push((begin, end)),
        }
    }
    Ok(runs)
}

const RUN: &str =
    "SELECT time, partition, \"offset\", log_time, dimensions, status_code, latency_ms, weight, event_id, trace_id,
                   user_ref, attributes FROM events WHERE (time, partition, \"offset\") > (?1, ?2, ?3) AND time < ?4
                   AND log_time >= ?5 AND log_time < ?6 AND partition BETWEEN ?7 AND ?8
                   ORDER BY time, partition, \"offset\"";

/// Adds the events of a run, until the page is full.
fn add_run(
    page: &mut RawPage,
    events: &mut Statement<'_>,
    dimensions: &mut Dimensions<'_>,
    window: &RawWindow,
    limit: usize,
    (begin, end): (RawCursor, i64),
) -> rusqlite::Result<()> {
    let partitions = i64::from(window.epoch) << EPOCH_SHIFT;
    let (from, to, last) = (window.from.0, window.to.0, partitions | i64::from(u32::MAX));
    let mut rows = events.query(params![begin.time, begin.partition, begin.offset, end, from, to, partitions, last])?;
    while let Some(row) = rows.next()? {
        let (place, offset): (i64, i64) = (row.get(1)?, row.get(2)?);
        let partition = (place - partitions) as u32;
        let wanted = window.below.as_ref().is_none_or(|below| below.get(&partition).is_some_and(|end| offset < *end));
        if !wanted {
            continue;
        }
        let tuple = dimensions.index(&mut page.events, row.get(4)?)?;
        page.events.push_stored(&stored(row, partition, tuple)?);
        if page.is_full(limit) {
            page.next = Some(RawCursor { time: row.get(0)?, partition: place, offset, step: 0 });
            break;
        }
    }
    Ok(())
}

fn stored<'a>(row: &'a Row<'_>, partition: u32, dimensions: u32) -> rusqlite::Result<Stored<'a>> {
    let trace_id: Option<[u8; 16]> = row.get(9)?;
    Ok(Stored {
        partition,
        offset: row.get(2)?,
        log_time: LogTime(row.get(3)?),
        time: EventTime(row.get(0)?),
        dimensions,
        status_code: row.get(5)?,
        latency_ms: row.get(6)?,
        weight: row.get(7)?,
        event_id: text(row, 8)?.unwrap_or_default(),
        trace_id,
        user_ref: text(row, 10)?,
        attributes: text(row, 11)?,
    })
}

/// Text of a row, where it is: a string of its own for each would cost more than the rest.
fn text<'a>(row: &'a Row<'_>, column: usize) -> rusqlite::Result<Option<&'a str>> {
    match row.get_ref(column)? {
        ValueRef::Null => Ok(None),
        value => value.as_str().map(Some).map_err(Into::into),
    }
}

const DIMENSIONS: &str = "SELECT service, environment, endpoint, method FROM dimensions WHERE id = ?1";

/// Tuples of dimensions, each looked up once for a page.
struct Dimensions<'a> {
    find: rusqlite::CachedStatement<'a>,
    /// By id, the index in the page.
    known: HashMap<i64, u32>,
}

impl Dimensions<'_> {
    fn index(&mut self, events: &mut crate::Events, id: i64) -> rusqlite::Result<u32> {
        if let Some(known) = self.known.get(&id) {
            return Ok(*known);
        }
        let index = self.find.query_row([id], |row| {
            let at = |column| text(row, column).map(Option::unwrap_or_default);
            Ok(events.dimensions_of(at(0)?, at(1)?, at(2)?, at(3)?))
        })?;
        self.known.insert(id, index);
        Ok(index)
    }
}

#[cfg(test)]
mod tests {
    use slipstream_schemas::Retention;

    use super::*;
    use crate::sqlite::SqliteStore;

    fn plan(reader: &Connection, sql: &str, values: impl rusqlite::Params) -> Vec<String> {
        let mut asked = reader.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        asked.query_map(values, |row| row.get(3)).unwrap().collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn a_window_is_found_by_indexes() {
        let folder = tempfile::tempdir().unwrap();
        let _store = SqliteStore::open(folder.path(), Retention::default()).unwrap();
        let reader = super::super::open::for_reading(folder.path()).unwrap();
        let plan_of_minutes = plan(&reader, &minutes("oldest_log"), [0, 0, 0]);
        assert!(
            plan_of_minutes[0].contains("USING COVERING INDEX minutes_by_log (newest_log>?)"),
            "{plan_of_minutes:?}"
        );
        let plan_of_run = plan(&reader, RUN, [0, 0, 0, 0, 0, 0, 0, 0]);
        assert!(plan_of_run.len() == 1 && plan_of_run[0].contains("USING PRIMARY KEY"), "{plan_of_run:?}");
    }
}
