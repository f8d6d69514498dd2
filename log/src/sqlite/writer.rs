//! The one writer: takes what waits, writes it as one database transaction, answers after COMMIT (L1), and keeps house in
//! between.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::error::{at_commit, before_commit};
use super::frame::Frames;
use super::housekeeping::{Housekeeping, NEXT_SLICE, Work};
use super::queue::{Request, Requests, Write};
use super::schema::Positions;
use super::shared::Shared;
use super::transaction::{Answer, Transaction};
use crate::embedded::{Guard, Holders, WriteError, check_moves};
use crate::faults::{CommitFault, CrashPoint, Faults, PublishFault};
use crate::groups::Groups;
use crate::port::Appended;

/// Bytes that go into one database transaction, about.
const TRANSACTION_BYTES: usize = 16 << 20;

/// State of the writer's thread.
pub(super) struct Writer {
    pub(super) conn: Connection,
    pub(super) file: PathBuf,
    pub(super) requests: Requests,
    pub(super) shared: Arc<Shared>,
    pub(super) groups: Arc<Groups>,
    pub(super) positions: Positions,
    pub(super) holders: Holders,
    pub(super) faults: Arc<Faults>,
    pub(super) housekeeping: Housekeeping,
}

/// What became of a database transaction.
enum Stored {
    Yes,
    /// There was nothing to store.
    Nothing,
    No(WriteError),
    /// A test ordered the process to die here.
    Crashed,
}

/// Whether the writer continues.
enum Flow {
    Go,
    Stop,
}

impl Writer {
    /// Works until closed.
    pub(super) fn run(mut self) {
        let mut due = Instant::now() + self.housekeeping.every;
        loop {
            let wait = due.saturating_duration_since(Instant::now());
            let shared = &self.shared;
            let Some(requests) = self.requests.drain(wait, TRANSACTION_BYTES, || wait_for_clock(shared)) else {
                return;
            };
            if let Flow::Stop = self.transact(requests) {
                return;
            }
            if Instant::now() >= due {
                due = Instant::now() + self.keep_house();
            }
        }
    }

    fn keep_house(&mut self) -> Duration {
        match self.housekeeping.slice(&self.conn, &self.shared, &self.file) {
            Ok(Work::Left) => NEXT_SLICE,
            Ok(Work::Done) => self.housekeeping.every,
            Err(error) => {
                tracing::warn!(%error, "retention or compaction failed; will retry");
                self.housekeeping.every
            }
        }
    }

    /// One database transaction for everything that waited.
    fn transact(&mut self, requests: Vec<Request>) -> Flow {
        if requests.is_empty() {
            return Flow::Go;
        }
        let writes = requests.iter().any(|request| matches!(request, Request::Write(_)));
        let mut transaction = Transaction::new(if writes { self.shared.begin() } else { self.shared.now() });
        let mut answers = Vec::with_capacity(requests.len());
        let mut flow = Flow::Go;
        for request in requests {
            match request {
                Request::Write(write) => answers.push(self.stage(&mut transaction, *write)),
                Request::Committed { group, partition, answer } => {
                    answers.push(Answer::Committed(answer, group, partition));
                }
                Request::Close => flow = Flow::Stop,
                #[cfg(feature = "conformance")]
                Request::Crash => {
                    super::crash::image(&self.file);
                    return Flow::Stop;
                }
            }
        }
        // Answers go out only after COMMIT: what is acknowledged survives a crash (L1).
        match self.store(&transaction) {
            Stored::Nothing => {
                self.shared.give_up();
                self.answer(answers, None);
            }
            Stored::Yes => {
                // L2: outputs and positions become visible together, after COMMIT.
                self.positions.extend(transaction.positions.drain());
                self.shared.publish(transaction.ends());
                self.answer(answers, None);
            }
            Stored::No(error) => {
                self.shared.give_up();
                self.answer(answers, Some(&error));
            }
            Stored::Crashed => return Flow::Stop,
        }
        flow
    }

