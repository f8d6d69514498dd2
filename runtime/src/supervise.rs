//! The owner of every task and thread of a process: each has a name and a stage, none outlives the supervisor unnoticed.
//!
//! A process runs until it is asked to stop, or until a member fails, panics or ends unexpectedly. From then on it
//! is not ready ([`Health::set_stopping`]). Asked by whatever runs it ([`Stop::Drain`]), it works on for a while, so that
//! load balancers notice before anything is refused. Then the stages are shut down one after the other, intake first, so
//! that what was accepted is still processed. Each has a bounded time to end; one that does not is named in the
//! [`Outcome`] and left behind.

use std::collections::HashMap;
use std::error::Error;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use slipstream_schemas::cause::chain;
use tokio::sync::oneshot;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;

use crate::Shutdown;
use crate::health::Health;
use crate::outcome::{Cause, Failure, Member, Outcome, Reason};
use crate::stage::Stage;

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// How long the process works on, not ready, after [`Stop::Drain`].
    pub drain: Duration,
    /// How long the members of a stage have to end.
    pub per_stage: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds { drain: Duration::ZERO, per_stage: Duration::from_secs(10) }
    }
}

/// How a process is asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// After [`Bounds::drain`]: others must notice first.
    Drain,
    /// Immediately: nothing depends on it, or a person is waiting.
    Now,
}

impl From<()> for Stop {
    fn from((): ()) -> Self {
        Stop::Now
    }
}

/// Why a member failed, as any error type can be turned into it.
type Boxed = Box<dyn Error + Send + Sync>;

/// The supervisor. Make it on the runtime that its tasks are to share; hand it all tasks and threads; then [`run`].
///
/// [`run`]: Supervisor::run
pub struct Supervisor {
    bounds: Bounds,
    health: Health,
    tokens: [Shutdown; 4],
    running: JoinSet<Result<(), Reason>>,
    members: HashMap<Id, Owned>,
}

struct Owned {
    member: Member,
    /// A job may end; anything else that ends before it is asked to is a failure.
    job: bool,
}

/// Why a process works no longer.
enum Ended {
    Asked(Stop),
    Itself(Cause),
}

impl Supervisor {
    /// A supervisor of nothing yet.
    pub fn new(bounds: Bounds) -> Self {
        Supervisor {
            bounds,
            health: Health::default(),
            tokens: std::array::from_fn(|_| Shutdown::new()),
            running: JoinSet::new(),
            members: HashMap::new(),
        }
    }

    /// The board of the process: its members say there how they are, the supervisor that the process is stopping.
    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// Is cancelled when the members of this stage are to end.
    pub fn token(&self, stage: Stage) -> Shutdown {
        self.tokens[stage as usize].clone()
    }

    /// Runs a future on the shared runtime until its stage is shut down. If it ends before, with or without an error,
    /// the process goes down.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn task<F, E>(&mut self, stage: Stage, name: &str, future: F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Boxed>,
    {
        self.own(stage, name, false, async { future.await.map_err(failed) });
    }

    /// Runs a future that may end: `Ok` does not stop the process, an error does.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn job<F, E>(&mut self, stage: Stage, name: &str, future: F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Boxed>,
    {
        self.own(stage, name, true, async { future.await.map_err(failed) });
    }

