//! Roles at work on a log, each a member of its group, that are started, stopped and killed.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::Result;
use slipstream_log::{Fetch, Log, Offset, SharedLog, TopicPartition};
use slipstream_processor::{burn, tally};
use slipstream_runtime::Shutdown;
use slipstream_runtime::health::Health;
use slipstream_schemas::Topic;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// What is waited for comes within this time.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Tally,
    Burn,
    Alerter,
}

/// Who works.
#[derive(Default)]
pub struct Crew {
    members: VecDeque<Member>,
}

struct Member {
    role: Role,
    task: JoinSet<Result<()>>,
    shutdown: Shutdown,
}

impl Crew {
    /// Another member of a role.
    pub fn start(&mut self, role: Role, log: SharedLog) {
        let (health, shutdown, mut task) = (Health::default(), Shutdown::new(), JoinSet::new());
        let token = shutdown.clone();
        task.spawn(async move {
            match role {
                Role::Tally => tally::run(log, tally::Thread::alone(), health, token).await?,
                Role::Burn => burn::run(log, health, token).await?,
                Role::Alerter => slipstream_alerter::run(log, health, token).await?,
            }
            Ok(())
        });
        self.members.push_back(Member { role, task, shutdown });
    }

    fn oldest(&mut self, role: Role) -> Member {
        let found = self.members.iter().position(|m| m.role == role);
        found.and_then(|i| self.members.remove(i)).unwrap_or_else(|| panic!("no {role:?} is at work"))
    }

    /// Stops the member of a role that is there longest, in order.
    pub async fn stop_oldest(&mut self, role: Role) {
        self.oldest(role).stop().await;
    }

    /// The member of a role that is there longest is gone, wherever it is.
    pub async fn kill_oldest(&mut self, role: Role) {
        self.oldest(role).task.shutdown().await;
    }

    /// Stops all in order.
    pub async fn stop(mut self) {
        for member in self.members.drain(..) {
            member.stop().await;
        }
    }

    /// A member that ended by itself ends the test.
    fn check(&mut self) {
        for member in &mut self.members {
            if let Some(ended) = member.task.try_join_next() {
                panic!("{:?} ended by itself: {ended:?}", member.role);
            }
        }
    }

    async fn until(&mut self, what: &str, holds: impl AsyncFn() -> bool) {
        let wait = async {
            while !holds().await {
                self.check();
                sleep(Duration::from_millis(100)).await;
            }
        };
        timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("waited in vain: {what}"));
    }

    /// Waits until every source is owned by a tally that says how far it is known.
    pub async fn stamps_flow(&mut self, log: &dyn Log) {
        self.known_up_to(log, 1).await;
    }

    /// Waits until tally has committed every source up to a log time.
    pub async fn known_up_to(&mut self, log: &dyn Log, log_time: i64) {
        let what = format!("every source is known up to {log_time}");
        self.until(&what, async || known_up_to(log, log_time).await).await;
    }

    /// Waits until every source is known beyond the evaluation of a tick, and burn and alerter have done what follows.
    pub async fn worked_off(&mut self, log: &dyn Log, tick: i64) {
        self.known_up_to(log, (tick + 2) * 1_000).await;
        let tallies = ends(log, Topic::SliTallies).await;
        self.until("burn has folded all tallies", async || committed(log, "burn", &tallies).await).await;
        let rates = ends(log, Topic::BurnRates).await;
        self.until("the alerter has seen all burn rates", async || committed(log, "alerter", &rates).await).await;
    }
}

impl Member {
    async fn stop(mut self) {
        self.shutdown.cancel();
        while let Some(ended) = self.task.join_next().await {
            ended.unwrap().unwrap_or_else(|error| panic!("{:?}: {error:#}", self.role));
        }
    }
}

/// Whether tally has committed every source up to a log time.
async fn known_up_to(log: &dyn Log, log_time: i64) -> bool {
    for partition in 0..log.partitions(Topic::RequestEvents).await.unwrap() {
        let place = TopicPartition { topic: Topic::RequestEvents, partition };
        let committed = log.committed("tally", place).await.unwrap();
        if committed.is_none_or(|position| position.log_time.0 < log_time) {
            return false;
        }
    }
    true
}

/// Behind the last record of each partition that has one.
async fn ends(log: &dyn Log, topic: Topic) -> Vec<(TopicPartition, Offset)> {
    let mut ends = Vec::new();
    for partition in 0..log.partitions(topic).await.unwrap() {
        let place = TopicPartition { topic, partition };
        let (mut next, end) = log.bounds(place).await.unwrap();
        // The end of a partition on Kafka is behind what ends a transaction, which no reader sees.
        let mut behind_last = None;
        while next < end {
            let batch = log.read(place, next, end, Fetch::default()).await.unwrap();
            behind_last = batch.iter().last().map(|r| r.offset() + 1).or(behind_last);
            next = batch.next;
        }
        ends.extend(behind_last.map(|offset| (place, offset)));
    }
    ends
}

async fn committed(log: &dyn Log, group: &str, ends: &[(TopicPartition, Offset)]) -> bool {
    for (place, end) in ends {
        let position = log.committed(group, *place).await.unwrap().unwrap_or_default();
        if position.offset < *end {
            return false;
        }
    }
    true
}
