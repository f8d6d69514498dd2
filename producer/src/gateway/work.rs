//! The part of a request that computes: decompress, cut, decode, encode, write the answer. A small request does it where it
//! is; others on threads that may block, in two lanes with no more threads each than there are cores to spare. So a small
//! request never waits for others, and a batch of a usual size not for the largest ones.

use std::sync::Arc;

use jiff::Timestamp;
use slipstream_runtime::event::Event;
use slipstream_schemas::EventTime;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::budget::Budget;
use super::events::Unpacked;
use super::gzip::{self, Bounds, GzipError, MEMBERS};
use super::held::Held;
use super::intake::{self, Intake};
use super::refusal::Refusal;
use super::reply::Reply;
use super::request::{Coding, Wanted};
use super::{Limits, form};

/// What a small request is at most: about a millisecond of work.
const SMALL: Most = Most { bytes: 128 << 10, members: 16, events: 1_000 };

/// What a batch is at most: some ten milliseconds of work. Any number of events, as far as they fit in.
const BATCH: Most = Most { bytes: 2 << 20, members: MEMBERS, events: usize::MAX };

/// What is done of a request before it is known to be larger.
#[derive(Debug, Clone, Copy)]
struct Most {
    /// As sent, and decompressed.
    bytes: usize,
    members: usize,
    events: usize,
}

/// Where requests are processed.
#[derive(Debug, Clone)]
pub(super) struct Workshop {
    budget: Budget,
    limits: Limits,
    /// For what is a batch at most.
    batches: Arc<Semaphore>,
    /// For what is larger.
    large: Arc<Semaphore>,
}

/// A body, and how it wants to be read.
#[derive(Debug)]
pub(super) struct Job {
    pub body: Held,
    pub wanted: Wanted,
}

/// A request's events, and its answer. It is written, and paid for, before anything is published: from then on nothing may
/// keep the sender from being told.
pub(super) struct Worked {
    pub intake: Intake,
    pub reply: Reply,
}

/// A job that is larger than was thought.
struct Larger;

impl Workshop {
    pub(super) fn new(budget: Budget, limits: Limits) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        // One is left to those who read, write and do what is small.
        let lane = || Arc::new(Semaphore::new((cores - 1).max(1)));
        Workshop { budget, limits, batches: lane(), large: lane() }
    }

    pub(super) async fn work(&self, job: Job) -> Result<Worked, Refusal> {
        if let Ok(done) = self.up_to(SMALL, &job) {
            return done;
        }
        let job = match job.may_be_a_batch() {
            false => job,
            true => {
                let shop = self.clone();
                let batch = move || shop.up_to(BATCH, &job).map_err(|Larger| job);
                match self.on_a_thread(&self.batches, batch).await? {
                    Ok(done) => return done,
                    Err(larger) => larger,
                }
            }
        };
        let shop = self.clone();
        self.on_a_thread(&self.large, move || shop.whole(job)).await?
    }

    /// Runs what takes as long as a body of so many bytes does, when it is its turn.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let lane = if bytes <= BATCH.bytes { &self.batches } else { &self.large };
        self.on_a_thread(lane, work).await
    }

    async fn on_a_thread<T: Send + 'static>(
        &self,
        lane: &Arc<Semaphore>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let place = timeout(self.limits.publish_timeout, lane.clone().acquire_owned()).await;
        let Ok(Ok(place)) = place else { return Err(Refusal::NoThread(self.limits.publish_timeout)) };
        let done = tokio::task::spawn_blocking(move || {
            // Held by the thread: a client that leaves does not free the core that works for it.
            let _place = place;
            work()
        });
        done.await.map_err(|e| Refusal::Mistake(e.to_string()))
    }

    /// All of it, here and now.
    pub(super) fn whole(&self, job: Job) -> Result<Worked, Refusal> {
        let Job { mut body, wanted } = job;
        if wanted.coding == Coding::Gzip {
            // What was sent is not needed any more then.
            body = self.unpacked(&body, self.limits.max_body, MEMBERS)?;
        }
        let intake = self.taken_in(&body, wanted, usize::MAX).unwrap_or(Err(Refusal::Busy))?;
        drop(body);
        self.answered(intake, wanted)
    }

    /// All of it, unless it is larger than that.
    fn up_to(&self, most: Most, job: &Job) -> Result<Result<Worked, Refusal>, Larger> {
        if job.body.len() > most.bytes {
            return Err(Larger);
        }
        if job.wanted.coding == Coding::Plain {
            return self.in_full(&job.body, job.wanted, most.events);
        }
        match self.unpacked(&job.body, most.bytes.min(self.limits.max_body), most.members) {
            Ok(body) => self.in_full(&body, job.wanted, most.events),
            Err(GzipError::TooLarge(bytes)) if bytes < self.limits.max_body => Err(Larger),
            Err(GzipError::TooManyMembers(members)) if members < MEMBERS => Err(Larger),
            Err(error) => Ok(Err(error.into())),
        }
    }

    fn in_full(&self, body: &Held, wanted: Wanted, most: usize) -> Result<Result<Worked, Refusal>, Larger> {
        Ok(self.taken_in(body, wanted, most)?.and_then(|intake| self.answered(intake, wanted)))
    }

    fn answered(&self, intake: Intake, wanted: Wanted) -> Result<Worked, Refusal> {
        let reply = Reply::to(&intake, wanted.strict, &self.budget)?;
        Ok(Worked { intake, reply })
    }

    fn unpacked(&self, packed: &Held, bytes: usize, members: usize) -> Result<Held, GzipError> {
        let mut body = Held::new(&self.budget, bytes);
        gzip::unpack(packed.as_ref(), &mut body, Bounds { bytes, members })?;
        Ok(body)
    }

    /// Passing over a value, the parser remembers each list and object that it is in: as many as there are bytes, at worst,
    /// in a vector that grows.
    fn taken_in(&self, body: &Held, wanted: Wanted, most: usize) -> Result<Result<Intake, Refusal>, Larger> {
        let mut nesting = self.budget.open();
        if body.len() > SMALL.bytes && nesting.grow(2 * body.len()).is_err() {
            return Ok(Err(Refusal::Busy));
        }
        let items = match form::items(body.as_ref(), wanted.form, self.limits.max_events) {
            Ok(items) if items.len() > most => return Err(Larger),
            Ok(items) => items,
            Err(error) => return Ok(Err(error.into())),
        };
        drop(nesting);
        Unpacked { bytes: body.len() }.emit();
        Ok(self.records(&items))
    }

    fn records(&self, items: &[&[u8]]) -> Result<Intake, Refusal> {
        let mut room = self.budget.open();
        room.grow(size_of_val(items))?;
        let now = EventTime(Timestamp::now().as_microsecond());
        Ok(intake::take(items, now, &self.budget, || uuid::Uuid::now_v7().to_string())?)
    }
}

