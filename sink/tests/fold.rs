//! The sink's decision by itself: records in, a batch out.

mod support;

use slipstream_log::{Batch, TopicPartition};
use slipstream_schemas::{LogTime, RequestEvent, Topic, codec};
use slipstream_sink::SinkError;
use slipstream_sink::fold::{Counted, Decided, Fold, MOST_EVENTS};
use slipstream_slo::redelivery::Memory;
use slipstream_store::conformance::made;
use support::{WINDOW_MS, event};

const EVENTS: TopicPartition = TopicPartition { topic: Topic::RequestEvents, partition: 3 };

fn of(topic: Topic) -> TopicPartition {
    TopicPartition { topic, partition: 0 }
}

/// Records at consecutive offsets, each with its log time.
fn records(partition: TopicPartition, first: i64, values: &[(i64, Option<Vec<u8>>)]) -> Batch {
    let mut batch = Batch::new(partition, first);
    for (i, (log_time, value)) in values.iter().enumerate() {
        batch.push(first + i as i64, LogTime(*log_time), None, value.as_deref(), []);
    }
    batch
}

fn encoded(event: &RequestEvent) -> Option<Vec<u8>> {
    Some(codec::encode(event))
}

fn reading_events() -> Fold {
    let mut fold = Fold::new(|_| None);
    fold.gain(EVENTS, None, 0, Some(Memory::new(WINDOW_MS)));
    fold
}

#[test]
fn copies_are_dropped_by_log_time_and_what_is_invalid_is_skipped() {
    let copy = |at| (at, encoded(&event(1)));
    let bad = RequestEvent { status_code: 7, ..event(2) };
    let values = [
        copy(0),
        (10, encoded(&event(3))),
        copy(1_999),
        (2_000, encoded(&bad)),
        (2_000, encoded(&event(2))),
        (2_001, Some(b"neither".to_vec())),
        (2_002, None),
        copy(5_000),
    ];
    let mut fold = reading_events();
    fold.take(&records(EVENTS, 0, &values)).unwrap();
    assert_eq!(fold.records(), 8);
    let Decided { batch, counted, .. } = fold.decide().unwrap();
    assert_eq!(counted, Counted { events: 4, duplicates: 1, invalid: 3, refused: 0, others: 0 });
    let rows: Vec<(u32, i64, LogTime, RequestEvent)> =
        batch.events.iter().map(|e| (e.partition(), e.offset(), e.log_time(), e.to_event())).collect();
    let expected = [
        (3, 0, LogTime(0), event(1)),
        (3, 1, LogTime(10), event(3)),
        (3, 4, LogTime(2_000), event(2)),
        (3, 7, LogTime(5_000), event(1)),
    ];
    assert_eq!(rows, expected);
    assert_eq!(batch.rollups, slipstream_store::rollup::fold(&batch.events));
    assert_eq!(batch.rollups.iter().map(|r| r.sums.hits).sum::<u64>(), 2 + 2 + 1 + 2);
}

#[test]
fn positions_chain_from_batch_to_batch_and_cover_what_was_skipped() {
    let mut fold = reading_events();
    assert!(fold.decide().is_none());
    fold.take(&records(EVENTS, 0, &[(5, None), (6, encoded(&event(1)))])).unwrap();
    fold.take(&records(EVENTS, 2, &[(7, encoded(&event(2)))])).unwrap();
    let moved = |fold: &mut Fold| {
        let Decided { batch, .. } = fold.decide().unwrap();
        batch.positions.iter().map(|m| (m.topic, m.partition, m.from, m.to, m.log_time)).collect::<Vec<_>>()
    };
    assert_eq!(moved(&mut fold), [(Topic::RequestEvents, 3, None, 3, LogTime(7))]);
    // Where the log has gaps the position still moves to where reading goes on.
    let mut gap = records(EVENTS, 10, &[(9, None)]);
    gap.next = 20;
    fold.take(&gap).unwrap();
    assert_eq!(moved(&mut fold), [(Topic::RequestEvents, 3, Some(3), 20, LogTime(9))]);
    assert!(fold.decide().is_none());
}

