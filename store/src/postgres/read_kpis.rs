//! KPIs: aggregates for whole days, hours and minutes, raw events for the rest, added up by row.
//!
//! Aggregates are added up here, row by row: the database would take many times as long to merge their sketches. Raw events are
//! added up by the database, by bucket of the sketch: few rows come back, however many events there are.

use std::sync::Arc;

use futures::{TryStreamExt, pin_mut};
use hashbrown::HashMap;
use tokio_postgres::types::Type;
use tokio_postgres::{Row, Transaction};

use super::aggregates::{standing, versions};
use super::brought::{self, Brought, direction, minute};
use super::conditions::Conditions;
use super::sketch::Cells;
use super::stamp::Stamp;
use super::{error, read, sketch};
use crate::aggregates::DAY_US;
use crate::cached::{Day, Days, Share, Wanted};
use crate::events::Dimensions;
use crate::kpis::{Extent, Field, Known, KpiAnswer, KpiQuestion, Names, Span, Tally};
use crate::page::Order;
use crate::port::StoreError;
use crate::rollup::{MINUTE_US, Sums};
use crate::sketch::{LONGEST_MS, SHORTEST_MS};
use slipstream_schemas::EventTime;

type Answer<T> = Result<T, StoreError>;

pub async fn answer(asked: &Transaction<'_>, question: KpiQuestion, days: &Days) -> Answer<KpiAnswer> {
    let question = &question;
    question.check()?;
    if let Some(range) = question.must_be_whole() {
        question.refuse_gone(raw_gone(asked, range).await?)?;
    }
    brought::in_order(asked).await?;
    let extent = extent(asked, question).await?;
    brought::in_any_order(asked).await?;
    let Some(extent) = extent else { return Ok(KpiAnswer::nothing(question)) };
    let range = question.range(extent);
    let sources = question.sources(range, &known(asked, extent, range).await?)?;
    let mut tally = Tally::new(question);
    add_days(asked, question, &sources.daily, days, &mut tally).await?;
    for (table, spans) in [(HOURLY, &sources.hourly), (ROLLUPS, &sources.rollups)] {
        for span in spans {
            add_aggregates(asked, question, table, *span, &mut tally).await?;
        }
    }
    for span in &sources.raw {
        add_events(asked, question, *span, &mut tally).await?;
    }
    let names = names(asked, &tally).await?;
    let (covered, last) = (question.reported(&sources, extent), Some(EventTime(extent.1)));
    Ok(KpiAnswer::new(question, tally, &names, covered, last, &sources))
}

/// Tables of aggregates, and the column of their begin.
const DAILY: (&str, &str) = ("daily", "\"time\"");
const HOURLY: (&str, &str) = ("hourly", "\"time\"");
const ROLLUPS: (&str, &str) = ("rollups", "minute");

/// The times of the first and the last event; by a log time, of those that had come by then.
async fn extent(asked: &Transaction<'_>, question: &KpiQuestion) -> Answer<Option<Extent>> {
    if let Some(by) = question.as_of() {
        let by = Stamp::log(by);
        return Ok(event_by(asked, Order::Oldest, by).await?.zip(event_by(asked, Order::Newest, by).await?));
    }
    let doing = "reading the range of what is stored";
    let sql = "SELECT f.minute, f.raw_gone, l.minute, l.raw_gone
               FROM (SELECT minute, raw_gone FROM minutes ORDER BY minute LIMIT 1) f,
                    (SELECT minute, raw_gone FROM minutes ORDER BY minute DESC LIMIT 1) l";
    let found = read::rows(asked, doing, sql, &[]).await?;
    let Some(minutes) = found.first() else { return Ok(None) };
    let (Stamp(first), Stamp(last)): (Stamp, Stamp) = (minutes.get(0), minutes.get(2));
    let begin = if minutes.get(1) { None } else { event(asked, Order::Oldest, first, None).await? };
    let end = if minutes.get(3) { None } else { event(asked, Order::Newest, last, None).await? };
    Ok(Some((begin.unwrap_or(first), end.unwrap_or(last + MINUTE_US - 1))))
}

/// The first event of an order that was logged by a time.
async fn event_by(asked: &Transaction<'_>, order: Order, by: Stamp) -> Answer<Option<i64>> {
    let direction = direction(order);
    // The oldest event of such a minute is one.
    let sql = format!(
        "SELECT minute FROM minutes WHERE oldest_log <= $1 AND NOT raw_gone ORDER BY minute {direction} LIMIT 1"
    );
    let found = read::rows(asked, "looking up minutes", &sql, &[(&by, Type::TIMESTAMPTZ)]).await?;
    let Some(row) = found.first() else { return Ok(None) };
    event(asked, order, row.get::<_, Stamp>(0).0, Some(by)).await
}

