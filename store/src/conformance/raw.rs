//! Promises about raw events by log time: windows divide them without gap or repeat, and what is missing is said.

use std::collections::BTreeMap;
use std::sync::Arc;

use slipstream_schemas::{EventTime, LogTime, RequestEvent, Topic};

use super::Fixture;
use super::made::{self, BEGIN, Dice};
use crate::events::Events;
use crate::filter::EventFilter;
use crate::kpis::KpiQuestion;
use crate::page::EventQuestion;
use crate::port::{PositionMove, RawBounds, RawWindow, SharedStore, WriteBatch};
use crate::rollup;

/// Every promise of this file.
pub async fn all(fixture: &dyn Fixture) {
    an_empty_store_has_none(fixture).await;
    windows_divide_the_events(fixture).await;
    pages_go_on_where_they_stopped(fixture).await;
    bounds_by_offset_are_exact(fixture).await;
    what_retention_removed_is_said(fixture).await;
    a_recreated_topic_is_another_one(fixture).await;
}

const DAY_MS: i64 = 86_400_000;
/// Log time at which the events of the suite begin.
const LOG_BEGIN: i64 = BEGIN / 1_000;

/// An event with its place: partition and offset, then log time.
type Placed = ((u32, i64), LogTime, RequestEvent);

/// Events of three partitions: in log time, far behind it (late) and ahead of it (a fast clock), several at a time.
fn placed(seed: u64, n: usize) -> Vec<Placed> {
    let mut dice = Dice(seed);
    let mut next = [(0i64, LOG_BEGIN); 3];
    let placed = |event: RequestEvent| {
        let partition = dice.below(3) as usize;
        let (offset, log) = &mut next[partition];
        // Some offsets were rightly skipped; some records share a log time.
        *offset += 1 + i64::from(dice.below(5) == 0);
        *log += dice.one_of(&[0, 0, 1, 7, 1_000, 90_000]);
        let behind = dice.one_of(&[0, 0, 0, 40_000, 6 * DAY_MS, -30_000]);
        // Few times, so that several events of a partition have the same.
        let time = EventTime((*log - behind) / 1_000 * 1_000_000);
        ((partition as u32, *offset), LogTime(*log), RequestEvent { time, ..event })
    };
    made::events(&mut Dice(seed + 1), n).into_iter().map(placed).collect()
}

/// Writes them in some batches, into an empty store.
async fn write(store: &SharedStore, placed: &[Placed]) {
    let mut at = BTreeMap::new();
    for some in placed.chunks(placed.len().div_ceil(4)) {
        append(store, some, &mut at).await;
    }
}

/// Writes a batch behind what is there: `at` is the next offset of each partition.
async fn append(store: &SharedStore, placed: &[Placed], at: &mut BTreeMap<u32, i64>) {
    let mut events = Events::new();
    let mut moves: BTreeMap<u32, PositionMove> = BTreeMap::new();
    for ((partition, offset), log_time, event) in placed {
        events.push(*partition, *offset, *log_time, &made::view(event));
        let (topic, from) = (Topic::RequestEvents, at.get(partition).copied());
        let moved = PositionMove { topic, partition: *partition, from, to: offset + 1, log_time: *log_time };
        moves.insert(*partition, moved);
    }
    at.extend(moves.values().map(|m| (m.partition, m.to)));
    let (rollups, positions) = (rollup::fold(&events), moves.into_values().collect());
    let batch = WriteBatch { events, rollups, positions, ..WriteBatch::default() };
    store.write(Arc::new(batch)).await.expect("written");
}

/// All pages of a window, sorted by place.
async fn read(store: &SharedStore, window: &RawWindow, limit: usize) -> Vec<Placed> {
    let (mut found, mut after) = (Vec::new(), None);
    for _ in 0..100_000 {
        let page = store.raw_events(window, limit, after).await.expect("a page");
        assert!(page.events.len() <= limit, "{} events for {limit}", page.events.len());
        found.extend(page.events.iter().map(|e| ((e.partition(), e.offset()), e.log_time(), e.to_event())));
        after = page.next;
        if after.is_none() {
            found.sort_by_key(|(place, ..)| *place);
            return found;
        }
    }
    panic!("pages do not come to an end");
}

fn window(from: i64, to: i64) -> RawWindow {
    RawWindow::new(0, LogTime(from), LogTime(to))
}

