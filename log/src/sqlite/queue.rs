//! The bounded way to the writer: full means busy, never waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use tokio::sync::oneshot;

use super::frame::Frames;
use crate::embedded::{Guard, WriteError};
use crate::port::{Appended, Position, TopicPartition};

/// Requests to the writer.
#[derive(Debug)]
pub(super) enum Request {
    Write(Box<Write>),
    /// A committed position, behind every write asked for before.
    Committed {
        group: String,
        partition: TopicPartition,
        answer: oneshot::Sender<Option<Position>>,
    },
    /// Finish earlier requests, then stop.
    Close,
    /// Die as by kill -9, leaving an image of the files for a test to open.
    #[cfg(feature = "conformance")]
    Crash,
}

/// Records and the condition under which they are written.
#[derive(Debug)]
pub(super) struct Write {
    pub(super) frames: Frames,
    pub(super) guard: Guard,
    pub(super) answer: oneshot::Sender<Result<Vec<Appended>, WriteError>>,
}

/// The senders' end.
#[derive(Debug, Clone)]
pub(super) struct Queue {
    sender: SyncSender<Request>,
    waiting: Arc<AtomicUsize>,
    limit: usize,
}

/// The writer's end.
#[derive(Debug)]
pub(super) struct Requests {
    receiver: Receiver<Request>,
    waiting: Arc<AtomicUsize>,
}

/// Why a request was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Full,
    Stopped,
}

/// A queue of at most `requests`, that hold at most about `bytes`.
pub(super) fn queue(requests: usize, bytes: usize) -> (Queue, Requests) {
    let (sender, receiver) = sync_channel(requests);
    let waiting = Arc::new(AtomicUsize::new(0));
    (Queue { sender, waiting: Arc::clone(&waiting), limit: bytes }, Requests { receiver, waiting })
}

impl Queue {
    pub(super) fn ask(&self, request: Request) -> Result<(), Refused> {
        let bytes = request.bytes();
        let before = self.waiting.fetch_add(bytes, Ordering::Relaxed);
        let refused = if before > 0 && bytes > 0 && before + bytes > self.limit {
            Refused::Full
        } else {
            match self.sender.try_send(request) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Full(_)) => Refused::Full,
                Err(TrySendError::Disconnected(_)) => Refused::Stopped,
            }
        };
        self.waiting.fetch_sub(bytes, Ordering::Relaxed);
        Err(refused)
    }

    /// Asks even if it must wait for room.
    pub(super) fn insist(&self, request: Request) -> Result<(), Refused> {
        self.sender.send(request).map_err(|_| Refused::Stopped)
    }
}

impl Requests {
    /// The next request and what else waits, up to about `bytes`. `None` if the senders are gone; empty if nothing came.
    pub(super) fn drain(&self, wait: Duration, bytes: usize, prepare: impl FnOnce()) -> Option<Vec<Request>> {
        let first = match self.receiver.recv_timeout(wait) {
            Ok(request) => request,
            Err(RecvTimeoutError::Timeout) => return Some(Vec::new()),
            Err(RecvTimeoutError::Disconnected) => return None,
        };
        prepare();
        let mut taken = first.bytes();
        let mut drained = vec![first];
        while taken < bytes
            && let Ok(request) = self.receiver.try_recv()
        {
            taken += request.bytes();
            drained.push(request);
        }
        self.waiting.fetch_sub(taken, Ordering::Relaxed);
        Some(drained)
    }
}

impl Request {
    fn bytes(&self) -> usize {
        match self {
            Request::Write(write) => write.frames.bytes(),
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(answer: oneshot::Sender<Option<Position>>) -> Request {
        let partition = TopicPartition { topic: slipstream_schemas::Topic::Alerts, partition: 0 };
        Request::Committed { group: "g".into(), partition, answer }
    }

    #[test]
    fn a_full_queue_refuses_at_once_and_takes_again_when_drained() {
        let (queue, requests) = queue(2, 1_000);
        let one = || ask(oneshot::channel().0);
        assert_eq!(queue.ask(one()), Ok(()));
        assert_eq!(queue.ask(one()), Ok(()));
        assert_eq!(queue.ask(one()), Err(Refused::Full));
        assert_eq!(requests.drain(Duration::ZERO, 1_000, || ()).map(|r| r.len()), Some(2));
        assert_eq!(queue.ask(one()), Ok(()));
        drop(requests);
        assert_eq!(queue.ask(one()), Err(Refused::Stopped));
    }
}
