//! Evaluates alert rules: the thin loop around [`slipstream_slo::alerts`].
//!
//! Reads burn-rates in the group `alerter`; the definitions that a record was computed with are read up to the record's
//! revision. What a batch decides is one step, committed with the batch's position: after a crash before the commit the
//! next owner reads the same records and the same `alerts`, and decides the same (A1).

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use slipstream_log::{
    Advance, Batch, Consumer, LogError, Outgoing, Polled, Position, Share, SharedLog, Step, StepFate, TopicPartition,
    settle,
};
use slipstream_role::names::ALERTER as ROLE;
use slipstream_role::patience::patient;
use slipstream_role::reading::{Reader, decoded};
use slipstream_role::revisions::Definitions;
use slipstream_runtime::Shutdown;
use slipstream_runtime::event::Event;
use slipstream_runtime::health::{Health, State};
use slipstream_schemas::records::{AlertTransition, BurnRates};
use slipstream_schemas::{Topic, codec};
use slipstream_slo::alerts::{Draft, OpenAlerts};

use crate::error::AlerterError;
use crate::telemetry::{Evaluated, PartitionsLost, Trimmed};

/// How long a commit in progress may take on shutdown.
const GRACE: Duration = Duration::from_secs(3);

/// Runs the alerter until `shutdown`.
///
/// # Errors
/// When the log fails permanently, or holds records that this version cannot read.
pub async fn run(log: SharedLog, health: Health, shutdown: Shutdown) -> Result<(), AlerterError> {
    work(patient(log, ROLE), health, shutdown).await
}

async fn work(log: SharedLog, health: Health, shutdown: Shutdown) -> Result<(), AlerterError> {
    health.set(ROLE, State::Starting("joining its consumer group".to_owned()));
    let joined = log.subscribe(ROLE, &[Topic::BurnRates], Share::Divided).await;
    let consumer = joined.map_err(AlerterError::log("joining a consumer group"))?;
    let definitions = Definitions::unread(log.clone(), ROLE);
    let (open, positions) = (OpenAlerts::default(), BTreeMap::new());
    let mut alerter = Alerter { log, consumer, open, positions, definitions, health, shutdown };
    alerter.work().await
}

struct Alerter {
    log: SharedLog,
    consumer: Box<dyn Consumer>,
    /// As committed: what a step decides is folded in when the step is done.
    open: OpenAlerts,
    /// Partitions of burn-rates that are ours, and where they stand.
    positions: BTreeMap<TopicPartition, Position>,
    definitions: Definitions,
    health: Health,
    shutdown: Shutdown,
}

/// What a batch decides.
struct Decided {
    transitions: Vec<AlertTransition>,
    step: Step,
}

impl Alerter {
    async fn work(&mut self) -> Result<(), AlerterError> {
        loop {
            let polled = tokio::select! {
                biased;
                () = self.shutdown.cancelled() => return Ok(()),
                polled = self.consumer.poll(Default::default(), Duration::from_secs(1)) => polled,
            };
            match polled {
                Ok(Polled::Nothing) => {}
                Ok(Polled::Assigned(gained)) => self.gain(gained).await?,
                Ok(Polled::Revoked(lost)) => self.lose(&lost),
                Ok(Polled::Records(batch)) if self.positions.contains_key(&batch.partition) => {
                    if !self.step(&batch).await? {
                        return Ok(());
                    }
                }
                Ok(Polled::Records(_)) => {}
                Err(LogError::OutOfRange { partition, first, .. }) => self.skip_to(partition, first).await?,
                Err(error) => return Err(AlerterError::log("reading burn-rates")(error)),
            }
            self.health.set(ROLE, State::Ready);
        }
    }

