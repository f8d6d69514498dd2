//! The state of one partition, and how far its tallies are folded.

use slipstream_log::{Fetch, Log, Offset, TopicPartition};
use slipstream_schemas::Topic;
use slipstream_slo::burn::{Burn, Nobody, Watch};
use slipstream_slo::scale::Scale;

use super::chunks::read_chunks;
use super::snapshots::CHUNKS;
use super::{BurnStateError, apply_watched};
use crate::revisions::Definitions;

/// See the module.
pub struct Folded {
    partition: TopicPartition,
    /// The state.
    pub(super) burn: Burn,
    /// Where to continue reading: after the last tally, or further if the log has gaps.
    next: Offset,
}

impl Folded {
    /// The state at the end of a partition of sli-tallies, for looking only: its holder publishes nothing.
    ///
    /// # Errors
    /// When the log cannot be read, or holds records that this version does not support.
    pub async fn at_the_end(
        log: &dyn Log,
        partition: TopicPartition,
        definitions: &mut Definitions,
    ) -> Result<Folded, BurnStateError> {
        let (mut state, _, _) = Folded::from_snapshots(log, partition, Offset::MAX).await?;
        // The snapshot may know definitions that the next batch does not name.
        definitions.read_new().await?;
        // Looked up after the chunks were read: the tallies in each of them are below it.
        let (_, end) = log.bounds(partition).await?;
        state.read_on(log, end, definitions, &mut Nobody).await?;
        Ok(state)
    }

    /// The state in the newest snapshots; how many of their records were read, and their bytes. What is below
    /// `committed` is not published again.
    pub(super) async fn from_snapshots(
        log: &dyn Log,
        partition: TopicPartition,
        committed: Offset,
    ) -> Result<(Folded, usize, usize), BurnStateError> {
        let (first, _) = log.bounds(partition).await?;
        let partitions = log.partitions(Topic::SliTallies).await?;
        let mut restoring = Burn::new(partition.partition, partitions, CHUNKS, Scale::REAL).restoring();
        let (chunks, bytes) = read_chunks(log, partition, &mut restoring).await?;
        let burn = restoring.finish(first, committed);
        let next = burn.position();
        Ok((Folded { partition, burn, next }, chunks, bytes))
    }

    /// Folds the partition's batches below `end`, while `watch` looks on; returns how many. After an error of the log, or if it is
    /// dropped while it waits, the state is consistent, and reading continues from its position.
    ///
    /// # Errors
    /// When the log cannot be read, or holds records that this version does not support. The state must not be used
    /// after a fault of the fold.
    pub async fn read_on(
        &mut self,
        log: &dyn Log,
        end: Offset,
        definitions: &mut Definitions,
        watch: &mut (dyn Watch + Send),
    ) -> Result<u64, BurnStateError> {
        let mut folded = 0;
        while self.next < end {
            let batch = log.read(self.partition, self.next, end, Fetch::default()).await?;
            if batch.is_empty() {
                break;
            }
            for record in batch.iter() {
                apply_watched(&mut self.burn, self.partition, &record, definitions, watch).await?;
                self.next = record.offset() + 1;
                folded += 1;
                tokio::task::yield_now().await;
            }
            self.next = batch.next;
        }
        Ok(folded)
    }

    /// The partition of sli-tallies.
    pub fn partition(&self) -> TopicPartition {
        self.partition
    }

    /// Next offset to be read.
    pub fn next(&self) -> Offset {
        self.next
    }

    /// The state.
    pub fn burn(&self) -> &Burn {
        &self.burn
    }
}