#[test]
fn a_partition_that_is_lost_is_ignored_but_what_it_gave_is_kept() {
    let mut fold = reading_events();
    fold.take(&records(EVENTS, 0, &[(5, encoded(&event(1)))])).unwrap();
    fold.lose(&[EVENTS]);
    fold.take(&records(EVENTS, 1, &[(5, encoded(&event(2)))])).unwrap();
    assert!(fold.touches(EVENTS) && fold.partitions().is_empty());
    assert_eq!(fold.decide().unwrap().batch.events.len(), 1);
    // After a reset nothing is left.
    let mut fold = reading_events();
    fold.take(&records(EVENTS, 0, &[(5, encoded(&event(1)))])).unwrap();
    assert_eq!(fold.reset(), [EVENTS]);
    assert!(fold.is_empty() && fold.partitions().is_empty());
}

#[test]
fn internal_records_become_rows_and_tombstones_nothing() {
    let rates = made::burn_rates("checkout", &["/pay"], 1, 100);
    let mut fold = Fold::new(|_| None);
    fold.gain(of(Topic::BurnRates), Some(4), 4, None);
    let values = [(1, Some(codec::encode(&rates))), (2, None)];
    fold.take(&records(of(Topic::BurnRates), 4, &values)).unwrap();
    let Decided { batch, counted, .. } = fold.decide().unwrap();
    assert_eq!((batch.burn_rates[0].offset, &batch.burn_rates[0].rates), (4, &rates));
    assert_eq!((counted.others, batch.positions[0].from, batch.positions[0].to), (1, Some(4), 6));
}

#[test]
fn an_internal_record_of_a_newer_version_stops_the_sink() {
    let mut fold = Fold::new(|_| None);
    fold.gain(of(Topic::Alerts), None, 0, None);
    let foreign = [&[0xC3, 0x01], [9u8; 8].as_slice(), &[0]].concat();
    let error = fold.take(&records(of(Topic::Alerts), 0, &[(1, Some(foreign))])).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("alerts/0 at offset 0") && text.contains("upgrade the readers first"), "{text}");
}

#[test]
fn l3_an_offset_delivered_twice_is_noticed() {
    let mut fold = reading_events();
    fold.take(&records(EVENTS, 0, &[(1, encoded(&event(1)))])).unwrap();
    let error = fold.take(&records(EVENTS, 0, &[(1, encoded(&event(1)))])).unwrap_err();
    assert!(matches!(error, SinkError::OutOfOrder { offset: 0, next: 1, .. }), "{error}");
}

#[test]
fn a_batch_says_when_it_is_full() {
    let mut fold = reading_events();
    let value = encoded(&event(1));
    let mut next = 0;
    while !fold.is_full() {
        assert!((next as usize) < MOST_EVENTS);
        let values: Vec<(i64, Option<Vec<u8>>)> = (0..10_000).map(|i| (5_000 * (next + i), value.clone())).collect();
        fold.take(&records(EVENTS, next, &values)).unwrap();
        next += 10_000;
    }
    assert_eq!(next as usize, MOST_EVENTS);
    fold.decide();
    assert!(!fold.is_full());
}

#[test]
fn a_rule_that_promises_nothing_is_no_slo_of_the_store() {
    let slo = made::burn_rates("checkout", &[], 0, 100);
    let rule = slipstream_schemas::records::BurnRates { objective: "rule".to_owned(), target: None, ..slo.clone() };
    let retired = slipstream_schemas::records::BurnRates { retired: true, ..rule.clone() };
    let partition = of(Topic::BurnRates);
    let mut fold = Fold::new(|_| None);
    fold.gain(partition, None, 0, None);
    let values: Vec<_> = [&slo, &rule, &retired].map(|rates| (0, Some(codec::encode(rates)))).into();
    fold.take(&records(partition, 0, &values)).unwrap();
    let Decided { batch, counted, .. } = fold.decide().unwrap();
    assert_eq!(counted.others, 3, "each is read");
    let stored: Vec<_> = batch.burn_rates.into_iter().map(|stored| (stored.offset, stored.rates)).collect();
    assert_eq!(stored, [(0, slo), (2, retired)]);
}
