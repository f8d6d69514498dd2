//! Threads, and what goes from one to the other.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Scope, ScopedJoinHandle};

use slipstream_schemas::LogTime;

use super::fold::Fold;
use super::notes::Notes;
use super::progress::Phase;
use super::rows::Known;
use super::tallied::Tallied;
use super::turns::Turns;
use super::worker::{Source, Summed, Task, Work, Worker};
use super::{Begin, Case, Job, Read};
use crate::error::ReplayError;
use crate::source::{Block, Reader};

/// Blocks of a partition that are read ahead.
const AHEAD: usize = 1;
/// Blocks of all partitions that wait for a thread: each may be many megabytes, and readers keep more of them ready.
const WAITING: usize = 1;

/// Runs it over what the readers bring, one for each of [`Job::begins`]. Blocks until it is done, was stopped, or
/// failed.
///
/// # Errors
/// When a source cannot be read, or a fold refuses what it is given.
pub fn run(job: &Job, readers: Vec<Box<dyn Reader>>) -> Result<Read, ReplayError> {
    let threads = job.threads.max(1);
    job.progress.enter(Phase::Counting, Some(job.span));
    let sources: Vec<Turns<Source>> = job.begins.iter().map(|begin| source(job, *begin)).collect();
    let sources = &sources;
    thread::scope(|scope| {
        let (reading, blocks): (Vec<_>, Vec<_>) = readers.into_iter().map(|reader| read(scope, reader)).unzip();
        let (folds, to_folds): (Vec<_>, Vec<_>) = (0..threads).map(|n| fold(scope, job, (n, threads))).unzip();
        let (to_workers, work) = sync_channel(WAITING);
        let work = Arc::new(Mutex::new(work));
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                let (work, folds) = (Arc::clone(&work), to_folds.clone());
                scope.spawn(move || labour(Worker::new(job, sources, threads as u32), &work, &folds))
            })
            .collect();
        drop((to_folds, work));
        let dispatched = Dispatcher::new(job, blocks, to_workers).run();
        if dispatched.is_err() {
            sources.iter().for_each(Turns::give_up);
        }
        let read = finish(job, workers, folds, dispatched);
        // A source that ends so has not come to its end.
        let all_read = reading.into_iter().map(ScopedJoinHandle::join).filter(Result::is_err).count() == 0;
        if all_read { read } else { Err(ReplayError::Thread("a reader")) }
    })
}

/// Burn asks how far back a source reaches by its first position: 0 is everything.
fn source(job: &Job, begin: Begin) -> Turns<Source> {
    let position = i64::from(matches!(begin, Begin::At(_)));
    Turns::new(Source { known: Known::new(job.window_ms, LogTime(i64::MIN)), position })
}

/// What a worker leaves.
type Left<'a> = Worker<'a>;

fn finish<'scope>(
    job: &Job,
    workers: Vec<ScopedJoinHandle<'scope, Left<'_>>>,
    folds: Vec<ScopedJoinHandle<'scope, Result<Vec<Notes>, ReplayError>>>,
    dispatched: Result<LogTime, ReplayError>,
) -> Result<Read, ReplayError> {
    let mut read = Read { makeups: job.cases.iter().map(Case::makeups).collect(), ..Read::default() };
    let (mut failed, mut tallied) = (false, Tallied::default());
    for worker in workers {
        let Ok(left) = worker.join() else {
            failed = true;
            continue;
        };
        tallied.merge(left.tallied);
        read.makeups.iter_mut().zip(left.makeups).for_each(|(all, found)| all.merge(found));
        read.traffic.merge(left.traffic);
        read.copies.merge(left.copies);
    }
    let mut notes: Vec<Vec<Notes>> = job.cases.iter().map(|_| Vec::new()).collect();
    for fold in folds {
        let found = fold.join().map_err(|_| ReplayError::Thread("a fold"))??;
        for (all, found) in notes.iter_mut().zip(found) {
            all.push(found);
        }
    }
    read.reached = dispatched?;
    if failed {
        return Err(ReplayError::Thread("a worker"));
    }
    let counts = if read.reached < job.span.to { tallied.before(read.reached) } else { tallied.all() };
    (read.events, read.duplicates, read.invalid) = (counts.events, counts.duplicates, counts.invalid);
    read.notes = notes.into_iter().map(Notes::join).collect();
    Ok(read)
}

