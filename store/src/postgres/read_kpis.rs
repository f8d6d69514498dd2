//! KPIs: rollups for whole minutes, raw events for the rest, added up by row; the database adds up what it can.

use crate::sketch::{LONGEST_MS, SHORTEST_MS, Sketch};
use tokio_postgres::types::Type;
use tokio_postgres::{Row, Transaction};

use super::conditions::Conditions;
use super::stamp::Stamp;
use super::{read, sketch};
use crate::kpis::{Extent, Field, FieldValue, KpiAnswer, KpiQuestion, RowKey, Tally};
use crate::port::StoreError;
use crate::rollup::{LatencySums, MINUTE_US, Sums};

type Answer<T> = Result<T, StoreError>;

pub async fn answer(asked: &Transaction<'_>, question: KpiQuestion) -> Answer<KpiAnswer> {
    let question = &question;
    question.check()?;
    let Some(extent) = extent(asked).await? else { return Ok(KpiAnswer::nothing(question)) };
    let (from, to) = question.range(extent);
    let gone = raw_gone(asked, [from, to]).await?;
    let sources = question.sources(from, to, |minute| gone.contains(&minute));
    let mut tally = Tally::default();
    if let Some(minutes) = sources.rollups {
        add_rollups(asked, question, minutes, &mut tally).await?;
    }
    for range in &sources.events {
        add_events(asked, question, *range, &mut tally).await?;
    }
    Ok(KpiAnswer::new(question, tally, question.reported(&sources, extent), sources.source()))
}

async fn extent(asked: &Transaction<'_>) -> Answer<Option<Extent>> {
    let doing = "reading the range of what is stored";
    let sql = "SELECT f.minute, f.raw_gone, l.minute, l.raw_gone
               FROM (SELECT minute, raw_gone FROM minutes ORDER BY minute LIMIT 1) f,
                    (SELECT minute, raw_gone FROM minutes ORDER BY minute DESC LIMIT 1) l";
    let found = read::rows(asked, doing, sql, &[]).await?;
    let Some(minutes) = found.first() else { return Ok(None) };
    let (Stamp(first), Stamp(last)): (Stamp, Stamp) = (minutes.get(0), minutes.get(2));
    let begin = if minutes.get(1) { None } else { event(asked, "SELECT min(\"time\") FROM events").await? };
    let end = if minutes.get(3) { None } else { event(asked, "SELECT max(\"time\") FROM events").await? };
    Ok(Some((begin.unwrap_or(first), end.unwrap_or(last + MINUTE_US - 1))))
}

async fn event(asked: &Transaction<'_>, sql: &str) -> Answer<Option<i64>> {
    let found = read::rows(asked, "reading the range of what is stored", sql, &[]).await?;
    Ok(found.first().and_then(|row| row.get::<_, Option<Stamp>>(0)).map(|time| time.0))
}

/// Which minutes of some times have lost raw events to retention.
async fn raw_gone(asked: &Transaction<'_>, times: [i64; 2]) -> Answer<Vec<i64>> {
    let minutes = times.map(|time| Stamp(time - time.rem_euclid(MINUTE_US))).to_vec();
    let sql = "SELECT minute FROM minutes WHERE minute = ANY ($1) AND raw_gone";
    let found = read::rows(asked, "looking up minutes", sql, &[(&minutes, Type::TIMESTAMPTZ_ARRAY)]).await?;
    Ok(found.iter().map(|row| row.get::<_, Stamp>(0).0.div_euclid(MINUTE_US)).collect())
}

/// Start of the step that a time falls into, as SQL.
fn start(question: &KpiQuestion, time: &str) -> String {
    let bin = |step| format!("date_bin('{step} seconds', {time}, timestamptz '1970-01-01 00:00:00+00')");
    question.step.map_or("NULL::timestamptz".to_owned(), bin)
}

