//! Lets the watchdog speak, where this is the process that would tell of alerts.

use slipstream_log::{Offset, TopicPartition};
use slipstream_schemas::Topic;

use super::Notifier;
use super::watchdog::Moment;
use crate::error::AlerterError;

/// Whose owner speaks for all members of the group: there is one.
const SPEAKER: TopicPartition = TopicPartition { topic: Topic::Alerts, partition: 0 };

impl Notifier {
    /// Begins and ends the watchdog's turns, as they are due.
    pub(super) async fn watch(&mut self) -> Result<(), AlerterError> {
        let (now, speaks) = (self.clock.now(), self.ledger.owns(SPEAKER.partition));
        let Some(watchdog) = &mut self.watchdog else { return Ok(()) };
        watchdog.take_ended(now);
        if !speaks {
            watchdog.rest();
            return Ok(());
        }
        let Some(round) = watchdog.due(now) else { return Ok(()) };
        let moment = Moment { log_now: self.log_now(SPEAKER).await?, read: self.read_up_to() };
        if let Some(watchdog) = &mut self.watchdog {
            watchdog.begin(round, moment);
        }
        Ok(())
    }

    /// How far `alerts` is read.
    fn read_up_to(&self) -> Vec<(TopicPartition, Offset)> {
        let partitions = self.ledger.partitions().into_iter();
        partitions.filter_map(|p| Some((p, self.ledger.read_up_to(p.partition)?))).collect()
    }
}
