//! KPIs: rollups for whole minutes, raw events for the rest, added up by row.

use crate::sketch::Sketch;
use hashbrown::HashMap;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};
use slipstream_schemas::Cause;

use super::read::Conditions;
use super::{error, read};
use crate::kpis::{Extent, Field, FieldValue, KpiAnswer, KpiQuestion, RowKey, Tally};
use crate::port::StoreError;
use crate::rollup::{LatencySums, MINUTE_US, Sums};

type Answer<T> = Result<T, StoreError>;

pub fn answer(reader: &Connection, question: &KpiQuestion) -> Answer<KpiAnswer> {
    question.check()?;
    // One snapshot for all parts of the result.
    let snapshot = reader.unchecked_transaction().map_err(error::at("computing KPIs"))?;
    let Some(extent) = extent(&snapshot)? else { return Ok(KpiAnswer::nothing(question)) };
    let (from, to) = question.range(extent);
    let gone = [from, to].map(|time| time.div_euclid(MINUTE_US)).map(|minute| raw_gone(&snapshot, minute));
    let gone = [gone[0].clone()?, gone[1].clone()?];
    let sources = question.sources(from, to, |minute| gone.contains(&Some(minute)));
    let mut tally = Tally::default();
    if let Some(minutes) = sources.rollups {
        add_rollups(&snapshot, question, minutes, &mut tally)?;
    }
    for range in &sources.events {
        add_events(&snapshot, question, *range, &mut tally)?;
    }
    Ok(KpiAnswer::new(question, tally, question.reported(&sources, extent), sources.source()))
}

fn extent(reader: &Connection) -> Answer<Option<Extent>> {
    let doing = "reading the range of what is stored";
    let bound = |sql: &str| -> Answer<Option<(i64, bool)>> {
        reader.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).optional().map_err(error::at(doing))
    };
    let event = |sql: &str| -> Answer<Option<i64>> {
        reader.query_row(sql, [], |row| row.get::<_, Option<i64>>(0)).map_err(error::at(doing))
    };
    let first = bound("SELECT minute, raw_gone FROM minutes ORDER BY minute LIMIT 1")?;
    let last = bound("SELECT minute, raw_gone FROM minutes ORDER BY minute DESC LIMIT 1")?;
    let (Some((first, first_gone)), Some((last, last_gone))) = (first, last) else { return Ok(None) };
    let (first, last) = (first * MINUTE_US, last * MINUTE_US);
    let begin = if first_gone { None } else { event("SELECT min(time) FROM events")? };
    let end = if last_gone { None } else { event("SELECT max(time) FROM events")? };
    Ok(Some((begin.unwrap_or(first), end.unwrap_or(last + MINUTE_US - 1))))
}

/// The minute, if retention removed its raw events.
fn raw_gone(reader: &Connection, minute: i64) -> Answer<Option<i64>> {
    let sql = "SELECT minute FROM minutes WHERE minute = ?1 AND raw_gone";
    reader.query_row(sql, [minute], |row| row.get(0)).optional().map_err(error::at("looking up a minute"))
}

fn add_rollups(reader: &Connection, question: &KpiQuestion, minutes: (i64, i64), tally: &mut Tally) -> Answer<()> {
    let mut conditions = Conditions::default();
    conditions.and("minute >= ? AND minute < ?", [Value::Integer(minutes.0), Value::Integer(minutes.1)]);
    conditions.dimensions(&question.filter);
    if let Some(class) = question.filter.status_class {
        conditions.and("status_class = ?", [Value::Integer(class.into())]);
    }
    if question.filter.errors_only {
        conditions.and("status_class >= 5", []);
    }
    let value = match question.by {
        None | Some(Field::StatusCode) => "NULL".to_owned(),
        Some(Field::StatusClass) => "r.status_class".to_owned(),
        Some(field) => format!("d.{}", field.name()),
    };
    let start = question.step.map_or("NULL".to_owned(), |step| format!("r.minute - r.minute % {}", step / 60));
    // CROSS JOIN keeps the range of minutes as the outer loop.
    let sql = format!(
        "SELECT {start}, {value}, sum(hits), sum(errors), sum(latency_count), sum(latency_sum), min(latency_min),
         max(latency_max), sketch_merge(sketch) FROM rollups r CROSS JOIN dimensions d ON d.id = r.dimensions
         WHERE {} GROUP BY 1, 2",
        conditions.sql()
    );
    let doing = "adding up rollups";
    for (key, sums, sketch) in read::all(reader, doing, &sql, params_from_iter(conditions.values), rollup_row)? {
        let row = tally.row(key);
        row.merge(&sums);
        if let Some(sketch) = sketch {
            row.latency
                .sketch
                .merge_encoded(&sketch)
                .map_err(|cause| error::unreadable("a sketch", Cause::of(cause)))?;
        }
    }
    Ok(())
}

fn rollup_row(row: &Row<'_>) -> rusqlite::Result<(RowKey, Sums, Option<Vec<u8>>)> {
    let start: Option<i64> = row.get(0)?;
    let value = match row.get(1)? {
        Value::Text(text) => Some(FieldValue::Text(text)),
        Value::Integer(number) => Some(FieldValue::Number(number)),
        _ => None,
    };
    let count = |i| row.get::<_, i64>(i).map(|n| n as u64);
    let latency = LatencySums {
        count: count(4)?,
        sum: row.get(5)?,
        min: row.get::<_, Option<f64>>(6)?.unwrap_or(f64::INFINITY),
        max: row.get::<_, Option<f64>>(7)?.unwrap_or(f64::NEG_INFINITY),
        sketch: Sketch::new(),
    };
    let key = RowKey { start: start.map(|minute| minute * MINUTE_US), value };
    Ok((key, Sums { hits: count(2)?, errors: count(3)?, latency }, row.get(8)?))
}

fn add_events(reader: &Connection, question: &KpiQuestion, range: (i64, i64), tally: &mut Tally) -> Answer<()> {
    let mut conditions = Conditions::default();
    conditions.and("time >= ? AND time < ?", [Value::Integer(range.0), Value::Integer(range.1)]);
    conditions.raw_event(&question.filter);
    let sql =
        format!("SELECT time, dimensions, status_code, latency_ms, weight FROM events WHERE {}", conditions.sql());
    // By the id of the dimensions first: their text is looked up once a tuple, not once an event.
    let mut sums: HashMap<(Option<i64>, i64), Sums> = HashMap::new();
    read::all(reader, "adding up events", &sql, params_from_iter(conditions.values), |row| {
        let (dimensions, status): (i64, u16) = (row.get(1)?, row.get(2)?);
        let key = match question.by {
            None => 0,
            Some(Field::StatusCode) => status.into(),
            Some(Field::StatusClass) => (status / 100).into(),
            Some(_) => dimensions,
        };
        let cell = sums.entry((question.start_of(row.get(0)?), key)).or_default();
        cell.add(status, row.get(3)?, row.get(4)?);
        Ok(())
    })?;
    for ((start, key), sums) in sums {
        let value = match question.by {
            None => None,
            Some(Field::StatusCode | Field::StatusClass) => Some(FieldValue::Number(key)),
            Some(field) => Some(FieldValue::Text(dimension(reader, field, key)?)),
        };
        tally.row(RowKey { start, value }).merge(&sums);
    }
    Ok(())
}

fn dimension(reader: &Connection, field: Field, id: i64) -> Answer<String> {
    let query = || {
        let sql = format!("SELECT {} FROM dimensions WHERE id = ?1", field.name());
        reader.prepare_cached(&sql)?.query_row([id], |row| row.get(0))
    };
    query().map_err(error::at("looking up dimensions"))
}
