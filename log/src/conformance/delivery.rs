//! L3 and L4: which member gets what, and how it is handed over.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    Copier, OUTPUT, PATIENCE, Subject, Time, Turn, all_copied, assert_each_once, copy_the_rest, input, publish,
    read_all, text,
};
use crate::port::{Fetch, Polled, Share};

pub async fn l3_each_offset_once_in_order_over_rebalances<S: Subject>() {
    let subject = S::open(5, Time::Runs).await;
    let log = subject.log();
    let mut members: Vec<Copier> = Vec::new();
    for round in 0..24 {
        publish(&log, 5, 23).await;
        match round % 6 {
            0 | 1 | 3 => members.push(Copier::join(&log, "copiers").await),
            4 => drop(members.remove(0)),
            5 if subject.expel("copiers").await => {}
            _ => {}
        }
        for _ in 0..4 {
            for member in &mut members {
                member.turn(1 + round % 9).await.expect("a turn");
            }
        }
    }
    let deadline = Instant::now() + PATIENCE;
    let owned = |members: &[Copier]| {
        let mut owned: Vec<u32> = members.iter().flat_map(|m| m.at.keys().map(|p| p.partition)).collect();
        owned.sort_unstable();
        owned
    };
    // What is copied may still be on its way to its last owner.
    while owned(&members).len() < 5 || !all_copied(&log, 5).await {
        assert!(Instant::now() < deadline, "not everything is copied and owned in time: {:?}", owned(&members));
        for member in &mut members {
            member.turn(50).await.expect("a turn");
        }
    }
    assert_eq!(owned(&members), [0, 1, 2, 3, 4], "each partition has one owner");
    assert_each_once(&log, 5).await;
}

pub async fn l3_a_partition_that_stays_keeps_flowing<S: Subject>() {
    let subject = S::open(2, Time::Runs).await;
    let log = subject.log();
    let mut first = Copier::join(&log, "g").await;
    first.settle_in(2).await;
    let mut second = Copier::join(&log, "g").await;
    let deadline = Instant::now() + PATIENCE;
    let mut revoked = Vec::new();
    while second.at.is_empty() || first.at.len() != 1 {
        assert!(Instant::now() < deadline, "the members do not share in time");
        publish(&log, 2, 4).await;
        if let Turn::Revoked(lost) = first.turn(1).await.expect("a turn") {
            revoked.extend(lost);
        }
        second.turn(1).await.expect("a turn");
    }
    assert_eq!(revoked.len(), 1, "only what moves is revoked");
    assert!(!first.at.contains_key(&revoked[0]) && second.at.contains_key(&revoked[0]));
    drop((first, second));
    copy_the_rest(&log, "g", 2).await;
    assert_each_once(&log, 2).await;
}

pub async fn l3_the_whole_is_with_one_member_each_offset_once_in_order<S: Subject>() {
    let subject = S::open(5, Time::Runs).await;
    let log = subject.log();
    let mut members: Vec<Copier> = Vec::new();
    for round in 0..24 {
        publish(&log, 5, 23).await;
        match round % 6 {
            0 | 1 | 3 => members.push(Copier::share(&log, "whole", Share::Whole).await),
            // Whoever speaks, or the one who waits last.
            4 => drop(members.remove(round % members.len())),
            5 if subject.expel("whole").await => {}
            _ => {}
        }
        for _ in 0..4 {
            for member in &mut members {
                member.turn(1 + round % 9).await.expect("a turn");
            }
        }
    }
    let deadline = Instant::now() + PATIENCE;
    let owned = |members: &[Copier]| {
        let mut owned: Vec<usize> = members.iter().map(|m| m.at.len()).collect();
        owned.sort_unstable_by(|a, b| b.cmp(a));
        owned
    };
    while owned(&members)[0] < 5 || !all_copied(&log, 5).await {
        assert!(Instant::now() < deadline, "not everything is copied and owned in time: {:?}", owned(&members));
        for member in &mut members {
            member.turn(50).await.expect("a turn");
        }
    }
    assert!(members.len() > 2);
    assert_eq!(owned(&members).iter().sum::<usize>(), 5, "one has all, the others none: {:?}", owned(&members));
    assert_each_once(&log, 5).await;
}

pub async fn l3_pause_and_seek_touch_only_their_partition<S: Subject>() {
    let subject = S::open(2, Time::Runs).await;
    let log = subject.log();
    publish(&log, 2, 20).await;
    let mut member = Copier::join(&log, "g").await;
    let mut assigned = 0;
    while assigned < 2 {
        let Polled::Assigned(gained) = member.consumer.poll(Fetch::default(), PATIENCE).await.expect("a poll") else {
            panic!("records before every partition was assigned");
        };
        assigned += gained.len();
        member.consumer.pause(&gained.iter().map(|(p, _)| *p).collect::<Vec<_>>());
    }
    let idle = member.consumer.poll(Fetch::default(), Duration::from_millis(50)).await.expect("a poll");
    assert!(matches!(idle, Polled::Nothing), "paused partitions are silent: {idle:?}");
    member.consumer.resume(&[input(1)]);
    let next = |polled| match polled {
        Polled::Records(batch) => (batch.partition, batch.iter().map(|r| text(r.value())).collect::<Vec<_>>()),
        other => panic!("no records but {other:?}"),
    };
    let three = Fetch { records: 3, ..Fetch::default() };
    let (partition, values) = next(member.consumer.poll(three, PATIENCE).await.expect("a poll"));
    assert_eq!((partition, values), (input(1), ["v1", "v3", "v5"].map(str::to_owned).to_vec()));
    member.consumer.seek(input(1), 1).await.expect("seeking");
    let (partition, values) = next(member.consumer.poll(three, PATIENCE).await.expect("a poll"));
    assert_eq!((partition, values), (input(1), ["v3", "v5", "v7"].map(str::to_owned).to_vec()));
    member.consumer.pause(&[input(1)]);
    member.consumer.resume(&[input(0)]);
    let (partition, values) = next(member.consumer.poll(three, PATIENCE).await.expect("a poll"));
    assert_eq!((partition, values), (input(0), ["v0", "v2", "v4"].map(str::to_owned).to_vec()));
}

pub async fn l4_a_member_that_leaves_hands_on_at_the_committed_position<S: Subject>() {
    let subject = S::open(1, Time::Runs).await;
    let log = subject.log();
    publish(&log, 1, 30).await;
    let mut first = Copier::join(&log, "g").await;
    first.settle_in(1).await;
    let deadline = Instant::now() + PATIENCE;
    let mut copied = 0;
    while copied < 10 {
        assert!(Instant::now() < deadline, "ten records are not copied in time");
        if let Turn::Copied(n) = first.turn(10 - copied).await.expect("a turn") {
            copied += n;
        }
    }
    let undone = first.decide(10).await;
    assert!(!undone.outputs.is_empty());
    let left_at = first.at[&input(0)];
    drop(first);
    let mut second = Copier::join(&log, "g").await;
    second.settle_in(1).await;
    assert_eq!(second.at[&input(0)], left_at, "what was read but not committed is not counted");
    drop(second);
    copy_the_rest(&log, "g", 1).await;
    assert_each_once(&log, 1).await;
    assert_eq!(read_all(&log, OUTPUT).await.len(), 30);
}
