//! One suite for L1 to L7 that every adapter passes. An adapter's tests say
//! `slipstream_log::conformance!(TheirSubject);` and get every test of it, named after the promise it guards.

#![allow(missing_docs, reason = "each story's name says what it tells")]

pub mod commits;
pub mod delivery;
pub mod horizons;
pub mod publishing;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use slipstream_schemas::{LogTime, Topic};
use tokio::time::Instant;

use crate::clock::{Clock, ManualClock};
use crate::faults::{CommitFault, CrashPoint, PublishFault};
use crate::memory::{MemoryLog, MemoryOptions};
use crate::port::{
    Advance, Consumer, Fetch, Log, LogError, Offset, Outgoing, Polled, Position, Share, SharedLog, Step, StepFate,
    TopicPartition,
};
use crate::settle::settle;
use crate::sqlite::{SqliteLog, SqliteOptions};

/// An adapter under test. A hook that answers false says that the adapter cannot do this; the story then ends there.
#[async_trait]
pub trait Subject: Send + Sync + Sized {
    /// An empty log with this many partitions of request-events, on a clock that tests set where it has one.
    async fn open(partitions: u32, time: Time) -> Self;

    /// The log.
    fn log(&self) -> SharedLog;

    /// The same log, as another process has it.
    async fn sibling(&self) -> SharedLog;

    /// The process dies and another starts.
    async fn crash(&mut self);

    /// The process dies in the next write transaction.
    fn crash_at(&self, point: CrashPoint) -> bool;

    /// The next commits of a group fail.
    fn fail_commits(&self, group: &str, faults: &[CommitFault]) -> bool;

    /// The next publish fails.
    fn fail_publish(&self, fault: PublishFault) -> bool;

    /// All partitions of the group are with someone else for a moment.
    async fn expel(&self, group: &str) -> bool;

    /// Retention removes the records below `first`, which all are older than the others.
    async fn expire(&self, partition: TopicPartition, first: Offset) -> bool;

    /// The clock, where tests can set it.
    fn clock(&self) -> Option<&ManualClock>;
}

/// What the log's clock does during a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    /// It runs.
    Runs,
    /// It stands until it is set.
    Stands,
}

/// Every story of the suite as a test of one subject.
#[macro_export]
macro_rules! conformance {
    ($subject:ty) => {
        $crate::conformance!($subject;
            publishing: l1_acknowledged_records_survive_a_crash,
            publishing: l1_records_come_back_as_they_were_written,
            publishing: l1_a_publish_that_failed_left_nothing,
            publishing: l1_a_crash_within_a_publish_leaves_all_of_it_or_nothing,
            publishing: l1_bounded_reads_bring_every_record_once,
            publishing: l1_offset_at_finds_the_first_record_not_before_a_time,
            publishing: l1_partitions_that_are_asked_together_answer_as_each_alone,
            publishing: l1_ranges_that_are_read_side_by_side_bring_their_own_records,
            publishing: l1_below_retention_is_out_of_range,
            publishing: l5_the_newest_holder_of_a_writer_name_fences_the_older,
            publishing: l5_a_fenced_writer_takes_its_name_back_and_fences_in_turn,
            publishing: l6_a_caller_that_goes_away_leaves_its_writer_usable,
            delivery: l3_each_offset_once_in_order_over_rebalances,
            delivery: l3_a_partition_that_stays_keeps_flowing,
            delivery: l3_the_whole_is_with_one_member_each_offset_once_in_order,
            delivery: l3_pause_and_seek_touch_only_their_partition,
            delivery: l4_a_member_that_leaves_hands_on_at_the_committed_position,
            commits: l2_outputs_and_positions_become_visible_together,
            commits: l2_an_aborted_commit_leaves_nothing,
            commits: l4_a_crash_at_every_stage_of_a_step_loses_and_doubles_nothing,
            commits: l5_an_owner_lost_in_the_middle_of_a_step_commits_nothing,
            commits: l5_a_fenced_owner_commits_nothing,
            commits: l5_a_fenced_owner_of_the_whole_commits_nothing,
            commits: l5_a_step_that_begins_elsewhere_is_refused,
            commits: l6_settled_steps_are_in_the_log_once_whatever_fails,
            horizons: l7_no_record_undercuts_a_horizon_under_concurrent_publishers,
            horizons: l7_a_horizon_moves_on_while_nothing_comes,
            horizons: l7_a_committed_horizon_holds_after_reopening_with_the_clock_set_back,
            horizons: l7_a_horizon_told_holds_when_the_clock_is_set_back,
            horizons: l7_log_times_rise_with_every_write_over_all_topics
        );
    };
    ($subject:ty; $($module:ident: $story:ident),+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() {
                $crate::conformance::$module::$story::<$subject>().await;
            }
        )+
    };
}

