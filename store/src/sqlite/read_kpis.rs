//! KPIs: aggregates for whole days, hours and minutes, raw events for the rest, added up by row.

use std::sync::Arc;

use hashbrown::HashMap;
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};
use slipstream_schemas::{Cause, EventTime};

use super::aggregates::{standing, versions};
use super::conditions::Conditions;
use super::{error, read};
use crate::aggregates::{DAY_US, HOUR_US};
use crate::cached::{Day, Days, Share, Wanted};
use crate::events::Dimensions;
use crate::kpis::{Extent, Field, Known, KpiAnswer, KpiQuestion, Names, Span, Tally};
use crate::port::StoreError;
use crate::rollup::{MINUTE_US, Sums};

type Answer<T> = Result<T, StoreError>;

/// Tables of aggregates, the column of their begin, and what its unit is.
const DAILY: (&str, &str, i64) = ("daily", "day", DAY_US);
const HOURLY: (&str, &str, i64) = ("hourly", "hour", HOUR_US);
const ROLLUPS: (&str, &str, i64) = ("rollups", "minute", MINUTE_US);

pub fn answer(reader: &Connection, question: &KpiQuestion, days: &Days) -> Answer<KpiAnswer> {
    question.check()?;
    // One snapshot for all parts of the result.
    let snapshot = reader.unchecked_transaction().map_err(error::at("computing KPIs"))?;
    if let Some(range) = question.must_be_whole() {
        question.refuse_gone(raw_gone(&snapshot, range).map_err(error::at("looking up minutes"))?)?;
    }
    let Some(extent) = extent(&snapshot, question)? else { return Ok(KpiAnswer::nothing(question)) };
    let range = question.range(extent);
    let sources = question.sources(range, &known(&snapshot, extent, range)?)?;
    let mut tally = Tally::new(question);
    add_days(&snapshot, question, &sources.daily, days, &mut tally)?;
    for (table, spans) in [(HOURLY, &sources.hourly), (ROLLUPS, &sources.rollups)] {
        for span in spans {
            add_aggregates(&snapshot, question, table, *span, &mut tally)?;
        }
    }
    for span in &sources.raw {
        add_events(&snapshot, question, *span, &mut tally)?;
    }
    let names = names(&snapshot, &tally)?;
    let (covered, last) = (question.reported(&sources, extent), Some(EventTime(extent.1)));
    Ok(KpiAnswer::new(question, tally, &names, covered, last, &sources))
}

/// The times of the first and the last event; by a log time, of those that had come by then.
fn extent(reader: &Connection, question: &KpiQuestion) -> Answer<Option<Extent>> {
    let doing = "reading the range of what is stored";
    let bound = |sql: &str| -> Answer<Option<(i64, bool)>> {
        reader.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).optional().map_err(error::at(doing))
    };
    let event = |order: &str, by: i64| -> Answer<Option<i64>> {
        let sql = format!("SELECT time FROM events WHERE log_time <= ?1 ORDER BY time {order} LIMIT 1");
        reader.query_row(&sql, [by], |row| row.get(0)).optional().map_err(error::at(doing))
    };
    if let Some(by) = question.as_of() {
        return Ok(event("", by.0)?.zip(event("DESC", by.0)?));
    }
    let first = bound("SELECT minute, raw_gone FROM minutes ORDER BY minute LIMIT 1")?;
    let last = bound("SELECT minute, raw_gone FROM minutes ORDER BY minute DESC LIMIT 1")?;
    let (Some((first, first_gone)), Some((last, last_gone))) = (first, last) else { return Ok(None) };
    let (first, last) = (first * MINUTE_US, last * MINUTE_US);
    let begin = if first_gone { None } else { event("", i64::MAX)? };
    let end = if last_gone { None } else { event("DESC", i64::MAX)? };
    Ok(Some((begin.unwrap_or(first), end.unwrap_or(last + MINUTE_US - 1))))
}