impl Job {
    /// What it says of its size, which only saves work: a sender that lies is told by the unpacked bytes.
    fn may_be_a_batch(&self) -> bool {
        let packed = self.wanted.coding == Coding::Gzip;
        let claimed = if packed { gzip::claimed_bytes(self.body.as_ref()) } else { self.body.len() };
        self.body.len() <= BATCH.bytes && claimed <= BATCH.bytes
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::form::Declared;
    use super::*;

    fn job(shop: &Workshop, events: usize, padding: usize, coding: Coding) -> Job {
        let event = r#"{"event_id":"a","time":1,"service":"s","endpoint":"/","method":"GET","status_code":200}"#;
        let plain = format!("[{}{}]", vec![event; events].join(","), " ".repeat(padding)).into_bytes();
        let sent = match coding {
            Coding::Plain => plain,
            Coding::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
                encoder.write_all(&plain).unwrap();
                encoder.finish().unwrap()
            }
        };
        let mut body = Held::new(&shop.budget, sent.len());
        body.push(&sent).unwrap();
        Job { body, wanted: Wanted { form: Declared::Look, coding, strict: false, length: None, expects: false } }
    }

    #[tokio::test]
    async fn a_caller_that_leaves_frees_neither_thread_nor_room_before_the_work_ends() {
        let limits = Limits::default();
        let shop = Workshop::new(Budget::new(limits.max_in_flight, 0), limits);
        let threads = shop.batches.available_permits();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let (begin, begun) = tokio::sync::oneshot::channel();
        let mut room = shop.budget.open();
        room.grow(1_000).unwrap();
        let work = shop.run(1, move || {
            begin.send(()).unwrap();
            ended.recv().unwrap();
            drop(room);
        });
        tokio::select! {
            _ = work => panic!("it was not to end yet"),
            begun = begun => begun.unwrap(),
        }
        assert_eq!((shop.budget.in_use(), shop.batches.available_permits()), (1_000, threads - 1));
        end.send(()).unwrap();
        drop(shop.batches.clone().acquire_many_owned(threads as u32).await.unwrap());
        assert_eq!(shop.budget.in_use(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_does_not_wait_for_the_largest_requests() {
        let limits = Limits::default();
        let shop = Workshop::new(Budget::new(limits.max_in_flight, 0), limits);
        let all = shop.large.clone().acquire_many_owned(shop.large.available_permits() as u32).await.unwrap();
        for (events, coding) in [(5_000, Coding::Plain), (5_000, Coding::Gzip), (20_000, Coding::Gzip)] {
            let worked = shop.work(job(&shop, events, 0, coding)).await.unwrap();
            assert_eq!(worked.reply.inserted, events as u64);
        }
        for coding in [Coding::Plain, Coding::Gzip] {
            let refused = shop.work(job(&shop, 10, 4 << 20, coding)).await.err().unwrap();
            assert_eq!((refused.code(), refused.retry_after()), ("busy-with-large", Some(1)), "{refused}");
        }
        // One that lies about its size is found out, and waits like the others.
        let mut liar = job(&shop, 10, 4 << 20, Coding::Gzip);
        let honest = liar.body.as_ref().to_vec();
        liar.body = Held::new(&shop.budget, honest.len());
        liar.body.push(&honest[..honest.len() - 4]).unwrap();
        liar.body.push(&[1, 0, 0, 0]).unwrap();
        assert_eq!(shop.work(liar).await.err().unwrap().code(), "busy-with-large");
        drop(all);
        assert_eq!(shop.work(job(&shop, 10, 4 << 20, Coding::Gzip)).await.unwrap().reply.inserted, 10);
    }
}
