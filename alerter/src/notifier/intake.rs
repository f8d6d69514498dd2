//! What the notifier reads: transitions as they arrive, and what the receiver was sent before a partition was gained.

use slipstream_log::{Batch, Offset, Position, TopicPartition};
use slipstream_role::reading::{Reader, decoded};
use slipstream_runtime::event::Event;
use slipstream_runtime::health::State;
use slipstream_schemas::records::{AlertTransition, Notification};
use slipstream_schemas::{LogTime, Topic, codec};
use tokio::time::Instant;

use super::Notifier;
use crate::error::AlerterError;
use crate::notifier::dispatch::{Held, Pending, Refused, Ticket};
use crate::notifier::policy::Hold;
use crate::notifier::restore::{Answered, Found, FoundAlert, Lacking};
use crate::telemetry::{Restored, Trimmed};

impl Notifier {
    /// Partitions were gained: what the receiver was sent is read before anything new.
    pub(super) async fn gain(&mut self, gained: &[(TopicPartition, Option<Position>)]) -> Result<(), AlerterError> {
        let answered = self.answered().await?;
        for (partition, position) in gained {
            self.restore(*partition, *position, &answered).await?;
        }
        self.dispatcher.restore_tried(answered.tried());
        Ok(())
    }

    async fn restore(
        &mut self,
        partition: TopicPartition,
        position: Option<Position>,
        answered: &Answered,
    ) -> Result<(), AlerterError> {
        self.health.set(&self.role, State::Starting(format!("reading what was sent of {partition}")));
        let found = self.recall(partition, position.unwrap_or_default().offset, answered).await?;
        let now = self.clock.now();
        self.dispatcher.drop_partition(partition.partition);
        let mut restored = 0;
        found.standing().for_each(|t| self.dispatcher.stands(partition.partition, t));
        for alert in found.into_alerts() {
            let FoundAlert { first, told, told_at, lacking } = alert;
            restored += usize::from(!told.is_empty());
            if !told.is_empty() {
                self.dispatcher.restore(partition.partition, told, &first, told_at);
            }
            if let Some(lacking) = lacking {
                self.restore_lacking(partition.partition, lacking, &first, now);
            }
        }
        self.ledger.open(partition.partition, position);
        Restored { receiver: &self.receiver, partition, firing: restored }.emit();
        Ok(())
    }

    fn restore_lacking(&mut self, partition: u32, lacking: Lacking, first: &AlertTransition, now: i64) {
        let Lacking { offset, transition, attempts, at, held } = lacking;
        let ticket = Ticket { partition, offset };
        let pending = Pending { ticket, transition, since: now, attempts, route: None };
        match held {
            Some((reason, by)) => {
                let hold = Hold { reason, by, until: None };
                self.dispatcher.restore_held(Held { pending, hold }, first);
            }
            None => self.dispatcher.restore_refused(Refused::new(pending, at), first, now),
        }
    }

    /// What the receiver answered, also about what comes behind the committed positions: of that it is known what was attempted.
    async fn answered(&mut self) -> Result<Answered, AlerterError> {
        self.health.set(&self.role, State::Starting("reading what was sent".to_owned()));
        let reader = Reader { log: &*self.log, role: &self.role };
        let receiver = &self.receiver;
        let mut answered = Answered::default();
        for notes in reader.partitions(Topic::Notifications).await? {
            let (first, end) = reader.settled_bounds(notes).await?;
            let take = |record: slipstream_log::RecordRef<'_>| {
                answered.take(receiver, &decoded(notes, record, codec::decode::<Notification>)?);
                Ok::<(), AlerterError>(())
            };
            reader.each(notes, first, end, take).await?;
        }
        Ok(answered)
    }

    async fn recall(
        &mut self,
        partition: TopicPartition,
        below: Offset,
        answered: &Answered,
    ) -> Result<Found, AlerterError> {
        let reader = Reader { log: &*self.log, role: &self.role };
        let mut found = Found::at(self.clock.now());
        let (first, _) = reader.bounds(partition).await?;
        if below <= first {
            return Ok(found);
        }
        let take = |record: slipstream_log::RecordRef<'_>| {
            let offset = record.offset();
            found.take(answered, offset, decoded(partition, record, codec::decode::<AlertTransition>)?);
            Ok::<(), AlerterError>(())
        };
        reader.each(partition, first, below, take).await?;
        Ok(found)
    }

    /// Takes records of a partition that is ours.
    pub(super) async fn read(&mut self, batch: &Batch) -> Result<(), AlerterError> {
        let partition = batch.partition.partition;
        if !self.ledger.owns(partition) {
            return Ok(());
        }
        let (now, log_now) = (self.clock.now(), self.log_now(batch.partition).await?);
        let mut last = LogTime::default();
        for record in batch.iter() {
            last = record.log_time();
            let transition: AlertTransition = decoded(batch.partition, record, codec::decode)?;
            if !transition.kind.is_told() {
                continue;
            }
            let ticket = Ticket { partition, offset: record.offset() };
            self.ledger.expect(ticket, last);
            let lag = (log_now.0 - last.0).max(0);
            let pending = Pending { ticket, transition, since: now - lag, attempts: 0, route: None };
            if let Some(settled) = self.dispatcher.push(pending, now) {
                self.ledger.settle(settled);
            }
            self.fresh = self.fresh.or_else(|| Some(Instant::now()));
        }
        self.ledger.read(partition, batch.next, last);
        Ok(())
    }

    /// The log's current time: its horizon, or our clock if the horizon is not known at the moment.
    pub(super) async fn log_now(&mut self, partition: TopicPartition) -> Result<LogTime, AlerterError> {
        let horizon = self.consumer.horizon(partition).await;
        let horizon = horizon.map_err(AlerterError::log("looking up the horizon of alerts"))?;
        Ok(horizon.map_or_else(|| LogTime(self.clock.now()), |horizon| horizon.time))
    }

    /// Retention took records before they were read.
    pub(super) async fn skip_to(&mut self, partition: TopicPartition, first: Offset) -> Result<(), AlerterError> {
        let from = self.ledger.read_up_to(partition.partition).unwrap_or_default();
        Trimmed { role: &self.role, partition, from, first }.emit();
        self.ledger.read(partition.partition, first, LogTime::default());
        let seek = self.consumer.seek(partition, first).await;
        seek.map_err(AlerterError::log("going on behind what retention removed"))
    }
}