async fn add_rollups(
    asked: &Transaction<'_>,
    question: &KpiQuestion,
    minutes: (i64, i64),
    tally: &mut Tally,
) -> Answer<()> {
    let mut conditions = Conditions::default();
    let bound = |minute: i64| minute.saturating_mul(MINUTE_US);
    conditions.between("r.minute", bound(minutes.0), bound(minutes.1));
    conditions.dimensions("r.dimensions", &question.filter);
    if let Some(class) = question.filter.status_class {
        conditions.and(format!("r.status_class = {class}"));
    }
    if question.filter.errors_only {
        conditions.and("r.status_class >= 5".to_owned());
    }
    let (number, text) = match question.by {
        None | Some(Field::StatusCode) => ("NULL::bigint".to_owned(), "NULL::text".to_owned()),
        Some(Field::StatusClass) => ("r.status_class::bigint".to_owned(), "NULL::text".to_owned()),
        Some(field) => ("NULL::bigint".to_owned(), format!("d.{}", field.name())),
    };
    let sql = format!(
        "SELECT {}, {number}, {text}, sum(r.hits)::bigint, sum(r.errors)::bigint, sum(r.latency_count)::bigint,
         sum(r.latency_sum), min(r.latency_min), max(r.latency_max), sketch_merge(r.sketch)
         FROM rollups r JOIN dimensions d ON d.id = r.dimensions WHERE {} GROUP BY 1, 2, 3",
        start(question, "r.minute"),
        conditions.sql()
    );
    for row in read::rows(asked, "adding up rollups", &sql, &conditions.values()).await? {
        let mut sums = sums(&row);
        if let Some(cells) = row.get::<_, Option<Vec<i64>>>(9) {
            sketch::add(&mut sums.latency.sketch, &cells)?;
        }
        tally.row(key(&row)).merge(&sums);
    }
    Ok(())
}

async fn add_events(
    asked: &Transaction<'_>,
    question: &KpiQuestion,
    range: (i64, i64),
    tally: &mut Tally,
) -> Answer<()> {
    let mut conditions = Conditions::default();
    conditions.between("e.\"time\"", range.0, range.1);
    conditions.raw_event(&question.filter);
    let (number, text) = match question.by {
        None => ("NULL::bigint".to_owned(), "NULL::text".to_owned()),
        Some(Field::StatusCode) => ("e.status_code::bigint".to_owned(), "NULL::text".to_owned()),
        Some(Field::StatusClass) => ("(e.status_code / 100)::bigint".to_owned(), "NULL::text".to_owned()),
        Some(field) => ("NULL::bigint".to_owned(), format!("d.{}", field.name())),
    };
    // Added up by bucket of the sketch: few rows come back, however many events there are.
    let sql = format!(
        "SELECT {}, {number}, {text}, sum(e.weight)::bigint,
         coalesce(sum(e.weight) FILTER (WHERE e.status_code >= 500), 0)::bigint,
         coalesce(sum(e.weight) FILTER (WHERE e.latency_ms IS NOT NULL), 0)::bigint,
         coalesce(sum(e.latency_ms * e.weight), 0), min(e.latency_ms), max(e.latency_ms), {PLACE} AS place
         FROM events e JOIN dimensions d ON d.id = e.dimensions WHERE {} GROUP BY 1, 2, 3, place",
        start(question, "e.\"time\""),
        conditions.sql()
    );
    for row in read::rows(asked, "adding up events", &sql, &conditions.values()).await? {
        let mut sums = sums(&row);
        if let Some(place) = row.get::<_, Option<i32>>(9) {
            sketch::add_place(&mut sums.latency.sketch, place, sums.latency.count)?;
        }
        tally.row(key(&row)).merge(&sums);
    }
    Ok(())
}

/// The place of a latency in a sketch (`sql/v1_sketch.sql`); 46.16… is 32 / ln 2.
const PLACE: &str = "CASE WHEN e.latency_ms < 1e-6 THEN 0
                     ELSE 1024 + ceil(ln(least(e.latency_ms, 86400000)) * 46.16624130844683)::integer END";
const _: () = assert!(SHORTEST_MS == 1e-6 && LONGEST_MS == 86_400_000.0, "the bounds of PLACE");

fn key(row: &Row) -> RowKey {
    let start = row.get::<_, Option<Stamp>>(0).map(|start| start.0);
    let number = row.get::<_, Option<i64>>(1).map(FieldValue::Number);
    RowKey { start, value: number.or_else(|| row.get::<_, Option<String>>(2).map(FieldValue::Text)) }
}

fn sums(row: &Row) -> Sums {
    let count = |i| row.get::<_, i64>(i) as u64;
    let latency = LatencySums {
        count: count(5),
        sum: row.get(6),
        min: row.get::<_, Option<f64>>(7).unwrap_or(f64::INFINITY),
        max: row.get::<_, Option<f64>>(8).unwrap_or(f64::NEG_INFINITY),
        sketch: Sketch::new(),
    };
    Sums { hits: count(3), errors: count(4), latency }
}
