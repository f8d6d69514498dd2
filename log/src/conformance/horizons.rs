//! L7: what a horizon promises, and that nothing undercuts it.

use std::time::Duration;

use slipstream_schemas::{LogTime, Topic};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{Copier, PATIENCE, Subject, Time, input, publish, read_all, record};
use crate::port::{Advance, Horizon, Position, Step, TopicPartition};
use crate::settle::settle;

pub async fn l7_no_record_undercuts_a_horizon_under_concurrent_publishers<S: Subject>() {
    let subject = S::open(2, Time::Runs).await;
    let log = subject.log();
    let mut observer = Copier::join(&log, "observer").await;
    observer.settle_in(2).await;
    let mut publishers = JoinSet::new();
    for p in 0..4u32 {
        let log = log.clone();
        publishers.spawn(async move {
            for i in 0..60 {
                log.publish(vec![record(input(p % 2), format!("{p}.{i}"))]).await.expect("publishing");
            }
        });
    }
    let mut told: Vec<(u32, Horizon)> = Vec::new();
    while !publishers.is_empty() {
        for partition in 0..2 {
            let horizon = observer.consumer.horizon(input(partition)).await.expect("a horizon");
            told.extend(horizon.map(|h| (partition, h)));
        }
        if let Some(done) = publishers.try_join_next() {
            done.expect("a publisher");
        }
        tokio::task::yield_now().await;
    }
    assert!(!told.is_empty());
    for partition in 0..2 {
        let all = read_all(&log, input(partition)).await;
        assert_eq!(all.len(), 120);
        for (_, horizon) in told.iter().filter(|t| t.0 == partition) {
            let later = all.iter().filter(|r| r.0 >= horizon.end).map(|r| r.1).min();
            assert!(later.is_none_or(|t| t >= horizon.time), "{horizon:?} is undercut by {later:?}");
        }
        let times = told.iter().filter(|t| t.0 == partition).map(|t| t.1.time);
        assert!(times.clone().zip(times.skip(1)).all(|(a, b)| a <= b), "a horizon went back");
    }
}

pub async fn l7_a_horizon_moves_on_while_nothing_comes<S: Subject>() {
    let subject = S::open(1, Time::Runs).await;
    let log = subject.log();
    publish(&log, 1, 1).await;
    let mut member = Copier::join(&log, "g").await;
    member.settle_in(1).await;
    let deadline = Instant::now() + PATIENCE;
    let mut first = None;
    loop {
        assert!(Instant::now() < deadline, "the horizon stands still at {first:?}");
        let now = member.consumer.horizon(input(0)).await.expect("a horizon");
        let began = first.or(now);
        if let (Some(began), Some(now)) = (began, now)
            && now.time > began.time
        {
            assert_eq!((began.end, now.end), (1, 1));
            return;
        }
        first = began;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

pub async fn l7_a_committed_horizon_holds_after_reopening_with_the_clock_set_back<S: Subject>() {
    let mut subject = S::open(2, Time::Stands).await;
    publish(&subject.log(), 1, 3).await;
    let mut member = Copier::join(&subject.log(), "g").await;
    member.settle_in(2).await;
    while member.at[&input(0)].offset < 3 {
        member.turn(10).await.expect("a turn");
    }
    let Some(clock) = subject.clock().cloned() else { return };
    clock.advance(5_000);
    let horizon = member.consumer.horizon(input(0)).await.expect("a horizon").expect("known");
    let from = member.at[&input(0)];
    assert!(horizon.time > from.log_time && horizon.end == from.offset);
    let to = Position { offset: horizon.end, log_time: horizon.time };
    let stamp = Step { outputs: Vec::new(), positions: vec![Advance { partition: input(0), from, to }] };
    settle(&mut *member.consumer, &stamp).await.expect("settling");
    drop(member);
    clock.advance(-3_600_000);
    subject.crash().await;
    let log = subject.log();
    let appended = log.publish(vec![record(input(0), "late")]).await.expect("publishing");
    assert!(appended[0].log_time >= horizon.time, "{:?} undercuts {horizon:?}", appended[0]);
    let mut member = Copier::join(&log, "g").await;
    member.settle_in(2).await;
    let again = member.consumer.horizon(input(1)).await.expect("a horizon").expect("known");
    assert!(again.time >= horizon.time, "{again:?} lies before {horizon:?}");
}

pub async fn l7_a_horizon_told_holds_when_the_clock_is_set_back<S: Subject>() {
    let subject = S::open(1, Time::Stands).await;
    let log = subject.log();
    let Some(clock) = subject.clock() else { return };
    let mut member = Copier::join(&log, "g").await;
    member.settle_in(1).await;
    clock.advance(5_000);
    let told = member.consumer.horizon(input(0)).await.expect("a horizon").expect("known");
    clock.advance(-3_600_000);
    let appended = log.publish(vec![record(input(0), "late")]).await.expect("publishing");
    assert!(appended[0].log_time >= told.time, "{:?} undercuts {told:?}", appended[0]);
}

pub async fn l7_log_times_rise_with_every_write_over_all_topics<S: Subject>() {
    let subject = S::open(1, Time::Stands).await;
    let log = subject.log();
    let places = [input(0), TopicPartition { topic: Topic::SloDefinitions, partition: 0 }];
    let mut last = LogTime(0);
    for i in 0..20 {
        let place = places[i % 2];
        let appended = log.publish(vec![record(place, "x"), record(place, "y")]).await.expect("publishing");
        assert!(appended[0].log_time <= appended[1].log_time);
        if log.total_order() {
            assert_eq!(appended[0].log_time, appended[1].log_time, "one write has one log time");
            assert!(appended[0].log_time > last, "{:?} after {last:?}", appended[0]);
        }
        last = appended[0].log_time;
    }
}