/// The first event of a minute in an order; by a log time, of those that had come by then.
async fn event(asked: &Transaction<'_>, order: Order, within: i64, by: Option<Stamp>) -> Answer<Option<i64>> {
    let Some(brought) = Brought::within(asked, within, within + MINUTE_US).await? else { return Ok(None) };
    let mut conditions = Conditions::default();
    brought.limit(&mut conditions);
    if let Some(by) = by {
        let by = conditions.value(by, Type::TIMESTAMPTZ);
        conditions.and(format!("e.log_time <= {by}"));
    }
    let direction = direction(order);
    let sql =
        format!("SELECT e.\"time\" FROM events e WHERE {} ORDER BY e.\"time\" {direction} LIMIT 1", conditions.sql());
    let found = read::rows(asked, "reading the range of what is stored", &sql, &conditions.values()).await?;
    Ok(found.first().map(|row| row.get::<_, Stamp>(0).0))
}

/// The first and the last minute of a range that have lost raw events.
pub(super) async fn raw_gone(asked: &Transaction<'_>, (from, to): Span) -> Answer<Option<(i64, i64)>> {
    let mut minutes = Conditions::default();
    minutes.between("minute", minute(from), to);
    let sql = format!("SELECT min(minute), max(minute) FROM minutes WHERE raw_gone AND {}", minutes.sql());
    let found = read::rows(asked, "looking up minutes", &sql, &minutes.values()).await?;
    let gone = |i| found.first().and_then(|row| row.get::<_, Option<Stamp>>(i)).map(|stamp| stamp.0);
    Ok(gone(0).zip(gone(1)))
}

async fn known(asked: &Transaction<'_>, extent: Extent, range: Span) -> Answer<Known> {
    let standing = standing(asked, range).await?;
    let [first, end] = [range.0, range.1].map(|time| Stamp(time - time.rem_euclid(MINUTE_US)));
    let sql = "SELECT min(minute) FILTER (WHERE minute < $3), max(minute) FILTER (WHERE minute < $3),
               bool_or(minute = $1), bool_or(minute = $2) FROM minutes WHERE minute >= $1 AND minute <= $2 AND raw_gone";
    let to = Stamp(range.1);
    let values: read::Values<'_> = &[(&first, Type::TIMESTAMPTZ), (&end, Type::TIMESTAMPTZ), (&to, Type::TIMESTAMPTZ)];
    let found = read::rows(asked, "looking up minutes", sql, values).await?;
    let gone = |i| found[0].get::<_, Option<Stamp>>(i).map(|stamp| stamp.0);
    let ends = [(first, 2), (end, 3)].into_iter().filter(|(_, i)| found[0].get::<_, Option<bool>>(*i) == Some(true));
    Ok(Known {
        extent,
        closed: standing.closed,
        stale: standing.hours,
        stale_days: standing.days,
        gone: gone(0).zip(gone(1)),
        gone_at_ends: ends.map(|(minute, _)| minute.0).collect(),
    })
}