fn known(reader: &Connection, extent: Extent, range: Span) -> Answer<Known> {
    let ask = || -> rusqlite::Result<Known> {
        let standing = standing(reader, range)?;
        let minutes = [range.0, range.1].map(|time| time.div_euclid(MINUTE_US));
        let gone = raw_gone(reader, range)?;
        let mut at = reader.prepare_cached("SELECT minute FROM minutes WHERE minute IN (?1, ?2) AND raw_gone")?;
        let gone_at_ends =
            at.query_map(minutes, |row| Ok(row.get::<_, i64>(0)? * MINUTE_US))?.collect::<Result<_, _>>()?;
        let starts = |places: Vec<i64>, unit: i64| places.into_iter().map(|place| place * unit).collect();
        Ok(Known {
            extent,
            closed: standing.closed.saturating_mul(HOUR_US),
            stale: starts(standing.stale_hours, HOUR_US),
            stale_days: starts(standing.stale_days, DAY_US),
            gone,
            gone_at_ends,
        })
    };
    ask().map_err(error::at("looking up what is stored of a range"))
}

/// The first and the last minute of a range that have lost raw events.
pub(super) fn raw_gone(reader: &Connection, (from, to): Span) -> rusqlite::Result<Option<(i64, i64)>> {
    let gone = "SELECT min(minute), max(minute) FROM minutes WHERE minute >= ?1 AND minute <= ?2 AND raw_gone";
    let last = to.saturating_sub(1).div_euclid(MINUTE_US);
    reader.prepare_cached(gone)?.query_row((from.div_euclid(MINUTE_US), last), |row| {
        let ends: (Option<i64>, Option<i64>) = (row.get(0)?, row.get(1)?);
        Ok(ends.0.zip(ends.1).map(|(first, last)| (first * MINUTE_US, last * MINUTE_US)))
    })
}

/// Whole days, from memory where they are there: those that were ever added up, the others have no rows.
fn add_days(
    reader: &Connection,
    question: &KpiQuestion,
    spans: &[Span],
    days: &Days,
    tally: &mut Tally<'_>,
) -> Answer<()> {
    if spans.is_empty() {
        return Ok(());
    }
    let wanted = wanted(reader, question)?;
    let mut share = Share::default();
    for span in spans {
        for (begin, version) in versions(reader, *span).map_err(error::at("looking up days"))? {
            let key = (begin, version);
            if let Some(day) = days.get(key) {
                share.takes(&day);
                day.add_to(&wanted, question.start_of(begin), tally)?;
            } else if share.is_used_up() {
                add_aggregates(reader, question, DAILY, (begin, begin + DAY_US), tally)?;
            } else {
                let day = Arc::new(day(reader, begin)?);
                if share.takes(&day) {
                    days.keep(key, &day);
                }
                day.add_to(&wanted, question.start_of(begin), tally)?;
            }
        }
    }
    Ok(())
}

/// All rows of a day: other questions are about others of them.
fn day(reader: &Connection, begin: i64) -> Answer<Day> {
    let all = KpiQuestion { by: vec![Field::Service, Field::StatusClass], ..KpiQuestion::default() };
    let mut tally = Tally::unbounded(&all);
    add_aggregates(reader, &all, DAILY, (begin, begin + DAY_US), &mut tally)?;
    let mut day = Day::default();
    tally.cells().for_each(|(cell, sums)| day.push(cell.dimensions, cell.class, sums));
    Ok(day)
}

/// What a question wants of a day.
fn wanted(reader: &Connection, question: &KpiQuestion) -> Answer<Wanted> {
    let filter = &question.filter;
    let (class, errors_only) = (filter.status_class.map(i64::from), filter.errors_only);
    let mut tuple = Conditions::default();
    tuple.tuple(filter);
    if tuple.values.is_empty() {
        return Ok(Wanted { dimensions: None, class, errors_only });
    }
    let sql = format!("SELECT id FROM dimensions WHERE {}", tuple.sql());
    let ids: Vec<i64> =
        read::all(reader, "looking up dimensions", &sql, params_from_iter(tuple.values), |row| row.get(0))?;
    Ok(Wanted { dimensions: Some(ids.into_iter().collect()), class, errors_only })
}

