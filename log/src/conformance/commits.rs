//! L2, L4, L5, L6: steps that succeed, fail, are in doubt, or come too late.

use std::collections::BTreeMap;

use slipstream_schemas::LogTime;
use tokio::time::Instant;

use super::{
    Copier, OUTPUT, PATIENCE, Subject, Time, Turn, assert_each_once, copy_the_rest, input, publish, read_all, read_when,
};
use crate::faults::CommitFault::{self, Aborted, InDoubtDone, InDoubtNot};
use crate::faults::CrashPoint;
use crate::port::{CommitError, Position, Share, StepFate, TopicPartition};
use crate::settle::settle;

pub async fn l2_outputs_and_positions_become_visible_together<S: Subject>() {
    let subject = S::open(1, Time::Runs).await;
    let log = subject.log();
    publish(&log, 1, 12).await;
    let mut member = Copier::join(&log, "g").await;
    let step = member.decide(5).await;
    assert_eq!(read_all(&log, OUTPUT).await.len(), 0);
    assert_eq!(member.consumer.committed(input(0)).await.expect("committed"), None);
    member.consumer.commit(&step).await.expect("committing");
    assert_eq!(read_when(&log, OUTPUT, 5).await.len(), 5);
    assert_eq!(member.consumer.committed(input(0)).await.expect("committed"), Some(step.positions[0].to));
}

pub async fn l2_an_aborted_commit_leaves_nothing<S: Subject>() {
    let mut subject = S::open(1, Time::Runs).await;
    publish(&subject.log(), 1, 12).await;
    if !subject.fail_commits("g", &[Aborted, InDoubtNot]) {
        return;
    }
    let mut member = Copier::join(&subject.log(), "g").await;
    let step = member.decide(12).await;
    let aborted = member.consumer.commit(&step).await.expect_err("the fault");
    assert!(matches!(aborted, CommitError::Aborted(_)), "{aborted}");
    let in_doubt = member.consumer.commit(&step).await.expect_err("the fault");
    assert!(matches!(in_doubt, CommitError::InDoubt(_)), "{in_doubt}");
    assert_eq!(member.consumer.committed(input(0)).await.expect("committed"), None);
    drop(member);
    subject.crash().await;
    assert_eq!(read_all(&subject.log(), OUTPUT).await.len(), 0);
}

pub async fn l6_settled_steps_are_in_the_log_once_whatever_fails<S: Subject>() {
    let stories: [&[CommitFault]; 7] = [
        &[],
        &[Aborted],
        &[InDoubtDone],
        &[InDoubtNot],
        &[Aborted, InDoubtNot, Aborted, InDoubtDone],
        &[InDoubtNot, InDoubtNot, InDoubtDone],
        &[InDoubtDone, Aborted, InDoubtDone],
    ];
    for faults in stories {
        let subject = S::open(2, Time::Runs).await;
        let log = subject.log();
        publish(&log, 2, 40).await;
        if !subject.fail_commits("g", faults) {
            return;
        }
        let mut member = Copier::join(&log, "g").await;
        member.settle_in(2).await;
        while read_all(&log, OUTPUT).await.len() < 40 {
            let turn = member.turn(7).await.expect("a turn");
            assert!(!matches!(turn, Turn::Lost(_) | Turn::Revoked(_)), "nobody else is there: {faults:?}, {turn:?}");
        }
        assert_each_once(&log, 2).await;
    }
}

/// Where the process dies, counted from the decided step.
#[derive(Debug, Clone, Copy)]
enum Stage {
    Decided,
    BeforeCommit,
    AfterCommit,
    InDoubt(CommitFault),
    Settled,
}

pub async fn l4_a_crash_at_every_stage_of_a_step_loses_and_doubles_nothing<S: Subject>() {
    use Stage::{AfterCommit, BeforeCommit, Decided, InDoubt, Settled};
    for stage in [Decided, BeforeCommit, AfterCommit, InDoubt(InDoubtDone), InDoubt(InDoubtNot), Settled] {
        let mut subject = S::open(2, Time::Runs).await;
        publish(&subject.log(), 2, 30).await;
        let mut member = Copier::join(&subject.log(), "g").await;
        member.settle_in(2).await;
        member.turn(3).await.expect("a turn");
        let step = member.decide(4).await;
        let possible = match stage {
            Decided => true,
            BeforeCommit => subject.crash_at(CrashPoint::BeforeCommit),
            AfterCommit => subject.crash_at(CrashPoint::AfterCommit),
            InDoubt(fault) => subject.fail_commits("g", &[fault]),
            Settled => settle(&mut *member.consumer, &step).await.is_ok(),
        };
        if !possible {
            continue;
        }
        if let BeforeCommit | AfterCommit | InDoubt(_) = stage {
            let error = member.consumer.commit(&step).await.expect_err("the crash");
            assert!(matches!(error, CommitError::InDoubt(_)), "{stage:?}: {error}");
        }
        subject.crash().await;
        member.consumer.commit(&step).await.expect_err("L5: the dead process commits nothing more");
        copy_the_rest(&subject.log(), "g", 2).await;
        assert_each_once(&subject.log(), 2).await;
    }
}