/// How long a story waits for something that must come.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The input partition `partition` of every story.
pub fn input(partition: u32) -> TopicPartition {
    TopicPartition { topic: Topic::RequestEvents, partition }
}

/// Where every story's outputs go.
pub const OUTPUT: TopicPartition = TopicPartition { topic: Topic::SliTallies, partition: 0 };

/// A record with a value.
pub fn record(to: TopicPartition, value: impl Into<String>) -> Outgoing {
    let value = Some(Bytes::from(value.into()));
    Outgoing { topic: to.topic, partition: Some(to.partition), key: None, value, headers: Vec::new() }
}

/// Publishes `v0..vn`, in turn to each partition.
pub async fn publish(log: &SharedLog, partitions: u32, n: u32) {
    let records = (0..n).map(|i| record(input(i % partitions), format!("v{i}"))).collect();
    log.publish(records).await.expect("publishing");
}

/// A record as read: offset, log time, value.
pub type Seen = (Offset, LogTime, String);

/// All of a partition, by bounded reads.
pub async fn read_all(log: &SharedLog, partition: TopicPartition) -> Vec<Seen> {
    let (mut at, end) = log.bounds(partition).await.expect("bounds");
    let mut all = Vec::new();
    while at < end {
        let batch = log.read(partition, at, end, Fetch::default()).await.expect("reading");
        all.extend(batch.iter().map(|r| (r.offset(), r.log_time(), text(r.value()))));
        at = batch.next;
    }
    all
}

/// All of a partition once it has `n` records: a log may show what was committed a moment later.
pub async fn read_when(log: &SharedLog, partition: TopicPartition, n: usize) -> Vec<Seen> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let all = read_all(log, partition).await;
        if all.len() >= n {
            return all;
        }
        assert!(Instant::now() < deadline, "{partition} has {} records, not {n}, in time", all.len());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A value as text.
pub fn text(value: Option<&[u8]>) -> String {
    value.map_or_else(String::new, |v| String::from_utf8_lossy(v).into_owned())
}

/// A role in small: copies every record of its partitions to [`OUTPUT`], by settled steps.
pub struct Copier {
    pub consumer: Box<dyn Consumer>,
    /// Where it stands in each partition it owns.
    pub at: BTreeMap<TopicPartition, Position>,
}

/// What one turn of a [`Copier`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    Nothing,
    Assigned(Vec<TopicPartition>),
    Revoked(Vec<TopicPartition>),
    Copied(usize),
    Lost(Vec<TopicPartition>),
}

impl Copier {
    pub async fn join(log: &SharedLog, group: &str) -> Copier {
        Copier::share(log, group, Share::Divided).await
    }

    pub async fn share(log: &SharedLog, group: &str, share: Share) -> Copier {
        let consumer = log.subscribe(group, &[Topic::RequestEvents], share).await.expect("subscribing");
        Copier { consumer, at: BTreeMap::new() }
    }

    /// Polls once and does what it says.
    pub async fn turn(&mut self, records: usize) -> Result<Turn, LogError> {
        match self.poll(records).await? {
            Ok(turn) => Ok(turn),
            Err(step) => match settle(&mut *self.consumer, &step).await? {
                StepFate::Done => {
                    self.at.extend(step.positions.iter().map(|a| (a.partition, a.to)));
                    Ok(Turn::Copied(step.outputs.len()))
                }
                StepFate::Lost { partitions, .. } => {
                    self.at.retain(|p, _| !partitions.contains(p));
                    Ok(Turn::Lost(partitions))
                }
            },
        }
    }