/// Whole days, from memory where they are there: those that were ever added up, the others have no rows.
async fn add_days(
    asked: &Transaction<'_>,
    question: &KpiQuestion,
    spans: &[Span],
    days: &Days,
    tally: &mut Tally<'_>,
) -> Answer<()> {
    if spans.is_empty() {
        return Ok(());
    }
    let wanted = wanted(asked, question).await?;
    let mut share = Share::default();
    for span in spans {
        for (begin, version) in versions(asked, *span).await? {
            let key = (begin, version);
            if let Some(day) = days.get(key) {
                share.takes(&day);
                day.add_to(&wanted, question.start_of(begin), tally)?;
            } else if share.is_used_up() {
                add_aggregates(asked, question, DAILY, (begin, begin + DAY_US), tally).await?;
            } else {
                let day = Arc::new(day(asked, begin).await?);
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
async fn day(asked: &Transaction<'_>, begin: i64) -> Answer<Day> {
    let all = KpiQuestion { by: vec![Field::Service, Field::StatusClass], ..KpiQuestion::default() };
    let mut tally = Tally::unbounded(&all);
    add_aggregates(asked, &all, DAILY, (begin, begin + DAY_US), &mut tally).await?;
    let mut day = Day::default();
    tally.cells().for_each(|(cell, sums)| day.push(cell.dimensions, cell.class, sums));
    Ok(day)
}

/// What a question wants of a day.
async fn wanted(asked: &Transaction<'_>, question: &KpiQuestion) -> Answer<Wanted> {
    let filter = &question.filter;
    let (class, errors_only) = (filter.status_class.map(i64::from), filter.errors_only);
    let mut conditions = Conditions::default();
    conditions.dimensions("id", filter);
    if conditions.values().is_empty() && conditions.sql() == "true" {
        return Ok(Wanted { dimensions: None, class, errors_only });
    }
    let sql = format!("SELECT id FROM dimensions WHERE {}", conditions.sql());
    let found = read::rows(asked, "looking up dimensions", &sql, &conditions.values()).await?;
    let dimensions = Some(found.iter().map(|row| row.get::<_, i32>(0).into()).collect());
    Ok(Wanted { dimensions, class, errors_only })
}

async fn add_aggregates(
    asked: &Transaction<'_>,
    question: &KpiQuestion,
    (table, begin): (&str, &str),
    span: Span,
    tally: &mut Tally<'_>,
) -> Answer<()> {
    let mut conditions = Conditions::default();
    conditions.between(begin, span.0, span.1);
    conditions.aggregate(&question.filter);
    let sql = format!(
        "SELECT {begin}, dimensions, status_class, hits, errors, latency_count, latency_sum, latency_min, latency_max, sketch
         FROM {table} WHERE {} ORDER BY 1, 2, 3",
        conditions.sql()
    );
    let failed = || error::asking("adding up aggregates");
    let rows = asked.query_typed_raw(&sql, conditions.values()).await.map_err(failed())?;
    pin_mut!(rows);
    while let Some(row) = rows.try_next().await.map_err(failed())? {
        let Stamp(time) = row.get(0);
        let sums =
            tally.aggregate(question.start_of(time), row.get::<_, i32>(1).into(), row.get::<_, i16>(2).into())?;
        add_row(sums, &row);
        if let Some(cells) = row.get::<_, Option<Cells<'_>>>(9) {
            cells.add_to(&mut sums.latency.sketch)?;
        }
    }
    Ok(())
}

/// Adds counts, sum and extremes from the columns behind the key.
fn add_row(sums: &mut Sums, row: &Row) {
    let count = |i| row.get::<_, i64>(i) as u64;
    sums.hits += count(3);
    sums.errors += count(4);
    let latency = &mut sums.latency;
    latency.count += count(5);
    latency.sum += row.get::<_, f64>(6);
    latency.min = latency.min.min(row.get::<_, Option<f64>>(7).unwrap_or(f64::INFINITY));
    latency.max = latency.max.max(row.get::<_, Option<f64>>(8).unwrap_or(f64::NEG_INFINITY));
}

async fn add_events(asked: &Transaction<'_>, question: &KpiQuestion, span: Span, tally: &mut Tally<'_>) -> Answer<()> {
    let Some(brought) = Brought::within(asked, span.0, span.1).await? else { return Ok(()) };
    let mut conditions = Conditions::default();
    brought.limit(&mut conditions);
    conditions.raw_event(&question.filter);
    let bin = |step| format!("date_bin('{step} seconds', e.\"time\", timestamptz '1970-01-01 00:00:00+00')");
    let start = question.step.map_or("NULL::timestamptz".to_owned(), bin);
    let dimensions = if tally.needs_names() { "e.dimensions" } else { "0" };
    let code = match (question.by.contains(&Field::StatusCode), question.by.contains(&Field::StatusClass)) {
        (true, _) => "e.status_code::integer",
        (false, true) => "e.status_code / 100 * 100",
        (false, false) => "0",
    };
    let sql = format!(
        "SELECT {start}, {dimensions}, {code}, sum(e.weight)::bigint,
         coalesce(sum(e.weight) FILTER (WHERE e.status_code >= 500), 0)::bigint,
         coalesce(sum(e.weight) FILTER (WHERE e.latency_ms IS NOT NULL), 0)::bigint,
         coalesce(sum(e.latency_ms * e.weight), 0), min(e.latency_ms), max(e.latency_ms), {PLACE} AS place
         FROM events e WHERE {} GROUP BY 1, 2, 3, place ORDER BY 1, 2, 3, place",
        conditions.sql()
    );
    let failed = || error::asking("adding up events");
    let rows = asked.query_typed_raw(&sql, conditions.values()).await.map_err(failed())?;
    pin_mut!(rows);
    while let Some(row) = rows.try_next().await.map_err(failed())? {
        let start = row.get::<_, Option<Stamp>>(0).map(|start| start.0);
        let sums = tally.raw(start, row.get::<_, i32>(1).into(), row.get::<_, i32>(2).into())?;
        add_row(sums, &row);
        if let Some(place) = row.get::<_, Option<i32>>(9) {
            sketch::add_place(&mut sums.latency.sketch, place, row.get::<_, i64>(5) as u64)?;
        }
    }
    Ok(())
}

/// The place of a latency in a sketch (`sql/v1_sketch.sql`); 46.16… is 32 / ln 2.
const PLACE: &str = "CASE WHEN e.latency_ms < 1e-6 THEN 0
                     ELSE 1024 + ceil(ln(least(e.latency_ms, 86400000)) * 46.16624130844683)::integer END";
const _: () = assert!(SHORTEST_MS == 1e-6 && LONGEST_MS == 86_400_000.0, "the bounds of PLACE");

/// The texts of the tuples that rows are told apart by.
async fn names(asked: &Transaction<'_>, tally: &Tally<'_>) -> Answer<Names> {
    let ids: Vec<i32> = tally.unnamed().into_iter().filter_map(|id| id.try_into().ok()).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = "SELECT id, service, environment, endpoint, method FROM dimensions WHERE id = ANY ($1)";
    let found = read::rows(asked, "looking up dimensions", sql, &[(&ids, Type::INT4_ARRAY)]).await?;
    let named = |row: &Row| {
        let (service, environment, endpoint, method) = (row.get(1), row.get(2), row.get(3), row.get(4));
        (row.get::<_, i32>(0).into(), Dimensions { service, environment, endpoint, method })
    };
    Ok(found.iter().map(named).collect())
}