    /// What was decided about the partitions gained is in `alerts`; what their former owner had not committed is not and
    /// never will be (L5).
    async fn gain(&mut self, gained: Vec<(TopicPartition, Option<Position>)>) -> Result<(), AlerterError> {
        self.health.set(ROLE, State::Starting("reading the state of alerts".to_owned()));
        let reader = Reader { log: &*self.log, role: ROLE };
        let mut open = OpenAlerts::default();
        for partition in reader.partitions(Topic::Alerts).await? {
            let (first, end) = reader.settled_bounds(partition).await?;
            let take = |record: slipstream_log::RecordRef<'_>| {
                open.apply(decoded(partition, record, codec::decode::<AlertTransition>)?);
                Ok::<(), AlerterError>(())
            };
            reader.each(partition, first, end, take).await?;
        }
        self.open = open;
        self.positions.extend(gained.into_iter().map(|(p, position)| (p, position.unwrap_or_default())));
        Ok(())
    }

    /// The state stays: it is what is committed, and it is read again before a partition is worked on again.
    fn lose(&mut self, lost: &[TopicPartition]) {
        let mine: Vec<TopicPartition> = lost.iter().filter(|p| self.positions.remove(p).is_some()).copied().collect();
        if !mine.is_empty() {
            PartitionsLost { role: ROLE, partitions: &mine }.emit();
        }
    }

    /// Decides a batch and commits it; false: told to stop, and the commit did not end in time.
    async fn step(&mut self, batch: &Batch) -> Result<bool, AlerterError> {
        let rates = batch
            .iter()
            .map(|record| decoded(batch.partition, record, codec::decode::<BurnRates>))
            .collect::<Result<Vec<_>, _>>()?;
        self.definitions.read_named::<AlerterError>(rates.iter().map(|r| r.revision).max().unwrap_or_default()).await?;
        let Some(decided) = self.decide(batch, &rates) else { return Ok(true) };
        let fate = tokio::select! {
            biased;
            fate = settle(self.consumer.as_mut(), &decided.step) => fate,
            () = after_grace(&self.shutdown) => return Ok(false),
        };
        match fate.map_err(AlerterError::log("committing transitions"))? {
            StepFate::Done => self.done(rates.len(), decided),
            StepFate::Lost { partitions, .. } => self.lose(&partitions),
        }
        Ok(true)
    }

    fn decide(&self, batch: &Batch, rates: &[BurnRates]) -> Option<Decided> {
        let from = *self.positions.get(&batch.partition)?;
        let last = batch.iter().last()?.log_time();
        let to = Position { offset: batch.next, log_time: last.max(from.log_time) };
        let mut draft = Draft::over(&self.open);
        let mut transitions = Vec::new();
        for record in rates {
            transitions.extend(draft.decide(record, self.definitions.revisions()));
        }
        let outputs = transitions.iter().map(outgoing).collect();
        let step = Step { outputs, positions: vec![Advance { partition: batch.partition, from, to }] };
        Some(Decided { transitions, step })
    }

    fn done(&mut self, records: usize, decided: Decided) {
        decided.transitions.iter().cloned().for_each(|transition| self.open.apply(transition));
        self.positions.extend(decided.step.positions.iter().map(|a| (a.partition, a.to)));
        Evaluated { records, transitions: &decided.transitions, open: self.open.len() }.emit();
    }

    /// Retention took records before they were read.
    async fn skip_to(&mut self, partition: TopicPartition, first: i64) -> Result<(), AlerterError> {
        let from = self.positions.get(&partition).map_or(first, |p| p.offset);
        Trimmed { role: ROLE, partition, from, first }.emit();
        let seek = self.consumer.seek(partition, first).await;
        seek.map_err(AlerterError::log("going on behind what retention removed"))
    }
}

async fn after_grace(shutdown: &Shutdown) {
    shutdown.cancelled().await;
    tokio::time::sleep(GRACE).await;
}

fn outgoing(transition: &AlertTransition) -> Outgoing {
    Outgoing {
        topic: Topic::Alerts,
        partition: None,
        key: Some(Bytes::copy_from_slice(transition.alert_id.as_bytes())),
        value: Some(Bytes::from(codec::encode(transition))),
        headers: Vec::new(),
    }
}