fn everything() -> RawWindow {
    window(i64::MIN, i64::MAX)
}

/// Those that are wanted, sorted by place.
fn only(placed: &[Placed], wanted: impl Fn(&Placed) -> bool) -> Vec<Placed> {
    let mut only: Vec<Placed> = placed.iter().filter(|placed| wanted(placed)).cloned().collect();
    only.sort_by_key(|(place, ..)| *place);
    only
}

async fn an_empty_store_has_none(fixture: &dyn Fixture) {
    let store = fixture.empty().await;
    assert!(store.raw_bounds().await.expect("bounds").is_empty());
    assert!(read(&store, &everything(), 10).await.is_empty());
}

async fn windows_divide_the_events(fixture: &dyn Fixture) {
    let store = fixture.empty().await;
    let placed = placed(1, 1_500);
    write(&store, &placed).await;
    assert_eq!(read(&store, &everything(), 50_000).await, only(&placed, |_| true));
    let end = placed.iter().map(|(_, log, _)| log.0).max().unwrap_or_default() + 1;
    for length in [DAY_MS, 3_600_000, 777_777] {
        let mut from = LOG_BEGIN;
        while from < end {
            let inside = |log: LogTime| (from..from + length).contains(&log.0);
            let expected = only(&placed, |(_, log, _)| inside(*log));
            assert_eq!(read(&store, &window(from, from + length), 400).await, expected, "{from} {length}");
            from += length;
        }
    }
    let at = placed[700].1.0;
    assert_eq!(read(&store, &window(at, at + 1), 400).await, only(&placed, |(_, log, _)| log.0 == at));
    for (from, to) in [(at, at), (at + 1, at), (i64::MIN, LOG_BEGIN), (end, i64::MAX)] {
        assert!(read(&store, &window(from, to), 400).await.is_empty(), "{from} {to}");
    }
}

async fn pages_go_on_where_they_stopped(fixture: &dyn Fixture) {
    let store = fixture.empty().await;
    let mut placed = placed(2, 300);
    // A hundred events that have everything but the offset in common, as a log that was imported at once has them.
    let log_time = LogTime(placed.iter().map(|p| p.1.0).max().unwrap_or_default());
    let (_, _, same) = placed[0].clone();
    placed.extend((1_000..1_100).map(|offset| ((0, offset), log_time, same.clone())));
    write(&store, &placed).await;
    for limit in [1, 7, 399, 400, 401] {
        assert_eq!(read(&store, &everything(), limit).await, only(&placed, |_| true), "{limit}");
    }
    assert_eq!(read(&fixture.reopened().await, &everything(), 13).await, only(&placed, |_| true));
}

async fn bounds_by_offset_are_exact(fixture: &dyn Fixture) {
    let store = fixture.empty().await;
    let placed = placed(3, 600);
    write(&store, &placed[..400]).await;
    let bounds = store.raw_bounds().await.expect("bounds");
    let of = |partition| placed[..400].iter().rfind(move |((p, _), ..)| *p == partition);
    let expected = (0..3).filter_map(of).map(|((partition, offset), log_time, _)| RawBounds {
        epoch: 0,
        partition: *partition,
        offset: offset + 1,
        log_time: *log_time,
        kept_from: None,
    });
    let mut expected: Vec<RawBounds> = expected.collect();
    expected.sort_by_key(|bounds| bounds.partition);
    assert_eq!(bounds, expected);
    let mut below: BTreeMap<u32, i64> = bounds.iter().map(|b| (b.partition, b.offset)).collect();
    append(&store, &placed[400..], &mut below.clone()).await;
    let all = RawWindow { below: Some(below.clone()), ..everything() };
    assert_eq!(read(&store, &all, 100).await, only(&placed[..400], |_| true), "what came since is left out");
    below.remove(&1);
    below.insert(2, 40);
    let some = RawWindow { below: Some(below.clone()), ..everything() };
    let inside = |((partition, offset), ..): &Placed| below.get(partition).is_some_and(|end| offset < end);
    assert_eq!(read(&store, &some, 7).await, only(&placed, inside));
    let none = RawWindow { below: Some(BTreeMap::new()), ..everything() };
    assert!(read(&store, &none, 7).await.is_empty());
}