type Blocks = Receiver<Result<Block, ReplayError>>;

/// A thread that reads ahead.
fn read<'scope>(
    scope: &'scope Scope<'scope, '_>,
    mut reader: Box<dyn Reader>,
) -> (ScopedJoinHandle<'scope, ()>, Blocks) {
    let (blocks, receiver) = sync_channel(AHEAD);
    let reading = scope.spawn(move || {
        while let Some(block) = reader.next().transpose() {
            let failed = block.is_err();
            if blocks.send(block).is_err() || failed {
                return;
            }
        }
    });
    (reading, receiver)
}

/// A thread that sums blocks until there are none, or nobody wants them.
fn labour<'a>(mut worker: Worker<'a>, work: &Mutex<Receiver<Work>>, folds: &[SyncSender<Arc<Summed>>]) -> Worker<'a> {
    let waiting = GiveUp(worker.sources());
    loop {
        let next = work.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(next) = next else { break };
        let Some(summed) = worker.sum(next) else { break };
        let summed = Arc::new(summed);
        if folds.iter().any(|fold| fold.send(Arc::clone(&summed)).is_err()) {
            worker.sources().iter().for_each(Turns::give_up);
            break;
        }
    }
    std::mem::forget(waiting);
    worker.leave_tuples();
    worker
}

/// If a thread panics, those that wait for its turn wait no longer.
struct GiveUp<'a>(&'a [Turns<Source>]);

impl Drop for GiveUp<'_> {
    fn drop(&mut self) {
        self.0.iter().for_each(Turns::give_up);
    }
}

type Folding<'scope> = (ScopedJoinHandle<'scope, Result<Vec<Notes>, ReplayError>>, SyncSender<Arc<Summed>>);

/// A thread that folds a partition of the SLOs of each set of definitions.
fn fold<'scope, 'a: 'scope>(
    scope: &'scope Scope<'scope, '_>,
    job: &'a Job,
    (target, targets): (usize, usize),
) -> Folding<'scope> {
    let (sender, summed) = sync_channel::<Arc<Summed>>(2);
    let work = move || {
        let new = |case| Fold::new(job, case, (target as u32, targets as u32));
        let mut folds: Vec<Fold<'_>> = job.cases.iter().map(new).collect();
        let (mut next, mut early) = (0, BTreeMap::new());
        for block in summed {
            early.insert(block.number, block);
            // Threads finish in any order; folds go by that of the blocks.
            while let Some(block) = early.remove(&next) {
                next += 1;
                for (fold, batches) in folds.iter_mut().zip(&block.batches) {
                    fold.apply(&batches[target].1)?;
                }
            }
        }
        folds.into_iter().map(|fold| Ok(fold.finish()?)).collect()
    };
    (scope.spawn(work), sender)
}

/// Gives out blocks: that of the partition which is furthest behind is next.
struct Dispatcher<'a> {
    job: &'a Job,
    blocks: Vec<Blocks>,
    workers: SyncSender<Work>,
    /// Per partition: up to where it was given out, and how many blocks of it.
    given: Vec<(LogTime, u64)>,
    number: u64,
}