    fn store(&self, transaction: &Transaction) -> Stored {
        if transaction.is_empty() {
            return Stored::Nothing;
        }
        let prepared = self.conn.unchecked_transaction().and_then(|tx| transaction.put(&tx).map(|()| tx));
        let tx = match prepared {
            Ok(tx) => tx,
            Err(error) => return Stored::No(before_commit(error)),
        };
        if self.crashes(CrashPoint::BeforeCommit) {
            return Stored::Crashed;
        }
        // L2, L4: before this line a reader of the file sees nothing of the transaction; after it, everything.
        if let Err(error) = tx.commit() {
            return Stored::No(at_commit(error));
        }
        if self.crashes(CrashPoint::AfterCommit) {
            return Stored::Crashed;
        }
        Stored::Yes
    }

    fn crashes(&self, point: CrashPoint) -> bool {
        let crashes = self.faults.crashes(point);
        #[cfg(feature = "conformance")]
        if crashes {
            super::crash::image(&self.file);
        }
        crashes
    }

    /// L5: each write is checked against owners and positions as the writes before it left them.
    fn stage(&mut self, transaction: &mut Transaction, write: Write) -> Answer {
        let Write { frames, guard, answer } = write;
        let result = self.try_stage(transaction, frames, guard);
        Answer::Written(answer, result)
    }

    fn try_stage(
        &mut self,
        transaction: &mut Transaction,
        frames: Frames,
        guard: Guard,
    ) -> Result<Vec<Appended>, WriteError> {
        self.admit(transaction, &guard, &frames)?;
        let fault = self.fault(&guard)?;
        match fault {
            Some(CommitFault::Aborted) => return Err(WriteError::Aborted("injected".into())),
            Some(CommitFault::InDoubtNot) => return Err(WriteError::InDoubt("injected".into())),
            Some(CommitFault::InDoubtDone) | None => {}
        }
        let shared = &self.shared;
        let appended = transaction.append(frames, |place| shared.partition(place).unwrap_or_default());
        if let Guard::Positions { group, moves } = guard {
            let moved = moves.iter().map(|m| ((group.clone(), m.advance.partition), m.advance.to));
            transaction.positions.extend(moved);
        }
        if fault.is_some() { Err(WriteError::InDoubt("injected".into())) } else { Ok(appended) }
    }

    fn admit(&mut self, transaction: &Transaction, guard: &Guard, frames: &Frames) -> Result<(), WriteError> {
        match guard {
            Guard::None => Ok(()),
            Guard::Name { writer, session } if self.holders.admit(writer, *session) => Ok(()),
            Guard::Name { .. } => Err(WriteError::Lost(frames.frames.iter().map(|f| f.place).collect())),
            Guard::Positions { group, moves } => check_moves(&self.groups, group, moves, |place| {
                // As the writes before it in this very transaction left it: several steps of a group may share one.
                let key = (group.clone(), place);
                transaction.positions.get(&key).or_else(|| self.positions.get(&key)).copied()
            }),
        }
    }

    fn fault(&self, guard: &Guard) -> Result<Option<CommitFault>, WriteError> {
        match guard {
            Guard::None => match self.faults.next_publish() {
                Some(PublishFault::Busy) => Err(WriteError::Busy),
                Some(PublishFault::Transient) => Err(WriteError::Aborted("injected".into())),
                None => Ok(None),
            },
            Guard::Name { writer, .. } => Ok(self.faults.next_atomic_publish(writer)),
            Guard::Positions { group, .. } => Ok(self.faults.next_commit(group)),
        }
    }

    fn answer(&self, answers: Vec<Answer>, failure: Option<&WriteError>) {
        for answer in answers {
            // A caller that no longer waits gets no answer.
            match (answer, failure) {
                (Answer::Written(to, Ok(_)), Some(error)) => {
                    let _ = to.send(Err(error.clone()));
                }
                (Answer::Written(to, result), _) => {
                    let _ = to.send(result);
                }
                (Answer::Committed(to, group, place), _) => {
                    let _ = to.send(self.positions.get(&(group, place)).copied());
                }
            }
        }
    }
}

/// Log times rise by at least a millisecond per transaction: a writer that is faster waits for the clock, and takes what
/// came meanwhile, rather than run ahead of it.
fn wait_for_clock(shared: &Shared) {
    while shared.ahead_of_clock() {
        std::thread::sleep(Duration::from_micros(100));
    }
}
