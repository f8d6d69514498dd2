//! Writing to the store in parallel to the loop: one job at a time, with one more queued, so that the store is never
//! idle.

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
    /// Partitions of each job in progress; none for retention.
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

    /// Whether records of a partition are being written, or about to be.
    pub fn has(&self, partition: TopicPartition) -> bool {
        self.handed.iter().any(|partitions| partitions.contains(&partition))
    }

    /// Queues a batch; only if there is room.
    pub fn write(&mut self, decided: Decided) {
        let of = |m: &slipstream_store::PositionMove| TopicPartition { topic: m.topic, partition: m.partition };
        let partitions = decided.batch.positions.iter().map(of).collect();
        self.hand(Work::Write(Box::new(decided)), partitions);
    }

    /// Queues retention; only if there is room.
    pub fn trim(&mut self, store: SharedStore, now: LogTime) {
        self.hand(Work::Trim(store, now), Vec::new());
    }

    fn hand(&mut self, work: Work, partitions: Vec<TopicPartition>) {
        // Fails only if the writer has ended; its results contain the reason.
        let _ = self.work.try_send(work);
        self.handed.push_back(partitions);
    }

    /// Finished jobs, without waiting.
    ///
    /// # Errors
    /// When log or store failed permanently.
    pub fn try_done(&mut self) -> Result<Option<Done>, SinkError> {
        match self.done.try_recv() {
            Ok(done) => self.came_back(Some(done)).map(Some),
            Err(mpsc::error::TryRecvError::Empty) => Ok(None),
            Err(mpsc::error::TryRecvError::Disconnected) => self.came_back(None).map(Some),
        }
    }

    /// Waits for the next finished job.
    ///
    /// # Errors
    /// When log or store failed permanently.
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

/// Ends if something was not written: what follows cannot be written either.
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
