//! A member of a group, on any embedded log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use slipstream_schemas::Cause;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::engine::{Engine, place, read_within};
use super::error::WriteError;
use super::guard::{Guard, Move};
use crate::groups::{MemberId, Token};
use crate::port::{
    CommitError, Consumer, Fetch, Horizon, LogError, Offset, Polled, Position, Share, Step, TopicPartition,
};

/// No owner ever has it.
const VOID: Token = 0;

pub(super) struct Member<E: Engine> {
    engine: Arc<E>,
    group: String,
    id: MemberId,
    changes: watch::Receiver<u64>,
    /// What the caller believes to own: Assigned was reported, and not yet Revoked.
    held: BTreeMap<TopicPartition, Held>,
    paused: BTreeSet<TopicPartition>,
    /// The partition delivered last: others go first.
    served: Option<TopicPartition>,
    commits: u32,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    token: Token,
    next: Offset,
    /// Nothing was committed, sought or delivered yet: it begins wherever retention has left the beginning.
    at_start: bool,
}

impl<E: Engine> Member<E> {
    pub(super) fn join(engine: &Arc<E>, group: &str, partitions: BTreeSet<TopicPartition>, share: Share) -> Self {
        Member {
            engine: Arc::clone(engine),
            group: group.to_owned(),
            id: engine.groups().join(group, partitions, share),
            changes: engine.changes(),
            held: BTreeMap::new(),
            paused: BTreeSet::new(),
            served: None,
            commits: 0,
        }
    }

    /// Partitions lost, then partitions gained. A partition that was lost and came back is reported as both.
    async fn rebalanced(&mut self) -> Result<Option<Polled>, LogError> {
        let owned = self.engine.groups().owned(&self.group, self.id);
        let lost: Vec<TopicPartition> =
            self.held.iter().filter(|(p, h)| owned.get(p) != Some(&h.token)).map(|(p, _)| *p).collect();
        if !lost.is_empty() {
            for partition in &lost {
                self.held.remove(partition);
                self.paused.remove(partition);
            }
            return Ok(Some(Polled::Revoked(lost)));
        }
        let gained = owned.into_iter().filter(|(p, _)| !self.held.contains_key(p));
        let mut assigned = Vec::new();
        for (partition, token) in gained {
            // L4: read behind every write of the former owner that was let through.
            let position = self.engine.committed(&self.group, partition).await?;
            let next = match position {
                Some(position) => position.offset,
                None => self.engine.bounds(partition)?.0,
            };
            assigned.push((partition, position, Held { token, next, at_start: position.is_none() }));
        }
        if assigned.is_empty() {
            return Ok(None);
        }
        self.held.extend(assigned.iter().map(|(p, _, held)| (*p, *held)));
        Ok(Some(Polled::Assigned(assigned.into_iter().map(|(p, position, _)| (p, position)).collect())))
    }

    /// Records of the next partition in turn that has some.
    async fn records(&mut self, fetch: Fetch) -> Result<Option<Polled>, LogError> {
        for partition in self.turns() {
            let Some(held) = self.held.get(&partition).copied() else { continue };
            let (first, end) = self.engine.bounds(partition)?;
            let from = if held.at_start { first } else { held.next };
            if from == end {
                continue;
            }
            let batch = match read_within(&*self.engine, partition, from, end, fetch).await {
                // Retention passed by between the two lines above: the next poll begins behind it.
                Err(LogError::OutOfRange { .. }) if held.at_start => continue,
                read => read?,
            };
            self.held.insert(partition, Held { next: batch.next, at_start: false, ..held });
            if !batch.is_empty() {
                self.served = Some(partition);
                return Ok(Some(Polled::Records(batch)));
            }
        }
        Ok(None)
    }

    fn turns(&self) -> Vec<TopicPartition> {
        let flowing = |p: &&TopicPartition| !self.paused.contains(p);
        let mut turns: Vec<TopicPartition> = self.held.keys().filter(flowing).copied().collect();
        let behind = turns.iter().position(|p| Some(*p) > self.served).unwrap_or(0);
        turns.rotate_left(behind);
        turns
    }

    fn moves(&self, step: &Step) -> Vec<Move> {
        let token = |p| self.held.get(&p).map_or(VOID, |h| h.token);
        step.positions.iter().map(|advance| Move { advance: *advance, token: token(advance.partition) }).collect()
    }
}

#[async_trait]
impl<E: Engine> Consumer for Member<E> {
    async fn poll(&mut self, fetch: Fetch, wait: Duration) -> Result<Polled, LogError> {
        let deadline = Instant::now() + wait;
        loop {
            self.changes.borrow_and_update();
            if let Some(polled) = self.rebalanced().await? {
                return Ok(polled);
            }
            if let Some(polled) = self.records(fetch).await? {
                return Ok(polled);
            }
            match timeout_at(deadline, self.changes.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Ok(Polled::Nothing),
            }
        }
    }

    async fn seek(&mut self, partition: TopicPartition, offset: Offset) -> Result<(), LogError> {
        let Some(held) = self.held.get_mut(&partition) else {
            return Err(LogError::Fatal {
                doing: format!("seeking {partition} to {offset}"),
                cause: "the partition is not assigned to this consumer".into(),
            });
        };
        (held.next, held.at_start) = (offset, false);
        Ok(())
    }

    fn pause(&mut self, partitions: &[TopicPartition]) {
        self.paused.extend(partitions);
    }

    fn resume(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            self.paused.remove(partition);
        }
    }

    async fn commit(&mut self, step: &Step) -> Result<(), CommitError> {
        let guard = Guard::Positions { group: self.group.clone(), moves: self.moves(step) };
        self.commits = self.commits.wrapping_add(1);
        let outputs = place(&*self.engine, self.commits, step.outputs.clone());
        let outputs = outputs.map_err(|e| CommitError::Fatal(Cause::of(e)))?;
        let written = self.engine.write(outputs, guard).await;
        if let Err(WriteError::Lost(partitions)) = &written {
            // Told as Revoked at the next poll, also where the position alone had moved.
            for partition in partitions {
                self.held.entry(*partition).and_modify(|h| h.token = VOID);
            }
        }
        written.map(|_| ()).map_err(WriteError::of_commit)
    }

    async fn committed(&mut self, partition: TopicPartition) -> Result<Option<Position>, LogError> {
        self.engine.committed(&self.group, partition).await
    }

    async fn horizon(&mut self, partition: TopicPartition) -> Result<Option<Horizon>, LogError> {
        self.engine.horizon(partition).map(Some)
    }
}

impl<E: Engine> Drop for Member<E> {
    fn drop(&mut self) {
        self.engine.groups().leave(&self.group, self.id);
    }
}