    /// Polls once; a decided step is given back instead of settled.
    pub async fn poll(&mut self, records: usize) -> Result<Result<Turn, Step>, LogError> {
        let fetch = Fetch { records, ..Fetch::default() };
        match self.consumer.poll(fetch, Duration::from_millis(5)).await? {
            Polled::Nothing => Ok(Ok(Turn::Nothing)),
            Polled::Assigned(gained) => {
                for (partition, position) in &gained {
                    let before = self.at.insert(*partition, position.unwrap_or_default());
                    assert_eq!(before, None, "{partition} is assigned twice without a revocation between");
                }
                Ok(Ok(Turn::Assigned(gained.into_iter().map(|(p, _)| p).collect())))
            }
            Polled::Revoked(lost) => {
                self.at.retain(|p, _| !lost.contains(p));
                Ok(Ok(Turn::Revoked(lost)))
            }
            Polled::Records(batch) => {
                let partition = batch.partition;
                let from = *self.at.get(&partition).expect("L3: records come only of partitions that are assigned");
                let mut next = from.offset;
                let mut outputs = Vec::new();
                let mut log_time = from.log_time;
                for r in batch.iter() {
                    assert!(r.offset() >= next, "L3: {partition}@{} is delivered behind {next}", r.offset());
                    assert!(r.log_time() >= log_time, "log time runs backwards at {partition}@{}", r.offset());
                    (next, log_time) = (r.offset() + 1, r.log_time());
                    outputs.push(record(OUTPUT, copy_of(partition, r.offset(), &text(r.value()))));
                }
                let to = Position { offset: batch.next, log_time };
                Ok(Err(Step { outputs, positions: vec![Advance { partition, from, to }] }))
            }
        }
    }

    /// Turns until it owns `n` partitions.
    pub async fn settle_in(&mut self, n: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.at.len() != n {
            assert!(Instant::now() < deadline, "the member owns {} partitions, not {n}, in time", self.at.len());
            self.turn(1).await.expect("a turn");
        }
    }

    /// Polls until a step is decided.
    pub async fn decide(&mut self, records: usize) -> Step {
        let deadline = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < deadline, "no records in time");
            if let Err(step) = self.poll(records).await.expect("a poll") {
                return step;
            }
        }
    }
}

/// What a [`Copier`] writes of a record.
pub fn copy_of(partition: TopicPartition, offset: Offset, value: &str) -> String {
    format!("{}:{offset}:{value}", partition.partition)
}

/// Copies with one new member until every input record of the group is copied.
pub async fn copy_the_rest(log: &SharedLog, group: &str, partitions: u32) {
    let mut copier = Copier::join(log, group).await;
    let deadline = Instant::now() + PATIENCE;
    while !all_copied(log, partitions).await {
        assert!(Instant::now() < deadline, "not everything is copied in time");
        copier.turn(7).await.expect("a turn");
    }
}

async fn all_copied(log: &SharedLog, partitions: u32) -> bool {
    let mut n = 0;
    for partition in 0..partitions {
        n += read_all(log, input(partition)).await.len();
    }
    read_all(log, OUTPUT).await.len() >= n
}

/// L2, L3, L4: the outputs are the inputs, each once, in order within its partition.
pub async fn assert_each_once(log: &SharedLog, partitions: u32) {
    let outputs: Vec<String> = read_all(log, OUTPUT).await.into_iter().map(|(_, _, value)| value).collect();
    let mut expected = 0;
    for partition in 0..partitions {
        let all = read_all(log, input(partition)).await;
        let want: Vec<String> = all.iter().map(|(o, _, v)| copy_of(input(partition), *o, v)).collect();
        let mine = |o: &&String| o.starts_with(&format!("{partition}:"));
        let got: Vec<String> = outputs.iter().filter(mine).cloned().collect();
        assert_eq!(got, want, "outputs of partition {partition}");
        expected += want.len();
    }
    assert_eq!(outputs.len(), expected);
}

/// The memory log under test.
pub struct InMemory {
    log: std::sync::Arc<MemoryLog>,
    clock: Option<ManualClock>,
}

/// The SQLite log under test, in directories of its own.
pub struct InSqlite {
    log: std::sync::Arc<SqliteLog>,
    options: SqliteOptions,
    clock: Option<ManualClock>,
    dir: PathBuf,
    home: PathBuf,
}

mod subjects;