fn add_aggregates(
    reader: &Connection,
    question: &KpiQuestion,
    (table, begin, unit): (&str, &str, i64),
    span: Span,
    tally: &mut Tally<'_>,
) -> Answer<()> {
    let mut conditions = Conditions::default();
    let bounds = [Value::Integer(span.0 / unit), Value::Integer(span.1 / unit)];
    conditions.and(&format!("{begin} >= ? AND {begin} < ?"), bounds);
    conditions.aggregate(&question.filter);
    let sql = format!(
        "SELECT {begin}, dimensions, status_class, hits, errors, latency_count, latency_sum, latency_min, latency_max, sketch
         FROM {table} WHERE {}",
        conditions.sql()
    );
    let doing = "adding up aggregates";
    let mut damaged = None;
    let add = |row: &Row<'_>| -> rusqlite::Result<()> {
        let start = question.start_of(row.get::<_, i64>(0)? * unit);
        let sums = tally.aggregate(start, row.get(1)?, row.get(2)?).map_err(error::broken_off)?;
        add_row(sums, row)?;
        if let ValueRef::Blob(sketch) = row.get_ref(9)? {
            damaged = sums.latency.sketch.add_encoded(sketch).err().or(damaged.take());
        }
        Ok(())
    };
    read::each(reader, doing, &sql, params_from_iter(conditions.values), add)?;
    damaged.map_or(Ok(()), |cause| Err(error::unreadable("a sketch", Cause::of(cause))))
}

/// Adds counts, sum and extremes from the columns behind the key.
fn add_row(sums: &mut Sums, row: &Row<'_>) -> rusqlite::Result<()> {
    sums.hits += row.get::<_, i64>(3)? as u64;
    sums.errors += row.get::<_, i64>(4)? as u64;
    let latency = &mut sums.latency;
    latency.count += row.get::<_, i64>(5)? as u64;
    latency.sum += row.get::<_, f64>(6)?;
    latency.min = latency.min.min(row.get::<_, Option<f64>>(7)?.unwrap_or(f64::INFINITY));
    latency.max = latency.max.max(row.get::<_, Option<f64>>(8)?.unwrap_or(f64::NEG_INFINITY));
    Ok(())
}

fn add_events(reader: &Connection, question: &KpiQuestion, span: Span, tally: &mut Tally<'_>) -> Answer<()> {
    let mut conditions = Conditions::default();
    conditions.and("time >= ? AND time < ?", [Value::Integer(span.0), Value::Integer(span.1)]);
    conditions.raw_event(&question.filter);
    let sql =
        format!("SELECT time, dimensions, status_code, latency_ms, weight FROM events WHERE {}", conditions.sql());
    read::each(reader, "adding up events", &sql, params_from_iter(conditions.values), |row| {
        let status: u16 = row.get(2)?;
        let start = question.start_of(row.get(0)?);
        let sums = tally.raw(start, row.get(1)?, status.into()).map_err(error::broken_off)?;
        sums.add(status, row.get(3)?, row.get(4)?);
        Ok(())
    })
}

/// The texts of the tuples that rows are told apart by.
fn names(reader: &Connection, tally: &Tally<'_>) -> Answer<Names> {
    let find = || -> rusqlite::Result<Names> {
        let mut asked =
            reader.prepare_cached("SELECT service, environment, endpoint, method FROM dimensions WHERE id = ?1")?;
        let mut names = HashMap::new();
        for id in tally.unnamed() {
            let tuple = asked.query_row([id], |row| {
                Ok(Dimensions {
                    service: row.get(0)?,
                    environment: row.get(1)?,
                    endpoint: row.get(2)?,
                    method: row.get(3)?,
                })
            });
            names.extend(tuple.optional()?.map(|tuple| (id, tuple)));
        }
        Ok(names)
    };
    find().map_err(error::at("looking up dimensions"))
}