pub async fn l5_an_owner_lost_in_the_middle_of_a_step_commits_nothing<S: Subject>() {
    let subject = S::open(2, Time::Runs).await;
    let log = subject.log();
    publish(&log, 2, 20).await;
    let mut member = Copier::join(&log, "g").await;
    member.settle_in(2).await;
    let step = member.decide(4).await;
    let partition = step.positions[0].partition;
    let before = read_all(&log, OUTPUT).await.len();
    if !subject.expel("g").await {
        return;
    }
    let settled = settle(&mut *member.consumer, &step).await.expect("settling");
    assert_eq!(settled, StepFate::Lost { partitions: vec![partition], others_done: false });
    assert_eq!(read_all(&log, OUTPUT).await.len(), before);
    let Turn::Revoked(lost) = member.turn(1).await.expect("a turn") else { panic!("revoked comes first") };
    assert!(lost.contains(&partition), "{lost:?}");
    drop(member);
    copy_the_rest(&log, "g", 2).await;
    assert_each_once(&log, 2).await;
}

pub async fn l5_a_fenced_owner_commits_nothing<S: Subject>() {
    let subject = S::open(1, Time::Runs).await;
    let log = subject.log();
    publish(&log, 1, 20).await;
    let mut old = Copier::join(&log, "g").await;
    let step = old.decide(4).await;
    if !subject.expel("g").await {
        return;
    }
    let mut new = Copier::join(&log, "g").await;
    for _ in 0..2 {
        let refused = old.consumer.commit(&step).await.expect_err("the owner is fenced");
        assert!(matches!(&refused, CommitError::Lost(lost) if *lost == [input(0)]), "{refused}");
    }
    assert_eq!(read_all(&log, OUTPUT).await.len(), 0);
    drop(old);
    new.settle_in(1).await;
    drop(new);
    copy_the_rest(&log, "g", 1).await;
    assert_each_once(&log, 1).await;
}

pub async fn l5_a_fenced_owner_of_the_whole_commits_nothing<S: Subject>() {
    let subject = S::open(3, Time::Runs).await;
    let log = subject.log();
    publish(&log, 3, 30).await;
    let mut old = Copier::share(&log, "g", Share::Whole).await;
    let mut steps = BTreeMap::new();
    while steps.len() < 3 {
        let step = old.decide(4).await;
        steps.entry(step.positions[0].partition).or_insert(step);
    }
    if !subject.expel("g").await {
        return;
    }
    let mut new = Copier::share(&log, "g", Share::Whole).await;
    for (partition, step) in &steps {
        let refused = old.consumer.commit(step).await.expect_err("the owner is fenced");
        assert!(matches!(&refused, CommitError::Lost(lost) if lost == &[*partition]), "{refused}");
    }
    assert_eq!(read_all(&log, OUTPUT).await.len(), 0);
    drop(old);
    new.settle_in(3).await;
    let deadline = Instant::now() + PATIENCE;
    while read_all(&log, OUTPUT).await.len() < 30 {
        assert!(Instant::now() < deadline, "not everything is copied in time");
        new.turn(7).await.expect("a turn");
    }
    assert_each_once(&log, 3).await;
}

pub async fn l5_a_step_that_begins_elsewhere_is_refused<S: Subject>() {
    let subject = S::open(2, Time::Runs).await;
    let log = subject.log();
    publish(&log, 2, 20).await;
    let mut member = Copier::join(&log, "g").await;
    member.settle_in(2).await;
    member.turn(3).await.expect("a turn");
    let good = member.decide(3).await;
    settle(&mut *member.consumer, &good).await.expect("settling");
    let twice = member.consumer.commit(&good).await.expect_err("its positions have moved");
    assert!(matches!(&twice, CommitError::Lost(lost) if *lost == [good.positions[0].partition]), "{twice}");
    let mut idle = member.decide(3).await;
    idle.positions[0].to = idle.positions[0].from;
    let refused = member.consumer.commit(&idle).await.expect_err("a step that moves nothing cannot be told in doubt");
    assert!(matches!(refused, CommitError::Fatal(_)), "{refused}");
    let foreign = TopicPartition { partition: 7, ..input(0) };
    let to = Position { offset: 1, log_time: LogTime(1) };
    idle.positions[0] = crate::port::Advance { partition: foreign, from: Position::default(), to };
    let refused = member.consumer.commit(&idle).await.expect_err("a partition that is not ours");
    assert!(matches!(&refused, CommitError::Lost(lost) if *lost == [foreign]), "{refused}");
    drop(member);
    copy_the_rest(&log, "g", 2).await;
    assert_each_once(&log, 2).await;
}