async fn what_retention_removed_is_said(fixture: &dyn Fixture) {
    let store = fixture.empty().await;
    // One of every hour of 20 days; late ones among them share minutes with some that are much older.
    let mut placed: Vec<Placed> = Vec::new();
    for (hour, event) in (0..).zip(made::events(&mut Dice(9), 480)) {
        let log = hour * 3_600_000;
        let late = if hour % 7 == 0 { hour / 2 * 3_600_000 } else { 0 };
        placed.push(((0, hour), LogTime(log), RequestEvent { time: EventTime((log - late) * 1_000), ..event }));
    }
    write(&store, &placed).await;
    assert_eq!(store.trim(LogTime(30 * DAY_MS)).await.expect("trimmed"), 0);
    assert_eq!(kept_from(&store).await, None, "nothing is too old yet");
    let mut before = 0;
    for now in [37 * DAY_MS + 5_000_000, 44 * DAY_MS, 44 * DAY_MS, 50 * DAY_MS] {
        while store.trim(LogTime(now)).await.expect("trimmed") > 0 {
            complete_from(&store, &placed).await;
        }
        let kept = complete_from(&store, &placed).await;
        assert!(before <= kept && kept <= now - 35 * DAY_MS, "{before} {kept} {now}");
        assert!(kept > now - 37 * DAY_MS, "no more is given up than a day and what was not written: {kept} {now}");
        what_is_left_is_not_told_as_all(&store, LogTime(kept)).await;
        before = kept;
    }
    assert_eq!(kept_from(&fixture.reopened().await).await, Some(LogTime(before)));
}

/// Where single events are asked for, and where the answer must never change.
async fn what_is_left_is_not_told_as_all(store: &SharedStore, kept: LogTime) {
    let from = |from, logged_by| EventFilter { from, logged_by, ..EventFilter::default() };
    let begin = Some(EventTime(0));
    for (filter, refused) in [
        (from(begin, None), true),
        (from(None, Some(kept)), true),
        (from(begin, Some(kept)), true),
        (from(None, None), false),
        (from(Some(EventTime(19 * DAY_MS * 1_000)), None), false),
    ] {
        let page = store.events(&EventQuestion::oldest(filter.clone(), 10, None)).await;
        let said = page.as_ref().map_err(ToString::to_string).err().unwrap_or_default();
        assert_eq!(page.is_err(), refused, "{filter:?}: {said}");
        assert!(!refused || said.contains("removed by retention"), "{said}");
        if filter.logged_by.is_some() {
            let question = KpiQuestion { filter, ..KpiQuestion::default() };
            assert!(store.kpis(&question).await.is_err(), "{question:?}");
        }
    }
}

async fn kept_from(store: &SharedStore) -> Option<LogTime> {
    let bounds = store.raw_bounds().await.expect("bounds");
    assert!(bounds.iter().all(|b| b.kept_from == bounds[0].kept_from));
    bounds[0].kept_from
}

/// From when the store says that it has everything, which it then has.
async fn complete_from(store: &SharedStore, placed: &[Placed]) -> i64 {
    let from = kept_from(store).await.map_or(i64::MIN, |from| from.0);
    let expected = only(placed, |(_, log, _)| log.0 >= from);
    assert_eq!(read(store, &window(from, i64::MAX), 1_000).await, expected, "from {from} on");
    from
}

async fn a_recreated_topic_is_another_one(fixture: &dyn Fixture) {
    let store = fixture.empty().await;
    let topics: Vec<Vec<Placed>> = (4..7).map(|seed| placed(seed, 100)).collect();
    for (epoch, (id, placed)) in (0..).zip(["first", "second", "third"].into_iter().zip(&topics)) {
        store.claim_topic(Topic::RequestEvents, id).await.expect("claimed");
        assert!(store.raw_bounds().await.expect("bounds").is_empty(), "no position, no bounds");
        write(&store, placed).await;
        let bounds = store.raw_bounds().await.expect("bounds");
        assert!(bounds.len() == 3 && bounds.iter().all(|b| (b.epoch, b.kept_from) == (epoch, None)), "{bounds:?}");
    }
    for (epoch, placed) in (0..).zip(&topics) {
        let window = RawWindow { epoch, ..everything() };
        assert_eq!(read(&store, &window, 30).await, only(placed, |_| true), "{epoch}");
    }
    assert!(read(&store, &RawWindow { epoch: 3, ..everything() }, 30).await.is_empty());
}