impl<'a> Dispatcher<'a> {
    fn new(job: &'a Job, blocks: Vec<Blocks>, workers: SyncSender<Work>) -> Dispatcher<'a> {
        let given = blocks.iter().map(|_| (LogTime(i64::MIN), 0)).collect();
        Dispatcher { job, blocks, workers, given, number: 0 }
    }

    /// Returns up to where all partitions were read.
    fn run(mut self) -> Result<LogTime, ReplayError> {
        for source in 0..self.blocks.len() {
            // Numbers are covered from the second after that on.
            let begin = match self.job.begins[source] {
                Begin::First => LogTime(0),
                Begin::At(time) | Begin::After(time) => LogTime(time.0 - 1),
            };
            self.give(source, Task::Known(begin), begin)?;
        }
        let mut open: Vec<usize> = (0..self.blocks.len()).collect();
        while !self.job.progress.is_stopped() {
            let Some(at) = (0..open.len()).min_by_key(|at| self.given[open[*at]].0) else { break };
            let source = open[at];
            match self.blocks[source].recv() {
                Ok(block) => {
                    let block = block?;
                    let reach = block.reach().unwrap_or(self.given[source].0).max(self.given[source].0);
                    self.job.progress.add(block.len(), self.behind(source, reach));
                    self.give(source, Task::Block(block), reach)?;
                }
                // A reader that was stopped, or that is asked no more, has not come to its end.
                Err(_) if self.job.progress.is_stopped() => break,
                Err(_) => {
                    open.swap_remove(at);
                    let end = self.job.span.to;
                    self.give(source, Task::Known(end), end)?;
                }
            }
        }
        Ok(self.given.iter().map(|(reach, _)| *reach).min().unwrap_or(self.job.span.to))
    }

    /// The least reach of all once `source` has this one.
    fn behind(&self, source: usize, reach: LogTime) -> LogTime {
        let others = self.given.iter().enumerate().filter(|(other, _)| *other != source).map(|(_, (reach, _))| *reach);
        others.fold(reach, LogTime::min)
    }

    fn give(&mut self, source: usize, task: Task, reach: LogTime) -> Result<(), ReplayError> {
        let low = self.behind(source, reach);
        let (given, of_partition) = &mut self.given[source];
        let work = Work { number: self.number, of_partition: *of_partition, source, task, low };
        (*given, self.number) = (reach, self.number + 1);
        *of_partition += 1;
        // If nobody takes it, a fold has failed: its error is told.
        self.workers.send(work).map_err(|_| ReplayError::Thread("the workers"))
    }
}

#[cfg(test)]
mod tests {
    use slipstream_slo::revision::Revisions;

    use super::*;
    use crate::engine::{Alerting, Case, Steps};
    use crate::source::Span;

    fn job() -> Job {
        Job {
            cases: vec![Case { revisions: Revisions::new(), open_before: None }],
            known: Alerting::default(),
            window_ms: 60_000,
            span: Span { from: LogTime(0), to: LogTime(60_000) },
            slots: None,
            steps: Steps::new(0, 60, 1),
            from: LogTime(0),
            begins: vec![Begin::First],
            threads: 2,
            progress: Arc::default(),
        }
    }

    fn work(number: u64, source: usize) -> Work {
        Work { number, of_partition: number, source, task: Task::Known(LogTime(1)), low: LogTime(1) }
    }

    #[test]
    fn a_worker_that_panics_ends_those_that_wait_for_its_turn() {
        let job = job();
        let sources = [source(&job, Begin::First)];
        let (to_workers, queue) = sync_channel(2);
        // The second block waits for the first, which is of a source that is not there.
        to_workers.send(work(1, 0)).unwrap();
        to_workers.send(work(0, 7)).unwrap();
        drop(to_workers);
        let queue = Mutex::new(queue);
        let panicked = thread::scope(|scope| {
            let worker = || labour(Worker::new(&job, &sources, 1), &queue, &[]);
            let workers = [scope.spawn(worker), scope.spawn(worker)];
            workers.into_iter().map(|worker| usize::from(worker.join().is_err())).sum::<usize>()
        });
        assert_eq!(panicked, 1);
    }

    #[test]
    fn a_fold_that_ends_early_ends_the_workers() {
        let job = job();
        let sources = [source(&job, Begin::First)];
        let (to_workers, queue) = sync_channel(2);
        to_workers.send(work(0, 0)).unwrap();
        let (to_fold, summed) = sync_channel(2);
        drop(summed);
        // More work may come, and this one ends all the same; so do those that wait for a turn.
        labour(Worker::new(&job, &sources, 1), &Mutex::new(queue), &[to_fold]);
        assert!(sources[0].take(5, |_| ()).is_none());
        drop(to_workers);
    }
}
