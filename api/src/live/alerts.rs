//! Transitions of alerts as they come into the log.

use std::fmt;
use std::str::FromStr;

use slipstream_log::{Fetch, Log, LogError, Offset, TopicPartition};
use slipstream_schemas::records::AlertTransition;
use slipstream_schemas::{Topic, codec};

/// Transitions that are read at once.
const FETCH: Fetch = Fetch { records: 1_000, bytes: 1 << 20 };

/// The next offset of each partition of `alerts`. Its text is part of the stream's ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offsets(Vec<Offset>);

impl fmt::Display for Offsets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.0.iter().map(Offset::to_string).collect();
        f.write_str(&parts.join("."))
    }
}

impl FromStr for Offsets {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let offset = |part: &str| part.parse().ok().filter(|offset: &Offset| *offset >= 0);
        text.split('.').map(offset).collect::<Option<Vec<Offset>>>().map(Offsets).ok_or(())
    }
}

/// The end of every partition.
///
/// # Errors
/// When the log cannot be read.
pub(super) async fn ends(log: &dyn Log) -> Result<Offsets, LogError> {
    let partitions = log.partitions(Topic::Alerts).await?;
    let partitions: Vec<TopicPartition> = (0..partitions).map(of).collect();
    let bounds = log.all_bounds(&partitions).await?;
    Ok(Offsets(bounds.into_iter().map(|(_, end)| end).collect()))
}

const fn of(partition: u32) -> TopicPartition {
    TopicPartition { topic: Topic::Alerts, partition }
}

impl Offsets {
    /// Reads on to `to`, at most a fetch of each partition; `take` gets each transition, and where that leaves a reader. What
    /// retention has removed is passed over, and so is what is not there: where the topic was recreated, say.
    ///
    /// # Errors
    /// When the log cannot be read, or holds a record of a newer version.
    pub async fn read_on(
        &mut self,
        log: &dyn Log,
        to: &Offsets,
        mut take: impl FnMut(&AlertTransition, &Offsets),
    ) -> Result<(), LogError> {
        if self.0.len() != to.0.len() {
            *self = to.clone();
        }
        for (i, end) in (0u32..).zip(to.0.iter().copied()) {
            let at = i as usize;
            self.0[at] = self.0[at].min(end);
            if self.0[at] == end {
                continue;
            }
            let batch = match log.read(of(i), self.0[at], end, FETCH).await {
                Ok(batch) => batch,
                Err(LogError::OutOfRange { first, .. }) => {
                    self.0[at] = first.min(end);
                    continue;
                }
                Err(error) => return Err(error),
            };
            for record in batch.iter() {
                let transition = codec::decode::<AlertTransition>(record.value().unwrap_or_default());
                let transition = transition.map_err(|error| LogError::Fatal {
                    doing: format!("reading {} at offset {}", of(i), record.offset()),
                    cause: slipstream_schemas::Cause::of(error),
                })?;
                self.0[at] = record.offset() + 1;
                take(&transition, self);
            }
            self.0[at] = batch.next;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_read_back_as_they_are_written() {
        for (offsets, text) in [(vec![0], "0"), (vec![17, 0, 4], "17.0.4")] {
            assert_eq!(Offsets(offsets.clone()).to_string(), text);
            assert_eq!(text.parse(), Ok(Offsets(offsets)));
        }
        for wrong in ["", "1..2", "-1", "1.x", "99999999999999999999"] {
            assert_eq!(wrong.parse::<Offsets>(), Err(()), "{wrong}");
        }
    }
}
