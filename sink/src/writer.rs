//! The store at work beside the loop: one thing at a time, and one more ready to follow, so that it never waits for us.

use std::collections::VecDeque;

use slipstream_log::TopicPartition;
use slipstream_schemas::LogTime;
use slipstream_store::SharedStore;
use tokio::sync::mpsc::{self, Receiver, Sender, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinSet;

use crate::SinkError;
use crate::fold::Decided;
use crate::write::{Done, Writing, trim};

/// What the store holds at a time: what is being written, and what follows.
const DEEP: usize = 2;

/// Something for the store to do.
enum Work {
    Write(Box<Decided>),
    Trim(SharedStore, LogTime),
}

/// Hands work to the store, in order.
pub struct Writer {
    work: Sender<Work>,
    done: UnboundedReceiver<Result<Done, SinkError>>,
    /// Partitions of each thing that was handed over and has not come back; of retention none.
    handed: VecDeque<Vec<TopicPartition>>,
    task: JoinSet<()>,
}

impl Writer {
    /// Nothing is handed over yet.
    pub fn start(writing: Writing) -> Self {
        let (work, todo) = mpsc::channel(DEEP);
        let (tell, done) = mpsc::unbounded_channel();
        let mut task = JoinSet::new();
        task.spawn(run(writing, todo, tell));
        Writer { work, done, handed: VecDeque::new(), task }
    }

    /// Whether the store has nothing to do.
    pub fn is_idle(&self) -> bool {
        self.handed.is_empty()
    }

    /// Whether more can be handed over.
    pub fn has_room(&self) -> bool {
        self.handed.len() < DEEP
    }

    /// Whether something of a partition is being written, or is about to be.
    pub fn has(&self, partition: TopicPartition) -> bool {
        self.handed.iter().any(|partitions| partitions.contains(&partition))
    }

    /// Hands a batch over; only where there is room.
    pub fn write(&mut self, decided: Decided) {
        let of = |m: &slipstream_store::PositionMove| TopicPartition { topic: m.topic, partition: m.partition };
        let partitions = decided.batch.positions.iter().map(of).collect();
        self.hand(Work::Write(Box::new(decided)), partitions);
    }

    /// Hands retention over; only where there is room.
    pub fn trim(&mut self, store: SharedStore, now: LogTime) {
        self.hand(Work::Trim(store, now), Vec::new());
    }

    fn hand(&mut self, work: Work, partitions: Vec<TopicPartition>) {
        // Refused only by one that has ended; why is heard where its answers are.
        let _ = self.work.try_send(work);
        self.handed.push_back(partitions);
    }

    /// What has come back, without waiting.
    ///
    /// # Errors
    /// When log or store failed for good.
    pub fn try_done(&mut self) -> Result<Option<Done>, SinkError> {
        match self.done.try_recv() {
            Ok(done) => self.came_back(Some(done)).map(Some),
            Err(mpsc::error::TryRecvError::Empty) => Ok(None),
            Err(mpsc::error::TryRecvError::Disconnected) => self.came_back(None).map(Some),
        }
    }

    /// Waits for what comes back next.
    ///
    /// # Errors
    /// When log or store failed for good.
    pub async fn done(&mut self) -> Result<Done, SinkError> {
        let done = self.done.recv().await;
        self.came_back(done)
    }

    fn came_back(&mut self, done: Option<Result<Done, SinkError>>) -> Result<Done, SinkError> {
        self.handed.pop_front();
        done.unwrap_or_else(|| {
            let ended = self.task.try_join_next().and_then(Result::err);
            Err(SinkError::BrokeOff(ended.map_or_else(String::new, |cause| cause.to_string())))
        })
    }
}

/// Ends where something was not written: what follows it cannot be written either.
async fn run(mut writing: Writing, mut todo: Receiver<Work>, tell: UnboundedSender<Result<Done, SinkError>>) {
    while let Some(work) = todo.recv().await {
        let done = match work {
            Work::Write(decided) => writing.write(*decided).await,
            Work::Trim(store, now) => trim(store, now).await,
        };
        let goes_on = matches!(done, Ok(Done::Written | Done::Trimmed(_)));
        if tell.send(done).is_err() || !goes_on {
            return;
        }
    }
}
