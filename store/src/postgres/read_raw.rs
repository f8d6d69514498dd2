//! Raw events by log time. Tables have a day of it each, and a summary of it for every few pages (BRIN): a short piece of log
//! time is found quickly but comes unsorted. So a window is read in pieces that have about as many events as a page.

use std::collections::BTreeMap;

use futures::{TryStreamExt, pin_mut};
use slipstream_schemas::{EventTime, LogTime, Topic};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Row, Transaction};

use super::conditions::Uuid;
use super::error;
use super::stamp::{self, Day, Stamp};
use crate::events::Stored;
use crate::port::{RawBounds, RawCursor, RawPage, RawWindow, StoreError};
use crate::raw::PAGE_EVENTS;

type Answer<T> = Result<T, StoreError>;

/// What is being done here.
pub const BOUNDS: &str = "reading which raw events there are";
/// And here.
pub const EVENTS: &str = "reading raw events";

/// The first piece of a window, milliseconds; the next ones follow from what was found.
const FIRST_STEP: i64 = 1_000;
const LONGEST_STEP: i64 = 86_400_000;

pub async fn bounds(asked: &Transaction<'_>) -> Answer<Vec<RawBounds>> {
    let sql = "SELECT coalesce(t.epoch, 0), p.partition, p.next_offset, p.log_time, greatest(t.raw_from, k.raw_from)
               FROM positions p LEFT JOIN kept k ON true
               LEFT JOIN (SELECT epoch, raw_from FROM topics WHERE topic = $1 ORDER BY epoch DESC LIMIT 1) t ON true
               WHERE p.topic = $1 ORDER BY p.partition";
    let name = Topic::RequestEvents.name();
    let rows = asked.query_typed(sql, &[(&name, Type::TEXT)]).await.map_err(error::at(BOUNDS))?;
    Ok(rows.iter().map(bound).collect())
}

fn bound(row: &Row) -> RawBounds {
    RawBounds {
        epoch: row.get::<_, i32>(0) as u32,
        partition: row.get::<_, i32>(1) as u32,
        offset: row.get(2),
        log_time: log_time(row.get(3)),
        kept_from: row.get::<_, Option<Stamp>>(4).map(log_time),
    }
}

fn log_time(stamp: Stamp) -> LogTime {
    LogTime(stamp.0.div_euclid(1_000))
}

pub async fn events(
    asked: &Transaction<'_>,
    window: RawWindow,
    limit: usize,
    after: Option<RawCursor>,
) -> Answer<RawPage> {
    let (limit, bounds) = (limit.clamp(1, PAGE_EVENTS), window.below.as_ref().map(offsets));
    let mut page = RawPage::default();
    let mut next = after.or(behind_gap(asked, before_all(window.from.0, FIRST_STEP)).await?);
    while let Some(behind) = next.filter(|next| next.time < window.to.0) {
        let end = behind.time.saturating_add(behind.step).min(window.to.0);
        let piece = Piece { epoch: window.epoch as i32, behind, end, bounds: bounds.as_deref() };
        let before = page.events.len();
        if let Some(last) = piece.read(asked, &mut page, limit).await? {
            page.next = Some(RawCursor { step: (behind.step / 4).max(1), ..last });
            return Ok(page);
        }
        let found = page.events.len() - before;
        let sparse = found.saturating_mul(4) <= limit;
        let place = before_all(end, if sparse { (behind.step * 2).min(LONGEST_STEP) } else { behind.step });
        next = if found == 0 { behind_gap(asked, place).await? } else { Some(place) };
        if page.is_full(limit.div_ceil(2)) {
            page.next = next.filter(|next| next.time < window.to.0);
            return Ok(page);
        }
    }
    Ok(page)
}

/// The same place, or the begin of the next day that has events; `None` if none has.
async fn behind_gap(asked: &Transaction<'_>, place: RawCursor) -> Answer<Option<RawCursor>> {
    let sql = "SELECT min(day) - date '1970-01-01' FROM days WHERE day >= date '1970-01-01' + $1";
    let day = stamp::day(LogTime(place.time)).0;
    let row = asked.query_typed_one(sql, &[(&day, Type::INT4)]).await.map_err(error::asking(EVENTS))?;
    let begin = row.get::<_, Option<i32>>(0).map(|day| log_time(Day(day).begin()).0);
    Ok(begin.map(|begin| if begin > place.time { before_all(begin, place.step) } else { place }))
}

/// The place before every event of a log time.
fn before_all(time: i64, step: i64) -> RawCursor {
    RawCursor { time, partition: -1, offset: -1, step }
}

/// The least offset that is not wanted, by partition.
fn offsets(below: &BTreeMap<u32, i64>) -> Vec<i64> {
    let partitions = below.last_key_value().map_or(0, |(last, _)| *last as usize + 1);
    let mut offsets = vec![0; partitions];
    for (partition, offset) in below {
        offsets[*partition as usize] = *offset;
    }
    offsets
}

/// A piece of log time: behind a place, and before an end.
struct Piece<'a> {
    epoch: i32,
    behind: RawCursor,
    end: i64,
    /// By partition; a partition beyond has nothing that is wanted.
    bounds: Option<&'a [i64]>,
}

const PIECE: &str = include_str!("raw_events.sql");

impl Piece<'_> {
    /// Adds its events to a page. Returns the place of the last one if the page is full before the piece is read.
    async fn read(&self, asked: &Transaction<'_>, page: &mut RawPage, limit: usize) -> Answer<Option<RawCursor>> {
        let (from, to) = (Stamp::millis(self.behind.time), Stamp::millis(self.end));
        let partition = i32::try_from(self.behind.partition).unwrap_or(i32::MAX);
        // One more than the page takes, to see whether it has them all.
        let room = limit.saturating_sub(page.events.len()) as i64 + 1;
        let values: [(&(dyn ToSql + Sync), Type); 7] = [
            (&from, Type::TIMESTAMPTZ),
            (&to, Type::TIMESTAMPTZ),
            (&partition, Type::INT4),
            (&self.behind.offset, Type::INT8),
            (&self.epoch, Type::INT4),
            (&self.bounds, Type::INT8_ARRAY),
            (&room, Type::INT8),
        ];
        let rows = asked.query_typed_raw(PIECE, values).await.map_err(error::asking(EVENTS))?;
        pin_mut!(rows);
        let mut last = None;
        while let Some(row) = rows.try_next().await.map_err(error::asking(EVENTS))? {
            if page.is_full(limit) {
                return Ok(last);
            }
            last = Some(add(page, &row));
        }
        Ok(None)
    }
}

/// Adds an event, and returns its place.
fn add(page: &mut RawPage, row: &Row) -> RawCursor {
    let (partition, offset): (i32, i64) = (row.get(0), row.get(1));
    let log_time = log_time(row.get(2));
    let Stamp(time) = row.get(3);
    let dimensions = page.events.dimensions_of(row.get(4), row.get(5), row.get(6), row.get(7));
    page.events.push_stored(&Stored {
        partition: partition as u32,
        offset,
        log_time,
        time: EventTime(time),
        dimensions,
        status_code: row.get::<_, i16>(8) as u16,
        latency_ms: row.get(9),
        weight: row.get::<_, i32>(10) as u32,
        event_id: row.get(11),
        trace_id: row.get::<_, Option<Uuid>>(12).map(|Uuid(bytes)| bytes),
        user_ref: row.get(13),
        attributes: row.get(14),
    });
    RawCursor { time: log_time.0, partition: partition.into(), offset, step: 0 }
}