    /// Like [`task`](Supervisor::task), for a role that computes much: on an OS thread of its own, with a runtime of
    /// its own that `make`'s future need not be `Send` for.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn thread<M, F, E>(&mut self, stage: Stage, name: &str, make: M)
    where
        M: FnOnce() -> F + Send + 'static,
        F: Future<Output = Result<(), E>>,
        E: Into<Boxed>,
    {
        let (report, ended) = oneshot::channel();
        let spawned = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            // The receiver is gone only when the supervisor is: then it does not matter.
            let _ = report.send(run_alone(make));
        });
        self.own(stage, name, false, async move {
            match spawned {
                Ok(_) => ended.await.unwrap_or_else(|_| Err(Reason::Panic("its thread disappeared".into()))),
                Err(e) => Err(Reason::Error(format!("its thread could not be started: {e}"))),
            }
        });
    }

    fn own(
        &mut self,
        stage: Stage,
        name: &str,
        job: bool,
        future: impl Future<Output = Result<(), Reason>> + Send + 'static,
    ) {
        let id = self.running.spawn(future).id();
        self.members.insert(id, Owned { member: Member { stage, name: name.to_owned() }, job });
    }

    /// Waits for `stop`, for the first member that fails, or until all jobs are done and nothing else is there; then
    /// drains, shuts down stage after stage and says how it went.
    pub async fn run(mut self, stop: impl Future<Output = impl Into<Stop>>) -> Outcome {
        let mut outcome = Outcome { cause: Cause::Stopped, failures: Vec::new(), late: Vec::new() };
        let asked = async { stop.await.into() };
        outcome.cause = match self.work(asked, &mut outcome.failures).await {
            Ended::Asked(stop) => self.work_on(stop, &mut outcome.failures).await,
            Ended::Itself(cause) => cause,
        };
        self.health.set_stopping();
        match &outcome.cause {
            Cause::Failed => tracing::error!(why = %outcome, "shutting down: a part of the process failed"),
            Cause::Stopped => tracing::info!("shutting down"),
            Cause::Finished => tracing::debug!("shutting down: all jobs are done"),
        }
        for stage in Stage::ORDER {
            self.tokens[stage as usize].cancel();
            self.drain(stage, &mut outcome).await;
        }
        outcome
    }

    async fn work(&mut self, stop: impl Future<Output = Stop>, failures: &mut Vec<Failure>) -> Ended {
        let mut stop = std::pin::pin!(stop);
        loop {
            tokio::select! {
                biased;
                stop = &mut stop => return Ended::Asked(stop),
                ended = self.running.join_next_with_id() => match ended {
                    None => return Ended::Itself(Cause::Finished),
                    Some(ended) => {
                        if let Some(failure) = self.judge(ended, false) {
                            failures.push(failure);
                            return Ended::Itself(Cause::Failed);
                        }
                    }
                },
            }
        }
    }

    /// Works on as before for as long as it takes others to notice; a failure ends that, too.
    async fn work_on(&mut self, stop: Stop, failures: &mut Vec<Failure>) -> Cause {
        self.health.set_stopping();
        let drain = self.bounds.drain;
        if stop == Stop::Now || drain.is_zero() {
            return Cause::Stopped;
        }
        tracing::info!(?drain, "not ready any more; still serving");
        let over = async {
            tokio::time::sleep(drain).await;
            Stop::Now
        };
        match self.work(over, failures).await {
            Ended::Asked(_) => Cause::Stopped,
            Ended::Itself(Cause::Finished) => Cause::Stopped,
            Ended::Itself(cause) => cause,
        }
    }

    async fn drain(&mut self, stage: Stage, outcome: &mut Outcome) {
        let deadline = Instant::now() + self.bounds.per_stage;
        while self.has(stage) {
            match tokio::time::timeout_at(deadline, self.running.join_next_with_id()).await {
                Ok(Some(ended)) => outcome.failures.extend(self.judge(ended, true)),
                Ok(None) => return,
                Err(_) => return self.give_up(stage, outcome),
            }
        }
    }

    fn has(&self, stage: Stage) -> bool {
        self.members.values().any(|o| o.member.stage == stage)
    }

    /// Forgets the members of a stage; those on the shared runtime are aborted when the supervisor goes, threads only
    /// end with the process.
    fn give_up(&mut self, stage: Stage, outcome: &mut Outcome) {
        let (late, rest): (HashMap<_, _>, HashMap<_, _>) =
            self.members.drain().partition(|(_, o)| o.member.stage == stage);
        self.members = rest;
        let mut late: Vec<Member> = late.into_values().map(|o| o.member).collect();
        late.sort_by(|a, b| a.name.cmp(&b.name));
        for member in &late {
            tracing::error!(name = member.name, bound = ?self.bounds.per_stage, "did not end in time");
        }
        outcome.late.extend(late);
    }

    /// What the end of a member means; `draining`: some stage is already ending.
    fn judge(&mut self, ended: Result<(Id, Result<(), Reason>), JoinError>, draining: bool) -> Option<Failure> {
        let (id, result) = match ended {
            Ok((id, result)) => (id, result),
            Err(e) => (e.id(), Err(panicked(e))),
        };
        let Owned { member, job } = self.members.remove(&id)?;
        let told = draining && self.tokens[member.stage as usize].is_cancelled();
        let reason = match result {
            Ok(()) if job || told => {
                tracing::debug!(name = member.name, "ended");
                return None;
            }
            Ok(()) => Reason::EndedEarly,
            Err(reason) => reason,
        };
        tracing::error!(name = member.name, why = %reason, "failed");
        Some(Failure { member, reason })
    }
}

/// A thread's whole life: its own runtime, the future, and the runtime's end.
fn run_alone<M, F, E>(make: M) -> Result<(), Reason>
where
    M: FnOnce() -> F,
    F: Future<Output = Result<(), E>>,
    E: Into<Boxed>,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| Reason::Error(format!("its runtime could not be started: {e}")))?;
    let ended = std::panic::catch_unwind(AssertUnwindSafe(|| runtime.block_on(async { make().await.map_err(failed) })));
    ended.unwrap_or_else(|payload| Err(Reason::Panic(said(payload.as_ref()))))
}

fn failed<E: Into<Boxed>>(error: E) -> Reason {
    let error: Boxed = error.into();
    Reason::Error(chain(error.as_ref()))
}

fn panicked(error: JoinError) -> Reason {
    match error.try_into_panic() {
        Ok(payload) => Reason::Panic(said(payload.as_ref())),
        Err(_) => Reason::Error("it was cancelled".into()),
    }
}

fn said(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".into())
}
